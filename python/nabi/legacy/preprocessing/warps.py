"""Random changes of pictures: matrices for the core's `image_affine`, shifts of channels, brightness.

Source of the parameters' meaning and of the order in which they are drawn: Keras's `ImageDataGenerator`
(`keras.src.legacy.preprocessing.image`); a matrix and `scipy.ndimage.affine_transform` give the same picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nabi.ops.image import sample
from nabi.trace import Array as AnyArray
from nabi.utils.image_utils import array_to_img, img_to_array, pillow

Array = np.ndarray[Any, Any]
Parameters = dict[str, Any]

_IDENTITY = np.eye(3)


def matrix(parameters: Parameters, height: int, width: int) -> Array:
    """The 3x3 matrix from places (row, column, 1) of the output to places of the input, about the middle."""
    out = _IDENTITY
    theta, shear = np.deg2rad(parameters.get("theta", 0)), np.deg2rad(parameters.get("shear", 0))
    tx, ty = parameters.get("tx", 0), parameters.get("ty", 0)
    zx, zy = parameters.get("zx", 1), parameters.get("zy", 1)
    if theta != 0:
        out = np.array([[np.cos(theta), -np.sin(theta), 0], [np.sin(theta), np.cos(theta), 0], [0, 0, 1]])
    if tx != 0 or ty != 0:
        out = out @ np.array([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    if shear != 0:
        out = out @ np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]])
    if zx != 1 or zy != 1:
        out = out @ np.array([[zx, 0, 0], [0, zy, 0], [0, 0, 1]])
    if out is _IDENTITY:
        return out
    # As Keras has it: the middle is (height / 2, width / 2), and only then the axes change places.
    a, b = float(height) / 2 - 0.5, float(width) / 2 - 0.5
    out = np.array([[1, 0, a], [0, 1, b], [0, 0, 1]]) @ out @ np.array([[1, 0, -a], [0, 1, -b], [0, 0, 1]])
    return np.asarray(out[[1, 0, 2]][:, [1, 0, 2]])


def warp(
    images: Array, parameters: Sequence[Parameters], data_format: str, fill_mode: str, cval: float, order: int
) -> Array:
    """Pictures moved by their matrices, in one call of the core; those that do not move are copied bit by bit."""
    first = data_format == "channels_first"
    x = images.transpose(0, 2, 3, 1) if first else images
    height, width = x.shape[1:3]
    matrices = np.stack([matrix(p, height, width)[:2] for p in parameters])
    out: Array = np.asarray(
        sample(
            np.ascontiguousarray(x, dtype="float32"),
            matrices.view(AnyArray),  # as an array of Nabi's own it stays float64
            interpolation="bilinear" if order else "nearest",
            fill=fill_mode,
            value=cval,
        )
    )
    return (out.transpose(0, 3, 1, 2) if first else out).astype(images.dtype)


def draw(generator: Any, shape: tuple[int, ...], rng: Any) -> Parameters:
    """The parameters of one picture's change, drawn in Keras's order."""
    rows, columns = shape[generator.row_axis - 1], shape[generator.col_axis - 1]
    theta = rng.uniform(-generator.rotation_range, generator.rotation_range) if generator.rotation_range else 0
    tx = _shift(generator.height_shift_range, rows, rng)
    ty = _shift(generator.width_shift_range, columns, rng)
    shear = rng.uniform(-generator.shear_range, generator.shear_range) if generator.shear_range else 0
    low, high = generator.zoom_range
    zx, zy = (1, 1) if low == 1 and high == 1 else rng.uniform(low, high, 2)
    horizontal = (rng.random_sample() < 0.5) * generator.horizontal_flip
    vertical = (rng.random_sample() < 0.5) * generator.vertical_flip
    channels = generator.channel_shift_range
    intensity = rng.uniform(-channels, channels) if channels != 0 else None
    brightness = rng.uniform(*generator.brightness_range) if generator.brightness_range is not None else None
    return {
        "theta": theta,
        "tx": tx,
        "ty": ty,
        "shear": shear,
        "zx": zx,
        "zy": zy,
        "flip_horizontal": horizontal,
        "flip_vertical": vertical,
        "channel_shift_intensity": intensity,
        "brightness": brightness,
    }


def _shift(extent: Any, size: int, rng: Any) -> Any:
    """A float is a range (of the size where below 1), an int n one of the whole numbers below n, a list one of it."""
    if np.ndim(extent) == 0 and not extent:
        return 0
    if np.ndim(extent) == 0 and not isinstance(extent, (int, np.integer)):
        out = rng.uniform(-extent, extent)
    else:
        out = rng.choice(extent)
        out = out * rng.choice([-1, 1])
    return out * size if np.max(extent) < 1 else out


def shift_channels(x: Array, intensity: float) -> Array:
    """A picture with a number added, kept within its own range."""
    return np.clip(x + intensity, np.min(x), np.max(x)).astype(x.dtype)


def brighten(x: Array, brightness: float, scale: bool, data_format: str) -> Array:
    """A picture brightened by Pillow: 0 is black, 1 leaves it as it is."""
    pillow()
    from PIL import ImageEnhance

    low, high = np.min(x), np.max(x)
    beyond = bool(low < 0 or high > 255)
    img = array_to_img(x, data_format, scale=beyond or scale)
    out = img_to_array(ImageEnhance.Brightness(img).enhance(brightness), data_format)
    return out / 255 * (high - low) + low if not scale and beyond else out
