"""Convolution layers. The core works on channels-last images; channels-first ones are transposed at the edge."""

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
from nabi.layers.core import kernel_and_bias_config, refuse_lora
from nabi.layers.input_spec import InputSpec
from nabi.layers.layer import Layer
from nabi.trace import Variable


class BaseConv(Layer):
    """Convolution over `rank` dimensions: `(batch, ..., channels)` to `(batch, ..., filters)`.

    Args:
        filters: number of output channels.
        kernel_size, strides, dilation_rate: an int, or one per spatial dimension.
        padding: "valid", "same" (zeros, the odd one at the end) or, for one dimension, "causal".
        data_format: "channels_last", "channels_first", or None for the global setting.
        groups: the channels are convolved in this many separate groups.
        activation: name or function; None is linear.
        use_bias, kernel_*, bias_*: as in `Dense`; the kernel is `(..., channels // groups, filters)`.

    Raises:
        ValueError: arguments that are out of range or exclude each other, or an input that is too small.
    """

    rank: int

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        refuse_lora(lora_rank)
        if filters is not None:
            filters = standardize_count(
                filters,
                "Invalid value for argument `filters`. Expected a strictly positive value. "
                f"Received filters={filters}.",
            )
        self.filters = filters
        self.groups = groups
        self.kernel_size = standardize_tuple(kernel_size, self.rank, "kernel_size")
        self.strides = standardize_tuple(strides, self.rank, "strides")
        self.dilation_rate = standardize_tuple(dilation_rate, self.rank, "dilation_rate")
        self.padding = standardize_padding(padding, allow_causal=self.rank == 1)
        self.data_format = standardize_data_format(data_format)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=self.rank + 2)
        if groups <= 0:
            raise ValueError(f"The number of groups must be a positive integer. Received: groups={groups}.")
        if filters is not None and filters % groups != 0:
            raise ValueError(
                "The number of filters must be evenly divisible by the number of groups. "
                f"Received: groups={groups}, filters={filters}."
            )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                "`strides > 1` not supported in conjunction with `dilation_rate > 1`. "
                f"Received: strides={self.strides} and dilation_rate={self.dilation_rate}"
            )

    def build(self, input_shape: Shape) -> None:
        """Makes kernel and bias for an input whose channels are known."""
        channel_axis = -1 if self.data_format == "channels_last" else 1
        channels = known_length(input_shape, channel_axis, self.name)
        self.input_spec = InputSpec(min_ndim=self.rank + 2, axes={channel_axis: channels})
        if channels % self.groups != 0:
            raise ValueError(
                "The number of input channels must be evenly divisible by the number of groups. Received "
                f"groups={self.groups}, but the input has {channels} channels (full input shape is {input_shape})."
            )
        self.compute_output_shape(input_shape)  # raises for an input that is too small
        self._kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, channels // self.groups, self.filters),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias: Variable | None = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.filters,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    @property
    def kernel(self) -> Variable:
        """The kernel `(..., channels // groups, filters)`.

        Raises:
            AttributeError: the layer is not built.
        """
        if not self.built:
            raise AttributeError("You must build the layer before accessing `kernel`.")
        return self._kernel

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution itself; a subclass may transform the kernel first."""
        return ops.conv(
            inputs,
            kernel,
            strides=self.strides,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )

    def call(self, inputs: Any) -> Any:
        outputs = self.convolution_op(inputs, self.kernel)
        if self.bias is not None:
            last = self.data_format == "channels_last"
            bias = self.bias if last else ops.reshape(self.bias, (1, self.filters) + (1,) * self.rank)
            outputs = ops.add(outputs, bias)
        return self.activation(outputs) if self.activation is not None else outputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return conv_output_shape(
            tuple(input_shape),
            self.filters,
            self.kernel_size,
            self.strides,
            self.padding,
            self.data_format,
            self.dilation_rate,
        )

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "groups": self.groups,
            "activation": activations.serialize(self.activation),
            **kernel_and_bias_config(self),
        }
        config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config


class Conv1D(BaseConv):
    """Convolution along one axis, `(batch, steps, channels)`. Arguments: `BaseConv`."""

    rank = 1

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """The convolution; causal padding puts its zeros in front only."""
        padding = self.padding
        if padding == "causal":
            steps = ((self.kernel_size[0] - 1) * self.dilation_rate[0], 0)
            last = self.data_format == "channels_last"
            inputs = ops.pad(inputs, ((0, 0), steps, (0, 0)) if last else ((0, 0), (0, 0), steps))
            padding = "valid"
        return ops.conv(
            inputs,
            kernel,
            strides=self.strides,
            padding=padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )


class Conv2D(BaseConv):
    """Convolution of images, `(batch, height, width, channels)`. Arguments: `BaseConv`."""

    rank = 2


class Conv3D(BaseConv):
    """Convolution of volumes, `(batch, depth, height, width, channels)`. Arguments: `BaseConv`."""

    rank = 3
