"""Where translators of old spellings hang; nothing hangs here unless `nabi.legacy` is imported.

A translator stands before a function of a class (a constructor, `fit`, ...) and rewrites its arguments, or adds an
attribute that the class lacks. `restore` takes all of them away again, in the reverse order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

#: rewrites the arguments of a call: (self, args, kwargs) -> (args, kwargs)
Translator = Callable[[Any, tuple[Any, ...], dict[str, Any]], tuple[tuple[Any, ...], dict[str, Any]]]

_ABSENT = object()
_undo: list[tuple[type, str, Any]] = []


def replace(cls: type, name: str, value: Any) -> None:
    """Sets an attribute of a class until `restore`."""
    _undo.append((cls, name, cls.__dict__.get(name, _ABSENT)))
    setattr(cls, name, value)


def before(cls: type, name: str, translator: Translator) -> None:
    """Lets a translator rewrite the arguments of a class's own or inherited function; its signature stays as it is."""
    function = getattr(cls, name)

    @functools.wraps(function)
    def translated(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = translator(self, args, kwargs)
        return function(self, *args, **kwargs)

    replace(cls, name, translated)


def around(cls: type, name: str, wrapper: Callable[..., Any]) -> None:
    """Puts `wrapper(function, self, *args, **kwargs)` in the place of a class's function."""
    function = getattr(cls, name)

    @functools.wraps(function)
    def wrapped(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return wrapper(function, self, *args, **kwargs)

    replace(cls, name, wrapped)


def restore() -> None:
    """Takes every translator away."""
    while _undo:
        cls, name, value = _undo.pop()
        if value is _ABSENT:
            delattr(cls, name)
        else:
            setattr(cls, name, value)
