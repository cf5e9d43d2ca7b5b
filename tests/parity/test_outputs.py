"""Masks and several outputs: losses, their weights, metrics and sample weights in every form, by history and names.

Keras on JAX drops the masks of predictions on their way to the metrics of a train step (not to its loss, and not in
`evaluate`); so metrics of masked outputs are compared by `evaluate`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.pair import keras, nabi, numbers, pair

N, STEPS = 11, 5
RNG = np.random.default_rng(0)
X = numbers(N, STEPS, 3)
X[RNG.random((N, STEPS)) < 0.3] = 0
Y = {"a": numbers(N, STEPS, 2, seed=1), "b": numbers(N, 1, seed=2), "c": RNG.integers(0, 3, N)}
WEIGHT, STEP_WEIGHT = (RNG.uniform(0.2, 2, shape).astype("float32") for shape in ((N,), (N, STEPS)))
WEIGHTS = {"a": STEP_WEIGHT, "b": WEIGHT, "c": WEIGHT[::-1].copy()}
SPARSE = "sparse_categorical_crossentropy"
LOSSES = {"a": "mse", "b": "mae", "c": SPARSE}


def _net(side: Any, form: str) -> Any:
    layers = side.layers
    x = side.Input((STEPS, 3), name="x")
    hidden = layers.Dense(4, activation="tanh")(layers.Masking()(x))
    a = layers.Dense(2, name="a")(hidden)
    mean = layers.GlobalAveragePooling1D()(hidden)  # of the steps that the mask leaves
    b, c = layers.Dense(1, name="b")(mean), layers.Dense(3, activation="softmax", name="c")(mean)
    forms = {"dict": {"a": a, "b": b, "c": c}, "list": [a, b, c], "deep": {"p": [a, b], "q": c}, "nested": [[a, b], c]}
    return side.Model(x, forms[form] if form in forms else {"a": a, "c": c}[form])


def _as(form: str, of: dict[str, Any]) -> Any:
    a, b, c = of["a"], of["b"], of["c"]
    forms = {"dict": of, "list": [a, b, c], "deep": {"p": [a, b], "q": c}, "nested": [[a, b], c]}
    return forms.get(form) or of[form]


def _run(side: Any, model: Any, form: str, y: Any, fit: dict[str, Any], arguments: dict[str, Any]) -> Any:
    start = model.get_weights()
    made = {key: value(side) if callable(value) else value for key, value in arguments.items()}
    model.compile(side.optimizers.SGD(0.05), **made)
    found = model.evaluate(X, y, batch_size=4, verbose=0, return_dict=True, **fit)
    order = model.evaluate(X, y, batch_size=4, verbose=0, **fit)
    history = model.fit(X, y, epochs=2, batch_size=4, shuffle=False, verbose=0, **fit).history
    names = [model.metrics_names, [m.name for m in model.metrics], list(model.get_metrics_result())]
    model.set_weights(start)
    return found, order, history, names


def _compare(form: str, y: Any = None, fit: dict[str, Any] | None = None, **arguments: Any) -> None:
    theirs, ours = pair(lambda side: _net(side, form))
    y = _as(form, Y) if y is None else y
    wanted, found = (
        _run(side, model, form, y, fit or {}, arguments) for side, model in ((keras, theirs), (nabi, ours))
    )
    assert list(found[0]) == list(wanted[0]) and list(found[2]) == list(wanted[2]) and found[3] == wanted[3]
    np.testing.assert_allclose(list(found[0].values()), list(wanted[0].values()), rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(found[1], wanted[1], rtol=1e-3, atol=1e-6)
    for name in wanted[2]:
        if name.endswith("loss") or not name.startswith("a_"):
            np.testing.assert_allclose(found[2][name], wanted[2][name], rtol=1e-3, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("weights", [None, "column", "steps"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "mean_with_sample_weight", "sum"])
def test_reductions_of_a_masked_output(reduction: str, weights: str | None) -> None:
    _compare(
        "a",
        fit={} if weights is None else {"sample_weight": WEIGHT[:, None] if weights == "column" else STEP_WEIGHT},
        loss=lambda side: side.losses.MeanSquaredError(reduction=reduction),
        metrics=lambda side: [side.metrics.MeanSquaredError(name="a_mse")],
        weighted_metrics=lambda side: [side.metrics.RootMeanSquaredError(name="a_rmse")],
    )


FORMS = ["dict", "list"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "arguments",
    [
        {"loss": LOSSES},
        {"loss": list(LOSSES.values())},
        {"loss": {"a": "mse", "b": None, "c": SPARSE}},
        {"loss": ["mse", None, SPARSE]},
        {"loss": LOSSES, "loss_weights": {"c": 0.5, "b": 2.0, "a": 1.0}},
        {"loss": list(LOSSES.values()), "loss_weights": [0.5, 2.0, 1.0]},
        {"loss": LOSSES, "metrics": {"a": "mae", "c": ["accuracy", "acc"]}, "weighted_metrics": {"c": ["accuracy"]}},
        {"loss": LOSSES, "metrics": [["mae"], None, ["accuracy"]], "weighted_metrics": ["mae", "mse", None]},
        {"loss": LOSSES, "metrics": {"a": ["mae", "mae"], "b": ["mae"]}, "weighted_metrics": {"a": ["mae", "mae"]}},
    ],
    ids=repr,
)
def test_losses_and_metrics_by_output(form: str, arguments: dict[str, Any]) -> None:
    _compare(form, **arguments)


@pytest.mark.parametrize("form", [*FORMS, "deep", "nested"])
def test_weights_by_output(form: str) -> None:
    of = {"a": "mae", "b": "mae", "c": "accuracy"}
    metrics = {name: [metric] for name, metric in of.items()}
    _compare(
        form,
        fit={"sample_weight": _as(form, WEIGHTS)},
        loss=_as(form, LOSSES),
        loss_weights=_as(form, {"a": 1.0, "b": 2.0, "c": 0.5}),
        weighted_metrics=_as(form, metrics),
    )


@pytest.mark.parametrize(
    ("loss", "loss_weights", "y"),
    [
        ([SPARSE], None, "array"),
        ([SPARSE], [0.5], "list"),
        ({"c": SPARSE}, {"c": 0.5}, "array"),
        (SPARSE, 0.5, "array"),
        (SPARSE, {"c": 2.0}, "array"),
    ],
)
def test_forms_of_one_output(loss: Any, loss_weights: Any, y: str) -> None:
    metrics = ["accuracy", "acc"]
    _compare("c", [Y["c"]] if y == "list" else Y["c"], loss=loss, loss_weights=loss_weights, metrics=metrics)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("arguments", "fit"),
    [
        ({"loss": {"a": "mse", "d": "mse"}}, {}),
        ({"loss": LOSSES, "loss_weights": {"a": 0.5}}, {}),
        ({"loss": list(LOSSES.values()), "loss_weights": [0.5, 1.0]}, {}),
        ({"loss": list(LOSSES.values()), "metrics": ["accuracy"]}, {}),
        ({"loss": LOSSES, "metrics": {"d": ["accuracy"]}}, {}),
        ({"loss": LOSSES, "metrics": "accuracy"}, {}),
        ({"loss": LOSSES, "metrics": {"a": [None]}}, {}),
        ({"loss": LOSSES}, {"class_weight": {0: 1.0, 1: 2.0}}),
        ({"loss": LOSSES}, {"y": Y["a"]}),
        ({"loss": LOSSES}, {"y": [Y["a"], Y["b"]]}),
        ({"loss": LOSSES}, {"sample_weight": WEIGHT}),
    ],
    ids=repr,
)
def test_both_refuse(form: str, arguments: dict[str, Any], fit: dict[str, Any]) -> None:
    for side in (keras, nabi):
        model = _net(side, form)
        start = model.get_weights()
        with pytest.raises((ValueError, KeyError, TypeError)):
            model.compile("sgd", **arguments)
            model.fit(X, verbose=0, **({"y": _as(form, Y)} | fit))
        for one, other in zip(start, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
