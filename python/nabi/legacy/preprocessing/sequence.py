"""`keras.preprocessing.sequence`: padding, windows over time series, word pairs.

Source: Keras 2's `keras_preprocessing.sequence`; the skip-gram tables follow Mikolov et al. 2013.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from nabi.utils import PyDataset

__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]


def pad_sequences(
    sequences: Iterable[Any],
    maxlen: int | None = None,
    dtype: str = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray[Any, Any]:
    """Sequences cut and filled to one length: an array of shape (len(sequences), maxlen, ...).

    Args:
        sequences: lists of numbers (or of rows of one shape).
        maxlen: length; the longest by default.
        padding, truncating: "pre" or "post": the end at which sequences are filled and cut.
        value: what fills.

    Raises:
        ValueError: something that has no length, another padding or truncating, or rows of different shapes.
    """
    for name, given in (("padding", padding), ("truncating", truncating)):
        if given not in ("pre", "post"):
            raise ValueError(f"`{name}` must be 'pre' or 'post'. Received: {name}={given!r}")
    if not hasattr(sequences, "__len__"):
        raise ValueError("`sequences` must be iterable.")
    rows = list(sequences)
    for row in rows:
        if not hasattr(row, "__len__"):
            raise ValueError(f"`sequences` must be a list of iterables. Found non-iterable: {row}")
    length = max(map(len, rows), default=0) if maxlen is None else maxlen
    inner = next((np.asarray(row).shape[1:] for row in rows if len(row)), ())
    out = np.full((len(rows), length, *inner), value, dtype=dtype)
    for i, row in enumerate(rows):
        kept = np.asarray(row[-length:] if truncating == "pre" else row[:length], dtype=dtype) if length else row[:0]
        if not len(kept):
            continue
        if kept.shape[1:] != inner:
            raise ValueError(
                f"Shape of sample {kept.shape[1:]} of sequence at position {i} is different from expected shape {inner}"
            )
        if padding == "post":
            out[i, : len(kept)] = kept
        else:
            out[i, -len(kept) :] = kept
    return out


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray[Any, Any]:
    """Probability of keeping the word of each rank, from Zipf's law: min(1, sqrt(f / sampling) * sampling / f)."""
    gamma = 0.577
    rank = np.arange(size, dtype="float64")
    rank[0] = 1
    inverse = rank * (np.log(rank) + gamma) + 0.5 - 1.0 / (12.0 * rank)
    f = sampling_factor * inverse
    return np.asarray(np.minimum(1.0, f / np.sqrt(f)))


def skipgrams(
    sequence: Sequence[int],
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[Any], list[Any]]:
    """Pairs of a word and one near it (label 1), and of the same words with random ones (label 0).

    Word 0 stands for no word. Returns (couples, labels).
    """
    rng = np.random.RandomState(np.random.randint(0, 10**7) if seed is None else seed)
    couples: list[list[int]] = []
    for i, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < rng.random_sample()):
            continue
        for j in range(max(0, i - window_size), min(len(sequence), i + window_size + 1)):
            if j != i and sequence[j]:
                couples.append([int(word), int(sequence[j])])
    one, zero = ([0, 1], [1, 0]) if categorical else (1, 0)
    labels: list[Any] = [one] * len(couples)
    negative = int(len(couples) * negative_samples)
    if negative:
        words = [pair[0] for pair in couples]
        rng.shuffle(words)
        couples += [[words[i % len(words)], int(rng.randint(1, vocabulary_size))] for i in range(negative)]
        labels += [zero] * negative
    if shuffle:
        order = rng.permutation(len(couples))
        couples, labels = [couples[i] for i in order], [labels[i] for i in order]
    return couples, labels


class TimeseriesGenerator(PyDataset):
    """Batches of windows over a series: samples of `length` steps and the target after them.

    Args:
        data: array of shape (time, ...).
        targets: one for each time step.
        length: steps a window spans.
        sampling_rate: distance of the steps within a window.
        stride: distance of windows.
        start_index, end_index: the part of the series that is used.
        shuffle: windows at random places instead of in order.
        reverse: time runs backwards in a window.
        batch_size: windows of a batch.

    Raises:
        ValueError: data and targets of different lengths, or a window that does not fit.
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
    ) -> None:
        super().__init__()
        if len(data) != len(targets):
            raise ValueError(
                f"Data and targets have to be of same length. Data length is {len(data)} while target length is "
                f"{len(targets)}"
            )
        self.data = np.asarray(data)
        self.targets = np.asarray(targets)
        self.length = length
        self.sampling_rate = sampling_rate
        self.stride = stride
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle = shuffle
        self.reverse = reverse
        self.batch_size = batch_size
        if self.start_index > self.end_index:
            raise ValueError(
                f"`start_index+length={self.start_index} > end_index={self.end_index}` is disallowed, as no part of "
                "the sequence would be left to be used as current step."
            )

    def __len__(self) -> int:
        span = self.batch_size * self.stride
        return (self.end_index - self.start_index + span) // span

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if not 0 <= index < len(self):
            raise IndexError(f"There are {len(self)} batches. Received: index={index}")
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            rows = np.arange(first, min(first + self.batch_size * self.stride, self.end_index + 1), self.stride)
        samples = np.stack([self.data[row - self.length : row : self.sampling_rate] for row in rows])
        return (samples[:, ::-1] if self.reverse else samples), self.targets[rows]
