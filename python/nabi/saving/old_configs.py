"""Configs as Keras 1 and 2 wrote them, made into those of Keras 3 and back.

An object was `{"class_name": ..., "config": ...}` without the module it comes from. Source: Keras 3.15
`keras.src.legacy.saving.legacy_h5_format` and `serialization`; keys of Keras 2.15's layers.
"""

from __future__ import annotations

from typing import Any

from nabi import objects

#: Keys of Keras 2 that mean nothing now.
_GONE = {
    "time_major",
    "implementation",
    "fused",
    "batch_size",
    "ragged_input",
    "decay",
    "is_legacy_optimizer",
    "jit_compile",
}
_MODELS = {"Sequential": "keras", "Model": "keras.src.models.functional", "Functional": "keras.src.models.functional"}


def old_fashioned(model: Any) -> dict[str, Any]:
    """A model as Keras 2 would have written it: its layers without modules."""
    return _without_modules(objects.serialize_keras_object(model))


def _without_modules(data: dict[str, Any]) -> dict[str, Any]:
    if str(data.get("module")).startswith("keras.src.ops"):
        return data  # an op on symbolic tensors, which Keras 2 had not: layers have the same names
    config = dict(data["config"])
    if "layers" in config:
        config["layers"] = [_without_modules(layer) for layer in config["layers"]]
    name = data.get("registered_name") or data["class_name"]
    if data["class_name"] in _MODELS:
        name = data["class_name"]
    out = {"class_name": name, "config": config}
    for key in ("name", "inbound_nodes"):
        if key in data:
            out[key] = data[key]
    return out


def modern(data: Any, module: str = "keras.layers") -> Any:
    """The config of an object (or a nest of them) as Keras 3 reads it; what has a module already is left as it is."""
    if isinstance(data, (list, tuple)):
        return [modern(entry, module) for entry in data]
    if not isinstance(data, dict) or "module" in data:
        return data
    if "class_name" not in data:
        return {key: modern(value, module) for key, value in data.items()}
    name, config = data["class_name"], data.get("config")
    out = {key: value for key, value in data.items() if key not in ("class_name", "config")}
    if not isinstance(config, dict):
        config = {"layers": config} if name == "Sequential" else config  # Keras 1: a bare list of layers
    if isinstance(config, dict):
        config = _modern_config(name, config, module)
    if name in _MODELS and isinstance(config, dict) and "layers" in config:
        name = "Functional" if name == "Model" else name
        return {**out, "module": _MODELS[name], "class_name": name, "config": config, "registered_name": None}
    if ">" in name:
        return {**out, "module": None, "class_name": name.split(">")[-1], "config": config, "registered_name": name}
    return {**out, "module": module, "class_name": name, "config": config, "registered_name": None}


def _modern_config(name: str, config: dict[str, Any], module: str) -> dict[str, Any]:
    config = {key: value for key, value in config.items() if key not in _GONE}
    if module == "keras.optimizers" and "lr" in config:
        config["learning_rate"] = config.pop("lr")
    if "layers" in config:
        return _modern_layers(name, config)
    shape = config.pop("batch_input_shape", None)
    if shape is not None:
        config["batch_shape" if name == "InputLayer" else "_first"] = list(shape)
    if name == "BatchNormalization" and isinstance(config.get("axis"), (list, tuple)):
        config["axis"] = config["axis"][0]
    if name == "Lambda":
        for key in ("module", "function_type", "output_shape_type", "output_shape_module"):
            config.pop(key, None)
    return config


def _modern_layers(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """The layers of a model; the shape that the first of a Sequential one was given becomes an input layer."""
    layers = [modern(layer) for layer in config["layers"]]
    first = layers[0]["config"].get("_first") if layers else None
    for layer in layers:
        if isinstance(layer.get("config"), dict):
            layer["config"].pop("_first", None)
    if name == "Sequential" and first is not None:
        dtype = layers[0]["config"].get("dtype")
        dtype = dtype if isinstance(dtype, str) else "float32"
        entry = {"batch_shape": first, "dtype": dtype, "name": f"{layers[0]['config'].get('name', 'first')}_input"}
        layers.insert(
            0, {"module": "keras.layers", "class_name": "InputLayer", "config": entry, "registered_name": None}
        )
    return {"name": name.lower(), **config, "layers": layers}
