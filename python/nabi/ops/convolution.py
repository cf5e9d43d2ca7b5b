"""Convolutions and pooling of `nabi.ops`, in 1 to 3 dimensions.

The core has the two-dimensional forms with channels last. One dimension is two with a height of 1, three are sums (or
poolings) over slices, and channels first is a transpose at the edge. Padding "same" is TensorFlow's: the total is
max((ceil(n / stride) - 1) * stride + k - n, 0), the odd one after.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from nabi import config
from nabi.ops._dispatch import Value, common, floating, op_of, reshaped, to_dtype
from nabi.ops.layout import permuted, strided
from nabi.trace import Tensor, emit, to_tensor

Pads = list[tuple[int, int]]


def per_axis(value: Any, count: int, name: str) -> list[int]:
    """A number for each spatial axis.

    Raises:
        ValueError: another number of them.
    """
    found = [int(value)] * count if isinstance(value, (int, np.integer)) else [int(v) for v in value]
    if len(found) != count:
        raise ValueError(f"The `{name}` argument must be a tuple of {count} integers. Received: {name}={value}")
    return found


def same_pads(length: int, window: int, stride: int) -> tuple[int, int]:
    """What padding "same" adds before and after an axis, for a window with its dilation."""
    total = max((-(-length // stride) - 1) * stride + window - length, 0)
    return total // 2, total - total // 2


def _padding(padding: Any, lengths: list[int], windows: list[int], strides: list[int], what: str) -> Pads:
    kind = padding.lower() if isinstance(padding, str) else padding
    if kind == "same":
        return [same_pads(n, k, s) for n, k, s in zip(lengths, windows, strides, strict=False)]
    if kind != "valid":
        raise ValueError(f"The `padding` argument must be one of ('valid', 'same'). Received: {padding}")
    for n, k in zip(lengths, windows, strict=False):
        if n < k:
            raise ValueError(
                f"Computed output size would be zero or negative: {what} of size {tuple(windows)} does not fit in a "
                f"spatial shape of {tuple(lengths)} with padding 'valid'."
            )
    return [(0, 0)] * len(lengths)


def _flat(pads: Pads) -> list[int]:
    return [v for pair in pads for v in pair]


def channels_last(x: Tensor, data_format: str | None) -> tuple[Tensor, bool]:
    """The tensor with its channels last, and whether they were first."""
    first = config.standardize_data_format(data_format) == "channels_first"
    return (permuted(x, [0, *range(2, x.ndim), 1]), True) if first else (x, False)


def channels_back(x: Tensor, first: bool) -> Tensor:
    """Undoes `channels_last`."""
    return permuted(x, [0, x.ndim - 1, *range(1, x.ndim - 1)]) if first else x


def _conv2d(x: Tensor, w: Tensor, strides: list[int], pads: Pads, dilation: list[int], groups: int) -> Tensor:
    attrs: dict[str, Any] = {"strides": strides, "dilation": dilation, "padding": _flat(pads), "groups": groups}
    return cast(Tensor, emit("conv2d", x, w, **attrs))


def _conv(x: Tensor, w: Tensor, strides: list[int], pads: Pads, dilation: list[int], groups: int) -> Tensor:
    rank = x.ndim - 2
    if rank == 2:
        return _conv2d(x, w, strides, pads, dilation, groups)
    if rank == 1:
        flat = reshaped(x, [x.shape[0], 1, *x.shape[1:]])
        found = _conv2d(flat, reshaped(w, [1, *w.shape]), [1, *strides], [(0, 0), *pads], [1, *dilation], groups)
        return reshaped(found, [found.shape[0], *found.shape[2:]])
    if rank != 3:
        raise ValueError(f"conv: requires 1 to 3 spatial dimensions, got inputs of shape {x.shape}")
    n, depth, height, width, channels = x.shape
    before, after = pads[0]
    if before or after:
        x = cast(Tensor, emit("pad", x, low=[0, before, 0, 0, 0], high=[0, after, 0, 0, 0], value=0.0))
    reach = (w.shape[0] - 1) * dilation[0] + 1
    count = (depth + before + after - reach) // strides[0] + 1
    total: Tensor | None = None
    for k in range(w.shape[0]):
        first = k * dilation[0]
        part = slice(first, first + (count - 1) * strides[0] + 1, strides[0])
        layer = strided(x, [slice(None), part, slice(None), slice(None), slice(None)])
        kernel = reshaped(strided(w, [slice(k, k + 1), *[slice(None)] * 4]), w.shape[1:])
        found = _conv2d(
            reshaped(layer, [n * count, height, width, channels]), kernel, strides[1:], pads[1:], dilation[1:], groups
        )
        total = found if total is None else cast(Tensor, emit("add", total, found))
    assert total is not None
    return reshaped(total, [n, count, *total.shape[1:]])


@op_of("nn")
def conv(
    inputs: Value,
    kernel: Value,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Value:
    """Convolution (as in deep learning: the kernel is not flipped) over 1 to 3 spatial axes.

    Args:
        inputs: [n, *spatial, channels], or [n, channels, *spatial] with "channels_first".
        kernel: [*window, channels / groups, filters]; the number of groups follows from the channels.
        strides, dilation_rate: a number, or one per spatial axis.
        padding: "valid" or "same".
        data_format: None for `image_data_format()`.

    Raises:
        ValueError: shapes that do not fit, or an empty result.
    """
    x, w = common(inputs, kernel, floating=True)
    rank = x.ndim - 2
    x, first = channels_last(x, data_format)
    steps = per_axis(strides, rank, "strides")
    dilation = per_axis(dilation_rate, rank, "dilation_rate")
    if w.ndim != x.ndim:
        raise ValueError(f"conv: requires a kernel of rank {x.ndim}, got inputs {x.shape} and kernel {w.shape}")
    channels, per_group = x.shape[-1], w.shape[-2]
    if per_group == 0 or channels % per_group:
        raise ValueError(
            "The number of input channels must match the kernel's input channels. Received: "
            f"input channels={channels}, kernel input channels={per_group}, "
            f"data_format='{config.standardize_data_format(data_format)}'."
        )
    windows = [(k - 1) * d + 1 for k, d in zip(w.shape, dilation, strict=False)]
    pads = _padding(padding, list(x.shape[1:-1]), windows, steps, "a kernel")
    return channels_back(_conv(x, w, steps, pads, dilation, channels // per_group), first)


@op_of("nn")
def depthwise_conv(
    inputs: Value,
    kernel: Value,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Value:
    """Convolution of each channel by itself, over 1 or 2 spatial axes.

    Args:
        kernel: [*window, channels, multiplier]; the result has channels * multiplier channels, those of one input
            channel side by side. The others as for `conv`.
    """
    x, w = common(inputs, kernel, floating=True)
    channels = channels_last(x, data_format)[0].shape[-1]
    if channels != w.shape[-2]:
        raise ValueError(
            "The number of input channels must match the kernel's input channels. Received: "
            f"input channels={channels}, kernel input channels={w.shape[-2]}, "
            f"data_format='{config.standardize_data_format(data_format)}'."
        )
    grouped = reshaped(w, [*w.shape[:-2], 1, w.shape[-2] * w.shape[-1]])
    return conv(x, grouped, strides=strides, padding=padding, data_format=data_format, dilation_rate=dilation_rate)


@op_of("nn")
def separable_conv(
    inputs: Value,
    depthwise_kernel: Value,
    pointwise_kernel: Value,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Value:
    """`depthwise_conv`, then a convolution with a window of 1."""
    found = depthwise_conv(
        inputs, depthwise_kernel, strides=strides, padding=padding, data_format=data_format, dilation_rate=dilation_rate
    )
    return conv(found, pointwise_kernel, strides=1, padding="valid", data_format=data_format)


def transpose_crops(window: int, stride: int, padding: str, extra: int | None) -> tuple[int, int]:
    """What `conv_transpose` cuts from both ends of the full (n - 1) * stride + window cells of an axis.

    A negative number means zeros to add. `window` counts its dilation, `extra` is the output padding. The full result
    is cut so that "valid" gives (n - 1) * stride + max(window, stride) and "same" n * stride, or with `extra` (n - 1) *
    stride + window + extra and (n - 1) * stride + window % 2 + extra (Keras 3.15, `backend_utils`).
    """
    if padding == "valid":
        return 0, -max(stride - window, 0) if extra is None else -extra
    total = stride + window - 2 if extra is None else window + window % 2 - 2 + extra
    before = min(total // 2 + total % 2, window - 1)
    return window - 1 - before, window - 1 - (total - before)


def _conv_transpose2d(
    x: Tensor, w: Tensor, steps: list[int], dilation: list[int], crops: Pads, lengths: list[int]
) -> Tensor:
    pads = [(max(before, 0), max(after, 0)) for before, after in crops]
    shape = [x.shape[0], *(n - before - after for n, (before, after) in zip(lengths, pads, strict=False)), w.shape[-2]]
    found = emit(
        "conv2d_grad_input", x, w, strides=steps, dilation=dilation, padding=_flat(pads), groups=1, input_shape=shape
    )
    missing = [(max(-before, 0), max(-after, 0)) for before, after in crops]
    if any(v for pair in missing for v in pair):
        low, high = [0, *(v for v, _ in missing), 0], [0, *(v for _, v in missing), 0]
        found = emit("pad", found, low=low, high=high, value=0.0)
    return cast(Tensor, found)


def _conv_transpose3d(
    x: Tensor, w: Tensor, steps: list[int], dilation: list[int], crops: Pads, lengths: list[int]
) -> Tensor:
    """The sum over the layers of the window: each layer of the input, spread over the plane, stands `stride` apart."""
    n, depth, height, width, channels = x.shape
    flat = reshaped(x, [n * depth, height, width, channels])
    total: Tensor | None = None
    for k in range(w.shape[0]):
        kernel = reshaped(strided(w, [slice(k, k + 1), *[slice(None)] * 4]), w.shape[1:])
        plane = _conv_transpose2d(flat, kernel, steps[1:], dilation[1:], crops[1:], lengths[1:])
        rest = list(plane.shape[1:])
        apart = reshaped(plane, [n, depth, 1, *rest])
        if steps[0] > 1:
            apart = cast(Tensor, emit("pad", apart, low=[0] * 6, high=[0, 0, steps[0] - 1, 0, 0, 0], value=0.0))
        spread = reshaped(apart, [n, depth * steps[0], *rest])
        whole = [slice(None)] * 3
        layers = strided(spread, [slice(None), slice(0, (depth - 1) * steps[0] + 1), *whole])
        before = k * dilation[0]
        after = lengths[0] - layers.shape[1] - before
        layers = cast(Tensor, emit("pad", layers, low=[0, before, 0, 0, 0], high=[0, after, 0, 0, 0], value=0.0))
        total = layers if total is None else cast(Tensor, emit("add", total, layers))
    assert total is not None
    before, after = crops[0]
    total = strided(total, [slice(None), slice(max(before, 0), lengths[0] - max(after, 0)), *whole])
    if before < 0 or after < 0:
        low, high = [0, max(-before, 0), 0, 0, 0], [0, max(-after, 0), 0, 0, 0]
        total = cast(Tensor, emit("pad", total, low=low, high=high, value=0.0))
    return total


@op_of("nn")
def conv_transpose(
    inputs: Value,
    kernel: Value,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Value:
    """The transpose of `conv`: what its gradient does to a result's gradient. Over 1 to 3 spatial axes.

    Args:
        kernel: [*window, filters, channels].
        output_padding: extra length per axis, below the stride; None lets "same" give n * stride and "valid"
            n * stride + max(window - stride, 0). The others as for `conv`.
    """
    x, w = common(inputs, kernel, floating=True)
    rank = x.ndim - 2
    if rank not in (1, 2, 3):
        raise ValueError(f"conv_transpose: requires 1 to 3 spatial dimensions, got inputs of shape {x.shape}")
    x, first = channels_last(x, data_format)
    if x.shape[-1] != w.shape[-1]:
        raise ValueError(
            "The number of input channels must match the kernel's input channels. Received: "
            f"input channels={x.shape[-1]}, kernel input channels={w.shape[-1]}, "
            f"data_format='{config.standardize_data_format(data_format)}'."
        )
    kind = padding.lower()
    if kind not in ("valid", "same"):
        raise ValueError(f"The `padding` argument must be one of ('valid', 'same'). Received: {padding}")
    steps = per_axis(strides, rank, "strides")
    dilation = per_axis(dilation_rate, rank, "dilation_rate")
    extra = [None] * rank if output_padding is None else per_axis(output_padding, rank, "output_padding")
    windows = [(k - 1) * d + 1 for k, d in zip(w.shape, dilation, strict=False)]
    crops = [transpose_crops(k, s, kind, o) for k, s, o in zip(windows, steps, extra, strict=False)]
    lengths = [(n - 1) * s + k for n, s, k in zip(x.shape[1:], steps, windows, strict=False)]
    if rank == 3:
        return channels_back(_conv_transpose3d(x, w, steps, dilation, crops, lengths), first)
    if rank == 1:
        x, w = reshaped(x, [x.shape[0], 1, *x.shape[1:]]), reshaped(w, [1, *w.shape])
        lengths, steps, dilation, crops = [1, *lengths], [1, *steps], [1, *dilation], [(0, 0), *crops]
    found = _conv_transpose2d(x, w, steps, dilation, crops, lengths)
    if rank == 1:
        found = reshaped(found, [found.shape[0], *found.shape[2:]])
    return channels_back(found, first)


def _pool2d(name: str, x: Tensor, size: list[int], strides: list[int], pads: Pads) -> Tensor:
    found = emit(name, x, size=size, strides=strides, padding=_flat(pads))
    return cast(Tensor, found[0] if isinstance(found, tuple) else found)


def _pool(name: str, x: Tensor, size: list[int], strides: list[int], pads: Pads) -> Tensor:
    rank = x.ndim - 2
    if rank == 2:
        return _pool2d(name, x, size, strides, pads)
    if rank == 1:
        flat = reshaped(x, [x.shape[0], 1, *x.shape[1:]])
        found = _pool2d(name, flat, [1, *size], [1, *strides], [(0, 0), *pads])
        return reshaped(found, [found.shape[0], *found.shape[2:]])
    if rank != 3:
        raise ValueError(f"pooling: requires 1 to 3 spatial dimensions, got inputs of shape {x.shape}")
    n, depth, height, width, channels = x.shape
    flat = reshaped(x, [n * depth, height, width, channels])
    found = _pool2d(name, flat, size[1:], strides[1:], pads[1:])  # over height and width
    rows, cols = found.shape[1:3]
    flat = reshaped(found, [n, depth, rows * cols, channels])
    found = _pool2d(name, flat, [size[0], 1], [strides[0], 1], [pads[0], (0, 0)])  # over depth
    return reshaped(found, [n, found.shape[1], rows, cols, channels])


def _pooling(name: str, inputs: Value, pool_size: Any, strides: Any, padding: str, data_format: str | None) -> Tensor:
    tensor = to_tensor(inputs)
    x, first = channels_last(floating(tensor), data_format)
    rank = x.ndim - 2
    size = per_axis(pool_size, rank, "pool_size")
    steps = size if strides is None else per_axis(strides, rank, "strides")
    pads = _padding(padding, list(x.shape[1:-1]), size, steps, "a pooling window")
    found = channels_back(_pool(name, x, size, steps, pads), first)
    return to_dtype(found, tensor.dtype) if name == "max_pool2d" else found


@op_of("nn")
def max_pool(
    inputs: Value, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Value:
    """The largest of each window, over 1 to 3 spatial axes; NaN where one is NaN.

    Args:
        inputs: [n, *spatial, channels], or [n, channels, *spatial] with "channels_first".
        pool_size: a number, or one per spatial axis.
        strides: likewise; None for `pool_size`.
        padding: "valid" or "same".
    """
    return _pooling("max_pool2d", inputs, pool_size, strides, padding, data_format)


@op_of("nn")
def average_pool(
    inputs: Value, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Value:
    """The mean of each window, of the cells inside the input only; arguments as for `max_pool`."""
    return _pooling("avg_pool2d", inputs, pool_size, strides, padding, data_format)


def _adaptive(name: str, inputs: Value, output_size: Any, data_format: str | None) -> Tensor:
    x, first = channels_last(floating(inputs), data_format)
    rank = x.ndim - 2
    sizes = [output_size] * rank if isinstance(output_size, int) or output_size is None else list(output_size)
    wanted = [n if size is None else int(size) for n, size in zip(x.shape[1:-1], sizes, strict=False)]
    for axis, size in enumerate(wanted, start=1):
        length = x.shape[axis]
        edges = [(i * length // size, -(-(i + 1) * length // size)) for i in range(size)]
        slabs = []
        for begin, end in edges:
            part = strided(x, [slice(begin, end) if i == axis else slice(None) for i in range(x.ndim)])
            slabs.append(emit(name, part, axes=[axis], keepdims=True))
        x = slabs[0] if len(slabs) == 1 else cast(Tensor, emit("concat", *slabs, axis=axis))
    return channels_back(x, first)


@op_of("nn")
def adaptive_average_pool(inputs: Value, output_size: Any, data_format: str | None = None) -> Value:
    """The means of windows laid so that each spatial axis has `output_size` of them."""
    return _adaptive("reduce_mean", inputs, output_size, data_format)


@op_of("nn")
def adaptive_max_pool(inputs: Value, output_size: Any, data_format: str | None = None) -> Value:
    """The maxima of windows laid so that each spatial axis has `output_size` of them."""
    return _adaptive("reduce_max", inputs, output_size, data_format)
