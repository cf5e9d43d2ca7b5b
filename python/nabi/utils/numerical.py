"""NumPy conveniences that Keras offers under ``keras.utils``."""

from __future__ import annotations

from typing import Any

import numpy as np

from nabi import ops
from nabi.trace import Tensor


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Integer classes as one-hot rows.

    Args:
        x: array-like of classes from 0; a last axis of length 1 is dropped.
        num_classes: number of columns; None takes ``max(x) + 1``.

    Returns:
        ndarray float64, shape of `x` (without that last axis) plus ``(num_classes,)``. A traced tensor gives
        ``ops.one_hot`` of it, float32.

    Raises:
        IndexError: for a class outside ``[-num_classes, num_classes)``; negative ones count from the end, as in Keras.
        ValueError: for an empty `x` without `num_classes`.
    """
    if isinstance(x, Tensor):
        if num_classes is None:
            raise ValueError("to_categorical of a traced tensor requires `num_classes`")
        if len(x.shape) > 1 and x.shape[-1] == 1:
            x = ops.reshape(x, x.shape[:-1])
        return ops.one_hot(x, num_classes)
    classes = np.array(x, dtype="int64")
    shape = classes.shape
    if len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    classes = classes.reshape(-1)
    if not num_classes and not classes.size:
        raise ValueError("`x` must hold at least one class where `num_classes` is not given. Received an empty `x`.")
    columns = int(num_classes) if num_classes else int(np.max(classes)) + 1
    if classes.size and not -columns <= np.min(classes) <= np.max(classes) < columns:
        found = np.max(classes) if np.max(classes) >= columns else np.min(classes)
        raise IndexError(f"`x` must hold classes from 0 to {columns - 1}. Received: {found}")
    rows = np.zeros((classes.shape[0], columns))
    rows[np.arange(classes.shape[0]), classes] = 1
    return rows.reshape(*shape, columns)


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """`x` divided by its norm of the given order along `axis`; a zero norm divides by 1.

    Args:
        x: ndarray (a new ndarray is returned, float64 for integers) or a traced tensor.
        axis: axis of the norm (Keras 3.15 divides an ndarray along another axis when this is 0; here it is axis 0).
        order: order of the norm (see ``numpy.linalg.norm``).
    """
    if isinstance(x, np.ndarray):
        norm = np.asarray(np.linalg.norm(x, order, axis))
        return x / np.expand_dims(np.where(norm == 0, 1, norm), axis)
    return ops.normalize(x, axis=axis, order=order)
