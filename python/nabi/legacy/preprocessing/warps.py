"""Random changes of pictures: matrices for the core's `image_affine`, shifts of channels, brightness.

Source of the parameters' meaning and of the order in which they are drawn: Keras's `ImageDataGenerator`
(`keras.src.legacy.preprocessing.image`); a matrix and `scipy.ndimage.affine_transform` give the same picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nabi.ops.image import sample
from nabi.trace import Array as AnyArray
from nabi.utils.image_utils import array_to_img, img_to_array, pillow

Array = np.ndarray[Any, Any]
Parameters = dict[str, Any]


def moves(parameters: Parameters) -> bool:
    """Whether pixels change their places otherwise than by flips."""
    still = all(parameters.get(name, 0) == 0 for name in ("theta", "tx", "ty", "shear"))
    return not still or parameters.get("zx", 1) != 1 or parameters.get("zy", 1) != 1


def matrices(parameters: Sequence[Parameters], height: int, width: int) -> Array:
    """For each picture the 2x3 matrix from places (row, column, 1) of the output to places of the input.

    As in Keras, rotation, shift, shear and zoom about the middle, in this order of factors; the middle is
    (height / 2, width / 2) minus half a pixel, and only then the axes change places.
    """
    columns = [[p.get(name, 1 if name[0] == "z" else 0) for p in parameters] for name in _NAMES]
    theta, shear, tx, ty, zx, zy = np.array(columns, dtype="float64")
    theta, shear = np.deg2rad(theta), np.deg2rad(shear)
    zero, one = np.zeros_like(tx), np.ones_like(tx)

    def stacked(*rows: Any) -> Array:
        return np.stack([np.stack(np.broadcast_arrays(*row), -1) for row in (*rows, (zero, zero, one))], -2)

    out = stacked((np.cos(theta), -np.sin(theta), zero), (np.sin(theta), np.cos(theta), zero))
    out = out @ stacked((one, zero, tx), (zero, one, ty))
    out = out @ stacked((one, -np.sin(shear), zero), (zero, np.cos(shear), zero))
    out = out @ stacked((zx, zero, zero), (zero, zy, zero))
    a, b = float(height) / 2 - 0.5, float(width) / 2 - 0.5
    out = np.array([[1, 0, a], [0, 1, b], [0, 0, 1]]) @ out @ np.array([[1, 0, -a], [0, 1, -b], [0, 0, 1]])
    return np.ascontiguousarray(out[:, [1, 0]][:, :, [1, 0, 2]])


_NAMES = ("theta", "shear", "tx", "ty", "zx", "zy")


def warp(
    images: Array, parameters: Sequence[Parameters], data_format: str, fill_mode: str, cval: float, order: int
) -> Array:
    """Pictures moved by their matrices, in one call of the core; those that do not move are copied bit by bit."""
    first = data_format == "channels_first"
    x = images.transpose(0, 2, 3, 1) if first else images
    height, width = x.shape[1:3]
    out: Array = np.asarray(
        sample(
            np.ascontiguousarray(x, dtype="float32"),
            matrices(parameters, height, width).view(AnyArray),  # as an array of Nabi's own it stays float64
            interpolation="bilinear" if order else "nearest",
            fill=fill_mode,
            value=cval,
        )
    )
    return (out.transpose(0, 3, 1, 2) if first else out).astype(images.dtype)


def draw(generator: Any, shape: tuple[int, ...], rng: Any, count: int = 1) -> list[Parameters]:
    """The parameters of each of `count` pictures' changes, drawn in Keras's order: picture after picture.

    `uniform(low, high)` is low + (high - low) * random_sample(), so where nothing but such numbers is drawn they are
    taken for all pictures at once.
    """
    shifts = (generator.height_shift_range, generator.width_shift_range)
    if count > 1 and all(np.ndim(s) == 0 and (not s or isinstance(s, (float, np.floating))) for s in shifts):
        numbers = iter(rng.random_sample(count * _draws(generator)).tolist())
        return [_one(generator, shape, _Stream(numbers)) for _ in range(count)]
    return [_one(generator, shape, rng) for _ in range(count)]


class _Stream:
    """Numbers drawn before, handed out as a generator of random numbers would."""

    def __init__(self, numbers: Iterator[float]) -> None:
        self._numbers = numbers

    def random_sample(self) -> float:
        return next(self._numbers)

    def uniform(self, low: float, high: float, size: int | None = None) -> Any:
        if size is not None:
            return [low + (high - low) * next(self._numbers) for _ in range(size)]
        return low + (high - low) * next(self._numbers)


def _draws(generator: Any) -> int:
    """How many numbers a picture takes."""
    ranges = (
        generator.rotation_range,
        generator.height_shift_range,
        generator.width_shift_range,
        generator.shear_range,
    )
    zoom = 0 if tuple(generator.zoom_range) == (1, 1) else 2
    more = int(generator.channel_shift_range != 0) + int(generator.brightness_range is not None)
    return sum(1 for r in ranges if r) + zoom + 2 + more


def _one(generator: Any, shape: tuple[int, ...], rng: Any) -> Parameters:
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
    small = extent < 1 if np.ndim(extent) == 0 else np.max(extent) < 1
    return out * size if small else out


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
