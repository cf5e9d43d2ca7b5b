"""Functions of `nabi.ops` for networks: activations, normalisation, losses, attention."""

from __future__ import annotations

import math
import warnings
from typing import Any, cast

from nabi import config, dtypes
from nabi.ops import elementwise as e
from nabi.ops import reduction as r
from nabi.ops._dispatch import Value, axes_of, axis_of, broadcast, common, floating, op_of, reshaped
from nabi.ops.convolution import (
    adaptive_average_pool,
    adaptive_max_pool,
    average_pool,
    conv,
    conv_transpose,
    depthwise_conv,
    max_pool,
    separable_conv,
)
from nabi.ops.creation import filled, triangle
from nabi.ops.ctc import ctc_loss
from nabi.ops.indexing import index_tensor, multi_hot, one_hot, sort
from nabi.ops.layout import permuted, sliced
from nabi.ops.products import product
from nabi.trace import Tensor, emit, to_tensor

__all__ = [
    "adaptive_average_pool",
    "adaptive_max_pool",
    "average_pool",
    "batch_normalization",
    "binary_crossentropy",
    "categorical_crossentropy",
    "celu",
    "conv",
    "conv_transpose",
    "ctc_loss",
    "depth_to_space",
    "depthwise_conv",
    "dot_product_attention",
    "elu",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "layer_normalization",
    "leaky_relu",
    "log_sigmoid",
    "log_softmax",
    "max_pool",
    "moments",
    "multi_hot",
    "normalize",
    "one_hot",
    "psnr",
    "relu",
    "relu6",
    "rms_normalization",
    "selu",
    "separable_conv",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "space_to_depth",
    "sparse_categorical_crossentropy",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh_shrink",
    "threshold",
]


@op_of("nn")
def relu(x: Value) -> Value:
    """max(x, 0); NaN stays NaN."""
    tensor = to_tensor(x)
    return emit("relu", tensor) if dtypes.is_float(tensor.dtype) else e.maximum(tensor, 0)


@op_of("nn")
def relu6(x: Value) -> Value:
    """min(max(x, 0), 6)."""
    return e.clip(x, 0, 6)


@op_of("nn")
def leaky_relu(x: Value, negative_slope: float = 0.2) -> Value:
    """x above 0, negative_slope * x below."""
    return emit("leaky_relu", floating(x), alpha=float(negative_slope))


@op_of("nn")
def elu(x: Value, alpha: float = 1.0) -> Value:
    """x above 0, alpha * (exp(x) - 1) below."""
    return emit("elu", floating(x), alpha=float(alpha))


@op_of("nn")
def selu(x: Value) -> Value:
    """A scaled `elu` whose output keeps mean 0 and variance 1 (Klambauer et al., 2017)."""
    return e.multiply(1.0507009873554805, emit("elu", floating(x), alpha=1.6732632423543772))


@op_of("nn")
def celu(x: Value, alpha: float = 1.0) -> Value:
    """x above 0, alpha * (exp(x / alpha) - 1) below."""
    tensor = floating(x)
    return e.add(emit("relu", tensor), e.multiply(alpha, e.expm1(e.divide(e.minimum(tensor, 0.0), alpha))))


@op_of("nn")
def gelu(x: Value, approximate: bool = True) -> Value:
    """x times the normal distribution's function of x, exactly or by the tanh approximation."""
    tensor = floating(x)
    if approximate:
        cubic = e.multiply(e.multiply(tensor, tensor), tensor)
        inner = e.multiply(math.sqrt(2 / math.pi), e.add(tensor, e.multiply(0.044715, cubic)))
        return e.multiply(e.multiply(0.5, tensor), e.add(1.0, e.tanh(inner)))
    return e.multiply(e.multiply(0.5, tensor), e.add(1.0, e.erf(e.multiply(tensor, math.sqrt(0.5)))))


@op_of("nn")
def sigmoid(x: Value) -> Value:
    """1 / (1 + exp(-x))."""
    return emit("sigmoid", floating(x))


@op_of("nn")
def log_sigmoid(x: Value) -> Value:
    """log(sigmoid(x))."""
    return e.negative(emit("softplus", e.negative(floating(x))))


@op_of("nn")
def hard_sigmoid(x: Value) -> Value:
    """relu6(x + 3) / 6."""
    return e.divide(relu6(e.add(floating(x), 3.0)), 6.0)


@op_of("nn")
def silu(x: Value) -> Value:
    """x * sigmoid(x)."""
    return emit("silu", floating(x))


@op_of("nn")
def swish(x: Value) -> Value:
    """The same as `silu`."""
    return emit("silu", floating(x))


@op_of("nn")
def hard_silu(x: Value) -> Value:
    """x * hard_sigmoid(x)."""
    tensor = floating(x)
    return e.multiply(tensor, hard_sigmoid(tensor))


@op_of("nn")
def hard_swish(x: Value) -> Value:
    """The same as `hard_silu`."""
    return hard_silu(x)


@op_of("nn")
def softplus(x: Value) -> Value:
    """log(1 + exp(x))."""
    return emit("softplus", floating(x))


@op_of("nn")
def softsign(x: Value) -> Value:
    """x / (1 + |x|)."""
    tensor = floating(x)
    return e.divide(tensor, e.add(1.0, e.absolute(tensor)))


@op_of("nn")
def tanh_shrink(x: Value) -> Value:
    """x - tanh(x)."""
    tensor = floating(x)
    return e.subtract(tensor, e.tanh(tensor))


@op_of("nn")
def hard_tanh(x: Value) -> Value:
    """x within -1 and 1."""
    return e.clip(x, -1, 1)


@op_of("nn")
def hard_shrink(x: Value, threshold: float = 0.5) -> Value:
    """x, and 0 where |x| is at most the threshold."""
    tensor = floating(x)
    return e.where(e.greater(e.absolute(tensor), threshold), tensor, 0.0)


@op_of("nn")
def soft_shrink(x: Value, threshold: float = 0.5) -> Value:
    """x moved towards 0 by the threshold, and 0 where |x| is at most that."""
    tensor = floating(x)
    below = e.where(e.less(tensor, -threshold), e.add(tensor, threshold), 0.0)
    return e.where(e.greater(tensor, threshold), e.subtract(tensor, threshold), below)


@op_of("nn")
def squareplus(x: Value, b: float = 4) -> Value:
    """(x + sqrt(x**2 + b)) / 2."""
    tensor = floating(x)
    return e.divide(e.add(tensor, e.sqrt(e.add(e.square(tensor), b))), 2.0)


@op_of("nn")
def sparse_plus(x: Value) -> Value:
    """0 below -1, x above 1, (x + 1)**2 / 4 between."""
    tensor = floating(x)
    middle = e.multiply(0.25, e.square(e.add(tensor, 1.0)))
    return e.where(e.less_equal(tensor, -1.0), 0.0, e.where(e.greater_equal(tensor, 1.0), tensor, middle))


@op_of("nn")
def sparse_sigmoid(x: Value) -> Value:
    """0 below -1, 1 above 1, (x + 1) / 2 between."""
    return e.multiply(0.5, e.add(e.clip(floating(x), -1.0, 1.0), 1.0))


@op_of("nn")
def threshold(x: Value, threshold: float, default_value: float) -> Value:
    """x where it is above the threshold, else `default_value`."""
    tensor = floating(x)
    return e.where(e.greater(tensor, threshold), tensor, default_value)


@op_of("nn")
def glu(x: Value, axis: int = -1) -> Value:
    """The first half of an axis times the sigmoid of its second half."""
    tensor = floating(x)
    at = axis_of(axis, tensor.ndim)
    length = tensor.shape[at]
    if length % 2:
        raise ValueError(f"axis size must be divisible by 2. Received: x.shape={tensor.shape} with axis={axis}")
    return e.multiply(sliced(tensor, at, 0, length // 2), emit("sigmoid", sliced(tensor, at, length // 2, length)))


def _along(name: str, x: Tensor, axis: Any) -> Tensor:
    """A softmax of the core, which works on the last axis, along others."""
    axes = axes_of(axis, x.ndim)
    if axes == [x.ndim - 1]:
        return cast(Tensor, emit(name, x))
    perm = [i for i in range(x.ndim) if i not in axes] + axes
    moved = permuted(x, perm)
    flat = reshaped(moved, [*moved.shape[: x.ndim - len(axes)], math.prod(x.shape[a] for a in axes)])
    found = reshaped(cast(Tensor, emit(name, flat)), moved.shape)
    return permuted(found, [perm.index(i) for i in range(x.ndim)])


def _softmax(name: str, x: Value, axis: Any) -> Tensor:
    tensor = floating(x)
    if tensor.ndim == 0:
        return filled(1.0 if name == "softmax" else 0.0, (), tensor.dtype)
    if isinstance(axis, int) and -tensor.ndim <= axis < tensor.ndim and tensor.shape[axis] == 1 and name == "softmax":
        warnings.warn(
            f"You are using a softmax over axis {axis} of a tensor of shape {tensor.shape}. This axis has size 1. The "
            "softmax operation will always return the value 1, which is likely not what you intended. Did you mean to "
            "use a sigmoid instead?",
            stacklevel=4,
        )
    return _along(name, tensor, axis)


@op_of("nn")
def softmax(x: Value, axis: Any = -1) -> Value:
    """exp(x) divided by its sum along `axis` (one or several; all for None)."""
    return _softmax("softmax", x, axis)


@op_of("nn")
def log_softmax(x: Value, axis: Any = -1) -> Value:
    """log(softmax(x)), exact where softmax is near 0."""
    return _softmax("log_softmax", x, axis)


@op_of("nn")
def sparsemax(x: Value, axis: int = -1) -> Value:
    """The probabilities nearest to x (Martins and Astudillo, 2016), many of them 0; sorts, so for short axes."""
    tensor = floating(x)
    at = axis_of(axis, tensor.ndim)
    falling = e.negative(sort(e.negative(tensor), axis=at))
    sums = r.cumsum(falling, axis=at)
    shape = [tensor.shape[i] if i == at else 1 for i in range(tensor.ndim)]
    counts = e.add(cast(Tensor, emit("iota", shape=shape, axis=at, dtype=tensor.dtype)), 1.0)
    support = e.greater(e.subtract(falling, e.divide(e.subtract(sums, 1.0), counts)), 0.0)
    chosen = r.sum(to_tensor(support, tensor.dtype), axis=at, keepdims=True)
    total = r.sum(e.where(support, falling, 0.0), axis=at, keepdims=True)
    return emit("relu", e.subtract(tensor, e.divide(e.subtract(total, 1.0), chosen)))


@op_of("nn")
def moments(x: Value, axes: Any, keepdims: bool = False, synchronized: bool = False) -> Value:
    """The mean and the (biased) variance over `axes`."""
    if synchronized:
        raise NotImplementedError("Nabi trains on one device: `synchronized` must be False.")
    tensor = floating(x)
    return r.mean(tensor, axis=axes, keepdims=keepdims), r.var(tensor, axis=axes, keepdims=keepdims)


@op_of("nn", "BatchNorm")
def batch_normalization(
    x: Value,
    mean: Value,
    variance: Value,
    axis: int,
    offset: Value = None,
    scale: Value = None,
    epsilon: float = 1e-3,
) -> Value:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, with vectors along `axis`."""
    tensor = floating(x)
    at = axis_of(axis, tensor.ndim)

    def row(name: str, v: Value) -> Tensor:
        vector = to_tensor(v, tensor.dtype)
        if vector.shape != (tensor.shape[at],):
            raise ValueError(
                f"Arguments `{name}` must be a vector of length `x.shape[axis]`. Expected: `{(tensor.shape[at],)}`. "
                f"Received: `{vector.shape}."
            )
        return reshaped(vector, [vector.size if i == at else 1 for i in range(tensor.ndim)])

    factor = e.rsqrt(e.add(row("variance", variance), epsilon))
    if scale is not None:
        factor = e.multiply(factor, row("scale", scale))
    shift = e.negative(e.multiply(row("mean", mean), factor))
    if offset is not None:
        shift = e.add(shift, row("offset", offset))
    return e.add(e.multiply(tensor, factor), shift)


def _spread(v: Value, x: Tensor, axes: list[int]) -> Tensor:
    tensor = to_tensor(v, x.dtype)
    if tensor.ndim != x.ndim and axes != [x.ndim - 1]:
        return reshaped(tensor, [d if i in axes else 1 for i, d in enumerate(x.shape)])
    return tensor


@op_of("nn", "LayerNorm")
def layer_normalization(
    x: Value, gamma: Value = None, beta: Value = None, axis: Any = -1, epsilon: float | None = None
) -> Value:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with the statistics over `axis` of each sample."""
    tensor = floating(x)
    axes = axes_of(axis, tensor.ndim)
    small = config.epsilon() if epsilon is None else epsilon
    centred = e.subtract(tensor, r.mean(tensor, axis=axes, keepdims=True))
    variance = r.mean(e.square(centred), axis=axes, keepdims=True)
    found = e.multiply(centred, e.rsqrt(e.add(variance, small)))
    if gamma is not None:
        found = e.multiply(found, _spread(gamma, tensor, axes))
    return found if beta is None else e.add(found, _spread(beta, tensor, axes))


@op_of("nn", "RMSNorm")
def rms_normalization(x: Value, scale: Value = None, axis: Any = -1, epsilon: float | None = None) -> Value:
    """x / sqrt(mean(x**2) + epsilon) * scale, with the mean over `axis`."""
    tensor = floating(x)
    axes = axes_of(axis, tensor.ndim)
    small = config.epsilon() if epsilon is None else epsilon
    found = e.multiply(tensor, e.rsqrt(e.add(r.mean(e.square(tensor), axis=axes, keepdims=True), small)))
    return found if scale is None else e.multiply(found, _spread(scale, tensor, axes))


@op_of("nn")
def normalize(x: Value, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Value:
    """x divided by its norm along `axis`, which counts as at least epsilon.

    Raises:
        ValueError: `order` is not a positive integer.
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"Argument `order` must be an int >= 1. Received: order={order}")
    tensor = floating(x)
    tensor = tensor if tensor.ndim else reshaped(tensor, [1])
    small = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        inverse = e.rsqrt(r.sum(e.square(tensor), axis=axis, keepdims=True))
        return e.multiply(tensor, e.minimum(inverse, 1.0 / small))
    length = r.norm(tensor, ord=order, axis=axis, keepdims=True)
    return e.divide(tensor, e.maximum(length, small))


@op_of("nn", "PSNR")
def psnr(x1: Value, x2: Value, max_val: float) -> Value:
    """The peak signal-to-noise ratio of two images, in decibels."""
    a, b = common(x1, x2, floating=True)
    if a.shape != b.shape:
        raise ValueError(f"Input shapes {a.shape} and {b.shape} must match for PSNR calculation. ")
    error = r.mean(e.square(e.subtract(a, b)))
    return e.subtract(e.multiply(20.0, e.log10(to_tensor(max_val, a.dtype))), e.multiply(10.0, e.log10(error)))


def _same_shape(target: Tensor, output: Tensor) -> None:
    if target.shape != output.shape:
        raise ValueError(
            "Arguments `target` and `output` must have the same shape. Received: "
            f"target.shape={target.shape}, output.shape={output.shape}"
        )


def _logits_of(output: Tensor, raw: Value, from_logits: bool, activation: str) -> Tensor | None:
    """The logits behind an output: itself, or what the loss's own activation made it from.

    A loss of a softmax (over the last axis) or sigmoid activation is computed from the logits, as TensorFlow's Keras
    does. Equal nodes of a graph are one, so applying the activation again tells whether it is it.
    """
    if from_logits:
        return output
    logits = getattr(raw, "_keras_logits", None)
    if not isinstance(logits, Tensor) or logits._trace is not output._trace or logits.shape != output.shape:
        return None
    return logits if emit(activation, logits)._id == output._id else None


def _probabilities(output: Tensor, axis: int) -> Tensor:
    """log of the outputs normalised to sum 1 and clipped to [epsilon, 1 - epsilon]."""
    shares = e.divide(output, r.sum(output, axis=axis, keepdims=True))
    return cast(Tensor, e.log(e.clip(shares, config.epsilon(), 1.0 - config.epsilon())))


@op_of("nn")
def categorical_crossentropy(target: Value, output: Value, from_logits: bool = False, axis: int = -1) -> Value:
    """-sum(target * log(output)) along `axis`.

    Args:
        target: probabilities of the classes, of the output's shape.
        output: probabilities, which are normalised and clipped to [epsilon, 1 - epsilon]; or logits.
        from_logits: whether `output` is logits. A softmax activation's output is traced back to its logits.

    Raises:
        ValueError: shapes that differ, or scalars.
    """
    scores = floating(output)
    wanted = to_tensor(target, scores.dtype)
    _same_shape(wanted, scores)
    if scores.ndim < 1:
        raise ValueError(
            "Arguments `target` and `output` must be at least rank 1. Received: "
            f"target.shape={wanted.shape}, output.shape={scores.shape}"
        )
    at = axis_of(axis, scores.ndim)
    logits = _logits_of(scores, output, from_logits, "softmax") if from_logits or at == scores.ndim - 1 else None
    if logits is None:
        return e.negative(r.sum(e.multiply(wanted, _probabilities(scores, at)), axis=at))
    perm = [*[i for i in range(scores.ndim) if i != at], at]
    return emit("softmax_cross_entropy", permuted(logits, perm), permuted(wanted, perm))


@op_of("nn")
def sparse_categorical_crossentropy(target: Value, output: Value, from_logits: bool = False, axis: int = -1) -> Value:
    """-log(output) of the class that `target` names.

    Args:
        target: classes, of the output's shape without `axis` (a last axis of length 1 is dropped).
        output: probabilities, which are normalised and clipped to [epsilon, 1 - epsilon]; or logits.
        from_logits: whether `output` is logits. A softmax activation's output is traced back to its logits.

    Raises:
        ValueError: shapes that do not fit. When run, if a class is out of range (from logits).
    """
    scores = floating(output)
    labels = index_tensor(target)
    if labels.ndim == scores.ndim and labels.ndim and labels.shape[-1] == 1:
        labels = reshaped(labels, labels.shape[:-1])
    if scores.ndim < 1:
        raise ValueError(f"Argument `output` must be at least rank 1. Received: output.shape={scores.shape}")
    at = axis_of(axis, scores.ndim)
    if labels.shape != tuple(d for i, d in enumerate(scores.shape) if i != at):
        raise ValueError(
            "Arguments `target` and `output` must have the same shape up until the last dimension: "
            f"target.shape={labels.shape}, output.shape={scores.shape}"
        )
    logits = _logits_of(scores, output, from_logits, "softmax") if from_logits or at == scores.ndim - 1 else None
    if logits is None:
        chosen = one_hot(labels, scores.shape[at], axis=at, dtype=scores.dtype)
        return e.negative(r.sum(e.multiply(chosen, _probabilities(scores, at)), axis=at))
    perm = [*[i for i in range(scores.ndim) if i != at], at]
    return emit("sparse_softmax_cross_entropy", permuted(logits, perm), labels)


@op_of("nn")
def binary_crossentropy(target: Value, output: Value, from_logits: bool = False) -> Value:
    """-target * log(output) - (1 - target) * log(1 - output), element by element.

    Args:
        target: probabilities, of the output's shape.
        output: probabilities, which are clipped to [epsilon, 1 - epsilon]; or logits.
        from_logits: whether `output` is logits. A sigmoid activation's output is traced back to its logits.

    Raises:
        ValueError: shapes that differ.
    """
    scores = floating(output)
    wanted = to_tensor(target, scores.dtype)
    _same_shape(wanted, scores)
    logits = _logits_of(scores, output, from_logits, "sigmoid")
    if logits is not None:
        return emit("sigmoid_cross_entropy", logits, wanted)
    share = e.clip(scores, config.epsilon(), 1.0 - config.epsilon())
    yes = e.multiply(wanted, e.log(share))
    no = e.multiply(e.subtract(1.0, wanted), e.log(e.subtract(1.0, share)))
    return e.negative(e.add(yes, no))


@op_of("nn")
def dot_product_attention(
    query: Value,
    key: Value,
    value: Value,
    bias: Value = None,
    mask: Value = None,
    scale: Value = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Value:
    """Attention of queries over keys.

    Args:
        query: [batch, time, heads, depth].
        key, value: [batch, source, key heads, depth]; the key heads divide the heads.
        bias: added to the scores, [batch, heads, time, source] or broadcasting to it.
        mask: True where a source may be seen, likewise.
        scale: None for 1 / sqrt(depth).
        is_causal: no source later than the query is seen.
        flash_attention: accepted for compatibility.
        attn_logits_soft_cap: scores are bent to stay within it by tanh.
    """
    q, k, v = common(query, key, value, floating=True)
    if q.ndim != 4 or k.ndim != 4 or v.ndim != 4:
        raise ValueError(
            "`dot_product_attention` only supports 4D inputs. Received: "
            f"query.shape={q.shape}, key.shape={k.shape}, value.shape={v.shape}."
        )
    groups = q.shape[2] // k.shape[2]
    if groups > 1:
        k, v = (
            reshaped(
                broadcast(reshaped(t, [*t.shape[:3], 1, t.shape[3]]), [*t.shape[:3], groups, t.shape[3]]),
                [*t.shape[:2], q.shape[2], t.shape[3]],
            )
            for t in (k, v)
        )
    q, k, v = (permuted(t, [0, 2, 1, 3]) for t in (q, k, v))
    factor = 1.0 / math.sqrt(q.shape[-1]) if scale is None else scale
    scores = e.multiply(product(q, k, transpose_b=True), factor)
    if attn_logits_soft_cap is not None:
        scores = e.multiply(attn_logits_soft_cap, e.tanh(e.divide(scores, attn_logits_soft_cap)))
    if bias is not None:
        scores = e.add(scores, to_tensor(bias, scores.dtype))
    hidden = -0.7 * 3.4028234663852886e38
    if mask is not None:
        scores = e.where(mask, scores, hidden)
    if is_causal:
        scores = e.where(triangle(scores, 0, True), scores, hidden)
    return permuted(product(cast(Tensor, emit("softmax", scores)), v), [0, 2, 1, 3])


def _blocks(x: Value, block_size: int, data_format: str) -> tuple[Tensor, bool]:
    if block_size < 2:
        raise ValueError(f"`block_size` must be at least 2. Received: block_size={block_size}")
    tensor = to_tensor(x)
    first = config.standardize_data_format(data_format) == "channels_first"
    return (permuted(tensor, [0, 2, 3, 1]) if first else tensor), first


@op_of("nn")
def depth_to_space(x: Value, block_size: int, data_format: str = "channels_last") -> Value:
    """Channels laid out as blocks of pixels: [n, h, w, b * b * c] becomes [n, h * b, w * b, c]."""
    tensor, first = _blocks(x, block_size, data_format)
    n, h, w, c = tensor.shape
    b = block_size
    split = reshaped(tensor, [n, h, w, b, b, c // (b * b)])
    found = reshaped(permuted(split, [0, 1, 3, 2, 4, 5]), [n, h * b, w * b, c // (b * b)])
    return permuted(found, [0, 3, 1, 2]) if first else found


@op_of("nn")
def space_to_depth(x: Value, block_size: int, data_format: str = "channels_last") -> Value:
    """Blocks of pixels as channels: [n, h, w, c] becomes [n, h / b, w / b, b * b * c]."""
    tensor, first = _blocks(x, block_size, data_format)
    n, h, w, c = tensor.shape
    b = block_size
    split = reshaped(tensor, [n, h // b, b, w // b, b, c])
    found = reshaped(permuted(split, [0, 1, 3, 2, 4, 5]), [n, h // b, w // b, b * b * c])
    return permuted(found, [0, 3, 1, 2]) if first else found
