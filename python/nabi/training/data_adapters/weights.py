"""Weights of samples: as given, spread over several outputs, or made from weights of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nabi import tree
from nabi.training.data_adapters.arrays import AnyArray, as_array


def class_weights(y: Any, class_weight: Any) -> AnyArray:
    """One weight per sample from one per class.

    Args:
        y: labels of shape (n,) or (n, 1), or one-hot rows (n, classes).
        class_weight: dict from class to weight; classes it lacks get 1.

    Returns:
        float32 array of shape (n,).

    Raises:
        ValueError: `class_weight` is no dict of numbers, or there are several outputs.
    """
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            "`class_weight` must be a dict that maps class indices (integers) to weights (floats). "
            f"Received: class_weight={class_weight}"
        )
    if y is None or isinstance(y, (list, tuple, dict)):
        raise ValueError("`class_weight` is only supported for Models with a single output.")
    labels = as_array(y, "y")
    if labels.ndim > 1:
        labels = np.argmax(labels, axis=-1) if labels.shape[-1] != 1 else np.squeeze(labels, axis=-1)
    labels = np.round(labels).astype(np.int64)
    weights = np.ones(labels.shape, np.float32)
    for label, weight in class_weight.items():
        if not all(isinstance(number, (int, float, np.number)) for number in (label, weight)):
            raise ValueError(
                "`class_weight` must map class indices (integers) to weights (floats). "
                f"Received: class_weight={class_weight}"
            )
        weights[labels == label] = weight
    return weights


def check_sample_weight(y: Any, sample_weight: Any, class_weight: Any) -> Any:
    """The sample weights to use: as given, spread over several outputs, or made from class weights.

    Raises:
        ValueError: both kinds are given, or one array of weights per step for several outputs.
    """
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
        return class_weights(y, class_weight)
    if sample_weight is None or not isinstance(y, (list, tuple, dict)):
        return sample_weight
    if isinstance(sample_weight, (list, tuple, dict)):
        try:
            tree.assert_same_structure(y, sample_weight)
        except ValueError:
            stars = [tree.map_structure(lambda _: "*", part) for part in (y, sample_weight)]
            raise ValueError(
                "You should provide one `sample_weight` array per output in `y`. The two structures did not match:\n"
                f"- y: {stars[0]}\n- sample_weight: {stars[1]}\n"
            ) from None
        return sample_weight
    shape = np.shape(sample_weight)
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        raise ValueError(
            "For a model with multiple outputs, when providing a single `sample_weight` array, it should only have "
            "one scalar score per sample (i.e. shape `(num_samples,)`). If you want to use non-scalar sample weights, "
            "pass a `sample_weight` argument with one array per model output."
        )
    return tree.map_structure(lambda _: sample_weight, y)
