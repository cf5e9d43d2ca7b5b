"""Runs one op through the core and compares: with NumPy, and byte for byte between instruction sets and threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nabi import _core
from op_cases import Attrs, Row
from op_draw import Array, Draw

#: Results smaller than float32's least normal number are 0 in the core.
TINY = 1.2e-38

Build = Callable[[Any, list[int]], list[int]]


def table() -> dict[str, dict[str, Any]]:
    """The op table by name."""
    return {op["name"]: op for op in _core.op_table()}


def program_of(build: Build, arrays: Sequence[Array]) -> Any:
    """A program that takes ``arrays`` and returns the values that ``build`` adds to its graph."""
    graph = _core.Graph()
    inputs = [graph.input(i, str(x.dtype), x.shape) for i, x in enumerate(arrays)]
    graph.set_outputs(build(graph, inputs))
    return _core.Program(graph, [])


def call(build: Build, arrays: Sequence[Array]) -> list[Array]:
    """What a fresh program returns; checks that it leaves its inputs alone."""
    arrays = [np.ascontiguousarray(x).reshape(x.shape) for x in arrays]
    before = [x.copy() for x in arrays]
    results: list[Array] = program_of(build, arrays).call(arrays)
    for x, copy in zip(arrays, before, strict=True):
        assert x.tobytes() == copy.tobytes(), "a run changed its input"
    return results


def op_build(op: str, attrs: Attrs) -> Build:
    """Adds one op."""
    return lambda graph, inputs: list(graph.add(op, inputs, attrs))


def gradient_build(forward: Build, outputs: Sequence[int], wanted: Sequence[int]) -> Build:
    """Adds values and their gradients: the last inputs are the upstreams of ``outputs``, the others ``forward``'s."""

    def build(graph: Any, inputs: list[int]) -> list[int]:
        ours = inputs[: len(inputs) - len(outputs)]
        made = forward(graph, ours)
        upstream = []
        for i, g in zip(outputs, inputs[len(ours) :], strict=True):
            dtype = graph.type(made[i])[0]
            upstream.append(g if graph.type(g)[0] == dtype else graph.add("cast", [g], {"dtype": dtype})[0])
        grads = graph.gradients([made[i] for i in outputs], [ours[i] for i in wanted], upstream)
        # Where nothing flows back the gradient is 0.
        for at, i in enumerate(wanted):
            if grads[at] < 0:
                grads[at] = graph.add("subtract", [ours[i], ours[i]])[0]
        return list(grads)

    return build


def same_bits(x: Array) -> bytes:
    """The bytes of an array, every NaN being the same one."""
    if x.dtype.kind == "f":
        x = np.where(np.isnan(x), np.asarray(np.nan, x.dtype), x)
    return x.tobytes()


def everywhere(build: Build, arrays: Sequence[Array]) -> list[Array]:
    """The results of ``call``, after checking that every instruction set and 1, 2 and 3 threads give the same bits."""
    _core.force_sharing(True)
    _core.set_num_threads(1)
    first = call(build, arrays)
    expected = [same_bits(x) for x in first]
    own = _core.isa()
    settings = [(own, 2), (own, 3), *((isa, 2) for isa in _core.isas() if isa != own)]
    try:
        for isa, threads in settings:
            _core.set_isa(isa)
            _core.set_num_threads(threads)
            for i, x in enumerate(call(build, arrays)):
                if same_bits(x) != expected[i]:
                    wrong = np.flatnonzero(~((x == first[i]) | ((x != x) & (first[i] != first[i]))))
                    raise AssertionError(
                        f"output {i} on {isa} with {threads} threads differs from {own} with 1 in {wrong.size} of "
                        f"{x.size} elements, first {wrong[:4]}: {x.reshape(-1)[wrong[:4]]} and "
                        f"{first[i].reshape(-1)[wrong[:4]]}"
                    )
    finally:
        _core.set_isa(None)
        _core.set_num_threads(None)
        _core.force_sharing(False)
    return first


def as_list(result: Any) -> list[Array]:
    """One array or several, as a list."""
    return [np.asarray(x) for x in result] if isinstance(result, tuple | list) else [np.asarray(result)]


def reference(row: Row, arrays: Sequence[Array], attrs: Attrs) -> list[Array]:
    """The row's reference in float64."""
    wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in arrays]
    with np.errstate(all="ignore"):
        return as_list(row.reference(*wide, **attrs))


def check_close(row: Row, got: list[Array], expected: list[Array], arrays: Sequence[Array], attrs: Attrs) -> None:
    """Compares results with the reference's, to the exactness that the row asks for."""
    assert len(got) == len(expected)
    wide = [x.astype(np.float64) if x.dtype.kind == "f" else x for x in arrays]
    for i, (x, y) in enumerate(zip(got, expected, strict=True)):
        assert x.shape == y.shape, f"output {i} has shape {x.shape}, not {y.shape}"
        if x.dtype.kind != "f":
            assert x.dtype == y.dtype, f"output {i} is {x.dtype}, not {y.dtype}"
            np.testing.assert_array_equal(x, y)
            continue
        assert y.dtype.kind == "f", f"output {i} is {x.dtype}, not {y.dtype}"
        with np.errstate(all="ignore"):
            y = y.astype(x.dtype).astype(np.float64) if row.ulp == 0 else y
            if row.scale == "each":
                scale = np.abs(y)
            elif row.scale == "largest":
                scale = np.asarray(np.max(np.abs(y), initial=0))
            else:
                scales = as_list(row.scale(*wide, **attrs))
                scale = np.abs(scales[min(i, len(scales) - 1)])
            unit = row.unit or float(np.finfo(x.dtype).eps)
            close(x, y, row.ulp * unit * scale + TINY, f"output {i}")


def close(got: Array, expected: Array, allowed: Array | float, what: str) -> None:
    """Fails where two arrays are further apart than allowed; NaNs and infinities must agree."""
    limit = float(np.finfo(got.dtype).max)
    with np.errstate(all="ignore"):
        x = got.astype(np.float64)
        y = np.where(np.abs(expected) > limit * (1 + 1e-7), np.copysign(np.inf, expected), expected)
        y = np.where(np.isnan(expected), np.nan, y)
        fine = (np.abs(x - y) <= allowed) | (x == y) | (np.isnan(x) & np.isnan(y))
    if not fine.all():
        at = np.unravel_index(int(np.argmin(fine)), fine.shape)
        raise AssertionError(
            f"{what} differs in {int((~fine).sum())} of {fine.size} elements, first at {tuple(map(int, at))}: "
            f"got {x[at]!r}, expected {y[at]!r}, allowed difference {np.broadcast_to(allowed, x.shape)[at]!r}"
        )


def cast(x: Array, dtype: str) -> Array:
    """A sample's float array as ``dtype``; integer operands stay."""
    if x.dtype.kind != "f":
        return x
    return (np.abs(x) if dtype == "uint8" else x).astype(dtype)


# Gradients


def _weighted(row: Row, arrays: Sequence[Array], attrs: Attrs, upstream: Sequence[Array]) -> float:
    """The sum of the reference's outputs times their weights."""
    outs = reference(row, arrays, attrs)
    return float(sum((outs[i] * w).sum() for i, w in zip(row.outputs, upstream, strict=True)))


def _directions(rng: np.random.Generator, shape: Sequence[int]) -> list[Array]:
    """Two single elements, then two random corners."""
    out = [np.zeros(tuple(shape)), np.zeros(tuple(shape))]
    for one in out:
        one.flat[int(rng.integers(one.size))] = 1
    return [*out, *(rng.choice([-1.0, 1.0], tuple(shape)) for _ in range(2))]


def wanted_inputs(row: Row, arrays: Sequence[Array]) -> list[int]:
    """The inputs that a row's gradient test differentiates."""
    floats = [i for i, x in enumerate(arrays) if x.dtype.kind == "f"]
    return floats if row.gradient is None else list(row.gradient)


def check_gradients(row: Row, d: Draw, forward: Callable[[Any, list[int], Attrs], list[int]] | None = None) -> None:
    """float64 gradients against differences of the reference, float32 ones against float64, the same everywhere."""
    arrays, attrs = row.sample(d)
    wanted = wanted_inputs(row, arrays)
    outs = reference(row, arrays, attrs)
    upstream = [d.array(outs[i].shape, 0.5, 1.5) for i in row.outputs]
    build = gradient_build(
        (lambda graph, ids: forward(graph, ids, attrs)) if forward else op_build(row.op, attrs), row.outputs, wanted
    )
    exact = call(build, [*arrays, *upstream])
    size = max((float(np.abs(outs[i] * w).sum()) for i, w in zip(row.outputs, upstream, strict=True)), default=0.0)
    for i, grad in zip(wanted, exact, strict=True):
        assert grad.shape == arrays[i].shape and grad.dtype == np.float64
        for number, end in enumerate(_directions(d.rng, grad.shape) if grad.size else []):
            analytic = float((grad * end).sum())
            total = float(np.abs(grad * end).sum())
            # A relative step of the cube root of the rounding unit; a smaller one where that met a kink.
            for step in (6e-6, 3e-7):
                up, down = list(arrays), list(arrays)
                up[i], down[i] = arrays[i] + step * end, arrays[i] - step * end
                numeric = (_weighted(row, up, attrs, upstream) - _weighted(row, down, attrs, upstream)) / (2 * step)
                if abs(numeric - analytic) <= 1e-6 * (total + 1) + 2.4e-15 / step * size:
                    break
            else:
                raise AssertionError(
                    f"input {i}, direction {number}: differences give {numeric}, the core {analytic} (terms {total})"
                )

    narrow = [cast(x, "float32") for x in [*arrays, *upstream]]
    for i, single, double in zip(wanted, everywhere(build, narrow), exact, strict=True):
        largest = float(np.max(np.abs(double), initial=row.gradient_floor))
        allowed = row.gradient_ulp * float(np.finfo(np.float32).eps) * largest + TINY
        close(single, double, allowed, f"float32 gradient of input {i}")
