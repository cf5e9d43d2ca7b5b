"""Relatives of Dropout: whole channels, multiplicative noise, and dropout that keeps mean and variance."""

from __future__ import annotations

import math
from typing import Any

from nabi import ops, random
from nabi.config import standardize_data_format
from nabi.layers.arguments import Shape
from nabi.layers.input_spec import InputSpec
from nabi.layers.layer import Layer
from nabi.layers.regularization import Dropout


class _SpatialDropout(Dropout):
    """Base: while training, sets a fraction `rate` of the channels to 0 and divides the others by `1 - rate`.

    Args:
        rate: between 0 and 1.
        data_format: "channels_last", "channels_first", or None for the global setting.
        seed: int, or None for a random one.
    """

    def __init__(
        self,
        rank: int,
        rate: float,
        data_format: str | None,
        seed: int | None,
        name: str | None,
        dtype: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.rank = rank
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=rank + 2)

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate <= 0:
            return inputs
        ones = (1,) * self.rank
        batch, last = inputs.shape[0], inputs.shape[-1]
        first = self.data_format == "channels_first"
        shape = (batch, inputs.shape[1], *ones) if first else (batch, *ones, last)
        return random.dropout(inputs, self.rate, noise_shape=shape, seed=self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config = {key: config[key] for key in ("rate", "seed", "name", "dtype")}
        return config if self.rank == 1 else {**config, "data_format": self.data_format}


class SpatialDropout1D(_SpatialDropout):
    """Drops whole channels of `(batch, steps, channels)` while training.

    Args:
        rate: the fraction to drop, between 0 and 1.
        seed: int, or None for a random one.
    """

    def __init__(
        self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(1, rate, "channels_last", seed, name, dtype, **kwargs)


class SpatialDropout2D(_SpatialDropout):
    """Drops whole channels of images `(batch, height, width, channels)` while training.

    Args:
        rate: the fraction to drop, between 0 and 1.
        data_format: "channels_last", "channels_first", or None for the global setting.
        seed: int, or None for a random one.
    """

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(2, rate, data_format, seed, name, dtype, **kwargs)


class SpatialDropout3D(_SpatialDropout):
    """Drops whole channels of volumes `(batch, depth, height, width, channels)` while training.

    Args:
        rate: the fraction to drop, between 0 and 1.
        data_format: "channels_last", "channels_first", or None for the global setting.
        seed: int, or None for a random one.
    """

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(3, rate, data_format, seed, name, dtype, **kwargs)


class _Noise(Layer):
    """Base of noise layers with a rate."""

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
            raise ValueError(
                "Invalid value received for argument `rate`. Expected a float value between 0 and 1. "
                f"Received: rate={rate}"
            )
        self.rate = rate
        self.seed = seed
        if rate > 0:
            self.seed_generator = random.SeedGenerator(seed)
        self.supports_masking = True
        self._build_at_init()

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


class GaussianDropout(_Noise):
    """While training, multiplies by normal noise of mean 1 and variance `rate / (1 - rate)`. Any shape.

    Args:
        rate: below 1, as in Dropout.
        seed: int, or None for a random one.

    Raises:
        ValueError: `rate` out of range.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate <= 0:
            return inputs
        if self.rate == 1:
            raise ValueError("GaussianDropout with `rate=1` would have noise of infinite variance.")
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        noise = random.normal(inputs.shape, mean=1.0, stddev=stddev, dtype=self.compute_dtype, seed=self.seed_generator)
        return ops.multiply(inputs, noise)


#: Where SELU goes for large negative inputs: -alpha * scale (Klambauer and others, 2017).
_FLOOR = -1.6732632423543772 * 1.0507009873554805


class AlphaDropout(_Noise):
    """Dropout for SELU networks: dropped elements take SELU's lowest value; mean and variance are kept. Any shape.

    Args:
        rate: between 0 and 1.
        noise_shape: shape of the mask, None where it follows the input; 1 drops along a whole axis.
        seed: int, or None for a random one.

    Raises:
        ValueError: `rate` out of range.
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed=seed, **kwargs)
        self.noise_shape = noise_shape

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or self.rate <= 0:
            return inputs
        shape = inputs.shape
        if self.noise_shape is not None:
            shape = tuple(d if n is None else n for d, n in zip(inputs.shape, self.noise_shape, strict=True))
        kept = ops.cast(
            ops.greater_equal(random.uniform(shape, seed=self.seed_generator), self.rate), self.compute_dtype
        )
        a = ((1 - self.rate) * (1 + self.rate * _FLOOR**2)) ** -0.5 if self.rate < 1 else 0.0
        return a * (inputs * kept + _FLOOR * (1 - kept)) - a * _FLOOR * self.rate

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "noise_shape": self.noise_shape}
