"""Constructor arguments that must be numbers, checked by their annotations."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

P = ParamSpec("P")
R = TypeVar("R")


def _is_number(value: Any) -> bool:
    return hasattr(value, "__float__") and not (isinstance(value, np.ndarray) and value.ndim)


def _is_bool(value: Any) -> bool:
    return isinstance(value, (bool, np.bool_)) or (isinstance(value, (int, np.integer)) and value in (0, 1))


#: From an annotation to the check and to what the message asks for.
_KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "float": (_is_number, "a number"),
    "int": (_is_number, "a number"),
    "bool": (_is_bool, "True or False"),
}


def numbers_checked(init: Callable[P, R]) -> Callable[P, R]:
    """Decorates a constructor: what is annotated as `float`, `int` or `bool` (or one of them or None) must be that.

    Integers and floats stand for each other, as they do everywhere in Keras.

    Raises:
        ValueError: one is not; nothing has happened yet.
    """
    signature = inspect.signature(init)
    checks: dict[str, tuple[Callable[[Any], bool], str, bool]] = {}
    for name, parameter in signature.parameters.items():
        kind, _, rest = str(parameter.annotation).partition(" | ")
        if kind in _KINDS and rest in ("", "None"):
            checks[name] = (*_KINDS[kind], rest == "None")

    @functools.wraps(init)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name, value in (*zip(signature.parameters, args, strict=False), *kwargs.items()):
            if name not in checks:
                continue
            holds, wanted, optional = checks[name]
            if not (holds(value) or (optional and value is None)):
                raise ValueError(
                    f"`{name}` of {type(args[0]).__name__} must be {wanted}{' or None' if optional else ''}. "
                    f"Received: {name}={value} (of type {type(value)})"
                )
        return init(*args, **kwargs)

    return checked
