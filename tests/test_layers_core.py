"""Dense, Activation, Identity, Lambda, Wrapper, InputLayer and the activation layers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import nabi
from helpers import check_layer, normal
from nabi import layers, ops

E = np.exp


def relu(x: Any) -> Any:
    return np.maximum(x, 0)


@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 4), (2, 3, 2, 4), (1, 4)])
@pytest.mark.parametrize("use_bias", [True, False])
def test_dense(shape: tuple[int, ...], use_bias: bool) -> None:
    layer = layers.Dense(3, activation="tanh", use_bias=use_bias)
    names = ("kernel", "bias") if use_bias else ("kernel",)
    check_layer(layer, normal(*shape), lambda x, w: np.tanh(x @ w[0] + (w[1] if use_bias else 0)), weights=names)


def test_dense_defaults_and_config_keys() -> None:
    layer = layers.Dense(3, kernel_regularizer="l2", bias_constraint="non_neg", activity_regularizer="l1")
    config = layer.get_config()
    assert list(config) == [
        "name",
        "trainable",
        "dtype",
        "activity_regularizer",
        "units",
        "activation",
        "use_bias",
        "kernel_initializer",
        "bias_initializer",
        "kernel_regularizer",
        "bias_regularizer",
        "kernel_constraint",
        "bias_constraint",
    ]
    assert config["activation"] == "linear"
    assert config["kernel_initializer"] == {
        "module": "keras.initializers",
        "class_name": "GlorotUniform",
        "config": {"seed": None},
        "registered_name": None,
    }
    assert config["dtype"]["config"] == {"name": "float32"}
    again = layers.Dense.from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    assert again.kernel_regularizer.l2 == pytest.approx(0.01)


def test_dense_reads_newer_configs() -> None:
    layer = layers.Dense.from_config({"units": 3, "quantization_config": None, "unheard_of": None})
    assert layer.units == 3
    with pytest.raises(TypeError, match="unheard_of"):
        layers.Dense.from_config({"units": 3, "unheard_of": 1})


@pytest.mark.parametrize("units", [0, -1, 2.5, "3", None])
def test_dense_units_must_be_positive(units: Any) -> None:
    message = f"Received an invalid value for `units`, expected a positive integer. Received: units={units}"
    with pytest.raises(ValueError) as error:
        layers.Dense(units)
    assert str(error.value) == message


def test_dense_errors() -> None:
    with pytest.raises(ValueError, match=r"Unrecognized keyword arguments passed to Dense: {'init': 'uniform'}"):
        layers.Dense(3, init="uniform")
    with pytest.raises(NotImplementedError, match="LoRA"):
        layers.Dense(3, lora_rank=2)
    with pytest.raises(NotImplementedError, match="quantize"):
        layers.Dense(3, quantization_config="int8")
    with pytest.raises(AttributeError, match="You must build the layer before accessing `kernel`."):
        layers.Dense(3).kernel  # noqa: B018
    with pytest.raises(ValueError, match="requires axis -1 of the input shape to be defined"):
        layers.Dense(3)(layers.Input((4, None)))
    with pytest.raises(ValueError, match="Could not interpret activation function identifier: nonsense"):
        layers.Dense(3, activation="nonsense")


def test_dense_input_checks_have_keras_messages() -> None:
    layer = layers.Dense(3, name="dense")
    with pytest.raises(ValueError) as error:
        layer(np.zeros(3))
    assert str(error.value) == (
        "Input 0 with name 'None' of layer 'dense' is incompatible with the layer: expected min_ndim=2, found ndim=1. "
        "Full shape received: (3,)"
    )
    layer(np.zeros((4, 4)))
    with pytest.raises(ValueError) as error:
        layer(np.zeros((4, 5)))
    assert str(error.value) == (
        "Input 0 with name 'None' of layer 'dense' is incompatible with the layer: expected axis -1 of input shape to "
        "have value 4, but received input with shape (4, 5)"
    )
    with pytest.raises(ValueError, match="Only input tensors may be passed as positional arguments"):
        layer([[1.0, 2.0, 3.0, 4.0]])


def test_dense_takes_integers_doubles_and_strided_arrays() -> None:
    layer = layers.Dense(3)
    x = np.arange(40).reshape(5, 8)[:, ::2]
    y = layer(x)
    wanted = x.astype("float32") @ layer.kernel.numpy()
    for kind in ("int64", "int32", "uint8", "float64", "float16", "float32"):
        np.testing.assert_allclose(layer(x.astype(kind)), wanted, rtol=1e-5)
    np.testing.assert_allclose(y, wanted, rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "reference"),
    [
        (layers.Activation("relu"), lambda x: relu(x)),
        (layers.Activation("sigmoid"), lambda x: 1 / (1 + E(-x))),
        (layers.Identity(), lambda x: x),
        (layers.ReLU(), relu),
        (layers.ReLU(max_value=1.0), lambda x: np.clip(x, 0, 1)),
        (layers.ReLU(negative_slope=0.5), lambda x: np.where(x > 0, x, 0.5 * x)),
        (layers.ReLU(max_value=1.0, negative_slope=0.5, threshold=0.25),
         lambda x: np.where(x >= 1, 1, np.where(x > 0.25, x, 0.5 * (x - 0.25)))),
        (layers.LeakyReLU(), lambda x: np.where(x > 0, x, 0.3 * x)),
        (layers.ELU(alpha=0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
        (layers.Softmax(), lambda x: E(x) / E(x).sum(-1, keepdims=True)),
        (layers.Softmax(axis=1), lambda x: E(x) / E(x).sum(1, keepdims=True)),
        (layers.Softmax(axis=(1, 2)), lambda x: E(x) / E(x).sum((1, 2), keepdims=True)),
    ],
)  # fmt: skip
def test_activation_layers(layer: layers.Layer, reference: Any) -> None:
    assert layer.built
    check_layer(layer, normal(3, 4, 5), lambda x, w: reference(x))


def test_prelu() -> None:
    check_layer(layers.PReLU(), normal(3, 4, 5), lambda x, w: np.where(x > 0, x, w[0] * x), weights=("alpha",))
    layer = check_layer(
        layers.PReLU(shared_axes=[1]), normal(3, 4, 5), lambda x, w: np.where(x > 0, x, w[0] * x), weights=("alpha",)
    )
    assert layer.weights[0].shape == (1, 5)


def test_softmax_mask() -> None:
    x = normal(2, 4).astype("float32")
    mask = np.array([[True, True, False, False], [True, True, True, False]])
    y = layers.Softmax()(x, mask=mask)
    wanted = np.where(mask, E(x), 0)
    np.testing.assert_allclose(y, wanted / wanted.sum(-1, keepdims=True), rtol=1e-5)
    with pytest.raises(ValueError, match="must be broadcastable to `inputs`"):
        layers.Softmax()(x, mask=np.ones((2, 3), bool))


def test_activation_layer_errors() -> None:
    with pytest.raises(
        ValueError, match="max_value of a ReLU layer cannot be a negative value. Received: max_value=-1"
    ):
        layers.ReLU(max_value=-1)
    with pytest.raises(ValueError, match="negative_slope of a ReLU layer cannot be None or a negative value"):
        layers.ReLU(negative_slope=None)
    with pytest.raises(ValueError, match="threshold of a ReLU layer cannot be None or a negative value"):
        layers.ReLU(threshold=-1.0)
    with pytest.raises(ValueError, match="negative_slope value of a Leaky ReLU layer cannot be None or negative value"):
        layers.LeakyReLU(negative_slope=-0.1)
    with pytest.warns(UserWarning, match="Argument `alpha` is deprecated"):
        assert layers.LeakyReLU(alpha=0.1).negative_slope == 0.1


def test_lambda() -> None:
    layer = layers.Lambda(lambda x: ops.square(x) + 1.0)
    x = normal(2, 3)
    np.testing.assert_allclose(layer(x), x**2 + 1, rtol=1e-5)
    assert layer(layers.Input((3,))).shape == (None, 3)
    assert layers.Lambda(lambda x: x[:, :1], output_shape=(1,))(layers.Input((3,))).shape == (None, 1)
    scaled = layers.Lambda(lambda x, by: x * by, arguments={"by": 2.0})
    np.testing.assert_allclose(scaled(x), 2 * x, rtol=1e-6)


def test_lambda_config() -> None:
    layer = layers.Lambda(_double)
    nabi.objects.register_keras_serializable("tests")(_double)
    again = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    np.testing.assert_array_equal(again(np.ones((1, 2))), [[2, 2]])
    unsafe = layers.Lambda(lambda x: x * 3.0)
    with pytest.warns(UserWarning, match="includes a `lambda`"):
        config = unsafe.get_config()
    with pytest.raises(ValueError, match="Requested the deserialization of a `Lambda` layer whose `function` is a Pyt"):
        layers.Lambda.from_config(config)
    np.testing.assert_array_equal(layers.Lambda.from_config(config, safe_mode=False)(np.ones((1, 2))), [[3, 3]])


def _double(x: Any) -> Any:
    return x * 2.0


def test_wrapper() -> None:
    class Twice(layers.Wrapper):
        def call(self, inputs: Any) -> Any:
            return self.layer(self.layer(inputs))

    layer = Twice(layers.Dense(4))
    assert layer(normal(2, 4)).shape == (2, 4)
    assert len(layer.weights) == 2
    with pytest.raises(ValueError, match="supplied to Wrapper isn't a supported layer type"):
        Twice(3)


def test_input() -> None:
    x = layers.Input((28, None), batch_size=2, dtype="int32", name="image")
    assert x.shape == (2, 28, None) and x.dtype == "int32"
    layer = x._keras_history.operation
    assert layer.get_config() == {
        "batch_shape": (2, 28, None),
        "dtype": "int32",
        "sparse": False,
        "ragged": False,
        "name": "image",
    }
    again = layers.deserialize(json.loads(json.dumps(layers.serialize(layer))))
    assert again.output.shape == (2, 28, None)
    assert layers.Input(tensor=x) is x


def test_input_errors() -> None:
    with pytest.raises(ValueError, match="Cannot convert '4' to a shape."):
        layers.Input(4)
    with pytest.raises(ValueError, match="You must pass a `shape` argument."):
        layers.Input()
    with pytest.raises(ValueError, match="You cannot pass both `shape` and `batch_shape` at the same time."):
        layers.Input((2,), batch_shape=(None, 2))
    with pytest.raises(ValueError, match="You cannot pass both `batch_size` and `batch_shape` at the same time."):
        layers.Input(batch_size=2, batch_shape=(None, 2))
    with pytest.raises(ValueError, match="is not supported with the nabi backend"):
        layers.Input((2,), sparse=True)
    with pytest.raises(ValueError, match="is not supported with the nabi backend"):
        layers.Input((2,), ragged=True)
    tensor = layers.Input((2,))
    for name, value in {"shape": (3,), "batch_size": 4, "batch_shape": (None, 3), "dtype": "int32"}.items():
        with pytest.raises(ValueError, match=f"you cannot provide an incompatible `{name}` argument"):
            layers.Input(tensor=tensor, **{name: value})
    with pytest.raises(ValueError, match="Argument `input_tensor` must be a KerasTensor"):
        layers.Input(tensor=np.zeros(2))


def test_rescaling() -> None:
    check_layer(layers.Rescaling(1 / 255, offset=-0.5), normal(2, 3), lambda x, w: x / 255 - 0.5)
    y = layers.Rescaling(2.0)(np.array([[1, 255]], dtype="uint8"))
    np.testing.assert_array_equal(y, [[2, 510]])
    per_channel = layers.Rescaling(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(per_channel(np.ones((1, 2))), [[1, 2]])
    again = layers.deserialize(json.loads(json.dumps(layers.serialize(per_channel))))
    np.testing.assert_array_equal(again(np.ones((1, 2))), [[1, 2]])


def test_masking() -> None:
    x = np.array([[[1, 2], [0, 0], [3, 0]], [[0, 0], [0, 0], [5, 6]]], "float32")
    y = layers.Masking()(x)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(y._keras_mask, [[True, False, True], [False, False, True]])
    y = layers.Masking(mask_value=3.0)(np.array([[[3.0, 3.0], [3.0, 1.0]]]))
    np.testing.assert_array_equal(y, [[[0, 0], [3, 1]]])
    np.testing.assert_array_equal(layers.Activation("relu")(y)._keras_mask, [[False, True]])
    symbolic = layers.Masking()(layers.Input((3, 2)))
    assert symbolic._keras_mask.shape == (None, 3) and symbolic._keras_mask.dtype == "bool"
    assert layers.Masking(2.0).get_config()["mask_value"] == 2.0


def test_input_shape_argument_of_input_layer() -> None:
    with pytest.warns(UserWarning, match="Argument `input_shape` is deprecated"):
        assert layers.InputLayer(input_shape=(3,)).batch_shape == (None, 3)
    assert layers.InputLayer(batch_input_shape=(2, 3)).batch_shape == (2, 3)
