"""`summary()` prints what Keras prints, with every option and for every kind of model; so do structures of models."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.pair import keras, nabi, numbers

X = numbers(8, 4)


def _nested(side: Any) -> Any:
    layers = side.layers
    inner = side.Sequential([side.Input((4,)), layers.Dense(5), layers.Dense(3)], name="inner")
    inputs = side.Input((4,))
    fun = side.Model(inputs, layers.Dense(4)(inputs), name="fun")
    outputs = side.Input((4,))
    model = side.Model(outputs, layers.Dense(1)(inner(fun(outputs))), name="outer")
    inner.trainable = False
    return model


def _structures(side: Any) -> Any:
    inputs = {"a": side.Input((4,), name="a"), "b": side.Input((3,), name="b")}
    h, g = side.layers.Dense(2)(inputs["a"]), side.layers.Dense(2)(inputs["b"])
    return side.Model(inputs, {"sum": h + g, "list": [h, g]})


def _shared(side: Any) -> Any:
    dense = side.layers.Dense(3, name="shared")
    a, b = side.Input((4,), name="a"), side.Input((4,), name="b")
    return side.Model([a, b], side.layers.Concatenate()([dense(a), dense(b)]))


def _ops(side: Any) -> Any:
    ops, a = side.ops, side.Input((4,), name="a")
    y = ops.relu(a) * 2 + 1
    joined = ops.concatenate([y[:, :2], ops.mean(a, axis=-1, keepdims=True)], axis=-1)
    return side.Model(a, ops.layer_normalization(joined), name="m")


def _subclass(side: Any) -> Any:
    class Mine(side.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.stack = [side.layers.Dense(4, activation="relu") for _ in range(2)]
            self.heads = {"o": side.layers.Dense(1), "unused": side.layers.Dense(2)}

        def call(self, x: Any) -> Any:
            for layer in self.stack:
                x = layer(x)
            return self.heads["o"](x)

    return Mine()


def _called(side: Any) -> Any:
    model = _subclass(side)
    model(X)
    return model


def _mixed(side: Any) -> Any:
    inputs = side.Input((4,))
    return side.Model(inputs, side.layers.Dense(2)(_subclass(side)(inputs)))


def _empty(side: Any) -> Any:
    return side.Sequential()


def _popped(side: Any) -> Any:
    model = side.Sequential([side.Input((4,)), side.layers.Dense(5), side.layers.Dense(3)])
    model.compile("sgd", "mse")
    model.pop()
    model.add(side.layers.Dense(1))
    return model


MODELS = [_nested, _structures, _shared, _ops, _subclass, _called, _mixed, _empty, _popped]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"expand_nested": True},
    {"expand_nested": True, "show_trainable": True},
    {"line_length": 60},
    {"line_length": 116, "show_trainable": True},
    {"positions": [0.3, 0.6, 0.8, 1.0]},
]


def _text(model: Any, **arguments: Any) -> str:
    seen: list[str] = []
    model.summary(print_fn=lambda text, **_: seen.append(text), **arguments)
    assert len(seen) == 1
    return seen[0]


@pytest.mark.parametrize("make", MODELS)
def test_summary(make: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    models = [make(side) for side in (keras, nabi)]
    for options in OPTIONS:
        wanted, found = (_text(model, **options) for model in models)
        assert found == wanted, options


@pytest.mark.parametrize("names", [("fun", "inner"), ("inner", "fun"), ("outer.*|fun", "dense"), ("fun", "fun")])
def test_layer_range(names: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    wanted, found = (_text(_nested(side), layer_range=names) for side in (keras, nabi))
    assert found == wanted


def _raised(call: Callable[[], Any]) -> tuple[str, str]:
    try:
        call()
    except Exception as error:
        return type(error).__name__, str(error)
    return "", ""


def test_errors_before_building() -> None:
    """What cannot be told yet is told in the same words."""
    seen = []
    for side in (keras, nabi):
        empty, later, mine = side.Sequential(), side.Sequential([side.layers.Dense(2)]), _subclass(side)
        calls: list[Callable[[], Any]] = [
            side.layers.Dense(2).count_params,
            empty.count_params,
            later.count_params,
            mine.count_params,
            lambda empty=empty: empty.build((None, 3)),  # type: ignore[misc]
            lambda mine=mine: mine.input,  # type: ignore[misc]
            lambda side=side: _text(_nested(side), layer_range=["fun"]),  # type: ignore[misc]
            lambda side=side: _text(_nested(side), layer_range=["nothing", "fun"]),  # type: ignore[misc]
            lambda side=side: _text(_nested(side), layer_range=[1, 2]),  # type: ignore[misc]
            lambda side=side: _text(_nested(side), line_length=20),  # type: ignore[misc]
            lambda side=side: side.layers.Dense(2, name="a/b"),  # type: ignore[misc]
        ]
        seen.append([_raised(call) for call in calls])
    assert seen[1] == seen[0]


def test_structures() -> None:
    models = [_structures(side) for side in (keras, nabi)]
    assert models[1].input_shape == models[0].input_shape and models[1].output_shape == models[0].output_shape
    assert models[1].output_names == models[0].output_names
    models[1].set_weights(models[0].get_weights())
    data = {"b": X[:, :3], "a": X, "more": X}
    wanted, found = (model.predict(data, verbose=0) for model in models)
    assert set(found) == set(wanted) and isinstance(found["list"], list)
    np.testing.assert_allclose(found["sum"], wanted["sum"], rtol=1e-5, atol=1e-6)
    wanted, found = (model(data) for model in models)
    np.testing.assert_allclose(found["list"][1], np.asarray(wanted["list"][1]), rtol=1e-5, atol=1e-6)
    listed = [side.Model([(i := side.Input((4,)))], [side.layers.Dense(2)(i)]) for side in (keras, nabi)]
    assert isinstance(listed[1](X), np.ndarray) and listed[1].output_shape == listed[0].output_shape == (None, 2)
