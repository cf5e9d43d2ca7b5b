"""Attributes of layers and arguments of callbacks that Keras 3 no longer has."""

from __future__ import annotations

import os
from typing import Any

from nabi import callbacks, hooks, layers
from nabi.legacy.notice import tell
from nabi.legacy.training import other_name

_WEIGHTS = {"W": "kernel", "b": "bias"}


def install() -> None:
    """Adds them."""
    hooks.replace(layers.Layer, "__getattr__", _missing)
    for name in ("input", "output"):
        hooks.replace(layers.Layer, f"get_{name}_at", _at(name))
        hooks.replace(layers.Layer, f"get_{name}_shape_at", _shape_at(name))
    hooks.replace(layers.InputLayer, "input", property(lambda self: self.output))
    hooks.before(callbacks.ReduceLROnPlateau, "__init__", _plateau)
    hooks.around(callbacks.ModelCheckpoint, "__init__", _checkpoint)
    hooks.around(callbacks.ModelCheckpoint, "on_epoch_end", _checkpoint_due)
    hooks.around(callbacks.ModelCheckpoint, "_get_file_path", _checkpoint_path)
    hooks.around(callbacks.LearningRateScheduler, "on_epoch_begin", _schedule)
    for cls in (callbacks.EarlyStopping, callbacks.ReduceLROnPlateau, callbacks.ModelCheckpoint):
        hooks.around(cls, "_set_monitor_op", _direction)


# ---------------------------------------------------------------------------------------------------------------------
# Layers
# ---------------------------------------------------------------------------------------------------------------------
def _missing(self: Any, name: str) -> Any:
    """`layer.output_shape`, `layer.W` and the like, where a layer has nothing of that name."""
    if name in ("input_shape", "output_shape"):
        return _shapes(getattr(self, name.split("_")[0]))
    if name in _WEIGHTS:
        return getattr(self, _WEIGHTS[name])
    found = getattr(type(self), name, None)
    if isinstance(found, property) and found.fget is not None:
        return found.fget(self)  # it raised AttributeError: once more, for its own message
    raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")


def _shapes(tensors: Any) -> Any:
    return [t.shape for t in tensors] if isinstance(tensors, (list, tuple)) else tensors.shape


def _at(end: str) -> Any:
    def get(self: Any, node_index: int) -> Any:
        nodes = self._inbound_nodes
        if not 0 <= node_index < len(nodes):
            raise ValueError(
                f"Layer '{self.name}' was called {len(nodes)} times; there is no {end} at node_index={node_index}."
            )
        node = nodes[node_index]
        tensors = node.input_tensors if end == "input" else node.outputs
        return tensors[0] if len(tensors) == 1 else list(tensors)

    return get


def _shape_at(end: str) -> Any:
    get = _at(end)

    def shape(self: Any, node_index: int) -> Any:
        return _shapes(get(self, node_index))

    return shape


# ---------------------------------------------------------------------------------------------------------------------
# Callbacks
# ---------------------------------------------------------------------------------------------------------------------
def _plateau(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if "epsilon" in kwargs:
        kwargs.setdefault("min_delta", kwargs.pop("epsilon"))
        tell("ReduceLROnPlateau(epsilon=...) is taken as `min_delta`.")
    return args, kwargs


def _checkpoint(
    function: Any,
    self: Any,
    /,
    filepath: Any,
    *args: Any,
    period: int = 1,
    save_weights_only: bool = False,
    **kwargs: Any,
) -> None:
    """`.hdf5` and other names of old, and `period`."""
    path = os.fspath(filepath)
    function(
        self,
        "any.weights.h5" if save_weights_only else "any.keras",
        *args,
        save_weights_only=save_weights_only,
        **kwargs,
    )
    self.filepath = path
    self._period, self._epochs_since = int(period), 0


def _checkpoint_due(function: Any, self: Any, epoch: int, logs: Any = None) -> None:
    """`period=n`: only every n-th epoch."""
    self._epochs_since += 1
    if self._epochs_since >= self._period:
        self._epochs_since = 0
        function(self, epoch, logs)


def _checkpoint_path(function: Any, self: Any, /, epoch: int, batch: int | None, logs: Any) -> str:
    """`{val_acc}` in a name, whichever the metric is called."""
    other = {name: value for key, value in logs.items() if (name := other_name(key)) is not None}
    path: str = function(self, epoch, batch, {**other, **logs})
    return path


def _schedule(function: Any, self: Any, epoch: int, logs: Any = None) -> None:
    """A schedule may return an int."""
    original = self.schedule

    def schedule(*args: Any) -> Any:
        rate = original(*args)
        return float(rate) if isinstance(rate, int) and not isinstance(rate, bool) else rate

    self.schedule = schedule
    try:
        function(self, epoch, logs)
    finally:
        self.schedule = original


def _direction(function: Any, self: Any) -> None:
    """`monitor='val_acc'` has the direction of `val_accuracy`, whichever the metric is called."""
    names = {metric.name for metric in callbacks.monitor._leaf_metrics(getattr(self.model, "metrics", []))}
    monitor, other = self.monitor, other_name(self.monitor)
    known = monitor.removeprefix("val_") in names
    if other is not None and not known and other.removeprefix("val_") in names:
        self.monitor = other
    try:
        function(self)
    finally:
        self.monitor = monitor
