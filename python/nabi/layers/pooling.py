"""Pooling layers."""

from __future__ import annotations

from typing import Any

from nabi import ops
from nabi.config import standardize_data_format
from nabi.layers.arguments import Shape, pool_output_shape, standardize_tuple
from nabi.layers.input_spec import InputSpec
from nabi.layers.layer import Layer


class BasePooling(Layer):
    """Pooling of windows over `pool_dimensions` dimensions.

    Args:
        pool_size: int, or one per dimension.
        strides: int, or one per dimension; `pool_size` by default.
        pool_mode: "max" or "average".
        padding: "valid" or "same"; what is padded counts neither as maximum nor in an average.
        data_format: "channels_last", "channels_first", or None for the global setting.

    Raises:
        ValueError: arguments out of range, or an input smaller than the window.
    """

    def __init__(
        self,
        pool_size: Any,
        strides: Any,
        pool_dimensions: int,
        pool_mode: str = "max",
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = standardize_tuple(pool_size, pool_dimensions, "pool_size")
        self.strides = standardize_tuple(pool_size if strides is None else strides, pool_dimensions, "strides")
        self.pool_mode = pool_mode
        if str(padding).lower() not in ("valid", "same"):
            raise ValueError(f"Argument `padding` must be either 'valid' or 'same'. Received: padding={padding}")
        self.padding = padding
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=pool_dimensions + 2)
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        pool = ops.max_pool if self.pool_mode == "max" else ops.average_pool
        return pool(
            inputs,
            pool_size=self.pool_size,
            strides=self.strides,
            padding=self.padding,
            data_format=self.data_format,
        )

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


class MaxPooling1D(BasePooling):
    """Maximum of windows of `(batch, steps, features)`. Arguments: `BasePooling`."""

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, 1, "max", padding, data_format, name, **kwargs)


class MaxPooling2D(BasePooling):
    """Maximum of windows of `(batch, height, width, channels)`. Arguments: `BasePooling`."""

    def __init__(
        self,
        pool_size: Any = (2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, 2, "max", padding, data_format, name, **kwargs)


class MaxPooling3D(BasePooling):
    """Maximum of windows of `(batch, depth, height, width, channels)`. Arguments: `BasePooling`."""

    def __init__(
        self,
        pool_size: Any = (2, 2, 2),
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, 3, "max", padding, data_format, name, **kwargs)


class AveragePooling1D(BasePooling):
    """Average of windows of `(batch, steps, features)`. Arguments: `BasePooling`."""

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, 1, "average", padding, data_format, name, **kwargs)


class AveragePooling2D(BasePooling):
    """Average of windows of `(batch, height, width, channels)`. Arguments: `BasePooling`."""

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, 2, "average", padding, data_format, name, **kwargs)


class AveragePooling3D(BasePooling):
    """Average of windows of `(batch, depth, height, width, channels)`. Arguments: `BasePooling`."""

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, 3, "average", padding, data_format, name, **kwargs)


class BaseGlobalPooling(Layer):
    """Pooling of all spatial dimensions: `(batch, ..., channels)` to `(batch, channels)`.

    Args:
        data_format: "channels_last", "channels_first", or None for the global setting.
        keepdims: keep the pooled dimensions with length 1.
    """

    def __init__(
        self, pool_dimensions: int, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=pool_dimensions + 2)
        self._axes = tuple(range(1, pool_dimensions + 1))
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

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(1, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalMaxPooling2D(BaseGlobalPooling):
    """Maximum over height and width of `(batch, height, width, channels)`."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(2, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalMaxPooling3D(BaseGlobalPooling):
    """Maximum over depth, height and width of `(batch, depth, height, width, channels)`."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(3, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        return ops.max(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalAveragePooling1D(BaseGlobalPooling):
    """Average over the steps of `(batch, steps, features)`; with a mask `(batch, steps)`, over the steps it keeps."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(1, data_format, keepdims, **kwargs)
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

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(2, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        return ops.mean(inputs, axis=self._axes, keepdims=self.keepdims)


class GlobalAveragePooling3D(BaseGlobalPooling):
    """Average over depth, height and width of `(batch, depth, height, width, channels)`."""

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(3, data_format, keepdims, **kwargs)

    def call(self, inputs: Any) -> Any:
        return ops.mean(inputs, axis=self._axes, keepdims=self.keepdims)
