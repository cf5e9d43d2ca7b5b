"""Data sets that yield batches: what kind each is, its length, and how a pass over it begins.

Source of the messages: Keras 3.15 `data_adapters`.
"""

from __future__ import annotations

import itertools
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from nabi.training.data_adapters.arrays import AnyArray
from nabi.training.data_adapters.prefetch import Raised
from nabi.training.data_adapters.py_dataset import PyDataset
from nabi.training.data_adapters.workers import in_workers

Order = Callable[[int, int], AnyArray]

# Batches that were taken from a user's iterator and not used: a later call on the same iterator begins with them.
_unused: weakref.WeakKeyDictionary[Any, deque[Any]] = weakref.WeakKeyDictionary()


class Returnable:
    """An iterator that takes batches back."""

    def __init__(self, iterator: Iterator[Any], back: deque[Any] | None = None) -> None:
        self._iterator = iterator
        self._back: deque[Any] = deque() if back is None else back

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._back:
            item = self._back.popleft()
            if isinstance(item, Raised):
                raise item.error
            return item
        return next(self._iterator)

    def give_back(self, items: list[Any]) -> None:
        """Puts batches back in front."""
        self._back.extendleft(reversed(items))

    def close(self) -> None:
        """Closes the generator behind it."""
        if isinstance(self._iterator, types.GeneratorType):
            self._iterator.close()


class Source:
    """A data set that yields batches.

    Attributes:
        kind: what to call it in messages.
        once: it can be passed over only once.
        ahead: its batches may be made in another thread.
    """

    kind = "data set"
    once = False
    ahead = True

    def __init__(self, data: Any) -> None:
        self.data = data

    def size(self) -> int | None:
        """Batches in a pass; None if unknown or without end."""
        return _size(self.data)

    def start(self, epoch: int) -> Any:
        """Begins a pass: an iterator over what `batches` takes."""
        return iter(self.data)

    def first(self, started: Any) -> Any:
        """The next batch of a pass; StopIteration if there is none."""
        return next(started)

    def batches(self, started: Any, limit: int | None) -> Iterator[Any]:
        """The batches of an epoch.

        Args:
            started: what `start` has returned.
            limit: how many of them; None for all that are left.
        """
        return started  # type: ignore[no-any-return]

    def on_epoch_begin(self) -> None:
        """Tells the data set."""

    def on_epoch_end(self) -> None:
        """Tells the data set."""


class OnceSource(Source):
    """A generator, or another iterator."""

    once = True

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.kind = "generator" if isinstance(data, types.GeneratorType) else "iterator"

    def size(self) -> int | None:
        return None

    def start(self, epoch: int) -> Any:
        try:
            back = _unused.setdefault(self.data, deque())
        except TypeError:  # an iterator that cannot be referred to weakly
            back = deque()
        return Returnable(self.data, back)


class IterableSource(Source):
    """Something with `__iter__`: each pass has an iterator of its own."""

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        names = {(parent.__module__.partition(".")[0], parent.__name__) for parent in type(data).__mro__}
        if ("torch", "DataLoader") in names:
            self.kind = "torch DataLoader"
        elif ("tensorflow", "DatasetV2") in names:
            self.kind = "tf.data.Dataset"
        else:
            self.kind = "iterable of batches"

    def start(self, epoch: int) -> Any:
        return Returnable(iter(self.data))


class NumberedSource(Source):
    """A `PyDataset`, or another object that gives batches by number.

    Args:
        data: the data set.
        order: order of the numbers of a pass; None for 0, 1, ...
    """

    def __init__(self, data: Any, order: Order | None) -> None:
        super().__init__(data)
        self.kind = "PyDataset" if isinstance(data, PyDataset) else "sequence of batches"
        self._order = order
        self._workers, self._processes, self._queue = 1, False, 0
        if isinstance(data, PyDataset):
            self._workers, self._processes, self._queue = data.workers, data.use_multiprocessing, data.max_queue_size
        self._in_workers = self._workers > 1 or (self._workers > 0 and self._processes)
        self.ahead = self._workers > 0 and not self._in_workers

    def start(self, epoch: int) -> Any:
        size = self.size()
        if size is None:
            return itertools.count()
        return iter(range(size) if self._order is None else self._order(size, epoch).tolist())

    def first(self, started: Any) -> Any:
        return self.data[next(started)]

    def batches(self, started: Any, limit: int | None) -> Iterator[Any]:
        order = started if limit is None else itertools.islice(started, limit)
        if self._in_workers:
            return in_workers(self.data, order, self._workers, self._processes, self._queue)
        return map(self.data.__getitem__, order)

    def on_epoch_begin(self) -> None:
        if hasattr(self.data, "on_epoch_begin"):
            self.data.on_epoch_begin()

    def on_epoch_end(self) -> None:
        if hasattr(self.data, "on_epoch_end"):
            self.data.on_epoch_end()


def _size(data: Any) -> int | None:
    """How many batches a data set says it has; None if it does not say, or has no end."""
    if isinstance(data, PyDataset) or isinstance(getattr(data, "num_batches", None), int):
        size = data.num_batches
        return None if size is None else int(size)
    try:
        return len(data)
    except TypeError:
        pass
    cardinality = getattr(data, "cardinality", None)  # tf.data: -1 without end, -2 unknown
    size = int(cardinality()) if callable(cardinality) else -1
    return size if size >= 0 else None


def source_of(data: Any, order: Order | None) -> Source:
    """The source for what a user passes as `x`.

    Args:
        data: yields or gives batches.
        order: order of the batches of a source that gives them by number.

    Raises:
        ValueError: it is no data set of batches.
    """
    names = [(parent.__module__, parent.__name__) for parent in type(data).__mro__]
    if any(module.startswith("torch.utils.data") and name == "Dataset" for module, name in names):
        raise ValueError(
            f"Unrecognized data type: x={data!r} (of type {type(data)}). A torch Dataset holds samples; pass a torch "
            "DataLoader, which makes batches of them."
        )
    if isinstance(data, PyDataset):
        return NumberedSource(data, order)
    if hasattr(data, "__next__"):
        return OnceSource(data)
    if hasattr(data, "__getitem__") and _size(data) is not None:
        return NumberedSource(data, order)
    if hasattr(data, "__iter__"):
        return IterableSource(data)
    raise ValueError(f"Unrecognized data type: x={data!r} (of type {type(data)})")
