"""One row per op: what it means in NumPy, how its inputs are drawn, how exact it must be.

Read by the tests, which draw small examples from Hypothesis, and by ``bench/``, which measures the large one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import op_reference as ref
from op_draw import Array, Draw

Attrs = dict[str, Any]
Sample = tuple[list[Array], Attrs]

#: What elementwise ops are asked besides ordinary numbers.
_PAIRS = (np.inf, 0.0, 1.0, 2.5, 0.5, 1e-30, 1e30, 100.0)
SPECIAL = (np.nan, *_PAIRS, *(-x for x in _PAIRS))


@dataclass(frozen=True)
class Row:
    """An op's case.

    Attributes:
        op: its name in the op table.
        reference: takes the inputs in float64 (integers as they are) and the attributes; gives one array or several.
        sample: draws inputs (floats as float64) and attributes.
        dtypes: what the floats of a sample are made in the forward test; the first is the one measured.
        ulp: allowed error in units of the last place: of each value, or of ``scale`` where the row has one.
        scale: the magnitude that rounding errors are relative to: "each" value, the "largest" of an output, or a
            function of the inputs and attributes like ``reference``.
        unit: what a unit of the last place is, where it is not that of the result's dtype.
        special: also try SPECIAL in every combination.
        gradient: inputs to differentiate; None stands for all floats.
        gradient_ulp: allowed difference of float32 gradients from float64 ones, relative to the largest of an input's.
        gradient_floor: what counts as the largest where all are smaller (a saturated function's have few digits).
        zero_signs: special values that give 0 have NumPy's sign.
        outputs: outputs whose gradient flows back.
        reference_gradient: (inputs, attrs, upstream) -> gradients, for points where differences say nothing.
    """

    op: str
    reference: Callable[..., Any]
    sample: Callable[[Draw], Sample]
    dtypes: tuple[str, ...] = ("float32", "float64")
    ulp: float = 4
    scale: Any = "each"
    unit: float | None = None
    special: bool = False
    gradient: tuple[int, ...] | None = None
    gradient_ulp: float = 200
    gradient_floor: float = 0
    zero_signs: bool = True
    outputs: tuple[int, ...] = (0,)
    reference_gradient: Callable[..., Sequence[Array]] | None = None


ROWS: dict[str, Row] = {}


def row(op: str, reference: Callable[..., Any], sample: Callable[[Draw], Sample], **options: Any) -> None:
    """Adds a row."""
    assert op not in ROWS, f"{op} has two rows"
    ROWS[op] = Row(op, reference, sample, **options)


@dataclass(frozen=True)
class Range:
    """The values an operand is drawn from."""

    low: float = -3.0
    high: float = 3.0
    attrs: Attrs = field(default_factory=dict)


# Elementwise ---------------------------------------------------------------------------------------------------------

NUMBERS = ("float32", "float64", "int32", "int64")
BYTES_TOO = (*NUMBERS, "uint8")


def unary(op: str, reference: Callable[..., Any], low: float = -3.0, high: float = 3.0, **options: Any) -> None:
    """A row for an op of one float tensor."""
    attrs = options.pop("attrs", {})
    options = {"special": True, "gradient_floor": 1.0, **options}

    def sample(d: Draw) -> Sample:
        return [d.array(d.shape(), low, high)], dict(attrs)

    row(op, reference, sample, **options)


def binary(op: str, reference: Callable[..., Any], a: Range = Range(), b: Range = Range(), **options: Any) -> None:
    """A row for an op of two tensors that broadcast."""
    options = {"special": True, "gradient_floor": 1.0, **options}

    def sample(d: Draw) -> Sample:
        shape = d.shape()
        first, second = shape, d.broadcastable(shape)
        if d.flag():
            first, second = second, first
        x, y = d.array(first, a.low, a.high), d.array(second, b.low, b.high)
        if d.smooth:  # never closer than 1/128
            x, y = np.round(x * 64) / 64, np.round(y * 64) / 64 + 1 / 128
        return [x, y], {}

    row(op, reference, sample, **options)


def logical(op: str, reference: Callable[..., Any], inputs: int) -> None:
    """A row for an op of bools."""

    def sample(d: Draw) -> Sample:
        shape = d.shape()
        return [d.bools(shape), *(d.bools(d.broadcastable(shape)) for _ in range(inputs - 1))], {}

    row(op, reference, sample)


unary("negative", np.negative, dtypes=BYTES_TOO, ulp=0)
unary("abs", np.abs, dtypes=BYTES_TOO, ulp=0, reference_gradient=lambda x, g: [g * np.sign(x)])
unary("sign", lambda x: np.where(x == 0, x, np.sign(x)), dtypes=BYTES_TOO, ulp=0)
unary("square", np.square, dtypes=BYTES_TOO, ulp=1)
unary("exp", np.exp, -20, 20)
unary("expm1", np.expm1, -20, 20)
unary("log", np.log, 0.01, 30)
unary("log1p", np.log1p, -0.9, 30)
unary("sqrt", np.sqrt, 0.01, 30, ulp=1)
unary("rsqrt", lambda x: 1 / np.sqrt(x), 0.01, 30)
unary("reciprocal", lambda x: 1 / x, 0.1, 30, ulp=1)
unary("sin", np.sin, -10, 10, scale=lambda x: np.maximum(np.abs(np.sin(x)), 1e-4))
unary("cos", np.cos, -10, 10, scale=lambda x: np.maximum(np.abs(np.cos(x)), 1e-4))
unary("tan", np.tan, -1.4, 1.4, ulp=8)
unary("floor", np.floor, -30, 30, ulp=0)
unary("ceil", np.ceil, -30, 30, ulp=0)
unary("round", np.rint, -30, 30, ulp=0)
unary("tanh", np.tanh, -12, 12)
unary("erf", ref.erf, -4, 4)
unary("sigmoid", ref.sigmoid, -30, 30)
unary("softplus", ref.softplus, -30, 30)
unary(
    "relu",
    lambda x: np.where(x < 0, np.zeros_like(x), x),
    dtypes=BYTES_TOO,
    ulp=0,
    reference_gradient=lambda x, g: [np.where(x > 0, g, 0)],
)
unary(
    "leaky_relu",
    lambda x, alpha: np.where(x > 0, x, alpha * x),
    ulp=1,
    attrs={"alpha": 0.25},
    reference_gradient=lambda x, g, alpha: [np.where(x > 0, g, np.float32(alpha) * g)],
)
unary(
    "elu",
    lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.where(x > 0, 0, x))),
    low=-20,
    high=20,
    attrs={"alpha": 1.5},
)
unary("silu", lambda x: x * ref.sigmoid(x), -30, 30, special=False)
unary("isnan", np.isnan)
unary("isinf", np.isinf)
unary("isfinite", np.isfinite)
logical("logical_not", np.logical_not, 1)
logical("logical_and", np.logical_and, 2)
logical("logical_or", np.logical_or, 2)
logical("logical_xor", np.logical_xor, 2)

binary("add", np.add, dtypes=BYTES_TOO, ulp=1)
binary("subtract", np.subtract, dtypes=BYTES_TOO, ulp=1)
binary("multiply", np.multiply, dtypes=BYTES_TOO, ulp=1)
binary("divide", np.divide, b=Range(0.2, 5), ulp=1)
binary("power", np.power, Range(0.1, 5), Range(-4, 4), ulp=16)
binary(
    "maximum",
    np.maximum,
    dtypes=BYTES_TOO,
    ulp=0,
    zero_signs=False,
    reference_gradient=lambda a, b, g: [np.where(a >= b, g, 0), np.where(a >= b, 0, g)],
)
binary(
    "minimum",
    np.minimum,
    dtypes=BYTES_TOO,
    ulp=0,
    zero_signs=False,
    reference_gradient=lambda a, b, g: [np.where(a <= b, g, 0), np.where(a <= b, 0, g)],
)
for _name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
    binary(_name, getattr(np, _name), dtypes=BYTES_TOO)


def _whole_and_rest(d: Draw) -> Sample:
    """Dividends that lie well between the multiples of their divisor, so that one rounding cannot change the floor."""
    shape = d.shape()
    b = d.array(d.broadcastable(shape), 0.5, 4) * (-1 if d.flag() else 1)
    whole = d.ints(shape, -6, 6).astype(np.float64)
    return [((whole + d.array(shape, 0.1, 0.9)) * b).astype(np.float32).astype(np.float64), b], {}


row("floor_divide", np.floor_divide, _whole_and_rest, ulp=0)
row("mod", np.mod, _whole_and_rest, ulp=64, scale=lambda a, b: np.abs(b) + 0 * a, gradient_ulp=2000)


def _select(d: Draw) -> Sample:
    shape = d.shape()
    cond, a, b = shape, d.broadcastable(shape), d.broadcastable(shape)
    return [d.bools(cond), d.array(a), d.array(b)], {}


row("select", np.where, _select, dtypes=BYTES_TOO, ulp=0)
binary(
    "sigmoid_cross_entropy",
    lambda x, t: np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x))),
    Range(-20, 20),
    Range(0.01, 0.99),
    scale=lambda x, t: np.abs(x) + np.abs(x * t) + 1,
    special=False,
)


def _cast(d: Draw) -> Sample:
    kinds = ("float64",) if d.smooth else ("float64", "float32", "int32", "int64", "bool")
    return [d.array(d.shape(), -100, 100)], {"dtype": d.choice(kinds)}


row(
    "cast",
    lambda x, dtype: x.astype(dtype),
    _cast,
    dtypes=BYTES_TOO,
    ulp=1,
)

# Reductions ----------------------------------------------------------------------------------------------------------


def _reduced(least: int = 0, low: float = -3.0, high: float = 3.0) -> Callable[[Draw], Sample]:
    def sample(d: Draw) -> Sample:
        shape = d.shape(least=least)
        return [d.array(shape, low, high)], {"axes": d.axes(len(shape)), "keepdims": d.flag()}

    return sample


def _over(function: Any) -> Callable[..., Any]:
    return lambda x, axes, keepdims: np.asarray(function(x, axis=tuple(axes), keepdims=keepdims)).astype(x.dtype)


def _mean(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    return np.asarray(x.sum(axis=axis, keepdims=keepdims) / math.prod(x.shape[a] for a in axis))


def _logsumexp(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    if x.size == 0:
        return np.asarray(np.log(np.exp(x).sum(axis=axis, keepdims=keepdims)))
    top = np.max(x, axis=axis, keepdims=True)
    out = np.log(np.exp(x - top).sum(axis=axis, keepdims=True)) + top
    return np.asarray(out if keepdims else np.squeeze(out, axis))


def _magnitude(function: Any) -> Callable[..., Any]:
    return lambda x, axes, keepdims: function(np.abs(x), axis=tuple(axes), keepdims=keepdims)


row("reduce_sum", _over(np.sum), _reduced(), dtypes=NUMBERS, scale=_magnitude(np.sum), ulp=16)
row("reduce_mean", _over(_mean), _reduced(), scale=_magnitude(_mean), ulp=16)
row("reduce_max", _over(np.max), _reduced(least=1), dtypes=NUMBERS, ulp=0)
row("reduce_min", _over(np.min), _reduced(least=1), dtypes=NUMBERS, ulp=0)
row("reduce_prod", _over(np.prod), _reduced(low=0.9, high=1.1), ulp=300, gradient_ulp=2000)
row(
    "logsumexp",
    _over(_logsumexp),
    _reduced(least=1),
    scale=lambda x, **_: 1.0 + np.abs(x).max(initial=0) + np.log(max(x.size, 1)),  # the result's size: max + log(sum)
    ulp=16,
)


def _reduced_bools(d: Draw) -> Sample:
    shape = d.shape()
    return [d.rng.random(shape) < d.choice((0.5, 0.02, 0.98))], {"axes": d.axes(len(shape)), "keepdims": d.flag()}


row("reduce_any", _over(np.any), _reduced_bools)
row("reduce_all", _over(np.all), _reduced_bools)


def _one_axis(d: Draw) -> Sample:
    shape = d.shape(low=1, least=1)
    return [d.array(shape)], {"axis": d.integer(0, len(shape) - 1)}


row("argmax", lambda x, axis: np.argmax(x, axis).astype(np.int32), _one_axis, dtypes=NUMBERS)
row("argmin", lambda x, axis: np.argmin(x, axis).astype(np.int32), _one_axis, dtypes=NUMBERS)

# Matrix product ------------------------------------------------------------------------------------------------------


def _matmul(d: Draw) -> Sample:
    limit = 12 if d.smooth else 70
    m, k, n = (d.size(0, limit, large) for large in (130, 257, 129))
    batch: tuple[int, ...] = () if d.large else d.shape(0, 2)[:2]
    batch = tuple(min(b, 3) for b in batch)
    a_batch, b_batch = (batch, d.broadcastable(batch)) if d.flag() else (d.broadcastable(batch), batch)
    transpose_a, transpose_b = d.flag(), d.flag()
    a = d.array((*a_batch, k, m) if transpose_a else (*a_batch, m, k))
    b = d.array((*b_batch, n, k) if transpose_b else (*b_batch, k, n))
    return [a, b], {"transpose_a": transpose_a, "transpose_b": transpose_b}


row(
    "matmul",
    ref.matmul,
    _matmul,
    dtypes=NUMBERS,
    ulp=32,
    scale=lambda a, b, **attrs: ref.matmul(np.abs(a), np.abs(b), **attrs) + 1e-30,
)

# Convolution ---------------------------------------------------------------------------------------------------------


def _window(d: Draw, cells: int, dilated: bool) -> tuple[list[int], list[int], list[int], list[int], tuple[int, int]]:
    """Size, strides, dilation and padding of a window, and a height and width that it fits."""
    if d.large:
        return [3, 3], [1, 1], [1, 1], [1, 1, 1, 1], (27, 29)
    size = [d.integer(1, cells), d.integer(1, cells)]
    strides = [d.integer(1, 3), d.integer(1, 3)]
    dilation = [d.integer(1, 2), d.integer(1, 2)] if dilated and d.flag() else [1, 1]
    reach = [dilation[i] * (size[i] - 1) + 1 for i in range(2)]
    padding = [d.integer(0, size[i // 2] - 1) for i in range(4)]
    edges = [max(1, reach[i] - padding[2 * i] - padding[2 * i + 1]) + d.integer(0, 8) for i in range(2)]
    return size, strides, dilation, padding, (edges[0], edges[1])


def _convolution(d: Draw) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], Attrs]:
    """Shapes of images, filters and results, and the attributes."""
    size, strides, dilation, padding, edges = _window(d, 3 if d.smooth else 5, dilated=True)
    groups = 1 if d.large or d.flag() else d.integer(1, 3)
    channels = groups * (16 if d.large else d.choice((1, 2, 3, 5) if d.smooth else (1, 2, 3, 5, 16, 17)))
    filters = groups * (24 if d.large else d.choice((1, 2, 4, 5) if d.smooth else (1, 2, 4, 7, 16, 33)))
    x = (d.size(0, 3, 5), *edges, channels)
    w = (*size, channels // groups, filters)
    y = (x[0], *ref.window_out(x, w, strides, dilation, padding), filters)
    return x, w, y, {"strides": strides, "dilation": dilation, "padding": padding, "groups": groups}


def _conv2d(d: Draw) -> Sample:
    x, w, _, attrs = _convolution(d)
    return [d.array(x), d.array(w)], attrs


def _conv2d_grad_input(d: Draw) -> Sample:
    x, w, y, attrs = _convolution(d)
    return [d.array(y), d.array(w)], {**attrs, "input_shape": list(x)}


def _conv2d_grad_filter(d: Draw) -> Sample:
    x, w, y, attrs = _convolution(d)
    return [d.array(x), d.array(y)], {**attrs, "filter_shape": list(w)}


def _conv(op: str, reference: Callable[..., Any], sample: Callable[[Draw], Sample]) -> None:
    def scale(a: Array, b: Array, **attrs: Any) -> Array:
        return np.asarray(reference(np.abs(a), np.abs(b), **attrs)) + 1e-30

    row(op, reference, sample, ulp=48, scale=scale)


_conv("conv2d", ref.conv2d, _conv2d)
_conv("conv2d_grad_input", ref.conv2d_grad_input, _conv2d_grad_input)
_conv("conv2d_grad_filter", ref.conv2d_grad_filter, _conv2d_grad_filter)

# Pooling -------------------------------------------------------------------------------------------------------------


def _pool(d: Draw) -> tuple[tuple[int, ...], tuple[int, ...], Attrs]:
    """Shapes of images and results, and the attributes."""
    size, strides, _, padding, edges = _window(d, 4, dilated=False)
    if d.large:
        size, strides, padding = [2, 2], [2, 2], [0, 0, 0, 0]
    elif d.integer(0, 19) == 0:
        size, padding, edges = [17, 16], [0, 3, 2, 1], (19, 16)  # too many cells for a byte
    x = (d.size(0, 3, 9), *edges, 33 if d.large else d.choice((1, 2, 3, 16, 17)))
    y = (x[0], *ref.window_out(x, size, strides, (1, 1), padding), x[3])
    return x, y, {"size": size, "strides": strides, "padding": padding}


def _pooled(d: Draw) -> Sample:
    x, _, attrs = _pool(d)
    return [d.array(x)], attrs


def _max_pool2d_grad(d: Draw) -> Sample:
    x, y, attrs = _pool(d)
    return [d.array(y), ref.max_pool2d(d.array(x), **attrs)[1]], {**attrs, "input_shape": list(x)}


def _avg_pool2d_grad(d: Draw) -> Sample:
    x, y, attrs = _pool(d)
    return [d.array(y)], {**attrs, "input_shape": list(x)}


def _pool_scale(reference: Callable[..., Any]) -> Callable[..., Any]:
    return lambda g, *rest, **attrs: reference(np.abs(g), *rest, **attrs) + 1e-30


row("max_pool2d", ref.max_pool2d, _pooled, ulp=0)
row("max_pool2d_grad", ref.max_pool2d_grad, _max_pool2d_grad, ulp=8, scale=_pool_scale(ref.max_pool2d_grad))
row("avg_pool2d", ref.avg_pool2d, _pooled, ulp=8, scale=_pool_scale(ref.avg_pool2d))
row("avg_pool2d_grad", ref.avg_pool2d_grad, _avg_pool2d_grad, ulp=8, scale=_pool_scale(ref.avg_pool2d_grad))

# Normalisation and cross-entropies -----------------------------------------------------------------------------------


def _batch_norm(d: Draw) -> Sample:
    shape = d.shape(low=1, least=1)
    if math.prod(shape[:-1]) < 3:  # with two rows the normalised values are 1 and -1 whatever the input
        shape = (5, *shape[1:]) if len(shape) > 1 else (5, *shape)
    channels = shape[-1:]
    return [d.array(shape), d.array(channels, 0.5, 2), d.array(channels)], {"epsilon": d.choice((1e-3, 1e-5))}


def _batch_norm_grad(d: Draw) -> Sample:
    (x, gamma, _), attrs = _batch_norm(d)
    _, mean, variance = ref.batch_norm(x, gamma, gamma, **attrs)
    return [d.array(x.shape), x, gamma, mean, variance], attrs


def _batch_norm_scale(x: Array, gamma: Array, beta: Array, epsilon: float) -> tuple[Array, Array, Array]:
    """What the rounding errors of the mean come to in each output."""
    _, mean, variance = ref.batch_norm(np.abs(x), gamma, beta, epsilon)
    deviation = np.sqrt(ref.batch_norm(x, gamma, beta, epsilon)[2] + epsilon)
    return (np.abs(x) + mean) / deviation * gamma + np.abs(beta), mean, variance + np.square(mean)


row("batch_norm", ref.batch_norm, _batch_norm, ulp=64, scale=_batch_norm_scale, gradient_ulp=400, gradient_floor=1.0)
row("batch_norm_grad", ref.batch_norm_grad, _batch_norm_grad, ulp=512, scale="largest")


def _rows(d: Draw) -> Array:
    return d.array(d.shape(low=1, least=1), -8, 8)


def _distribution(d: Draw, like: Array) -> Array:
    weights = d.array(like.shape, 0.1, 1)
    return np.asarray((weights / weights.sum(-1, keepdims=True)).astype(np.float32), np.float64)


def _cross_entropy(d: Draw) -> Sample:
    logits = _rows(d)
    return [logits, _distribution(d, logits)], {}


def _cross_entropy_grad(d: Draw) -> Sample:
    logits = _rows(d)
    return [_distribution(d, logits), _distribution(d, logits), d.array(logits.shape[:-1])], {}


def _sparse(d: Draw) -> Sample:
    logits = _rows(d)
    return [logits, d.ints(logits.shape[:-1], 0, logits.shape[-1], d.choice(("int32", "int64")))], {}


def _sparse_grad(d: Draw) -> Sample:
    logits, labels = _sparse(d)[0]
    return [_distribution(d, logits), labels, d.array(labels.shape)], {}


def _sparse_cross_entropy(x: Array, labels: Array) -> Array:
    return -np.take_along_axis(ref.log_softmax(x), labels[..., None].astype(np.int64), -1)[..., 0]


row("softmax", ref.softmax, lambda d: ([_rows(d)], {}), ulp=32, gradient_floor=1.0)
row(
    "log_softmax",
    ref.log_softmax,
    lambda d: ([_rows(d)], {}),
    ulp=8,
    scale=lambda x: np.abs(ref.log_softmax(x)) + 4,
    gradient_floor=1.0,
)
row(
    "softmax_cross_entropy",
    lambda x, t: -(t * ref.log_softmax(x)).sum(-1),
    _cross_entropy,
    ulp=16,
    gradient_floor=1.0,
    scale=lambda x, t: (t * (np.abs(ref.log_softmax(x)) + 4)).sum(-1),
)
row(
    "softmax_cross_entropy_grad",
    lambda p, t, g: (p * t.sum(-1, keepdims=True) - t) * g[..., None],
    _cross_entropy_grad,
    ulp=16,
    scale=lambda p, t, g: (p + t) * np.abs(g[..., None]),
    gradient_floor=1.0,
)
row(
    "sparse_softmax_cross_entropy",
    _sparse_cross_entropy,
    _sparse,
    ulp=8,
    scale=lambda x, labels: np.abs(_sparse_cross_entropy(x, labels)) + 4,
    gradient_floor=1.0,
)
row(
    "sparse_softmax_cross_entropy_grad",
    lambda p, labels, g: (p - ref.one_hot(labels, p.shape[-1])) * g[..., None],
    _sparse_grad,
    ulp=4,
    scale=lambda p, labels, g: (p + ref.one_hot(labels, p.shape[-1])) * np.abs(g[..., None]),
)

# Layout --------------------------------------------------------------------------------------------------------------

ANY = ("float32", "float64", "int32", "int64", "bool", "uint8")


def _reshape(d: Draw) -> Sample:
    shape = d.shape()
    n = math.prod(shape)
    options = [[n], [1, n], [n, 1, 1], list(shape[::-1]), [2, n // 2] if n % 2 == 0 else [n]]
    return [d.array(shape)], {"shape": d.choice(options)}


def _transpose(d: Draw) -> Sample:
    shape = d.shape(high=5)
    perm = list(range(len(shape)))[::-1] if d.large else [int(i) for i in d.rng.permutation(len(shape))]
    return [d.array(shape)], {"perm": perm}


def _python_slices(begin: Sequence[int], end: Sequence[int], strides: Sequence[int]) -> tuple[slice, ...]:
    limits = zip(begin, end, strides or [1] * len(begin), strict=True)
    return tuple(slice(b, None if s < 0 and e < 0 else e, s) for b, e, s in limits)


def _slice(d: Draw) -> Sample:
    shape = d.shape()
    begin, end, strides = [], [], []
    for n in shape:
        stride = 1 if d.large or d.flag() else d.choice((1, 2, 3, -1, -2, 7, -5))
        low, high = sorted((d.integer(0, n), d.integer(0, n)))
        if n == 0 and stride < 0:
            stride = 1
        if stride > 0:
            begin.append(low)
            end.append(high)
        else:
            begin.append(max(high - 1, 0))
            end.append(d.choice((-1, -n - 1)) if low == 0 else min(low - 1, begin[-1]))
        strides.append(stride)
    return [d.array(shape)], {"begin": begin, "end": end, "strides": strides}


def _pad(d: Draw) -> Sample:
    shape = d.shape()
    low, high = [d.integer(0, 3) for _ in shape], [d.integer(0, 3) for _ in shape]
    interior = [d.integer(0, 2) for _ in shape] if d.integer(0, 2) == 0 else []
    return [d.array(shape)], {"low": low, "high": high, "interior": interior, "value": float(d.integer(0, 2))}


def _padded(x: Array, low: Sequence[int], high: Sequence[int], interior: Sequence[int], value: float) -> Array:
    steps = [1 + i for i in interior] or [1] * x.ndim
    shape = [n + (n - 1) * (s - 1) if n else 0 for n, s in zip(x.shape, steps, strict=True)]
    spread = np.full(shape, value).astype(x.dtype)
    spread[tuple(slice(None, None, s) for s in steps)] = x
    if not low:
        return spread
    return np.pad(spread, tuple(zip(low, high, strict=True)), constant_values=np.asarray(value).astype(x.dtype))


def _concat(d: Draw) -> Sample:
    shape = d.shape(low=1)
    axis = d.integer(0, len(shape) - 1)
    many = 40 if d.integer(0, 9) == 9 else d.integer(1, 5)
    parts = [(*shape[:axis], shape[axis] if d.large else d.integer(0, 5), *shape[axis + 1 :]) for _ in range(many)]
    return [d.array(part) for part in parts], {"axis": axis}


def _broadcast_to(d: Draw) -> Sample:
    shape = d.shape()
    given = (*shape[:-1], 1) if d.large else d.broadcastable(shape)
    return [d.array(given)], {"shape": list(shape)}


def _gather(d: Draw) -> Sample:
    shape = d.shape(low=1, high=3, least=1)
    axis = d.integer(0, len(shape) - 1)
    index = (37,) if d.large else d.shape(high=2)
    if math.prod(index) * math.prod(shape) > 20000:
        index = (3,)
    kind = d.choice(("int32", "int64", "uint8"))
    low = 0 if kind == "uint8" else -shape[axis]
    return [d.array(shape), d.ints(index, low, min(shape[axis], 128), kind)], {"axis": axis}


def _scatter_add(d: Draw) -> Sample:
    (x, index), attrs = _gather(d)
    axis = attrs["axis"]
    updates = (*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])
    return [index, d.array(updates)], {"axis": axis, "dim": x.shape[axis]}


def _scattered(index: Array, updates: Array, axis: int, dim: int) -> Array:
    rest = updates.shape[:axis], updates.shape[axis + index.ndim :]
    flat = updates.reshape((*rest[0], index.size, *rest[1]))
    out = np.zeros((*rest[0], dim, *rest[1]), updates.dtype)
    where: Any = (slice(None),) * axis + (index.reshape(-1).astype(np.int64),)
    np.add.at(out, where, flat)
    return out


def _one_hot(d: Draw) -> Sample:
    depth = d.size(0, 20, 300)
    index = d.ints(d.shape(high=2, large=(999,)), -2, depth + 3, d.choice(("int32", "int64")))
    return [index], {"depth": depth, "dtype": d.choice(ANY)}


def _iota(d: Draw) -> Sample:
    shape = d.shape(low=1)
    attrs = {"shape": list(shape), "axis": d.integer(0, len(shape) - 1), "dtype": d.choice(NUMBERS)}
    return [], attrs


def _counted(shape: Sequence[int], axis: int, dtype: str) -> Array:
    along = np.arange(shape[axis]).reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return np.broadcast_to(along, tuple(shape)).astype(dtype)


row("reshape", lambda x, shape: x.reshape(shape), _reshape, dtypes=ANY, ulp=0)
row("transpose", lambda x, perm: x.transpose(perm), _transpose, dtypes=ANY, ulp=0)
row("slice", lambda x, begin, end, strides: x[_python_slices(begin, end, strides)], _slice, dtypes=ANY, ulp=0)
row("pad", _padded, _pad, dtypes=ANY, ulp=0)
row("concat", lambda *xs, axis: np.concatenate(xs, axis), _concat, dtypes=ANY, ulp=0)
row("broadcast_to", lambda x, shape: np.broadcast_to(x, shape), _broadcast_to, dtypes=ANY, ulp=0)
row("gather", lambda x, index, axis: np.take(x, index, axis), _gather, dtypes=ANY, ulp=0)
row(
    "scatter_add",
    _scattered,
    _scatter_add,
    dtypes=NUMBERS,
    ulp=16,
    scale=lambda index, updates, **attrs: _scattered(index, np.abs(updates), **attrs),
)
row("one_hot", lambda index, depth, dtype: ref.one_hot(index, depth).astype(dtype), _one_hot, ulp=0)
row("iota", _counted, _iota, ulp=0)
row("stop_gradient", lambda x: x, lambda d: ([d.array(d.shape())], {}), dtypes=ANY, ulp=0, gradient=())

# Image ----------------------------------------------------------------------------------------------------------------

FILLS = ("constant", "grid-constant", "nearest", "reflect", "mirror", "wrap", "grid-wrap")


def _image_affine(d: Draw) -> Sample:
    """Rotations and zooms about the middle whose coordinates are short binary fractions: exact in float32."""
    n, h, w = d.size(0, 3, 24), d.size(1, 7, 33), d.size(1, 9, 31)
    size = [d.size(0, 8, 40), d.size(1, 8, 27)]
    matrices = d.rng.integers(-24, 25, size=(n, 2, 3)) / 8.0
    attrs = {"size": size, "fill": d.choice(FILLS), "interpolation": d.choice(("bilinear", "nearest")), "value": 0.5}
    return [d.array((n, h, w, d.choice((1, 3, 2, 5)))), matrices.astype("float32")], attrs


row(
    "image_affine",
    ref.image_affine,
    _image_affine,
    dtypes=("float32",),
    ulp=4,
    scale=lambda x, *_, **__: np.abs(x).max(initial=1),
)

# Random --------------------------------------------------------------------------------------------------------------


def _state(d: Draw) -> Array:
    return np.array([d.integer(-(2**63), 2**63 - 1), d.integer(0, 2**40)], np.int64)


def _random(**attrs: Any) -> Callable[[Draw], Sample]:
    def sample(d: Draw) -> Sample:
        chosen = {name: d.choice(options) for name, options in attrs.items()}
        return [_state(d)], {"shape": list(d.shape()), **chosen}

    return sample


def _bernoulli(state: Array, shape: Sequence[int], p: float, dtype: str) -> Array:
    return ((ref.random_bits(state, shape) >> np.uint64(8)) * 2.0**-24 < np.float32(p)).astype(dtype)


def _random_int(state: Array, shape: Sequence[int], low: int, high: int, dtype: str) -> Array:
    above = (ref.random_bits(state, shape) * np.uint64(high - low)) >> np.uint64(32)
    return (above.astype(np.int64) + low).astype(dtype)


FLOATS = ("float32", "float64")
row(
    "random_uniform",
    lambda state, shape, low, high, dtype: ref.random_uniform(state, shape, low, high).astype(dtype),
    _random(low=(0.0, -1.0, -0.3), high=(1.0, 2.5), dtype=FLOATS),
    ulp=1,
    unit=2.0**-23,
)
row(
    "random_normal",
    lambda state, shape, mean, stddev, dtype: ref.random_normal(state, shape, mean, stddev).astype(dtype),
    _random(mean=(0.0, 1.5), stddev=(1.0, 0.1), dtype=FLOATS),
    scale=lambda state, mean, **_: abs(mean) + 1,
    ulp=16,
    unit=2.0**-23,
)
row(
    "truncated_normal",
    lambda state, shape, mean, stddev, dtype: ref.random_normal(
        state, shape, mean, stddev, math.erf(math.sqrt(2))
    ).astype(dtype),
    _random(mean=(0.0, 1.5), stddev=(1.0, 0.1), dtype=FLOATS),
    scale=lambda state, mean, **_: abs(mean) + 1,
    ulp=16,
    unit=2.0**-23,
)
row("random_bernoulli", _bernoulli, _random(p=(0.5, 0.0, 1.0, 0.1), dtype=ANY), ulp=0)
row("random_int", _random_int, _random(low=(0, -7), high=(1, 2**31 - 8), dtype=("int32", "int64")), ulp=0)


def _dropout(d: Draw) -> Sample:
    return [d.array(d.shape()), _state(d)], {"rate": d.choice((0.5, 0.0, 0.1, 1.0, 0.999))}


row(
    "dropout",
    lambda x, state, rate: np.where(ref.dropout_keeps(state, x.shape, rate), x / (1 - min(rate, 0.9999)), 0),
    _dropout,
    ulp=2,
)

# Optimizer updates ---------------------------------------------------------------------------------------------------


def _update(slots: int, **attrs: Any) -> Callable[[Draw], Sample]:
    """Variable, gradient, slots (not negative) and the rate."""

    def sample(d: Draw) -> Sample:
        shape = d.shape()
        chosen = {name: d.choice(options) for name, options in attrs.items()}
        return [d.array(shape), d.array(shape), *(d.array(shape, 0, 2) for _ in range(slots)), np.array(0.0625)], chosen

    return sample


def _momentum(var: Array, g: Array, m: Array, lr: Array, momentum: float, nesterov: bool) -> tuple[Array, Array]:
    m = momentum * m - lr * g
    return (var + momentum * m - lr * g if nesterov else var + m), m


def _adam(
    var: Array, g: Array, m: Array, v: Array, alpha: Array, beta_1: float, beta_2: float, epsilon: float
) -> tuple[Array, Array, Array]:
    m = m + (g - m) * (1 - beta_1)
    v = v + (np.square(g) - v) * (1 - beta_2)
    return var - alpha * m / (np.sqrt(v) + epsilon), m, v


def _rmsprop(var: Array, g: Array, v: Array, lr: Array, rho: float, epsilon: float) -> tuple[Array, Array]:
    v = rho * v + (1 - rho) * np.square(g)
    return var - lr * g / np.sqrt(v + epsilon), v


_UPDATE: Attrs = {"ulp": 16, "scale": lambda var, *rest, **_: 4.0, "gradient": ()}
row("sgd_update", lambda var, g, lr: var - lr * g, _update(0), **_UPDATE)
row("sgd_momentum_update", _momentum, _update(1, momentum=(0.9, 0.0), nesterov=(False, True)), **_UPDATE)
row("adam_update", _adam, _update(2, beta_1=(0.9,), beta_2=(0.999,), epsilon=(1e-7,)), **_UPDATE)
row("rmsprop_update", _rmsprop, _update(1, rho=(0.9,), epsilon=(1e-7,)), **_UPDATE)
