"""Batches that come one by one from an iterable."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from nabi.training.data_adapters.array_batches import warn_out_of_data
from nabi.training.data_adapters.arrays import AnyArray
from nabi.training.data_adapters.structures import unpack_x_y_sample_weight
from nabi.training.data_adapters.weights import check_sample_weight


class IterableBatches:
    """Batches that a generator, a `PyDataset`-like sequence or another iterable yields, each a tuple of arrays.

    Args:
        source: the iterable. One with `__getitem__` and a length is read by number; others from their iterator.
        steps: batches per epoch; None to go on until the source ends.
        shuffle: change the order of the batches of a source read by number.
        permutation: gives that order.
        class_weight: dict from class to weight, for batches without sample weights.
    """

    def __init__(
        self,
        source: Any,
        steps: int | None,
        shuffle: bool | str = False,
        permutation: Callable[[int, int], AnyArray] | None = None,
        class_weight: Any = None,
    ) -> None:
        self.source = source
        self._class_weight = class_weight
        self.steps = steps
        self._shuffle = shuffle
        self._permutation = permutation
        self._size = self._length()
        self._iterator: Iterator[Any] | None = None

    def _length(self) -> int | None:
        size = getattr(self.source, "num_batches", None)
        if isinstance(size, int):
            return size
        try:
            return len(self.source)
        except TypeError:
            return None

    @property
    def num_batches(self) -> int | None:
        """Batches in an epoch, as callbacks are told; None if unknown."""
        return self.steps or self._size

    def first_batch(self) -> Any:
        """The batch that comes next, which `epoch` will still give."""
        if self._iterator is None:
            self._iterator = self._new_iterator(0)
        try:
            batch = next(self._iterator)
        except StopIteration:
            raise ValueError("The data is empty: `x` yields no batches.") from None
        self._iterator = itertools.chain([batch], self._iterator)
        return batch if self._class_weight is None else self._weighted(batch)

    def _weighted(self, batch: Any) -> tuple[Any, Any, Any]:
        x, y, sample_weight = unpack_x_y_sample_weight(batch)
        return x, y, check_sample_weight(y, sample_weight, self._class_weight)

    def _new_iterator(self, epoch: int) -> Iterator[Any]:
        if hasattr(self.source, "__getitem__") and self._size is not None:
            return self._by_number(epoch)
        return iter(self.source)

    def _by_number(self, epoch: int) -> Iterator[Any]:
        assert self._size is not None
        order: Any = range(self._size)
        if self._shuffle and self._permutation is not None:
            order = self._permutation(self._size, epoch)
        for i in order:
            yield self.source[int(i)]
        if hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()

    def epoch(self, epoch: int) -> Iterator[Any]:
        """The batches of one epoch."""
        if self._iterator is None:
            self._iterator = self._new_iterator(epoch)
        taken, ended = 0, False
        while self.steps is None or taken < self.steps:
            try:
                batch = next(self._iterator)
            except StopIteration:
                ended = True
                break
            taken += 1
            yield batch if self._class_weight is None else self._weighted(batch)
        if self.steps is not None and taken < self.steps:
            warn_out_of_data()
        if (ended or self._size == taken) and not hasattr(self.source, "__next__"):
            self._iterator = None  # the next epoch starts from the source's beginning
