"""Batches that come one by one from a data set, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

from nabi.training.data_adapters.array_batches import warn_out_of_data
from nabi.training.data_adapters.prefetch import Prefetcher
from nabi.training.data_adapters.sources import Order, Returnable, source_of
from nabi.training.data_adapters.standardize import Batch, standardize

# Seconds that making a batch and training on it must both take before a thread makes batches ahead: handing one over
# costs some ten microseconds.
_WORTH_A_THREAD = 2e-4


class IterableBatches:
    """The batches of a generator, a `PyDataset`, a torch DataLoader, a tf.data.Dataset or another iterable.

    An epoch is `steps` batches, or else a pass over the source. A pass that `steps` cuts goes on in the next epoch.

    Args:
        data: the data set.
        steps: batches per epoch.
        shuffle: change the order of the batches of a source that gives them by number.
        permutation: gives that order.
        class_weight: dict from class to weight, for batches without sample weights.
        targets: False for inputs alone.

    Attributes:
        ended: the source cannot be passed over again and has no more batches.

    Raises:
        ValueError: `data` yields no batches, or `class_weight` does not go with it.
    """

    def __init__(
        self,
        data: Any,
        steps: int | None,
        shuffle: bool | str = False,
        permutation: Order | None = None,
        class_weight: Any = None,
        targets: bool = True,
    ) -> None:
        self.source = source_of(data, permutation if shuffle else None)
        if class_weight is not None and self.source.kind == "generator":
            raise ValueError(
                "Argument `class_weight` is not supported for Python generator inputs. "
                f"Received: class_weight={class_weight}"
            )
        if class_weight is not None and self.source.kind == "torch DataLoader":
            raise ValueError(
                "Argument `class_weight` is not supported for torch DataLoader inputs. You can modify your "
                "`__getitem__ ` method to return input tensor, label and class_weight. Alternatively, use a custom "
                f"training loop. Received: class_weight={class_weight}"
            )
        self.steps = steps
        self.ended = False
        self._class_weight = class_weight
        self._targets = targets
        self._size = self.source.size()
        self._started: Any = None  # the present pass
        self._taken = 0  # batches of the present pass that are used up
        self._first: list[Any] = []  # of the pass, looked at before
        self._told = False  # the source knows that an epoch begins
        self.in_thread = False  # a thread is worth its cost

    @property
    def num_batches(self) -> int | None:
        """Batches in an epoch, as callbacks are told; None if unknown."""
        return self.steps or self._size

    def standardize(self, batch: Any) -> Batch:
        """The parts of a batch as arrays."""
        return standardize(batch, self.source.kind, self._class_weight, self._targets)

    def first_batch(self) -> Batch:
        """The batch that comes next, which the next epoch will still give.

        Raises:
            ValueError: there is none.
        """
        self._begin(0)
        try:
            batch = self.source.first(self._started)
        except StopIteration:
            if self.source.kind == "generator":
                raise ValueError(
                    "When passing a Python generator to a Keras model, the generator must yield at least one batch. "
                    "Received an empty generator."
                ) from None
            raise ValueError("The data is empty: `x` yields no batches.") from None
        if isinstance(self._started, Returnable):
            self._started.give_back([batch])
        else:
            self._first = [batch]
        return self.standardize(batch)

    def restart(self) -> None:
        """Begins a source that can start over with its first batch again."""
        if not self.source.once and self._taken:
            self._end_pass()

    def _begin(self, epoch: int) -> None:
        """Begins an epoch: tells the source, once, and begins a pass if there is none."""
        if not self._told:
            self.source.on_epoch_begin()
            self._told = True
        if self._started is None:
            self._size = self.source.size()
            self._started = self.source.start(epoch)
            self._taken = 0

    def _end_pass(self) -> None:
        if isinstance(self._started, Returnable) and not self.source.once:
            self._started.close()
        self._started = None
        self._first = []
        self._taken = 0

    def epoch(self, epoch: int) -> Epoch:
        """The batches of one epoch."""
        if self.steps is None and not self.source.once and self._taken:
            self._end_pass()
        self._begin(epoch)
        left = None if self._size is None else max(self._size - self._taken, 0)
        limits = [number for number in (left, self.steps) if number is not None]
        return Epoch(self, min(limits) if limits else None)

    def _batches(self, limit: int | None) -> Iterator[Any]:
        """The batches of an epoch, as the source gives them."""
        first, self._first = self._first, []
        if not first:
            return self.source.batches(self._started, limit)
        return _chain(first[0], self.source.batches(self._started, None if limit is None else limit - 1))

    def _end_epoch(self, taken: int, exhausted: bool, complete: bool) -> None:
        """Notes what an epoch has used, and warns if there was less than there should have been."""
        self._told = False
        self.source.on_epoch_end()
        self._taken += taken
        wanted = self.steps if self.steps is not None else self._size
        if complete and wanted is not None and taken < wanted:
            warn_out_of_data()
        if exhausted or self._taken == self._size:
            self.ended = self.source.once and exhausted
            self._end_pass()

    def close(self) -> None:
        """Lets the source go."""
        self._end_pass()


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


class Epoch:
    """An iterator over the batches of one epoch. It must be closed.

    Attributes:
        taken: batches given.
    """

    def __init__(self, owner: IterableBatches, limit: int | None) -> None:
        self._owner = owner
        self._limit = limit
        self._batches = owner._batches(limit)
        self._thread: Prefetcher | None = None
        self._made = self._used = self._given_at = 0.0  # seconds of making and of using batches; when one was given
        self._timed = 0
        self._exhausted = False
        self.taken = 0

    @property
    def done(self) -> bool:
        """Whether the epoch has had all its batches, as far as is known."""
        return self._exhausted or (self._limit is not None and self.taken >= self._limit)

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        if self.done:
            raise StopIteration
        owner = self._owner
        try:
            if self._thread is not None:
                batch: Batch = next(self._thread)
            else:
                batch = self._make_one()
                if owner.in_thread and not self.done:
                    left = None if self._limit is None else self._limit - self.taken - 1
                    self._thread = Prefetcher(self._batches, owner.standardize, left)
                    self._thread.start()
        except StopIteration:
            self._exhausted = True
            raise
        self.taken += 1
        return batch

    def _make_one(self) -> Batch:
        """A batch made here and now; decides whether a thread should make the next ones."""
        owner = self._owner
        begin = perf_counter()
        if self._given_at:
            self._used += begin - self._given_at
        batch = owner.standardize(next(self._batches))
        self._given_at = perf_counter()
        self._made += self._given_at - begin
        self._timed += 1
        if owner.source.ahead:
            owner.in_thread = min(self._made, self._used) >= self._timed * _WORTH_A_THREAD
        return batch

    def close(self, finished: bool) -> None:
        """Ends the thread that makes batches; those it has made and nobody has used go back to the source.

        Args:
            finished: the epoch is over; False if an exception has ended it.
        """
        unused = self._thread.stop() if self._thread is not None else []
        self._thread = None
        started = self._owner._started
        if isinstance(started, Returnable):
            started.give_back(unused)
        elif hasattr(self._batches, "close"):
            self._batches.close()  # workers
        if finished:
            self._owner._end_epoch(self.taken, self._exhausted, self.done)
