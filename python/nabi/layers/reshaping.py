"""Layers that rearrange elements. All keep the dtype."""

from __future__ import annotations

import math
from typing import Any

from nabi import ops
from nabi.config import standardize_data_format
from nabi.layers.arguments import Shape, check_target_shape, reshape_output_shape, standardize_tuple
from nabi.layers.input_spec import InputSpec
from nabi.layers.layer import Layer
from nabi.trace import KerasTensor

_INTERPOLATIONS = ("bicubic", "bilinear", "lanczos3", "lanczos5", "nearest")


class _Rearranging(Layer):
    """A layer whose output has the input's dtype, whatever the layer's own."""

    def compute_output_spec(self, inputs: Any) -> Any:
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype=inputs.dtype)


class Flatten(_Rearranging):
    """`(batch, ...)` to `(batch, product of the rest)`, in channels-last order; `(batch,)` to `(batch, 1)`.

    Args:
        data_format: "channels_last", "channels_first", or None for the global setting.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        shape = tuple(inputs.shape)
        if self.data_format == "channels_first" and len(shape) > 1:
            inputs = ops.transpose(inputs, axes=(0, *range(2, len(shape)), 1))
        return ops.reshape(inputs, (shape[0], math.prod(shape[1:])))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        rest = tuple(input_shape[1:])
        return (input_shape[0], None if None in rest else math.prod(dim for dim in rest if dim is not None))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(_Rearranging):
    """`(batch, ...)` to `(batch, *target_shape)`; one dimension of `target_shape` may be -1.

    Raises:
        ValueError: a bad target shape, or an input of another size.
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(target_shape, (list, tuple)) and not hasattr(target_shape, "__iter__"):
            raise ValueError(
                "`target_shape` must be a tuple of integers, the axis of samples left out. "
                f"Received: target_shape={target_shape}"
            )
        self.target_shape = tuple(target_shape)
        check_target_shape(self.target_shape, "target_shape")
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        shape = reshape_output_shape(tuple(inputs.shape[1:]), self.target_shape, "target_shape")
        return ops.reshape(inputs, (inputs.shape[0], *shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *reshape_output_shape(tuple(input_shape[1:]), self.target_shape, "target_shape"))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(_Rearranging):
    """Reorders the dimensions after the batch; `dims` counts them from 1.

    Raises:
        ValueError: `dims` is no permutation, or the input has another rank.
    """

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(dims) != list(range(1, len(dims) + 1)):
            raise ValueError(
                "Invalid permutation argument `dims` for Permute Layer. The set of indices in `dims` must be "
                f"consecutive and start from 1. Received dims={dims}"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        return ops.transpose(inputs, axes=(0, *self.dims))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *(input_shape[dim] for dim in self.dims))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(Layer):
    """`(batch, features)` to `(batch, n, features)`.

    Raises:
        TypeError: `n` is no int. ValueError: `n` is not positive.
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int) or isinstance(n, bool):
            raise TypeError(f"Expected an integer value for `n`, got {type(n)}.")
        if n <= 0:
            raise ValueError(f"Argument `n` should be a positive integer. Received: n={n}")
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        batch, features = inputs.shape
        return ops.broadcast_to(ops.reshape(inputs, (batch, 1, features)), (batch, self.n, features))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}


class ZeroPadding2D(_Rearranging):
    """Puts rows and columns of zeros around images `(batch, height, width, channels)`.

    Args:
        padding: an int; (rows, columns); or ((top, bottom), (left, right)).
        data_format: "channels_last", "channels_first", or None for the global setting.

    Raises:
        ValueError: a padding of another form.
    """

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        if isinstance(padding, int):
            self.padding = ((padding, padding), (padding, padding))
        elif hasattr(padding, "__len__"):
            if len(padding) != 2:
                raise ValueError(f"`padding` should have two elements. Received: padding={padding}.")
            rows = standardize_tuple(padding[0], 2, "1st entry of padding", allow_zero=True)
            columns = standardize_tuple(padding[1], 2, "2nd entry of padding", allow_zero=True)
            self.padding = ((rows[0], rows[1]), (columns[0], columns[1]))
        else:
            raise ValueError(
                "`padding` should be either an int, a tuple of 2 ints (symmetric_height_crop, symmetric_width_crop), "
                "or a tuple of 2 tuples of 2 ints ((top_crop, bottom_crop), (left_crop, right_crop)). "
                f"Received: padding={padding}."
            )
        self.input_spec = InputSpec(ndim=4)

    def _widths(self) -> tuple[tuple[int, int], ...]:
        if self.data_format == "channels_first":
            return ((0, 0), (0, 0), *self.padding)
        return ((0, 0), *self.padding, (0, 0))

    def call(self, inputs: Any) -> Any:
        return ops.pad(inputs, self._widths())

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        pairs = zip(input_shape, self._widths(), strict=True)
        return tuple(None if dim is None else dim + before + after for dim, (before, after) in pairs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


class UpSampling2D(_Rearranging):
    """Repeats the rows and columns of images `(batch, height, width, channels)`.

    Args:
        size: how often each row and each column stands in the output; one int for both.
        data_format: "channels_last", "channels_first", or None for the global setting.
        interpolation: "nearest" repeats; "bilinear", "bicubic", "lanczos3" and "lanczos5" resize smoothly.

    Raises:
        ValueError: a factor that is no positive int, or an unknown interpolation.
    """

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.size = standardize_tuple(size, 2, "size")
        self.interpolation = interpolation.lower()
        if self.interpolation not in _INTERPOLATIONS:
            raise ValueError(
                f"Argument `interpolation` must be one of {_INTERPOLATIONS}. Received: interpolation={interpolation}"
            )
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Any) -> Any:
        if self.interpolation != "nearest":
            shape = self.compute_output_shape(inputs.shape)
            size = shape[2:] if self.data_format == "channels_first" else shape[1:3]
            return ops.image.resize(inputs, size, interpolation=self.interpolation, data_format=self.data_format)
        # One broadcast for both axes: the images are written once, and their gradient is one sum.
        rows, columns = self.size
        if self.data_format == "channels_first":
            batch, channels, height, width = inputs.shape
            apart, wide = (batch, channels, height, 1, width, 1), (batch, channels, height, rows, width, columns)
        else:
            batch, height, width, channels = inputs.shape
            apart, wide = (batch, height, 1, width, 1, channels), (batch, height, rows, width, columns, channels)
        repeated = ops.broadcast_to(ops.reshape(inputs, apart), wide)
        return ops.reshape(repeated, self.compute_output_shape(inputs.shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        axes = (2, 3) if self.data_format == "channels_first" else (1, 2)
        factors = dict(zip(axes, self.size, strict=True))
        return tuple(None if dim is None else dim * factors.get(axis, 1) for axis, dim in enumerate(input_shape))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "size": self.size,
            "data_format": self.data_format,
            "interpolation": self.interpolation,
        }
