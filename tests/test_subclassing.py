"""Models and layers written by subclassing: nested layers, building, arguments, switches, copies, names."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import nabi
from nabi import Model, Sequential, layers, names, ops
from nabi.models import clone_model, model_from_json

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def _fresh_names() -> None:
    names.reset_uids()


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


class Block(layers.Layer):
    """Layers in a list and in a dict."""

    def __init__(self, units: int, rate: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.steps = [layers.Dense(units, activation="relu"), layers.BatchNormalization()]
        self.named = {"drop": layers.Dropout(rate), "out": layers.Dense(units, use_bias=False)}

    def call(self, x: Any, training: bool | None = None) -> Any:
        for step in self.steps:
            x = step(x)
        return self.named["out"](self.named["drop"](x, training=training))


class Net(Model):  # type: ignore[misc]
    """Blocks in a list, and a model inside the model."""

    def __init__(self, units: int = 3, depth: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.blocks = [Block(units) for _ in range(depth)]
        self.head = Sequential([layers.Dense(4), layers.Dense(2)], name="head")

    def call(self, x: Any, training: bool | None = None) -> Any:
        for block in self.blocks:
            x = block(x)
        return self.head(x)


KNOWN = {"Net": Net, "Block": Block}


def trained(**kwargs: Any) -> Any:
    model = Net(**kwargs)
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(numbers(12, 5), numbers(12, 2, seed=1), batch_size=5, verbose=0)
    return model


# ---------------------------------------------------------------------------------------------------------------------
# Building
# ---------------------------------------------------------------------------------------------------------------------
def _by_call(model: Any) -> None:
    model(numbers(7, 5))


def _by_fit(model: Any) -> None:
    model.compile("sgd", "mse")
    model.fit(numbers(7, 5), numbers(7, 2), verbose=0)


def _by_predict(model: Any) -> None:
    model.predict(numbers(7, 5), verbose=0)


def _by_symbol(model: Any) -> None:
    model(nabi.Input((5,)))


@pytest.mark.parametrize("build", [_by_call, _by_fit, _by_predict, _by_symbol])
def test_weights_are_made_by_the_first_use(build: Any) -> None:
    model = Net()
    assert not model.built and model.weights == []
    with pytest.raises(ValueError, match="isn't built"):
        model.count_params()
    build(model)
    assert model.built
    assert [w.path for w in model.weights[:7]] == [
        "net/block/dense/kernel",
        "net/block/dense/bias",
        "net/block/batch_normalization/gamma",
        "net/block/batch_normalization/beta",
        "net/block/batch_normalization/moving_mean",
        "net/block/batch_normalization/moving_variance",
        "net/block/dense_1/kernel",
    ]
    assert model.count_params() == (5 * 3 + 3 + 12 + 9) + (9 + 3 + 12 + 9) + (12 + 4) + (8 + 2)
    assert [layer.name for layer in model.layers] == ["block", "block_1", "head"]
    assert [w.path for w in model.head.weights][0] == "net/head/dense_4/kernel"


def test_own_build_and_declared_shape() -> None:
    class Scale(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.factor = self.add_weight(shape=input_shape[-1:], initializer="ones", name="factor")

        def call(self, x: Any) -> Any:
            return x * self.factor

    class Scaled(Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.scale = Scale()

        def build(self, input_shape: Any) -> None:
            self.scale.build(input_shape)
            self.shift = self.add_weight(shape=(), initializer="zeros", name="shift")

        def call(self, x: Any) -> Any:
            return self.scale(x) + self.shift

    model = Scaled()
    model.build((None, 4))
    assert model.built and model.count_params() == 5
    assert model.get_build_config() == {"input_shape": (None, 4)}
    np.testing.assert_array_equal(model.predict(numbers(3, 4), verbose=0), numbers(3, 4))


def test_summary_of_a_built_subclass() -> None:
    model, lines = trained(), []
    model.summary(print_fn=lines.append, expand_nested=True)
    text = lines[0]
    for wanted in ("block (Block)", "head (Sequential)", "Total params: ", "Optimizer params: "):
        assert wanted in text
    assert "83" not in text  # shapes that were not known stay None
    assert model.blocks[0].steps[0].get_build_config() == {"input_shape": (None, 5)}
    before: list[str] = []
    Net().summary(print_fn=before.append)
    assert "(unbuilt)" in before[0] and "Total params: 0" in before[0]


def test_free_axes_stay_free_in_build_configs() -> None:
    class PerStep(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(83)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    layer = PerStep()
    x = nabi.Input((None, 83))
    assert layer(x).shape == (None, None, 83)
    assert layer.dense.get_build_config() == {"input_shape": (None, None, 83)}


# ---------------------------------------------------------------------------------------------------------------------
# Arguments
# ---------------------------------------------------------------------------------------------------------------------
def test_training_reaches_nested_layers() -> None:
    model = Net(depth=1)
    x = numbers(64, 5)
    still = model(x)
    np.testing.assert_array_equal(still, model(x, training=False))
    np.testing.assert_array_equal(still, model.predict(x, verbose=0, batch_size=64))
    assert np.abs(np.asarray(model(x, training=True)) - np.asarray(still)).max() > 0


def test_masks_are_given_to_call() -> None:
    class Masked(Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.hide = Hide()
            self.total = Total()

        def call(self, x: Any) -> Any:
            return self.total(self.hide(x))

    class Hide(layers.Layer):
        def call(self, x: Any) -> Any:
            return x * 1.0

        def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
            return ops.greater(inputs[:, :, 0], 0.0)

    class Total(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.supports_masking = True

        def call(self, x: Any, mask: Any = None) -> Any:
            return ops.sum(x * ops.expand_dims(ops.cast(mask, "float32"), -1), axis=1)

    x = numbers(4, 6, 2)
    wanted = (x * (x[:, :, :1] > 0)).sum(1)
    np.testing.assert_allclose(Masked().predict(x, verbose=0), wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(Masked()(x), wanted, rtol=1e-5, atol=1e-6)


def test_dicts_in_and_out() -> None:
    class Two(Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(2)

        def call(self, inputs: Any, training: bool = False) -> Any:
            return {"sum": self.dense(inputs["a"]) + self.dense(inputs["b"]), "same": inputs["a"]}

    model = Two()
    model.compile("sgd", {"sum": "mse"})
    data = {"a": numbers(8, 4), "b": numbers(8, 4, seed=1)}
    assert model.fit(data, {"sum": numbers(8, 2)}, verbose=0).history["loss"][0] > 0
    found = model.predict(data, verbose=0)
    assert sorted(found) == ["same", "sum"]
    np.testing.assert_array_equal(found["same"], data["a"])
    read = model_from_json(model.to_json(), {"Two": Two})
    assert read.count_params() == 10


def test_layers_in_functional_models() -> None:
    x = nabi.Input((5,))
    model = Model(x, Block(3)(x))
    assert model.output_shape == (None, 3)
    assert [w.path for w in model.weights][0] == "block/dense/kernel"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read = model_from_json(model.to_json(), KNOWN)
    assert [w.name for w in read.weights] == [w.name for w in model.weights]
    read.set_weights(model.get_weights())
    data = numbers(6, 5)
    np.testing.assert_array_equal(read.predict(data, verbose=0), model.predict(data, verbose=0))


def test_subclassed_model_inside_a_functional_one_keeps_its_calls() -> None:
    inner, x = Net(name="inner"), nabi.Input((2,), name="x")
    model = Model(x, inner(inner(x)))
    read = model_from_json(model.to_json(), KNOWN)
    read.set_weights(model.get_weights())
    data = numbers(4, 2)
    np.testing.assert_array_equal(read.predict(data, verbose=0), model.predict(data, verbose=0))
    assert read.get_config()["output_layers"] == ["inner", 1, 0]


# ---------------------------------------------------------------------------------------------------------------------
# Switches
# ---------------------------------------------------------------------------------------------------------------------
def test_frozen_parts_do_not_learn_until_compiled_again() -> None:
    model = trained()
    x, y = numbers(12, 5), numbers(12, 2, seed=1)
    model.blocks[0].trainable = False
    assert len(model.trainable_weights) == 9
    model.compile("sgd", "mse")
    frozen, free = model.blocks[0].steps[0].get_weights()[0], model.head.get_weights()[0]
    model.fit(x, y, verbose=0)
    np.testing.assert_array_equal(model.blocks[0].steps[0].get_weights()[0], frozen)
    assert np.abs(model.head.get_weights()[0] - free).max() > 0
    model.blocks[0].trainable = True
    model.compile("sgd", "mse")
    model.fit(x, y, verbose=0)
    assert np.abs(model.blocks[0].steps[0].get_weights()[0] - frozen).max() > 0


# ---------------------------------------------------------------------------------------------------------------------
# Configs and copies
# ---------------------------------------------------------------------------------------------------------------------
def test_configs() -> None:
    model = trained(units=4, name="net4")
    config = model.get_config()
    assert (config["units"], config["depth"], config["name"]) == (4, 2, "net4")
    assert Net.from_config(config).name == "net4"
    read = model_from_json(model.to_json(), custom_objects=KNOWN)
    assert read.built and read.compiled and read.optimizer.built
    read.set_weights(model.get_weights())
    x = numbers(6, 5)
    np.testing.assert_array_equal(read.predict(x, verbose=0), model.predict(x, verbose=0))
    assert clone_model(model).count_params() == model.count_params()
    with pytest.raises(ValueError, match="are only supported for Sequential models or Functional models"):
        clone_model(model, clone_function=lambda layer: layer)
    with pytest.raises(TypeError, match="Could not locate class 'Net'"):
        model_from_json(model.to_json())


def test_configs_that_need_get_config() -> None:
    class Held(Model):  # type: ignore[misc]
        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.layer = layer

    with pytest.raises(NotImplementedError, match="must override `get_config\\(\\)`"):
        Held(layers.Dense(2)).to_json()
    with pytest.raises(TypeError, match="Unable to revive model from config"):
        Net.from_config({"unknown": 1, "units": 2})


def test_own_compile_is_left_to_its_owner() -> None:
    class Own(Net):
        def compile(self, speed: float = 0.1) -> None:
            super().compile(nabi.optimizers.SGD(speed), "mse")

    model = Own()
    model.compile(0.2)
    model(numbers(2, 5))
    with pytest.warns(UserWarning, match="`compile\\(\\)` method is custom"):
        clone_model(model)


@pytest.mark.parametrize("how", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
def test_copies(how: Any) -> None:
    model = trained()
    made = how(model)
    x, y = numbers(6, 5), numbers(6, 2)
    np.testing.assert_array_equal(made.predict(x, verbose=0), model.predict(x, verbose=0))
    assert made.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    kept = model.get_weights()
    made.fit(x, y, verbose=0)
    for before, after in zip(kept, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert [layer.name for layer in made.layers] == [layer.name for layer in model.layers]
    unbuilt = how(Net())
    assert unbuilt.predict(x, verbose=0).shape == (6, 2)


# ---------------------------------------------------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------------------------------------------------
def test_automatic_names() -> None:
    assert [Net().name, Net().name, Block(2).name] == ["net", "net_1", "block_4"]
    assert [layers.Dense(1).name, layers.Conv2D(1, 1).name, layers.MaxPooling2D().name] == [
        "dense_14",
        "conv2d",
        "max_pooling2d",
    ]
    x = nabi.Input((2,))
    assert [Model(x, x + 1.0).name, Model(x, x * 2.0).name, Model(x, x, name="own").name] == [
        "functional",
        "functional_1",
        "own",
    ]
    nabi.utils.clear_session()
    assert layers.Dense(1).name == "dense"
