"""Rarer functions of `nabi.ops`: inverse trigonometry, order statistics, histograms, distances."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from nabi.ops import elementwise as e
from nabi.ops import indexing as i
from nabi.ops import reduction as r
from nabi.ops._dispatch import Value, axes_of, axis_of, common, floating, iota, number, op, op_of, reshaped, to_dtype
from nabi.ops.layout import permuted, sliced, strided
from nabi.ops.products import product
from nabi.trace import Tensor, emit, to_tensor

# Cephes `atan.c`: arctan(x) = x + x**3 P(x**2) / Q(x**2) for |x| < 0.66, to 1e-16.
_P = (-8.750608600031904122785e-1, -1.615753718733365076637e1, -7.500855792314704667340e1,
      -1.228866684490136173410e2, -6.485021904942025371773e1)  # fmt: skip
_Q = (1.0, 2.485846490142306297962e1, 1.650270098316988542046e2, 4.328810604912902668951e2,
      4.853903996359136964868e2, 1.945506571482613964425e2)  # fmt: skip


def _polynomial(x: Tensor, coefficients: tuple[float, ...]) -> Any:
    found: Any = coefficients[0]
    for c in coefficients[1:]:
        found = e.add(e.multiply(found, x), c)
    return found


@op
def arctan(x: Value) -> Value:
    """The inverse of `tan`, in -pi/2 .. pi/2 (Cephes)."""
    tensor = floating(x)
    size = e.absolute(tensor)
    large, middle = e.greater(size, 2.414213562373095), e.greater(size, 0.66)
    far = e.divide(-1.0, e.where(large, size, 1.0))
    near = e.divide(e.subtract(e.where(large, 0.0, size), 1.0), e.add(e.where(large, 0.0, size), 1.0))
    y = e.where(large, far, e.where(middle, near, size))
    z = e.square(y)
    curve = e.add(y, e.multiply(e.multiply(y, z), e.divide(_polynomial(z, _P), _polynomial(z, _Q))))
    half, zero = number(math.pi / 2, tensor.dtype), number(0, tensor.dtype)
    found = e.add(e.where(large, half, e.where(middle, math.pi / 4, zero)), curve)
    return e.where(e.less(tensor, 0.0), e.negative(found), found)


@op
def arctan2(x1: Value, x2: Value) -> Value:
    """The angle of the point (x2, x1), in -pi .. pi."""
    y, x = common(x1, x2, floating=True)
    angle = arctan(e.divide(y, e.where(e.equal(x, 0.0), 1.0, x)))
    turn = e.where(e.less(y, 0.0), -math.pi, number(math.pi, x.dtype))
    turned = e.where(e.less(x, 0.0), e.add(angle, turn), angle)
    return e.where(e.equal(x, 0.0), e.multiply(e.sign(y), math.pi / 2), turned)


@op
def arcsin(x: Value) -> Value:
    """The inverse of `sin`, in -pi/2 .. pi/2; NaN beyond -1 .. 1."""
    tensor = floating(x)
    root = e.sqrt(e.multiply(e.subtract(1.0, tensor), e.add(1.0, tensor)))
    return e.multiply(2.0, arctan(e.divide(tensor, e.add(1.0, root))))


@op
def arccos(x: Value) -> Value:
    """The inverse of `cos`, in 0 .. pi; NaN beyond -1 .. 1."""
    tensor = floating(x)
    root = e.sqrt(e.multiply(e.subtract(1.0, tensor), e.add(1.0, tensor)))
    return arctan2(root, tensor)


@op
def angle(x: Value) -> Value:
    """0 for positive numbers, pi for negative ones."""
    tensor = floating(x)
    return e.where(e.less(tensor, 0.0), math.pi, e.multiply(tensor, 0.0))


@op_of("math")
def erfinv(x: Value) -> Value:
    """The inverse of `erf`: Giles's approximation (2010) and two steps of Newton's method."""
    tensor = floating(x)
    w = e.negative(e.log(e.multiply(e.subtract(1.0, tensor), e.add(1.0, tensor))))
    low = e.subtract(e.minimum(w, 5.0), 2.5)
    high = e.subtract(e.sqrt(e.maximum(w, 5.0)), 3.0)
    near = _polynomial(low, (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
                             -0.00125372503, -0.00417768164, 0.246640727, 1.50140941))  # fmt: skip
    far = _polynomial(high, (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
                             -0.0076224613, 0.00943887047, 1.00167406, 2.83297682))  # fmt: skip
    found = e.multiply(e.where(e.less(w, 5.0), near, far), tensor)
    inside = e.less(e.absolute(tensor), 1.0)
    found = e.where(inside, found, 0.0)
    for _ in range(2):
        error = e.subtract(e.erf(found), e.where(inside, tensor, 0.0))
        slope = e.multiply(2 / math.sqrt(math.pi), e.exp(e.negative(e.square(found))))
        found = e.subtract(found, e.divide(error, e.maximum(slope, 1e-6)))
    edge = e.where(e.equal(e.absolute(tensor), 1.0), e.multiply(tensor, math.inf), math.nan)  # beyond 1: NaN
    return e.where(inside, found, edge)


@op
def fabs(x: Value) -> Value:
    """|x| in floats."""
    return e.absolute(floating(x))


@op
def fmod(x1: Value, x2: Value) -> Value:
    """The remainder of the division rounded towards 0, with the sign of x1."""
    a, b = common(x1, x2)
    rest = e.mod(e.absolute(a), e.absolute(b))
    return e.where(e.less(a, 0), e.negative(rest), rest)


@op_of("numpy", "IsIn")
def isin(x1: Value, x2: Value, assume_unique: bool = False, invert: bool = False) -> Value:
    """Whether each element of x1 is among those of x2, as bool."""
    a, b = common(x1, x2)
    found = r.any(e.equal(reshaped(a, [*a.shape, 1]), reshaped(b, [b.size])), axis=-1)
    return e.logical_not(found) if invert else found


@op
def left_shift(x: Value, y: Value) -> Value:
    """x * 2**y of integers."""
    a, b = common(x, y)
    return e.multiply(a, e.power(2, b))


@op
def right_shift(x: Value, y: Value) -> Value:
    """x // 2**y of integers."""
    a, b = common(x, y)
    return e.floor_divide(a, e.power(2, b))


@op
def bitwise_left_shift(x: Value, y: Value) -> Value:
    """The same as `left_shift`."""
    return left_shift(x, y)


@op
def bitwise_right_shift(x: Value, y: Value) -> Value:
    """The same as `right_shift`."""
    return right_shift(x, y)


@op
def quantile(x: Value, q: Value, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Value:
    """The values below which shares `q` (0 .. 1) of x lie along `axis`; sorts by comparing pairs, so for short axes.

    Args:
        method: "linear", "lower", "higher", "midpoint" or "nearest".
    """
    tensor = floating(x)
    axes = axes_of(axis, tensor.ndim)
    rest = [a for a in range(tensor.ndim) if a not in axes]
    length = math.prod(tensor.shape[a] for a in axes)
    flat = reshaped(permuted(tensor, rest + axes), [*(tensor.shape[a] for a in rest), length])
    ordered = i.sort(flat, axis=-1)
    shares = to_tensor(q, tensor.dtype)
    place = e.multiply(reshaped(shares, [shares.size]), length - 1.0)
    low, high = e.floor(place), e.ceil(place)
    weight = e.subtract(place, low)
    if method == "midpoint":
        weight = e.where(e.greater(weight, 0.0), 0.5, 0.0)
    elif method == "nearest":
        low = high = e.round(place)
    elif method in ("lower", "higher"):
        low = high = low if method == "lower" else high
    elif method != "linear":
        raise ValueError(f"Invalid method: {method}. Expected linear, lower, higher, midpoint or nearest.")
    below, above = (i.take(ordered, to_tensor(w, "int32"), axis=-1) for w in (low, high))
    found = e.add(below, e.multiply(e.subtract(above, below), weight))  # [..rest, q]
    lost = r.any(e.isnan(flat), axis=-1, keepdims=True)
    found = e.where(lost, math.nan, found)
    found = permuted(found, [found.ndim - 1, *range(found.ndim - 1)])
    kept = [1 if a in axes else d for a, d in enumerate(tensor.shape) if keepdims or a not in axes]
    return reshaped(found, [*shares.shape, *kept])


@op
def percentile(x: Value, q: Value, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Value:
    """`quantile` with `q` in percent."""
    return quantile(x, e.divide(floating(q), 100.0), axis=axis, method=method, keepdims=keepdims)


@op
def median(x: Value, axis: Any = None, keepdims: bool = False) -> Value:
    """The middle value along `axis`; sorts by comparing pairs, so for short axes."""
    return quantile(x, 0.5, axis=axis, keepdims=keepdims)


@op
def nancumsum(x: Value, axis: int | None = None, dtype: Any = None) -> Value:
    """`cumsum` with NaN as 0."""
    return r.cumsum(e.where(e.isnan(x), 0, x), axis=axis, dtype=dtype)


@op
def nancumprod(x: Value, axis: int | None = None, dtype: Any = None) -> Value:
    """`cumprod` with NaN as 1."""
    return r.cumprod(e.where(e.isnan(x), 1, x), axis=axis, dtype=dtype)


@op
def histogram(x: Value, bins: Any = 10, range: tuple[float, float] | None = None) -> Value:
    """How many elements lie in each bin, and the bins' edges.

    Args:
        bins: how many of equal width.
        range: the outer edges; the smallest and largest element when None.
    """
    tensor = floating(x)
    flat = reshaped(tensor, [tensor.size])
    if not isinstance(bins, (int, np.integer)) or bins < 1:
        raise ValueError(f"Argument `bins` should be a non-negative integer. Received: bins={bins}")
    bins = int(bins)
    low, high = (r.min(flat), r.max(flat)) if range is None else common(*range, dtype=tensor.dtype)
    same = e.less_equal(e.subtract(high, low), 0.0)
    low, high = e.where(same, e.subtract(low, 0.5), low), e.where(same, e.add(high, 0.5), high)
    step = e.divide(e.subtract(high, low), float(bins))
    edges = e.add(low, e.multiply(to_tensor(iota([bins + 1], 0, "int32"), tensor.dtype), step))
    edges = e.where(e.equal(iota([bins + 1], 0, "int32"), bins), high, edges)
    left, right = sliced(edges, 0, 0, bins), sliced(edges, 0, 1, bins + 1)
    each = reshaped(flat, [flat.size, 1])
    inside = e.logical_and(e.greater_equal(each, left), e.less(each, right))
    last = e.logical_and(e.equal(iota([bins], 0, "int32"), bins - 1), e.equal(each, high))
    return r.sum(e.logical_or(inside, last), axis=0), edges


@op
def trapezoid(y: Value, x: Any = None, dx: float = 1.0, axis: int = -1) -> Value:
    """The integral along an axis by the trapezoidal rule."""
    values = floating(y)
    at = axis_of(axis, values.ndim)
    n = values.shape[at]
    pair = e.multiply(0.5, e.add(sliced(values, at, 1, n), sliced(values, at, 0, n - 1)))
    if x is None:
        return r.sum(e.multiply(pair, dx), axis=at)
    places = to_tensor(x, values.dtype)
    if places.ndim == 1:
        places = reshaped(places, [n if k == at else 1 for k in range(values.ndim)])
    length = places.shape[at]
    width = e.subtract(sliced(places, at, 1, length), sliced(places, at, 0, length - 1))
    return r.sum(e.multiply(pair, width), axis=at)


@op
def corrcoef(x: Value) -> Value:
    """The correlations of the rows of a matrix."""
    tensor = floating(x)
    rows = tensor if tensor.ndim > 1 else reshaped(tensor, [1, tensor.size])
    centred = e.subtract(rows, r.mean(rows, axis=1, keepdims=True))
    spread = product(centred, centred, transpose_b=True)
    size = e.sqrt(r.sum(e.square(centred), axis=1))
    found = e.divide(spread, e.multiply(reshaped(size, [size.size, 1]), size))
    return found if tensor.ndim > 1 else reshaped(found, [])


@op
def correlate(x1: Value, x2: Value, mode: str = "valid") -> Value:
    """The sums of products of two vectors at each shift.

    Args:
        mode: "valid", "same" or "full".
    """
    a, b = common(x1, x2, floating=True)
    if a.ndim != 1 or b.ndim != 1:
        raise ValueError(f"`x1` and `x2` must be 1-D. Received: x1.shape={a.shape}, x2.shape={b.shape}")
    swapped = b.size > a.size
    long, short = (b, a) if swapped else (a, b)
    n, k = long.size, short.size
    if mode not in ("valid", "same", "full"):
        raise ValueError(f"`mode` must be 'valid', 'same' or 'full'. Received: mode={mode}")
    before, after = {"valid": (0, 0), "full": (k - 1, k - 1), "same": (k // 2, k - 1 - k // 2)}[mode]
    found = emit(
        "conv2d",
        reshaped(long, [1, 1, n, 1]),
        reshaped(short, [1, k, 1, 1]),
        strides=[1, 1],
        dilation=[1, 1],
        padding=[0, 0, before, after],
        groups=1,
    )
    flat = reshaped(found, [found.size])
    return strided(flat, [slice(None, None, -1)]) if swapped else flat


@op_of("math", "CDist")
def cdist(x: Value, y: Value) -> Value:
    """The distances of all pairs of rows: [..., n, m] from [..., n, d] and [..., m, d]."""
    a, b = common(x, y, floating=True)
    left = reshaped(a, [*a.shape[:-1], 1, a.shape[-1]])
    right = reshaped(b, [*b.shape[:-2], 1, *b.shape[-2:]])
    return e.sqrt(r.sum(e.square(e.subtract(left, right)), axis=-1))


@op_of("math")
def segment_min(data: Value, segment_ids: Value, num_segments: int | None = None, sorted: bool = False) -> Value:
    """The smallest of the slices of axis 0 that have the same id: [num_segments, ...]; inf of none."""
    return e.negative(i.segment_max(e.negative(data), segment_ids, num_segments=num_segments))


@op
def unravel_index(indices: Value, shape: Any) -> Value:
    """A tuple of positions along each axis from positions in the flattened tensor."""
    rest = i.index_tensor(indices)
    dims = [int(d) for d in shape]
    rest = e.where(e.less(rest, 0), e.add(rest, math.prod(dims)), rest)
    found = []
    for axis in reversed(range(len(dims))):
        found.append(e.mod(rest, dims[axis]))
        rest = e.floor_divide(rest, dims[axis])
    return tuple(reversed(found))


@op
def array(x: Value, dtype: Any = None) -> Value:
    """x as a tensor."""
    tensor = to_tensor(x)
    return tensor if dtype is None else to_dtype(tensor, dtype)


@op
def copy(x: Value) -> Value:
    """x as a new tensor."""
    return to_tensor(x)


@op_of("nn")
def unfold(x: Value, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Value:
    """The windows of images as columns: [n, c * window, positions] from [n, c, h, w]."""
    tensor = to_tensor(x)
    k, d, p, s = ([v, v] if isinstance(v, int) else list(v) for v in (kernel_size, dilation, padding, stride))
    n, c, h, w = tensor.shape
    tensor = cast(Tensor, emit("pad", tensor, low=[0, 0, *p], high=[0, 0, *p], value=0.0)) if any(p) else tensor
    rows, cols = (
        (size + 2 * pad - step * (window - 1) - 1) // move + 1
        for size, pad, step, window, move in zip((h, w), p, d, k, s, strict=True)
    )
    parts = []
    for a in range(k[0]):
        for b in range(k[1]):
            top, left = a * d[0], b * d[1]
            part = strided(
                tensor,
                [
                    slice(None),
                    slice(None),
                    slice(top, top + (rows - 1) * s[0] + 1, s[0]),
                    slice(left, left + (cols - 1) * s[1] + 1, s[1]),
                ],
            )
            parts.append(reshaped(part, [n, c, 1, rows * cols]))
    joined = parts[0] if len(parts) == 1 else cast(Tensor, emit("concat", *parts, axis=2))
    return reshaped(joined, [n, c * k[0] * k[1], rows * cols])
