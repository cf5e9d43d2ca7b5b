"""Layers that prepare data."""

from __future__ import annotations

from typing import Any

import numpy as np

from nabi import config as nabi_config
from nabi import objects, ops
from nabi.layers.arguments import Shape
from nabi.layers.layer import Layer


class Rescaling(Layer):
    """`inputs * scale + offset`, in the layer's dtype. Any shape, any numeric dtype.

    Args:
        scale, offset: numbers, or arrays that broadcast to the input.
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for argument, value in (("scale", scale), ("offset", offset)):
            if isinstance(value, str):
                raise ValueError(f"Argument `{argument}` must hold numbers. Received: {argument}={value}")
        self.scale = scale
        self.offset = offset
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        dtype = self.compute_dtype
        scale, offset = (np.asarray(value, dtype=dtype) for value in (self.scale, self.offset))
        if scale.ndim > 0 and nabi_config.image_data_format() == "channels_first":
            scale = scale.reshape(scale.shape + (1,) * (3 - scale.ndim))
        x = ops.cast(inputs, dtype)
        return ops.add(ops.multiply(x, ops.cast(scale, dtype)), ops.cast(offset, dtype))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": objects.serialize_keras_object(self.scale),
            "offset": objects.serialize_keras_object(self.offset),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        config = dict(config)
        for key in ("scale", "offset"):
            config[key] = objects.deserialize_keras_object(config[key], custom_objects)
        return super().from_config(config)
