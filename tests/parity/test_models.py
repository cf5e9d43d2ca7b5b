"""Models in JSON: what Nabi writes Keras makes a model of, and the other way; the layouts are the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.pair import close, keras, nabi, numbers, pair
from parity.test_configs import _plain

SHARED = {"shared_object_id"}


def _stack(side: Any) -> Any:
    layers = side.layers
    return side.Sequential(
        [side.Input(shape=(4,)), layers.Dense(3, activation="relu", name="first"), layers.BatchNormalization()],
        name="stack",
    )


def _late(side: Any) -> Any:
    model = side.Sequential([side.layers.Dense(3), side.layers.Dense(2)])
    model.build((None, 4))
    return model


def _operators(side: Any) -> Any:
    ops, layers = side.ops, side.layers
    a, b = side.Input(shape=(4,), name="a"), side.Input(shape=(4,), name="b")
    dense = layers.Dense(3, name="shared")
    x = ops.concatenate([dense(a), dense(b)], axis=-1) * 2.0 + 1.0
    x = ops.relu(x)[:, 1:]
    y = ops.mean(ops.reshape(x, (-1, 5)), axis=-1, keepdims=True)
    z = ops.clip(1.0 - ops.expand_dims(ops.leaky_relu(y, negative_slope=0.1), 1), -0.5, 0.5)
    return side.Model({"a": a, "b": b}, [x, ops.squeeze(z, axis=1)])


def _nested(side: Any) -> Any:
    layers = side.layers
    a = side.Input(shape=(4,))
    inner = side.Model(a, layers.Dense(4, name="d")(a), name="inner")
    stack = side.Sequential([side.Input(shape=(4,)), layers.Dense(4)], name="stack")
    x = side.Input(shape=(4,), name="x")
    return side.Model(x, inner(stack(inner(x))))


def _branches(side: Any) -> Any:
    layers = side.layers
    x = side.Input(shape=(4,), name="x")
    hidden = layers.Dense(4, activation="relu")(x)
    joined = layers.Concatenate()([layers.Add()([x, hidden]), hidden])
    return side.Model(x, {"one": layers.Dense(2, name="one")(joined), "two": layers.Dense(1, name="two")(hidden)})


MODELS: list[Callable[[Any], Any]] = [_stack, _late, _operators, _nested, _branches]


def _comparable(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _comparable(value) for key, value in config.items() if key not in SHARED}
    return [_comparable(value) for value in config] if isinstance(config, (list, tuple)) else config


def _inputs(model: Any) -> Any:
    count = len(model.inputs)
    found = [numbers(5, 4, seed=i) for i in range(count)]
    return found[0] if count == 1 else dict(zip("ab", found, strict=True))


def _same_outputs(one: Any, other: Any, x: Any) -> None:
    found, wanted = (model.predict(x, verbose=0) for model in (one, other))
    assert type(found) is type(wanted)
    for a, b in zip(nabi.tree.flatten(found), nabi.tree.flatten(wanted), strict=True):
        close(a, b, 1e-5)


def _without_masks(config: Any) -> Any:
    """Keras notes the mask that it passes to an inner model among the call's arguments."""
    if isinstance(config, dict):
        if config.get("kwargs") == {"mask": None}:
            config = {**config, "kwargs": {}}
        return {key: _without_masks(value) for key, value in config.items()}
    return [_without_masks(value) for value in config] if isinstance(config, list) else config


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__[1:])
def test_same_layout(make: Callable[[Any], Any]) -> None:
    theirs, ours = make(keras), make(nabi)
    wanted, found = (_plain(json.loads(model.to_json())) for model in (theirs, ours))
    assert _comparable(found) == _without_masks(_comparable(wanted))


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__[1:])
def test_keras_reads_ours_and_we_read_theirs(make: Callable[[Any], Any]) -> None:
    theirs, ours = pair(make)
    x = _inputs(ours)
    _same_outputs(theirs, ours, x)
    read = keras.models.model_from_json(ours.to_json())
    read.set_weights(ours.get_weights())
    _same_outputs(read, ours, x)
    read = nabi.models.model_from_json(theirs.to_json())
    read.set_weights(theirs.get_weights())
    _same_outputs(read, ours, x)
    assert [layer.name for layer in read.layers] == [layer.name for layer in ours.layers]


@pytest.mark.parametrize("loss", ["mse", "function", "object"])
def test_compiled_models(loss: str) -> None:
    def make(side: Any) -> Any:
        model = _stack(side)
        chosen = {"function": side.losses.mean_squared_error, "object": side.losses.MeanAbsoluteError()}.get(loss, loss)
        schedule = side.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
        model.compile(side.optimizers.SGD(schedule, momentum=0.5), chosen, metrics=["mae"])
        return model

    theirs, ours = pair(make)
    wanted, found = (_plain(model.get_compile_config()) for model in (theirs, ours))
    for config in (wanted, found):
        config.pop("jit_compile")  # Keras writes what "auto" means on its backend
    assert found == wanted
    x, y = numbers(12, 4), numbers(12, 3, seed=1)
    both = []
    for read in (keras.models.model_from_json(ours.to_json()), nabi.models.model_from_json(theirs.to_json())):
        read.set_weights(ours.get_weights())
        both.append(read.fit(x, y, batch_size=5, epochs=2, shuffle=False, verbose=0).history)
    for name in both[0]:
        np.testing.assert_allclose(both[0][name], both[1][name], rtol=1e-4)


def test_clones() -> None:
    for make in MODELS:
        theirs, ours = (side.models.clone_model(make(side)) for side in (keras, nabi))
        assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
        assert (ours.name, len(ours.layers)) == (theirs.name, len(theirs.layers))


def test_subclassed_models_name_their_weights_alike() -> None:
    def make(side: Any) -> Any:
        class Block(side.layers.Layer):  # type: ignore[misc]
            def __init__(self, units: int, **kwargs: Any) -> None:
                super().__init__(**kwargs)
                self.steps = [side.layers.Dense(units), side.layers.BatchNormalization()]
                self.named = {"last": side.layers.Dense(units, use_bias=False)}

            def call(self, x: Any, training: bool | None = None) -> Any:
                for step in self.steps:
                    x = step(x)
                return self.named["last"](x)

        class Net(side.Model):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.blocks = [Block(4), Block(3)]
                self.out = side.layers.Dense(2)

            def call(self, x: Any, training: bool | None = None) -> Any:
                for block in self.blocks:
                    x = block(x, training=training)
                return self.out(x)

        model = Net()
        model.compile("sgd", "mse")
        model.predict(numbers(6, 4), verbose=0)
        return model

    theirs, ours = pair(make)
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    x, y = numbers(12, 4), numbers(12, 2, seed=1)
    histories = [model.fit(x, y, batch_size=5, epochs=2, shuffle=False, verbose=0).history for model in (theirs, ours)]
    np.testing.assert_allclose(histories[1]["loss"], histories[0]["loss"], rtol=1e-3)
