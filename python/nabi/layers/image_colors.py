"""Layers that change the colours of images at random while training: RandomContrast, RandomBrightness.

Each image of a batch gets a factor of its own.
"""

from __future__ import annotations

from typing import Any

from nabi import ops, random
from nabi.layers.image_base import ImageLayer, factor_in


class _Colors(ImageLayer):
    """Base: labels, masks and bounding boxes stay as they are."""

    _moves_pixels = False

    def _shape(self, data: Any) -> tuple[int, int, int]:
        shape = ops.shape(data["images"] if isinstance(data, dict) else data)
        if len(shape) not in (3, 4):
            raise ValueError(f"Expected the input image to be rank 3 or 4. Received inputs.shape={shape}")
        return super()._shape(data)

    def transform_segmentation_masks(self, segmentation_masks: Any, transformation: Any, training: bool = True) -> Any:
        """The masks, which have no colours."""
        return segmentation_masks


class RandomContrast(_Colors):
    """While training, stretches the distance of pixels from the mean of their image and channel.

    Args:
        factor: the stretch is drawn between 1 - factor and 1 + factor, or 1 - lower and 1 + upper for a pair.
        value_range: smallest and largest value of a pixel; results are cut to it.
        seed: int, or None for a random one.

    Raises:
        ValueError: a factor out of [0, 1].
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor_in(factor, 0, 1)
        self.value_range = value_range
        self.seed = seed
        self.generator = random.SeedGenerator(seed)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """The stretch of each image."""
        batch, _, _ = self._shape(data)
        if not training:
            return {"contrast_factor": ops.zeros((batch, 1, 1, 1))}
        drawn = random.uniform(
            (batch, 1, 1, 1),
            minval=1.0 - self.factor[0],
            maxval=1.0 + self.factor[1],
            seed=self._seed(seed),
            dtype=self.compute_dtype,
        )
        return {"contrast_factor": drawn}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        if not training:
            return images
        x = ops.cast(images, self.compute_dtype)
        stretch = ops.cast(transformation["contrast_factor"], self.compute_dtype)
        mean = ops.mean(x, axis=(self.height_axis, self.width_axis), keepdims=True)
        return ops.clip((x - mean) * stretch + mean, self.value_range[0], self.value_range[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor, "value_range": self.value_range, "seed": self.seed}


class RandomBrightness(_Colors):
    """While training, adds one number to all pixels of an image.

    Args:
        factor: share of the value range, drawn between -factor and factor, or between the two numbers of a pair.
        value_range: smallest and largest value of a pixel; results are cut to it.
        seed: int, or None for a random one.

    Raises:
        ValueError: a factor out of [-1, 1], or a range that is no pair.
    """

    def __init__(self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor_in(factor or 0.0, -1, 1)
        self.seed = seed
        self.generator = random.SeedGenerator(seed)
        if not isinstance(value_range, (tuple, list)) or len(value_range) != 2:
            raise ValueError(
                f"The `value_range` argument should be a list of two numbers. Received: value_range={value_range}"
            )
        self.value_range = sorted(value_range)

    def get_random_transformation(self, data: Any, training: bool = True, seed: Any = None) -> Any:
        """What is added to each image."""
        batch, _, _ = self._shape(data)
        if not training:
            return {"rgb_delta": ops.zeros((batch, 1, 1, 1))}
        low, high = self.factor
        drawn = random.uniform((batch, 1, 1, 1), minval=low, maxval=high, seed=self._seed(seed))
        return {"rgb_delta": ops.multiply(drawn, self.value_range[1] - self.value_range[0])}

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        if not training:
            return images
        x = ops.cast(images, self.compute_dtype)
        delta = ops.cast(transformation["rgb_delta"], self.compute_dtype)
        return ops.clip(ops.add(x, delta), self.value_range[0], self.value_range[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor, "value_range": self.value_range, "seed": self.seed}
