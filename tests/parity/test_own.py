"""A model of parts that a user wrote, the same code in both libraries: the same histories, hooks and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.own import own_model, parts
from parity.pair import keras, nabi, numbers

X = numbers(43, 4, seed=1)
Y = X @ numbers(4, 2, seed=2)
WEIGHTS = np.random.default_rng(3).uniform(0.2, 2, 43).astype("float32")


def _run(side: Any, hooks: bool) -> dict[str, Any]:
    own = parts(side)
    model = own_model(side, own, 4, 2)
    recorder = own["Recorder"]()
    callbacks = [recorder] if hooks else []
    arguments = {"batch_size": 8, "verbose": 0, "callbacks": callbacks}
    fit = model.fit(X, Y, epochs=3, shuffle=False, validation_split=0.25, sample_weight=WEIGHTS, **arguments)
    return {
        "history": fit.history,
        "evaluate": model.evaluate(X, Y, return_dict=True, **arguments),
        "predict": model.predict(X, **arguments),
        "weights": {w.path: np.asarray(w) for w in model.weights},
        "slots": {v.path: np.asarray(v) for v in model.optimizer.variables},
        "seen": recorder.seen,
        "names": [[m.name for m in model.metrics], model.metrics_names],
    }


def _same(found: Any, wanted: Any, name: str) -> None:
    assert type(found) is type(wanted) or np.ndim(wanted) == 0, name
    if isinstance(wanted, dict):
        assert list(found) == list(wanted), name
        for key, value in wanted.items():
            _same(found[key], value, f"{name} {key}")
    elif isinstance(wanted, (list, tuple)):
        assert len(found) == len(wanted), name
        for i, value in enumerate(wanted):
            _same(found[i], value, f"{name} {i}")
    elif isinstance(wanted, str) or wanted is None:
        assert found == wanted, name
    else:
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("hooks", [False, True])
def test_own_parts(hooks: bool) -> None:
    wanted, found = _run(keras, hooks), _run(nabi, hooks)
    assert bool(found["seen"]) is hooks
    for name in wanted:
        _same(found[name], wanted[name], name)
