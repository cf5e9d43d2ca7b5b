"""Keras's automatic names, variable paths, and what `clear_session` resets.

Source: Keras 3.15 `keras.src.utils.naming` and `name_scope`.
"""

from __future__ import annotations

import gc
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

_counters: defaultdict[str, int] = defaultdict(int)
_clear_hooks: list[Callable[[], None]] = []


class _Scopes(threading.local):
    def __init__(self) -> None:
        self.stack: list[name_scope] = []


_scopes = _Scopes()


def to_snake_case(name: str) -> str:
    """ "MaxPooling2D" -> "max_pooling2d", as Keras writes it ("RMSprop" -> "rm_sprop")."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def uniquify(name: str) -> str:
    """`name` at its first use in the process, then `name_1`, `name_2`, ..."""
    used = _counters[name]
    _counters[name] += 1
    return f"{name}_{used}" if used else name


def auto_name(prefix: str) -> str:
    """A fresh name from a class name: "dense", "dense_1", ..."""
    return uniquify(to_snake_case(prefix))


def get_uid(prefix: str = "") -> int:
    """How often `prefix` was asked for, this time included: 1, 2, ..."""
    _counters[prefix] += 1
    return _counters[prefix]


def reset_uids() -> None:
    """Starts all counters again."""
    _counters.clear()


def get_object_name(obj: Any) -> str:
    """The object's `name`, or its function or class name in snake case."""
    if hasattr(obj, "name"):
        return str(obj.name)
    return to_snake_case(str(getattr(obj, "__name__", type(obj).__name__)))


class name_scope:  # noqa: N801 - Keras's name
    """Opens a level of variable paths: `with name_scope("block"):` gives "block/kernel".

    Args:
        name: the level; no "/".
        caller: the object that opens it. Opening the same name for the same caller again adds no level.
        deduplicate: False always adds the level.
        override_parent: an absolute path that replaces the levels opened so far.
    """

    def __init__(
        self, name: str, caller: Any = None, deduplicate: bool = True, override_parent: str | None = None
    ) -> None:
        if not isinstance(name, str) or "/" in name:
            raise ValueError(
                f"Argument `name` must be a string and cannot contain character `/`. Received: name={name}"
            )
        self.name = name
        self.caller = caller
        self.deduplicate = deduplicate
        self.override_parent = override_parent
        if override_parent is None and deduplicate:
            self.override_parent = getattr(caller, "_parent_path", None)
        self._entered = False

    def __enter__(self) -> name_scope:
        stack = _scopes.stack
        if self.deduplicate and self.caller is not None and stack:
            top = stack[-1]
            if top.caller is self.caller and top.name == self.name:
                return self
        stack.append(self)
        self._entered = True
        return self

    def __exit__(self, *exc: object) -> None:
        if self._entered:
            _scopes.stack.pop()
            self._entered = False


def current_path() -> str:
    """The path of the open scopes, "" outside any."""
    parts: list[str] = []
    for scope in _scopes.stack:
        if scope.override_parent is not None:
            parts = [part for part in scope.override_parent.split("/") if part]
        parts.append(scope.name)
    return "/".join(parts)


def on_clear_session(hook: Callable[[], None]) -> Callable[[], None]:
    """Registers what `clear_session` calls; returns the hook, so that it works as a decorator."""
    _clear_hooks.append(hook)
    return hook


def clear_session(free_memory: bool = True) -> None:
    """Resets automatic names, the global seed generator and the caches of traced programs.

    Args:
        free_memory: also runs Python's garbage collector.
    """
    reset_uids()
    for hook in _clear_hooks:
        hook()
    if free_memory:
        gc.collect()
