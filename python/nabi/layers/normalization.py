"""Batch normalization."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nabi import config as nabi_config
from nabi import constraints, initializers, ops, regularizers
from nabi.layers.arguments import Shape, known_length
from nabi.layers.input_spec import InputSpec
from nabi.layers.layer import Layer
from nabi.trace import Variable, emit, to_tensor


class BatchNormalization(Layer):
    """Brings each channel to mean 0 and variance 1, then to `gamma * x + beta` (Ioffe and Szegedy, 2015). Any shape.

    While training, mean and (biased) variance are the batch's and move the layer's own by `1 - momentum`; otherwise,
    and always in a layer with `trainable=False`, the layer's own are used.

    Args:
        axis: the channels.
        momentum: how much of the moving statistics a batch keeps.
        epsilon: added to the variance.
        center, scale: whether there is a beta and a gamma.
        *_initializer, *_regularizer, *_constraint: of the weights, each `(channels,)`.
        renorm, renorm_clipping, renorm_momentum: batch renormalization (Ioffe, 2017, arXiv:1702.03275): while
            training, the batch's statistics are corrected towards moving ones, by factors that `renorm_clipping`
            ({"rmax", "rmin", "dmax"}) limits.
        synchronized: must be False.

    Raises:
        ValueError: `synchronized`, a bad `renorm_clipping`, or an axis that the input lacks.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, (int, np.integer)):
            raise ValueError(f"Argument `axis` must be an integer. Received: axis={axis}")
        self.axis = int(axis)
        if synchronized:
            raise ValueError("Argument synchronized=True is only supported with the TensorFlow backend.")
        if renorm:
            renorm_clipping = _checked_clipping(renorm_clipping or {})
        self.renorm = renorm
        self.renorm_clipping = renorm_clipping
        self.renorm_momentum = renorm_momentum
        self.synchronized = False
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True
        self.gamma: Variable | None = None
        self.beta: Variable | None = None
        self.moving_mean: Any = None
        self.moving_variance: Any = None
        self.moving_stddev: Any = None
        self.renorm_mean: Any = None
        self.renorm_stddev: Any = None

    def build(self, input_shape: Shape) -> None:
        """Makes gamma, beta and the moving statistics for an input whose channels are known."""
        self.compute_output_shape(input_shape)  # raises for an axis out of range
        shape = (known_length(input_shape, self.axis, self.name),)
        if self.scale:
            self.gamma = self.add_weight(
                shape=shape,
                name="gamma",
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
                autocast=False,
            )
        if self.center:
            self.beta = self.add_weight(
                shape=shape,
                name="beta",
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
                autocast=False,
            )
        self.moving_mean = self.add_weight(
            shape=shape,
            name="moving_mean",
            initializer=self.moving_mean_initializer,
            trainable=False,
            autocast=False,
        )
        self.moving_variance = self.add_weight(
            shape=shape,
            name="moving_variance",
            initializer=self.moving_variance_initializer,
            trainable=False,
            autocast=False,
        )
        if self.renorm:
            start = initializers.get(self.moving_variance_initializer)

            def deviation(shape: Any, dtype: Any = None) -> Any:
                return np.sqrt(np.asarray(start(shape, dtype=dtype)))

            for name, initializer in (
                ("moving_stddev", deviation),
                ("renorm_mean", self.moving_mean_initializer),
                ("renorm_stddev", deviation),
            ):
                weight = self.add_weight(
                    shape=shape, name=name, initializer=initializer, trainable=False, autocast=False
                )
                setattr(self, name, weight)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: input_shape[self.axis]})

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if not -len(input_shape) <= self.axis < len(input_shape):
            raise ValueError(
                f"Axis {self.axis} is out of bounds for input shape {input_shape}. Received: axis={self.axis}"
            )
        return tuple(input_shape)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if mask is not None and len(mask.shape) != len(inputs.shape) - 1:
            raise ValueError(
                "The mask provided should be one dimension less than the inputs. Received: "
                f"mask.shape={mask.shape}, inputs.shape={inputs.shape}"
            )
        x = ops.cast(inputs, self.variable_dtype)
        if not (training and self.trainable):
            return self._normalized(x, self.moving_mean, self.moving_variance)
        if self.renorm:
            return self._renormalized(x, mask)
        if mask is None:
            y, mean, variance = self._batch_norm(x)
        else:
            mean, variance = self._masked_moments(x, mask)
            y = self._normalized(x, mean, variance)
        _move(self.moving_mean, mean, self.momentum)
        _move(self.moving_variance, variance, self.momentum)
        return y

    def _renormalized(self, x: Any, mask: Any) -> Any:
        """`((x - mean) / stddev * r + d) * gamma + beta`, with r and d from the moving statistics, as constants."""
        if mask is None:
            mean, variance = ops.moments(x, axes=self._other_axes(x))
        else:
            mean, variance = self._masked_moments(x, mask)
        stddev = ops.sqrt(variance + self.epsilon)
        base = ops.maximum(self.renorm_stddev, math.sqrt(self.epsilon))  # no division by 0 early on
        r, d = stddev / base, (mean - self.renorm_mean) / base
        clip = self.renorm_clipping
        if clip.get("rmin") is not None:
            r = ops.maximum(r, clip["rmin"])
        if clip.get("rmax") is not None:
            r = ops.minimum(r, clip["rmax"])
        if clip.get("dmax") is not None:
            d = ops.minimum(ops.maximum(d, -clip["dmax"]), clip["dmax"])
        r, d = ops.stop_gradient(r), ops.stop_gradient(d)
        gamma = r if self.gamma is None else r * self.gamma
        beta = d if self.gamma is None else d * self.gamma
        y = self._scaled(x, mean, variance, gamma, beta if self.beta is None else beta + self.beta)
        _move(self.renorm_mean, mean, self.renorm_momentum)
        _move(self.renorm_stddev, stddev, self.renorm_momentum)
        _move(self.moving_mean, mean, self.momentum)
        _move(self.moving_stddev, stddev, self.momentum)
        self.moving_variance.assign(ops.square(self.moving_stddev) - self.epsilon)
        return y

    def _batch_norm(self, x: Any) -> tuple[Any, Any, Any]:
        """The batch's own statistics through the core's op, which has the channels last."""
        x = to_tensor(x)
        last = len(x.shape) - 1
        axis = self.axis % (last + 1)
        ones = ops.ones((x.shape[axis],), dtype=x.dtype)
        gamma = to_tensor(self.gamma) if self.gamma is not None else ones
        beta = to_tensor(self.beta) if self.beta is not None else ops.zeros_like(ones)
        moved = ops.moveaxis(x, axis, last) if axis != last else x
        y, mean, variance = emit("batch_norm", moved, gamma, beta, epsilon=self.epsilon)
        return (ops.moveaxis(y, last, axis) if axis != last else y), mean, variance

    def _normalized(self, x: Any, mean: Any, variance: Any) -> Any:
        return self._scaled(x, mean, variance, self.gamma, self.beta)

    def _scaled(self, x: Any, mean: Any, variance: Any, gamma: Any, beta: Any) -> Any:
        """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, as one multiplication and one addition."""
        factor = ops.rsqrt(variance + self.epsilon)
        if gamma is not None:
            factor = factor * gamma
        shift = -mean * factor
        if beta is not None:
            shift = shift + beta
        shape = [1] * len(x.shape)
        shape[self.axis] = x.shape[self.axis]
        return x * ops.reshape(factor, shape) + ops.reshape(shift, shape)

    def _other_axes(self, x: Any) -> tuple[int, ...]:
        return tuple(i for i in range(len(x.shape)) if i != self.axis % len(x.shape))

    def _masked_moments(self, x: Any, mask: Any) -> tuple[Any, Any]:
        """Mean and variance of the positions that the mask keeps."""
        axes = self._other_axes(x)
        kept = ops.broadcast_to(ops.cast(ops.expand_dims(mask, -1), x.dtype), x.shape)
        count = ops.sum(kept, axis=axes, keepdims=True) + nabi_config.epsilon()
        mean = ops.sum(x * kept, axis=axes, keepdims=True) / count
        variance = ops.sum(ops.square((x - mean) * kept), axis=axes, keepdims=True) / count
        channels = (x.shape[self.axis],)
        return ops.reshape(mean, channels), ops.reshape(variance, channels)

    def get_config(self) -> dict[str, Any]:
        # Keras before 3.14 does not know the keys of renormalization.
        renorm = {
            "renorm": self.renorm,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
        }
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
            "synchronized": self.synchronized,
            **(renorm if self.renorm else {}),
        }


def _move(moving: Variable, value: Any, momentum: float) -> None:
    """Moves an average by `1 - momentum` towards a value."""
    moving.assign(moving * momentum + ops.stop_gradient(value) * (1.0 - momentum))


def _checked_clipping(clipping: dict[str, float]) -> dict[str, float]:
    keys = ["rmax", "rmin", "dmax"]
    if set(clipping) - set(keys):
        raise ValueError(f"Received invalid keys for `renorm_clipping` argument: {clipping}. Supported values: {keys}.")
    rmax, rmin, dmax = (clipping.get(key) for key in keys)
    if rmax is not None and rmin is not None and rmax < rmin:
        raise ValueError(
            f"rmax should be greater than rmin in the `renorm_clipping` argument. Received: rmax={rmax}, rmin={rmin}."
        )
    if dmax is not None and dmax < 0:
        raise ValueError(f"dmax should be non-negative in the `renorm_clipping` argument. Received: dmax={dmax}.")
    return dict(clipping)
