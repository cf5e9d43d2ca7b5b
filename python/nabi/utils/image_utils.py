"""Images between files, Pillow and arrays. Pillow is loaded when it is needed.

Source of names, defaults and messages: Keras 3.15 `keras.utils.image_utils`.
"""

from __future__ import annotations

import io
import os
import warnings
from typing import Any

import numpy as np

from nabi import config

#: File endings that are taken for images.
ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff")


def pillow() -> Any:
    """Pillow's `Image` module.

    Raises:
        ImportError: it is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise ImportError("Images need the Pillow package: `pip install pillow`.") from None
    return Image


def array_to_img(x: Any, data_format: str | None = None, scale: bool = True, dtype: str | None = None) -> Any:
    """An array of one image as a Pillow image.

    Args:
        x: shape (height, width, channels), 1, 3 or 4 channels.
        data_format: None for `image_data_format()`.
        scale: stretch the values to 0..255.
        dtype: of the computation; the default float by default.

    Raises:
        ValueError: another rank or number of channels.
    """
    image = pillow()
    first = config.standardize_data_format(data_format) == "channels_first"
    x = np.asarray(x, dtype=dtype or config.floatx())
    if x.ndim != 3:
        raise ValueError(f"Expected image array to have rank 3 (single image). Got array with shape: {x.shape}")
    if first:
        x = x.transpose(1, 2, 0)
    if scale:
        x = x - np.min(x)
        top = np.max(x)
        if top != 0:
            x /= top
        x *= 255
    channels = x.shape[2]
    if channels in (3, 4):
        return image.fromarray(np.ascontiguousarray(x.astype("uint8")))
    if channels == 1:
        wide = np.max(x, initial=0) > 255
        return image.fromarray(np.ascontiguousarray(x[:, :, 0].astype("int32" if wide else "uint8")))
    raise ValueError(f"Unsupported channel number: {channels}")


def img_to_array(img: Any, data_format: str | None = None, dtype: str | None = None) -> np.ndarray[Any, Any]:
    """A Pillow image as an array of shape (height, width, channels).

    Raises:
        ValueError: an image of another rank.
    """
    first = config.standardize_data_format(data_format) == "channels_first"
    x = np.asarray(img, dtype=dtype or config.floatx())
    if x.ndim == 2:
        x = x[:, :, None]
    if x.ndim != 3:
        raise ValueError(f"Unsupported image shape: {x.shape}")
    return x.transpose(2, 0, 1) if first else x


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Any = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """An image file as a Pillow image.

    Args:
        path: a path, or a `BytesIO`.
        color_mode: "grayscale", "rgb" or "rgba".
        target_size: (height, width) to resize to.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos", "box" or "hamming".
        keep_aspect_ratio: cut the middle with the target's ratio before resizing.

    Raises:
        TypeError: something that is no path. ValueError: another colour mode or interpolation.
    """
    image = pillow()
    if isinstance(path, io.BytesIO):
        img = image.open(path)
    elif isinstance(path, (str, bytes, os.PathLike)):
        with open(path, "rb") as file:
            img = image.open(io.BytesIO(file.read()))
    else:
        raise TypeError(f"path should be path-like or io.BytesIO, not {type(path)}")
    if color_mode == "grayscale":
        if img.mode not in ("L", "I;16", "I"):
            img = img.convert("L")
    elif color_mode in ("rgb", "rgba"):
        if img.mode != color_mode.upper():
            img = img.convert(color_mode.upper())
    else:
        raise ValueError('color_mode must be "grayscale", "rgb", or "rgba"')
    if target_size is None or img.size == (target_size[1], target_size[0]):
        return img
    methods = {name: getattr(image.Resampling, name.upper()) for name in _METHODS}
    if interpolation not in methods:
        raise ValueError(
            f"Invalid interpolation method {interpolation} specified. Supported methods are {', '.join(methods)}"
        )
    height, width = target_size[0], target_size[1]
    if not keep_aspect_ratio:
        return img.resize((width, height), methods[interpolation])
    w, h = img.size
    kept_h, kept_w = min(h, (w * height) // width), min(w, (h * width) // height)
    left, top = (w - kept_w) // 2, (h - kept_h) // 2
    return img.resize((width, height), methods[interpolation], box=(left, top, left + kept_w, top + kept_h))


_METHODS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def save_img(
    path: Any, x: Any, data_format: str | None = None, file_format: str | None = None, scale: bool = True, **kwargs: Any
) -> None:
    """Writes an array of one image to a file.

    Args:
        path: a path or a file object.
        x: shape (height, width, channels).
        data_format: None for `image_data_format()`.
        file_format: "png", "jpeg", ...; from the path's ending by default.
        scale: stretch the values to 0..255.
        **kwargs: for Pillow's `save`.
    """
    if file_format is None and isinstance(path, (str, os.PathLike)):
        file_format = os.path.splitext(os.fspath(path))[1][1:].lower() or None
    if file_format is not None and file_format.lower() == "jpg":
        file_format = "jpeg"
    img = array_to_img(x, data_format=data_format, scale=scale)
    if img.mode == "RGBA" and file_format == "jpeg":
        warnings.warn("The JPEG format does not support RGBA images, converting to RGB.", stacklevel=2)
        img = img.convert("RGB")
    img.save(path, format=file_format, **kwargs)
