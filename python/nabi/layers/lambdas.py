"""Lambdas in pickles: Python's pickle knows functions by name only, so what has no name travels as its code."""

from __future__ import annotations

import importlib
import marshal
import types
from typing import Any


class PickledLambda:
    """A lambda in the state of a layer. A copy keeps the function; a pickle keeps its code, defaults and closure.

    Its global names are looked up in the module it was written in, which must be there when it is read. The code is
    that of one version of Python, as in the configs of `Lambda` layers.

    Args:
        function: the lambda.
    """

    def __init__(self, function: types.FunctionType) -> None:
        self.function = function

    def __deepcopy__(self, memo: dict[int, Any]) -> PickledLambda:
        return self

    def __reduce__(self) -> Any:
        function = self.function
        closure = tuple(cell.cell_contents for cell in function.__closure__ or ())
        code = marshal.dumps(function.__code__)
        return _restored, (code, function.__module__, function.__defaults__, function.__kwdefaults__, closure)


def _restored(code: bytes, module: str, defaults: Any, keyword_defaults: Any, closure: tuple[Any, ...]) -> Any:
    body = marshal.loads(code)
    cells = tuple(types.CellType(value) for value in closure)
    names = importlib.import_module(module).__dict__
    function = types.FunctionType(body, names, body.co_name, defaults, cells)
    function.__kwdefaults__ = keyword_defaults
    return PickledLambda(function)


def packed(value: Any) -> Any:
    """The value as it goes into a layer's state."""
    is_lambda = isinstance(value, types.FunctionType) and value.__name__ == "<lambda>"
    return PickledLambda(value) if is_lambda else value


def unpacked(value: Any) -> Any:
    """The value that `packed` got."""
    return value.function if isinstance(value, PickledLambda) else value
