"""What the layers that prepare or vary images share. Source of names, defaults and messages: Keras 3.15."""

from __future__ import annotations

from typing import Any

from nabi import ops, random
from nabi.config import standardize_data_format
from nabi.layers.arguments import Shape
from nabi.layers.layer import Layer

FILL_MODES = ("reflect", "wrap", "constant", "nearest")
INTERPOLATIONS = ("nearest", "bilinear")


class ImageLayer(Layer):
    """Base: one image `(height, width, channels)` or a batch of them, or a dict with them under "images".

    A dict may also have "labels", which stay as they are, and "segmentation_masks", which are moved like the images. A
    subclass defines `get_random_transformation(data, training, seed)` and `transform_images(images, transformation,
    training)`, which sees batches only.

    Args:
        data_format: "channels_last", "channels_first", or None for the global setting.
    """

    _moves_pixels = True
    generator: random.SeedGenerator

    def __init__(self, data_format: str | None = None, bounding_box_format: str | None = None, **kwargs: Any) -> None:
        factor = kwargs.pop("factor", None)
        if factor is not None:
            raise ValueError(
                f"Layer {type(self).__name__} does not take a `factor` argument. Received: factor={factor}"
            )
        super().__init__(**kwargs)
        self.bounding_box_format = bounding_box_format
        self.data_format = standardize_data_format(data_format)
        self._allow_non_tensor_positional_args = True

    @property
    def height_axis(self) -> int:
        """The axis of the rows, from the end."""
        return -2 if self.data_format == "channels_first" else -3

    @property
    def width_axis(self) -> int:
        """The axis of the columns, from the end."""
        return self.height_axis + 1

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """What one call does to the images: drawn anew each time, None where nothing is random."""
        return None

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        """The images of a batch after a transformation."""
        raise NotImplementedError(f"{type(self).__name__} must define `transform_images`.")

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        """The labels, which no layer here changes."""
        return labels

    def transform_segmentation_masks(self, segmentation_masks: Any, transformation: Any, training: bool = True) -> Any:
        """The masks of a batch, moved as the images are."""
        return self.transform_images(segmentation_masks, transformation, training=training)

    def transform_single_image(self, image: Any, transformation: Any, training: bool = True) -> Any:
        """`transform_images` of one image without a batch."""
        images = self.transform_images(ops.expand_dims(image, 0), transformation, training=training)
        return ops.squeeze(images, axis=0)

    def _seed(self, seed: Any) -> Any:
        return self.generator if seed is None else seed

    def _shape(self, data: Any) -> tuple[int, int, int]:
        """(batch, height, width); one image is a batch of 1.

        Raises:
            ValueError: images of another rank.
        """
        shape = ops.shape(data["images"] if isinstance(data, dict) else data)
        if len(shape) not in (3, 4):
            raise ValueError(
                "Expected image tensor to have rank 3 (single image) or 4 (batch of images). "
                f"Received: data.shape={shape}"
            )
        return shape[0] if len(shape) == 4 else 1, shape[self.height_axis], shape[self.width_axis]

    def call(self, data: Any, training: bool = True) -> Any:
        self._shape(data)
        transformation = self.get_random_transformation(data, training=training)
        if not isinstance(data, dict):
            images = ops.convert_to_tensor(data)
            batched = len(images.shape) == 4
            moved = self.transform_images if batched else self.transform_single_image
            return moved(images, transformation, training=training)
        if "bounding_boxes" in data and self._moves_pixels:
            raise NotImplementedError(f"{type(self).__name__} moves images and masks, not `bounding_boxes`.")
        found = dict(data)
        single = len(data["images"].shape) == 3
        for key, transform in (
            ("images", self.transform_images),
            ("labels", self.transform_labels),
            ("segmentation_masks", self.transform_segmentation_masks),
        ):
            if key in data:
                value = ops.convert_to_tensor(data[key])
                out = transform(ops.expand_dims(value, 0) if single else value, transformation, training=training)
                found[key] = ops.squeeze(out, axis=0) if single else out
        return found

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "data_format": self.data_format}
        if self.bounding_box_format is not None:
            config["bounding_box_format"] = self.bounding_box_format
        return config


def resized_shape(layer: ImageLayer, input_shape: Any, height: int, width: int) -> Shape:
    """An image shape, or a batch's, with another height and width.

    Raises:
        ValueError: neither the shape of one image nor of a batch.
    """
    if not input_shape or isinstance(input_shape[0], (list, tuple)) or len(input_shape) not in (3, 4):
        raise ValueError(
            "`input_shape` must be a non-nested tuple or list of rank-1 with size 3 (unbatched) or 4 (batched). "
        )
    shape = list(input_shape)
    shape[layer.height_axis], shape[layer.width_axis] = height, width
    return tuple(shape)


def factor_in(factor: Any, low: float, high: float) -> tuple[float, float]:
    """A share, or a pair of them, as the (lower, upper) end of a range.

    Raises:
        ValueError: out of [low, high], or neither number nor pair.
    """
    message = (
        f"The `factor` argument should be a number (or a list of two numbers) in the range [{low}, {high}]. "
        f"Received: factor={factor}"
    )
    if isinstance(factor, (tuple, list)):
        if len(factor) != 2 or factor[0] > high or factor[1] < low:
            raise ValueError(message)
        lower, upper = sorted(factor)
        return lower, upper
    if not isinstance(factor, (int, float)) or factor < low or factor > high:
        raise ValueError(message)
    return max(-abs(factor), low), abs(factor)


def check_sampling(fill_mode: Any, interpolation: Any) -> None:
    """Raises NotImplementedError unless both are known."""
    if fill_mode not in FILL_MODES:
        raise NotImplementedError(f"Unknown `fill_mode` {fill_mode}. Expected of one {FILL_MODES}.")
    if interpolation not in INTERPOLATIONS:
        raise NotImplementedError(f"Unknown `interpolation` {interpolation}. Expected of one {INTERPOLATIONS}.")
