"""`tf.data.Dataset` as far as it feeds `fit`: slices of arrays, shuffled, batched, mapped, repeated.

Source: TensorFlow 2's `tf.data.Dataset`. Batches are NumPy arrays; `map` runs its function in Python, on one element
after another, beside the training.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nabi import tree

AUTOTUNE = -1


class Dataset:
    """An iterable of elements that can be gone through again; each method returns a new one."""

    def __init__(self, make: Callable[[], Iterator[Any]], length: int | None) -> None:
        self._make = make
        self._length = length

    def __iter__(self) -> Iterator[Any]:
        return self._make()

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("The dataset's length is not known, or it is infinite.")
        return self._length

    def cardinality(self) -> int:
        """Number of elements; -2 where it is not known."""
        return -2 if self._length is None else self._length

    @classmethod
    def from_tensor_slices(cls, tensors: Any) -> Dataset:
        """One element for each row of the arrays."""
        arrays = tree.map_structure(np.asarray, tensors)
        rows = {len(a) for a in tree.flatten(arrays)}
        if len(rows) != 1:
            raise ValueError(f"All arrays must have the same number of rows. Received: {sorted(rows)}")
        count = rows.pop()
        dataset = cls(lambda: (tree.map_structure(lambda a, i=i: a[i], arrays) for i in range(count)), count)
        dataset._arrays = arrays
        return dataset

    @classmethod
    def from_generator(cls, generator: Callable[[], Any], *args: Any, **kwargs: Any) -> Dataset:
        """The elements of the iterator that a function returns."""
        return cls(lambda: iter(generator()), None)

    _arrays: Any = None  # whole arrays behind the elements, while elements are their rows in order

    def shuffle(self, buffer_size: int, seed: int | None = None, reshuffle_each_iteration: bool = True) -> Dataset:
        """Elements in random order, drawn from a buffer of this many."""
        rng = np.random.default_rng(np.random.randint(2**31) if seed is None else seed)

        def elements() -> Iterator[Any]:
            nonlocal rng
            if not reshuffle_each_iteration and seed is not None:
                rng = np.random.default_rng(seed)
            buffer: list[Any] = []
            for element in self:
                buffer.append(element)
                if len(buffer) >= buffer_size:
                    yield buffer.pop(int(rng.integers(len(buffer))))
            while buffer:
                yield buffer.pop(int(rng.integers(len(buffer))))

        return Dataset(elements, self._length)

    def batch(self, batch_size: int, drop_remainder: bool = False, **kwargs: Any) -> Dataset:
        """Elements put together, `batch_size` of them each."""

        def batches() -> Iterator[Any]:
            if self._arrays is not None:  # rows in order: slices, without making each of them
                for start in range(0, len(self), batch_size):
                    if not drop_remainder or start + batch_size <= len(self):
                        yield tree.map_structure(lambda a, s=start: a[s : s + batch_size], self._arrays)
                return
            elements = iter(self)
            while group := list(itertools.islice(elements, batch_size)):
                if len(group) == batch_size or not drop_remainder:
                    yield tree.map_structure(lambda *rows: np.stack(rows), *group)

        whole = None if self._length is None else self._length // batch_size
        ragged = bool(self._length and self._length % batch_size and not drop_remainder)
        return Dataset(batches, None if whole is None else whole + ragged)

    def map(self, map_func: Callable[..., Any], num_parallel_calls: int | None = None, **kwargs: Any) -> Dataset:
        """A function of each element."""

        def elements() -> Iterator[Any]:
            for element in self:
                result = map_func(*element) if isinstance(element, tuple) else map_func(element)
                yield tree.map_structure(np.asarray, result)

        return Dataset(elements, self._length)

    def repeat(self, count: int | None = None) -> Dataset:
        """The elements again and again."""
        times = itertools.count() if count is None or count < 0 else range(count)
        length = None if self._length is None or not isinstance(times, range) else self._length * len(times)
        return Dataset(lambda: itertools.chain.from_iterable(iter(self) for _ in times), length)

    def take(self, count: int) -> Dataset:
        """The first elements."""
        length = None if self._length is None else min(count, self._length)
        return Dataset(lambda: itertools.islice(iter(self), count), length)

    def skip(self, count: int) -> Dataset:
        """All but the first elements."""
        length = None if self._length is None else max(0, self._length - count)
        return Dataset(lambda: itertools.islice(iter(self), count, None), length)

    def cache(self, filename: str = "") -> Dataset:
        """Keeps the elements of the first pass."""
        kept: list[Any] = []

        def elements() -> Iterator[Any]:
            if kept:
                yield from kept
                return
            seen = []
            for element in self:
                seen.append(element)
                yield element
            kept.extend(seen)

        return Dataset(elements, self._length)

    def prefetch(self, buffer_size: int) -> Dataset:
        """The dataset itself: `fit` prepares batches beside the training."""
        return self

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements."""
        return iter(self)
