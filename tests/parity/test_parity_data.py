"""Every way of feeding a training: hooks, histories and weights equal Keras's, for each kind of data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from parity.pair import Array, keras, nabi, numbers, pair, same_weights

ROWS, SIZE = 44, 11
X = numbers(ROWS, 4, seed=1)
Y = X @ numbers(4, 1, seed=2)
WEIGHTS = np.random.default_rng(3).uniform(0.2, 2.0, ROWS).astype("float32")


def batch(i: int, size: int = SIZE) -> tuple[Array, Array]:
    rows = np.arange(i * size, (i + 1) * size) % ROWS
    return X[rows], Y[rows]


def endless(form: Callable[[int], Any] = batch) -> Iterator[Any]:
    i = 0
    while True:
        yield form(i)
        i += 1


def dataset(side: Any, number: int | None = 4, form: Callable[[int], Any] = batch, **settings: Any) -> Any:
    class Data(side.utils.PyDataset):  # type: ignore[misc, name-defined]
        @property
        def num_batches(self) -> int | None:
            return number

        def __getitem__(self, i: int) -> Any:
            return form(i)

    return Data(**settings)


def note(side: Any) -> Any:
    """A callback that lists each hook with its number and the keys of its logs."""

    class Note(side.callbacks.Callback):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[Any] = []

    def hook(name: str) -> Callable[..., None]:
        def called(self: Any, *args: Any, logs: Any = None) -> None:
            args, logs = (args[:-1], args[-1]) if args and isinstance(args[-1], dict) else (args, logs)
            self.seen.append((name, *args, sorted(logs or {})))

        return called

    for kind in ("train", "test", "predict"):
        for when in ("begin", "end", "batch_begin", "batch_end"):
            setattr(Note, f"on_{kind}_{when}", hook(f"on_{kind}_{when}"))
    for when in ("begin", "end"):
        setattr(Note, f"on_epoch_{when}", hook(f"on_epoch_{when}"))
    return Note()


def _model(side: Any) -> Any:
    return side.Sequential([side.Input((4,)), side.layers.Dense(5, activation="tanh"), side.layers.Dense(1)])


FITS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "arrays": lambda side: {"x": X, "y": Y, "batch_size": 16},
    "arrays, steps": lambda side: {"x": X, "y": Y, "batch_size": SIZE, "steps_per_epoch": 3, "epochs": 3},
    "arrays, steps that divide": lambda side: {"x": X, "y": Y, "batch_size": SIZE, "steps_per_epoch": 2, "epochs": 4},
    "arrays, too many steps": lambda side: {"x": X, "y": Y, "batch_size": SIZE, "steps_per_epoch": 6},
    "arrays, size from steps": lambda side: {"x": X, "y": Y, "steps_per_epoch": 3},
    "arrays, weights": lambda side: {"x": X, "y": Y, "batch_size": 16, "sample_weight": WEIGHTS},
    "split": lambda side: {"x": X, "y": Y, "batch_size": 8, "validation_split": 0.3},
    "validation size": lambda side: {"x": X, "y": Y, "validation_data": (X, Y), "validation_batch_size": 10},
    "validation steps": lambda side: {
        "x": X,
        "y": Y,
        "validation_data": (X, Y, WEIGHTS),
        "validation_batch_size": 10,
        "validation_steps": 2,
    },
    "validation now and then": lambda side: {
        "x": X,
        "y": Y,
        "epochs": 5,
        "initial_epoch": 1,
        "validation_freq": 2,
        "validation_data": (X, Y),
    },
    "validation in epochs": lambda side: {
        "x": X,
        "y": Y,
        "epochs": 4,
        "validation_freq": [1, 4],
        "validation_data": (X, Y),
    },
    "validation by a PyDataset": lambda side: {
        "x": X,
        "y": Y,
        "validation_data": dataset(side, 3),
        "validation_steps": 2,
    },
    "generator": lambda side: {"x": endless(), "steps_per_epoch": 5, "epochs": 3},
    "generator, weights": lambda side: {"x": endless(lambda i: (*batch(i), WEIGHTS[:SIZE])), "steps_per_epoch": 5},
    "generator, shapes that change": lambda side: {
        "x": endless(lambda i: batch(i, 3 + i % 4)),
        "steps_per_epoch": 6,
        "validation_data": (X, Y),
    },
    "generator and PyDataset": lambda side: {"x": endless(), "steps_per_epoch": 3, "validation_data": dataset(side)},
    "PyDataset": lambda side: {"x": dataset(side), "epochs": 3},
    "PyDataset, ragged": lambda side: {"x": dataset(side, 3, lambda i: batch(i, 9 if i == 2 else 16))},
    "PyDataset, steps": lambda side: {"x": dataset(side), "steps_per_epoch": 3, "epochs": 3},
    "PyDataset, too many steps": lambda side: {"x": dataset(side), "steps_per_epoch": 6},
    "PyDataset without end": lambda side: {"x": dataset(side, None), "steps_per_epoch": 3, "epochs": 3},
    "PyDataset, lists": lambda side: {"x": dataset(side, form=lambda i: list(batch(i)))},
}


@pytest.mark.parametrize("kind", FITS)
def test_fit(kind: str) -> None:
    theirs, ours = pair(_model)
    histories, events = [], []
    for side, model in ((keras, theirs), (nabi, ours)):
        model.compile(optimizer="sgd", loss="mse", metrics=["mae"], weighted_metrics=["mae"])
        notes = note(side)
        arguments = {"epochs": 2, "shuffle": False, "verbose": 0, "callbacks": [notes]} | FITS[kind](side)
        histories.append(model.fit(**arguments))
        events.append(notes.seen)
    assert histories[1].epoch == histories[0].epoch
    assert list(histories[1].history) == list(histories[0].history)
    for key, values in histories[0].history.items():
        np.testing.assert_allclose(histories[1].history[key], values, rtol=1e-3, atol=1e-6, err_msg=key)
    assert events[1] == events[0]
    same_weights(theirs, ours)


def test_class_weight_of_a_py_dataset() -> None:
    def make(side: Any) -> Any:
        return side.Sequential([side.Input((4,)), side.layers.Dense(3, activation="softmax")])

    labels = np.arange(SIZE) % 3
    theirs, ours = pair(make)
    for one_hot in (False, True):
        found = []
        for side, model in ((keras, theirs), (nabi, ours)):
            loss = "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy"
            model.compile("sgd", loss, weighted_metrics=["accuracy"])
            y = np.eye(3, dtype="float32")[labels] if one_hot else labels
            data = dataset(side, 4, lambda i, y=y: (batch(i)[0], y))  # type: ignore[misc]
            history = model.fit(data, shuffle=False, epochs=2, verbose=0, class_weight={0: 2.0, 1: 0.5})
            found.append(history.history)
        for key, values in found[0].items():
            np.testing.assert_allclose(found[1][key], values, rtol=1e-4, err_msg=key)
        same_weights(theirs, ours)


@pytest.mark.parametrize("steps", [None, 2])
def test_evaluate_and_predict(steps: int | None) -> None:
    theirs, ours = pair(_model)
    found = []
    for side, model in ((keras, theirs), (nabi, ours)):
        model.compile("sgd", "mse", metrics=["mae"])
        results = []
        for make in (lambda side=side: dataset(side), lambda side=side: dataset(side, workers=2)):
            results.append(model.evaluate(make(), steps=steps, verbose=0))
            results.append(model.predict(make(), steps=steps, verbose=0))
        results.append(model.evaluate(endless(), steps=3, verbose=0, return_dict=True))
        results.append(model.predict(endless(lambda i: (batch(i)[0],)), steps=3, verbose=0))
        results.append(model.predict(X, batch_size=10, steps=steps, verbose=0))
        found.append(results)
    for a, b in zip(*found, strict=True):
        assert type(a) is type(b)
        if isinstance(a, dict):
            assert list(a) == list(b)
            a, b = list(a.values()), list(b.values())
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)


def _two(side: Any) -> Any:
    a, b = side.Input((4,), name="a"), side.Input((2,), name="b")
    joined = side.layers.Concatenate()([a, b])
    outputs = {"p": side.layers.Dense(1, name="p")(joined), "q": side.layers.Dense(2, name="q")(joined)}
    return side.Model({"a": a, "b": b}, outputs)


def _two_data(rows: Any) -> tuple[Any, Any, Any]:
    x = {"a": X[rows], "b": X[rows, :2] * 2.0}
    return x, {"q": X[rows, 2:], "p": Y[rows]}, {"p": WEIGHTS[rows], "q": WEIGHTS[rows][::-1]}


@pytest.mark.parametrize("kind", ["arrays", "weights", "generator", "PyDataset", "PyDataset, weights", "more keys"])
def test_dicts(kind: str) -> None:
    theirs, ours = pair(_two)
    found = []
    for side, model in ((keras, theirs), (nabi, ours)):
        model.compile("sgd", {"p": "mse", "q": "mae"}, loss_weights={"p": 1.0, "q": 0.5})

        def part(i: int, weights: bool = False) -> Any:
            return _two_data(np.arange(i * SIZE, (i + 1) * SIZE) % ROWS)[: 3 if weights else 2]

        x, y, w = _two_data(np.arange(ROWS))
        arguments: dict[str, Any] = {
            "arrays": {"x": x, "y": y, "batch_size": SIZE},
            "weights": {"x": x, "y": y, "sample_weight": w, "batch_size": SIZE},
            "generator": {"x": endless(part), "steps_per_epoch": 4},
            "PyDataset": {"x": dataset(side, 4, part)},
            "PyDataset, weights": {"x": dataset(side, 4, lambda i: part(i, True))},  # noqa: B023
            "more keys": {"x": {**x, "zz": X}, "y": y, "batch_size": SIZE},
        }[kind]
        found.append(model.fit(epochs=2, shuffle=False, verbose=0, **arguments).history)
    assert list(found[0]) == list(found[1])
    for key, values in found[0].items():
        np.testing.assert_allclose(found[1][key], values, rtol=1e-4, err_msg=key)
    same_weights(theirs, ours)


def test_tables() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": X[:, 0], "b": X[:, 1].astype("float64"), "c": np.arange(ROWS) % 5, "d": X[:, 3] > 0})
    frame.index = np.arange(ROWS)[::-1]
    theirs, ours = pair(_model)
    found = []
    for model in (theirs, ours):
        model.compile("sgd", "mse")
        history = model.fit(
            frame.astype("float32"), frame["a"], batch_size=16, shuffle=False, verbose=0, validation_split=0.25
        ).history
        found.append([history["loss"], history["val_loss"], model.predict(frame.astype("float64"), verbose=0)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6)
    same_weights(theirs, ours)


ERRORS: dict[str, Callable[[Any, Any], Any]] = {
    "cardinality": lambda side, model: model.fit(X, Y[:5], verbose=0),
    "generator y": lambda side, model: model.fit(endless(), Y),
    "generator weights": lambda side, model: model.fit(endless(), sample_weight=WEIGHTS),
    "generator class weight": lambda side, model: model.fit(endless(), class_weight={0: 1.0}),
    "generator empty": lambda side, model: model.fit(x for x in ()),
    "PyDataset y": lambda side, model: model.fit(dataset(side), Y),
    "PyDataset batch": lambda side, model: model.fit(dataset(side, 4, lambda i: "abc"), verbose=0),
    "both weights": lambda side, model: model.fit(
        dataset(side, 4, lambda i: (*batch(i), WEIGHTS[:SIZE])), class_weight={0: 1.0}, verbose=0
    ),
    "both weights, arrays": lambda side, model: model.fit(X, Y, class_weight={0: 1.0}, sample_weight=WEIGHTS),
    "list": lambda side, model: model.fit([1, 2], [3, 4]),
    "split too far": lambda side, model: model.fit(X, Y, validation_split=0.999),
    "user's own": lambda side, model: model.fit(dataset(side, 4, lambda i: [batch(0)][i]), shuffle=False, verbose=0),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_errors(kind: str) -> None:
    theirs, ours = pair(_model)
    found = []
    for side, model in ((keras, theirs), (nabi, ours)):
        model.compile("sgd", "mse")
        with pytest.raises(Exception) as caught:  # noqa: PT011
            ERRORS[kind](side, model)
        found.append((caught.type, str(caught.value)))
    assert found[1] == found[0]
