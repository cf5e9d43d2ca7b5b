"""Layers that bring images to one size: Resizing, CenterCrop, RandomCrop."""

from __future__ import annotations

from typing import Any

from nabi import ops, random
from nabi.dtypes import is_float_dtype
from nabi.layers.arguments import Shape
from nabi.layers.image_base import ImageLayer, resized_shape


class Resizing(ImageLayer):
    """Images in another size, in the dtype they came in; integers are rounded. Acts while training and after it.

    Args:
        height, width: of the output.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        crop_to_aspect_ratio: cut what does not fit the ratio of the new size, equally on both sides.
        pad_to_aspect_ratio: add `fill_value` for it instead.
        fill_mode: "constant".
        antialias: widen the kernel when shrinking.
        data_format: "channels_last", "channels_first", or None for the global setting.

    Raises:
        ValueError: when called, an argument that `ops.image.resize` does not know.
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height = height
        self.width = width
        self.interpolation = interpolation
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_mode = fill_mode
        self.fill_value = fill_value
        self.antialias = bool(antialias)

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        return self._resized(images, self.interpolation)

    def transform_segmentation_masks(
        self, segmentation_masks: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        """The masks in the new size, without new values between theirs."""
        return self._resized(segmentation_masks, "nearest")

    def _resized(self, images: Any, interpolation: str) -> Any:
        images = ops.convert_to_tensor(images)
        dtype = images.dtype if isinstance(images.dtype, str) else images.dtype.name
        exact = dtype if is_float_dtype(dtype) else "float32"
        resized = ops.image.resize(
            ops.cast(images, exact),
            size=(self.height, self.width),
            interpolation=interpolation,
            antialias=self.antialias,
            data_format=self.data_format,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
        )
        return resized if exact == dtype else ops.saturate_cast(ops.round(resized), dtype)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return resized_shape(self, input_shape, self.height, self.width)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
            "interpolation": self.interpolation,
            "crop_to_aspect_ratio": self.crop_to_aspect_ratio,
            "pad_to_aspect_ratio": self.pad_to_aspect_ratio,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
        }


class CenterCrop(ImageLayer):
    """The middle of images; smaller ones are cut to the new ratio and resized. Acts while training and after it.

    Args:
        height, width: of the output.
        data_format: "channels_last", "channels_first", or None for the global setting.
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height = height
        self.width = width

    def transform_images(self, images: Any, transformation: Any = None, training: bool = True) -> Any:
        x = ops.cast(images, self.compute_dtype)
        _, height, width = self._shape(x)
        rows, columns = height - self.height, width - self.width
        if rows >= 0 and columns >= 0:
            return _window(self, x, rows // 2, columns // 2)
        return _fitted(self, x)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return resized_shape(self, input_shape, self.height, self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width}


class RandomCrop(ImageLayer):
    """While training, a window of the images at a random place, the same for the whole batch.

    Images that are not larger than the window are cut to its ratio and resized. After training images pass as they are
    (as in Keras 3.15).

    Args:
        height, width: of the window.
        seed: int, or None for a random one.
        data_format: "channels_last", "channels_first", or None for the global setting.
    """

    def __init__(
        self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.height = height
        self.width = width
        self.seed = seed if seed is not None else random.make_default_seed()
        self.generator = random.SeedGenerator(self.seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The first row and column of the window."""
        _, height, width = self._shape(data)
        if height is None or width is None:
            raise ValueError(
                "RandomCrop requires the input to have a fully defined height and width. "
                f"Received: images.shape={data.shape}"
            )
        if training and height > self.height and width > self.width:
            free = (height - self.height + 1, width - self.width + 1)
            return tuple(ops.cast(random.uniform((), 0, float(n), seed=self._seed(seed)), "int32") for n in free)
        rows = max(min(height, int(float(width * self.height) / self.width)), 1)
        columns = max(min(width, int(float(height * self.width) / self.height)), 1)
        return int(float(height - rows) / 2), int(float(width - columns) / 2)

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        if not training:
            return images
        x = ops.cast(images, self.compute_dtype)
        _, height, width = self._shape(x)
        top, left = transformation
        if not isinstance(top, int) or (top + self.height <= height and left + self.width <= width):
            return _window(self, x, top, left)
        below, right = min(top + self.height, height), min(left + self.width, width)
        part = x[..., top:below, left:right, :] if self.height_axis == -3 else x[..., top:below, left:right]
        size = (self.height, self.width)
        return ops.cast(ops.image.resize(part, size=size, data_format=self.data_format), self.compute_dtype)

    def compute_output_shape(self, input_shape: Any, *args: Any, **kwargs: Any) -> Shape:
        return resized_shape(self, input_shape, self.height, self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width, "seed": self.seed}


def _window(layer: Any, x: Any, top: Any, left: Any) -> Any:
    """`height` rows from `top` and `width` columns from `left`; these may be traced."""
    shape, start = list(ops.shape(x)), [0] * len(x.shape)
    shape[layer.height_axis], shape[layer.width_axis] = layer.height, layer.width
    start[layer.height_axis], start[layer.width_axis] = top, left
    return ops.slice(x, start, shape)


def _fitted(layer: Any, x: Any) -> Any:
    """Cut to the ratio of the new size, equally on both sides, and resized."""
    size = (layer.height, layer.width)
    resized = ops.image.resize(x, size=size, data_format=layer.data_format, crop_to_aspect_ratio=True)
    return ops.cast(resized, layer.compute_dtype)
