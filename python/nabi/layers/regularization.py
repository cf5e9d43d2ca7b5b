"""Layers that act while training only: dropout and noise; and the penalty on activities."""

from __future__ import annotations

from typing import Any

import numpy as np

from nabi import ops, random, regularizers
from nabi.layers.arguments import Shape
from nabi.layers.layer import Layer


class Dropout(Layer):
    """While training, sets a fraction `rate` of the elements to 0 and divides the others by `1 - rate`. Any shape.

    Args:
        rate: between 0 and 1.
        noise_shape: shape of the mask, None where it follows the input; 1 drops along a whole axis.
        seed: int, or None for a random one.

    Raises:
        ValueError: `rate` or `noise_shape` out of range.
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(rate, (int, float, np.number)) or not 0 <= rate <= 1:
            raise ValueError(
                "Invalid value received for argument `rate`. Expected a float value between 0 and 1. "
                f"Received: rate={rate}"
            )
        self.rate = rate
        self.seed = seed
        self.noise_shape = _noise_shape(noise_shape)
        if rate > 0:
            self.seed_generator = random.SeedGenerator(seed)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training and self.rate > 0:
            return random.dropout(inputs, self.rate, noise_shape=self.noise_shape, seed=self.seed_generator)
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed, "noise_shape": self.noise_shape}


def _noise_shape(noise_shape: Any) -> tuple[int | None, ...] | None:
    start = "Invalid value received for argument `noise_shape`. "
    if noise_shape is None:
        return None
    if isinstance(noise_shape, str):
        raise ValueError(f"{start}Expected a tuple or list of integers. Received: noise_shape={noise_shape}")
    try:
        found = tuple(noise_shape)
    except TypeError:
        raise ValueError(
            f"{start}Expected an iterable of integers (e.g., a tuple or list). Received: noise_shape={noise_shape}"
        ) from None
    for i, dim in enumerate(found):
        if dim is None:
            continue
        if not isinstance(dim, int):
            raise ValueError(
                f"{start}Expected all elements to be integers or None. "
                f"Received element at index {i}: {dim} (type: {type(dim).__name__})"
            )
        if dim <= 0:
            raise ValueError(
                f"{start}Expected all dimensions to be positive integers or None. "
                f"Received negative or zero value at index {i}: {dim}"
            )
    return found


class GaussianNoise(Layer):
    """While training, adds normal noise of standard deviation `stddev` (between 0 and 1). Any shape.

    Raises:
        ValueError: `stddev` out of range.
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= stddev <= 1:
            raise ValueError(
                "Invalid value received for argument `stddev`. Expected a float value between 0 and 1. "
                f"Received: stddev={stddev}"
            )
        self.stddev = stddev
        self.seed = seed
        if stddev > 0:
            self.seed_generator = random.SeedGenerator(seed)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any, training: bool = False) -> Any:
        if training and self.stddev > 0:
            noise = random.normal(
                inputs.shape, mean=0.0, stddev=self.stddev, dtype=self.compute_dtype, seed=self.seed_generator
            )
            return ops.add(inputs, noise)
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}


class ActivityRegularization(Layer):
    """Adds `l1 * sum(|x|) + l2 * sum(x^2)` of its input, divided by the batch size, to the loss. Any shape."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.supports_masking = True
        self.l1 = l1
        self.l2 = l2
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return {**config, "l1": self.l1, "l2": self.l2}
