"""Arrays cut into batches."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np

from nabi import _core
from nabi.training.data_adapters.arrays import AnyArray
from nabi.training.data_adapters.feeds import Feeds


class ArrayBatches:
    """Arrays cut into batches: whole ones, then perhaps a smaller last one.

    Args:
        feeds: the data.
        batch_size: samples per batch; None for 32, or for what makes `steps` batches.
        steps: batches per epoch; None for one pass over the data.
        shuffle: False, True (all samples) or "batch" (within each batch).
        permutation: gives the order of the samples for the pass of that number.
    """

    def __init__(
        self,
        feeds: Feeds,
        batch_size: int | None,
        steps: int | None,
        shuffle: bool | str = False,
        permutation: Callable[[int, int], AnyArray] | None = None,
    ) -> None:
        self.feeds = feeds
        if not batch_size:
            batch_size = math.ceil(feeds.rows / steps) if steps else 32
        self.batch_size = batch_size
        self.batches = math.ceil(feeds.rows / batch_size)
        self.full = feeds.rows // batch_size
        self.tail = feeds.rows - self.full * batch_size
        self.steps = steps
        self._shuffle = shuffle
        self._permutation = permutation
        self._pass = 0  # passes over the data begun
        self._position = 0  # batches of the present pass that are used up
        self.index: AnyArray | None = None

    @property
    def num_batches(self) -> int:
        """Batches in an epoch, as callbacks are told."""
        return self.steps or self.batches

    @property
    def ended(self) -> bool:
        """Never: arrays can always be passed over again."""
        return False

    def close(self) -> None:
        """Nothing to let go."""

    def restart(self) -> None:
        """Begins with the first sample again."""
        self._pass = 0

    def start_epoch(self, epoch: int) -> tuple[int, int]:
        """Batches of the present pass that the epoch takes: [first, last).

        Without `steps` each epoch is a new pass. With it a pass goes on where the epoch before it stopped.
        """
        if self.steps is None or self._position >= self.batches or self._pass == 0:
            self._position = 0
            self.index = self._order(epoch)
            self._pass += 1
        first = self._position
        wanted = first + (self.steps or self.batches)
        if wanted > self.batches and self.steps is not None:
            warn_out_of_data()
        last = min(wanted, self.batches)
        self._position = last
        return first, last

    def _order(self, epoch: int) -> AnyArray | None:
        if not self._shuffle or self._permutation is None:
            return None
        order = self._permutation(self.feeds.rows, epoch)
        if self._shuffle != "batch":
            return order
        starts = np.arange(0, self.feeds.rows, self.batch_size)
        parts = [np.argsort(order[start : start + self.batch_size], kind="stable") + start for start in starts]
        return np.concatenate(parts).astype(np.int64)

    def programs(self) -> list[tuple[Feeds, int]]:
        """The programs an epoch needs: (data, rows of a batch)."""
        found = []
        if self.full:
            found.append((self.feeds, self.batch_size))
        if self.tail:
            found.append((self.feeds, self.tail))
        return found


def warn_out_of_data() -> None:
    """Tells that an epoch ends early because there are no more batches."""
    warnings.warn(
        "Your input ran out of data; interrupting training. Make sure that your dataset or generator can generate at "
        "least `steps_per_epoch * epochs` batches. You may need to use the `.repeat()` function when building your "
        "dataset.",
        stacklevel=5,
    )


def seeded_permutation(seed: int, run: int) -> Callable[[int, int], AnyArray]:
    """Orders of samples: a function of their number and the epoch, for the `run`-th fit since `compile`."""

    def order(rows: int, epoch: int) -> AnyArray:
        return _core.permutation(rows, seed, run, epoch)

    return order
