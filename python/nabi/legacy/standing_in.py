"""Lets `import keras` and `import tensorflow.keras` find Nabi.

A finder at the head of `sys.meta_path` answers for these names; modules that it makes look names up when they are asked
for. The real Keras, where installed, is not touched, only hidden from this process.
"""

from __future__ import annotations

import dis
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from typing import Any

from nabi.legacy import modules

_KERAS = ("keras", "tensorflow.keras", "tensorflow.python.keras", "tensorflow.compat.v1.keras", "tf_keras")
_TOPS = ("keras", "tensorflow", "tf_keras")
_TYPING = ("typing", "collections.abc", "__future__")
_IMPORT_FROM = dis.opmap["IMPORT_FROM"]


class NotOffered(AttributeError):
    """A name that Nabi does not have."""


class NotOfferedImport(ImportError):
    """The same in `from module import name`."""


class StandIn(types.ModuleType):
    """A module whose names are Nabi's."""

    def __init__(self, name: str, path: str, sources: Sequence[str]) -> None:
        super().__init__(name, f"Nabi in the place of {name}.")
        self.__path__: list[str] = []
        self._path = path
        self._sources = tuple(sources)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__version__", "__all__"):
            raise AttributeError(name)
        if name == "__all__":
            return sorted(set(self._offered()))
        found = modules.aliases(self._path)
        if name in found:
            return found[name]
        for source in self._sources:
            module = importlib.import_module(source)
            if hasattr(module, name) and not isinstance(getattr(module, name), types.ModuleType):
                return getattr(module, name)
        try:
            return importlib.import_module(f"{self.__name__}.{name}")
        except ModuleNotFoundError:
            pass
        message = not_offered(self.__name__, self._path, name)
        caller = sys._getframe(1)
        if caller.f_lasti >= 0 and caller.f_code.co_code[caller.f_lasti] == _IMPORT_FROM:
            raise NotOfferedImport(message, name=self.__name__)  # an AttributeError's text would be lost
        raise NotOffered(message)

    def _offered(self) -> list[str]:
        names = [name for name in modules.aliases(self._path) if not name.startswith("_")]
        for source in self._sources:
            module = importlib.import_module(source)
            for name in getattr(module, "__all__", None) or vars(module):
                value = getattr(module, name)
                if isinstance(value, types.ModuleType):
                    offered = _made_of(f"{self.__name__}.{name}") is not None
                else:
                    offered = not name.startswith("_") and getattr(value, "__module__", "") not in _TYPING
                names += [name] if offered else []
        return names

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._offered()})


def not_offered(module: str, path: str, name: str) -> str:
    """The one line for a name that Nabi does not have."""
    top = "tensorflow" if module.startswith("tensorflow") and ".keras" not in module else path.split(".")[0]
    instead = modules.INSTEAD.get((path, name)) or modules.INSTEAD.get((top, name))
    return f"Nabi does not offer `{module}.{name}`" + (f": use {instead}." if instead else ".")


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Answers for `keras`, `tensorflow` and what is below them."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname.split(".")[0] not in _TOPS or _made_of(fullname) is None:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        made = _made_of(spec.name)
        assert made is not None
        return StandIn(spec.name, *made)

    def exec_module(self, module: types.ModuleType) -> None:
        """Names are looked up when they are asked for."""


def _made_of(fullname: str) -> tuple[str, tuple[str, ...]] | None:
    """The path below `keras` (or `tensorflow`) of a module and what it offers; None if there is no such module."""
    for root in sorted(_KERAS, key=len, reverse=True):
        if fullname == root or fullname.startswith(root + "."):
            path = fullname[len(root) + 1 :]
            if path in modules.SOURCES:
                return path, modules.SOURCES[path]
            return (path, (f"nabi.{path}",)) if _exists(f"nabi.{path}") else None
    path = fullname.partition(".")[2]
    from nabi.legacy import tensorflow

    sources = tensorflow.SOURCES.get(path)
    return None if sources is None else (fullname, sources)


def _exists(name: str) -> bool:
    if name.startswith(("nabi.legacy", "nabi._", "nabi.trace", "nabi.cli")):
        return False
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


_finder = Finder()
_hidden: dict[str, types.ModuleType] = {}


def install_as_keras() -> None:
    """Makes `keras` and `tensorflow.keras` mean Nabi in this process, old spellings included.

    Call it before they are imported; what is imported already stays what it is where it has been bound to a name.
    """
    import nabi.legacy

    nabi.legacy.enable()
    if _finder in sys.meta_path:
        return
    for name in [n for n in sys.modules if n.split(".")[0] in _TOPS]:
        _hidden[name] = sys.modules.pop(name)
    sys.meta_path.insert(0, _finder)


def uninstall() -> None:
    """Takes it back: `keras` is again what is installed under that name."""
    if _finder not in sys.meta_path:
        return
    sys.meta_path.remove(_finder)
    for name in [n for n in sys.modules if n.split(".")[0] in _TOPS]:
        del sys.modules[name]
    sys.modules.update(_hidden)
    _hidden.clear()
