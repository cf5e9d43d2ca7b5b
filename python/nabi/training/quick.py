"""Calls with one batch after another: what a call like an earlier one need not do again.

A call is like another when its arrays have the same dtypes and shapes and nothing that a step is traced from has
changed. Data of other types, callbacks, bars and anything unusual take the way that checks everything.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from nabi import _core, config
from nabi.metrics import Mean, Metric
from nabi.trace.eager import Array

_KEPT = 64
_ARRAYS = frozenset((np.ndarray, Array))


class Quick:
    """A program whose arrays need no more checks, and where the results of its metrics are.

    Attributes:
        program: the core's program.
        cleared: state of the metrics, set to zero before a batch.
        means: result name -> total and count, in the order of the names.
        order: result names as `train_on_batch` lists them.
    """

    __slots__ = ("cleared", "means", "order", "program")

    def __init__(self, program: _core.Program) -> None:
        self.program = program
        self.cleared: list[_core.Variable] = []
        self.means: dict[str, tuple[_core.Variable, _core.Variable]] = {}
        self.order: list[str] = []

    def predict(self, x: Any) -> Any:
        """The predictions for one batch."""
        return self.program.call([x])[0]

    def measure(self, x: Any, y: Any, return_dict: bool) -> Any:
        """Runs a training or evaluation step and returns its results."""
        for variable in self.cleared:
            variable.clear()
        self.program.call([x] if y is None else [x, y])
        means = self.means
        if return_dict:
            return {name: _core.ratio(*pair) for name, pair in means.items()}
        values = [_core.ratio(*means[name]) for name in self.order]
        return values[0] if len(values) == 1 else values


def key_of(model: Any, mode: str, x: Any, y: Any = None, batch_size: Any = None) -> Any:
    """What makes calls alike; None for a call that has to be looked at."""
    if type(x) not in _ARRAYS or (y is not None and type(y) not in _ARRAYS):
        return None
    traced = model._program_key("predict" if mode[0] == "p" else "train" if mode == "train" else "test")
    size = None if batch_size is None else (type(batch_size), batch_size)
    head = (mode, x.dtype, x.shape, size, config.generation, _core.isa(), traced)
    return head if y is None else (*head, y.dtype, y.shape)


def predicting(step: Any, feeds: Any, x: Any) -> Quick | None:
    """The quick form of a predict step; None where outputs are nested or the data was converted."""
    if step.structure is not None or not step.batched or feeds.arrays[0] is not x:
        return None
    return Quick(step.program)


def measuring(model: Any, step: Any, feeds: Any, arrays: list[Any], logs: dict[str, Any]) -> Quick | None:
    """The quick form of a train or test step; None where results are more than the means of the model's metrics."""
    if step.logs or len(feeds.arrays) != len(arrays) or any(map(operator.is_not, feeds.arrays, arrays)):
        return None
    quick = Quick(step.program)
    means: dict[str, tuple[_core.Variable, _core.Variable]] = {}
    for metric in model.metrics:
        for name, inner in metric.named() if hasattr(metric, "named") else [(metric.name, metric)]:
            kind = type(inner)
            plain = getattr(kind, "result", None) is Mean.result
            if not plain or kind.reset_state is not Metric.reset_state or name in means:
                return None
            means[name] = (inner.total._core, inner.count._core)
            quick.cleared += [variable._core for variable in inner.variables]
    if set(means) != set(logs):
        return None
    quick.means = {name: means[name] for name in logs}
    order = model._in_order({name: name for name in logs})
    quick.order = [order] if isinstance(order, str) else order
    return quick


class QuickCalls:
    """The quick calls of one model."""

    def __init__(self) -> None:
        self._found: dict[Any, Quick] = {}

    def get(self, key: Any) -> Quick | None:
        """The call to make for this key, if it is known."""
        return None if key is None else self._found.get(key)

    def put(self, key: Any, quick: Quick | None) -> None:
        """Notes the call for a key."""
        if key is not None and quick is not None:
            if len(self._found) >= _KEPT:
                self._found.clear()
            self._found[key] = quick

    def clear(self) -> None:
        """Forgets all calls."""
        self._found.clear()
