"""Pooling layers."""

from __future__ import annotations

from typing import Any

from nabi import ops
from nabi.config import standardize_data_format
from nabi.layers.arguments import Shape, pool_output_shape, standardize_tuple
from nabi.layers.input_spec import InputSpec
from nabi.layers.layer import Layer


class BasePooling(Layer):
    """Pooling of windows over `rank` dimensions.

    Args:
        pool_size: int, or one per dimension.
        strides: int, or one per dimension; `pool_size` by default.
        padding: "valid" or "same"; what is padded counts neither as maximum nor in an average.
        data_format: "channels_last", "channels_first", or None for the global setting.

    Raises:
        ValueError: arguments out of range, or an input smaller than the window.
    """

    rank: int

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = standardize_tuple(pool_size, self.rank, "pool_size")
        self.strides = standardize_tuple(pool_size if strides is None else strides, self.rank, "strides")
        if str(padding).lower() not in ("valid", "same"):
            raise ValueError(f"Argument `padding` must be either 'valid' or 'same'. Received: padding={padding}")
        self.padding = padding
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._build_at_init()

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return pool_output_shape(tuple(input_shape), self.pool_size, self.strides, self.padding, self.data_format)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "padding": self.padding,
            "strides": self.strides,
            "data_format": self.data_format,
        }


class _MaxPooling(BasePooling):
    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)

    def call(self, inputs: Any) -> Any:
        return ops.max_pool(
            inputs,
            pool_size=self.pool_size,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
        )


class MaxPooling1D(_MaxPooling):
    """Maximum of windows of `(batch, steps, features)`. Arguments: `BasePooling`."""

    rank = 1


class MaxPooling2D(_MaxPooling):
    """Maximum of windows of `(batch, height, width, channels)`. Arguments: `BasePooling`."""

    rank = 2


class MaxPooling3D(_MaxPooling):
    """Maximum of windows of `(batch, depth, height, width, channels)`. Arguments: `BasePooling`."""

    rank = 3


class _AveragePooling(BasePooling):
    def call(self, inputs: Any) -> Any:
        return ops.average_pool(
            inputs,
            pool_size=self.pool_size,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
        )


class AveragePooling1D(_AveragePooling):
    """Average of windows of `(batch, steps, features)`. Arguments: `BasePooling`."""

    rank = 1


class AveragePooling2D(_AveragePooling):
    """Average of windows of `(batch, height, width, channels)`. Arguments: `BasePooling`."""

    rank = 2


class AveragePooling3D(_AveragePooling):
    """Average of windows of `(batch, depth, height, width, channels)`. Arguments: `BasePooling`."""

    rank = 3


class BaseGlobalPooling(Layer):
    """Pooling of all spatial dimensions: `(batch, ..., channels)` to `(batch, channels)`.

    Args:
        data_format: "channels_last", "channels_first", or None for the global setting.
        keepdims: keep the pooled dimensions with length 1.
    """

    rank: int

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._axes = tuple(range(1, self.rank + 1))
        if self.data_format == "channels_first":
            self._axes = tuple(axis + 1 for axis in self._axes)
        self._build_at_init()

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = tuple(input_shape)
        if self.keepdims:
            return tuple(1 if i in self._axes else dim for i, dim in enumerate(shape))
        return tuple(dim for i, dim in enumerate(shape) if i not in self._axes)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


class GlobalMaxPooling1D(BaseGlobalPooling):
    """Maximum over the steps of `(batch, steps, features)`."""

    rank = 1

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalMaxPooling2D(BaseGlobalPooling):
    """Maximum over height and width of `(batch, height, width, channels)`."""

    rank = 2

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalMaxPooling3D(BaseGlobalPooling):
    """Maximum over depth, height and width of `(batch, depth, height, width, channels)`."""

    rank = 3

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalAveragePooling1D(BaseGlobalPooling):
    """Average over the steps of `(batch, steps, features)`; with a mask `(batch, steps)`, over the steps it keeps."""

    rank = 1

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.mean(inputs, axis=self._axes, keepdims=self.keepdims)
        kept = ops.cast(ops.expand_dims(mask, 2 if self._axes == (1,) else 1), inputs.dtype)
        total = ops.sum(inputs * kept, axis=self._axes, keepdims=self.keepdims)
        return total / ops.sum(kept, axis=self._axes, keepdims=self.keepdims)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None


class GlobalAveragePooling2D(BaseGlobalPooling):
    """Average over height and width of `(batch, height, width, channels)`."""

    rank = 2

    def call(self, inputs: Any) -> Any:
        return ops.mean(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalAveragePooling3D(BaseGlobalPooling):
    """Average over depth, height and width of `(batch, depth, height, width, channels)`."""

    rank = 3

    def call(self, inputs: Any) -> Any:
        return ops.mean(inputs, axis=self._axes, keepdims=self.keepdims)
