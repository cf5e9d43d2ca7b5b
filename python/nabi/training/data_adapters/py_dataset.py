"""`PyDataset`: a data set by number of batch. Source of the semantics: Keras 3.15 `PyDataset`."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from typing import Any


class PyDataset:
    """Base class of data sets whose batches are made by Python code, by number.

    A subclass defines `__getitem__(index)`, which returns one whole batch, `(x,)`, `(x, y)`, `(x, y, sample_weight)` or
    a dict of inputs; and `__len__()` or the property `num_batches`, the number of batches, None if there is no end.
    `on_epoch_begin` and `on_epoch_end` may change the data between epochs.

    Batches of an epoch may be asked for in another thread than the one that trains, and before they are needed; with
    `workers=0` they never are.

    Args:
        workers: threads, or processes, that make batches at the same time; batches keep their order.
        use_multiprocessing: processes instead of threads. Each has a copy of the data set, made as an epoch begins.
        max_queue_size: batches that workers make ahead.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self._workers = workers
        self._use_multiprocessing = use_multiprocessing
        self._max_queue_size = max_queue_size

    def _setting(self, name: str, default: Any) -> Any:
        if name not in self.__dict__:
            self._workers = self.__dict__.get("_workers", 1)
            self._use_multiprocessing = self.__dict__.get("_use_multiprocessing", False)
            self._max_queue_size = self.__dict__.get("_max_queue_size", 10)
            warnings.warn(
                "Your `PyDataset` class should call `super().__init__(**kwargs)` in its constructor. `**kwargs` can "
                "include `workers`, `use_multiprocessing`, `max_queue_size`. Do not pass these arguments to `fit()`, "
                "as they will be ignored.",
                stacklevel=3,
            )
        return self.__dict__.get(name, default)

    @property
    def workers(self) -> int:
        """Threads or processes that make batches at the same time."""
        return int(self._setting("_workers", 1))

    @workers.setter
    def workers(self, value: int) -> None:
        self._workers = value

    @property
    def use_multiprocessing(self) -> bool:
        """Whether the workers are processes."""
        return bool(self._setting("_use_multiprocessing", False))

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        self._use_multiprocessing = value

    @property
    def max_queue_size(self) -> int:
        """Batches that workers make ahead."""
        return int(self._setting("_max_queue_size", 10))

    @max_queue_size.setter
    def max_queue_size(self, value: int) -> None:
        self._max_queue_size = value

    def __getitem__(self, index: int) -> Any:
        """The batch of that number, from 0."""
        raise NotImplementedError(f"`{type(self).__name__}` must define `__getitem__(index)`.")

    @property
    def num_batches(self) -> int | None:
        """Number of batches; None for a data set without end."""
        if hasattr(self, "__len__"):
            return int(len(self))
        raise NotImplementedError(
            "You need to implement the `num_batches` property:\n\n@property\ndef num_batches(self):\n  return ..."
        )

    def __iter__(self) -> Iterator[Any]:
        try:
            size = self.num_batches
        except NotImplementedError:
            size = None
        for index in itertools.count() if size is None else range(size):
            yield self[index]

    def on_epoch_begin(self) -> None:
        """Called before the first batch of an epoch is asked for."""

    def on_epoch_end(self) -> None:
        """Called after the last batch of an epoch."""
