"""Runs batches through steps: many per native call, returning to Python about ten times a second.

Between two native calls Python handles signals, the progress bar and callbacks. How an epoch is cut into calls changes
no result.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np

from nabi import tree
from nabi.training.data_adapters import AnyArray, ArrayBatches, Feeds, IterableBatches
from nabi.training.step import Step

_SLICE = 0.1  # seconds of one native call

_STOP = {"train": "stop_training", "test": "stop_evaluating", "predict": "stop_predicting"}


class Loop:
    """One pass over batches in "train", "test" or "predict" mode.

    Args:
        model: a built model.
        mode: what to do with the batches.
        batches: the batches.
        callbacks: told about batches, as often as they want.
    """

    def __init__(self, model: Any, mode: str, batches: ArrayBatches | IterableBatches, callbacks: Any) -> None:
        self._model = model
        self._mode = mode
        self._batches = batches
        self._callbacks = callbacks
        self.last_logs: dict[str, Any] = {}  # of a user's own step
        self.collected: list[list[AnyArray]] = []  # predictions: per output, one array or one per batch
        self.structure: Any = None
        self.empty = False  # there were no batches
        self._feeds: Feeds | None = None  # of the last batch that was looked at in full
        self._form: Any = None

    def run(self, epoch: int = 0) -> None:
        """Runs the batches of an epoch, or until the model's stop flag is set."""
        if isinstance(self._batches, ArrayBatches):
            self._run_arrays(self._batches, epoch)
            return
        try:
            self._run_iterable(self._batches, epoch)
        finally:
            if self._mode != "train":  # the next pass begins anew
                self._batches.close()

    def _begin(self, batch: int) -> None:
        getattr(self._callbacks, f"on_{self._mode}_batch_begin")(batch)

    def _end(self, batch: int, outputs: Any = None) -> None:
        logs = {"outputs": outputs} if self._mode == "predict" else self._model._current_logs(self.last_logs)
        getattr(self._callbacks, f"on_{self._mode}_batch_end")(batch, logs)

    def _stopped(self) -> bool:
        return bool(getattr(self._model, _STOP[self._mode]))

    # -- arrays -----------------------------------------------------------------------------------------------------
    def _run_arrays(self, batches: ArrayBatches, epoch: int) -> None:
        first, last = batches.start_epoch(epoch)
        cache = self._model._steps
        steps = {rows: cache.get(self._model, self._mode, feeds, rows) for feeds, rows in batches.programs()}
        some = next(iter(steps.values()))
        self.structure = some.structure
        results: list[AnyArray] | None = []
        if self._mode == "predict":
            if not all(step.batched for step in steps.values()):
                results = None
                self.collected = [[] for _ in some.shapes]
            else:
                results = some.allocate(min(last * batches.batch_size, batches.feeds.rows))
                self.collected = [[result] for result in results]
        elif some.logs:
            results = [np.empty(batches.feeds.rows, dtype) for dtype in some.dtypes]

        every = self._callbacks._wants_batches(self._mode) or results is None
        progress = self._callbacks._wants_progress(self._mode)
        position = first
        every = every or self._stopped()  # then one step and no more
        while position < last:
            if every:
                stop = min(position + self._model.steps_per_execution, last)
                self._begin(position - first)
            else:
                stop = last
            begin = position
            while position < stop:
                position = self._advance(batches, steps, results, position, stop)
                if not every:
                    break
            if every or progress:
                self._note_logs(some, batches, results, position)
                rows = slice(begin * batches.batch_size, position * batches.batch_size)
                self._end(position - first - 1, self._outputs(results, rows) if self._mode == "predict" else None)
            if self._stopped():
                break
        self._note_logs(some, batches, results, position)

    def _advance(
        self,
        batches: ArrayBatches,
        steps: dict[int, Step],
        results: list[AnyArray] | None,
        position: int,
        stop: int,
    ) -> int:
        """One native call: batches from `position` on, at most up to `stop`; returns where it stopped."""
        size, index = batches.batch_size, batches.index
        arrays = batches.feeds.arrays
        if results is None:
            rows = slice(position * size, (position + 1) * size)
            step = steps[size if position < batches.full else batches.tail]
            for found, output in zip(self.collected, step.call(batches.feeds, [a[rows] for a in arrays]), strict=True):
                found.append(output)
            return position + 1
        if position < batches.full:
            program = steps[size].program
            return program.run(arrays, index, size, results, position, min(stop, batches.full), _SLICE)
        start = batches.full * size
        if index is None:
            arrays = batches.feeds.slice(start, batches.feeds.rows)
        else:
            index = index[start:]
        tail = [result[start:] for result in results]
        steps[batches.tail].program.run(arrays, index, batches.tail, tail, 0, 1, _SLICE)
        return position + 1

    def _outputs(self, results: list[AnyArray] | None, rows: slice) -> Any:
        if results is None:
            return tree.pack_sequence_as(self.structure, [found[-1] for found in self.collected])
        return tree.pack_sequence_as(self.structure, [result[rows] for result in results])

    def _note_logs(self, step: Step, batches: ArrayBatches, results: list[AnyArray] | None, position: int) -> None:
        if step.logs and results and position:
            row = min(position * batches.batch_size, batches.feeds.rows) - 1
            self.last_logs = {name: float(values[row]) for name, values in zip(step.logs, results, strict=True)}

    # -- iterables --------------------------------------------------------------------------------------------------
    def _run_iterable(self, batches: IterableBatches, epoch: int) -> None:
        every = self._callbacks._wants_batches(self._mode)
        progress = self._callbacks._wants_progress(self._mode)
        together = self._model.steps_per_execution if every else 1
        source, finished, outputs, told, due = batches.epoch(epoch), False, None, 0, 0.0
        try:
            while not source.done:
                first = source.taken % together == 0
                if every and first:
                    self._begin(source.taken)
                try:
                    batch = next(source)
                except StopIteration:
                    break
                outputs = self._run_batch(batch)
                if every and source.taken % together == 0 or progress and perf_counter() >= due:
                    told, due = source.taken, perf_counter() + _SLICE
                    self._end(told - 1, outputs)
                if self._stopped():
                    break
            if source.taken > told and (every or progress):
                self._end(source.taken - 1, outputs)
            finished = True
        finally:
            source.close(finished)
        self.empty = source.taken == 0

    def _run_batch(self, batch: Any) -> Any:
        """One step on a batch; returns the predictions in predict mode."""
        arrays = [part for part in batch if part is not None]
        form = None
        if all(type(array) is np.ndarray for array in arrays):
            form = [None if part is None else (part.shape, part.dtype) for part in batch]
        if form is None or self._feeds is None or form != self._form:
            self._feeds, self._form = self._model._feeds(*batch), form
            feeds = self._feeds
        else:
            feeds = self._feeds.like(arrays)
        step = self._model._steps.get(self._model, self._mode, feeds, feeds.rows)
        if self._mode == "predict":
            outputs = step.call(feeds, feeds.arrays)
            if not self.collected:
                self.collected = [[] for _ in outputs]
                self.structure = step.structure
            for found, output in zip(self.collected, outputs, strict=True):
                found.append(output)
            return tree.pack_sequence_as(step.structure, outputs)
        results = step.allocate(feeds.rows) if step.logs else []
        step.program.run(feeds.arrays, None, feeds.rows, results, 0, 1, 0.0)
        if results:
            self.last_logs = {name: float(values[-1]) for name, values in zip(step.logs, results, strict=True)}
        return None

    def predictions(self) -> Any:
        """The predictions of all batches, in the structure of the model's outputs."""
        arrays = [found[0] if len(found) == 1 else np.concatenate(found) for found in self.collected]
        return tree.pack_sequence_as(self.structure, arrays)
