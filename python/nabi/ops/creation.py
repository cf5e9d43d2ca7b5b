"""Functions of `nabi.ops` that make tensors from shapes and numbers."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from nabi import config, dtypes
from nabi.ops import elementwise as e
from nabi.ops._dispatch import (
    Value,
    axis_of,
    broadcast,
    common,
    floating,
    iota,
    kind_of,
    number,
    op,
    reshaped,
    to_dtype,
)
from nabi.trace import Tensor, emit, to_tensor


def _dims(shape: Any) -> list[int]:
    if isinstance(shape, (int, np.integer)):
        return [int(shape)]
    return [int(d) for d in shape]


def filled(value: Value, shape: Any, dtype: str) -> Tensor:
    """A tensor of one value."""
    scalar = to_dtype(value, dtype)
    return broadcast(scalar, _dims(shape))


@op
def zeros(shape: Any, dtype: Any = None) -> Value:
    """Zeros, of `floatx()` unless `dtype` is given."""
    return filled(0, shape, dtypes.core_dtype(dtype))


@op
def ones(shape: Any, dtype: Any = None) -> Value:
    """Ones, of `floatx()` unless `dtype` is given."""
    return filled(1, shape, dtypes.core_dtype(dtype))


@op
def empty(shape: Any, dtype: Any = None) -> Value:
    """Zeros, of `floatx()` unless `dtype` is given."""
    return filled(0, shape, dtypes.core_dtype(dtype))


@op
def full(shape: Any, fill_value: Value, dtype: Any = None) -> Value:
    """A tensor of `fill_value`, of `floatx()` unless `dtype` is given."""
    return filled(fill_value, shape, dtypes.core_dtype(dtype))


@op
def zeros_like(x: Value, dtype: Any = None) -> Value:
    """Zeros of x's shape and dtype."""
    tensor = to_tensor(x)
    return filled(0, tensor.shape, dtypes.core_dtype(dtype or tensor.dtype))


@op
def ones_like(x: Value, dtype: Any = None) -> Value:
    """Ones of x's shape and dtype."""
    tensor = to_tensor(x)
    return filled(1, tensor.shape, dtypes.core_dtype(dtype or tensor.dtype))


@op
def empty_like(x: Value, dtype: Any = None) -> Value:
    """Zeros of x's shape and dtype."""
    return zeros_like(x, dtype=dtype)


@op
def full_like(x: Value, fill_value: Value, dtype: Any = None) -> Value:
    """`fill_value` in x's shape and dtype."""
    tensor = to_tensor(x)
    return filled(fill_value, tensor.shape, dtypes.core_dtype(dtype or tensor.dtype))


@op
def arange(start: Value, stop: Value = None, step: Value = None, dtype: Any = None) -> Value:
    """start, start + step, ... before stop; `arange(stop)` counts from 0. The bounds are Python numbers.

    Raises:
        ValueError: step is 0.
    """
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    if step == 0:
        raise ValueError("`arange` requires a step other than 0.")
    if dtype is None:
        name = dtypes.promote(tuple(kind_of(v) for v in (start, stop, step)))
    else:
        name = dtypes.core_dtype(dtype)
    count = max(0, math.ceil((stop - start) / step))
    base = "float64" if name == "float64" or (isinstance(start, float) or isinstance(step, float)) else name
    base = "int32" if base in ("bool", "uint8") else base
    positions = iota([count], 0, base)
    if step != 1:
        positions = cast(Tensor, emit("multiply", positions, number(step, base)))
    if start != 0:
        positions = cast(Tensor, emit("add", positions, number(start, base)))
    return to_dtype(positions, name)


@op
def linspace(
    start: Value,
    stop: Value,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Value:
    """`num` numbers from `start` to `stop`, evenly spaced, along a new axis.

    Returns:
        The numbers, or (numbers, step) when `retstep`.
    """
    if num < 0:
        raise ValueError(f"`num` must be a non-negative integer. Received: num={num}")
    a, b = common(start, stop, floating=True)
    b = broadcast(b, np.broadcast_shapes(a.shape, b.shape))
    a = broadcast(a, b.shape)
    parts = num - 1 if endpoint else num
    step = emit("divide", emit("subtract", b, a), number(parts, a.dtype)) if parts > 0 else e.multiply(a, math.nan)
    at = axis_of(axis, a.ndim + 1)
    shape = [num if i == at else 1 for i in range(a.ndim + 1)]
    lifted = [reshaped(v, [*v.shape[:at], 1, *v.shape[at:]]) for v in (a, b, step)]
    positions = iota(shape, at, "int32")
    where = to_tensor(positions, a.dtype)
    values = lifted[0] if parts <= 0 else emit("add", lifted[0], emit("multiply", where, lifted[2]))
    values = broadcast(values, [num if i == at else d for i, d in enumerate(lifted[0].shape)])
    if endpoint and num > 1:
        values = emit("select", emit("equal", positions, number(num - 1, "int32")), lifted[1], values)
    found = values if dtype is None else to_dtype(values, dtype)
    return (found, step) if retstep else found


@op
def logspace(
    start: Value, stop: Value, num: int = 50, endpoint: bool = True, base: float = 10, dtype: Any = None, axis: int = 0
) -> Value:
    """`base` to the powers of `linspace`."""
    found = e.power(float(base), linspace(start, stop, num, endpoint=endpoint, axis=axis))
    return found if dtype is None else to_dtype(found, dtype)


@op
def geomspace(
    start: Value, stop: Value, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Value:
    """`num` positive numbers from `start` to `stop` with a constant ratio."""
    found = e.exp(linspace(e.log(start), e.log(stop), num, endpoint=endpoint, axis=axis))
    return found if dtype is None else to_dtype(found, dtype)


@op
def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Value:  # noqa: N803 - NumPy's names
    """Ones at and below diagonal `k`, else zeros: [N, M]."""
    columns = N if M is None else M
    rows, cols = iota([N, columns], 0, "int32"), iota([N, columns], 1, "int32")
    low = emit("less_equal", cols, emit("add", rows, number(k, "int32")))
    return to_dtype(low, dtype)


@op
def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Value:  # noqa: N803 - NumPy's names
    """Ones on diagonal `k`, else zeros: [N, M]."""
    columns = N if M is None else M
    rows, cols = iota([N, columns], 0, "int32"), iota([N, columns], 1, "int32")
    return to_dtype(emit("equal", cols, emit("add", rows, number(k, "int32"))), dtype)


@op
def identity(n: int, dtype: Any = None) -> Value:
    """Ones on the diagonal, else zeros: [n, n]."""
    return eye(n, dtype=dtype)


def triangle(x: Tensor, k: int, lower: bool) -> Tensor:
    """Where (row, column) of the last two axes lies at or below (else at or above) diagonal k."""
    rows, cols = iota(x.shape[-2:], 0, "int32"), iota(x.shape[-2:], 1, "int32")
    return cast(Tensor, emit("less_equal" if lower else "greater_equal", cols, emit("add", rows, number(k, "int32"))))


@op
def tril(x: Value, k: int = 0) -> Value:
    """x with zeros above diagonal `k` of the last two axes."""
    tensor = to_tensor(x)
    return e.where(triangle(tensor, k, True), tensor, to_dtype(0, tensor.dtype))


@op
def triu(x: Value, k: int = 0) -> Value:
    """x with zeros below diagonal `k` of the last two axes."""
    tensor = to_tensor(x)
    return e.where(triangle(tensor, k, False), tensor, to_dtype(0, tensor.dtype))


@op
def _window(name: str, *args: float) -> Value:
    return to_tensor(getattr(np, name)(*args).astype(config.floatx()))


def hamming(x: int) -> Value:
    """The Hamming window of `x` points."""
    return _window("hamming", int(x))


def hanning(x: int) -> Value:
    """The Hann window of `x` points."""
    return _window("hanning", int(x))


def blackman(x: int) -> Value:
    """The Blackman window of `x` points."""
    return _window("blackman", int(x))


def bartlett(x: int) -> Value:
    """The triangular window of `x` points."""
    return _window("bartlett", int(x))


def kaiser(x: int, beta: float) -> Value:
    """The Kaiser window of `x` points."""
    return _window("kaiser", int(x), float(beta))


@op
def meshgrid(*x: Value, indexing: str = "xy") -> Value:
    """Grids of coordinates from vectors, a list of as many tensors.

    Raises:
        ValueError: `indexing` is neither "xy" nor "ij".
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"indexing parameter must be one of ('xy', 'ij') but received {indexing}")
    vectors = [reshaped(v, [v.size]) for v in (to_tensor(item) for item in x)]
    order = list(range(len(vectors)))
    if indexing == "xy" and len(order) > 1:
        order[:2] = [1, 0]
    shape = [0] * len(vectors)
    for vector, at in zip(vectors, order, strict=False):
        shape[at] = vector.shape[0]
    return [
        broadcast(reshaped(vector, [vector.shape[0] if i == at else 1 for i in range(len(order))]), shape)
        for vector, at in zip(vectors, order, strict=False)
    ]


@op
def vander(x: Value, N: int | None = None, increasing: bool = False) -> Value:  # noqa: N803 - NumPy's names
    """Powers of a vector's elements: [len(x), N]."""
    tensor = floating(x)
    columns = tensor.shape[0] if N is None else N
    rows = [filled(1, tensor.shape, tensor.dtype)]
    while len(rows) < columns:
        rows.append(cast(Tensor, emit("multiply", rows[-1], tensor)))
    rows = rows[:columns]
    parts = [reshaped(row, [tensor.shape[0], 1]) for row in (rows if increasing else rows[::-1])]
    return emit("concat", *parts, axis=1) if len(parts) > 1 else parts[0]
