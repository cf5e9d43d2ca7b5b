"""Functions of `nabi.ops` that move elements without computing: reshape, transpose, concatenate, pad, ..."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from nabi import dtypes
from nabi.ops import elementwise as e
from nabi.ops._dispatch import (
    Value,
    Values,
    axes_of,
    axis_of,
    broadcast,
    common,
    iota,
    kind_of,
    number,
    op,
    op_of,
    reshaped,
)
from nabi.trace import Tensor, emit, to_tensor


@op
def reshape(x: Value, newshape: Any) -> Value:
    """The same elements in another shape; one dimension may be -1 (or None), the rest.

    Raises:
        ValueError: another number of elements.
    """
    tensor = to_tensor(x)
    dims = [newshape] if isinstance(newshape, (int, np.integer)) else list(newshape)
    dims = [-1 if d is None else int(d) for d in dims]
    known = math.prod(d for d in dims if d != -1)
    rest = [i for i, d in enumerate(dims) if d == -1]
    fits = len(rest) <= 1 and all(d >= -1 for d in dims)
    if fits and rest:
        fits = bool(known > 0 and tensor.size % known == 0)
        dims[rest[0]] = tensor.size // known if fits else 0
    if not fits or math.prod(dims) != tensor.size:
        raise ValueError(f"Cannot reshape a tensor of shape {tensor.shape} to shape {tuple(newshape_of(newshape))}.")
    return reshaped(tensor, dims)


def newshape_of(newshape: Any) -> tuple[Any, ...]:
    """A shape argument as a tuple, for messages."""
    return (newshape,) if isinstance(newshape, (int, np.integer)) else tuple(newshape)


def permuted(x: Tensor, perm: list[int]) -> Tensor:
    """The axes in another order; no node where it is the same."""
    return x if perm == list(range(x.ndim)) else cast(Tensor, emit("transpose", x, perm=perm))


@op
def transpose(x: Value, axes: Any = None) -> Value:
    """The axes in another order, reversed for None.

    Raises:
        ValueError: `axes` is not a permutation.
    """
    tensor = to_tensor(x)
    perm = list(reversed(range(tensor.ndim))) if axes is None else [axis_of(a, tensor.ndim) for a in axes]
    if sorted(perm) != list(range(tensor.ndim)):
        raise ValueError(
            f"`axes` must be a valid permutation of the {tensor.ndim} axes of x. Received: x.shape={tensor.shape}, "
            f"axes={axes}"
        )
    return permuted(tensor, perm)


@op
def swapaxes(x: Value, axis1: int, axis2: int) -> Value:
    """Two axes exchanged."""
    tensor = to_tensor(x)
    perm = list(range(tensor.ndim))
    a, b = axis_of(axis1, tensor.ndim), axis_of(axis2, tensor.ndim)
    perm[a], perm[b] = b, a
    return permuted(tensor, perm)


@op
def moveaxis(x: Value, source: Any, destination: Any) -> Value:
    """Axes moved to other positions, the others in order."""
    tensor = to_tensor(x)
    sources = [axis_of(a, tensor.ndim) for a in (source if isinstance(source, (list, tuple)) else [source])]
    targets = [
        axis_of(a, tensor.ndim) for a in (destination if isinstance(destination, (list, tuple)) else [destination])
    ]
    if len(sources) != len(targets):
        raise ValueError(f"`source` and `destination` must name as many axes. Received: {source} and {destination}")
    perm = [a for a in range(tensor.ndim) if a not in sources]
    for target, origin in sorted(zip(targets, sources, strict=False)):
        perm.insert(target, origin)
    return permuted(tensor, perm)


@op
def squeeze(x: Value, axis: Any = None) -> Value:
    """Without the axes of length 1, or without those named.

    Raises:
        ValueError: a named axis is longer.
    """
    tensor = to_tensor(x)
    axes = [i for i, d in enumerate(tensor.shape) if d == 1] if axis is None else axes_of(axis, tensor.ndim)
    for a in axes:
        if tensor.shape[a] != 1:
            raise ValueError(f"Cannot squeeze axis={a}, because the dimension is not 1. Received: shape={tensor.shape}")
    return reshaped(tensor, [d for i, d in enumerate(tensor.shape) if i not in axes])


@op
def expand_dims(x: Value, axis: Any) -> Value:
    """New axes of length 1 at the positions `axis` of the result."""
    tensor = to_tensor(x)
    places = axis if isinstance(axis, (list, tuple)) else [axis]
    ndim = tensor.ndim + len(places)
    axes = axes_of(list(places), ndim)
    left = iter(tensor.shape)
    return reshaped(tensor, [1 if i in axes else next(left) for i in range(ndim)])


@op
def ravel(x: Value) -> Value:
    """All elements in one axis."""
    tensor = to_tensor(x)
    return reshaped(tensor, [tensor.size])


@op
def broadcast_to(x: Value, shape: Any) -> Value:
    """x repeated to a larger shape, as NumPy broadcasts."""
    return broadcast(to_tensor(x), shape if isinstance(shape, (list, tuple)) else [shape])


def concatenated(tensors: list[Tensor], axis: int) -> Tensor:
    """Tensors of one dtype joined along an axis."""
    return tensors[0] if len(tensors) == 1 else cast(Tensor, emit("concat", *tensors, axis=axis))


@op
def concatenate(xs: Values, axis: int = 0) -> Value:
    """Tensors joined along an axis they all have; the other dimensions are equal."""
    if axis is None:
        return concatenated([reshaped(t, [t.size]) for t in common(*xs)], 0)
    tensors = common(*xs)
    at = axis_of(axis, tensors[0].ndim)
    return concatenated(tensors, at)


@op
def stack(x: Values, axis: int = 0) -> Value:
    """Tensors of one shape along a new axis."""
    tensors = common(*(x if isinstance(x, (list, tuple)) else list(to_tensor(x))))
    at = axis_of(axis, tensors[0].ndim + 1)
    for tensor in tensors:
        if tensor.shape != tensors[0].shape:
            raise ValueError(
                f"Every value in `x` must have the same shape. But found element of shape {tensor.shape}, which is "
                f"different from the first element's shape {tensors[0].shape}."
            )
    return concatenated([reshaped(t, [*t.shape[:at], 1, *t.shape[at:]]) for t in tensors], at)


@op
def hstack(xs: Values) -> Value:
    """Tensors joined along axis 1; vectors along axis 0."""
    tensors = [t if t.ndim else reshaped(t, [1]) for t in common(*xs)]
    return concatenated(tensors, 0 if tensors[0].ndim == 1 else 1)


@op
def vstack(xs: Values) -> Value:
    """Tensors joined along axis 0; vectors become rows."""
    return concatenated([t if t.ndim > 1 else reshaped(t, [1, t.size]) for t in common(*xs)], 0)


@op
def dstack(xs: Values) -> Value:
    """Tensors joined along axis 2."""
    grown = []
    for t in common(*xs):
        shape = {0: [1, 1, 1], 1: [1, t.size, 1], 2: [*t.shape, 1]}.get(t.ndim, list(t.shape))
        grown.append(reshaped(t, shape))
    return concatenated(grown, 2)


@op
def append(x1: Value, x2: Value, axis: int | None = None) -> Value:
    """x2 after x1 along an axis; both flattened for None."""
    return concatenate([x1, x2], axis=axis)  # type: ignore[arg-type]


def sliced(x: Tensor, axis: int, begin: int, end: int) -> Tensor:
    """Positions begin .. end - 1 of one axis."""
    if begin == 0 and end == x.shape[axis]:
        return x
    low, high = [0] * x.ndim, list(x.shape)
    low[axis], high[axis] = begin, end
    return cast(Tensor, emit("slice", x, begin=low, end=high, strides=[1] * x.ndim))


@op
def split(x: Value, indices_or_sections: Any, axis: int = 0) -> Value:
    """A list of parts along an axis: as many of equal length, or cut at the given positions.

    Raises:
        ValueError: the axis cannot be cut into so many equal parts.
    """
    tensor = to_tensor(x)
    at = axis_of(axis, tensor.ndim)
    length = tensor.shape[at]
    if isinstance(indices_or_sections, (int, np.integer)):
        count = int(indices_or_sections)
        if count <= 0 or length % count:
            raise ValueError(
                f"`x` size on given `axis` must be dividible by `indices_or_sections` when `indices_or_sections` is an "
                f"int. But received {length} and {indices_or_sections}."
            )
        cuts = [i * (length // count) for i in range(1, count)]
    else:
        cuts = [int(i) for i in indices_or_sections]
    return _cut(tensor, at, cuts)


def _cut(x: Tensor, axis: int, cuts: list[int]) -> list[Tensor]:
    length = x.shape[axis]
    edges = [0, *[min(max(c + length if c < 0 else c, 0), length) for c in cuts], length]
    return [sliced(x, axis, a, max(a, b)) for a, b in zip(edges, edges[1:], strict=False)]


@op
def array_split(x: Value, indices_or_sections: Any, axis: int = 0) -> Value:
    """`split`, where the first parts may be longer by one."""
    if not isinstance(indices_or_sections, (int, np.integer)):
        return split(x, indices_or_sections, axis=axis)
    tensor = to_tensor(x)
    at = axis_of(axis, tensor.ndim)
    each, more = divmod(tensor.shape[at], int(indices_or_sections))
    cuts = [i * each + min(i, more) for i in range(1, int(indices_or_sections))]
    return _cut(tensor, at, cuts)


@op
def vsplit(x: Value, indices_or_sections: Any) -> Value:
    """`split` along axis 0."""
    return split(x, indices_or_sections, axis=0)


@op
def hsplit(x: Value, indices_or_sections: Any) -> Value:
    """`split` along axis 1, of a vector along axis 0."""
    tensor = to_tensor(x)
    return split(tensor, indices_or_sections, axis=0 if tensor.ndim == 1 else 1)


@op
def dsplit(x: Value, indices_or_sections: Any) -> Value:
    """`split` along axis 2."""
    return split(x, indices_or_sections, axis=2)


@op_of("core")
def unstack(x: Value, num: int | None = None, axis: int = 0) -> Value:
    """The list of slices along an axis."""
    tensor = to_tensor(x)
    at = axis_of(axis, tensor.ndim)
    if num is not None and num != tensor.shape[at]:
        raise ValueError(f"`num` must be the length {tensor.shape[at]} of axis {axis}. Received: num={num}")
    kept = [d for i, d in enumerate(tensor.shape) if i != at]
    return [reshaped(sliced(tensor, at, i, i + 1), kept) for i in range(tensor.shape[at])]


def _pairs(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, (int, np.integer)):
        return [(int(pad_width), int(pad_width))] * ndim
    if all(isinstance(p, (int, np.integer)) for p in pad_width):  # the same before and after each axis
        pad_width = [tuple(pad_width)]
    rows = [tuple(int(v) for v in p) * (2 if len(p) == 1 else 1) for p in pad_width]
    rows = rows * ndim if len(rows) == 1 else rows
    if len(rows) != ndim:
        raise ValueError(
            f"`pad_width` must have the same length as `x.shape`. Received: pad_width={pad_width} (of length "
            f"{len(rows)}) for {ndim} axes."
        )
    return [(row[0], row[-1]) for row in rows]


@op
def pad(x: Value, pad_width: Any, mode: str = "constant", constant_values: Value = None) -> Value:
    """x with elements added before and after each axis.

    Args:
        pad_width: a number, a (before, after) pair for all axes, or one pair per axis.
        mode: "constant" (`constant_values`, 0), "edge", "reflect", "symmetric" or "wrap".

    Raises:
        ValueError: another mode, or `constant_values` with one that has none.
    """
    tensor = to_tensor(x)
    pairs = _pairs(pad_width, tensor.ndim)
    if constant_values is not None and mode != "constant":
        raise ValueError(
            f"Argument `constant_values` can only be provided when `mode == 'constant'`. Received: mode={mode}"
        )
    if mode == "constant":
        value = 0 if constant_values is None else constant_values
        low, high = [p[0] for p in pairs], [p[1] for p in pairs]
        if not any(low) and not any(high):
            return tensor
        if isinstance(value, (int, float, np.generic)):
            return padded(tensor, low, high, float(value))
        inside = padded(emit("broadcast_to", number(1, "int32"), shape=list(tensor.shape)), low, high, 0.0)
        fill = broadcast(to_tensor(value, tensor.dtype), inside.shape)
        return emit("select", e.not_equal(inside, 0), padded(tensor, low, high, 0.0), fill)
    if mode not in ("edge", "reflect", "symmetric", "wrap"):
        raise ValueError(
            f"Invalid padding mode. Expected one of constant, edge, reflect, symmetric, wrap. Received: mode={mode}"
        )
    for at, (before, after) in enumerate(pairs):
        if before or after:
            where = np.pad(np.arange(tensor.shape[at]), (before, after), mode=mode)  # type: ignore[call-overload]
            tensor = emit("gather", tensor, to_tensor(where.astype(np.int32)), axis=at)
    return tensor


def padded(x: Tensor, low: list[int], high: list[int], value: float) -> Tensor:
    """x with `low` and `high` elements of one value before and after each axis."""
    if x.dtype == "bool":
        return cast(Tensor, e.not_equal(emit("pad", to_tensor(x, "uint8"), low=low, high=high, value=value), 0))
    return cast(Tensor, emit("pad", x, low=low, high=high, value=value))


@op
def flip(x: Value, axis: Any = None) -> Value:
    """The elements in reverse order along `axis`, along all for None."""
    tensor = to_tensor(x)
    axes = axes_of(axis, tensor.ndim)
    return strided(tensor, [slice(None, None, -1) if i in axes else slice(None) for i in range(tensor.ndim)])


def strided(x: Tensor, slices: list[slice]) -> Tensor:
    """One Python slice per axis."""
    begin, end, strides = [], [], []
    for dim, part in zip(x.shape, slices, strict=False):
        first, last, step = part.indices(dim)
        count = len(range(first, last, step))
        if count == 0:
            first, last, step = 0, 0, 1
        elif step > 0:
            last = first + (count - 1) * step + 1
        else:
            last = first + (count - 1) * step - 1  # -1: before the first element
        begin.append(first)
        end.append(last)
        strides.append(step)
    if begin == [0] * x.ndim and end == list(x.shape) and strides == [1] * x.ndim:
        return x
    return cast(Tensor, emit("slice", x, begin=begin, end=end, strides=strides))


@op
def fliplr(x: Value) -> Value:
    """The elements in reverse order along axis 1."""
    return flip(x, axis=1)


@op
def flipud(x: Value) -> Value:
    """The elements in reverse order along axis 0."""
    return flip(x, axis=0)


@op
def rot90(array: Value, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Value:
    """Rotated by 90 degrees `k` times, from the first towards the second of two axes."""
    tensor = to_tensor(array)
    a, b = (axis_of(v, tensor.ndim) for v in axes)
    if a == b:
        raise ValueError(f"Invalid axes: {axes}. Axes must be different.")
    turns = k % 4
    if turns == 0:
        return tensor
    if turns == 2:
        return flip(tensor, axis=[a, b])
    return swapaxes(flip(tensor, axis=b), a, b) if turns == 1 else flip(swapaxes(tensor, a, b), axis=b)


@op
def roll(x: Value, shift: Any, axis: Any = None) -> Value:
    """The elements moved along an axis, those pushed out coming in at the other end; flattened for None."""
    tensor = to_tensor(x)
    if axis is None:
        return reshaped(roll(reshaped(tensor, [tensor.size]), shift, axis=0), tensor.shape)
    axes = list(axis) if isinstance(axis, (list, tuple)) else [axis]
    shifts = list(shift) if isinstance(shift, (list, tuple)) else [shift] * len(axes)
    for step, a in zip(shifts, axes, strict=False):
        at = axis_of(a, tensor.ndim)
        length = tensor.shape[at]
        cut = (length - int(step)) % length if length else 0
        if cut:
            tensor = concatenated([sliced(tensor, at, cut, length), sliced(tensor, at, 0, cut)], at)
    return tensor


@op
def repeat(x: Value, repeats: Any, axis: int | None = None) -> Value:
    """Each element (of the flattened tensor for None, or slice along `axis`) `repeats` times in a row.

    Raises:
        NotImplementedError: `repeats` is a tensor, on which the shape of the result would depend.
    """
    tensor = to_tensor(x)
    if axis is None:
        tensor, axis = reshaped(tensor, [tensor.size]), 0
    at = axis_of(axis, tensor.ndim)
    if isinstance(repeats, Tensor):
        raise NotImplementedError(
            "`repeat` requires `repeats` to be numbers, since the result's shape depends on them."
        )
    counts = np.asarray(repeats)
    if counts.size == 1:
        times = int(counts.reshape(()))
        lifted = reshaped(tensor, [*tensor.shape[: at + 1], 1, *tensor.shape[at + 1 :]])
        wide = broadcast(lifted, [*tensor.shape[: at + 1], times, *tensor.shape[at + 1 :]])
        return reshaped(wide, [d * times if i == at else d for i, d in enumerate(tensor.shape)])
    where = np.repeat(np.arange(tensor.shape[at]), counts).astype(np.int32)
    return emit("gather", tensor, to_tensor(where), axis=at)


@op
def tile(x: Value, repeats: Any) -> Value:
    """The whole tensor repeated along each axis."""
    tensor = to_tensor(x)
    times = [int(r) for r in (repeats if isinstance(repeats, (list, tuple, np.ndarray)) else [repeats])]
    ndim = max(len(times), tensor.ndim)
    times = [1] * (ndim - len(times)) + times
    shape = [1] * (ndim - tensor.ndim) + list(tensor.shape)
    lifted = reshaped(tensor, [d for dim in shape for d in (1, dim)])
    wide = broadcast(lifted, [d for pair in zip(times, shape, strict=False) for d in pair])
    return reshaped(wide, [r * d for r, d in zip(times, shape, strict=False)])


@op
def diagonal(x: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    """The diagonal of two axes, as a new last axis."""
    tensor = to_tensor(x)
    if tensor.ndim < 2:
        raise ValueError(
            f"`diagonal` requires an array of at least two dimensions, but `x` is of shape {tensor.shape}."
        )
    a, b = axis_of(axis1, tensor.ndim), axis_of(axis2, tensor.ndim)
    rest = [i for i in range(tensor.ndim) if i not in (a, b)]
    moved = permuted(tensor, [*rest, a, b])
    rows, cols = moved.shape[-2:]
    row, col = max(0, -offset), max(0, offset)
    count = max(0, min(rows - row, cols - col))
    where = (np.arange(count) * (cols + 1) + row * cols + col).astype(np.int32)
    return emit("gather", reshaped(moved, [*moved.shape[:-2], rows * cols]), to_tensor(where), axis=moved.ndim - 2)


@op
def diag(x: Value, k: int = 0) -> Value:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal."""
    tensor = to_tensor(x)
    if tensor.ndim == 1:
        return diagflat(tensor, k=k)
    if tensor.ndim == 2:
        return diagonal(tensor, offset=k)
    raise ValueError(f"`x` must be 1-D or 2-D. Received: x.shape={tensor.shape}")


@op
def diagflat(x: Value, k: int = 0) -> Value:
    """The matrix with x's elements on its diagonal `k`."""
    tensor = to_tensor(x)
    flat = reshaped(tensor, [tensor.size])
    side = tensor.size + abs(k)
    wide = padded(flat, [max(0, k)], [max(0, -k)], 0.0)  # the vector as a row, by column
    rows, cols = iota([side, side], 0, "int32"), iota([side, side], 1, "int32")
    on = emit("equal", cols, emit("add", rows, number(k, "int32")))
    return e.where(on, reshaped(wide, [1, side]), to_tensor(0, "int32") if tensor.dtype == "bool" else 0)


@op
def trace(x: Value, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Value:
    """The sum of the diagonal of two axes."""
    from nabi.ops.reduction import sum as total

    return total(diagonal(x, offset=offset, axis1=axis1, axis2=axis2), axis=-1)


@op
def diff(a: Value, n: int = 1, axis: int = -1) -> Value:
    """Differences of neighbours along an axis, `n` times."""
    tensor = to_tensor(a)
    at = axis_of(axis, tensor.ndim)
    for _ in range(n):
        length = tensor.shape[at]
        later, earlier = sliced(tensor, at, min(1, length), length), sliced(tensor, at, 0, max(length - 1, 0))
        tensor = e.not_equal(later, earlier) if tensor.dtype == "bool" else emit("subtract", later, earlier)
    return tensor


def size(x: Value) -> int:
    """The number of elements."""
    return math.prod(np.shape(x) if not hasattr(x, "shape") else x.shape)


def ndim(x: Value) -> int:
    """The number of axes."""
    return len(np.shape(x) if not hasattr(x, "shape") else x.shape)


@op
def view(x: Value, dtype: Any = None) -> Value:
    """x itself; another dtype would reinterpret bytes, which is not available.

    Raises:
        NotImplementedError: another dtype.
    """
    tensor = to_tensor(x)
    if dtype is not None and dtypes.core_dtype(dtype) != kind_of(tensor):
        raise NotImplementedError("`view` in another dtype is not available; `cast` converts the numbers.")
    return tensor
