"""Activation functions that are layers of their own. Any shape."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from nabi import activations, constraints, initializers, ops, regularizers
from nabi.layers.arguments import Shape
from nabi.layers.input_spec import InputSpec
from nabi.layers.layer import Layer


class _Elementwise(Layer):
    """A layer whose output has the input's shape."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self._build_at_init()

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)


def _is_negative(value: Any) -> bool:
    """Whether the value is below zero, or no number at all."""
    return not isinstance(value, (int, float, np.number)) or bool(value < 0)


class ReLU(_Elementwise):
    """`max(x, 0)`, with the arguments of `keras.activations.relu`.

    Raises:
        ValueError: a negative argument, or None for any but `max_value`.
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if max_value is not None and _is_negative(max_value):
            raise ValueError(f"max_value of a ReLU layer cannot be a negative value. Received: max_value={max_value}")
        if _is_negative(negative_slope):
            raise ValueError(
                "negative_slope of a ReLU layer cannot be None or a negative value. "
                f"Received: negative_slope={negative_slope}"
            )
        if _is_negative(threshold):
            raise ValueError(
                f"threshold of a ReLU layer cannot be None or a negative value. Received: threshold={threshold}"
            )
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def call(self, inputs: Any) -> Any:
        return activations.relu(
            inputs, negative_slope=self.negative_slope, max_value=self.max_value, threshold=self.threshold
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


class LeakyReLU(_Elementwise):
    """`x` where positive, `negative_slope * x` elsewhere.

    Raises:
        ValueError: `negative_slope` is None or negative.
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        if "alpha" in kwargs:
            negative_slope = kwargs.pop("alpha")
            warnings.warn("Argument `alpha` is deprecated. Use `negative_slope` instead.", stacklevel=2)
        super().__init__(**kwargs)
        if _is_negative(negative_slope):
            raise ValueError(
                "The negative_slope value of a Leaky ReLU layer cannot be None or negative value. Expected a float. "
                f"Received: negative_slope={negative_slope}"
            )
        self.negative_slope = negative_slope

    def call(self, inputs: Any) -> Any:
        return activations.leaky_relu(inputs, negative_slope=self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


class PReLU(Layer):
    """`x` where positive, `alpha * x` elsewhere, with a learned `alpha` of the input's shape without batch.

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: of the weight.
        shared_axes: axes (the batch being 0) along which alpha is shared.
    """

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        if shared_axes is not None:
            shared_axes = list(shared_axes) if isinstance(shared_axes, (list, tuple)) else [shared_axes]
        self.shared_axes: list[int] | None = shared_axes

    def build(self, input_shape: Shape) -> None:
        """Makes alpha."""
        shared = self.shared_axes or []
        self.alpha = self.add_weight(
            shape=[1 if i in shared else dim for i, dim in enumerate(input_shape)][1:],
            name="alpha",
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        axes = {i: dim for i, dim in enumerate(input_shape) if i > 0 and i not in shared} if shared else {}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)

    def call(self, inputs: Any) -> Any:
        return ops.subtract(activations.relu(inputs), self.alpha * activations.relu(ops.negative(inputs)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }


class ELU(_Elementwise):
    """`x` where positive, `alpha * (exp(x) - 1)` elsewhere."""

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Any:
        return activations.elu(inputs, alpha=self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


class Softmax(_Elementwise):
    """`exp(x) / sum(exp(x))` over `axis`, an int or several; a mask, broadcast to the input, leaves elements out.

    Raises:
        ValueError: a mask that does not broadcast to the input.
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        axis = self.axis if isinstance(self.axis, int) else tuple(self.axis)
        if isinstance(axis, tuple) and len(axis) == 1:
            axis = axis[0]
        if mask is None:
            return activations.softmax(inputs, axis=axis)
        fits = all(m in (1, i) for m, i in zip(mask.shape[::-1], inputs.shape[::-1], strict=False))
        if len(mask.shape) > len(inputs.shape) or not fits:
            raise ValueError(
                "The `mask` must be broadcastable to `inputs`. Each mask dimension must be 1 or match the "
                f"corresponding input dimension. Received: inputs.shape={inputs.shape}, mask.shape={mask.shape}"
            )
        if mask.dtype != "bool":
            mask = ops.greater(mask, 0.5)
        outputs = activations.softmax(ops.where(mask, inputs, -1e9), axis=axis)
        return ops.where(mask, outputs, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
