"""EinsumDense: a dense layer whose product is an einsum equation."""

from __future__ import annotations

import re
from typing import Any

from nabi import activations, constraints, initializers, ops, regularizers
from nabi.layers.arguments import Shape
from nabi.layers.core import kernel_and_bias_config, refuse_lora
from nabi.layers.input_spec import InputSpec
from nabi.layers.layer import Layer
from nabi.trace import Variable


class EinsumDense(Layer):
    """`activation(einsum(equation, inputs, kernel) + bias)`.

    Args:
        equation: such as "ab,bc->ac", "...x,xy->...y" or "ab...,bc->ac...": input, kernel, output.
        output_shape: of the output, without the batch and what "..." stands for; None for free dimensions.
        activation: name or function; None is linear.
        bias_axes: letters of the output that the bias has; None for no bias.
        kernel_*, bias_*: as in `Dense`.

    Raises:
        ValueError: when built, an equation that is none or does not fit the shapes.
    """

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        refuse_lora(lora_rank, quantization_config)
        self.equation = equation
        self.partial_output_shape = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        self.bias_axes = bias_axes
        self.use_bias = bias_axes is not None
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape: Shape) -> None:
        """Makes kernel and bias in the shapes that the equation gives."""
        kernel_shape, bias_shape, _, inward, outward = self._shapes(tuple(input_shape))
        self.input_spec = InputSpec(ndim=len(input_shape))
        start = self.kernel_initializer
        if isinstance(start, initializers.VarianceScaling) and None in (start.input_axes, start.output_axes):
            start = type(start).from_config({**start.get_config(), "input_axes": inward, "output_axes": outward})
        self._kernel = self.add_weight(
            name="kernel",
            shape=kernel_shape,
            initializer=start,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias: Variable | None = None
        if bias_shape is not None:
            self.bias = self.add_weight(
                name="bias",
                shape=bias_shape,
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )

    @property
    def kernel(self) -> Variable:
        """The kernel.

        Raises:
            AttributeError: the layer is not built.
        """
        if not self.built:
            raise AttributeError("You must build the layer before accessing `kernel`.")
        return self._kernel

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = ops.einsum(self.equation, inputs, self.kernel)
        if self.bias is not None:
            x = ops.add(x, self.bias)
        return self.activation(x) if self.activation is not None else x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self._shapes(tuple(input_shape))[2]

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "output_shape": self.partial_output_shape,
            "equation": self.equation,
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            **kernel_and_bias_config(self),
        }
        del config["use_bias"]
        config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config

    def _shapes(self, input_shape: Shape) -> tuple[Any, Any, Shape, list[int], list[int]]:
        """Shapes of kernel, bias (None without one) and output; the kernel's axes that are inputs and outputs."""
        text = self.equation.replace("...", "0")
        left = re.match("0([a-zA-Z]+),([a-zA-Z]+)->0([a-zA-Z]+)", text)
        right = re.match("([a-zA-Z]{2,})0,([a-zA-Z]+)->([a-zA-Z]+)0", text)
        found = re.match("([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)", text) or left or right
        if not found:
            raise ValueError(
                f"Invalid einsum equation '{self.equation}'. Equations must be in the form [X],[Y]->[Z], "
                "...[X],[Y]->...[Z], or [X]...,[Y]->[Z]...."
            )
        entering, weight, leaving = found.groups()
        elided = len(input_shape) - len(entering)
        output = [input_shape[0], *self.partial_output_shape]
        if elided > 0 and left:
            output[1:1] = list(input_shape[1:elided])
        elif elided > 0:
            output += list(input_shape[-elided:])
        skip = elided if left else 0
        sizes = {letter: input_shape[i + skip] for i, letter in enumerate(entering)}
        wanted = {letter: output[i + skip] for i, letter in enumerate(leaving)}
        for letter in entering:
            if letter in wanted and wanted[letter] is not None and wanted[letter] != sizes[letter]:
                raise ValueError(
                    f"Input shape and output shape do not match at shared dimension '{letter}'. Input shape is "
                    f"{sizes[letter]}, and output shape is {wanted[letter]}."
                )
        for letter in leaving:
            if letter not in entering and letter not in weight:
                raise ValueError(
                    f"Dimension '{letter}' was specified in the output '{leaving}' but has no corresponding dim in the "
                    f"input spec '{entering}' or weight spec '{leaving}'"
                )
        inward: list[int] = []
        outward: list[int] = []
        for i, letter in enumerate(weight):
            if letter not in wanted and letter not in sizes:
                raise ValueError(
                    f"Weight dimension '{letter}' did not have a match in either the input spec '{entering}' or the "
                    f"output spec '{leaving}'. For this layer, the weight must be fully specified."
                )
            (outward if letter in wanted else inward).append(i)
        kernel = tuple(wanted.get(letter, sizes.get(letter)) for letter in weight)
        bias = None
        if self.bias_axes is not None:
            for letter in self.bias_axes:
                if letter not in leaving:
                    raise ValueError(
                        f"Bias dimension '{letter}' was requested, but is not part of the output spec '{leaving}'"
                    )
            first = min(leaving.find(letter) for letter in self.bias_axes)
            bias = tuple(wanted[letter] if letter in self.bias_axes else 1 for letter in leaving[first:])
            if not left:
                bias += (1,) * elided
        return kernel, bias, tuple(output), inward, outward
