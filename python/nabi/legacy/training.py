"""What models could be told in Keras 1 and 2: `nb_epoch`, `fit_generator`, `predict_classes`, lists as data, "acc".

Source: Keras 2's `keras/engine/training.py`, `keras/models.py` and `keras/legacy/interfaces.py`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from nabi import callbacks, hooks, models
from nabi.legacy.notice import tell
from nabi.saving import hdf5
from nabi.saving.files import h5py, may_write, whole_file
from nabi.training.data_adapters import PyDataset
from nabi.training.trainer import Trainer

#: How Keras 2 spread a generator's work; batches are prepared beside the training without being told.
_QUEUE = ("max_q_size", "max_queue_size", "workers", "pickle_safe", "use_multiprocessing", "wait_time", "show_accuracy")
_RENAMED = {
    "nb_epoch": "epochs",
    "nb_val_samples": "validation_steps",
    "val_samples": "steps",
    "X": "x",
    "Y": "y",
}


def install() -> None:
    """Lets the methods of models take the old arguments, and adds the methods that are gone."""
    for name in ("fit", "evaluate", "predict", "train_on_batch", "test_on_batch", "predict_on_batch"):
        hooks.before(Trainer, name, _data)
    hooks.before(Trainer, "compile", _compile)
    for function in (
        fit_generator,
        evaluate_generator,
        predict_generator,
        predict_classes,
        predict_proba,
        reset_states,
        to_yaml,
    ):
        hooks.replace(models.Model, function.__name__, function)
    hooks.around(Trainer, "fit", _fit)
    hooks.around(models.Model, "save_weights", _save_weights)
    hooks.around(models.Model, "save", _save)
    hooks.around(callbacks.CallbackList, "_each", _each)


# ---------------------------------------------------------------------------------------------------------------------
# Arguments
# ---------------------------------------------------------------------------------------------------------------------
def _as_array(data: Any) -> Any:
    """Plain lists of numbers as one array; a list of arrays stays a list of inputs."""
    if isinstance(data, list) and data and not any(hasattr(entry, "__array__") for entry in data):
        array = np.asarray(data)
        return data if array.dtype == object else array
    if isinstance(data, tuple) and data and all(isinstance(entry, (int, float)) for entry in data):
        return np.asarray(data)
    return data


def _data(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for name in _QUEUE:
        kwargs.pop(name, None)
    for old, new in _RENAMED.items():
        if old in kwargs:
            kwargs[new] = kwargs.pop(old)
    validation = kwargs.get("validation_data")
    if isinstance(validation, (list, tuple)):
        kwargs["validation_data"] = tuple(map(_as_array, validation))
    for name in ("x", "y", "sample_weight"):
        if name in kwargs:
            kwargs[name] = _as_array(kwargs[name])
    return tuple(map(_as_array, args[:2])) + args[2:], kwargs


def _compile(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for name in ("class_mode", "sample_weight_mode", "target_tensors", "experimental_run_tf_function"):
        kwargs.pop(name, None)
    for name in ("metrics", "weighted_metrics"):
        if isinstance(kwargs.get(name), str):
            kwargs[name] = [kwargs[name]]
    return args, kwargs


def _fit(function: Any, self: Any, /, *args: Any, **kwargs: Any) -> Any:
    """`class_weight='auto'`, and a history that answers to "acc" and "accuracy" alike."""
    if kwargs.get("class_weight") in ("auto", "balanced"):
        y = np.asarray(kwargs["y"] if "y" in kwargs else args[1])
        kwargs["class_weight"] = _balanced(y)
        tell("class_weight='auto' weighs each class by samples / (classes * samples of the class).")
    steps, data = kwargs.get("steps_per_epoch"), kwargs.get("x", args[0] if args else None)
    if steps is not None and isinstance(data, PyDataset) and data.num_batches not in (None, steps):
        endless = _without_end(data)
        args, kwargs = ((endless, *args[1:]), kwargs) if args else (args, {**kwargs, "x": endless})
    history = function(self, *args, **kwargs)
    history.history = Aliased(history.history)
    return history


def _without_end(data: PyDataset) -> Iterator[Any]:
    """Batches pass after pass: with `steps_per_epoch` an epoch of Keras 2 was a number of steps, not a pass."""
    while True:
        for i in range(data.num_batches or 0):
            yield data[i]
        data.on_epoch_end()


def _balanced(y: np.ndarray[Any, Any]) -> dict[int, float]:
    classes = y.argmax(-1) if y.ndim > 1 and y.shape[-1] > 1 else y.reshape(-1).astype(int)
    counts = np.bincount(classes)
    return {i: float(len(classes) / (np.count_nonzero(counts) * n)) for i, n in enumerate(counts) if n}


# ---------------------------------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------------------------------
def _save_weights(function: Any, self: Any, /, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
    """`save_weights('w.h5')`: any name goes, in the HDF5 layout of Keras 2 unless it ends in `.weights.h5`."""
    path = os.fspath(filepath)
    if path.endswith(".weights.h5"):
        function(self, path, overwrite=overwrite, **kwargs)
    elif may_write(path, overwrite):
        with whole_file(path) as temporary, h5py().File(temporary, "w") as file:
            hdf5.write_weights(self, file)


def _save(function: Any, self: Any, /, filepath: Any, *args: Any, **kwargs: Any) -> None:
    """`save` without Keras 3's remark that HDF5 is an older format; a bare name is a `.keras` file."""
    path = os.fspath(filepath)
    kwargs.pop("save_format", None)
    if not os.path.splitext(path)[1]:
        tell(f"model.save('{path}') is written to '{path}.keras', one file instead of a folder.")
        path += ".keras"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are saving your model as an HDF5 file")
        function(self, path, *args, **kwargs)


# ---------------------------------------------------------------------------------------------------------------------
# Results under either name
# ---------------------------------------------------------------------------------------------------------------------
_PAIRS = {"acc": "accuracy", "lr": "learning_rate"}


def other_name(key: Any) -> Any:
    """`val_acc` for `val_accuracy`, `lr` for `learning_rate` and the other way round; None for any other name."""
    if not isinstance(key, str):
        return None
    prefix, name = ("val_", key[4:]) if key.startswith("val_") else ("", key)
    for short, long in _PAIRS.items():
        if name in (short, long):
            return prefix + (long if name == short else short)
    return None


class Aliased(dict[str, Any]):
    """Results by name, where `acc` and `accuracy`, `lr` and `learning_rate` mean the same."""

    def __missing__(self, key: str) -> Any:
        other = other_name(key)
        if other is not None and dict.__contains__(self, other):
            return dict.__getitem__(self, other)
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return dict.__contains__(self, key) or dict.__contains__(self, other_name(key))

    def get(self, key: str, default: Any = None) -> Any:
        """The value under this name or its other spelling."""
        try:
            return self[key]
        except KeyError:
            return default


def _each(function: Any, self: Any, hook: str, *args: Any, logs: Any) -> None:
    """Hands callbacks results that answer to both spellings."""
    values = Aliased(callbacks.callback.pythonify_logs(logs))
    for callback in self.callbacks:
        getattr(callback, hook)(*args, values)


# ---------------------------------------------------------------------------------------------------------------------
# Methods
# ---------------------------------------------------------------------------------------------------------------------
def _steps(generator: Any, samples: int | None, steps: int | None) -> int | None:
    """Batches of an epoch; Keras 1 gave samples, of which a batch of the generator holds `batch_size`."""
    if steps is not None or samples is None:
        return None if steps is None else int(steps)
    size = getattr(generator, "batch_size", None)
    if size is None:
        raise ValueError(
            "`samples_per_epoch` counts samples, and this generator has no `batch_size` to divide by: give "
            "`steps_per_epoch`, the number of batches."
        )
    return max(1, -(-int(samples) // int(size)))


def fit_generator(
    self: Any,
    generator: Any,
    steps_per_epoch: Any = None,
    epochs: int = 1,
    verbose: Any = 1,
    callbacks: Any = None,
    validation_data: Any = None,
    validation_steps: Any = None,
    validation_freq: Any = 1,
    class_weight: Any = None,
    max_queue_size: int = 10,
    workers: int = 1,
    use_multiprocessing: bool = False,
    shuffle: bool = True,
    initial_epoch: int = 0,
    samples_per_epoch: int | None = None,
    nb_epoch: int | None = None,
    nb_val_samples: int | None = None,
    **kwargs: Any,
) -> Any:
    """Keras 2's `fit_generator`: `fit` on batches."""
    for name in _QUEUE:
        kwargs.pop(name, None)
    if nb_val_samples is not None and validation_steps is None and hasattr(validation_data, "batch_size"):
        validation_steps = _steps(validation_data, nb_val_samples, None)
    return self.fit(
        generator,
        steps_per_epoch=_steps(generator, samples_per_epoch, steps_per_epoch),
        epochs=epochs if nb_epoch is None else nb_epoch,
        verbose=verbose,
        callbacks=callbacks,
        validation_data=validation_data,
        validation_steps=None if validation_steps is None else int(validation_steps),
        validation_freq=validation_freq,
        class_weight=class_weight,
        shuffle=shuffle,
        initial_epoch=initial_epoch,
        **kwargs,
    )


def evaluate_generator(self: Any, generator: Any, steps: Any = None, callbacks: Any = None, **kwargs: Any) -> Any:
    """Keras 2's `evaluate_generator`: `evaluate` on batches."""
    steps = _steps(generator, kwargs.get("val_samples"), steps)
    return self.evaluate(generator, steps=steps, callbacks=callbacks, verbose=kwargs.get("verbose", 0))


def predict_generator(self: Any, generator: Any, steps: Any = None, callbacks: Any = None, **kwargs: Any) -> Any:
    """Keras 2's `predict_generator`: `predict` on batches."""
    steps = _steps(generator, kwargs.get("val_samples"), steps)
    return self.predict(generator, steps=steps, callbacks=callbacks, verbose=kwargs.get("verbose", 0))


def predict_classes(self: Any, x: Any, batch_size: int | None = 32, verbose: int = 0, **kwargs: Any) -> Any:
    """The most likely class of each sample; 0 or 1, shape (samples, 1), for one sigmoid output."""
    probabilities = self.predict(x, batch_size=batch_size, verbose=verbose)
    if probabilities.shape[-1] > 1:
        return probabilities.argmax(axis=-1)
    return (probabilities > 0.5).astype("int32")


def predict_proba(self: Any, x: Any, batch_size: int | None = 32, verbose: int = 0, **kwargs: Any) -> Any:
    """`predict` under its old name."""
    return self.predict(x, batch_size=batch_size, verbose=verbose)


def reset_states(self: Any) -> None:
    """Forgets the state of stateful recurrent layers."""
    for layer in self._flatten_layers(include_self=False):
        if hasattr(layer, "reset_state"):
            layer.reset_state()


def to_yaml(self: Any, **kwargs: Any) -> str:
    """Raises: YAML of models was given up in Keras 2.6, because reading it could run any code."""
    raise NotImplementedError("`to_yaml` is gone, because reading YAML could run any code: use `to_json`.")
