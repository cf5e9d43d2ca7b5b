"""Transposed convolution layers: what the gradient of a convolution does, as a layer."""

from __future__ import annotations

from typing import Any

from nabi import activations, constraints, initializers, ops, regularizers
from nabi.config import standardize_data_format
from nabi.layers.arguments import Shape, known_length, standardize_count, standardize_padding, standardize_tuple
from nabi.layers.core import kernel_and_bias_config
from nabi.layers.input_spec import InputSpec
from nabi.layers.layer import Layer
from nabi.ops.convolution import transpose_crops
from nabi.trace import Variable


class BaseConvTranspose(Layer):
    """Transposed convolution over `rank` dimensions: `(batch, ..., channels)` to `(batch, ..., filters)`.

    Args:
        filters: number of output channels.
        kernel_size, strides, dilation_rate: an int, or one per spatial dimension.
        padding: "valid" (outputs of `n * stride + max(window - stride, 0)`) or "same" (`n * stride`).
        output_padding: instead, how much longer than the shortest possible the output is; less than the strides.
        data_format: "channels_last", "channels_first", or None for the global setting.
        activation: name or function; None is linear.
        use_bias, kernel_*, bias_*: as in `Dense`; the kernel is `(..., filters, channels)`.

    Raises:
        ValueError: arguments that are out of range or exclude each other.
    """

    rank: int

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = standardize_count(
            filters,
            f"Invalid value for argument `filters`. Expected a strictly positive value. Received filters={filters}.",
        )
        self.kernel_size = standardize_tuple(kernel_size, self.rank, "kernel_size")
        self.strides = standardize_tuple(strides, self.rank, "strides")
        self.dilation_rate = standardize_tuple(dilation_rate, self.rank, "dilation_rate")
        self.padding = standardize_padding(padding)
        self.output_padding: tuple[int, ...] | None = None
        if output_padding is not None:
            self.output_padding = standardize_tuple(output_padding, self.rank, "output_padding", allow_zero=True)
            for i, (extra, stride) in enumerate(zip(self.output_padding, self.strides, strict=True)):
                if extra >= stride:
                    raise ValueError(
                        "`output_padding` must be strictly less than `strides` for all dimensions. At dimension "
                        f"{i}, `output_padding` is {extra} but `strides` is {stride}. Received: "
                        f"output_padding={self.output_padding}, strides={self.strides}"
                    )
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
        self.kernel = self.add_weight(
            name="kernel",
            shape=(*self.kernel_size, self.filters, channels),
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

    def call(self, inputs: Any) -> Any:
        outputs = ops.conv_transpose(
            inputs,
            self.kernel,
            strides=self.strides,
            padding=self.padding,
            output_padding=self.output_padding,
            dilation_rate=self.dilation_rate,
            data_format=self.data_format,
        )
        return finished(self, outputs, self.filters)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        last = self.data_format == "channels_last"
        spatial = tuple(input_shape[1:-1] if last else input_shape[2:])
        extra = self.output_padding or (None,) * self.rank
        found: list[int | None] = []
        for n, k, s, d, o in zip(spatial, self.kernel_size, self.strides, self.dilation_rate, extra, strict=True):
            window = (k - 1) * d + 1
            cut = sum(transpose_crops(window, s, self.padding, o))
            found.append(None if n is None else (n - 1) * s + window - cut)
        return (input_shape[0], *found, self.filters) if last else (input_shape[0], self.filters, *found)

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "output_padding": self.output_padding,
            "data_format": self.data_format,
            "dilation_rate": self.dilation_rate,
            "activation": activations.serialize(self.activation),
            **kernel_and_bias_config(self),
        }
        config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config


def finished(layer: Any, outputs: Any, channels: int) -> Any:
    """A convolution's outputs with the layer's bias and activation."""
    if layer.bias is not None:
        last = layer.data_format == "channels_last"
        bias = layer.bias if last else ops.reshape(layer.bias, (1, channels) + (1,) * layer.rank)
        outputs = ops.add(outputs, bias)
    return layer.activation(outputs) if layer.activation is not None else outputs


class Conv1DTranspose(BaseConvTranspose):
    """Transposed convolution along one axis, `(batch, steps, channels)`. Arguments: `BaseConvTranspose`."""

    rank = 1


class Conv2DTranspose(BaseConvTranspose):
    """Transposed convolution of images, `(batch, height, width, channels)`. Arguments: `BaseConvTranspose`."""

    rank = 2


class Conv3DTranspose(BaseConvTranspose):
    """Transposed convolution of volumes, `(batch, depth, height, width, channels)`. Arguments: `BaseConvTranspose`."""

    rank = 3
