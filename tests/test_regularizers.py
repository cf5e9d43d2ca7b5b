"""Penalties and constraints."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from helpers import normal
from nabi import constraints, layers, regularizers
from nabi.trace import Trace, Variable

W = normal(4, 3).astype("float32")


def test_l1_and_l2() -> None:
    for x in (W, Variable(W)):
        np.testing.assert_allclose(regularizers.L1(0.1)(x), 0.1 * np.abs(W).sum(), rtol=1e-6)
        np.testing.assert_allclose(regularizers.L2(0.1)(x), 0.1 * np.square(W).sum(), rtol=1e-6)
        both = 0.1 * np.abs(W).sum() + 0.2 * np.square(W).sum()
        np.testing.assert_allclose(regularizers.L1L2(0.1, 0.2)(x), both, rtol=1e-6)
        assert np.asarray(regularizers.L1L2()(x)) == 0
    assert regularizers.Regularizer()(W) == 0.0
    with pytest.raises(NotImplementedError, match="does not implement get_config"):
        regularizers.Regularizer().get_config()


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal(mode: str) -> None:
    rows = W if mode == "rows" else W.T
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = np.abs(unit @ unit.T)[~np.eye(len(rows), dtype=bool)]
    found = regularizers.OrthogonalRegularizer(0.1, mode)(Variable(W))
    np.testing.assert_allclose(found, 0.1 * cosines.mean(), rtol=1e-5)
    with pytest.raises(ValueError) as error:
        regularizers.OrthogonalRegularizer()(np.zeros((2, 3, 4)))
    assert str(error.value) == "Inputs to OrthogonalRegularizer must have rank 2. Received: inputs.shape=(2, 3, 4)"
    with pytest.raises(ValueError, match='Expected one of {"rows", "columns"}. Received: mode=all'):
        regularizers.OrthogonalRegularizer(mode="all")


@pytest.mark.parametrize("value", [-1.0, float("inf"), float("nan"), "x"])
def test_factors(value: Any) -> None:
    for make in (regularizers.L1, regularizers.L2, regularizers.L1L2, regularizers.OrthogonalRegularizer):
        with pytest.raises(ValueError, match="expected a non-negative float.Received: "):
            make(value)


def test_regularizer_configs_and_names() -> None:
    for ready in (
        regularizers.L1(0.1),
        regularizers.L2(0.2),
        regularizers.L1L2(0.1, 0.2),
        regularizers.OrthogonalRegularizer(),
    ):
        config = regularizers.serialize(ready)
        assert config["module"] == "keras.regularizers"
        again = regularizers.deserialize(json.loads(json.dumps(config)))
        assert type(again) is type(ready) and again.get_config() == ready.get_config()
    for name, kind in {
        "l1": regularizers.L1,
        "l2": regularizers.l2,
        "l1l2": regularizers.l1_l2,
        "L1L2": regularizers.L1L2,
    }.items():
        assert type(regularizers.get(name)) is kind
    assert regularizers.get("l2").l2 == 0.01 and regularizers.get(None) is None
    assert regularizers.L1(None).l1 == regularizers.L2(None).l2 == 0.01
    with pytest.raises(ValueError, match="Could not interpret regularizer identifier: l1_l2"):
        regularizers.get("l1_l2")
    function = lambda x: 0.0  # noqa: E731
    assert regularizers.get(function) is function


def test_constraints() -> None:
    norms = np.linalg.norm(W, axis=0)
    limit = float(np.median(norms))
    np.testing.assert_allclose(
        np.linalg.norm(constraints.MaxNorm(limit)(W), axis=0), np.minimum(norms, limit), rtol=1e-5
    )
    np.testing.assert_allclose(np.linalg.norm(constraints.UnitNorm()(W), axis=0), np.ones(3), rtol=1e-5)
    np.testing.assert_array_equal(constraints.NonNeg()(W), np.maximum(W, 0))
    between = np.linalg.norm(constraints.MinMaxNorm(0.5, 1.0)(W), axis=0)
    np.testing.assert_allclose(between, np.clip(norms, 0.5, 1.0), rtol=1e-5)
    half = np.linalg.norm(constraints.MinMaxNorm(0.5, 1.0, rate=0.5)(W), axis=0)
    np.testing.assert_allclose(half, (np.clip(norms, 0.5, 1.0) + norms) / 2, rtol=1e-5)
    kernel = normal(2, 2, 3, 4).astype("float32")
    unit = np.asarray(constraints.UnitNorm(axis=[0, 1, 2])(Variable(kernel)))
    np.testing.assert_allclose(np.sqrt(np.square(unit).sum((0, 1, 2))), np.ones(4), rtol=1e-5)
    assert constraints.Constraint()(W) is W


def test_constraints_are_traced() -> None:
    with Trace() as trace:
        program = trace.compile([constraints.MaxNorm(0.1)(trace.input((4, 3), "float32"))])
    np.testing.assert_allclose(np.linalg.norm(program.call([W])[0], axis=0), 0.1 * np.ones(3), rtol=1e-5)


def test_constraint_configs_and_names() -> None:
    for ready in (
        constraints.MaxNorm(3, [0, 1]),
        constraints.NonNeg(),
        constraints.UnitNorm(1),
        constraints.MinMaxNorm(0.1, 0.9, 0.5, 1),
    ):
        config = constraints.serialize(ready)
        assert config["module"] == "keras.constraints"
        again = constraints.deserialize(json.loads(json.dumps(config)))
        assert type(again) is type(ready) and again.get_config() == ready.get_config()
    assert type(constraints.get("max_norm")) is constraints.max_norm and constraints.get("MaxNorm").max_value == 2
    assert constraints.get(None) is None
    with pytest.raises(ValueError, match="Could not interpret constraint identifier: maxnorm"):
        constraints.get("maxnorm")
    layer = layers.Dense(3, kernel_constraint="unit_norm", bias_constraint=constraints.NonNeg)
    assert isinstance(layer.bias_constraint, constraints.NonNeg)
