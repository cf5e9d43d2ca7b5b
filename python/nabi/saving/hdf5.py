"""Whole models and weights in the HDF5 layout of Keras 1 and 2 (`.h5`, `.hdf5`), written and read.

The root carries `model_config` and `training_config` as JSON; `model_weights` has a group for each layer, whose
attribute `weight_names` lists its datasets in order; `optimizer_weights` does the same for the optimizer's state. A
file of weights alone has at its root what `model_weights` holds.

Source: Keras 3.15 `keras.src.legacy.saving.legacy_h5_format`.
"""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np

from nabi import objects
from nabi.saving.old_configs import modern, old_fashioned

_KERAS_VERSION = "3.15.1"  # whose layout this is
_MAX_ATTRIBUTE = 64512  # bytes that HDF5 keeps in an object header

#: Keras 3 cannot read its own HDF5 files where the loss is one of these short names.
_ALIASES = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
}


# ---------------------------------------------------------------------------------------------------------------------
# Attributes, longer than HDF5 takes
# ---------------------------------------------------------------------------------------------------------------------
def _write_names(group: Any, attribute: str, names: list[str]) -> None:
    """A list of names, split into `attribute0`, `attribute1`, ... where it is too long for one."""
    data = [name.encode() for name in names]
    longest = max((len(name) for name in data), default=0)
    if longest > _MAX_ATTRIBUTE:
        raise RuntimeError(f"The name of a weight is longer than {_MAX_ATTRIBUTE} bytes, which HDF5 does not take.")
    whole = np.asarray(data)
    parts = 1
    while any(chunk.nbytes > _MAX_ATTRIBUTE for chunk in np.array_split(whole, parts)):
        parts += 1
    if parts == 1:
        group.attrs[attribute] = whole
    else:
        for i, chunk in enumerate(np.array_split(whole, parts)):
            group.attrs[f"{attribute}{i}"] = chunk


def _read_names(group: Any, attribute: str) -> list[str]:
    if attribute in group.attrs:
        chunks = [group.attrs[attribute]]
    else:
        chunks = []
        while f"{attribute}{len(chunks)}" in group.attrs:
            chunks.append(group.attrs[f"{attribute}{len(chunks)}"])
    return [_text(name) for chunk in chunks for name in chunk]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


# ---------------------------------------------------------------------------------------------------------------------
# Writing
# ---------------------------------------------------------------------------------------------------------------------
def write_model(model: Any, file: Any, include_optimizer: bool = True) -> None:
    """Writes a model into an open h5py file: config, weights, and if it is compiled how, with the optimizer's state."""
    file.attrs["keras_version"] = _KERAS_VERSION
    file.attrs["backend"] = "nabi"
    file.attrs["model_config"] = json.dumps(old_fashioned(model))
    write_weights(model, file.create_group("model_weights"))
    if not (include_optimizer and model.compiled):
        return
    config = dict(model.get_compile_config())
    optimizer = model.optimizer
    config.pop("optimizer", None)
    config["loss"] = _ALIASES.get(config["loss"], config["loss"]) if isinstance(config["loss"], str) else config["loss"]
    config["optimizer_config"] = {
        "class_name": objects.get_registered_name(type(optimizer)),
        "config": optimizer.get_config(),
    }
    file.attrs["training_config"] = json.dumps(config)
    if optimizer.built:
        group = file.create_group("optimizer_weights")
        _write_arrays(group, optimizer.variables)


def write_weights(model: Any, group: Any) -> None:
    """Writes the weights of each layer of a model into an open group."""
    group.attrs["keras_version"] = _KERAS_VERSION
    group.attrs["backend"] = "nabi"
    _write_names(group, "layer_names", [layer.name for layer in model.layers])
    for layer in sorted(model.layers, key=lambda layer: layer.name):
        _write_arrays(group.create_group(layer.name), _ordered(layer))
    _write_arrays(group.create_group("top_level_model_weights"), _top_level(model))


def _ordered(layer: Any) -> list[Any]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _top_level(model: Any) -> list[Any]:
    return [*model._trainable_variables, *model._non_trainable_variables]


def _write_arrays(group: Any, variables: list[Any]) -> None:
    names = [variable.path for variable in variables]
    seen: dict[str, int] = {}
    for i, name in enumerate(names):  # shared names get a number
        seen[name] = seen.get(name, -1) + 1
        if seen[name]:
            names[i] = f"{name}_{seen[name]}"
    _write_names(group, "weight_names", names)
    for name, variable in zip(names, variables, strict=True):
        group.create_dataset(name, data=np.asarray(variable))


# ---------------------------------------------------------------------------------------------------------------------
# Reading
# ---------------------------------------------------------------------------------------------------------------------
def read_model(file: Any, custom_objects: dict[str, Any] | None = None, compile: bool = True) -> Any:
    """The model in an open h5py file.

    Raises:
        ValueError: it holds weights only, or something that cannot be made; with the reason.
    """
    if "model_config" not in file.attrs:
        raise ValueError(
            "No model config found in the file: it holds weights only. Make the model and use `model.load_weights`."
        )
    config = modern(json.loads(_text(file.attrs["model_config"])))
    with objects.CustomObjectScope(custom_objects or {}):
        model = objects.deserialize_keras_object(config)
        read_weights(model, file["model_weights"])
        if compile and "training_config" in file.attrs:
            training = json.loads(_text(file.attrs["training_config"]))
            _compile(model, training)
            if "optimizer_weights" in file and model.built:
                _read_optimizer(model, file["optimizer_weights"])
        elif compile:
            warnings.warn("No training configuration found in the file: the model is not compiled.", stacklevel=4)
    return model


def _compile(model: Any, training: dict[str, Any]) -> None:
    config = {key: training.get(key) for key in ("loss", "loss_weights", "weighted_metrics")}
    optimizer = modern(training["optimizer_config"], "keras.optimizers")
    model.compile(
        optimizer=objects.deserialize_keras_object(optimizer),
        loss=objects.deserialize_keras_object(modern(config["loss"], "keras.losses")),
        loss_weights=config["loss_weights"],
        metrics=_metrics(training.get("metrics")),
        weighted_metrics=_metrics(config["weighted_metrics"]),
    )


def _metrics(metrics: Any) -> Any:
    """Metrics as `compile` takes them; Keras 2 wrote functions as wrappers that name them."""
    if isinstance(metrics, dict) and "class_name" not in metrics:
        return {name: _metrics(metric) for name, metric in metrics.items()}
    if isinstance(metrics, (list, tuple)):
        if len(metrics) == 1 and isinstance(metrics[0], (list, tuple)):
            return _metrics(metrics[0])
        return [_metrics(metric) for metric in metrics]
    if isinstance(metrics, dict) and isinstance(metrics.get("config"), dict):
        wrapped = metrics["config"].get("fn")
        if isinstance(wrapped, str):
            name = metrics["config"].get("name")
            return name if name in ("accuracy", "acc") else wrapped
        return objects.deserialize_keras_object(modern(metrics, "keras.metrics"))
    return metrics


def read_weights(model: Any, group: Any, skip_mismatch: bool = False, by_name: bool = False) -> None:
    """Reads the weights of an open file or group into a built model; all is checked before the first one changes.

    Layers with weights are taken in order; with `by_name` those of the same name.

    Raises:
        ValueError: another number of layers or weights, or other shapes, unless `skip_mismatch`.
    """
    if "layer_names" not in group.attrs and "layer_names0" not in group.attrs and "model_weights" in group:
        group = group["model_weights"]
    names = _read_names(group, "layer_names")
    stored = [(name, _arrays(group[name])) for name in names]
    keras = int(_text(group.attrs.get("keras_version", "1")).split(".")[0])
    plan: list[tuple[Any, Any]] = []
    problems: list[str] = []
    if by_name:
        pairs = [(layer, arrays) for name, arrays in stored for layer in model.layers if layer.name == name]
    else:
        layers = [layer for layer in model.layers if layer.weights]
        stored = [(name, arrays) for name, arrays in stored if arrays]
        if len(layers) != len(stored):
            raise ValueError(
                f"Layer count mismatch when loading weights from file. Model expected {len(layers)} layers, found "
                f"{len(stored)} saved layers."
            )
        pairs = [(layer, arrays) for layer, (_, arrays) in zip(layers, stored, strict=True)]
    for layer, arrays in pairs:
        problem = _fit(layer.name, _ordered(layer), arrays, keras, plan)
        problems += [problem] if problem else []
    if "top_level_model_weights" in group:
        own = _arrays(group["top_level_model_weights"])
        if own or not by_name:
            problem = _fit(model.name, _top_level(model), own, keras, plan)
            problems += [problem] if problem else []
    if problems and not skip_mismatch:
        raise ValueError(problems[0])
    for problem in problems:
        warnings.warn(f"{problem} It keeps its present values.", stacklevel=5)
    for variable, value in plan:
        variable.assign(value)


def _fit(name: str, variables: list[Any], arrays: list[Any], keras: int, plan: list[tuple[Any, Any]]) -> str | None:
    """Puts what belongs together into the plan; or says why it does not fit."""
    if len(variables) != len(arrays):
        return (
            f"Weight count mismatch for layer '{name}': the layer expects {len(variables)} weights, the file holds "
            f"{len(arrays)}."
        )
    for variable, array in zip(variables, arrays, strict=True):
        if tuple(array.shape) != tuple(variable.shape):
            return (
                f"Shape mismatch in layer '{name}' for weight {variable.name}: the layer expects shape "
                f"{tuple(variable.shape)}, the file holds {tuple(array.shape)}."
            )
    plan += list(zip(variables, arrays, strict=True))
    return None


def _arrays(group: Any) -> list[Any]:
    return [np.asarray(group[name]) for name in _read_names(group, "weight_names")]


def _read_optimizer(model: Any, group: Any) -> None:
    """The optimizer's state; with a warning, nothing where it does not fit."""
    optimizer = model.optimizer
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    names = _read_names(group, "weight_names")
    arrays = [np.asarray(group[name]) for name in names]
    variables = optimizer.variables
    if any(name.endswith(":0") for name in names):
        arrays = _from_keras_2(arrays, variables)
    shapes = [tuple(a.shape) for a in arrays]
    if shapes != [tuple(v.shape) for v in variables]:
        warnings.warn(
            f"Error in loading the saved optimizer state: it holds {len(arrays)} arrays, the optimizer has "
            f"{len(variables)} variables. The model starts with a freshly initialized optimizer.",
            stacklevel=5,
        )
        return
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _from_keras_2(arrays: list[Any], variables: list[Any]) -> list[Any]:
    """Keras 2 wrote the iterations, then each kind of slot for all weights; here slots of a weight stand together."""
    if not arrays:
        return arrays
    kept = len([v for v in variables if v.shape == ()])  # iterations and learning rate
    slots, weights = arrays[1:], len(variables) - kept
    kinds = [k for k in range(1, len(slots) + 1) if len(slots) == weights and len(slots) % k == 0]
    shapes = [tuple(v.shape) for v in variables[kept:]]
    for k in kinds:
        count = len(slots) // k
        joined = [slots[kind * count + i] for i in range(count) for kind in range(k)]
        if [tuple(a.shape) for a in joined] == shapes:
            return [arrays[0], *[np.asarray(v) for v in variables[1:kept]], *joined]
    return arrays
