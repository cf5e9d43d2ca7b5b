"""Dtype names and Keras's promotion rules.

A dtype is a Keras name ("float32"). The core computes in float32, float64, int32, int64, uint8 and bool; the others
are names that data may come in. Source of the lattice: JAX's type promotion, as Keras 3.15 uses it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from typing import Any

import numpy as np

from nabi import config

#: What a tensor of the core can hold.
CORE_DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")

# Keras's groups of dtype names.
BOOL_TYPES = ("bool",)
INT_TYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
FLOAT_TYPES = ("bfloat16", "float16", "float32", "float64")
FLOAT8_TYPES = ("float8_e4m3fn", "float8_e5m2")

ALLOWED_DTYPES = (
    "float16",
    "float32",
    "float64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int8",
    "int16",
    "int32",
    "int64",
    "bfloat16",
    "bool",
    "string",
    "float8_e4m3fn",
    "float8_e5m2",
    "complex64",
    "complex128",
)

_PYTHON_DTYPES: dict[Any, str] = {
    bool: "bool",
    int: "int32",
    float: "float32",
    str: "string",
    "int": "int32",
    complex: "complex64",
}

# Each dtype's next higher ones; "int" and "float" are Python numbers, which take the dtype of what is beside them.
_HIGHER: dict[str, tuple[str, ...]] = {
    "bool": ("int",),
    "int": ("uint8", "int8", "complex64"),
    "uint8": ("int16", "uint16"),
    "uint16": ("int32", "uint32"),
    "uint32": ("int64", "uint64"),
    "uint64": ("float",),
    "int8": ("int16",),
    "int16": ("int32",),
    "int32": ("int64",),
    "int64": ("float",),
    "float": ("bfloat16", "float16"),
    "bfloat16": ("float32",),
    "float16": ("float32",),
    "float32": ("float64", "complex64"),
    "float64": ("complex128",),
    "complex64": ("complex128",),
    "complex128": (),
}
_NARROW = {"int64": "int32", "uint64": "uint32", "float64": "float32", "complex128": "complex64"}

# How far up a core dtype stands: among these and Python's numbers the lattice is a line.
RANK = {"bool": 0, "int": 1, "uint8": 2, "int32": 3, "int64": 4, "float": 5, "float32": 6, "float64": 7}

# dtype.num of the arrays the core takes as they are.
_NUMPY: dict[str, np.dtype[Any]] = {name: np.dtype(name) for name in CORE_DTYPES}
NUM_TO_NAME: dict[int, str] = {dtype.num: name for name, dtype in _NUMPY.items()}
_FED = {
    "float16": "float32",
    "int8": "int32",
    "int16": "int32",
    "uint16": "int32",
    "uint32": "int64",
    "uint64": "int64",
}


def standardize_dtype(dtype: Any) -> str:
    """The Keras name of a dtype given as a name, a NumPy dtype or a Python type; `floatx()` for None.

    Raises:
        ValueError: no dtype of Keras.
    """
    if dtype is None:
        return config.floatx()
    if isinstance(dtype, str) and dtype in _NUMPY:
        return dtype
    with contextlib.suppress(TypeError):
        dtype = _PYTHON_DTYPES.get(dtype, dtype)
    if hasattr(dtype, "name"):
        dtype = dtype.name
    elif hasattr(dtype, "__name__"):
        dtype = dtype.__name__
    elif "torch" in str(dtype) or "jax.numpy" in str(dtype):
        dtype = str(dtype).split(".")[-1]
    if dtype not in ALLOWED_DTYPES:
        raise ValueError(f"Invalid dtype: {dtype}")
    return str(dtype)


def core_dtype(dtype: Any) -> str:
    """`standardize_dtype`, restricted to what the core can hold.

    Raises:
        NotImplementedError: a dtype of Keras that the core does not have.
    """
    name = standardize_dtype(dtype)
    if name not in _NUMPY:
        raise NotImplementedError(f"Nabi computes in {', '.join(CORE_DTYPES)}; a traced tensor cannot be {name}.")
    return name


def storage_dtype(name: str) -> np.dtype[Any]:
    """The NumPy dtype that keeps results of a dtype of Keras, whether or not the core computes in it.

    Raises:
        NotImplementedError: a dtype without one: strings, float8, and bfloat16 where `ml_dtypes` is not installed.
    """
    if name in INT_TYPES or name == "float16":
        return np.dtype(name)
    if name == "bfloat16":
        try:
            found: np.dtype[Any] = np.dtype(importlib.import_module("ml_dtypes").bfloat16)
        except ImportError:
            raise NotImplementedError(
                "NumPy has no bfloat16: an array of that dtype requires the package ml_dtypes, which is not installed."
            ) from None
        return found
    return numpy_dtype(core_dtype(name))


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The NumPy dtype of a core dtype."""
    return _NUMPY[name]


def is_float(name: str) -> bool:
    """Whether the core dtype is float32 or float64."""
    return name == "float32" or name == "float64"


def is_float_dtype(dtype: Any) -> bool:
    """Whether the dtype is a real floating-point one (`keras.backend.is_float_dtype`)."""
    return standardize_dtype(dtype).startswith(("float", "bfloat"))


def is_int_dtype(dtype: Any) -> bool:
    """Whether the dtype is an integer one (`keras.backend.is_int_dtype`)."""
    return standardize_dtype(dtype).startswith(("int", "uint"))


def fed_dtype(dtype: np.dtype[Any]) -> str:
    """The dtype in which plain NumPy data enters a program.

    64-bit data comes in as 32-bit, as in Keras on JAX and torch (float64 stays where `floatx()` is float64); narrow
    types come in as the next dtype the core has.

    Raises:
        TypeError: strings, objects, complex numbers and other data that is not numeric.
    """
    name = NUM_TO_NAME.get(dtype.num) or dtype.name
    if name in _NUMPY:
        if name == "float64":
            return config.floatx()
        return "int32" if name == "int64" else name
    if name in _FED:
        return _FED[name]
    if dtype.kind in "iu":  # the other of C's two 64-bit integers
        return "int32" if dtype.itemsize == 8 else "int64"
    if name in ("bfloat16", "float128", "longdouble"):
        return "float32"
    raise TypeError(f"Cannot compute with data of dtype {dtype}: expected numbers or booleans.")


@functools.cache
def _upper(dtype: str) -> frozenset[str]:
    found = {dtype}
    for higher in _HIGHER[dtype]:
        found |= _upper(higher)
    return frozenset(found)


@functools.cache
def _least_upper_bound(dtypes: frozenset[str]) -> str:
    for dtype in dtypes:
        if dtype not in _HIGHER:
            raise ValueError(f"{dtype=} is not a valid dtype for Keras type promotion.")
    common = frozenset.intersection(*(_upper(dtype) for dtype in dtypes))
    least = [dtype for dtype in common if common <= _upper(dtype)]
    if not least:
        raise ValueError(
            f"Input dtypes {tuple(sorted(dtypes))} have no available implicit dtype promotion path. "
            "Try explicitly casting inputs to the desired output type."
        )
    return least[0]


def result_type(*dtypes: Any) -> str:
    """The dtype an operation on these dtypes gives, as `keras.backend.result_type` does on JAX (at most 32 bits).

    Args:
        dtypes: dtypes; `int` and `float` stand for Python numbers, None for `floatx()`.

    Raises:
        ValueError: float8 dtypes, or dtypes without a common one.
    """
    if not dtypes:
        return config.floatx()
    for dtype in dtypes:
        if isinstance(dtype, str) and dtype.startswith("float8"):
            raise ValueError(
                "There is no implicit conversions from float8 dtypes to others. "
                f"You must cast it internally. Received: {dtypes}"
            )
    weak = {int: "int", float: "float"}
    names = frozenset(weak[d] if d is int or d is float else standardize_dtype(d) for d in dtypes)
    found = _least_upper_bound(names) if len(names) > 1 else next(iter(names))
    if found == "int":
        found = "int" + config.floatx()[-2:]
    elif found == "float":
        found = "float" + config.floatx()[-2:]
    return _NARROW.get(found, found)


def promote(kinds: tuple[str, ...]) -> str:
    """The common core dtype of core dtypes and of "int" and "float" for Python numbers; 64 bits are kept.

    A tensor has 64 bits only where the user asked for them, so unlike `result_type` nothing is narrowed.
    """
    found = max(kinds, key=RANK.__getitem__)
    if found == "int":
        return "int32"
    return config.floatx() if found == "float" else found
