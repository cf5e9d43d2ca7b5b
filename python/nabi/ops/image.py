"""Images of `nabi.ops.image`: taken at other places, and in other sizes.

Source of names, defaults and messages: Keras 3.15 `keras.ops.image`. Pixels are computed in float32.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nabi import config
from nabi.ops._dispatch import Value, common, op, op_of, reshaped, to_dtype
from nabi.ops.convolution import channels_back, channels_last
from nabi.ops.layout import permuted
from nabi.trace import Tensor, emit, to_tensor

__all__ = ["affine_transform", "resize"]

#: Keras's names of what lies beyond the edge, as the core calls them.
_FILLS = {
    "constant": "grid-constant",
    "nearest": "nearest",
    "wrap": "grid-wrap",
    "mirror": "mirror",
    "reflect": "reflect",
}
_INTERPOLATIONS = ("nearest", "bilinear")
_KERNELS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


@op
def sample(
    images: Value,
    matrices: Value,
    size: Any = None,
    interpolation: str = "bilinear",
    fill: str = "nearest",
    value: float = 0.0,
) -> Value:
    """Each image at the places that a 2x3 matrix gives: output pixel (i, j) is the input at matrix @ (i, j, 1).

    Args:
        images: shape (batch, height, width, channels).
        matrices: shape (batch, 2, 3), float32 or float64, rows first.
        size: (height, width) of the output; the input's by default.
        interpolation: "nearest" or "bilinear".
        fill: what lies beyond the edge, by `scipy.ndimage`'s names.
        value: for the constant fills.
    """
    x, m = to_dtype(images, "float32"), to_tensor(matrices)
    size = list(x.shape[1:3]) if size is None else [int(n) for n in size]
    return emit("image_affine", x, m, size=size, interpolation=interpolation, fill=fill, value=float(value))


@op_of("image")
def affine_transform(
    images: Value,
    transform: Value,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Value:
    """Images moved, turned, sheared and stretched.

    Args:
        images: shape (batch, height, width, channels) or (height, width, channels).
        transform: shape (batch, 8) or (8,): an output point (x, y) shows the input point
            (a0 x + a1 y + a2, b0 x + b1 y + b2), the last two numbers being ignored; x counts columns.
        interpolation: "nearest" or "bilinear".
        fill_mode: beyond the edge "constant", "nearest", "wrap", "mirror" or "reflect".
        fill_value: for "constant".
        data_format: None for `image_data_format()`.

    Raises:
        ValueError: another interpolation or fill mode, or shapes that do not fit.
    """
    if interpolation not in _INTERPOLATIONS:
        raise ValueError(
            f"Invalid value for argument `interpolation`. Expected of one {_INTERPOLATIONS}. Received: "
            f"interpolation={interpolation}"
        )
    if fill_mode not in _FILLS:
        raise ValueError(
            f"Invalid value for argument `fill_mode`. Expected of one {tuple(_FILLS)}. Received: fill_mode={fill_mode}"
        )
    x, m = common(images, transform, floating=True, dtype="float32")
    if x.ndim not in (3, 4):
        raise ValueError(
            "Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images). Received input with "
            f"shape: images.shape={x.shape}"
        )
    if m.ndim not in (1, 2) or m.shape[-1] != 8:
        raise ValueError(
            "Invalid transform rank: expected rank 1 (single transform) or rank 2 (batch of transforms), each of 8 "
            f"numbers. Received input with shape: transform.shape={m.shape}"
        )
    single = x.ndim == 3
    if single:
        x = reshaped(x, [1, *x.shape])
    x, first = channels_last(x, data_format)
    if m.ndim == 1:
        m = reshaped(m, [1, 8])
    if m.shape[0] == 1 and x.shape[0] != 1:
        m = emit("broadcast_to", m, shape=[x.shape[0], 8])
    places = emit("gather", m, to_tensor(np.array([4, 3, 5, 1, 0, 2])), axis=1)  # rows before columns
    out: Any = emit(
        "image_affine",
        x,
        reshaped(places, [x.shape[0], 2, 3]),
        size=list(x.shape[1:3]),
        interpolation=interpolation,
        fill=_FILLS[fill_mode],
        value=float(fill_value),
    )
    out = channels_back(out, first)
    return reshaped(out, list(out.shape[1:])) if single else out


@op_of("image")
def resize(
    images: Value,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Value:
    """Images in another size: products with the weights of each output row and column.

    Args:
        images: shape (batch, height, width, channels) or (height, width, channels).
        size: (height, width).
        interpolation: "nearest", "bilinear", "bicubic" (Keys, a = -0.5), "lanczos3" or "lanczos5".
        antialias: widen the kernel when shrinking.
        crop_to_aspect_ratio: cut what does not fit the ratio of `size`, equally on both sides.
        pad_to_aspect_ratio: add `fill_value` for it instead.
        data_format: None for `image_data_format()`.

    Raises:
        ValueError: an argument that is not one of these, or a shape of another rank.
    """
    if interpolation not in _KERNELS:
        raise ValueError(
            f"Invalid value for argument `interpolation`. Expected of one {_KERNELS}. Received: "
            f"interpolation={interpolation}"
        )
    if fill_mode != "constant":
        raise ValueError(
            f"Invalid value for argument `fill_mode`. Only `'constant'` is supported. Received: fill_mode={fill_mode}"
        )
    if pad_to_aspect_ratio and crop_to_aspect_ratio:
        raise ValueError("Only one of `pad_to_aspect_ratio` & `crop_to_aspect_ratio` can be `True`.")
    if len(size) != 2:
        raise ValueError(f"Argument `size` must be a tuple of two elements (height, width). Received: size={size}")
    given = to_tensor(images)
    if given.ndim not in (3, 4):
        raise ValueError(
            "Invalid images rank: expected rank 3 (single image) or rank 4 (batch of images). Received input with "
            f"shape: images.shape={given.shape}"
        )
    dtype = given.dtype
    x = to_dtype(given, dtype if dtype in ("float32", "float64") else "float32")
    single = x.ndim == 3
    if single:
        x = reshaped(x, [1, *x.shape])
    x, first = channels_last(x, config.standardize_data_format(data_format))
    target = [int(n) for n in size]
    if crop_to_aspect_ratio:
        x = _cropped(x, target)
    elif pad_to_aspect_ratio:
        x = _padded(x, target, float(fill_value))
    for axis in (1, 2):
        if x.shape[axis] != target[axis - 1]:
            x = _along(x, axis, weights(x.shape[axis], target[axis - 1], interpolation, antialias))
    if dtype not in ("float32", "float64"):
        if dtype != "bool" and "float" not in dtype and interpolation != "nearest":
            x = emit("round", x)
        x = to_dtype(x, dtype)
    x = channels_back(x, first)
    return reshaped(x, list(x.shape[1:])) if single else x


def _along(x: Tensor, axis: int, w: np.ndarray[Any, Any]) -> Tensor:
    """The product of weights (out, in) with one axis of the images."""
    moved = permuted(x, [axis, *(a for a in range(4) if a != axis)])
    rows = reshaped(moved, [moved.shape[0], math.prod(moved.shape[1:])])
    product: Any = emit("matmul", to_tensor(w.astype(x.dtype), x.dtype), rows)
    back = reshaped(product, [w.shape[0], *moved.shape[1:]])
    order = [0, 0, 0, 0]
    for place, a in enumerate([axis, *(a for a in range(4) if a != axis)]):
        order[a] = place
    return permuted(back, order)


def _cropped(x: Tensor, target: list[int]) -> Tensor:
    height, width = x.shape[1:3]
    h = max(min(height, int(float(width * target[0]) / target[1])), 1)
    w = max(min(width, int(float(height * target[1]) / target[0])), 1)
    top, left = int(float(height - h) / 2), int(float(width - w) / 2)
    out: Tensor = x[:, top : top + h, left : left + w]
    return out


def _padded(x: Tensor, target: list[int], value: float) -> Tensor:
    height, width = x.shape[1:3]
    h = max(height, int(float(width * target[0]) / target[1]))
    w = max(width, int(float(height * target[1]) / target[0]))
    top, left = int(float(h - height) / 2), int(float(w - width) / 2)
    if top:
        left = 0
    if not top and not left:
        return x
    out: Tensor = emit("pad", x, low=[0, top, left, 0], high=[0, top, left, 0], value=value)
    return out


def weights(size: int, target: int, interpolation: str, antialias: bool) -> np.ndarray[Any, Any]:
    """What each of `size` samples contributes to each of `target` ones: rows that sum to 1, half-pixel centres.

    Source: JAX's `jax.image.resize`, which Keras calls; the triangle, Keys's cubic (1981) and Lanczos windows.
    """
    scale = target / size
    if interpolation == "nearest":
        places = np.floor(
            (np.arange(target, dtype="float32") + np.float32(0.5)) * np.float32(size) / np.float32(target)
        )
        rows: np.ndarray[Any, Any] = np.eye(size)[np.minimum(places.astype(int), size - 1)]
        return rows
    stretch = max(1.0 / scale, 1.0) if antialias else 1.0
    centres = (np.arange(target) + 0.5) / scale - 0.5
    distance = np.abs(centres[:, None] - np.arange(size)[None, :]) / stretch
    out = _kernel(interpolation, distance)
    total = out.sum(1, keepdims=True)
    out = np.where(np.abs(total) > 1000.0 * np.finfo("float32").eps, out / np.where(total != 0, total, 1), 0)
    inside = (centres >= -0.5) & (centres <= size - 0.5)
    return np.asarray(np.where(inside[:, None], out, 0))


def _kernel(interpolation: str, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if interpolation == "bilinear":
        return np.asarray(np.maximum(0, 1 - x))
    if interpolation == "bicubic":
        near, far = ((1.5 * x - 2.5) * x) * x + 1.0, ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
        return np.asarray(np.where(x >= 2, 0, np.where(x >= 1, far, near)))
    radius = float(interpolation[-1])
    return np.asarray(np.where(x < radius, np.sinc(x) * np.sinc(x / radius), 0))
