"""Every op of the table: values against NumPy, gradients against differences, the same bits everywhere."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import op_check as check
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


@pytest.mark.parametrize("op", [op for op in ROWS if "elementwise" in TABLE.get(op, {}).get("traits", ())])
def test_constant_operands(op: str) -> None:
    """Numbers written into the code, one operand or all of them, do what inputs do."""
    row = ROWS[op]
    for seed, dtype in itertools.product(range(3), row.dtypes):
        full, attrs = draw(row, Draw.seeded(seed), dtype)
        if any(not x.size for x in full):
            continue
        scalars = [x.reshape(-1)[:1].reshape(()) for x in full]
        (expected,) = check.call(check.op_build(op, attrs), scalars)
        for chosen in {(0,), (len(scalars) - 1,), tuple(range(len(scalars)))}:

            def build(graph: Any, ids: list[int], chosen: tuple[int, ...] = chosen) -> list[int]:
                made = [
                    graph.constant(float(x), str(x.dtype)) if i in chosen else at
                    for i, (at, x) in enumerate(zip(ids, scalars, strict=True))
                ]
                return list(graph.add(op, made, attrs))

            (got,) = check.call(build, scalars)
            assert got.dtype == expected.dtype and got.shape == ()
            assert check.same_bits(got) == check.same_bits(expected), f"operands {chosen} of {dtype}: {scalars}"


@pytest.mark.parametrize("op", DIFFERENTIABLE)
@given(data=st.data())
def test_gradient(op: str, data: Any) -> None:
    check.check_gradients(ROWS[op], Draw.hypothesis(data, smooth=True))


#: Ops whose gradients are more than a chain of elementwise ops and calls of ops that have rows themselves.
STRUCTURED = [op for op in DIFFERENTIABLE if "elementwise" not in TABLE[op]["traits"]]


@pytest.mark.parametrize("op", [*STRUCTURED, "add", "multiply", "sigmoid_cross_entropy"])
def test_large_gradient(op: str) -> None:
    """Gradients of tensors that are cut into tasks: the same bits everywhere, and near those of float64."""
    row = ROWS[op]
    d = Draw.seeded(4, smooth=True)
    arrays, attrs = row.sample(d)
    wanted = check.wanted_inputs(row, arrays)
    upstream = [d.array(check.reference(row, arrays, attrs)[i].shape, 0.5, 1.5) for i in row.outputs]
    build = check.gradient_build(check.op_build(op, attrs), row.outputs, wanted)
    exact = check.call(build, [*arrays, *upstream])
    narrow = [check.cast(x, "float32") for x in [*arrays, *upstream]]
    for i, single, double in zip(wanted, check.everywhere(build, narrow), exact, strict=True):
        allowed = 4000 * np.finfo(np.float32).eps * float(np.max(np.abs(double), initial=row.gradient_floor))
        check.close(single, double, float(allowed), f"float32 gradient of input {i}")


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
    build = check.gradient_build(check.op_build(op, attrs), (0,), range(count))
    got = check.everywhere(build, [*arrays, upstream])
    with np.errstate(all="ignore"):
        expected = row.reference_gradient(*arrays, g=upstream, **attrs)
    for x, y in zip(got, expected, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("length", [1, 3, 10, 11])
@pytest.mark.parametrize("rows", [2, 15, 16, 17, 100])
def test_short_rows(rows: int, length: int) -> None:
    """Rows of a few elements are reduced sixteen at once: none may see its neighbour, its NaN or its tie."""
    x = np.random.default_rng(rows).integers(-3, 3, (rows, length)).astype(np.float32)
    x[1::5, -1] = np.nan
    x[::7] = -np.inf
    for op, attrs, expected in (
        ("argmax", {"axis": 1}, x.argmax(1)),
        ("argmin", {"axis": 1}, x.argmin(1)),
        ("reduce_max", {"axes": [1]}, x.max(1)),
        ("reduce_min", {"axes": [1]}, x.min(1)),
        ("reduce_sum", {"axes": [1]}, x.sum(1)),
    ):
        (got,) = check.everywhere(check.op_build(op, attrs), [x])
        np.testing.assert_array_equal(got, expected)
