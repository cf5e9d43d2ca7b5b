"""Depthwise and separable convolution layers: each channel is convolved by itself, then channels are mixed."""

from __future__ import annotations

from typing import Any

from nabi import activations, constraints, initializers, ops, regularizers
from nabi.config import standardize_data_format
from nabi.layers.arguments import (
    Shape,
    conv_output_shape,
    known_length,
    standardize_count,
    standardize_padding,
    standardize_tuple,
)
from nabi.layers.convolutional_transpose import finished
from nabi.layers.input_spec import InputSpec
from nabi.layers.layer import Layer
from nabi.trace import Variable


class _Depthwise(Layer):
    """Base: arguments that depthwise and separable convolutions share."""

    rank: int

    def __init__(
        self,
        depth_multiplier: int,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        depthwise_initializer: Any,
        bias_initializer: Any,
        depthwise_regularizer: Any,
        bias_regularizer: Any,
        activity_regularizer: Any,
        depthwise_constraint: Any,
        bias_constraint: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.depth_multiplier = standardize_count(
            depth_multiplier,
            "Invalid value for argument `depth_multiplier`. Expected a strictly positive value. "
            f"Received depth_multiplier={depth_multiplier}.",
        )
        self.kernel_size = standardize_tuple(kernel_size, self.rank, "kernel_size")
        self.strides = standardize_tuple(strides, self.rank, "strides")
        self.dilation_rate = standardize_tuple(dilation_rate, self.rank, "dilation_rate")
        self.padding = standardize_padding(padding)
        self.data_format = standardize_data_format(data_format)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.depthwise_initializer = initializers.get(depthwise_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.depthwise_regularizer = regularizers.get(depthwise_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.depthwise_constraint = constraints.get(depthwise_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=self.rank + 2)

    @property
    def _channel_axis(self) -> int:
        return -1 if self.data_format == "channels_last" else 1

    def _filters(self, input_shape: Shape) -> int:
        raise NotImplementedError

    def _add_depthwise(self, name: str, input_shape: Shape) -> tuple[Variable, int]:
        channels = known_length(input_shape, self._channel_axis, self.name)
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={self._channel_axis: channels})
        self.compute_output_shape(input_shape)  # raises for an input that is too small
        kernel = self.add_weight(
            name=name,
            shape=(*self.kernel_size, channels, self.depth_multiplier),
            initializer=self.depthwise_initializer,
            regularizer=self.depthwise_regularizer,
            constraint=self.depthwise_constraint,
        )
        return kernel, channels

    def _add_bias(self, length: int) -> None:
        self.bias: Variable | None = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(length,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = tuple(input_shape)
        filters = self._filters(shape)
        return conv_output_shape(
            shape, filters, self.kernel_size, self.strides, self.padding, self.data_format, self.dilation_rate
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "depth_multiplier": self.depth_multiplier,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "depthwise_initializer": initializers.serialize(self.depthwise_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "depthwise_regularizer": regularizers.serialize(self.depthwise_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "depthwise_constraint": constraints.serialize(self.depthwise_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }


class BaseDepthwiseConv(_Depthwise):
    """Convolves each channel by itself: `(batch, ..., channels)` to `(batch, ..., channels * depth_multiplier)`.

    Args:
        kernel_size, strides, dilation_rate: an int, or one per spatial dimension.
        padding: "valid" or "same".
        depth_multiplier: output channels of each input channel.
        data_format: "channels_last", "channels_first", or None for the global setting.
        activation: name or function; None is linear.
        use_bias, depthwise_*, bias_*: as in `Dense`; the kernel is `(..., channels, depth_multiplier)`.

    Raises:
        ValueError: arguments out of range, or an input that is too small.
    """

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            depth_multiplier=depth_multiplier,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )

    def _filters(self, input_shape: Shape) -> int:
        return self.depth_multiplier * known_length(input_shape, self._channel_axis, self.name)

    def build(self, input_shape: Shape) -> None:
        """Makes kernel and bias for an input whose channels are known."""
        self.kernel, channels = self._add_depthwise("kernel", input_shape)
        self._add_bias(channels * self.depth_multiplier)

    def call(self, inputs: Any) -> Any:
        outputs = ops.depthwise_conv(
            inputs,
            self.kernel,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        return finished(self, outputs, self.depth_multiplier * inputs.shape[self._channel_axis])


class BaseSeparableConv(_Depthwise):
    """Convolves each channel by itself, then mixes them: `(batch, ..., channels)` to `(batch, ..., filters)`.

    Args:
        filters: number of output channels.
        pointwise_*: of the second kernel, `(1, ..., channels * depth_multiplier, filters)`.
        The others: as for `BaseDepthwiseConv`; the first kernel is `depthwise_kernel`.

    Raises:
        ValueError: arguments out of range, or an input that is too small.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            depth_multiplier=depth_multiplier,
            kernel_size=kernel_size,
            strides=strides,
            padding=padding,
            data_format=data_format,
            dilation_rate=dilation_rate,
            activation=activation,
            use_bias=use_bias,
            depthwise_initializer=depthwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            depthwise_constraint=depthwise_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self.filters = standardize_count(
            filters,
            f"Invalid value for argument `filters`. Expected a strictly positive value. Received filters={filters}.",
        )
        self.pointwise_initializer = initializers.get(pointwise_initializer)
        self.pointwise_regularizer = regularizers.get(pointwise_regularizer)
        self.pointwise_constraint = constraints.get(pointwise_constraint)

    def _filters(self, input_shape: Shape) -> int:
        return self.filters

    def build(self, input_shape: Shape) -> None:
        """Makes both kernels and the bias for an input whose channels are known."""
        self.depthwise_kernel, channels = self._add_depthwise("depthwise_kernel", input_shape)
        self.pointwise_kernel = self.add_weight(
            name="pointwise_kernel",
            shape=(*(1,) * self.rank, channels * self.depth_multiplier, self.filters),
            initializer=self.pointwise_initializer,
            regularizer=self.pointwise_regularizer,
            constraint=self.pointwise_constraint,
        )
        self._add_bias(self.filters)

    def call(self, inputs: Any) -> Any:
        outputs = ops.separable_conv(
            inputs,
            self.depthwise_kernel,
            self.pointwise_kernel,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        return finished(self, outputs, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "pointwise_initializer": initializers.serialize(self.pointwise_initializer),
            "pointwise_regularizer": regularizers.serialize(self.pointwise_regularizer),
            "pointwise_constraint": constraints.serialize(self.pointwise_constraint),
        }


class DepthwiseConv1D(BaseDepthwiseConv):
    """Depthwise convolution along one axis, `(batch, steps, channels)`. Arguments: `BaseDepthwiseConv`."""

    rank = 1


class DepthwiseConv2D(BaseDepthwiseConv):
    """Depthwise convolution of images, `(batch, height, width, channels)`. Arguments: `BaseDepthwiseConv`."""

    rank = 2


class SeparableConv1D(BaseSeparableConv):
    """Separable convolution along one axis, `(batch, steps, channels)`. Arguments: `BaseSeparableConv`."""

    rank = 1


class SeparableConv2D(BaseSeparableConv):
    """Separable convolution of images, `(batch, height, width, channels)`. Arguments: `BaseSeparableConv`."""

    rank = 2
