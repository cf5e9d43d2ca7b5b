"""Functions of `nabi.ops` that pick and place elements: indexing, take, slice, scatter, one_hot, top_k."""

from __future__ import annotations

import builtins
import math
from typing import Any, cast

import numpy as np

from nabi import dtypes
from nabi.ops import elementwise as e
from nabi.ops import reduction as r
from nabi.ops._dispatch import Value, Values, axis_of, broadcast, common, iota, number, op, op_of, reshaped, to_dtype
from nabi.ops.creation import filled
from nabi.ops.layout import concatenated, permuted, sliced, strided
from nabi.trace import Tensor, Variable, emit, to_tensor

_INT = (int, np.integer)


def index_tensor(x: Value) -> Tensor:
    """Positions as integers; floats are truncated."""
    tensor = to_tensor(x)
    return tensor if tensor.dtype in ("int32", "int64") else to_tensor(tensor, "int32")


@op
def get_item(x: Value, key: Value) -> Value:
    """x[key], for integers, slices, None, Ellipsis and integer tensors.

    Raises:
        IndexError: too many indices, or an integer out of range.
        NotImplementedError: a boolean mask, since the result's shape would depend on the data.
    """
    tensor = to_tensor(x)
    keys = list(key) if isinstance(key, tuple) else [key]
    spots = [i for i, k in enumerate(keys) if k is Ellipsis]
    if len(spots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    used = builtins.sum(k is not None and k is not Ellipsis for k in keys)
    if used > tensor.ndim:
        raise IndexError(f"too many indices: tensor is {tensor.ndim}-dimensional, but {used} were indexed")
    at = spots[0] if spots else len(keys)
    keys[at : at + 1] = [slice(None)] * (tensor.ndim - used)

    slices: list[slice] = []
    shape: list[int] = []  # of the basic part; None and int already applied
    arrays: list[tuple[int, Any]] = []  # axis of the basic result, index
    for k in keys:
        if k is None:
            shape.append(1)
            continue
        axis = len(slices)
        dim = tensor.shape[axis]
        if isinstance(k, slice):
            part = slice(*(None if v is None else int(v) for v in (k.start, k.stop, k.step)))
            slices.append(part)
            shape.append(len(range(*part.indices(dim))))
        elif isinstance(k, _INT) and not isinstance(k, bool):
            if not -dim <= k < dim:
                raise IndexError(f"index {k} is out of bounds for axis {axis} with size {dim}")
            place = int(k) % dim
            slices.append(slice(place, place + 1))
        else:
            _no_mask(k)
            slices.append(slice(None))
            arrays.append((len(shape), k))
            shape.append(dim)
    found = reshaped(strided(tensor, slices), shape)
    return _pick(found, arrays) if arrays else found


def _no_mask(k: Any) -> None:
    dtype = k.dtype if isinstance(k, (Tensor, Variable)) else np.asarray(k).dtype
    if str(dtype) == "bool":
        raise NotImplementedError(
            "Indexing with a boolean mask gives a result whose shape depends on the data, which a traced program "
            "cannot have; use nabi.ops.where(mask, x, value) or multiply by the mask."
        )


def _pick(x: Tensor, arrays: list[tuple[int, Any]]) -> Tensor:
    """NumPy's advanced indexing: the index tensors broadcast and take the place of the first of neighbouring axes."""
    if len(arrays) == 1:
        axis, index = arrays[0]
        return cast(Tensor, emit("gather", x, index_tensor(index), axis=axis))
    axes = [axis for axis, _ in arrays]
    indices = [index_tensor(index) for _, index in arrays]
    neighbours = axes == list(range(axes[0], axes[0] + len(axes)))
    rest = [i for i in range(x.ndim) if i not in axes]
    lead = [i for i in rest if i < axes[0]] if neighbours else []
    moved = permuted(x, lead + axes + [i for i in rest if i not in lead])
    dims = [x.shape[a] for a in axes]
    flat = reshaped(moved, [*moved.shape[: len(lead)], math.prod(dims), *moved.shape[len(lead) + len(axes) :]])
    return cast(Tensor, emit("gather", flat, linear(indices, dims), axis=len(lead)))


def linear(indices: list[Tensor], dims: list[int]) -> Tensor:
    """The position in a row-major block of `dims` of each tuple of (possibly negative) indices."""
    total: Tensor | None = None
    for index, dim, stride in zip(indices, dims, _strides(dims), strict=False):
        wrapped = e.where(e.less(index, 0), e.add(index, dim), index)
        part = wrapped if stride == 1 else e.multiply(wrapped, stride)
        total = part if total is None else e.add(total, part)
    assert total is not None
    return total


def _strides(dims: list[int]) -> list[int]:
    return [math.prod(dims[i + 1 :]) for i in range(len(dims))]


@op
def take(x: Value, indices: Value, axis: int | None = None) -> Value:
    """The slices of x at integer positions along `axis` (in the flattened tensor for None).

    Negative positions count from the end. Raises when the program runs if one is out of range.
    """
    tensor = to_tensor(x)
    if axis is None:
        tensor, axis = reshaped(tensor, [tensor.size]), 0
    return emit("gather", tensor, index_tensor(indices), axis=axis_of(axis, tensor.ndim))


@op
def take_along_axis(x: Value, indices: Value, axis: int | None = None) -> Value:
    """For each place of `indices` the element of x at that position along `axis`; the other axes broadcast."""
    tensor, index = to_tensor(x), index_tensor(indices)
    if axis is None:
        return emit("gather", reshaped(tensor, [tensor.size]), reshaped(index, [index.size]), axis=0)
    at = axis_of(axis, tensor.ndim)
    if index.ndim != tensor.ndim:
        raise ValueError(
            f"`take_along_axis` requires as many axes in both. Received: x.shape={tensor.shape}, "
            f"indices.shape={index.shape}"
        )
    others = [1 if i == at else d for i, d in enumerate(tensor.shape)]
    spread = [1 if i == at else d for i, d in enumerate(index.shape)]
    shape = list(np.broadcast_shapes(tuple(others), tuple(spread)))
    tensor = broadcast(tensor, [tensor.shape[i] if i == at else d for i, d in enumerate(shape)])
    shape[at] = index.shape[at]
    index = broadcast(index, shape)
    places = [index if i == at else iota(shape, i, index.dtype) for i in range(len(shape))]
    return emit("gather", reshaped(tensor, [tensor.size]), linear(places, list(tensor.shape)), axis=0)


@op_of("core", "Slice")
def slice_(inputs: Value, start_indices: Value, shape: Any) -> Value:
    """The block of `shape` that begins at `start_indices` (numbers, or a tensor of positions)."""
    tensor = to_tensor(inputs)
    dims = [int(d) for d in shape]
    if isinstance(start_indices, (Tensor, Variable)) or any(isinstance(s, Tensor) for s in start_indices):
        for axis, (begin, dim) in enumerate(zip(_starts(start_indices, tensor.ndim), dims, strict=False)):
            where = e.add(iota([dim], 0, "int32"), begin)
            tensor = cast(Tensor, emit("gather", tensor, where, axis=axis))
        return tensor
    starts = [int(s) for s in np.asarray(start_indices).reshape(-1)]
    dims = [n - s if d == -1 else d for n, s, d in zip(tensor.shape, starts, dims, strict=False)]
    for axis, (start, dim) in enumerate(zip(starts, dims, strict=False)):
        if start < 0 or start + dim > tensor.shape[axis]:
            raise ValueError(
                f"slice: requires start + shape within {tensor.shape}, got start {tuple(starts)} and "
                f"shape {tuple(dims)}"
            )
        tensor = sliced(tensor, axis, start, start + dim)
    return tensor


slice_.__name__ = "slice"


def _starts(start_indices: Any, ndim: int) -> list[Tensor]:
    if isinstance(start_indices, (list, tuple)):
        return [reshaped(index_tensor(s), []) for s in start_indices]
    positions = index_tensor(start_indices)
    return [reshaped(sliced(positions, 0, i, i + 1), []) for i in range(ndim)]


@op_of("core")
def slice_update(inputs: Value, start_indices: Value, updates: Value) -> Value:
    """`inputs` with the block that begins at `start_indices` replaced by `updates`."""
    tensor = to_tensor(inputs)
    block = to_dtype(updates, tensor.dtype)
    if isinstance(start_indices, (Tensor, Variable)) or any(isinstance(s, Tensor) for s in start_indices):
        inside: Any = None
        for axis, start in enumerate(_starts(start_indices, tensor.ndim)):
            length, count = tensor.shape[axis], block.shape[axis]
            place = e.subtract(iota([length], 0, "int32"), start)
            within = e.logical_and(e.greater_equal(place, 0), e.less(place, count))
            block = cast(Tensor, emit("gather", block, e.clip(place, 0, count - 1), axis=axis))
            within = reshaped(within, [length if i == axis else 1 for i in range(tensor.ndim)])
            inside = within if inside is None else e.logical_and(inside, within)
        return tensor if inside is None else emit("select", inside, block, tensor)
    starts = [int(s) for s in np.asarray(start_indices).reshape(-1)]
    high = [n - s - d for n, s, d in zip(tensor.shape, starts, block.shape, strict=False)]
    if len(starts) != tensor.ndim or block.ndim != tensor.ndim or min([*starts, *high], default=0) < 0:
        raise ValueError(
            f"slice_update: requires start + updates.shape within {tensor.shape}, got start {tuple(starts)} and shape "
            f"{block.shape}"
        )
    for axis in range(tensor.ndim):  # grow the block by what stands around it, axis by axis
        low = starts[axis]
        index = [slice(0, d) if i < axis else slice(s, s + b) if i > axis else slice(None)
                 for i, (d, s, b) in enumerate(zip(tensor.shape, starts, block.shape, strict=False))]  # fmt: skip
        around = strided(tensor, index)
        length, after = tensor.shape[axis], low + block.shape[axis]
        parts = [sliced(around, axis, 0, low), block, sliced(around, axis, after, length)]
        block = concatenated([p for p in parts if p.shape[axis]] or parts[:1], axis)
    return block


def _flat_index(indices: Value, shape: list[int]) -> tuple[Tensor, list[int]]:
    """Row numbers of [n, depth] index tuples into the first `depth` axes, and the lengths of the other axes."""
    index = index_tensor(indices)
    depth = index.shape[-1]
    parts = [reshaped(sliced(index, index.ndim - 1, i, i + 1), index.shape[:-1]) for i in range(depth)]
    rows = linear(parts, shape[:depth])
    return reshaped(rows, [rows.size]), shape[depth:]


@op_of("core")
def scatter(indices: Value, values: Value, shape: Any) -> Value:
    """Zeros of `shape` with `values` added at index tuples.

    Args:
        indices: [n, depth] positions in the first `depth` axes.
        values: [n, ...rest of the shape].
    """
    dims = [int(d) for d in shape]
    tensor = to_tensor(values)
    rows, rest = _flat_index(indices, dims)
    depth = len(dims) - len(rest)
    flat = reshaped(tensor, [rows.size, *rest])
    return reshaped(cast(Tensor, emit("scatter_add", rows, flat, axis=0, dim=math.prod(dims[:depth]))), dims)


@op_of("core")
def scatter_update(inputs: Value, indices: Value, updates: Value, reduction: str | None = None) -> Value:
    """`inputs` with values put at index tuples.

    Args:
        indices: [n, depth] positions in the first `depth` axes; without `reduction` no position may occur twice.
        updates: [n, ...rest of the shape].
        reduction: None replaces, "add" adds; "max", "min" and "mul" are not available.

    Raises:
        NotImplementedError: another reduction.
    """
    tensor = to_tensor(inputs)
    block = to_dtype(updates, tensor.dtype)
    dims = list(tensor.shape)
    rows, rest = _flat_index(indices, dims)
    count = math.prod(dims[: len(dims) - len(rest)])
    flat = reshaped(block, [rows.size, *rest])
    placed = reshaped(cast(Tensor, emit("scatter_add", rows, flat, axis=0, dim=count)), dims)
    if reduction == "add":
        return emit("add", tensor, placed)
    if reduction is not None:
        raise NotImplementedError(f"`scatter_update` can replace or add, not reduce by {reduction!r}.")
    hits = emit("scatter_add", rows, filled(1, [rows.size], "float32"), axis=0, dim=count)
    hits = reshaped(hits, [*dims[: len(dims) - len(rest)], *[1] * len(rest)])
    return emit("select", e.greater(hits, 0), placed, tensor)


@op_of("nn")
def one_hot(x: Value, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Value:
    """A new axis of length `num_classes` with 1 at the position that x names; zeros where x is out of range."""
    if sparse:
        raise NotImplementedError("Nabi has dense tensors only: `sparse` must be False.")
    index = index_tensor(x)
    name = dtypes.core_dtype(dtype)
    made = emit("one_hot", index, depth=int(num_classes), dtype="float32" if name == "bool" else name)
    at = axis_of(axis, index.ndim + 1)
    found = permuted(made, [*range(at), index.ndim, *range(at, index.ndim)])
    return to_dtype(found, name)


@op_of("nn")
def multi_hot(
    inputs: Value, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Value:
    """1 at each position that occurs among the indices of axis 1 (of a vector: axis 0), else 0."""
    if num_classes is None:
        raise ValueError("`num_classes` must be given.")
    index = index_tensor(inputs)
    reduced = 1 if index.ndim > 1 else 0
    return r.max(one_hot(index, num_classes, axis=axis, dtype=dtype, sparse=sparse), axis=reduced)


@op_of("math")
def in_top_k(targets: Value, predictions: Value, k: int) -> Value:
    """Whether the target's prediction is among the `k` largest, as bool; ties count, NaN does not.

    Args:
        targets: [n] classes.
        predictions: [n, classes].
    """
    scores = to_tensor(predictions)
    index = reshaped(index_tensor(targets), [scores.shape[0], 1])
    own = take_along_axis(scores, index, axis=1)
    larger = r.sum(e.greater(scores, own), axis=1)
    known = reshaped(e.equal(own, own), [scores.shape[0]])
    return e.logical_and(e.less(larger, k), known)


@op_of("math")
def top_k(x: Value, k: int, sorted: bool = True) -> Value:
    """The `k` largest along the last axis, in falling order, and their positions (int32).

    Each takes one pass over x, so this is meant for small `k`.
    """
    tensor = to_tensor(x)
    length = tensor.shape[-1]
    if k > length:
        raise ValueError(f"top_k: requires k of at most {length}, the length of the last axis, got {k}")
    place = iota(tensor.shape, tensor.ndim - 1, "int32")
    rank = tensor
    lowest = -math.inf if dtypes.is_float(tensor.dtype) else np.iinfo(tensor.dtype).min
    taken: Any = filled(0, tensor.shape, "bool")
    values, positions = [], []
    for _ in range(k):
        # Among equal smallest values argmax could name one that was taken: prefer those that were not.
        best = r.argmax(rank, axis=-1, keepdims=True)
        free = r.argmax(to_tensor(e.logical_not(taken), "int32"), axis=-1, keepdims=True)
        best = e.where(take_along_axis(to_tensor(taken, "int32"), best, axis=-1), free, best)
        positions.append(best)
        values.append(take_along_axis(tensor, best, axis=-1))
        hit = e.equal(place, best)
        taken = e.logical_or(taken, hit)
        rank = cast(Tensor, emit("select", hit, number(lowest, tensor.dtype), rank))
    return concatenated(values, tensor.ndim - 1), concatenated(positions, tensor.ndim - 1)


@op
def argsort(x: Value, axis: int | None = -1) -> Value:
    """The positions that put x in rising order along `axis` (flattened for None), int32; equal elements keep theirs.

    Compares all pairs along the axis, so memory grows with its length squared.
    """
    tensor = to_tensor(x)
    if axis is None:
        tensor, axis = reshaped(tensor, [tensor.size]), -1
    if tensor.dtype == "bool":
        tensor = to_tensor(tensor, "int32")
    at = axis_of(axis, tensor.ndim)
    perm = [*[i for i in range(tensor.ndim) if i != at], at]
    moved = permuted(tensor, perm)
    length = moved.shape[-1]
    mine = reshaped(moved, [*moved.shape, 1])
    other = reshaped(moved, [*moved.shape[:-1], 1, length])
    here, there = iota([length, length], 0, "int32"), iota([length, length], 1, "int32")
    before = e.logical_or(e.less(other, mine), e.logical_and(e.equal(other, mine), e.less(there, here)))
    if dtypes.is_float(tensor.dtype):  # NaN goes last
        lost, found = e.isnan(mine), e.isnan(other)
        before = e.logical_or(before, e.logical_and(lost, e.logical_or(e.logical_not(found), e.less(there, here))))
    rank = r.sum(before, axis=-1)  # the place of each element in rising order
    slots = e.equal(reshaped(rank, [*rank.shape, 1]), iota([length], 0, "int32"))  # [.., element, place]
    order = r.argmax(to_tensor(slots, "int32"), axis=-2)
    back = [perm.index(i) for i in range(tensor.ndim)]
    return permuted(order, back)


@op
def sort(x: Value, axis: int | None = -1) -> Value:
    """x in rising order along `axis` (flattened for None); see `argsort` for its cost."""
    tensor = to_tensor(x)
    if axis is None:
        tensor, axis = reshaped(tensor, [tensor.size]), -1
    return take_along_axis(tensor, argsort(tensor, axis=axis), axis=axis)


@op_of("numpy", "SearchSorted")
def searchsorted(sorted_sequence: Value, values: Value, side: str = "left") -> Value:
    """Where each value would be inserted into a rising vector, int32."""
    if side not in ("left", "right"):
        raise ValueError(f"`side` must be 'left' or 'right'. Received: side={side}")
    edges, wanted = common(sorted_sequence, values)
    if edges.ndim != 1:
        raise ValueError(f"`searchsorted` only supports 1-D sorted sequences. Received: shape={edges.shape}")
    lifted = reshaped(wanted, [*wanted.shape, 1])
    return r.sum(e.less(edges, lifted) if side == "left" else e.less_equal(edges, lifted), axis=-1)


@op
def digitize(x: Value, bins: Value) -> Value:
    """The number of rising `bins` edges that are not above each element, int32."""
    return searchsorted(bins, x, side="right")


@op
def select(condlist: Values, choicelist: Values, default: Value = 0) -> Value:
    """For each element the choice of the first condition that holds, else `default`."""
    found = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=False))):
        found = e.where(condition, choice, found)
    return to_tensor(found)


def _segments(data: Value, segment_ids: Value, num_segments: int | None) -> tuple[Tensor, Tensor, int]:
    if num_segments is None:
        raise ValueError("`num_segments` must be given: the result's shape cannot depend on the data.")
    return to_tensor(data), index_tensor(segment_ids), int(num_segments)


@op_of("math")
def segment_sum(data: Value, segment_ids: Value, num_segments: int | None = None, sorted: bool = False) -> Value:
    """Sums of the slices of axis 0 that have the same id: [num_segments, ...]."""
    tensor, ids, count = _segments(data, segment_ids, num_segments)
    return emit("scatter_add", ids, tensor, axis=0, dim=count)


@op_of("math")
def segment_max(data: Value, segment_ids: Value, num_segments: int | None = None, sorted: bool = False) -> Value:
    """The largest of the slices of axis 0 that have the same id: [num_segments, ...]; -inf of none."""
    tensor, ids, count = _segments(data, segment_ids, num_segments)
    hits = e.equal(reshaped(ids, [1, ids.size]), iota([count, 1], 0, ids.dtype))
    hits = reshaped(hits, [count, ids.size, *[1] * (tensor.ndim - 1)])
    lowest = -math.inf if dtypes.is_float(tensor.dtype) else np.iinfo(tensor.dtype).min
    return r.max(e.where(hits, tensor, to_tensor(lowest, tensor.dtype)), axis=1)
