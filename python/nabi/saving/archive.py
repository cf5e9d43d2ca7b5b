"""Whole models in `.keras` files: a zip archive with the config and the weights, written and read.

Members: `metadata.json`, `config.json` (`serialize_keras_object(model)`), `model.weights.h5`. Source: Keras 3.15
`keras.src.saving.saving_lib`.
"""

from __future__ import annotations

import datetime
import io
import json
import zipfile
from typing import Any

from nabi import objects
from nabi.saving.files import h5py, whole_file

_KERAS_VERSION = "3.15.1"  # whose layout this is


def write_model(model: Any, path: str) -> None:
    """Writes a model to a `.keras` file; it appears whole or not at all."""
    from nabi.saving.weights import write_weights

    with objects.object_sharing_scope():
        config = json.dumps(objects.serialize_keras_object(model))
    metadata = json.dumps(
        {"keras_version": _KERAS_VERSION, "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")}
    )
    weights = io.BytesIO()
    with h5py().File(weights, "w") as file:
        write_weights(model, file)
    with whole_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.writestr("metadata.json", metadata)
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights.getvalue())


def read_model(
    path: str, custom_objects: dict[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """The model in a `.keras` file.

    Raises:
        ValueError: it is no such file, or something in it cannot be made; with the reason.
    """
    from nabi.saving.weights import load_weights

    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no `.keras` file with a model in it: {error}") from None
    if not compile:
        config.pop("compile_config", None)
    with objects.CustomObjectScope(custom_objects or {}):
        model = objects.deserialize_keras_object(config, safe_mode=safe_mode)
        if model.built:
            load_weights(model, path)
    return model
