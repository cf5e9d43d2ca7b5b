"""Steps: a model's train, test or predict step on batches of one shape, traced into one program."""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from nabi import _core, config, ops, tree
from nabi.trace import Tensor, Trace, pressure
from nabi.training.data_adapters import AnyArray, Feeds
from nabi.training.quick import QuickCalls

_KEPT = 16  # programs a model keeps, the most recently used ones

_compile_ids = itertools.count(1)


def new_compile_id() -> int:
    """A number that no other call of `compile` in this process has."""
    return next(_compile_ids)


class Step:
    """A program and what its outputs are.

    Attributes:
        program: the core's program.
        rows: samples in a batch.
        structure: nesting of the outputs; None stands for each.
        shapes: shape of each output, the batch axis included.
        dtypes: dtype of each output.
        logs: names of the outputs of a user's own `train_step` or `test_step` that no metric of the model holds.
    """

    def __init__(
        self, program: _core.Program, rows: int, structure: Any, outputs: Sequence[Tensor], logs: Sequence[str] = ()
    ) -> None:
        self.program = program
        self.rows = rows
        self.structure = structure
        self.shapes = [tensor.shape for tensor in outputs]
        self.dtypes = [tensor.dtype for tensor in outputs]
        self.logs = list(logs)

    @property
    def batched(self) -> bool:
        """Whether every output has one row per sample."""
        return all(shape and shape[0] == self.rows for shape in self.shapes)

    def allocate(self, rows: int) -> list[AnyArray]:
        """Arrays for the outputs of `rows` samples."""
        return [np.empty((rows, *shape[1:]), dtype) for shape, dtype in zip(self.shapes, self.dtypes, strict=True)]

    def call(self, feeds: Feeds, rows: Sequence[AnyArray]) -> list[AnyArray]:
        """Runs once on the given rows of each feed, whatever shape the outputs have."""
        dense = [np.ascontiguousarray(array, dtype) for array, (_, dtype) in zip(rows, feeds.specs, strict=True)]
        return list(self.program.call(dense))


class StepCache:
    """The steps of one model. They share one arena, sized for the largest; nothing in it outlives a step.

    Attributes:
        traced: how many steps were traced so far.
    """

    def __init__(self) -> None:
        self.traced = 0
        self._steps: OrderedDict[Any, Step] = OrderedDict()
        self._arena: _core.Arena | None = None
        self._lock = threading.RLock()
        self.quick = QuickCalls()

    def get(self, model: Any, mode: str, feeds: Feeds, rows: int) -> Step:
        """The step for batches of `rows` samples; traced if there is none yet.

        Args:
            model: a built model.
            mode: "train", "test" or "predict".
            feeds: data of the structure, shapes and dtypes that the step takes.
            rows: samples in a batch.
        """
        key = (mode, rows, feeds.key, model._program_key(mode), config.generation, _core.isa())
        with self._lock:
            step = self._steps.get(key)
            if step is None:
                step = trace_step(model, mode, feeds, rows, self.arena)
                self.traced += 1
                pressure.note(step.program.arena_bytes)
                self._steps[key] = step
                while len(self._steps) > _KEPT:
                    self._steps.popitem(last=False)
                    self.quick.clear()
            else:
                self._steps.move_to_end(key)
            return step

    @property
    def arena(self) -> _core.Arena:
        """The working memory of all of the model's programs."""
        with self._lock:
            if self._arena is None:
                self._arena = _core.Arena()
            return self._arena

    def clear(self) -> None:
        """Forgets all steps."""
        with self._lock:
            self._steps.clear()
            self.quick.clear()
            self._arena = None

    def __deepcopy__(self, memo: dict[int, Any]) -> StepCache:
        return StepCache()  # a copy of the model traces its own

    def __reduce__(self) -> Any:
        return StepCache, ()


def trace_step(model: Any, mode: str, feeds: Feeds, rows: int, arena: _core.Arena) -> Step:
    """Traces one step of a model.

    Raises:
        ValueError: shapes or dtypes do not fit; the model is unchanged.
    """
    with Trace() as trace:
        tensors = [trace.input((rows, *shape), dtype) for shape, dtype in feeds.specs]
        data: Any = feeds.pack(tensors)
        if isinstance(data, tuple) and len(data) == 3 and data[2] is None and data[1] is not None:
            data = data[:2]  # `x, y = data` in a user's step, as Keras packs it
        if mode == "predict":
            predictions = model.predict_step(data)
            outputs = tree.flatten(predictions)
            structure = tree.map_structure(lambda _: None, predictions)
            return Step(trace.compile(outputs, arena), rows, structure, outputs)
        logs = model.train_step(data) if mode == "train" else model.test_step(data)
        extra = _extra_logs(model, logs)
        outputs = [ops.broadcast_to(ops.reshape(value, (1,)), (rows,)) for value in extra.values()]
        return Step(trace.compile(outputs, arena), rows, None, outputs, list(extra))


def _extra_logs(model: Any, logs: Any) -> dict[str, Tensor]:
    """Results of a user's own step, unless they are the model's metrics, which are read afterwards."""
    if not isinstance(logs, dict):
        return {}
    flat: dict[str, Any] = {}
    for name, value in logs.items():
        flat.update(value if isinstance(value, dict) else {name: value})
    known: set[str] = set()
    for metric in model.metrics:
        known.update(name for name, _ in metric.named()) if hasattr(metric, "named") else known.add(metric.name)
    if set(flat) == known:
        return {}
    return {name: ops.convert_to_tensor(value) for name, value in flat.items()}
