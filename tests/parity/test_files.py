"""Weights files: what Nabi writes Keras loads, and the other way, with the optimizer's state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from parity.pair import Array, close, keras, nabi, numbers, pair, same_weights


def _mlp(side: Any) -> Any:
    layers = side.layers
    return side.Sequential([side.Input(shape=(5,)), layers.Dense(4, activation="relu", name="first"), layers.Dense(2)])


def _cnn(side: Any) -> Any:
    layers = side.layers
    return side.Sequential(
        [
            side.Input(shape=(8, 7, 2)),
            layers.Rescaling(0.5),
            layers.Conv2D(4, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Conv2D(3, 2, use_bias=False),
            layers.BatchNormalization(center=False),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]
    )


def _branches(side: Any) -> Any:
    layers = side.layers
    a, b = side.Input(shape=(5,), name="a"), side.Input(shape=(3,), name="b")
    left = layers.Dense(4, name="zebra")(a)
    right = layers.Dense(4, name="ape")(b)
    joined = layers.Concatenate()([layers.Add()([left, right]), right])
    return side.Model([a, b], layers.Dense(2)(joined))


def _chain(side: Any) -> Any:
    inputs = side.Input(shape=(5,))
    x = side.layers.Dense(4, activation="tanh")(inputs)
    x = side.layers.BatchNormalization()(x)
    return side.Model(inputs, side.layers.Dense(2)(x))


def _nested(side: Any) -> Any:
    # No bias before the batch norm: its gradient is rounding noise, which Adam would make steps of.
    inner = side.Sequential(
        [side.Input(shape=(5,)), side.layers.Dense(4, use_bias=False), side.layers.BatchNormalization()]
    )
    return side.Sequential([side.Input(shape=(5,)), inner, side.layers.Dense(2)])


MODELS = {"mlp": _mlp, "cnn": _cnn, "branches": _branches, "chain": _chain, "nested": _nested}
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "sgd": ("SGD", {}),
    "momentum": ("SGD", {"momentum": 0.9}),
    "adam": ("Adam", {}),
    "amsgrad": ("Adam", {"amsgrad": True}),
    "rmsprop": ("RMSprop", {"centered": True, "momentum": 0.5}),
}
CASES = [(name, "adam") for name in MODELS] + [("mlp", name) for name in OPTIMIZERS if name != "adam"]


def _data(model: Any) -> tuple[Any, Array]:
    x = [numbers(6, *t.shape[1:], seed=i) for i, t in enumerate(model.inputs)]
    return (x if len(x) > 1 else x[0]), numbers(6, 2, seed=9)


def _compile(side: Any, model: Any, optimizer: str) -> None:
    name, arguments = OPTIMIZERS[optimizer]
    model.compile(getattr(side.optimizers, name)(learning_rate=0.02, **arguments), "mse")


def _content(path: Path) -> dict[str, Any]:
    """All groups, datasets (shape, dtype, value) and attributes of a file."""
    found: dict[str, Any] = {}

    def visit(name: str, thing: Any) -> None:
        attributes = {key: str(value) for key, value in thing.attrs.items()}
        found[name] = (
            attributes,
            None if isinstance(thing, h5py.Group) else (thing.shape, str(thing.dtype), thing[()]),
        )

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


@pytest.mark.parametrize(("name", "optimizer"), CASES)
def test_weights_files(name: str, optimizer: str, tmp_path: Path) -> None:
    theirs, ours = pair(MODELS[name])
    x, y = _data(theirs)
    for side, model in ((keras, theirs), (nabi, ours)):
        _compile(side, model, optimizer)
        if any(isinstance(layer, side.layers.Dropout) for layer in model.layers):
            model.optimizer.build(model.trainable_variables)  # dropout draws other numbers: no step
        else:
            model.fit(x, y, batch_size=3, verbose=0, shuffle=False)
    same_weights(theirs, ours)
    files = {side: tmp_path / f"{side.__name__}.weights.h5" for side in (keras, nabi)}
    theirs.save_weights(str(files[keras]))
    ours.save_weights(files[nabi])

    wanted, found = _content(files[keras]), _content(files[nabi])
    assert list(found) == list(wanted)
    for key, (attributes, data) in wanted.items():
        assert found[key][0] == attributes, key
        if data is not None:
            assert found[key][1][:2] == data[:2], key
            np.testing.assert_allclose(found[key][1][2], data[2], rtol=1e-3, atol=1e-5, err_msg=key)

    for side, other, source in ((keras, nabi, ours), (nabi, keras, theirs)):
        target = MODELS[name](side)
        _compile(side, target, optimizer)
        target.optimizer.build(target.trainable_variables)  # without slots, the file's optimizer state is left out
        target.load_weights(str(files[other]))
        for a, b in zip(target.get_weights(), source.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
        close(np.asarray(target.predict(x, verbose=0)), np.asarray(source.predict(x, verbose=0)), 1e-5)
        assert len(target.optimizer.variables) == len(source.optimizer.variables)
        for a, b in zip(target.optimizer.variables, source.optimizer.variables, strict=True):
            np.testing.assert_array_equal(np.asarray(a), np.asarray(b), err_msg=a.path)


def test_training_goes_on_from_a_file_of_keras(tmp_path: Path) -> None:
    """Two epochs in Keras equal one in Keras, a file, and one in Nabi."""
    theirs, ours = pair(_chain)
    x, y = _data(theirs)
    _compile(keras, theirs, "adam")
    _compile(nabi, ours, "adam")
    fit = {"batch_size": 4, "verbose": 0, "shuffle": False}
    theirs.fit(x, y, **fit)
    theirs.save_weights(str(tmp_path / "k.weights.h5"))
    ours.load_weights(tmp_path / "k.weights.h5")
    wanted = theirs.fit(x, y, **fit).history
    found = ours.fit(x, y, **fit).history
    np.testing.assert_allclose(found["loss"], wanted["loss"], rtol=1e-4)
    same_weights(theirs, ours)


def test_both_refuse_a_file_of_another_model(tmp_path: Path) -> None:
    path = str(tmp_path / "a.weights.h5")
    _mlp(keras).save_weights(path)
    for side in (keras, nabi):
        with pytest.raises(ValueError):
            _cnn(side).load_weights(path)
        with pytest.raises(ValueError):
            _mlp(side).save_weights(str(tmp_path / "a.h5"))
        with pytest.raises(Exception):  # noqa: PT011
            _mlp(side).load_weights(str(tmp_path / "absent.weights.h5"))
        changed = side.Sequential([side.Input(shape=(5,)), side.layers.Dense(4), side.layers.Dense(3)])
        before = changed.get_weights()
        changed.load_weights(path, skip_mismatch=True)
        assert [np.array_equal(a, b) for a, b in zip(before, changed.get_weights(), strict=True)][2:] == [True, True]
        assert not np.array_equal(before[0], changed.get_weights()[0])
