"""Makes the batches of a `PyDataset` in several threads or processes, in order."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

_dataset: Any = None  # in a worker process: its copy of the data set


def _begin(dataset: Any) -> None:
    global _dataset
    _dataset = dataset
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that trains


def _make(index: int) -> Any:
    return _dataset[index]


def in_workers(dataset: Any, order: Iterable[int], workers: int, processes: bool, ahead: int) -> Iterator[Any]:
    """The batches of the given numbers, made by workers that begin now and end with the iterator.

    Args:
        dataset: gives a batch by number.
        order: the numbers.
        workers: how many batches are made at the same time.
        processes: in processes, which have copies of the data set; else in threads.
        ahead: how many batches may be asked for before they are needed.
    """
    import multiprocessing.pool

    if processes:
        pool = multiprocessing.get_context().Pool(workers, _begin, (dataset,))
        make = _make
    else:
        pool = multiprocessing.pool.ThreadPool(workers)
        make = dataset.__getitem__
    try:
        waiting: deque[Any] = deque()
        for index in order:
            waiting.append(pool.apply_async(make, (index,)))
            if len(waiting) >= max(ahead, 1):
                yield waiting.popleft().get()
        while waiting:
            yield waiting.popleft().get()
    finally:
        pool.terminate()
        pool.join()
