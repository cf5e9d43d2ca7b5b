"""Functions of `nabi.ops` that reduce axes: sums, means, extrema, statistics."""

from __future__ import annotations

import builtins
import math
from typing import Any, cast

import numpy as np

from nabi import dtypes
from nabi.ops import elementwise as e
from nabi.ops._dispatch import (
    Value,
    axes_of,
    axis_of,
    broadcast,
    common,
    floating,
    iota,
    number,
    op,
    op_of,
    reshaped,
    symbolic_of,
    to_bool,
    to_dtype,
)
from nabi.trace import Tensor, emit, to_tensor
from nabi.trace.graph import current

Axis = int | tuple[int, ...] | list[int] | None


def _reduce(name: str, x: Tensor, axis: Axis, keepdims: bool) -> Tensor:
    axes = axes_of(axis, x.ndim)
    if not axes:
        return x
    return cast(Tensor, emit(name, x, axes=axes, keepdims=builtins.bool(keepdims)))


def _countable(x: Value) -> Tensor:
    """Booleans and uint8 as int32, so that sums do not overflow at once."""
    tensor = to_tensor(x)
    return to_tensor(tensor, "int32") if tensor.dtype in ("bool", "uint8") else tensor


def _count(shape: tuple[int, ...], axes: list[int]) -> int:
    return math.prod(shape[a] for a in axes)


@op
def sum(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """The sum over `axis` (all for None); of booleans and uint8 as int32."""
    return _reduce("reduce_sum", _countable(x), axis, keepdims)


@op
def mean(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """The mean over `axis` (all for None), in floats; NaN of nothing."""
    return _reduce("reduce_mean", floating(x), axis, keepdims)


@op
def prod(x: Value, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> Value:
    """The product over `axis` (all for None); of booleans and uint8 as int32."""
    tensor = _countable(x) if dtype is None else to_dtype(x, dtype)
    return _reduce("reduce_prod", tensor, axis, keepdims)


def _extremum(name: str, both: Any, x: Value, axis: Axis, keepdims: bool, initial: Any) -> Tensor:
    tensor = to_tensor(x)
    if tensor.dtype == "bool":
        boolean = "reduce_any" if name == "reduce_max" else "reduce_all"
        found = _reduce(boolean, tensor, axis, keepdims)
        return found if initial is None else both(found, initial)
    axes = axes_of(axis, tensor.ndim)
    if initial is not None and _count(tensor.shape, axes) == 0:
        kept = [1 if i in axes else d for i, d in enumerate(tensor.shape) if keepdims or i not in axes]
        return broadcast(reshaped(number(initial, tensor.dtype), [1] * len(kept)), kept)
    found = _reduce(name, tensor, axis, keepdims)
    return found if initial is None else both(found, to_tensor(initial, found.dtype))


@op
def max(x: Value, axis: Axis = None, keepdims: bool = False, initial: Any = None) -> Value:
    """The largest over `axis` (all for None), `initial` included; NaN where one is NaN.

    Raises:
        ValueError: nothing to reduce and no `initial`.
    """
    return _extremum("reduce_max", e.maximum, x, axis, keepdims, initial)


@op
def min(x: Value, axis: Axis = None, keepdims: bool = False, initial: Any = None) -> Value:
    """The smallest over `axis` (all for None), `initial` included; NaN where one is NaN.

    Raises:
        ValueError: nothing to reduce and no `initial`.
    """
    return _extremum("reduce_min", e.minimum, x, axis, keepdims, initial)


@op
def amax(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """The same as `max`."""
    return max(x, axis=axis, keepdims=keepdims)


@op
def amin(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """The same as `min`."""
    return min(x, axis=axis, keepdims=keepdims)


@op
def ptp(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """The largest minus the smallest over `axis`."""
    return e.subtract(max(x, axis=axis, keepdims=keepdims), min(x, axis=axis, keepdims=keepdims))


@op
def any(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Whether one over `axis` is not zero, as bool."""
    return _reduce("reduce_any", to_bool(x), axis, keepdims)


@op
def all(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """Whether all over `axis` are not zero, as bool."""
    return _reduce("reduce_all", to_bool(x), axis, keepdims)


@op
def count_nonzero(x: Value, axis: Axis = None) -> Value:
    """How many over `axis` are not zero, as int32."""
    return _reduce("reduce_sum", to_tensor(to_bool(x), "int32"), axis, False)


@op
def var(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """The mean squared distance from the mean over `axis` (no Bessel correction), in two passes."""
    tensor = floating(x)
    centred = emit("subtract", tensor, _reduce("reduce_mean", tensor, axis, True))
    return _reduce("reduce_mean", emit("square", centred), axis, keepdims)


@op
def std(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """The square root of `var`."""
    return emit("sqrt", var(x, axis=axis, keepdims=keepdims))


@op
def average(x: Value, axis: Axis = None, weights: Value = None) -> Value:
    """The mean over `axis`, weighted by `weights` of x's shape or of the one axis's length."""
    if weights is None:
        return mean(x, axis=axis)
    values, factors = common(x, weights, floating=True)
    if factors.shape != values.shape:
        axes = axes_of(axis, values.ndim)
        if len(axes) != 1 or axis is None or factors.ndim != 1:
            raise ValueError(
                "Axis must be specified as one integer when the shapes of `x` and `weights` differ. Received: "
                f"x.shape={values.shape}, weights.shape={factors.shape}, axis={axis}"
            )
        factors = reshaped(factors, [values.shape[i] if i == axes[0] else 1 for i in range(values.ndim)])
        factors = broadcast(factors, values.shape)
    total = _reduce("reduce_sum", factors, axis, False)
    return emit("divide", _reduce("reduce_sum", emit("multiply", values, factors), axis, False), total)


@op_of("math")
def logsumexp(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """log(sum(exp(x))) over `axis`, without overflow."""
    tensor = floating(x)
    return _reduce("logsumexp", tensor, axis, keepdims)


def _arg(name: str, x: Value, axis: int | None, keepdims: bool) -> Tensor:
    tensor = to_tensor(x)
    if tensor.dtype == "bool":
        tensor = to_tensor(tensor, "int32")
    if axis is None:
        found = cast(Tensor, emit(name, reshaped(tensor, [tensor.size]), axis=0))
        return reshaped(found, [1] * tensor.ndim) if keepdims else found
    if tensor.ndim == 0:
        return number(0, "int32")
    at = axis_of(axis, tensor.ndim)
    found = cast(Tensor, emit(name, tensor, axis=at))
    return reshaped(found, [1 if i == at else d for i, d in enumerate(tensor.shape)]) if keepdims else found


@op
def argmax(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """The position of the first largest along `axis` (in the flattened tensor for None), int32."""
    return _arg("argmax", x, axis, keepdims)


@op
def argmin(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """The position of the first smallest along `axis` (in the flattened tensor for None), int32."""
    return _arg("argmin", x, axis, keepdims)


@op
def cumsum(x: Value, axis: int | None = None, dtype: Any = None) -> Value:
    """Running sums along `axis` (of the flattened tensor for None), by doubling steps."""
    tensor = _countable(x) if dtype is None else to_dtype(x, dtype)
    return _scan("add", 0.0, tensor, axis)


@op
def cumprod(x: Value, axis: int | None = None, dtype: Any = None) -> Value:
    """Running products along `axis` (of the flattened tensor for None), by doubling steps."""
    tensor = _countable(x) if dtype is None else to_dtype(x, dtype)
    return _scan("multiply", 1.0, tensor, axis)


def _scan(name: str, neutral: float, x: Tensor, axis: int | None) -> Tensor:
    if axis is None:
        x, axis = reshaped(x, [x.size]), 0
    at = axis_of(axis, x.ndim)
    step = 1
    while step < x.shape[at]:
        low, high = [0] * x.ndim, [0] * x.ndim
        low[at] = step
        end = list(x.shape)
        end[at] -= step
        head = emit("slice", x, begin=[0] * x.ndim, end=end, strides=[1] * x.ndim)
        x = cast(Tensor, emit(name, x, emit("pad", head, low=low, high=high, value=neutral)))
        step *= 2
    return x


@op
def nansum(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """`sum` without the NaNs."""
    return sum(e.where(e.isnan(x), 0, x), axis=axis, keepdims=keepdims)


@op
def nanprod(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """`prod` without the NaNs."""
    return prod(e.where(e.isnan(x), 1, x), axis=axis, keepdims=keepdims)


@op
def nanmean(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """`mean` without the NaNs."""
    tensor = floating(x)
    known = e.logical_not(e.isnan(tensor))
    count = sum(known, axis=axis, keepdims=keepdims)
    return e.divide(nansum(tensor, axis=axis, keepdims=keepdims), to_tensor(count, tensor.dtype))


@op
def nanvar(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """`var` without the NaNs."""
    tensor = floating(x)
    return nanmean(
        e.square(e.subtract(tensor, nanmean(tensor, axis=axis, keepdims=True))), axis=axis, keepdims=keepdims
    )


@op
def nanstd(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """`std` without the NaNs."""
    return e.sqrt(nanvar(x, axis=axis, keepdims=keepdims))


def _nan_extremum(whole: Any, fill: float, x: Value, axis: Axis, keepdims: bool) -> Tensor:
    tensor = to_tensor(x)
    if not dtypes.is_float(tensor.dtype):
        return cast(Tensor, whole(tensor, axis=axis, keepdims=keepdims))
    missing = e.isnan(tensor)
    found = whole(e.where(missing, fill, tensor), axis=axis, keepdims=keepdims)
    return cast(Tensor, e.where(all(missing, axis=axis, keepdims=keepdims), math.nan, found))


@op
def nanmax(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """`max` without the NaNs; NaN of nothing else."""
    return _nan_extremum(max, -math.inf, x, axis, keepdims)


@op
def nanmin(x: Value, axis: Axis = None, keepdims: bool = False) -> Value:
    """`min` without the NaNs; NaN of nothing else."""
    return _nan_extremum(min, math.inf, x, axis, keepdims)


@op
def nanargmax(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """`argmax` without the NaNs; -1 of nothing else."""
    missing = e.isnan(x)
    found = argmax(e.where(missing, -math.inf, x), axis=axis, keepdims=keepdims)
    return e.where(all(missing, axis=axis, keepdims=keepdims), -1, found)


@op
def nanargmin(x: Value, axis: int | None = None, keepdims: bool = False) -> Value:
    """`argmin` without the NaNs; -1 of nothing else."""
    missing = e.isnan(x)
    found = argmin(e.where(missing, math.inf, x), axis=axis, keepdims=keepdims)
    return e.where(all(missing, axis=axis, keepdims=keepdims), -1, found)


@op_of("numpy", "AllClose")
def allclose(x1: Value, x2: Value, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Value:
    """Whether all elements are close (see `isclose`), as a bool scalar."""
    return all(e.isclose(x1, x2, rtol=rtol, atol=atol, equal_nan=equal_nan))


@op_of("linalg")
def norm(x: Value, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Value:
    """A norm over one axis (of vectors), two axes (of matrices) or all.

    Args:
        ord: None (square root of the sum of squares); for vectors a number or +-inf; for matrices "fro", +-1, +-inf.

    Raises:
        ValueError: an `ord` that does not fit.
        NotImplementedError: matrix norms that need singular values.
    """
    tensor = floating(x)
    axes = axes_of(axis, tensor.ndim)
    if isinstance(axis, (tuple, list)) and len(axes) == 2:
        axes = [axis_of(a, tensor.ndim) for a in axis]
    if ord is None or (ord == "fro" and len(axes) == 2) or (ord == 2 and len(axes) == 1):
        return emit("sqrt", _reduce("reduce_sum", emit("square", tensor), axis, keepdims))
    size = absolute_of(tensor)
    if len(axes) == 1:
        if isinstance(ord, str):
            raise ValueError(f"Invalid `ord` argument for vector norm. Received: ord={ord}")
        if ord == math.inf:
            return _reduce("reduce_max", size, axis, keepdims)
        if ord == -math.inf:
            return _reduce("reduce_min", size, axis, keepdims)
        if ord == 0:
            return to_tensor(_reduce("reduce_sum", to_tensor(to_bool(tensor), "int32"), axis, keepdims), tensor.dtype)
        if ord == 1:
            return _reduce("reduce_sum", size, axis, keepdims)
        return e.power(_reduce("reduce_sum", e.power(size, float(ord)), axis, keepdims), 1.0 / ord)
    if len(axes) == 2:
        if ord in (1, -1, math.inf, -math.inf):
            inner, outer = (axes[0], axes[1]) if ord in (1, -1) else (axes[1], axes[0])
            sums = _reduce("reduce_sum", size, inner, True)
            return _reduce_kept("reduce_max" if ord > 0 else "reduce_min", sums, outer, axes, keepdims)
        if ord in (2, -2, "nuc"):
            raise NotImplementedError(f"The matrix norm of order {ord} needs singular values, which are not available.")
        raise ValueError(f"Invalid `ord` argument for matrix norm. Received: ord={ord}")
    raise ValueError(f"Invalid axis values. Received: axis={axis}")


def absolute_of(x: Tensor) -> Tensor:
    """|x| of a float tensor."""
    return cast(Tensor, emit("abs", x))


def _reduce_kept(name: str, x: Tensor, axis: int, dropped: list[int], keepdims: bool) -> Tensor:
    found = _reduce(name, x, axis, True)
    return found if keepdims else reshaped(found, [d for i, d in enumerate(found.shape) if i not in dropped])


@symbolic_of("numpy")
def bincount(x: Value, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Value:
    """How often each of 0 .. minlength - 1 occurs along the last axis, or the sum of its `weights`.

    Args:
        minlength: the number of bins. Arrays get as many as their largest element needs; inside a trace, where shapes
            cannot depend on data, larger elements are not counted.

    Raises:
        ValueError: no `minlength` inside a trace.
        NotImplementedError: a sparse result.
    """
    if sparse:
        raise NotImplementedError("Nabi has dense tensors only: `sparse` must be False.")
    bins = int(minlength)
    if current.trace is None:
        array = np.asarray(x)
        bins = builtins.max(bins, int(array.max()) + 1 if array.size else 0)
    if bins <= 0 and current.trace is not None:
        raise ValueError("`bincount` requires `minlength` > 0: the number of bins cannot depend on the data.")
    return _bincount(x, weights, bins)


@op
def _bincount(x: Value, weights: Value, bins: int) -> Value:
    tensor = to_tensor(x, "int32")
    hits = emit("equal", reshaped(tensor, [*tensor.shape, 1]), iota([bins], 0, "int32"))
    if weights is None:
        return _reduce("reduce_sum", to_tensor(hits, "int32"), -2, False)
    factors = to_tensor(weights)
    shaped = reshaped(factors, [*factors.shape, 1])
    return _reduce("reduce_sum", emit("multiply", to_tensor(hits, factors.dtype), shaped), -2, False)
