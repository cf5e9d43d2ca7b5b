"""Optimizers: how gradients change variables. Names, arguments and formulas of `keras.optimizers` 3.15."""

from __future__ import annotations

from typing import Any

from nabi import objects
from nabi.optimizers import schedules
from nabi.optimizers.adagrad import Adadelta, Adagrad, Ftrl
from nabi.optimizers.adam import Adam, Adamax, AdamW, Lamb, Lion, Nadam
from nabi.optimizers.optimizer import Optimizer
from nabi.optimizers.rmsprop import RMSprop
from nabi.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]

_CLASSES = (Optimizer, SGD, Adam, AdamW, Adamax, Nadam, Lamb, Lion, RMSprop, Adagrad, Adadelta, Ftrl)
_BY_NAME: dict[str, Any] = {cls.__name__.lower(): cls for cls in _CLASSES}
objects.export("keras.optimizers", *_CLASSES)


def serialize(optimizer: Optimizer) -> Any:
    """The config dict of an optimizer."""
    return objects.serialize_keras_object(optimizer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The optimizer of a config dict; names of built-in classes may have any case."""
    config = dict(config)
    if config["class_name"].lower() in _BY_NAME:
        config["class_name"] = config["class_name"].lower()
    return objects.deserialize_keras_object(config, custom_objects, module_objects=_BY_NAME)


def get(identifier: Any) -> Optimizer | None:
    """An optimizer from a name in any case ("adam"), a config dict, or an optimizer, which is returned as it is.

    Raises:
        ValueError: for anything else.
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        identifier = deserialize(identifier)
    elif isinstance(identifier, str):
        cls = _BY_NAME.get(identifier.lower()) or objects.get_registered_object(identifier)
        identifier = cls() if isinstance(cls, type) else identifier
    if isinstance(identifier, Optimizer):
        return identifier
    raise ValueError(f"Could not interpret optimizer identifier: {identifier}")
