"""`save_model` and `load_model`: the ending of the name tells the format."""

from __future__ import annotations

import os
import warnings
from typing import Any

from nabi import objects
from nabi.saving import archive, hdf5
from nabi.saving.files import h5py, may_write, whole_file


def save_model(
    model: Any,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    zipped: bool | None = None,
    include_optimizer: bool = True,
    **kwargs: Any,
) -> None:
    """Saves a model: its config, its weights and how it is compiled.

    Args:
        model: the model.
        filepath: a name that ends in `.keras`, or in `.h5` or `.hdf5` for the older format.
        overwrite: replace an existing file; otherwise ask, or raise where nobody can answer.
        zipped: True; a folder in the place of a `.keras` file is not offered.
        include_optimizer: keep the optimizer's state, in the older format.

    Raises:
        ValueError: another ending, or a model that is not built.
        FileExistsError: the file exists, `overwrite` is False and standard input is no terminal.
        OSError: the folder is missing or cannot be written to.
    """
    path = os.fspath(filepath)
    if kwargs.pop("save_format", None) not in (None, "keras", "h5"):
        raise ValueError(
            "The `save_format` argument is gone: the ending of the name tells the format, `.keras` or `.h5`."
        )
    if kwargs:
        raise ValueError(f"The following argument(s) are not supported: {list(kwargs)}")
    if zipped is False:
        raise NotImplementedError("`zipped=False` is not offered: models are saved to one file.")
    if not path.endswith((".keras", ".h5", ".hdf5")):
        raise ValueError(
            "Invalid filepath extension for saving. Please add either a `.keras` extension for the native Keras "
            f"format (recommended) or a `.h5` extension. Received: filepath={path}."
        )
    older = not path.endswith(".keras")
    if older:
        _check_older(model)
    if not may_write(path, overwrite):
        return
    if not older:
        archive.write_model(model, path)
        return
    with whole_file(path) as temporary, h5py().File(temporary, "w") as file:
        hdf5.write_model(model, file, include_optimizer)


def _check_older(model: Any) -> None:
    from nabi.models.functional import Functional
    from nabi.models.sequential import Sequential

    if not isinstance(model, (Functional, Sequential)):
        raise NotImplementedError(
            "Saving the model to HDF5 format requires the model to be a Functional model or a Sequential model. It "
            "does not work for subclassed models, because such models are defined via the body of a Python method, "
            "which isn't safely serializable. Consider saving to `.keras`, or saving the weights with `save_weights`."
        )
    if not model.built:
        raise ValueError("A model must be built before it is saved as HDF5: call it on data, or use `build()`.")
    warnings.warn(
        "You are saving your model as an HDF5 file. This file format is considered legacy; `model.save('name.keras')` "
        "writes the native one.",
        stacklevel=4,
    )


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """The model in a file that `save_model`, or Keras 1, 2 or 3, wrote.

    Args:
        filepath: a `.keras`, `.h5` or `.hdf5` file.
        custom_objects: classes and functions by name.
        compile: compile it as it was, with the optimizer's state.
        safe_mode: refuse files that carry Python code (a `Lambda` layer).

    Raises:
        ValueError: no such file, another ending, no model in it, or something that cannot be made; with the reason.
    """
    path = os.fspath(filepath)
    if not path.endswith((".keras", ".h5", ".hdf5")):
        raise ValueError(
            f"File format not supported: filepath={path}. Nabi reads `.keras` files and the older `.h5` and `.hdf5`."
        )
    if not os.path.isfile(path):
        raise ValueError(f"File not found: filepath={path}. Please ensure the file is an accessible model file.")
    if path.endswith(".keras"):
        return archive.read_model(path, custom_objects, compile, safe_mode)
    try:
        file = h5py().File(path, "r")
    except OSError as error:
        raise ValueError(f"{path} is not a readable model file: {error}") from None
    with file, objects.safe_mode_scope(safe_mode):
        return hdf5.read_model(file, custom_objects, compile)
