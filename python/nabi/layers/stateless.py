"""Calling a layer on given values of its variables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nabi.trace import Cached, Variable, current_trace, to_tensor

if TYPE_CHECKING:
    from nabi.layers.layer import Layer


def stateless_call(
    layer: Layer, trainable: Any, non_trainable: Any, args: tuple[Any, ...], kwargs: dict[str, Any], with_losses: bool
) -> Any:
    """See `Layer.stateless_call`."""
    name = type(layer).__name__
    if not layer.built:
        raise ValueError(
            f"To call stateless_call, {name} must be built (i.e. its variables must have been already created). "
            "You can build it by calling it on some data."
        )
    given = {"trainable_variables": list(trainable), "non_trainable_variables": list(non_trainable)}
    own: list[Variable] = []
    for argument, values in given.items():
        variables = getattr(layer, argument)
        if len(values) != len(variables):
            raise ValueError(
                f"Argument `{argument}` must be a list of tensors corresponding 1:1 to {name}().{argument}. Received "
                f"list with length {len(values)}, but expected {len(variables)} variables."
            )
        own.extend(variables)
    first = len(given["trainable_variables"])

    def traced(values: list[Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        trace = current_trace()
        assert trace is not None
        before = [trace.read(v) for v in own]
        for variable, value in zip(own, values, strict=True):
            variable.assign(to_tensor(value))
        outputs = layer(*args, **kwargs)
        losses = layer.losses if with_losses else []
        after = [trace.read(v) for v in own[first:]]
        for variable, value in zip(own, before, strict=True):
            trace.assign(variable, value)  # what was bound before: the run leaves the variable alone
        return {"outputs": outputs, "after": after, "losses": losses}

    values = [*given["trainable_variables"], *given["non_trainable_variables"]]
    run = traced if current_trace() is not None else Cached(traced)
    found = run(values, args, kwargs)
    if with_losses:
        return found["outputs"], found["after"], found["losses"]
    return found["outputs"], found["after"]
