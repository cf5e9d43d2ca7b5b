"""Keras 1's `merge(tensors, mode=...)` and the `Merge` layer for two Sequential branches.

Source: Keras 1.2, `keras/engine/topology.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nabi import layers

_MODES: dict[str, Callable[..., Any]] = {
    "sum": layers.Add,
    "mul": layers.Multiply,
    "ave": layers.Average,
    "max": layers.Maximum,
    "min": layers.Minimum,
}


def Merge(  # noqa: N802 - Keras 1's name
    layers: Any = None, mode: Any = "sum", concat_axis: int = -1, name: str | None = None, **kwargs: Any
) -> Any:
    """The layer that merges its inputs by "sum", "mul", "ave", "max", "min", "concat" or a function of them.

    Raises:
        NotImplementedError: branches given as `layers`, which need the functional API now.
        ValueError: another mode.
    """
    if layers is not None:
        raise NotImplementedError(
            "Merge([branch, branch]) inside a Sequential model is not offered: write "
            "`x = concatenate([branch_a.output, branch_b.output])` and `Model([branch_a.input, branch_b.input], x)`."
        )
    return _layer(mode, concat_axis, name)


def merge(inputs: Any, mode: Any = "sum", concat_axis: int = -1, name: str | None = None, **kwargs: Any) -> Any:
    """Merges tensors; see `Merge`."""
    return _layer(mode, concat_axis, name)(inputs)


def _layer(mode: Any, axis: int, name: str | None) -> Any:
    if mode == "concat":
        return layers.Concatenate(axis=axis, name=name)
    if callable(mode):
        return layers.Lambda(mode, name=name)
    if mode not in _MODES:
        known = ", ".join(map(repr, [*_MODES, "concat"]))
        raise ValueError(f"`mode` of merge must be one of {known} or a function. Received: mode={mode!r}")
    return _MODES[mode](name=name)
