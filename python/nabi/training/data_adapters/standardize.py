"""One batch of a data set as arrays: inputs, targets, weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from nabi import tree
from nabi.training.data_adapters.arrays import as_array, is_array_like
from nabi.training.data_adapters.structures import short, unpack_x_y_sample_weight
from nabi.training.data_adapters.weights import class_weights

Batch = tuple[Any, Any, Any]  # x, y, sample_weight


def _unpack(batch: Any, kind: str) -> Batch:
    if kind == "generator" and not isinstance(batch, tuple):
        raise ValueError(
            "When passing a Python generator to a Keras model, the generator must return a tuple, either (input,) or "
            f"(inputs, targets) or (inputs, targets, sample_weights). Received: {short(batch)}"
        )
    if kind in ("PyDataset", "sequence of batches"):
        plain = isinstance(batch, dict) or is_array_like(batch)
        if not plain and not (isinstance(batch, (tuple, list)) and len(batch) in (1, 2, 3)):
            raise ValueError(
                "PyDataset.__getitem__() must return a tuple or a dict. If a tuple, it must be ordered either (input,) "
                "or (inputs, targets) or (inputs, targets, sample_weights). "
                f"Received: {str(batch)[:100]}... of type {type(batch)}"
            )
    return unpack_x_y_sample_weight(batch)


def _arrays(part: Any, name: str) -> Any:
    if isinstance(part, np.ndarray) or is_array_like(part):
        return as_array(part, name)
    if part is None:
        return None
    return tree.map_structure(
        lambda leaf: as_array(leaf if is_array_like(leaf) else np.asarray(leaf), name), part, none_is_leaf=False
    )


def standardize(batch: Any, kind: str, class_weight: Any, targets: bool) -> Batch:
    """The parts of a batch, every leaf a NumPy array.

    Args:
        batch: what a data set gave: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`; or a dict of inputs.
        kind: of the data set, for messages.
        class_weight: dict from class to weight, or None.
        targets: False leaves all but the inputs out.

    Raises:
        ValueError: another form, no numbers, no axis of samples, or both kinds of weights.
    """
    x, y, sample_weight = _unpack(batch, kind)
    if not targets:
        return _arrays(x, "x"), None, None
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError("You cannot specify `class_weight` and `sample_weight` at the same time.")
        sample_weight = class_weights(y, class_weight)
    return _arrays(x, "x"), _arrays(y, "y"), _arrays(sample_weight, "sample_weight")
