"""Learning rate schedules: the rate as a function of the number of updates done, computed inside the step.

Each is called with the optimizer's iteration, a scalar (0 in the first step), and gives a scalar of `floatx()`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

from nabi import config, objects, ops

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]


class LearningRateSchedule:
    """The base of all schedules; a subclass writes ``__call__(step)`` with ``nabi.ops``, and ``get_config()``."""

    def __call__(self, step: Any) -> Any:
        """The learning rate after `step` updates."""
        raise NotImplementedError(
            f"Learning rate schedule '{type(self).__name__}' must override `__call__(self, step)`."
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        raise NotImplementedError(
            f"Learning rate schedule '{type(self).__name__}' must override `get_config()` in order to be serializable."
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A schedule of this class from what `get_config` returned."""
        return cls(**config)


def _positive(name: str, value: float) -> None:
    if value <= 0:
        raise ValueError(f"Argument `{name}` must be > 0. Received: {name}={value}")


def _as_float(step: Any) -> Any:
    return ops.cast(step, config.floatx())


class ExponentialDecay(LearningRateSchedule):
    """``initial_learning_rate * decay_rate ** (step / decay_steps)``.

    Args:
        staircase: round the exponent down.

    Raises:
        ValueError: if `decay_steps` is not above 0.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        _positive("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> Any:
        """The learning rate after `step` updates."""
        p = _as_float(step) / float(self.decay_steps)
        if self.staircase:
            p = ops.floor(p)
        return ops.power(float(self.decay_rate), p) * float(self.initial_learning_rate)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class InverseTimeDecay(LearningRateSchedule):
    """``initial_learning_rate / (1 + decay_rate * step / decay_steps)``.

    Args:
        staircase: round ``step / decay_steps`` down.

    Raises:
        ValueError: if `decay_steps` is not above 0.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        _positive("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def __call__(self, step: Any) -> Any:
        """The learning rate after `step` updates."""
        p = _as_float(step) / float(self.decay_steps)
        if self.staircase:
            p = ops.floor(p)
        return float(self.initial_learning_rate) / (p * float(self.decay_rate) + 1.0)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "staircase": self.staircase,
            "name": self.name,
        }


class PiecewiseConstantDecay(LearningRateSchedule):
    """``values[0]`` up to and including step ``boundaries[0]``, then ``values[1]`` up to ``boundaries[1]``, and so on.

    Args:
        boundaries: increasing numbers of updates.
        values: one more than boundaries.

    Raises:
        ValueError: if there is not one more value than boundaries.
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "The length of boundaries should be 1 less than the length of values. Received: "
                f"boundaries={boundaries} of length {len(boundaries)}, and values={values} of length {len(values)}."
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: Any) -> Any:
        """The learning rate after `step` updates."""
        step = ops.convert_to_tensor(step)
        kind = int if "int" in ops.dtype(step) else float  # Keras casts boundaries to the step's dtype
        rate: Any = float(self.values[-1])
        for boundary, value in reversed(list(zip(self.boundaries, self.values[:-1], strict=True))):
            rate = ops.where(ops.less_equal(step, kind(boundary)), float(value), rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(LearningRateSchedule):
    """``(initial - end) * (1 - step / decay_steps) ** power + end``, with step held at `decay_steps`.

    Args:
        cycle: instead of holding, stretch `decay_steps` to its next multiple above step.

    Raises:
        ValueError: if `decay_steps` is not above 0.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        _positive("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: Any) -> Any:
        """The learning rate after `step` updates."""
        p = _as_float(step) / float(self.decay_steps)
        p = p / ops.maximum(ops.ceil(p), 1.0) if self.cycle else ops.minimum(p, 1.0)
        end = float(self.end_learning_rate)
        left = 1.0 - p
        falling = left if self.power == 1.0 else ops.power(left, float(self.power))
        return falling * (float(self.initial_learning_rate) - end) + end

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }


class CosineDecay(LearningRateSchedule):
    """Half a cosine from the initial rate to `alpha` times it, over `decay_steps`, then constant.

    Args:
        alpha: the last rate as a fraction.
        warmup_target: the rate first rises to this in a line over `warmup_steps`, and the cosine starts there.
        warmup_steps: updates of the rise, before the `decay_steps`.

    Raises:
        ValueError: if `decay_steps` is not above 0.

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        _positive("decay_steps", decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def _decayed(self, step: Any, start: float) -> Any:
        done = ops.minimum(step, float(self.decay_steps)) / float(self.decay_steps)
        falling = 0.5 * (1.0 + ops.cos(done * math.pi))
        return start * ((1.0 - self.alpha) * falling + self.alpha)

    def __call__(self, step: Any) -> Any:
        """The learning rate after `step` updates."""
        step = _as_float(step)
        start = float(self.initial_learning_rate)
        if self.warmup_target is None:
            return self._decayed(step, start)
        target, steps = float(self.warmup_target), float(self.warmup_steps)
        decayed = self._decayed(ops.maximum(step - steps, 0.0), target)
        if steps == 0:
            return decayed
        return ops.where(ops.less(step, steps), step / steps * (target - start) + start, decayed)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


class CosineDecayRestarts(LearningRateSchedule):
    """`CosineDecay` that starts again: period k lasts ``first_decay_steps * t_mul ** k`` from a rate ``m_mul ** k``
    high.

    Args:
        t_mul: how much longer each period is than the one before.
        m_mul: how much higher each period starts than the one before.
        alpha: the last rate of a period as a fraction of the initial rate.

    Raises:
        ValueError: if `first_decay_steps` is not above 0.

    Source: Loshchilov and Hutter 2017, arXiv:1608.03983.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        _positive("first_decay_steps", first_decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self._t_mul = t_mul
        self._m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: Any) -> Any:
        """The learning rate after `step` updates."""
        done = _as_float(step) / float(self.first_decay_steps)  # in first periods
        t = float(self._t_mul)
        if t == 1.0:
            period = ops.floor(done)
            done = done - period
        else:
            # Periods 0..k-1 last (t**k - 1) / (t - 1). The small number keeps a step that ends a period, where the
            # quotient of two rounded logarithms may fall just short of k, from staying in it.
            period = ops.floor(ops.log(1.0 + done * (t - 1.0)) / math.log(t) + 1e-6)
            length = ops.power(t, period)
            done = ops.maximum(done - (length - 1.0) / (t - 1.0), 0.0) / length
        falling = 0.5 * ops.power(float(self._m_mul), period) * (1.0 + ops.cos(done * math.pi))
        return float(self.initial_learning_rate) * ((1.0 - self.alpha) * falling + self.alpha)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self._t_mul,
            "m_mul": self._m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }


_CLASSES = (
    ExponentialDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
    InverseTimeDecay,
    CosineDecay,
    CosineDecayRestarts,
    LearningRateSchedule,
)
objects.export("keras.optimizers.schedules", *_CLASSES)


def serialize(learning_rate_schedule: LearningRateSchedule) -> Any:
    """The config dict of a schedule."""
    return objects.serialize_keras_object(learning_rate_schedule)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The schedule of a config dict."""
    table = {cls.__name__: cls for cls in _CLASSES}
    return objects.deserialize_keras_object(config, custom_objects, module_objects=table)
