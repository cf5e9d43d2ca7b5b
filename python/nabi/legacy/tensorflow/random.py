"""`tf.random`: seeds and arrays of random numbers."""

from __future__ import annotations

from typing import Any

from nabi import random, utils


def set_seed(seed: int) -> None:
    """Seeds what Nabi draws, and Python's and NumPy's generators as `keras.utils.set_random_seed` does."""
    utils.set_random_seed(int(seed))


set_random_seed = set_seed


def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normal random numbers."""
    return random.normal(tuple(shape), mean=mean, stddev=stddev, dtype=dtype, seed=seed)


def uniform(shape: Any, minval: float = 0, maxval: float = 1, dtype: Any = None, seed: Any = None) -> Any:
    """Uniform random numbers."""
    return random.uniform(tuple(shape), minval=minval, maxval=maxval, dtype=dtype, seed=seed)


def shuffle(value: Any, seed: Any = None) -> Any:
    """The rows in another order."""
    return random.shuffle(value, seed=seed)
