"""The config of a layer that defines none: the arguments it was made with, where they are plain values.

Source of the messages: Keras 3.15 `Operation.get_config`.
"""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

from nabi import tree


class UnrecognizedArguments(ValueError):
    """Keyword arguments that a layer's constructor does not know."""

    def __init__(self, class_name: str, arguments: dict[str, Any]) -> None:
        super().__init__(f"Unrecognized keyword arguments passed to {class_name}: {arguments}")
        self.arguments = arguments


def check_arguments(instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """For a class with the constructor of a base class, which would give that one's name in its errors.

    Raises:
        TypeError: arguments are missing or too many.
    """
    if "__init__" in type(instance).__dict__ or not (args or kwargs):  # copies are made without arguments
        return
    try:
        inspect.signature(type(instance).__init__).bind(instance, *args, **kwargs)
    except TypeError as error:
        raise TypeError(f"{type(instance).__name__}.__init__() {error}") from None


def remember_arguments(instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Keeps the constructor's arguments where they are plain values, for a subclass without `get_config`."""
    init = type(instance).__init__
    try:
        bound = inspect.signature(init).bind(instance, *args, **kwargs)
    except TypeError:
        return  # __init__ will say so
    bound.apply_defaults()
    found: dict[str, Any] = {}
    for i, parameter in enumerate(inspect.signature(init).parameters.values()):
        value = bound.arguments.get(parameter.name)
        if i == 0:
            continue
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value or {})
        elif parameter.kind is inspect.Parameter.POSITIONAL_ONLY or (
            parameter.kind is inspect.Parameter.VAR_POSITIONAL and value
        ):
            instance._auto_config_error_args = True
            return
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            found[parameter.name] = value
    found.pop("name", None)
    if all(x is None or isinstance(x, (str, int, float, bool)) for x in tree.flatten(found)):
        instance._auto_config = found


def no_auto_config(class_name: str, by_position: bool) -> str:
    """Why a layer has no config of its own: arguments given by position only, or values that JSON has not."""
    example = textwrap.dedent(
        """
        class CustomLayer(keras.layers.Layer):
            def __init__(self, arg1, arg2, **kwargs):
                super().__init__(**kwargs)
                self.arg1 = arg1
                self.arg2 = arg2

            def get_config(self):
                config = super().get_config()
                config.update({
                    "arg1": self.arg1,
                    "arg2": self.arg2,
                })
                return config
        """
    )
    if by_position:
        return (
            f"Object {class_name} was created by passing positional only or variadic positional arguments (e.g., "
            "`*args`) to `__init__()`, which is not supported by the automatic config generation. Please remove all "
            "positional only and variadic arguments from `__init__()` or override `get_config()` and `from_config()` "
            f"to make the object serializatble.\n\nExample:\n{example}"
        )
    return (
        f"Object {class_name} was created by passing non-serializable argument values in `__init__()`, and therefore "
        "the object must override `get_config()` in order to be serializable. Please implement `get_config()`."
        f"\n\nExample:\n{example}"
    )
