"""Cuts the validation part off the end of arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nabi import tree
from nabi.training.data_adapters.arrays import as_array, is_array_like


def split_validation(x: Any, y: Any, sample_weight: Any, split: float) -> tuple[Any, Any]:
    """Cuts the last part off for validation: ((x, y, sample_weight), (x, y, sample_weight)), both views.

    Raises:
        ValueError: not between 0 and 1, not arrays, or one part would be empty.
    """
    if not isinstance(split, (int, float, np.number)) or not 0 < split < 1:
        raise ValueError(f"`validation_split` must be between 0 and 1. Received: validation_split={split}")
    leaves = [leaf for part in (x, y, sample_weight) if part is not None for leaf in tree.flatten(part)]
    wrong = [type(leaf) for leaf in leaves if leaf is not None and not is_array_like(leaf)]
    if wrong:
        raise ValueError(
            "Argument `validation_split` is only supported for tensors or NumPy arrays. "
            f"Found incompatible type in the input: {wrong}"
        )
    rows = next((leaf.shape[0] for leaf in leaves if leaf is not None), 0)
    at = math.floor(rows * (1.0 - split))
    if at in (0, rows):
        raise ValueError(
            f"Training data contains {rows} samples, which is not sufficient to split it into a validation and "
            f"training set as specified by `validation_split={split}`. Either provide more data, or a different value "
            "for the `validation_split` argument."
        )

    def cut(first: int, last: int) -> tuple[Any, Any, Any]:
        def rows_of(leaf: Any) -> Any:
            return as_array(leaf, "x")[first:last]

        return tuple(tree.map_structure(rows_of, part, none_is_leaf=False) for part in (x, y, sample_weight))

    return cut(0, at), cut(at, rows)
