"""Normalization within each sample: LayerNormalization, GroupNormalization, RMSNormalization, UnitNormalization."""

from __future__ import annotations

import warnings
from typing import Any

from nabi import constraints, initializers, ops, regularizers
from nabi.layers.arguments import Shape, known_length
from nabi.layers.input_spec import InputSpec
from nabi.layers.layer import Layer
from nabi.trace import Variable


def _check_axes(axis: Any, input_shape: Shape) -> None:
    for a in axis if isinstance(axis, (list, tuple)) else [axis]:
        if not -len(input_shape) <= a < len(input_shape):
            raise ValueError(f"Axis {a} is out of bounds for input shape {input_shape}. Received: axis={axis}")


class _Scaled(Layer):
    """Base: layers with a gamma and a beta."""

    def __init__(
        self,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis: Any = -1
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True
        self.autocast = False
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def _add_weights(self, shape: tuple[int, ...], scale: bool, center: bool) -> None:
        for name, wanted in (("gamma", scale), ("beta", center)):
            if wanted:
                weight = self.add_weight(
                    name=name,
                    shape=shape,
                    initializer=getattr(self, f"{name}_initializer"),
                    regularizer=getattr(self, f"{name}_regularizer"),
                    constraint=getattr(self, f"{name}_constraint"),
                    autocast=False,
                )
                setattr(self, name, weight)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        _check_axes(self.axis, input_shape)
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }


class LayerNormalization(_Scaled):
    """Brings each sample to mean 0 and variance 1 over `axis`, then to `gamma * x + beta` (Ba and others, 2016).

    Args:
        axis: an int or several; the weights have the lengths of these axes.
        epsilon: added to the variance.
        center, scale: whether there is a beta and a gamma.
        *_initializer, *_regularizer, *_constraint: of the weights.
        rms_scaling: deprecated: `x / sqrt(variance + epsilon) * gamma`, without means and beta.

    Raises:
        TypeError: an axis that is no int. ValueError: when called, an axis out of range.
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 0.001,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        rms_scaling = kwargs.pop("rms_scaling", False)
        if rms_scaling:
            warnings.warn(
                "You passed `rms_scaling=True`, which is deprecated. This argument incorrectly scales the input by the "
                "variance, not the root mean square. To correctly use RMS Normalization, please use "
                "`keras.layers.RMSNormalization` instead.",
                stacklevel=2,
            )
        super().__init__(
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        if not isinstance(axis, (int, list, tuple)):
            raise TypeError(f"Expected an int or a list/tuple of ints for the argument 'axis', but received: {axis!r}")
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.rms_scaling = rms_scaling

    def build(self, input_shape: Shape) -> None:
        """Makes gamma and beta for an input whose normalized axes are known."""
        _check_axes(self.axis, input_shape)
        self.axis = [self.axis] if isinstance(self.axis, int) else sorted(self.axis)
        shape = tuple(known_length(input_shape, a, self.name) for a in self.axis)
        self._add_weights(shape, self.scale or self.rms_scaling, self.center and not self.rms_scaling)

    def call(self, inputs: Any) -> Any:
        axes = list(self.axis)
        if not self.rms_scaling:
            outputs = ops.layer_normalization(inputs, self.gamma, self.beta, axes, self.epsilon)
        else:
            variance = ops.var(inputs, axis=axes, keepdims=True)
            kept = {a % len(inputs.shape) for a in axes}
            shape = [n if i in kept else 1 for i, n in enumerate(inputs.shape)]
            outputs = inputs * ops.rsqrt(variance + self.epsilon) * ops.reshape(self.gamma, shape)
        return ops.cast(outputs, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rms_scaling": self.rms_scaling}


class GroupNormalization(_Scaled):
    """Brings each group of channels of a sample to mean 0 and variance 1, then to `gamma * x + beta` (Wu, He, 2018).

    Args:
        groups: how many; -1 for one per channel (instance normalization).
        axis: the channels.
        epsilon: added to the variance.
        center, scale: whether there is a beta and a gamma, each `(channels,)`.
        *_initializer, *_regularizer, *_constraint: of the weights.

    Raises:
        ValueError: groups that are no positive number, or do not divide the channels.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(groups, int) or (groups <= 0 and groups != -1):
            raise ValueError(
                "Received an invalid value for argument `groups`, expected a positive integer (or `-1` for instance "
                f"normalization). Received: groups={groups}"
            )
        super().__init__(
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        self.axis = axis
        self.groups = groups

    def build(self, input_shape: Shape) -> None:
        """Makes gamma and beta for an input whose channels are known."""
        _check_axes(self.axis, input_shape)
        channels = input_shape[self.axis]
        if channels is None:
            raise ValueError(
                f"Axis {self.axis} of input tensor should have a defined dimension but the layer received an input "
                f"with shape {input_shape}."
            )
        if self.groups == -1:
            self.groups = channels
        if channels < self.groups:
            raise ValueError(
                f"Number of groups ({self.groups}) cannot be more than the number of channels ({channels})."
            )
        if channels % self.groups != 0:
            raise ValueError(
                f"Number of groups ({self.groups}) must be a multiple of the number of channels ({channels})."
            )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})
        self._add_weights((channels,), self.scale, self.center)

    def call(self, inputs: Any) -> Any:
        shape = list(inputs.shape)
        axis = self.axis % len(shape)
        per = shape[axis] // self.groups
        x = ops.reshape(inputs, (*shape[:axis], self.groups, per, *shape[axis + 1 :]))
        axes = [i for i in range(1, len(shape) + 1) if i != axis]
        mean, variance = ops.moments(x, axes=axes, keepdims=True)
        spread = [1] * (len(shape) + 1)
        spread[axis], spread[axis + 1] = self.groups, per
        factor = ops.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor = factor * ops.reshape(self.gamma, spread)
        shift = -mean * factor
        if self.beta is not None:
            shift = shift + ops.reshape(self.beta, spread)
        return ops.cast(ops.reshape(x * factor + shift, shape), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups}


class RMSNormalization(Layer):
    """`x / sqrt(mean(x ** 2) + epsilon) * scale`, with the mean over `axis` (Zhang and Sennrich, 2019). Any shape.

    Args:
        axis: an int or several; the weight `scale` has the lengths of these axes.
        epsilon: added to the mean.
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.epsilon = epsilon

    def build(self, input_shape: Shape) -> None:
        """Makes the scale for an input whose normalized axes are known."""
        _check_axes(self.axis, input_shape)
        self.axis = sorted(self.axis) if isinstance(self.axis, (list, tuple)) else [self.axis]
        shape = tuple(known_length(input_shape, a, self.name) for a in self.axis)
        self.scale = self.add_weight(name="scale", shape=shape, initializer="ones")

    def call(self, x: Any) -> Any:
        return ops.rms_normalization(x, scale=self.scale, axis=list(self.axis), epsilon=self.epsilon)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        _check_axes(self.axis, input_shape)
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


class UnitNormalization(Layer):
    """Divides by the Euclidean norm over `axis`. Any shape.

    Raises:
        TypeError: an axis that is no int.
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, (int, list, tuple)):
            raise TypeError(
                f"Invalid value for `axis` argument: expected an int or a list/tuple of ints. Received: axis={axis}"
            )
        self.axis: Any = axis if isinstance(axis, int) else list(axis)
        self.supports_masking = True
        self._build_at_init()

    def call(self, inputs: Any) -> Any:
        axis = self.axis if isinstance(self.axis, int) else list(self.axis)
        return ops.normalize(inputs, axis=axis, order=2, epsilon=1e-12)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        _check_axes(self.axis, input_shape)
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
