"""Weight penalties: names, defaults and configs of `keras.regularizers`.

A regularizer takes a tensor or Variable of any shape (rank 2 for `OrthogonalRegularizer`) and returns a scalar of its
dtype, which is added to the loss of every batch.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

from nabi import objects, ops
from nabi.names import to_snake_case

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]


class Regularizer:
    """Base class: a subclass defines `__call__(x)` and, to be saved, `get_config()`."""

    def __call__(self, x: Any) -> Any:
        return 0.0

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(f"{self} does not implement get_config()")


class L1L2(Regularizer):
    """`l1 * sum(|x|) + l2 * sum(x^2)`.

    Raises:
        ValueError: a factor is negative, not finite or no number.
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = validate_float_arg(0.0 if l1 is None else l1, name="l1")
        self.l2 = validate_float_arg(0.0 if l2 is None else l2, name="l2")

    def __call__(self, x: Any) -> Any:
        x = ops.convert_to_tensor(x)
        parts = []
        if self.l1 != 0.0:
            parts.append(self.l1 * ops.sum(ops.absolute(x)))
        if self.l2 != 0.0:
            parts.append(self.l2 * ops.sum(ops.square(x)))
        return sum(parts[1:], parts[0]) if parts else ops.zeros((), dtype=x.dtype)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(Regularizer):
    """`l1 * sum(|x|)`. Raises ValueError as `L1L2` does."""

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = validate_float_arg(0.01 if l1 is None else l1, name="l1")

    def __call__(self, x: Any) -> Any:
        return self.l1 * ops.sum(ops.absolute(ops.convert_to_tensor(x)))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(Regularizer):
    """`l2 * sum(x^2)`. Raises ValueError as `L1L2` does."""

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = validate_float_arg(0.01 if l2 is None else l2, name="l2")

    def __call__(self, x: Any) -> Any:
        return self.l2 * ops.sum(ops.square(ops.convert_to_tensor(x)))

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean absolute cosine between different rows (or columns) of a matrix.

    Args:
        factor: non-negative float.
        mode: "rows" or "columns".

    Raises:
        ValueError: a bad factor or mode; when called, a tensor that is not of rank 2.
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = validate_float_arg(factor, name="factor")
        if mode not in {"rows", "columns"}:
            raise ValueError(
                f'Invalid value for argument `mode`. Expected one of {{"rows", "columns"}}. Received: mode={mode}'
            )
        self.mode = mode

    def __call__(self, inputs: Any) -> Any:
        if len(inputs.shape) != 2:
            raise ValueError(
                f"Inputs to OrthogonalRegularizer must have rank 2. Received: inputs.shape={tuple(inputs.shape)}"
            )
        x = ops.convert_to_tensor(inputs)
        axis = 1 if self.mode == "rows" else 0
        # The floor keeps a zero vector at zero, as keras.utils.normalize does.
        x = x / ops.sqrt(ops.maximum(ops.sum(ops.square(x), axis=axis, keepdims=True), 1e-12))
        product = ops.matmul(x, ops.transpose(x)) if axis == 1 else ops.matmul(ops.transpose(x), x)
        size = x.shape[1 - axis]
        off_diagonal = product * (1.0 - ops.eye(size, dtype=x.dtype))
        pairs = size * (size - 1.0) / 2.0
        return self.factor * 0.5 * ops.sum(ops.absolute(off_diagonal)) / pairs

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer


def validate_float_arg(value: Any, name: str) -> float:
    """`value` as float.

    Raises:
        ValueError: it is negative, not finite or no number.
    """
    if not isinstance(value, (float, int)) or math.isinf(value) or math.isnan(value) or value < 0:
        raise ValueError(f"Invalid value for argument {name}: expected a non-negative float.Received: {name}={value}")
    return float(value)


_CLASSES = (Regularizer, L1, L2, L1L2, OrthogonalRegularizer)
_BY_NAME: dict[str, Any] = {cls.__name__: cls for cls in _CLASSES}
_BY_NAME.update({to_snake_case(cls.__name__): cls for cls in _CLASSES})

objects.export("keras.regularizers", *_CLASSES, aliases={"l1": L1, "l2": L2, "l1_l2": L1L2, "l1l2": L1L2})


def serialize(regularizer: Any) -> Any:
    """The config dict of a regularizer; None for None."""
    return objects.serialize_keras_object(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer that a config dict stands for."""
    return objects.deserialize_keras_object(config, custom_objects=custom_objects, module_objects=_BY_NAME)


def get(identifier: Any) -> Any:
    """The regularizer of a name ("l1", "l2", "l1l2", ...), config dict, class or callable; None for None.

    Raises:
        ValueError: nothing is known by this name.
    """
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        found = deserialize(identifier)
    elif isinstance(identifier, str):
        found = _BY_NAME.get(identifier) or objects.get_registered_object(identifier)
    else:
        found = identifier
    if not callable(found):
        raise ValueError(f"Could not interpret regularizer identifier: {identifier}")
    return found() if inspect.isclass(found) else found
