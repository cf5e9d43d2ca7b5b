"""Weights files: Keras's `.weights.h5` layout, written and read.

Groups follow the tree of objects: `layers/<snake_case class>[_k]/vars/<i>`, children of a custom layer under the name
of the attribute that holds them, `optimizer/vars/<i>`. Source: Keras 3.15 `saving_lib`.
"""

from __future__ import annotations

import functools
import io
import os
import warnings
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from nabi.names import to_snake_case
from nabi.saving import hdf5
from nabi.saving.files import h5py, may_write, whole_file

_MAX_MEMBER = 4 << 30  # bytes; larger members of a .keras file must not be packed beyond _MAX_PACKING
_MAX_PACKING = 100


# ---------------------------------------------------------------------------------------------------------------------
# The tree of objects
# ---------------------------------------------------------------------------------------------------------------------
def _is_saveable(thing: Any) -> bool:
    return hasattr(type(thing), "save_own_variables")


@functools.cache
def _skipped_names(base: type) -> frozenset[str]:
    """Names that every object of this kind has: nothing under them is a child that a user added."""
    return frozenset(dir(base(name="reference"))) - {"layers", "optimizer"}


def _base_of(saveable: Any) -> type:
    from nabi.layers.layer import Layer
    from nabi.models.model import Model

    return Model if isinstance(saveable, Model) else Layer


def _children(saveable: Any) -> Iterator[tuple[str, Any]]:
    """Attributes that may hold further objects, in the order Keras visits them."""
    from nabi.models.functional import Functional
    from nabi.models.sequential import Sequential

    if isinstance(saveable, (Functional, Sequential)):
        yield "layers", saveable.layers
    skip = _skipped_names(_base_of(saveable))
    if isinstance(saveable, Sequential):
        skip |= {"_functional"}  # the same layers again
    names = [name for name in dir(saveable) if not name.startswith("__") and name not in skip]
    for name in sorted(names, key=lambda name: (name.startswith("_"), name)):
        try:
            yield name, getattr(saveable, name)
        except Exception:  # a property of the user's that fails says nothing about weights
            continue


def _walk(saveable: Any, path: str, visited: set[int]) -> Iterator[tuple[str, Any]]:
    """Every object with variables and its path, parents first, each object once."""
    if id(saveable) in visited:
        return
    visited.add(id(saveable))
    yield path, saveable
    if not hasattr(saveable, "trainable_variables"):  # optimizers and metrics hold variables only
        return
    for name, child in _children(saveable):
        below = f"{path}/{name}" if path else name
        if _is_saveable(child):
            yield from _walk(child, below, visited)
        elif isinstance(child, (list, tuple, dict)):
            yield from _walk_container(child, below, visited)


def _walk_container(container: Any, path: str, visited: set[int]) -> Iterator[tuple[str, Any]]:
    if id(container) in visited:
        return
    used: dict[str, int] = {}
    for item in container.values() if isinstance(container, dict) else container:
        if _is_saveable(item):
            name = to_snake_case(type(item).__name__)
        elif isinstance(item, (list, tuple, dict)):
            name = "container"
        else:
            continue
        count = used.get(name, 0)
        used[name] = count + 1
        below = f"{path}/{name}_{count}" if count else f"{path}/{name}"
        if _is_saveable(item):
            yield from _walk(item, below, visited)
        else:
            yield from _walk_container(item, below, visited)


# ---------------------------------------------------------------------------------------------------------------------
# Writing
# ---------------------------------------------------------------------------------------------------------------------
class _Writer:
    """What `save_own_variables` writes into: a mapping from "0", "1", ... to arrays."""

    def __init__(self, file: Any, path: str, name: str | None) -> None:
        self._file = file
        self._path = f"{path}/vars" if path else "vars"
        self._group: Any = None
        if name is not None:
            self._open().attrs["name"] = name

    def _open(self) -> Any:
        if self._group is None:
            self._group = self._file.create_group(self._path)
        return self._group

    def __setitem__(self, key: str, value: Any) -> None:
        self._open()[key] = np.asarray(value)


def write_weights(model: Any, file: Any) -> None:
    """Writes a model's weights, and its optimizer's state if compiled, into an open h5py file."""
    for path, saveable in _walk(model, "", set()):
        name = getattr(saveable, "name", None)
        saveable.save_own_variables(_Writer(file, path, name if isinstance(name, str) else None))


def save_weights(
    model: Any, filepath: str | os.PathLike[str], overwrite: bool = True, max_shard_size: float | None = None
) -> None:
    """Saves a model's weights to a `.weights.h5` file; the file appears whole or not at all.

    Args:
        model: a built model.
        filepath: where to save; must end in `.weights.h5`.
        overwrite: replace an existing file; otherwise ask, or raise where nobody can answer.
        max_shard_size: not supported.

    Raises:
        ValueError: wrong ending, or the model is not built.
        FileExistsError: the file exists, `overwrite` is False and standard input is no terminal.
        OSError: the folder is missing or cannot be written to, or the path is a folder.
    """
    path = os.fspath(filepath)
    if max_shard_size is not None:
        raise NotImplementedError("`max_shard_size` is not supported: weights are saved to one file.")
    if not path.endswith(".weights.h5"):
        raise ValueError(f"The filename must end in `.weights.h5`. Received: filepath={path}")
    if not model.built:
        raise ValueError(
            "You are saving a model that has not yet been built. "
            "Try building the model first by calling it on some data or by using `build()`."
        )
    if not may_write(path, overwrite):
        return
    with whole_file(path) as temporary, h5py().File(temporary, "w") as file:
        write_weights(model, file)


# ---------------------------------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------------------------------
class _Reader:
    """What `load_own_variables` reads: the arrays of one object by "0", "1", ..."""

    def __init__(self, file: Any, path: str) -> None:
        self._group = _group(file, f"{path}/vars" if path else "vars")
        if self._group is None and "_layer_checkpoint_dependencies" in file:  # files of Keras 2.13
            self._group = _group(file, path.replace("layers", "_layer_checkpoint_dependencies") + "/vars")

    def keys(self) -> list[str]:
        return [] if self._group is None else list(self._group)

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __getitem__(self, key: str) -> np.ndarray:
        if self._group is None or key not in self._group:
            raise KeyError(f"The file holds no variable '{key}' here.")
        if not isinstance(self._group.get(key, getlink=True), h5py().HardLink):
            raise ValueError(f"The weights file holds a link at '{self._group.name}/{key}', which is refused.")
        data = self._group[key]
        if not isinstance(data, h5py().Dataset) or data.external or data.is_virtual:
            raise ValueError(f"The weights file keeps the data of '{data.name}' elsewhere, which is refused.")
        return np.asarray(data)


def _group(file: Any, path: str) -> Any:
    """The group at the path, or None; links are refused."""
    group = file
    for part in path.split("/"):
        link = group.get(part, getlink=True)
        if link is None:
            return None
        if not isinstance(link, h5py().HardLink):
            raise ValueError(f"The weights file holds a link at '{path}', which is refused.")
        group = group[part]
        if not isinstance(group, h5py().Group):
            return None
    return group


def read_weights(model: Any, file: Any, skip_mismatch: bool = False) -> None:
    """Reads an open h5py file into a model. Everything is checked before the first variable changes.

    Raises:
        ValueError: the file does not fit the model and `skip_mismatch` is False.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and not optimizer.built and len(_Reader(file, "optimizer")) > len(optimizer.variables):
        model._prepare("train")  # so that training goes on where the file was written
    plan: list[tuple[Any, _Reader]] = []
    problems: list[str] = []
    for path, saveable in _walk(model, "", set()):
        store = _Reader(file, path)
        problem = _mismatch(saveable, store)
        if problem is None:
            plan.append((saveable, store))
        else:
            problems.append(problem)
    if problems and not skip_mismatch:
        more = f" ({len(problems)} objects do not fit.)" if len(problems) > 1 else ""
        raise ValueError(problems[0] + more)
    for problem in problems:
        warnings.warn(f"{problem} It keeps its present values.", stacklevel=4)
    for saveable, store in plan:
        saveable.load_own_variables(store)


def _mismatch(saveable: Any, store: _Reader) -> str | None:
    """Why the stored variables do not fit a layer, or None; objects that read by themselves decide later."""
    from nabi.layers.layer import Layer

    if not isinstance(saveable, Layer) or type(saveable).load_own_variables is not Layer.load_own_variables:
        return None
    variables = [*saveable._trainable_variables, *saveable._non_trainable_variables]
    if len(variables) != len(store):
        if not variables and not saveable.built:
            return (
                f"Layer '{saveable.name}' was never built and thus it doesn't have any variables. However the weights "
                f"file lists {len(store)} variables for this layer."
            )
        return (
            f"Layer '{saveable.name}' expected {len(variables)} variables, but received {len(store)} variables during "
            f"loading. Expected: {[variable.name for variable in variables]}"
        )
    for i, variable in enumerate(variables):
        shape = tuple(store[str(i)].shape)
        if shape != tuple(variable.shape):
            return (
                f"Layer '{saveable.name}' expected variable '{variable.name}' to have shape {tuple(variable.shape)}, "
                f"but the weights file holds shape {shape}."
            )
    return None


def load_weights(model: Any, filepath: str | os.PathLike[str], skip_mismatch: bool = False, **kwargs: Any) -> None:
    """Loads weights from a `.weights.h5` file, a `.keras` file, or an `.h5`/`.hdf5` file of Keras 1 and 2.

    Args:
        model: a built model.
        filepath: the file.
        skip_mismatch: leave layers whose weights do not fit as they are, with a warning, instead of raising.
        **kwargs: `by_name=True` goes by the names of layers instead of their order, in `.h5` and `.hdf5` files.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: wrong ending, no weights file, the model is not built, or its weights have other shapes.
    """
    path = os.fspath(filepath)
    by_name = kwargs.pop("by_name", False)
    if kwargs:
        raise ValueError(f"Invalid keyword arguments: {kwargs}")
    if not path.endswith((".keras", ".h5", ".hdf5")):
        raise ValueError(
            f"The filename must end in `.weights.h5`, `.keras`, `.h5` or `.hdf5`. Received: filepath={path}"
        )
    older = not path.endswith((".weights.h5", ".keras"))
    if by_name and not older:
        raise ValueError(f"`by_name` is for `.h5` and `.hdf5` files. Received: filepath={path}")
    if not os.path.isfile(path):
        raise FileNotFoundError(f"No weights file at {path}.")
    if not model.built:
        raise ValueError(
            "You are loading weights into a model that has not yet been built. "
            "Try building the model first by calling it on some data or by using `build()`."
        )
    source: Any = _weights_member(path) if path.endswith(".keras") else path
    try:
        file = h5py().File(source, "r")
    except OSError as error:
        raise ValueError(f"{path} is not a readable weights file: {error}") from None
    with file:
        if older and "layers" not in file:
            hdf5.read_weights(model, file, skip_mismatch, by_name)
        else:
            read_weights(model, file, skip_mismatch)


def _weights_member(path: str) -> io.BytesIO:
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo("model.weights.h5")
            if info.file_size > max(_MAX_MEMBER, _MAX_PACKING * info.compress_size):
                raise ValueError(f"The weights in {path} would unpack to {info.file_size} bytes, which is refused.")
            return io.BytesIO(archive.read(info))
    except (zipfile.BadZipFile, KeyError):
        raise ValueError(f"{path} is no `.keras` file with weights in it.") from None
