"""Layers that move images at random while training: RandomFlip, RandomRotation, RandomTranslation, RandomZoom.

Each image of a batch gets a transformation of its own.
"""

from __future__ import annotations

import math
from typing import Any

from nabi import ops, random
from nabi.layers.image_base import ImageLayer, check_sampling, factor_in

_FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")


class RandomFlip(ImageLayer):
    """While training, mirrors about half of the images.

    Args:
        mode: "horizontal" (left and right change places), "vertical", or "horizontal_and_vertical" (both at once).
        seed: int, or None for a random one.
        data_format: "channels_last", "channels_first", or None for the global setting.

    Raises:
        ValueError: another mode.
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        if mode not in _FLIPS:
            raise ValueError(f"Argument `mode` must be one of {_FLIPS}. Received: mode={mode}")
        self.seed = seed
        self.generator = random.SeedGenerator(seed)
        self.mode = mode

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """Which images are mirrored."""
        if not training:
            return None
        batch, _, _ = self._shape(data)
        drawn = random.uniform((batch, 1, 1, 1), seed=self._seed(seed))
        return {"flips": ops.less_equal(drawn, 0.5), "input_shape": ops.shape(_images(data))}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        x = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return x
        flips = ops.reshape(transformation["flips"], (-1, 1, 1, 1))
        for word, axis in (("horizontal", self.width_axis), ("vertical", self.height_axis)):
            if word in self.mode:
                x = ops.where(flips, ops.flip(x, axis=axis), x)
        return x

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed, "mode": self.mode}


class _Sampling(ImageLayer):
    """Base of the layers that take images at other places."""

    def __init__(
        self,
        fill_mode: str,
        interpolation: str,
        seed: int | None,
        fill_value: float,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        check_sampling(fill_mode, interpolation)
        self.fill_mode = fill_mode
        self.interpolation = interpolation
        self.seed = seed
        self.generator = random.SeedGenerator(seed)
        self.fill_value = fill_value

    def _matrix(self, transformation: Any, height: int, width: int) -> Any:
        raise NotImplementedError

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        x = ops.cast(images, self.compute_dtype)
        if not training or transformation is None:
            return x
        return self._sampled(x, transformation, self.interpolation)

    def transform_segmentation_masks(self, segmentation_masks: Any, transformation: Any, training: bool = True) -> Any:
        """The masks, moved as the images are, without new values between theirs."""
        if not training or transformation is None:
            return segmentation_masks
        moved = self._sampled(segmentation_masks, transformation, "nearest")
        return ops.cast(moved, segmentation_masks.dtype)

    def _sampled(self, x: Any, transformation: Any, interpolation: str) -> Any:
        _, height, width = self._shape(x)
        moved = ops.image.affine_transform(
            x,
            self._matrix(transformation, height, width),
            interpolation=interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )
        return ops.cast(moved, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "interpolation": self.interpolation,
            "seed": self.seed,
        }


class RandomRotation(_Sampling):
    """While training, turns images about their middle.

    Args:
        factor: share of a full turn, drawn between -factor and factor, or between the two numbers of a pair.
        fill_mode: beyond the edge "reflect", "wrap", "constant" or "nearest".
        interpolation: "nearest" or "bilinear".
        seed: int, or None for a random one.
        fill_value: for "constant".
        data_format: "channels_last", "channels_first", or None for the global setting.

    Raises:
        ValueError: a factor out of [-1, 1]. NotImplementedError: an unknown fill mode or interpolation.
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = factor_in(factor or 0.0, -1, 1)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The angle of each image, in degrees, and its matrix as `ops.image.affine_transform` takes it."""
        if not training:
            return None
        batch, height, width = self._shape(data)
        low, high = (share * 360.0 for share in self.factor)
        angle = random.uniform((batch,), minval=low, maxval=high, seed=self._seed(seed))
        matrix = _rotation(angle, height, width)
        return {
            "angle": angle,
            "rotation_matrix": matrix if len(_images(data).shape) == 4 else ops.squeeze(matrix, axis=0),
            "image_height": height,
            "image_width": width,
            "batch_size": batch,
        }

    def _matrix(self, transformation: Any, height: int, width: int) -> Any:
        return transformation["rotation_matrix"]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


def _rotation(angle: Any, height: int, width: int) -> Any:
    radians = ops.multiply(angle, math.pi / 180.0)
    cos, sin = ops.cos(radians), ops.sin(radians)
    x, y = 0.5 * (width - 1), 0.5 * (height - 1)
    zero = ops.zeros_like(cos)
    rows = (cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos, zero, zero)
    return ops.stack(rows, axis=1)


class RandomTranslation(_Sampling):
    """While training, shifts images.

    Args:
        height_factor: share of the height, drawn between -factor (up) and factor (down), or between the two numbers of
            a pair.
        width_factor: share of the width, likewise; positive is to the right.
        fill_mode, interpolation, seed, fill_value, data_format: as in `RandomRotation`.

    Raises:
        ValueError: a factor out of [-1, 1]. NotImplementedError: an unknown fill mode or interpolation.
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = height_factor
        self.height_lower, self.height_upper = _range(height_factor, "height_factor", _TRANSLATION, closed=True)
        self.width_factor = width_factor
        self.width_lower, self.width_upper = _range(width_factor, "width_factor", _TRANSLATION, closed=True)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The shift of each image, in columns and rows."""
        if not training:
            return None
        batch, height, width = self._shape(data)
        seed = self._seed(seed)
        down = random.uniform((batch, 1), minval=self.height_lower, maxval=self.height_upper, seed=seed)
        right = random.uniform((batch, 1), minval=self.width_lower, maxval=self.width_upper, seed=seed)
        translations = ops.concatenate([ops.multiply(right, width), ops.multiply(down, height)], axis=1)
        return {"translations": ops.cast(translations, "float32"), "input_shape": ops.shape(_images(data))}

    def _matrix(self, transformation: Any, height: int, width: int) -> Any:
        shifts = ops.negative(ops.convert_to_tensor(transformation["translations"]))
        right, down = shifts[:, 0], shifts[:, 1]
        one, zero = ops.ones_like(right), ops.zeros_like(right)
        return ops.stack((one, zero, right, zero, one, down, zero, zero), axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height_factor": self.height_factor, "width_factor": self.width_factor}


class RandomZoom(_Sampling):
    """While training, shows a smaller part of images enlarged, or more than there is made smaller.

    Args:
        height_factor: the height shown is 1 plus a share drawn between -factor (nearer) and factor (farther), or
            between the two numbers of a pair.
        width_factor: likewise; None keeps the ratio.
        fill_mode, interpolation, seed, fill_value, data_format: as in `RandomRotation`.

    Raises:
        ValueError: a factor out of (-1, 1]. NotImplementedError: an unknown fill mode or interpolation.
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = height_factor
        self.height_lower, self.height_upper = _range(height_factor, "height_factor", _ZOOM, closed=False)
        self.width_factor = width_factor
        if width_factor is not None:
            self.width_lower, self.width_upper = _range(width_factor, "width_factor", _ZOOM, closed=False)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The share of the height and of the width of each image that is shown."""
        if not training:
            return None
        batch, _, _ = self._shape(data)
        seed = self._seed(seed)
        high = random.uniform((batch, 1), minval=1.0 + self.height_lower, maxval=1.0 + self.height_upper, seed=seed)
        wide = high
        if self.width_factor is not None:
            wide = random.uniform((batch, 1), minval=1.0 + self.width_lower, maxval=1.0 + self.width_upper, seed=seed)
        return {"height_zoom": high, "width_zoom": wide, "input_shape": ops.shape(_images(data))}

    def _matrix(self, transformation: Any, height: int, width: int) -> Any:
        wide = ops.reshape(ops.cast(transformation["width_zoom"], "float32"), (-1,))
        high = ops.reshape(ops.cast(transformation["height_zoom"], "float32"), (-1,))
        zero = ops.zeros_like(wide)
        right, down = (width - 1.0) / 2.0 * (1.0 - wide), (height - 1.0) / 2.0 * (1.0 - high)
        return ops.stack((wide, zero, right, zero, high, down, zero, zero), axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height_factor": self.height_factor, "width_factor": self.width_factor}


_TRANSLATION = "The `factor` argument should be a number (or a list of two numbers) in the range [-1.0, 1.0]. "
_ZOOM = (
    "The `height_factor` and `width_factor` arguments should be a number (or a list of two numbers) in the range "
    "(-1.0, 1.0]. "
)


def _range(factor: Any, name: str, message: str, closed: bool) -> tuple[float, float]:
    pair = factor if isinstance(factor, (tuple, list)) else (factor,)
    if len(pair) not in (1, 2) or (len(pair) == 1 and not isinstance(factor, (int, float))):
        raise ValueError(f"{message}Received: {name}={factor}")
    for number in pair:
        if number > 1.0 or number < -1.0 or (number == -1.0 and not closed):
            raise ValueError(f"{message}Received: input_number={number}")
    if len(pair) == 1:
        return -abs(factor), abs(factor)
    lower, upper = sorted(pair)
    return lower, upper


def _images(data: Any) -> Any:
    return data["images"] if isinstance(data, dict) else data
