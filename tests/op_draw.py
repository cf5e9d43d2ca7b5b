"""Where the op tests take their examples from: a source of integers, and shapes and arrays made from them.

The source is Hypothesis (which shrinks a failing example), or a seeded generator that gives one large example of every
op: enough work to be cut into tasks for several threads, and what ``bench/`` measures.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

Array = np.ndarray[Any, Any]
T = TypeVar("T")

#: Dimensions that kernels find awkward: nothing, one, and each side of a vector of 4, 8 and 16 lanes.
DIMS = (3, 1, 2, 0, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 100, 130)

#: Most elements of a small example's arrays.
SMALL = 8000


class Draw:
    """Makes the inputs of one example.

    Args:
        integer: gives an integer between two, both included.
        large: make the one large example.
        smooth: keep values apart from each other and from kinks, so that differences approximate gradients.
    """

    def __init__(self, integer: Callable[[int, int], int], *, large: bool = False, smooth: bool = False) -> None:
        self.integer = integer
        self.large = large
        self.smooth = smooth
        self.rng = np.random.default_rng(integer(0, 2**32 - 1))

    @classmethod
    def hypothesis(cls, data: Any, *, smooth: bool = False) -> Draw:
        """Small examples from Hypothesis's ``data()``."""
        return cls(lambda low, high: int(data.draw(st.integers(low, high))), smooth=smooth)

    @classmethod
    def seeded(cls, seed: int, *, large: bool = True, smooth: bool = False) -> Draw:
        """The same example for the same seed."""
        return cls(random.Random(seed).randint, large=large, smooth=smooth)

    def choice(self, options: Sequence[T]) -> T:
        """One of ``options``; shrinks towards the first."""
        return options[self.integer(0, len(options) - 1)]

    def flag(self) -> bool:
        """True or False."""
        return bool(self.integer(0, 1))

    def size(self, low: int, high: int, large: int) -> int:
        """A dimension between ``low`` and ``high``, or ``large`` in the large example."""
        return large if self.large else self.integer(low, high)

    def dim(self, limit: int = SMALL, least: int = 0) -> int:
        """An awkward dimension of at most ``limit``."""
        return self.choice([d for d in DIMS if least <= d <= max(limit, 1)])

    def shape(
        self, low: int = 0, high: int = 4, least: int = 0, large: Sequence[int] = (66, 13, 257)
    ) -> tuple[int, ...]:
        """A shape of rank ``low`` to ``high`` with dimensions of at least ``least``.

        The large example has the last dimensions of ``large``, and at least rank 1.
        """
        if self.large:
            rank = min(max(low, len(large)), high)
            return tuple([2] * (rank - len(large)) + list(large)[len(large) - min(rank, len(large)) :])
        dims: list[int] = []
        for _ in range(self.integer(low, high)):
            limit = SMALL // max(math.prod(dims), 1)
            if self.smooth:
                limit = min(limit, 17)
            dims.append(self.dim(limit, least))
        return tuple(dims)

    def array(self, shape: Sequence[int], low: float = -3.0, high: float = 3.0) -> Array:
        """Values in (low, high), all different and none of them 0, as float64 that float32 holds exactly.

        Unless the example is smooth, half of them are moved to a coarse grid, so that ties occur.
        """
        n = math.prod(shape)
        if not self.smooth:
            values = self.rng.uniform(low, high, n)
            coarse = np.round(values * 2) / 2
            grid = (self.rng.random(n) < 0.3) & (coarse > low) & (coarse < high)
            return np.where(grid, coarse, values).astype(np.float32).astype(np.float64).reshape(tuple(shape))
        step = (high - low) / max(n, 1)
        # Off the middle of a step: a range around 0 has no value at 0, nor two that add up to it, and few integers.
        spread = low + (self.rng.permutation(n) + 0.3819) * step
        return spread.astype(np.float32).astype(np.float64).reshape(tuple(shape))

    def ints(self, shape: Sequence[int], low: int, high: int, dtype: str = "int32") -> Array:
        """Integers in [low, high)."""
        return self.rng.integers(low, max(high, low + 1), tuple(shape)).astype(dtype)

    def bools(self, shape: Sequence[int]) -> Array:
        """True or False."""
        return self.rng.random(tuple(shape)) < 0.5

    def broadcastable(self, shape: Sequence[int]) -> tuple[int, ...]:
        """A shape that broadcasts to ``shape``: some dimensions 1, some leading ones missing."""
        if self.large:
            return tuple(shape)
        kept = shape[self.integer(0, len(shape)) :]
        return tuple(1 if self.integer(0, 3) == 0 else d for d in kept)

    def axes(self, rank: int) -> list[int]:
        """Some of the axes, in order."""
        if self.large:
            return [rank - 2] if rank > 1 else [0]
        return [axis for axis in range(rank) if self.flag()]
