"""The same model in Keras and in Nabi, with the same weights."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

REASON = "compares with real Keras: pip install 'keras>=3.15,<3.16' jax h5py"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip(os.environ.get("KERAS_BACKEND", "jax"), reason=REASON)
    pytest.importorskip("h5py", reason=REASON)
    keras = pytest.importorskip("keras", reason=REASON)

import nabi  # noqa: E402

Array = np.ndarray[Any, Any]
Make = Callable[[Any], Any]
"""From one of the two libraries (module `keras` or `nabi`) to an object of it."""


def numbers(*shape: int, seed: int = 0) -> Array:
    """Standard normal float32 numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def pair(make: Make, seed: int = 0) -> tuple[Any, Any]:
    """`make(keras)` and `make(nabi)`, two built models or layers, with the same random weights in both."""
    theirs, ours = make(keras), make(nabi)
    share_weights(theirs, ours, seed)
    return theirs, ours


def share_weights(theirs: Any, ours: Any, seed: int = 0) -> None:
    """Puts the same random values in both; names, shapes and order of the weights must agree first."""
    assert [(w.name, tuple(w.shape), w.trainable) for w in theirs.weights if w.dtype != "uint32"] == [
        (w.name, tuple(w.shape), w.trainable) for w in ours.weights if w.dtype != "uint32"
    ]
    rng = np.random.default_rng(seed)
    values = []
    for weight in ours.weights:
        value = rng.standard_normal(weight.shape) * 0.4
        values.append((np.abs(value) + 0.5 if "variance" in weight.name else value).astype(np.float32))
    theirs.set_weights(values)
    ours.set_weights(values)


def close(found: Any, wanted: Any, tolerance: float) -> None:
    """Equal shapes and dtypes, and values equal to `tolerance`, absolute and relative."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


def same_weights(theirs: Any, ours: Any, tolerance: float = 1e-4) -> None:
    """The weights of both models agree to `tolerance`."""
    for weight, found, wanted in zip(ours.weights, ours.get_weights(), theirs.get_weights(), strict=True):
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance, err_msg=weight.path)
