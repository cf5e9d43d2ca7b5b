"""The array behind what a user passes, without a copy wherever that is possible."""

from __future__ import annotations

from typing import Any

import numpy as np

from nabi import dtypes

AnyArray = np.ndarray[Any, Any]
Spec = tuple[tuple[int, ...], str]  # shape of a sample, dtype in the program


def is_array_like(value: Any) -> bool:
    """Whether the value is an array, a table, or converts to an array; lists, scalars and strings are not."""
    if isinstance(value, np.ndarray):
        return True
    if isinstance(value, np.generic):
        return False  # a number, as in `list(array)`
    return hasattr(value, "shape") and (hasattr(value, "__array__") or hasattr(value, "toarray"))


def as_array(value: Any, name: str) -> AnyArray:
    """The array behind one entry of `x`, `y` or `sample_weight`, without a copy wherever that is possible.

    Args:
        value: array-like, at least one axis.
        name: what to call it in messages.

    Raises:
        ValueError: objects, strings or other data that is not numeric; no axis of samples.
    """
    kind = type(value).__module__.partition(".")[0]
    if kind == "pandas":
        array = np.asarray(value)
        kinds = list(value.dtypes) if array.ndim == 2 else []
        if array.dtype == object and all(isinstance(d, np.dtype) and d.kind in "fiub" for d in kinds):
            array = value.to_numpy(np.result_type(*kinds))  # columns of numbers beside some of booleans
        if array.ndim == 1:
            array = array[:, None]  # a Series is one column
    elif isinstance(value, np.ndarray):
        array = value
    elif hasattr(value, "toarray"):  # SciPy's sparse matrices
        array = value.toarray()
    else:
        array = np.asarray(_on_host(value))
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise ValueError(
            f"`{name}` must hold numbers. Received an array of dtype {array.dtype} and shape {array.shape}."
        )
    if array.ndim == 0:
        raise ValueError(f"`{name}` must have an axis of samples. Received an array of shape ().")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    elif array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array


def _on_host(value: Any) -> Any:
    """A tensor of another library as one that NumPy can read; no library is imported for it."""
    if type(value).__module__.partition(".")[0] == "torch":
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            value = value.float()
    return value


def feed_dtype(array: AnyArray, wanted: str | None) -> str:
    """The dtype in which a program takes an array: `wanted`, else floats as `floatx()` and integers unnarrowed."""
    if wanted is not None:
        return wanted
    if array.dtype.kind == "i" and array.dtype.itemsize == 8:
        return "int64"
    return dtypes.fed_dtype(array.dtype)
