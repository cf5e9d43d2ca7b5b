"""Dense, Activation, Identity, Lambda and Wrapper."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from nabi import activations, constraints, initializers, objects, ops, regularizers, tree
from nabi.layers.arguments import Shape, known_length, standardize_count
from nabi.layers.input_spec import InputSpec
from nabi.layers.layer import Layer
from nabi.trace import KerasTensor, Variable


def refuse_lora(lora_rank: Any, quantization_config: Any = None) -> None:
    """Raises NotImplementedError for arguments that ask for LoRA or quantized weights."""
    if lora_rank is not None:
        raise NotImplementedError("Nabi has no LoRA weights: `lora_rank` must be None.")
    if quantization_config is not None:
        raise NotImplementedError("Nabi does not quantize weights: `quantization_config` must be None.")


class Dense(Layer):
    """`activation(inputs @ kernel + bias)` over the last axis: `(batch, ..., input_dim)` to `(batch, ..., units)`.

    Args:
        units: width of the output.
        activation: name or function; None is linear.
        use_bias: whether there is a bias.
        kernel_*, bias_*: initial values, penalties and constraints of the weights `(input_dim, units)`, `(units,)`.
        activity_regularizer: penalty on the output.

    Raises:
        ValueError: `units` is no positive int; when called, an input of rank below 2 or another last dimension.
    """

    def __init__(
        self,
        units: int,
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
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        units = standardize_count(
            units, f"Received an invalid value for `units`, expected a positive integer. Received: units={units}"
        )
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        refuse_lora(lora_rank, quantization_config)
        self.units = units
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Makes kernel and bias for an input whose last dimension is known."""
        self._kernel = self.add_weight(
            name="kernel",
            shape=(known_length(input_shape, -1, self.name), self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias: Variable | None = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: input_shape[-1]})

    @property
    def kernel(self) -> Variable:
        """The kernel `(input_dim, units)`.

        Raises:
            AttributeError: the layer is not built.
        """
        if not self.built:
            raise AttributeError("You must build the layer before accessing `kernel`.")
        return self._kernel

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = ops.matmul(inputs, self.kernel)
        if self.bias is not None:
            x = ops.add(x, self.bias)
        return self.activation(x) if self.activation is not None else x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            **kernel_and_bias_config(self),
        }


def kernel_and_bias_config(layer: Any) -> dict[str, Any]:
    """The part of the config that all layers with a kernel and a bias share, in Keras's order."""
    return {
        "use_bias": layer.use_bias,
        "kernel_initializer": initializers.serialize(layer.kernel_initializer),
        "bias_initializer": initializers.serialize(layer.bias_initializer),
        "kernel_regularizer": regularizers.serialize(layer.kernel_regularizer),
        "bias_regularizer": regularizers.serialize(layer.bias_regularizer),
        "kernel_constraint": constraints.serialize(layer.kernel_constraint),
        "bias_constraint": constraints.serialize(layer.bias_constraint),
    }


class Activation(Layer):
    """Applies an activation function, given by name or as a function. Any shape."""

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.activation = activations.get(activation)
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class Identity(Layer):
    """Returns its input. Any shape, nested or not."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def compute_output_spec(self, inputs: Any) -> Any:
        return tree.map_structure(lambda x: KerasTensor(x.shape, dtype=x.dtype), inputs)


class Lambda(Layer):
    """Wraps a function of tensors, written with `nabi.ops`.

    Args:
        function: called with the input, and with `mask`, `training` and `arguments` where it takes them.
        output_shape: its output's shape without batch, or a function of the input's shape; inferred by default.
        mask: the output's mask, or a function of (inputs, mask); by default none is passed on.
        arguments: further keyword arguments.

    Raises:
        ValueError: reading a Python lambda from a config in safe mode.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.arguments = arguments or {}
        self.function = function
        self.supports_masking = mask is not None
        self.mask = mask
        self._output_shape = output_shape
        names = inspect.getfullargspec(function).args
        self._fn_expects_training_arg = "training" in names
        self._fn_expects_mask_arg = "mask" in names

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._output_shape is None:
            inputs = tree.map_shape_structure(lambda s: KerasTensor(s, dtype=self.compute_dtype), input_shape)
            return tree.map_structure(lambda x: x.shape, self.compute_output_spec(inputs))
        if callable(self._output_shape):
            return self._output_shape(input_shape)
        batch_size = tree.flatten(input_shape)[0]
        return tree.map_shape_structure(lambda s: (batch_size, *s), self._output_shape)

    def compute_output_spec(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        if self._output_shape is not None:
            return super().compute_output_spec(inputs)
        from nabi.trace import infer_output

        return infer_output(self.call, inputs, mask=mask, training=training)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        kwargs = dict(self.arguments)
        if self._fn_expects_mask_arg:
            kwargs["mask"] = mask
        if self._fn_expects_training_arg:
            kwargs["training"] = training
        return self.function(inputs, **kwargs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"function": objects.serialize_keras_object(self.function)}
        if self._output_shape is not None:
            config["output_shape"] = objects.serialize_keras_object(self._output_shape)
        if self.mask is not None:
            config["mask"] = objects.serialize_keras_object(self.mask)
        config["arguments"] = objects.serialize_keras_object(dict(self.arguments))
        return {**super().get_config(), **config}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None, safe_mode: bool = True
    ) -> Any:
        config = dict(config)
        for key in ("function", "output_shape", "mask", "arguments"):
            if key in config:
                try:
                    config[key] = objects.deserialize_keras_object(config[key], custom_objects, safe_mode)
                except objects.UnsafeObject:
                    raise objects.UnsafeObject("a `Lambda` layer whose `function` is a Python lambda") from None
        if isinstance(config.get("output_shape"), list):
            config["output_shape"] = tuple(config["output_shape"])
        return super().from_config(config)


class Masking(Layer):
    """Masks the steps of `(batch, steps, features)` whose features all equal `mask_value`, and sets them to 0."""

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True
        self._build_at_init()

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Bools `(batch, steps)`: whether a step has a feature other than `mask_value`."""
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Any) -> Any:
        kept = ops.any(ops.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        outputs = inputs * ops.cast(kept, inputs.dtype)
        outputs._keras_mask = ops.squeeze(kept, -1)
        return outputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}


class Wrapper(Layer):
    """Base of layers that hold another layer as `layer`.

    Raises:
        ValueError: `layer` is no layer.
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Layer {layer} supplied to Wrapper isn't a supported layer type. Please ensure wrapped layer is a "
                "valid Keras layer."
            )
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        """Builds the wrapped layer."""
        if not self.layer.built:
            self.layer.build(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": objects.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        config = dict(config)
        config["layer"] = objects.deserialize_keras_object(config["layer"], custom_objects)
        return super().from_config(config)
