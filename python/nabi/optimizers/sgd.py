"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nabi import ops
from nabi.checks import numbers_checked
from nabi.optimizers.optimizer import Optimizer, float32_scalar, fused
from nabi.trace import Variable, emit, to_tensor


class SGD(Optimizer):
    """``w -= lr * g``; with momentum ``m = momentum * m - lr * g; w += m``; Nesterov ``w += momentum * m - lr * g``.

    Args:
        momentum: float in [0, 1].
        nesterov: use Nesterov's form.

    The other arguments are those of `Optimizer`.

    Raises:
        ValueError: if `momentum` is not a float in [0, 1].

    Source: Keras 3.15, `keras.optimizers.SGD`; Sutskever et al. 2013.
    """

    @numbers_checked
    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
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
        if not isinstance(momentum, float) or momentum < 0 or momentum > 1:
            raise ValueError("`momentum` must be a float between [0, 1].")
        self.momentum = momentum
        self.nesterov = nesterov

    def build(self, variables: Sequence[Variable]) -> None:
        """Create one momentum per variable, unless momentum is 0."""
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum") if self.momentum != 0 else []

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Update `variable` by `gradient` of its shape."""
        gradient = ops.cast(gradient, variable.dtype)
        m = self.momentums[self._get_variable_index(variable)] if self.momentum != 0 else None
        if fused(variable):
            lr = float32_scalar(learning_rate)
            if m is None:
                variable.assign(emit("sgd_update", to_tensor(variable), gradient, lr))
            else:
                new, new_m = emit(
                    "sgd_momentum_update",
                    to_tensor(variable),
                    gradient,
                    to_tensor(m),
                    lr,
                    momentum=self.momentum,
                    nesterov=bool(self.nesterov),
                )
                variable.assign(new)
                m.assign(new_m)
            return
        step = gradient * ops.cast(learning_rate, variable.dtype)
        if m is None:
            variable.assign_sub(step)
            return
        m.assign(m * self.momentum - step)
        variable.assign_add(m * self.momentum - step if self.nesterov else m)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
