"""RMSprop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nabi import ops
from nabi.checks import numbers_checked
from nabi.optimizers.optimizer import Optimizer, float32_scalar, fused
from nabi.trace import Variable, emit, to_tensor


class RMSprop(Optimizer):
    """``v = rho * v + (1 - rho) * g**2; w -= lr * g / sqrt(v + epsilon)``.

    Args:
        rho: discounting factor of the mean square.
        momentum: with a value above 0, ``m = momentum * m + step; w -= m``.
        epsilon: small number, inside the square root.
        centered: subtract the square of the mean gradient from `v`.

    The other arguments are those of `Optimizer`.

    Source: Keras 3.15, `keras.optimizers.RMSprop`; Hinton 2012, lecture 6e.
    """

    @numbers_checked
    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            ema_overwrite_frequency=ema_overwrite_frequency,
            loss_scale_factor=loss_scale_factor,
            gradient_accumulation_steps=gradient_accumulation_steps,
            name=name,
            **kwargs,
        )
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def build(self, var_list: Sequence[Variable]) -> None:
        """Create a mean square per variable, then momenta, then mean gradients, where they are used."""
        if self.built:
            return
        super().build(var_list)
        self._velocities = self.add_optimizer_variables(var_list, "velocity")
        self._momentums = self.add_optimizer_variables(var_list, "momentum") if self.momentum > 0 else []
        self._average_gradients = self.add_optimizer_variables(var_list, "average_gradient") if self.centered else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Update `variable` by `gradient` of its shape."""
        gradient = ops.cast(gradient, variable.dtype)
        index = self._get_variable_index(variable)
        velocity = self._velocities[index]
        if fused(variable) and not self.centered and self.momentum <= 0:
            new, new_velocity = emit(
                "rmsprop_update",
                to_tensor(variable),
                gradient,
                to_tensor(velocity),
                float32_scalar(learning_rate),
                rho=float(self.rho),
                epsilon=float(self.epsilon),
            )
            variable.assign(new)
            velocity.assign(new_velocity)
            return
        velocity.assign(self.rho * velocity + (1.0 - self.rho) * ops.square(gradient))
        denominator = velocity + self.epsilon
        if self.centered:
            average = self._average_gradients[index]
            average.assign(self.rho * average + (1.0 - self.rho) * gradient)
            denominator = velocity - ops.square(average) + self.epsilon
        step = ops.cast(learning_rate, variable.dtype) * gradient / ops.sqrt(denominator)
        if self.momentum > 0:
            momentum = self._momentums[index]
            momentum.assign(self.momentum * momentum + step)
            step = ops.convert_to_tensor(momentum)
        variable.assign_sub(step)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon, "centered": self.centered}
        return {**super().get_config(), **own}
