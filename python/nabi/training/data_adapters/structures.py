"""What data is: arrays or batches, inputs, targets and weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from nabi import tree
from nabi.training.data_adapters.arrays import is_array_like


def check_array_data(x: Any, y: Any, sample_weight: Any) -> bool:
    """Whether all data are arrays; False for data sets that yield batches.

    Raises:
        ValueError: neither arrays nor something that yields batches.
    """
    leaves = [leaf for part in (x, y, sample_weight) if part is not None for leaf in tree.flatten(part)]
    if all(leaf is None or is_array_like(leaf) for leaf in leaves):
        return True
    is_plain = isinstance(x, (list, tuple, dict, str, bytes, int, float, np.generic)) or x is None or is_array_like(x)
    if not is_plain and (hasattr(x, "__next__") or hasattr(x, "__iter__") or hasattr(x, "__getitem__")):
        return False
    for name, part in (("x", x), ("y", y), ("sample_weight", sample_weight)):
        if part is not None and not all(leaf is None or is_array_like(leaf) for leaf in tree.flatten(part)):
            raise ValueError(f"Unrecognized data type: {name}={short(part)} (of type {type(part)})")
    raise ValueError(f"Unrecognized data type: x={short(x)} (of type {type(x)})")


def short(value: Any) -> str:
    """The text of a value, cut for a message."""
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """`x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)` as a triple with None for what is absent.

    Raises:
        ValueError: more than three entries.
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            "Data is expected to be in format `x`, `(x,)`, `(x, y)`, or `(x, y, sample_weight)`, "
            f"found {len(data)} entries."
        )
    x, y, sample_weight = data + (None,) * (3 - len(data))
    return x, y, sample_weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """One batch as `fit` takes it: `x`, `(x,)` for a list of inputs, `(x, y)` or `(x, y, sample_weight)`."""
    if y is None:
        return (x,) if isinstance(x, (tuple, list)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)
