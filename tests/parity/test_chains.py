"""Random trainings in both libraries: predictions, evaluations and histories agree.

Where they do not at once, Keras runs again with inputs changed by one unit in the last place: three times what that
changes in Keras itself is what a difference may be.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, note, settings

from parity.draw import LOSSES, METRICS, OPTIMIZERS, Array, Case, cases, data, make, make_model
from parity.pair import keras, nabi, share_weights

EXAMPLES = int(os.environ.get("NABI_PARITY_EXAMPLES", "20"))
Results = dict[str, Array]


def _run(side: Any, model: Any, case: Case, x: Array) -> Results:
    """All numbers of a training, by name."""
    side.utils.clear_session(free_memory=False)  # metrics are numbered from the start
    _, y, weights = data(case, model.output_shape)
    start = model.get_weights()
    model.compile(
        optimizer=make(side, case.optimizer),
        loss=make(side, case.loss),
        metrics=make(side, case.metrics),
        weighted_metrics=make(side, case.weighted),
    )
    found: Results = {"predict": np.asarray(model.predict(x, batch_size=case.batch, verbose=0))}
    sample_weight = {k: v for k, v in weights.items() if k == "sample_weight"}
    arguments = {"batch_size": case.batch, "verbose": 0}
    for name, value in model.evaluate(x, y, return_dict=True, **arguments, **sample_weight).items():
        found[f"evaluate {name}"] = np.asarray(value)
    history = model.fit(x, y, epochs=2, shuffle=False, **arguments, **weights).history
    for name, values in history.items():
        found[f"fit {name}"] = np.asarray(values)
    for i, value in enumerate(model.get_weights()):
        found[f"weight {i}"] = np.asarray(value)
    trained = model.predict(x, batch_size=case.batch, verbose=0)
    found["predict after"] = np.asarray(trained)
    model.set_weights(start)
    return found


def _excess(found: Results, wanted: Results) -> dict[str, Array]:
    """By how much each number is beyond its tolerance, where one is."""
    assert list(found) == list(wanted)
    wrong = {}
    for name, value in wanted.items():
        assert found[name].shape == value.shape, name
        tolerance = 1e-4 if name == "predict" else 1e-3  # of predictions by the weights put in; of all that was trained
        with np.errstate(invalid="ignore"):
            far = np.abs(found[name] - value) > tolerance * (1 + np.abs(value))
        if (far | (np.isnan(found[name]) != np.isnan(value))).any():
            wrong[name] = found[name] - value
    return wrong


def _sway(model: Any, case: Case, x: Array, wanted: Results) -> Results:
    """How far Keras's own results move when the inputs move by one unit in the last place."""
    found = {name: np.zeros_like(value, dtype=np.float64) for name, value in wanted.items()}
    rng = np.random.default_rng(case.seed)
    for towards in (np.float32(np.inf), np.float32(-np.inf), rng.choice(np.float32([-np.inf, np.inf]), x.shape)):
        moved = np.where(x == 0, x, np.nextafter(x, towards)).astype(np.float32)  # zeros are masks
        for name, value in _run(keras, model, case, moved).items():
            found[name] = np.maximum(found[name], np.abs(np.asarray(value, np.float64) - wanted[name]))
    return found


def _clipped(case: Case, predictions: Array) -> bool:
    """Whether Keras on JAX clips probabilities for the logarithm.

    Nabi computes such losses from the logits, as Keras on TensorFlow does; this is where the two differ.
    """
    probabilities = case.kind in ("one-hot", "labels", "multilabel")
    return probabilities and bool(((predictions < 2e-6) | (predictions > 1 - 2e-6)).any())


def compare(case: Case) -> None:
    """Trains in both libraries and compares all numbers; what Nabi refuses Keras must refuse too."""
    theirs, ours = make_model(keras, case), make_model(nabi, case)
    assert ours.output_shape == theirs.output_shape
    share_weights(theirs, ours, case.seed)
    x, _, _ = data(case, ours.output_shape)
    try:
        found = _run(nabi, ours, case, x)
    except (ValueError, TypeError) as refused:
        note(f"refused: {refused}")
        with pytest.raises(Exception):  # noqa: B017, PT011
            _run(keras, theirs, case, x)
        return
    wanted = _run(keras, theirs, case, x)
    wrong = _excess(found, wanted)
    if not wrong or _clipped(case, wanted["predict after"]) or _clipped(case, wanted["predict"]):
        return
    sway = _sway(theirs, case, x, wanted)
    for name in wrong:
        note(f"{name}: found {found[name]!r}, wanted {wanted[name]!r}, sways by {sway[name]!r}")
    for name, difference in wrong.items():
        assert not np.isnan(found[name]).any() or np.isnan(wanted[name]).any(), name
        allowed = 3 * sway[name].max()  # a kink that is crossed moves its neighbours too
        with np.errstate(invalid="ignore"):
            assert np.nanmax(np.abs(difference), initial=0) <= allowed, name


# Shrinking a case takes hundreds of trainings; the blob that is printed brings it back.
@settings(max_examples=EXAMPLES, print_blob=True, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(case=cases(nabi))
def test_random_trainings(case: Case) -> None:
    compare(case)


def _classes(room: str) -> set[str]:
    ours, theirs = getattr(nabi, room), getattr(keras, room)
    return {name for name in dir(theirs) if isinstance(getattr(theirs, name), type) and hasattr(ours, name)}


def test_every_loss_and_optimizer_can_be_drawn() -> None:
    """Losses that take other data (CTC, Circle) are compared elsewhere."""
    drawn = {name for entries in LOSSES.values() for name, _ in entries}
    assert _classes("losses") - drawn == {"CTC", "Circle", "Loss"}
    assert _classes("optimizers") - set(OPTIMIZERS) <= {
        "Optimizer",
        "LossScaleOptimizer",
        "MultiOptimizer",
        "OptimizerMap",
        "Adafactor",
        "Muon",
        "ScheduleFreeAdamW",
    }
    assert set(METRICS) == set(LOSSES)
