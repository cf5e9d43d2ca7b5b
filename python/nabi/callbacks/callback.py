"""The base class of all callbacks and the list that calls them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Logs = dict[str, Any]

_BATCH_HOOKS = {
    "train": ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end"),
    "test": ("on_test_batch_begin", "on_test_batch_end"),
    "predict": ("on_predict_batch_begin", "on_predict_batch_end"),
}


class Callback:
    """Base class of objects that act at given points of `fit`, `evaluate` and `predict`.

    A subclass overrides the hooks it wants. `logs` is a dict of Python floats; what a hook adds to it is seen by the
    callbacks after it. A hook named `..._batch_...` makes the loop run step by step, so override those only if every
    batch matters.

    Attributes:
        model: the model that runs.
        params: dict with `verbose`, `epochs` and `steps`.
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    @property
    def model(self) -> Any:
        """The model that runs; None before the first run."""
        return self._model

    def set_params(self, params: dict[str, Any]) -> None:
        """Receives `verbose`, `epochs` and `steps` before a run."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Receives the model before a run."""
        self._model = model

    def _wants_batches(self, mode: str) -> bool:
        """Whether each batch of a "train", "test" or "predict" run must be reported on its own."""
        for name in _BATCH_HOOKS[mode]:
            hook = getattr(self, name)
            if getattr(hook, "__func__", None) is not getattr(Callback, name):
                return True
        return False

    def _wants_progress(self, mode: str) -> bool:
        """Whether the batch hooks are to be called about ten times a second, with the last finished batch."""
        return False

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """An older name of `on_train_batch_end`."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called when an epoch of `fit` begins; `epoch` counts from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called when an epoch of `fit` has ended, validation included; `logs` holds its results."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of `fit`; `batch` counts from 0 within the epoch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of `fit`; `logs` holds the epoch's running results."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of `evaluate` or of validation."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of `evaluate` or of validation."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch of `predict`; `logs["outputs"]` holds its predictions."""

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called when `fit` begins."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called when `fit` ends; `logs` holds the last epoch's results."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called when `evaluate` or a validation begins."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called when `evaluate` or a validation ends."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called when `predict` begins."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called when `predict` ends."""


def pythonify_logs(logs: Mapping[str, Any] | None) -> Logs:
    """A copy with sorted keys, nested dicts flattened, and every value that allows it as a Python float."""
    result: Logs = {}
    for key, value in sorted((logs or {}).items()):
        if isinstance(value, Mapping):
            result.update(pythonify_logs(value))
            continue
        try:
            result[key] = float(value)
        except (TypeError, ValueError):
            result[key] = value
    return result


def flatten_callbacks(callbacks: Any) -> list[Any]:
    """The callbacks of a callback or of nested lists of them, in order.

    Raises:
        TypeError: something in it is a class, or lacks a callback's hooks.
    """
    if callbacks is None:
        return []
    if isinstance(callbacks, (list, tuple)):
        return [callback for entry in callbacks for callback in flatten_callbacks(entry)]
    if isinstance(callbacks, type) or not hasattr(callbacks, "on_train_begin"):
        raise TypeError(f"`callbacks` should contain instances of `Callback`. Received: {callbacks}")
    return [callbacks]


class CallbackList(Callback):
    """Calls a list of callbacks as if it were one.

    Args:
        callbacks: a callback or (nested) lists of them.
        add_history: add a `History` if there is none.
        add_progbar: add a `ProgbarLogger`, last, if there is none.
        model: the model that runs.
        params: what the callbacks' `set_params` receives.
    """

    def __init__(
        self,
        callbacks: Callback | Iterable[Any] | None = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        from nabi.callbacks.history import History
        from nabi.callbacks.progbar_logger import ProgbarLogger

        super().__init__()
        self.callbacks: list[Any] = flatten_callbacks(callbacks)
        self._history: History | None = None
        self._progbar: ProgbarLogger | None = None
        for callback in self.callbacks:
            if isinstance(callback, ProgbarLogger):
                self._progbar = callback
            elif isinstance(callback, History):
                self._history = callback
        if self._history is None and add_history:
            self._history = History()
            self.callbacks.append(self._history)
        if self._progbar is None and add_progbar:
            self._progbar = ProgbarLogger()
            self.callbacks.append(self._progbar)
        self.set_model(model)
        self.set_params(params)

    def append(self, callback: Callback) -> None:
        """Adds a callback at the end."""
        self.callbacks.append(callback)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model: Any) -> None:
        if model is None:
            return
        super().set_model(model)
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    def _wants_batches(self, mode: str) -> bool:
        return any(_asks(callback, "_wants_batches", mode, otherwise=True) for callback in self.callbacks)

    def _wants_progress(self, mode: str) -> bool:
        return any(_asks(callback, "_wants_progress", mode, otherwise=False) for callback in self.callbacks)

    def _each(self, hook: str, *args: Any, logs: Logs | None) -> None:
        values = pythonify_logs(logs)  # one dict for all, so that later callbacks see what earlier ones add
        for callback in self.callbacks:
            getattr(callback, hook)(*args, values)

    def _each_batch(self, hook: str, batch: int, logs: Logs | None) -> None:
        values = pythonify_logs(logs)
        for callback in self.callbacks:
            getattr(callback, hook)(batch, logs=values)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._each_batch("on_batch_begin", batch, logs)

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._each_batch("on_batch_end", batch, logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._each("on_epoch_begin", epoch, logs=logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._each("on_epoch_end", epoch, logs=logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._each_batch("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._each_batch("on_train_batch_end", batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._each_batch("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._each_batch("on_test_batch_end", batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        self._each_batch("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._each_batch("on_predict_batch_end", batch, logs)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._each("on_train_begin", logs=logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._each("on_train_end", logs=logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._each("on_test_begin", logs=logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        self._each("on_test_end", logs=logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        self._each("on_predict_begin", logs=logs)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        self._each("on_predict_end", logs=logs)


def _asks(callback: Any, question: str, mode: str, otherwise: bool) -> bool:
    answer = getattr(callback, question, None)
    return otherwise if answer is None else bool(answer(mode))
