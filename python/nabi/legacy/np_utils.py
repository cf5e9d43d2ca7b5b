"""`keras.utils.np_utils`."""

from __future__ import annotations

from typing import Any

import numpy as np

from nabi import utils

normalize = utils.normalize


def to_categorical(
    y: Any, num_classes: int | None = None, nb_classes: int | None = None, dtype: str = "float32"
) -> Any:
    """One-hot rows of integer classes, float32 as in Keras 2."""
    return utils.to_categorical(y, num_classes if nb_classes is None else nb_classes).astype(dtype)


def probas_to_classes(y_pred: Any) -> Any:
    """The likeliest class of each row, or 0 and 1 for a single column."""
    y_pred = np.asarray(y_pred)
    if y_pred.ndim > 1 and y_pred.shape[1] > 1:
        return y_pred.argmax(axis=1)
    return (y_pred > 0.5).astype(int).reshape(-1)


def categorical_probas_to_classes(p: Any) -> Any:
    """The likeliest class of each row."""
    return np.argmax(p, axis=1)


def convert_kernel(kernel: Any) -> Any:
    """A convolution kernel turned around in space: Theano's convolutions were true ones."""
    kernel = np.asarray(kernel)
    return np.copy(kernel[(slice(None, None, -1),) * (kernel.ndim - 2)])
