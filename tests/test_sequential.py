"""Sequential models: the stack, building, calling, weights."""

import gc
from typing import Any

import numpy as np
import pytest

from nabi import layers, names
from nabi.models import Sequential
from nabi.trace import Array


@pytest.fixture(autouse=True)
def _fresh_names():
    names.reset_uids()


def test_list_and_add_give_the_same():
    first = Sequential([layers.Input(shape=(4,)), layers.Dense(3), layers.Dense(2)])
    second = Sequential()
    second.add(layers.Input(shape=(4,)))
    second.add(layers.Dense(3))
    second.add(layers.Dense(2))
    second.set_weights(first.get_weights())
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    np.testing.assert_array_equal(first.predict(x, verbose=0), second.predict(x, verbose=0))


def test_layers_leave_the_input_out():
    model = Sequential([layers.Input(shape=(4,)), layers.Dense(3)])
    assert [layer.name for layer in model.layers] == ["dense"]
    with pytest.raises(AttributeError, match="`Sequential.layers` attribute is reserved"):
        model.layers = []


def test_built_while_adding():
    model = Sequential()
    model.add(layers.Input(shape=(4,)))
    assert not model.built
    model.add(layers.Dense(3))
    assert model.built
    assert [weight.shape for weight in model.weights] == [(4, 3), (3,)]
    assert [weight.path for weight in model.weights] == ["sequential/dense/kernel", "sequential/dense/bias"]


def test_shapes():
    model = Sequential([layers.Input(shape=(28, 28, 1)), layers.Conv2D(8, 3), layers.MaxPooling2D(), layers.Flatten()])
    assert model.input_shape == (None, 28, 28, 1)
    assert model.output_shape == (None, 1352)
    assert model.inputs[0].shape == model.input.shape == (None, 28, 28, 1)
    assert model.outputs[0].shape == model.output.shape == (None, 1352)
    assert model.compute_output_shape((7, 28, 28, 1)) == (7, 1352)


def test_input_shape_of_the_first_layer():
    with pytest.warns(UserWarning, match="Do not pass an `input_shape`/`input_dim` argument"):
        model = Sequential([layers.Dense(3, input_dim=4)])
    assert model.input_shape == (None, 4)
    with pytest.warns(UserWarning, match="Do not pass an `input_shape`/`input_dim` argument"):
        model = Sequential([layers.Flatten(input_shape=(28, 28)), layers.Dense(3)])
    assert model.count_params() == 784 * 3 + 3


def test_keras_tensor_as_input():
    model = Sequential([layers.Input(shape=(4,), name="x"), layers.Dense(3)])
    assert model.input.name == "x"


def test_deferred_build_by_shape():
    model = Sequential([layers.Dense(3), layers.Dense(2)])
    assert not model.built
    assert model.weights == []
    with pytest.raises(AttributeError, match="has no defined output shape yet"):
        _ = model.output_shape
    model.build((None, 4))
    assert model.built
    assert model.output_shape == (None, 2)
    assert model.count_params() == 23


def test_deferred_build_by_data():
    model = Sequential([layers.Dense(3), layers.Dense(2)])
    assert model(np.zeros((5, 4), "float32")).shape == (5, 2)
    assert model.count_params() == 23
    model = Sequential([layers.Dense(3)])
    assert model.predict(np.zeros((5, 4)), verbose=0).shape == (5, 3)
    assert model.built


def test_pop():
    model = Sequential([layers.Input(shape=(4,)), layers.Dense(3), layers.Dense(2, name="top")])
    assert model.pop().name == "top"
    assert model.output_shape == (None, 3)
    assert len(model.weights) == 2
    model.add(layers.Dense(5))
    assert model.predict(np.zeros((1, 4)), verbose=0).shape == (1, 5)
    model.pop()
    model.pop()
    with pytest.raises(ValueError, match="There are no layers in the model"):
        model.pop()


def test_names():
    model = Sequential([layers.Input(shape=(8, 8, 3)), layers.Conv2D(2, 3), layers.Conv2D(2, 3), layers.Flatten()])
    assert model.name == "sequential"
    assert [layer.name for layer in model.layers] == ["conv2d", "conv2d_1", "flatten"]
    assert Sequential().name == "sequential_1"
    assert Sequential(name="mine").name == "mine"


def test_get_layer():
    model = Sequential([layers.Input(shape=(4,)), layers.Dense(3, name="a"), layers.Dense(2, name="b")])
    assert model.get_layer("b") is model.get_layer(index=1) is model.layers[1]
    with pytest.raises(ValueError, match=r"No such layer: c. Existing layers are: \['a', 'b'\]"):
        model.get_layer("c")
    with pytest.raises(ValueError, match="Was asked to retrieve layer at index 2 but model only has 2 layers"):
        model.get_layer(index=2)
    with pytest.raises(ValueError, match="Provide either a layer name or layer index"):
        model.get_layer()
    with pytest.raises(ValueError, match="Provide only a layer name or a layer index"):
        model.get_layer("a", index=0)


def test_call_on_arrays():
    model = Sequential([layers.Input(shape=(4,)), layers.Dense(3, activation="softmax")])
    x = np.random.default_rng(0).normal(size=(6, 4))
    y = model(x)
    assert isinstance(y, Array)
    assert y.dtype == np.float32
    predicted = model.predict(x, verbose=0)
    assert type(predicted) is np.ndarray
    np.testing.assert_array_equal(y.numpy(), predicted)


def test_last_axis_is_added_and_integers_are_converted():
    model = Sequential([layers.Input(shape=(8, 8, 1)), layers.Conv2D(2, 3), layers.Flatten()])
    images = np.random.default_rng(0).integers(0, 255, (5, 8, 8), dtype="uint8")
    whole = images.astype("float32")[..., None]
    np.testing.assert_array_equal(model.predict(images, verbose=0), model.predict(whole, verbose=0))
    np.testing.assert_array_equal(model(images), model(whole))


def test_training_argument():
    model = Sequential([layers.Input(shape=(50,)), layers.Dropout(0.5)])
    x = np.ones((4, 50), "float32")
    np.testing.assert_array_equal(model(x), x)
    dropped = model(x, training=True)
    assert 0 < np.count_nonzero(dropped == 0) < 200
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)


def test_changed_attribute_takes_effect():
    model = Sequential([layers.Input(shape=(50,)), layers.Dropout(0.5)])
    x = np.ones((4, 50), "float32")
    assert np.any(model(x, training=True) == 0)
    model.layers[0].rate = 0.0
    np.testing.assert_array_equal(model(x, training=True), x)


def test_weights_are_copies():
    model = Sequential([layers.Input(shape=(2,)), layers.Dense(2)])
    weights = model.get_weights()
    weights[0][:] = 7
    assert not np.any(model.get_weights()[0] == 7)
    model.set_weights(weights)
    weights[0][:] = 8
    assert np.all(model.get_weights()[0] == 7)


def test_nested_models():
    inner = Sequential([layers.Input(shape=(4,)), layers.Dense(3, activation="relu")])
    model = Sequential([inner, layers.Dense(2)])
    assert model.built
    assert model.input_shape == (None, 4)
    assert len(model.weights) == 4
    x = np.random.default_rng(1).normal(size=(5, 4)).astype("float32")
    expected = np.maximum(x @ inner.get_weights()[0], 0) @ model.layers[1].get_weights()[0]
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_not_a_layer():
    with pytest.raises(ValueError, match="Only instances of `keras.Layer` can be added to a Sequential model"):
        Sequential([layers.Input(shape=(4,)), "dense"])


def test_same_name_twice():
    model = Sequential([layers.Input(shape=(4,)), layers.Dense(3, name="a")])
    with pytest.raises(ValueError, match="Name 'a' is already the name of a layer in this model"):
        model.add(layers.Dense(3, name="a"))
    assert len(model.layers) == 1


def test_second_input():
    model = Sequential([layers.Input(shape=(4,)), layers.Dense(3)])
    with pytest.raises(ValueError, match="has already been configured to use input shape"):
        model.add(layers.Input(shape=(5,)))
    with pytest.raises(ValueError, match="You cannot build it with input_shape"):
        model.build((None, 5))


def test_build_without_layers():
    with pytest.raises(ValueError, match="cannot be built because it has no layers"):
        Sequential().build((None, 4))


def test_layer_that_does_not_fit_is_not_added():
    model = Sequential([layers.Input(shape=(2, 2, 1)), layers.Flatten()])
    with pytest.raises(ValueError):
        model.add(layers.Conv2D(2, 3))
    assert [layer.name for layer in model.layers] == ["flatten"]
    assert model.predict(np.zeros((1, 2, 2, 1)), verbose=0).shape == (1, 4)
    with pytest.raises(ValueError, match="Computed output size would be|output size"):
        Sequential([layers.Input(shape=(2, 2, 1)), layers.Conv2D(2, 3)])


def test_many_models_leave_nothing_behind():
    import weakref

    dead = []
    for _ in range(20):
        model = Sequential([layers.Input(shape=(4,)), layers.Dense(3)])
        model.compile(optimizer="sgd", loss="mse")
        model.fit(np.zeros((8, 4)), np.zeros((8, 3)), verbose=0)
        dead.append(weakref.ref(model))
        del model
    gc.collect()
    assert all(reference() is None for reference in dead)


def test_the_stack_as_a_functional_model() -> None:
    model = Sequential([layers.Dense(2)])
    assert model._functional is None
    model.build((None, 3))
    inner = model._functional
    assert type(inner).__name__ == "Functional" and inner.layers[1] is model.layers[0]
    x = np.ones((4, 3), np.float32)
    assert np.array_equal(inner(x), model(x))


@pytest.mark.parametrize("kind", [dict, list])
def test_a_layer_of_nested_inputs(kind: Any) -> None:
    class Nested(layers.Layer):
        def call(self, inputs: Any) -> Any:
            assert isinstance(inputs, kind)
            return inputs

    parts = [np.ones((3, 2), np.float32), np.zeros((3, 2), np.float32)]
    y = Sequential([Nested()])(dict(zip("ab", parts, strict=True)) if kind is dict else parts)
    assert type(y) is kind


def test_a_layer_that_cannot_tell_its_shapes() -> None:
    class Unknown(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs + 1.0

        def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
            raise NotImplementedError

    model = Sequential([layers.Input((2,)), Unknown(), layers.Dense(1)])
    assert model._functional is None
    assert model(np.zeros((3, 2), np.float32)).shape == (3, 1)
    assert model.predict(np.zeros((3, 2), np.float32), verbose=0).shape == (3, 1)


def test_a_weights_file_has_the_layers_once(tmp_path):
    h5py = pytest.importorskip("h5py")
    model = Sequential([layers.Input((3,)), layers.Dense(2)])
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5") as file:
        assert "_functional" not in file and "layers" in file
