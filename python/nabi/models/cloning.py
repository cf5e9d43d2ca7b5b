"""Copies of models with new layers and new weights.

Source of the behaviour and messages: Keras 3.15 `clone_model`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nabi import objects, tree
from nabi.layers.input_layer import Input, InputLayer
from nabi.layers.layer import is_default
from nabi.models.configs import takes_tensors
from nabi.models.functional import Functional
from nabi.models.sequential import Sequential
from nabi.trace import KerasTensor


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
    **kwargs: Any,
) -> Any:
    """A model with the same structure and new weights; compiled with the same arguments if `model` is.

    Args:
        model: what to clone. A subclassed model is made again from its config.
        input_tensors: symbolic tensors to build on, in the structure of the model's inputs; new ones by default.
        clone_function: from a layer to the one that takes its place; by default a new one from the layer's config.
        call_function: `fn(layer, *args, **kwargs)`, how the new layers of a functional model are called.
        recursive: models inside are cloned by the same functions, rather than by `clone_function`.

    Raises:
        ValueError: arguments that do not fit the kind of model.
    """
    cache: dict[int, Any] = kwargs.pop("cache", None) or {}
    if kwargs:
        raise ValueError(f"Unexpected keyword argument(s): {tuple(kwargs.keys())}")
    kind = type(model).__name__
    if isinstance(model, Sequential):
        if call_function is not None:
            raise ValueError(
                "`call_function` argument is not supported with Sequential models.  In a Sequential model, layers "
                "aren't called at model-construction time (they're merely listed). Use `call_function` with Functional "
                f"models only. Received model of type '{kind}', with call_function={call_function}"
            )
        clone = _cloner(clone_function, None, recursive, cache)
        return _compiled_like(model, _clone_sequential(model, clone, input_tensors))
    if isinstance(model, Functional) and (is_default(model.get_config) or clone_function or input_tensors is not None):
        clone = _cloner(clone_function, call_function, recursive, cache)
        return _compiled_like(model, _clone_functional(model, clone, input_tensors, call_function))
    if clone_function or input_tensors is not None:
        raise ValueError(
            "Arguments `clone_function` and `input_tensors` are only supported for Sequential models or Functional "
            f"models. Received model of type '{kind}', with clone_function={clone_function} and "
            f"input_tensors={input_tensors}"
        )
    if call_function is not None:
        raise ValueError(
            "Argument `call_function` is only supported for Functional models. Received model of type "
            f"'{kind}', with call_function={call_function}"
        )
    return objects.deserialize_keras_object(objects.serialize_keras_object(model), {kind: type(model)})


def _cloner(
    function: Callable[[Any], Any] | None, call_function: Any, recursive: bool, cache: dict[int, Any]
) -> Callable[[Any], Any]:
    """`function`, asked once for each layer."""

    def clone(layer: Any) -> Any:
        if id(layer) not in cache:
            if recursive and isinstance(layer, (Sequential, Functional)):
                call = None if isinstance(layer, Sequential) else call_function
                cache[id(layer)] = clone_model(
                    layer, clone_function=function, call_function=call, recursive=True, cache=cache
                )
            else:
                cache[id(layer)] = function(layer) if function else type(layer).from_config(layer.get_config())
        return cache[id(layer)]

    return clone


def _compiled_like(model: Any, clone: Any) -> Any:
    if model.compiled:
        clone.compile_from_config(model.get_compile_config())
    return clone


def _clone_sequential(model: Any, clone: Callable[[Any], Any], input_tensors: Any) -> Any:
    layers = [clone(layer) for layer in model.layers]
    stack = model._explicit_layers
    first = stack[0] if stack and isinstance(stack[0], InputLayer) else None
    if input_tensors is not None:
        if isinstance(input_tensors, (list, tuple)):
            if len(input_tensors) != 1:
                raise ValueError("Argument `input_tensors` must contain a single tensor.")
            input_tensors = input_tensors[0]
        if not isinstance(input_tensors, KerasTensor):
            raise ValueError(
                f"Argument `input_tensors` must be a KerasTensor. Received invalid value: input_tensors={input_tensors}"
            )
        layers.insert(0, Input(tensor=input_tensors, name=first.name if first is not None else None))
    elif first is not None:
        layers.insert(0, Input(batch_shape=first.batch_shape, dtype=first.dtype, name=first.name))
    return Sequential(layers, name=model.name, trainable=model._trainable)


def _clone_functional(model: Any, clone: Callable[[Any], Any], input_tensors: Any, call_function: Any) -> Any:
    if input_tensors is not None:
        if not all(isinstance(x, KerasTensor) for x in tree.flatten(input_tensors)):
            raise ValueError(
                "All entries in `input_tensors` must be KerasTensors. "
                f"Received invalid values: inputs_tensors={input_tensors}"
            )
        if isinstance(input_tensors, KerasTensor) and isinstance(model.input, (list, tuple)) and len(model.input) == 1:
            input_tensors = [input_tensors]
        try:
            tree.assert_same_structure(input_tensors, model.input)
        except ValueError as error:
            raise ValueError(
                f"`input_tensors` must have the same structure as model.input\nReference structure: {model.input}"
                f"\nReceived structure: {input_tensors}"
            ) from error
    else:
        input_tensors = tree.map_structure(
            lambda x: Input(batch_shape=x.shape, dtype=x.dtype, name=x.name), model.input
        )
    outputs = model._graph.run(tree.flatten(input_tensors), clone, call_function)
    outputs = tree.pack_sequence_as(model.output, outputs)
    kind = type(model) if takes_tensors(type(model)) else Functional
    found = kind(input_tensors, outputs, name=model.name)
    if not model._trainable:
        found._trainable = False  # the layers say for themselves whether they train
    return found
