"""The base class: building, weights, tracking, losses, configs, calls."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

from helpers import normal
from nabi import layers, ops
from nabi.names import clear_session
from nabi.objects import register_keras_serializable
from nabi.trace import KerasTensor, Trace, Variable


class Scale(layers.Layer):
    """A weight made in build."""

    def __init__(self, start: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = start
        self.builds = 0

    def build(self, input_shape: Any) -> None:
        self.builds += 1
        self.seen = input_shape
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")

    def call(self, inputs: Any) -> Any:
        return inputs * self.scale * self.start


class Block(layers.Layer):
    """Sublayers in a list, without build."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.stack = [layers.Dense(units, name="first"), layers.Dense(units, name="second")]
        self.drop = layers.Dropout(0.5)

    def call(self, inputs: Any, training: bool = False) -> Any:
        for layer in self.stack:
            inputs = layer(inputs)
        return self.drop(inputs)


def test_build_happens_once_with_the_input_shape() -> None:
    layer = Scale()
    assert not layer.built and layer.weights == []
    for _ in range(2):
        layer(np.ones((5, 3)))
    assert layer.built and layer.builds == 1 and layer.seen == (5, 3)
    assert layer.get_build_config() == {"input_shape": (5, 3)}
    other = Scale()
    other.build_from_config({"input_shape": [None, 3]})
    assert other.seen == (None, 3) and other.built
    assert Scale()(layers.Input((3,))).shape == (None, 3)


def test_build_with_shapes_by_name() -> None:
    class Two(layers.Layer):
        def build(self, first_shape: Any, second_shape: Any) -> None:
            self.shapes = (first_shape, second_shape)

        def call(self, first: Any, second: Any) -> Any:
            return first + second

    layer = Two()
    layer(np.ones((2, 3)), second=np.ones((2, 1)))
    assert layer.shapes == ((2, 3), (2, 1))
    config = layer.get_build_config()
    assert config == {"shapes_dict": {"first_shape": (2, 3), "second_shape": (2, 1)}}
    other = Two()
    other.build_from_config(json.loads(json.dumps(config)))
    assert other.shapes == layer.shapes

    class Wrong(Two):
        def build(self, first: Any, second_shape: Any) -> None:
            pass

    with pytest.raises(ValueError, match="which does not end in `_shape`"):
        Wrong()(np.ones((2, 3)), np.ones((2, 3)))

    class Unknown(Two):
        def build(self, first_shape: Any, third_shape: Any) -> None:
            pass

    with pytest.raises(ValueError, match="but `call\\(\\)` does not have argument `third`"):
        Unknown()(np.ones((2, 3)), np.ones((2, 3)))


def test_weights_order_and_paths() -> None:
    class Own(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.counter = self.add_weight(shape=(), initializer="zeros", trainable=False, name="counter")
            self.kernel = self.add_weight(shape=(2, 2), name="kernel")
            self.inner = layers.Dense(2, name="inner")
            self.inner.build((None, 2))

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs @ self.kernel)

    layer = Own(name="own")
    layer(np.ones((1, 2)))
    assert [w.path for w in layer.weights] == ["own/kernel", "own/counter", "own/inner/kernel", "own/inner/bias"]
    assert [w.name for w in layer.trainable_weights] == ["kernel", "kernel", "bias"]
    assert [w.name for w in layer.non_trainable_weights] == ["counter"]
    assert layer.path == "own" and layer.inner.path == "own/inner"
    assert layer.count_params() == 4 + 1 + 4 + 2


def test_sublayers_are_built_by_the_call() -> None:
    layer = Block(3, name="block")
    assert layer(np.ones((2, 4))).shape == (2, 3)
    assert layer.built and all(inner.built for inner in layer.stack)
    assert [w.path for w in layer.weights] == [
        f"block/{name}/{weight}" for name in ("first", "second") for weight in ("kernel", "bias")
    ]
    symbolic = Block(3)
    assert symbolic(layers.Input((4,))).shape == (None, 3)
    assert len(symbolic.weights) == 4


def test_tracking_of_containers() -> None:
    class Many(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.items: list[Any] = []
            self.table = {"a": layers.Dense(1), "b": [layers.Dense(2)]}
            self.pair = (layers.Dense(3), 5)
            self.items.append(layers.Dense(4))
            self.items += [layers.Dense(5)]
            self.items.insert(0, layers.Dense(6))

        def call(self, inputs: Any) -> Any:
            return inputs

    layer = Many()
    assert [inner.units for inner in layer._layers] == [6, 4, 5, 1, 2, 3]
    layer.items.pop(0)
    del layer.items[0]
    layer.table["b"].clear()
    layer.table.pop("a")
    assert [inner.units for inner in layer._layers] == [5, 3]
    layer.items = []
    assert [inner.units for inner in layer._layers] == [3]
    assert isinstance(layer.items, list) and isinstance(layer.table, dict)
    assert [inner.units for inner in copy.deepcopy(layer)._layers] == [3]


def test_variables_in_attributes_and_lists_are_weights() -> None:
    class Holder(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.one = Variable(np.ones(2, "float32"), name="one")
            self.more = [Variable(np.ones(3, "float32"), name="two")]
            self.more.append(Variable(0, trainable=False, dtype="int32", name="three"))

        def call(self, inputs: Any) -> Any:
            return inputs

    layer = Holder()
    assert [w.name for w in layer.weights] == ["one", "two", "three"]
    assert [w.name for w in layer.non_trainable_weights] == ["three"]
    del layer.one
    assert [w.name for w in layer.weights] == ["two", "three"]


def test_shared_layers_count_once() -> None:
    dense = layers.Dense(3)
    layer = Block(3)
    layer.stack = [dense, dense]
    layer(np.ones((2, 3)))
    assert len(layer.weights) == 2 and len(layer._flatten_layers()) == 3


def test_no_new_state_after_build() -> None:
    layer = Scale()
    layer(np.ones((1, 2)))
    message = "You cannot add new elements of state"
    with pytest.raises(ValueError, match=message):
        layer.extra = layers.Dense(3)
    with pytest.raises(ValueError, match=message):
        layer.extra = Variable(np.ones(2))
    with pytest.raises(ValueError, match=message):
        layer.add_weight(shape=(1,), name="late")
    layer.note = "anything else may be set"
    block = Block(3)
    block(np.ones((1, 2)))
    with pytest.raises(ValueError, match=message):
        block.stack.append(layers.Dense(3))


def test_trainable_switch_recurses() -> None:
    layer = Block(3)
    layer(np.ones((1, 2)))
    layer.trainable = False
    assert layer.trainable_weights == [] and len(layer.non_trainable_weights) == 4
    assert not layer.stack[0].trainable and not layer.stack[1].kernel.trainable
    assert layer.non_trainable_variables[-1] is layer.drop.seed_generator.state
    layer.trainable = True
    assert len(layer.trainable_weights) == 4
    frozen = layers.Dense(2, trainable=False)
    frozen(np.ones((1, 2)))
    assert frozen.trainable_weights == [] and len(frozen.non_trainable_weights) == 2
    with pytest.raises(ValueError, match="Expected `trainable` to be a boolean. Received: trainable=1"):
        layers.Dense(2, trainable=1)


def test_get_and_set_weights() -> None:
    layer = layers.Dense(2, name="dense")
    layer(np.ones((1, 3)))
    values = [np.arange(6.0).reshape(3, 2), np.array([1.0, 2.0])]
    layer.set_weights(values)
    for a, b in zip(layer.get_weights(), values, strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == np.float32
    layer.get_weights()[0][:] = 0
    assert layer.kernel.numpy()[1, 1] == 3
    with pytest.raises(ValueError) as error:
        layer.set_weights(values[:1])
    assert str(error.value) == (
        "You called `set_weights(weights)` on layer 'dense' with a weight list of length 1, but the layer was "
        "expecting 2 weights."
    )
    with pytest.raises(ValueError) as error:
        layer.set_weights([values[0].T, values[1]])
    assert str(error.value) == ("Layer dense weight shape (3, 2) is not compatible with provided weight shape (2, 3).")


def test_add_weight_arguments() -> None:
    layer = layers.Layer()
    assert layer.add_weight((2, 3), "ones").numpy().sum() == 6
    assert layer.add_weight().shape == ()
    assert layer.add_weight(shape=(2,), dtype="int32").numpy().tolist() == [0, 0]
    weight = layer.add_weight(shape=(2,), regularizer="l2", constraint="non_neg", name="w")
    assert weight.name == "w" and weight.regularizer is not None and weight.constraint is not None
    with pytest.raises(ValueError) as error:
        layer.add_weight("kernel", shape=(2,))
    assert str(error.value) == (
        "`name` must be passed as a keyword argument. Received: add_weight('kernel', ...). "
        "Use: add_weight(shape=..., name='kernel')."
    )
    with pytest.raises(ValueError, match="`shape` was passed both positionally and as a keyword argument."):
        layer.add_weight((2,), shape=(2,))
    with pytest.raises(ValueError, match="`initializer` was passed both positionally and as a keyword argument."):
        layer.add_weight((2,), "ones", initializer="zeros")
    with pytest.raises(TypeError, match="add_weight\\(\\) takes at most 3 positional arguments but 4 were given."):
        layer.add_weight((2,), "ones", "float32", True)
    assert layer.add_variable((2,), "ones").shape == (2,)


def test_names() -> None:
    clear_session()
    assert [layers.Dense(1).name, layers.Dense(1).name, layers.MaxPooling2D().name] == [
        "dense",
        "dense_1",
        "max_pooling2d",
    ]
    assert layers.BatchNormalization().name == "batch_normalization"
    assert layers.ReLU().name == "re_lu" and layers.GlobalAveragePooling2D().name == "global_average_pooling2d"
    assert layers.Dense(1, name="mine").name == "mine"
    with pytest.raises(ValueError, match="cannot contain character `/`"):
        layers.Dense(1, name="a/b")
    assert repr(layers.Dense(1, name="mine")) == "<Dense name=mine, built=False>"


def test_input_shape_argument_is_kept_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="Do not pass an `input_shape`/`input_dim` argument to a layer"):
        assert layers.Dense(2, input_shape=(3,))._input_shape_arg == (3,)
    with pytest.warns(UserWarning, match="Do not pass"):
        assert layers.Dense(2, input_dim=3)._input_shape_arg == (3,)


def test_weight_regularizers_are_losses() -> None:
    layer = layers.Dense(2, kernel_regularizer="l2", bias_regularizer="l1")
    layer(np.ones((1, 3)))
    losses = layer.losses
    assert len(losses) == 2
    np.testing.assert_allclose(losses[0], 0.01 * np.square(layer.kernel.numpy()).sum(), rtol=1e-5)
    layer.trainable = False
    assert layer.losses == []


def test_add_loss_and_activity_regularizer() -> None:
    class Penalised(layers.Layer):
        def __init__(self) -> None:
            super().__init__(activity_regularizer="l2")
            self.inner = layers.Dense(2, activity_regularizer="l1")

        def call(self, inputs: Any) -> Any:
            self.add_loss(ops.sum(inputs))
            return self.inner(inputs)

    layer = Penalised()
    x = normal(4, 3).astype("float32")
    for _ in range(3):  # losses are those of the last call
        y = np.asarray(layer(x))
    wanted = [x.sum(), 0.01 * np.square(y).sum() / 4, 0.01 * np.abs(y).sum() / 4]
    np.testing.assert_allclose(layer.losses, wanted, rtol=1e-4)
    with Trace() as trace:
        layer(trace.input((4, 3), "float32"))
        assert [loss.shape for loss in layer.losses] == [(), (), ()]
    assert layer.losses == []
    with pytest.raises(ValueError, match="`add_loss\\(\\)` can only be called from inside"):
        layer.add_loss(3.0)


def test_training_argument_reaches_sublayers() -> None:
    layer = Block(4)
    x = np.ones((50, 4), "float32")
    np.testing.assert_array_equal(layer(x), layer(x))
    assert (np.asarray(layer(x, training=True)) == 0).any()

    class Outer(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.block = Block(4)

        def call(self, inputs: Any) -> Any:  # no `training`, but what it calls gets it
            return self.block(inputs)

    outer = Outer()
    assert (np.asarray(outer(x, training=True)) == 0).any()
    assert not (np.asarray(outer(x)) == 0).any()

    class Fixed(Outer):
        def call(self, inputs: Any) -> Any:
            return self.block(inputs, training=False)

    assert not (np.asarray(Fixed()(x, training=True)) == 0).any()


def test_masks_are_passed_on() -> None:
    seen = []

    class Look(layers.Layer):
        def call(self, inputs: Any, mask: Any = None) -> Any:
            seen.append(mask is not None)
            return inputs

    x = ops.convert_to_tensor(np.ones((2, 3), "float32"))
    x._keras_mask = ops.convert_to_tensor(np.array([True, False]))
    y = layers.Activation("relu")(x)
    np.testing.assert_array_equal(y._keras_mask, [True, False])
    layer = Look()
    layer.supports_masking = True
    assert layer(y)._keras_mask is not None
    assert seen == [True]
    with pytest.warns(UserWarning, match="does not support masking and will therefore destroy the mask"):
        assert layers.RepeatVector(2)(y)._keras_mask is None
    symbolic = KerasTensor((None, 3))
    symbolic._keras_mask = KerasTensor((None,), "bool")
    assert layers.Dense(2)(symbolic)._keras_mask is symbolic._keras_mask


def test_setting_an_attribute_raises_the_version() -> None:
    inner = Scale(2.0)
    layer = Block(2)
    layer.stack = [inner]
    x = np.ones((1, 2), "float32")
    np.testing.assert_array_equal(layer(x), 2 * x)
    before = layer.version
    np.testing.assert_array_equal(layer(x), 2 * x)
    assert layer.version == before
    inner.start = 3.0
    assert layer.version > before
    np.testing.assert_array_equal(layer(x), 3 * x)
    before = layer.version
    layer._unlock_state()
    layer.stack.append(Scale(2.0))
    assert layer.version > before
    np.testing.assert_array_equal(layer(x), 6 * x)


def test_attributes_set_in_call_do_not_retrace() -> None:
    class Counting(layers.Layer):
        traces = 0

        def call(self, inputs: Any) -> Any:
            self.traces += 1
            return inputs

    layer = Counting()
    for _ in range(3):
        layer(np.ones((1, 2)))
    assert layer.traces == 1
    layer(np.ones((2, 2)))
    assert layer.traces == 2


def test_auto_config() -> None:
    class Simple(layers.Layer):
        def __init__(self, units: int, rate: float = 0.5, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.units, self.rate = units, rate

    config = Simple(3, name="simple").get_config()
    assert config["units"] == 3 and config["rate"] == 0.5 and config["name"] == "simple"
    assert Simple.from_config(config).units == 3

    class Plain(layers.Layer):
        def __init__(self, units: int) -> None:
            super().__init__()
            self.units = units

    assert Plain.from_config(Plain(3).get_config()).units == 3

    class Hard(layers.Layer):
        def __init__(self, thing: Any) -> None:
            super().__init__()

    with pytest.raises(NotImplementedError, match="non-serializable argument values"):
        Hard(object()).get_config()

    class Variadic(layers.Layer):
        def __init__(self, *things: Any) -> None:
            super().__init__()

    with pytest.raises(NotImplementedError, match="positional only or variadic positional arguments"):
        Variadic(1, 2).get_config()


def test_custom_layers_serialize() -> None:
    register_keras_serializable("tests")(Scale)
    layer = Scale(2.0, name="scale")
    layer(np.ones((1, 3)))
    config = layers.serialize(layer)
    assert config["registered_name"] == "tests>Scale" and config["build_config"] == {"input_shape": (1, 3)}
    again = layers.deserialize(json.loads(json.dumps(config)))
    assert isinstance(again, Scale) and again.start == 2.0 and again.built
    with pytest.raises(TypeError, match="Could not locate class 'Unheard'"):
        layers.deserialize({"module": "somewhere", "class_name": "Unheard", "config": {}, "registered_name": "Unheard"})
    with pytest.raises(ValueError, match="that is not a `keras.layers.Layer`"):
        layers.deserialize({"module": "keras.initializers", "class_name": "Zeros", "config": {}})
    assert layers.deserialize({"class_name": "Dense", "config": {"units": 2}}).units == 2
    with pytest.raises(TypeError, match="Error when deserializing class 'Dense' using config="):
        layers.Dense.from_config({"units": -1})


def test_copies() -> None:
    layer = Block(3)
    x = normal(2, 4).astype("float32")
    y = np.asarray(layer(x))
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(other(x), y)
        other.stack[0].kernel.assign(np.zeros((4, 3)))
        assert not np.array_equal(np.asarray(other(x)), y)
    np.testing.assert_array_equal(layer(x), y)


def test_forgotten_super_init() -> None:
    class Forgetful(layers.Layer):
        def __init__(self) -> None:
            self.units = 3

        def call(self, inputs: Any) -> Any:
            return inputs

    with pytest.raises(RuntimeError, match="you forgot to call `super\\(\\).__init__\\(\\)` as the first statement"):
        Forgetful()(np.ones((1, 2)))


def test_call_errors_say_what_was_passed() -> None:
    class Failing(layers.Layer):
        def call(self, inputs: Any, factor: float = 2.0) -> Any:
            raise ValueError("something went wrong")

    with pytest.raises(ValueError) as error:
        Failing()(np.ones((2, 3), "float32"))
    assert str(error.value) == (
        "Exception encountered when calling Failing.call().\n\n\x1b[1msomething went wrong\x1b[0m\n\n"
        "Arguments received by Failing.call():\n  • inputs=Tensor(shape=(2, 3), dtype=float32)\n  • factor=2.0"
    )
    with pytest.raises(NotImplementedError, match="Layer Empty does not have a `call` method implemented"):
        type("Empty", (layers.Layer,), {})()(np.ones((1, 1)))
    with pytest.raises(ValueError, match="Could not automatically infer the output shape / dtype of 'failing"):
        Failing(name="failing")(layers.Input((3,)))


def test_tensors_have_no_numbers_while_tracing() -> None:
    class Branching(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs if ops.sum(inputs) > 0 else -inputs

    with pytest.raises(TypeError, match="nabi.ops.where"):
        Branching()(np.ones((1, 1)))


def test_mixed_arguments() -> None:
    class Takes(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    with pytest.raises(ValueError, match="you cannot mix tensors and non-tensors"):
        layer = Takes()
        layer._allow_non_tensor_positional_args = True
        layer([np.ones(2), 3])
    with pytest.raises(ValueError, match="should be passed as a keyword argument: 3"):
        Takes()(3)


def test_nested_inputs_and_outputs() -> None:
    class Split(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return {"sum": inputs["a"] + inputs["b"], "parts": [inputs["a"], (inputs["b"],)]}

    x = {"a": np.ones((2, 3), "float32"), "b": 2 * np.ones((2, 3), "float32")}
    y = Split()(x)
    np.testing.assert_array_equal(y["sum"], 3)
    np.testing.assert_array_equal(y["parts"][1][0], 2)
    symbolic = Split()({"a": layers.Input((3,)), "b": layers.Input((3,))})
    assert symbolic["parts"][0].shape == (None, 3)


def test_dtypes() -> None:
    layer = layers.Dense(2, dtype="float64")
    y = layer(np.ones((1, 3), "float64"))
    assert y.dtype == np.float64 and layer.kernel.dtype == "float64"
    assert layer.dtype == layer.compute_dtype == layer.variable_dtype == layer.dtype_policy.name == "float64"
    assert layers.Dense(2, dtype="float64")(layers.Input((3,))).dtype == "float64"
    with pytest.raises(NotImplementedError, match="Nabi computes in"):
        layers.Dense(2, dtype="int8")
    with pytest.raises(ValueError, match="Cannot convert 'nonsense' to a mixed precision DTypePolicy"):
        layers.Dense(2, dtype="nonsense")
    assert layers.Dense(2).quantization_mode is None
    with pytest.raises(NotImplementedError, match="does not quantize"):
        layers.Dense(2).quantize("int8")
    with pytest.raises(NotImplementedError, match="`add_metric\\(\\)` method is deprecated"):
        layers.Dense(2).add_metric(1)


def test_count_params_wants_a_built_layer() -> None:
    with pytest.raises(ValueError) as error:
        layers.Dense(2, name="dense").count_params()
    assert str(error.value) == (
        "You tried to call `count_params` on layer 'dense', but the layer isn't built. You can build it manually via: "
        "`layer.build(input_shape)`."
    )
    with pytest.warns(UserWarning, match="does not have a `build\\(\\)` method implemented"):
        Block(2).build((None, 3))


def test_own_variables_round_trip() -> None:
    layer = layers.BatchNormalization(name="norm")
    layer(np.ones((2, 3)))
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    assert list(store) == ["0", "1", "2", "3"]
    other = layers.BatchNormalization()
    other.build((None, 3))
    other.load_own_variables({key: value + 1 for key, value in store.items()})
    np.testing.assert_array_equal(other.moving_mean.numpy(), store["2"] + 1)
    with pytest.raises(ValueError, match="Layer 'norm' expected 4 variables, but received 1 variables during loading"):
        layer.load_own_variables({"0": store["0"]})
    with pytest.raises(ValueError, match="was never built and thus it doesn't have any variables"):
        layers.BatchNormalization(name="new").load_own_variables(store)


def test_input_spec() -> None:
    spec = layers.InputSpec(shape=(None, 3), dtype="float32")
    assert repr(spec) == "InputSpec(dtype=float32, shape=(None, 3), ndim=2)"
    assert layers.InputSpec.from_config(spec.get_config()).get_config() == spec.get_config()
    with pytest.raises(TypeError, match="Argument `axes` must be a dict with integer keys"):
        layers.InputSpec(axes={"a": 1})
    with pytest.raises(ValueError, match="Axis 3 is greater than the maximum allowed value: 1"):
        layers.InputSpec(ndim=2, axes={3: 1})

    class Checked(layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs

    def call(spec: Any, x: Any) -> str:
        layer = Checked(name="it")
        layer.input_spec = spec
        with pytest.raises(ValueError) as error:
            layer(x)
        return str(error.value)

    start = "Input 0 with name 'None' of layer 'it' is incompatible with the layer: "
    x = np.ones((2, 4), "float32")
    assert call(spec, x) == start + "expected shape=(None, 3), found shape=(2, 4)"
    assert call(layers.InputSpec(ndim=3), x) == start + "expected ndim=3, found ndim=2. Full shape received: (2, 4)"
    assert call(layers.InputSpec(max_ndim=1), x) == start + "expected max_ndim=1, found ndim=2"
    assert call(layers.InputSpec(dtype="int32"), x) == start + "expected dtype=int32, found dtype=float32"
    assert 'Layer "it" expects 2 input(s), but it received 1 input tensors.' in call([spec, spec], x)
    named = [layers.InputSpec(name="a"), layers.InputSpec(name="b")]
    assert 'Missing data for input "b". You passed a data dictionary with keys' in call(named, {"a": x})
    assert "expects 2 named input(s) with keys ['a', 'b']" in call(named, [x, x, x])
    squeezed = Checked()
    squeezed.input_spec = layers.InputSpec(shape=(None, 1), allow_last_axis_squeeze=True)
    squeezed(np.ones(3))


def test_functional_record() -> None:
    x = layers.Input((4,), name="x")
    layer = layers.Dense(3)
    y = layer(x)
    assert layer.input is x and layer.output is y
    assert y._keras_history.operation is layer
    with pytest.raises(AttributeError, match="has never been called and thus has no defined output"):
        layers.Dense(3).output  # noqa: B018


def test_warnings_are_not_left_behind() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Block(3)(np.ones((1, 2)))
        layers.Dense(2)(layers.Input((3,)))


def test_stateless_call() -> None:
    layer = layers.BatchNormalization(beta_regularizer="l2")
    x = normal(6, 3).astype("float32")
    layer.build((None, 3))
    before = layer.get_weights()
    new = [np.full(3, 2.0, "float32"), np.ones(3, "float32")]
    outputs, after, losses = layer.stateless_call(
        new, layer.non_trainable_variables, x, training=True, return_losses=True
    )
    np.testing.assert_allclose(outputs, 2 * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3) + 1, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(after[0], 0.01 * x.mean(0), rtol=1e-4)
    np.testing.assert_allclose(losses, [0.03], rtol=1e-5)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(layer.stateless_call(new, after, x)) == 2
    with pytest.raises(ValueError, match="Argument `trainable_variables` must be a list of tensors corresponding 1:1"):
        layer.stateless_call(new[:1], after, x)
    with pytest.raises(ValueError, match="To call stateless_call, Dense must be built"):
        layers.Dense(2).stateless_call([], [], x)


def test_context_arguments() -> None:
    class Inner(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self._register_call_context_args("shift")

        def call(self, inputs: Any, shift: float | None = None) -> Any:
            return inputs + (shift or 0.0)

    class Outer(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Inner()

        def call(self, inputs: Any) -> Any:
            return self.inner(inputs)

    outer = Outer()
    outer._register_call_context_args("shift")
    x = np.zeros((1, 1), "float32")
    assert np.asarray(outer(x, shift=2.0)).item() == 2
    assert np.asarray(outer(x)).item() == 0
    with pytest.raises(RuntimeError, match="Cannot add call-context args after the layer has been called."):
        outer._register_call_context_args("more")


def test_state_made_in_call_is_refused() -> None:
    class Late(layers.Layer):
        def call(self, inputs: Any) -> Any:
            self.weight = self.add_weight(shape=())
            return inputs

    with pytest.raises(ValueError, match="You cannot add new elements of state"):
        Late()(np.ones((1, 1)))
    layer = layers.Dense(2)
    layer.build((None, 3))
    layer._tracker.unlock()
    layer.extra = layer.add_weight(shape=(2,), name="extra")
    layer._tracker.lock()
    assert [w.name for w in layer.weights] == ["kernel", "bias", "extra"]


def test_compute_output_shape_is_inferred() -> None:
    assert Block(3).compute_output_shape((None, 4)) == (None, 3)
    with pytest.raises(NotImplementedError, match="does not have a `compute_output_shape` method implemented"):
        layers.Layer().compute_output_shape((1, 2))
