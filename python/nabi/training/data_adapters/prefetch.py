"""Makes batches in a thread while the engine trains on those before them.

The engine runs without Python's global lock, so a data set's Python code and its reading of files can go on at the same
time. One thread asks for the batches, so they come in order; it is never more than a few batches ahead.
"""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

DEPTH = 2  # batches that may lie ready


class Raised:
    """An exception of the data set, in the place of the batch that it has prevented."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Prefetcher:
    """An iterator over the batches of another one, made by a thread that runs ahead.

    Args:
        iterator: gives the batches as the user made them.
        prepare: what to do with each.
        limit: how many of them to ask for; None for all.
    """

    def __init__(self, iterator: Iterator[Any], prepare: Callable[[Any], Any], limit: int | None) -> None:
        self._iterator = iterator
        self._prepare = prepare
        self._left = limit
        self._ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[bool] = queue.SimpleQueue()  # one True per batch that may be made, then False
        self._stopping = False
        for _ in range(DEPTH):
            self._room.put(True)
        context = contextvars.copy_context()  # NumPy's error state, for one
        self._thread = threading.Thread(target=context.run, args=(self._work,), name="nabi-prefetch", daemon=True)

    def start(self) -> None:
        """Begins to make batches."""
        try:
            self._thread.start()
        except BaseException:  # Ctrl-C, while the thread is being made
            self._end()
            raise

    def _end(self) -> None:
        self._stopping = True
        self._room.put(False)

    def _work(self) -> None:
        while self._left is None or self._left > 0:
            if not self._room.get() or self._stopping:
                return
            try:
                batch = next(self._iterator)
                item = batch, self._prepare(batch)
            except BaseException as error:  # the end of the data, too: it is for the one who asks
                self._ready.put(Raised(error))
                return
            self._ready.put(item)
            if self._left is not None:
                self._left -= 1

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        item = self._ready.get()
        if isinstance(item, Raised):
            raise item.error  # its traceback begins in the data set's own code
        self._room.put(True)
        return item[1]

    def stop(self) -> list[Any]:
        """Ends the thread after the batch it is making; returns the batches that nobody has asked for, in order."""
        self._end()
        if self._thread.is_alive():
            self._thread.join()
        unused = []
        while not self._ready.empty():
            item = self._ready.get()
            if not isinstance(item, Raised):
                unused.append(item[0])
            elif not isinstance(item.error, StopIteration):
                unused.append(item)
        return unused
