"""Tells the user, once for each case, what an old spelling was taken for."""

from __future__ import annotations

import sys
import warnings

_told: set[str] = set()


def tell(message: str) -> None:
    """Warns once in a process, at the line of the user's program."""
    if message not in _told:
        _told.add(message)
        warnings.warn(message, stacklevel=_outside())


def forget() -> None:
    """Every notice may be given again."""
    _told.clear()


def _outside() -> int:
    """How far up the stack the first caller outside of the package is, for `stacklevel` as `tell` counts it."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == "nabi":
        frame = frame.f_back
        level += 1
    return level
