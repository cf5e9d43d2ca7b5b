"""Optimizers as Keras 1 and 2 spelt them: `lr`, `decay` (applied), integer rates, lower-case names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nabi import hooks, ops, optimizers
from nabi.legacy.notice import tell

_CLASSES = ("SGD", "RMSprop", "Adagrad", "Adadelta", "Adam", "Adamax", "Nadam", "Ftrl", "AdamW", "Lion", "Lamb")


def install() -> None:
    """Lets the optimizers take the old arguments, and gives them `lr`."""
    for name in _CLASSES:
        hooks.around(getattr(optimizers, name), "__init__", _construct)
    hooks.around(optimizers.Optimizer, "__init__", _construct)
    hooks.around(optimizers.Optimizer, "_backend_update_step", _decayed)
    hooks.replace(optimizers.Optimizer, "lr", property(_get_lr, _set_lr))


def aliases() -> dict[str, Any]:
    """Old names in `keras.optimizers`."""
    return {name.lower(): getattr(optimizers, name) for name in _CLASSES}


def _construct(function: Any, self: Any, /, *args: Any, **kwargs: Any) -> None:
    """An optimizer's constructor. `decay` shrinks the rate with every update: rate / (1 + decay * iterations)."""
    if "lr" in kwargs:
        kwargs.setdefault("learning_rate", kwargs.pop("lr"))
    for name in ("learning_rate", "epsilon", "rho", "momentum"):
        if isinstance(kwargs.get(name), (int, np.number)) and not isinstance(kwargs[name], bool):
            kwargs[name] = float(kwargs[name])
    if args and isinstance(args[0], (int, np.number)) and not isinstance(args[0], bool):
        args = (float(args[0]), *args[1:])
    if "epsilon" in kwargs and kwargs["epsilon"] is None:
        del kwargs["epsilon"]
    kwargs.pop("schedule_decay", None)
    decay = kwargs.pop("decay", None)
    function(self, *args, **kwargs)
    if decay:
        tell(f"decay={decay:g} is applied as in Keras 2: learning_rate / (1 + decay * iterations).")
        self._decay = float(decay)


def _decayed(function: Any, self: Any, grads: Any, variables: Any, learning_rate: Any) -> None:
    decay = self.__dict__.get("_decay")
    if decay:
        learning_rate = learning_rate / (1.0 + decay * ops.cast(self.iterations, learning_rate.dtype))
    function(self, grads, variables, learning_rate)


def _get_lr(self: Any) -> Any:
    return self.learning_rate


def _set_lr(self: Any, value: Any) -> None:
    self.learning_rate = float(np.asarray(value))


def loss_aliases() -> Mapping[str, Any]:
    """Short names of losses and metrics, importable from `keras.losses` and `keras.metrics` once."""
    from nabi import losses

    return {
        "mse": losses.mean_squared_error,
        "MSE": losses.mean_squared_error,
        "mae": losses.mean_absolute_error,
        "MAE": losses.mean_absolute_error,
        "mape": losses.mean_absolute_percentage_error,
        "MAPE": losses.mean_absolute_percentage_error,
        "msle": losses.mean_squared_logarithmic_error,
        "MSLE": losses.mean_squared_logarithmic_error,
        "cosine": losses.cosine_similarity,
        "cosine_proximity": losses.cosine_similarity,
        "kld": losses.kl_divergence,
        "kullback_leibler_divergence": losses.kl_divergence,
        "logcosh": losses.log_cosh,
    }
