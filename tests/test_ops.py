"""Every op of the table: values against NumPy, gradients against differences, the same bits everywhere."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import op_check as check
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import ROWS, SPECIAL, Attrs, Row
from op_draw import Array, Draw


TABLE = check.table()
DIFFERENTIABLE = [op for op, row in ROWS.items() if TABLE.get(op, {}).get("differentiable") and row.gradient != ()]


def draw(row: Row, d: Draw, dtype: str | None = None) -> tuple[list[Array], Attrs]:
    """A sample with its floats as one of the row's dtypes."""
    arrays, attrs = row.sample(d)
    chosen = dtype or d.choice(row.dtypes)
    return [check.cast(x, chosen) for x in arrays], attrs


@pytest.mark.parametrize("op", ROWS)
@given(data=st.data())
def test_forward(op: str, data: Any) -> None:
    row = ROWS[op]
    arrays, attrs = draw(row, Draw.hypothesis(data))
    got = check.everywhere(check.op_build(op, attrs), arrays)
    check.check_close(row, got, check.reference(row, arrays, attrs), arrays, attrs)


@pytest.mark.parametrize("op", ROWS)
def test_large(op: str) -> None:
    """Enough elements that every kernel has several tasks."""
    row = ROWS[op]
    arrays, attrs = draw(row, Draw.seeded(1), row.dtypes[0])
    got = check.everywhere(check.op_build(op, attrs), arrays)
    check.check_close(row, got, check.reference(row, arrays, attrs), arrays, attrs)


@pytest.mark.parametrize("op", [op for op, row in ROWS.items() if row.special])
def test_special_values(op: str) -> None:
    """NaN, infinities, both zeros, very large and very small numbers, in every combination."""
    row = ROWS[op]
    d = Draw.seeded(2)
    count, attrs = len(row.sample(d)[0]), row.sample(d)[1]
    columns = list(zip(*itertools.product(SPECIAL, repeat=count), strict=True))
    arrays = [np.array(column, np.float32) for column in columns]
    got = check.everywhere(check.op_build(op, attrs), arrays)
    expected = check.reference(row, arrays, attrs)
    check.check_close(row, got, expected, arrays, attrs)
    for x, y in zip(got, expected, strict=True):
        if x.dtype.kind == "f" and row.zero_signs:
            zero = (x == 0) & (y == 0)
            np.testing.assert_array_equal(np.signbit(x[zero]), np.signbit(y[zero]))


# Gradients


def weighted(row: Row, arrays: Sequence[Array], attrs: Attrs, upstream: Sequence[Array]) -> float:
    """The sum of the reference's outputs times their weights."""
    outs = check.reference(row, arrays, attrs)
    return float(sum((outs[i] * w).sum() for i, w in zip(row.outputs, upstream, strict=True)))


def check_gradients(row: Row, d: Draw) -> None:
    """float64 gradients against differences of the reference, float32 ones against float64."""
    arrays, attrs = row.sample(d)
    floats = [i for i, x in enumerate(arrays) if x.dtype.kind == "f"]
    wanted = floats if row.gradient is None else list(row.gradient)
    outs = check.reference(row, arrays, attrs)
    upstream = [d.array(outs[i].shape, 0.5, 1.5) for i in row.outputs]
    build = check.gradient_build(row.op, attrs, row.outputs, wanted)
    exact = check.call(build, [*arrays, *upstream])

    # What differences can see: a relative step of the cube root of the rounding unit.
    step = 6e-6
    size = max((float(np.abs(outs[i] * w).sum()) for i, w in zip(row.outputs, upstream, strict=True)), default=0.0)
    for which, (i, grad) in enumerate(zip(wanted, exact, strict=True)):
        assert grad.shape == arrays[i].shape and grad.dtype == np.float64
        if grad.size == 0:
            continue
        ends = [np.zeros(grad.shape) for _ in range(4)]
        for number, end in enumerate(ends):  # two single elements, then two random directions
            if number < 2:
                end.flat[int(d.rng.integers(grad.size))] = 1
            else:
                end[...] = d.rng.choice([-1.0, 1.0], grad.shape)
            up, down = list(arrays), list(arrays)
            up[i], down[i] = arrays[i] + step * end, arrays[i] - step * end
            numeric = (weighted(row, up, attrs, upstream) - weighted(row, down, attrs, upstream)) / (2 * step)
            analytic = float((grad * end).sum())
            allowed = 1e-6 * (float(np.abs(grad * end).sum()) + 1) + 4e-10 * size
            assert abs(numeric - analytic) <= allowed, (
                f"input {i} (gradient {which}), direction {number}: differences give {numeric}, the core {analytic}"
            )

    narrow = [check.cast(x, "float32") for x in [*arrays, *upstream]]
    for i, single, double in zip(wanted, check.everywhere(build, narrow), exact, strict=True):
        unit = float(np.finfo(np.float32).eps)
        allowed = row.gradient_ulp * unit * float(np.max(np.abs(double), initial=row.gradient_floor)) + check.TINY
        check.close(single, double, allowed, f"float32 gradient of input {i}")


@pytest.mark.parametrize("op", DIFFERENTIABLE)
@given(data=st.data())
def test_gradient(op: str, data: Any) -> None:
    check_gradients(ROWS[op], Draw.hypothesis(data, smooth=True))


@pytest.mark.parametrize("op", [op for op, row in ROWS.items() if row.reference_gradient])
def test_gradient_at_kinks(op: str) -> None:
    """Where differences say nothing the row states the gradient."""
    row = ROWS[op]
    assert row.reference_gradient is not None
    d = Draw.seeded(3)
    count, attrs = len(row.sample(d)[0]), row.sample(d)[1]
    points = (0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan)
    columns = list(zip(*itertools.product(points, repeat=count), strict=True))
    arrays = [np.array(column, np.float32) for column in columns]
    upstream = np.full(arrays[0].shape, 1.5, np.float32)
    got = check.everywhere(check.gradient_build(op, attrs, (0,), range(count)), [*arrays, upstream])
    with np.errstate(all="ignore"):
        expected = row.reference_gradient(*arrays, g=upstream, **attrs)
    for x, y in zip(got, expected, strict=True):
        np.testing.assert_array_equal(x, y)
