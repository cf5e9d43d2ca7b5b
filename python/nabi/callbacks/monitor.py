"""What the callbacks that watch a result have in common."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

from nabi import ops
from nabi.callbacks.callback import Callback
from nabi.checks import numbers_checked

#: Comparisons of the ops, made in Python: the values are numbers, and no program needs to run for them.
_IN_PYTHON: dict[Any, Callable[[Any, Any], Any]] = {ops.less: operator.lt, ops.greater: operator.gt}


class MonitorCallback(Callback):
    """Base of the callbacks that watch whether a result improves.

    Args:
        monitor: key of the result in the epoch's logs.
        mode: "min", "max", or "auto" to take the direction from the metric of that name.
        baseline: the value to beat first.
        min_delta: the least change that counts.
    """

    @numbers_checked
    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", baseline: float | None = None, min_delta: float = 0
    ) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode.", stacklevel=3)
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best = baseline
        self.min_delta = abs(min_delta)
        self.monitor_op: Callable[[Any, Any], Any] | None = None

    def _set_monitor_op(self) -> None:
        """Chooses the comparison; late, because metrics exist only once a step has been traced.

        Raises:
            ValueError: the direction is not known.
        """
        if self.mode == "min":
            self.monitor_op = ops.less
        elif self.mode == "max":
            self.monitor_op = ops.greater
        else:
            name = self.monitor.removeprefix("val_")
            if name == "loss":
                self.monitor_op = ops.less
            for metric in _leaf_metrics(getattr(self.model, "metrics", [])):
                if metric.name == name and hasattr(metric, "_direction"):
                    self.monitor_op = ops.greater if metric._direction == "up" else ops.less
            if self.monitor_op is None:
                raise ValueError(
                    f"{type(self).__name__} callback received monitor={self.monitor}, but it isn't possible to "
                    "automatically determine whether that metric should be maximized or minimized. Pass `mode='max'` "
                    "in order to monitor based on the highest metric value, or pass `mode='min'` in order to use the "
                    "lowest value."
                )
        if self.monitor_op is ops.less:
            self.min_delta *= -1

    def _is_improvement(self, value: float, reference: float | None) -> bool:
        if reference is None:
            return True
        if self.monitor_op is None:
            self._set_monitor_op()
        assert self.monitor_op is not None
        compare = _IN_PYTHON.get(self.monitor_op, self.monitor_op)
        return bool(compare(value - self.min_delta, reference))


def _leaf_metrics(metrics: list[Any]) -> list[Any]:
    """Metrics with containers such as `compile_metrics` opened."""
    leaves: list[Any] = []
    for metric in metrics:
        inner = getattr(metric, "metrics", None)
        leaves.extend(_leaf_metrics(inner) if isinstance(inner, list) else [metric])
    return leaves
