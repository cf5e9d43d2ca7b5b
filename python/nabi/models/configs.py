"""The configs of functional models: their layers, and the calls between them by name.

Source of the layout and messages: Keras 3.15 `Functional.get_config` and `functional_from_config`.
"""

from __future__ import annotations

import inspect
import json
from typing import Any

from nabi import dtype_policies, objects, tree
from nabi.layers.auto_config import UnrecognizedArguments
from nabi.models.functional import Functional
from nabi.models.model import Model
from nabi.models.sequential import Sequential
from nabi.trace import KerasTensor, Node, Operation

_PARTS = ("layers", "input_layers", "output_layers")


def functional_config(model: Any) -> dict[str, Any]:
    """A functional model as JSON values.

    `{"name", "trainable", "layers": [..., each with "name" and "inbound_nodes"], "input_layers", "output_layers"}`; a
    tensor is `[operation, call, output]`, the calls of each operation counted within this model.
    """
    places = _call_numbers(model)

    def written(x: Any) -> Any:
        if not isinstance(x, KerasTensor):
            return objects.serialize_keras_object(x)
        config = objects.serialize_keras_object(x)
        config["config"]["keras_history"] = place(x)
        return config

    def place(x: Any) -> list[Any]:
        operation, node_index, tensor_index = x._keras_history
        return [operation.name, places[id(operation._inbound_nodes[node_index])], tensor_index]

    def end(x: Any) -> list[Any]:
        name, number, tensor_index = place(x)
        # Keras counts a call of its own for a functional model inside another one.
        return [name, number + isinstance(x._keras_history.operation, Functional), tensor_index]

    layers = []
    for operation in model.operations:
        config = objects.serialize_keras_object(operation)
        config["name"] = operation.name
        config["inbound_nodes"] = [
            {
                "args": list(tree.map_structure(written, node.arguments.args)),
                "kwargs": tree.map_structure(written, node.arguments.kwargs),
            }
            for node in operation._inbound_nodes
            if id(node) in places and not node.is_input
        ]
        layers.append(config)
    return {
        "name": model.name,
        "trainable": model._trainable,
        "layers": layers,
        "input_layers": tree.map_structure(end, model.input),
        "output_layers": tree.map_structure(end, model.output),
    }


def _call_numbers(model: Any) -> dict[int, int]:
    """The number of each call of the model among those of its operation that belong to the model."""
    inside = {id(node) for level in model._nodes_by_depth.values() for node in level}
    places: dict[int, int] = {}
    for operation in model.operations:
        own = [node for node in operation._inbound_nodes if id(node) in inside]
        places.update((id(node), number) for number, node in enumerate(own))
    return places


def functional_from_config(cls: Any, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """A functional model made from `functional_config`; what else the config holds goes to the constructor.

    Raises:
        ValueError: an unknown layer, or calls that form a loop or miss an input.
    """
    missing = [part for part in _PARTS if part not in config]
    if missing:
        raise ValueError(f"The config of a functional model must have the keys {list(_PARTS)}. Missing: {missing}")
    created: dict[str, Any] = {}
    waiting: list[tuple[Any, list[Any]]] = []
    for data in config["layers"]:
        layer = objects.deserialize_keras_object(_with_module(data), custom_objects)
        if not isinstance(layer, Operation):
            raise ValueError(
                f"Unexpected object from deserialization, expected a layer or operation, got a {type(layer)}"
            )
        created[data.get("name", layer.name)] = layer
        if data.get("inbound_nodes"):
            waiting.append((layer, list(data["inbound_nodes"])))
    while waiting:
        still = [(layer, _repeat_calls(layer, calls, created, custom_objects)) for layer, calls in waiting]
        if [len(calls) for _, calls in still] == [len(calls) for _, calls in waiting]:
            raise ValueError(
                "Invalid Functional model configuration. The graph of the Functional model either has loops or "
                "disconnected nodes. The following nodes failed to be resolved: "
                f"{ {layer.name: calls for layer, calls in still} }"
            )
        waiting = [(layer, calls) for layer, calls in still if calls]

    def tensors(place: Any) -> Any:
        if isinstance(place, dict):
            return {key: tensors(value) for key, value in place.items()}
        if len(place) == 3 and isinstance(place[0], str):
            name, number, index = place
            if name not in created:
                raise ValueError(f"Unknown layer: {name}")
            if isinstance(created[name], Functional):
                number -= 1
            return created[name]._inbound_nodes[number].outputs[index]
        return type(place)(tensors(value) for value in place)

    rest = {key: value for key, value in config.items() if key not in (*_PARTS, "name", "trainable")}
    return cls(
        inputs=tensors(config["input_layers"]),
        outputs=tensors(config["output_layers"]),
        name=config.get("name"),
        trainable=config.get("trainable"),
        **rest,
    )


def _with_module(data: dict[str, Any]) -> dict[str, Any]:
    """The config of a layer; older ones do not say where the class comes from."""
    if "module" in data:
        return data
    name = data["class_name"]
    module = "keras" if name in ("Sequential", "Model") else "keras.layers"
    if name == "Functional":
        module = "keras.src.models.functional"
    return {**data, "module": module}


def _repeat_calls(layer: Any, calls: list[Any], created: dict[str, Any], custom: dict[str, Any] | None) -> list[Any]:
    """Makes the first calls whose inputs are there; returns the others."""
    for done, call in enumerate(calls):
        try:
            args, kwargs = _arguments(call, created, custom)
        except _NotYet:
            return calls[done:]
        if type(layer).__name__ == "GetItem" and len(args) > 1 and isinstance(args[1], list):
            args = [args[0], tuple(args[1]), *args[2:]]  # JSON has no tuples
        layer(*args, **kwargs)
    return []


class _NotYet(Exception):
    """The call that makes a tensor has not been repeated yet."""


def _arguments(call: Any, created: dict[str, Any], custom: dict[str, Any] | None) -> tuple[list[Any], dict[str, Any]]:
    def tensor(name: str, number: int, index: int) -> KerasTensor:
        layer = created.get(name)
        if layer is None:
            raise ValueError(f"Unknown layer: {name}")
        if len(layer._inbound_nodes) <= number:
            raise _NotYet
        node: Node = layer._inbound_nodes[number]
        return node.outputs[index]

    if isinstance(call, list):  # Keras 2: [layer, call, output] or [layer, call, output, keywords], once per input
        kwargs = call[0][3] if call and len(call[0]) == 4 else {}
        found = [tensor(*place[:3]) for place in call]
        return [found[0] if len(found) == 1 else found], dict(kwargs)

    def revived(x: Any) -> Any:
        place = getattr(x, "_pre_serialization_keras_history", None)
        return x if place is None else tensor(*place)

    args = objects.deserialize_keras_object(call["args"], custom)
    kwargs = objects.deserialize_keras_object(call["kwargs"], custom)
    return tree.map_structure(revived, args), tree.map_structure(revived, kwargs)


def takes_tensors(cls: Any) -> bool:
    """Whether a functional model's class is made from inputs and outputs, as `Functional` itself is."""
    if cls in (Functional, Model):
        return True
    spec = inspect.getfullargspec(cls.__init__)
    if spec.args[1:] == inspect.getfullargspec(Functional.__init__).args[1:]:
        return True
    return spec.varargs is not None and spec.varkw is not None


def model_from_config(cls: Any, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """A model of a class other than `Sequential` from its config.

    Raises:
        TypeError: the constructor does not take the config.
    """
    if all(key in config for key in ("name", *_PARTS)) and takes_tensors(cls):
        return functional_from_config(Functional if cls is Model else cls, config, custom_objects)
    try:
        return cls(**_with_policy(config))
    except (TypeError, UnrecognizedArguments) as error:
        raise TypeError(
            "Unable to revive model from config. When overriding the `get_config()` method, make sure that the "
            "returned config contains all items used as arguments in the  constructor to "
            f"{cls}, which is the default behavior. You can override this default behavior by defining a "
            f"`from_config(cls, config)` class method to specify how to create an instance of {cls.__name__} from its "
            f"config.\n\nReceived config={config}\n\nError encountered during deserialization: {error}"
        ) from error


def _with_policy(config: dict[str, Any]) -> dict[str, Any]:
    """The config with its dtype policy by name."""
    if isinstance(config.get("dtype"), dict):
        return {**config, "dtype": dtype_policies.deserialize(config["dtype"]).name}
    return config


def sequential_config(model: Any) -> dict[str, Any]:
    """A Sequential model as JSON values: its layers, the input layer among them, and the shape it is built for."""
    config = {
        **Model.get_config(model),
        "name": model.name,
        "layers": [objects.serialize_keras_object(layer) for layer in model._explicit_layers],
    }
    if model._symbolic and model.built:
        config["build_input_shape"] = model._explicit_layers[0].batch_shape
    return config


def sequential_from_config(cls: Any, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """A Sequential model made from `sequential_config`.

    Raises:
        ValueError: the config has no name or no layers.
    """
    if not isinstance(config, dict) or "name" not in config or "layers" not in config:
        raise ValueError(
            "A Sequential model configuration must be a dictionary containing the 'name' and 'layers' keys. "
            f"Received: config={config}"
        )
    model = cls(name=config["name"])
    for data in config["layers"]:
        model.add(objects.deserialize_keras_object(_with_module(data), custom_objects), rebuild=False)
    model._maybe_rebuild()
    if not model.built and config.get("build_input_shape"):
        model.build(tuple(config["build_input_shape"]))
    if config.get("trainable") is False:
        model._trainable = False  # the layers say for themselves whether they train
    return model


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Any:
    """The model that `to_json` wrote, with new weights; compiled if that was.

    Args:
        json_string: what `to_json` returned, from this library or from Keras.
        custom_objects: classes and functions by name.

    Raises:
        TypeError: an unknown class. ValueError: no JSON, or a config that does not fit.
    """
    return objects.deserialize_keras_object(json.loads(json_string), custom_objects)


objects.export("keras", Model, Sequential)
objects.export_internally("keras.src.models.functional", Functional)
objects.export("keras.models", aliases={"Model": Model, "Sequential": Sequential, "Functional": Functional})
