"""Python's operators for traced tensors, variables and symbolic tensors: each calls its function in `nabi.ops`."""

from __future__ import annotations

import importlib
import linecache
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

_table: dict[str, Callable[..., Any]] = {}
#: Folders of code that is not the user's: this package and NumPy.
_OTHERS = tuple(os.path.dirname(os.path.abspath(file)) + os.sep for file in (os.path.dirname(__file__), np.__file__))


def bind(functions: dict[str, Callable[..., Any]]) -> None:
    """Tells the operators where the ops are; `nabi.ops` calls it when it is imported."""
    _table.update(functions)


def call_op(name: str, *args: Any, **kwargs: Any) -> Any:
    """Calls `nabi.ops.<name>` from a floor below it."""
    if name not in _table:
        importlib.import_module("nabi.ops")
    return _table[name](*args, **kwargs)


def user_line() -> str:
    """Where the user's code stands: 'model.py, line 12: `if x > 0:`'; "" when only our own code is on the stack."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OTHERS):
        back = frame.f_back
        if back is None:
            return ""
        frame = back
    path, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(path, line).strip()
    return f"{os.path.basename(path)}, line {line}" + (f": `{text}`" if text else "")


class Operators:
    """Arithmetic, comparison and indexing through `nabi.ops`."""

    __slots__ = ()
    __array_priority__ = 1000.0

    def __neg__(self) -> Any:
        return call_op("negative", self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return call_op("absolute", self)

    def __invert__(self) -> Any:
        return call_op("logical_not", self)

    def __add__(self, other: Any) -> Any:
        return call_op("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return call_op("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return call_op("subtract", self, other)

    def __rsub__(self, other: Any) -> Any:
        return call_op("subtract", other, self)

    def __mul__(self, other: Any) -> Any:
        return call_op("multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return call_op("multiply", other, self)

    def __truediv__(self, other: Any) -> Any:
        return call_op("true_divide", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return call_op("true_divide", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return call_op("floor_divide", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return call_op("floor_divide", other, self)

    def __mod__(self, other: Any) -> Any:
        return call_op("mod", self, other)

    def __rmod__(self, other: Any) -> Any:
        return call_op("mod", other, self)

    def __pow__(self, other: Any) -> Any:
        return call_op("power", self, other)

    def __rpow__(self, other: Any) -> Any:
        return call_op("power", other, self)

    def __matmul__(self, other: Any) -> Any:
        return call_op("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return call_op("matmul", other, self)

    def __and__(self, other: Any) -> Any:
        return call_op("logical_and", self, other)

    def __rand__(self, other: Any) -> Any:
        return call_op("logical_and", other, self)

    def __or__(self, other: Any) -> Any:
        return call_op("logical_or", self, other)

    def __ror__(self, other: Any) -> Any:
        return call_op("logical_or", other, self)

    def __xor__(self, other: Any) -> Any:
        return call_op("logical_xor", self, other)

    def __rxor__(self, other: Any) -> Any:
        return call_op("logical_xor", other, self)

    def __lt__(self, other: Any) -> Any:
        return call_op("less", self, other)

    def __le__(self, other: Any) -> Any:
        return call_op("less_equal", self, other)

    def __gt__(self, other: Any) -> Any:
        return call_op("greater", self, other)

    def __ge__(self, other: Any) -> Any:
        return call_op("greater_equal", self, other)

    def __getitem__(self, key: Any) -> Any:
        return call_op("get_item", self, key)

    def __round__(self, ndigits: int | None = None) -> Any:
        return call_op("round", self, decimals=ndigits or 0)
