"""How often predictions are right. Formulas of Keras 3.15, `keras.metrics`; results are float32, one per sample."""

from __future__ import annotations

from typing import Any

from nabi import config, dtypes, ops
from nabi.losses.loss import squeeze_or_expand_to_same_rank
from nabi.metrics.reduction_metrics import FunctionMetric
from nabi.ops._dispatch import op


def _matches(y_true: Any, classes: Any) -> Any:
    """1 where targets equal class numbers (int32), which take the targets' dtype unless that is a narrow integer."""
    if not dtypes.is_float(y_true.dtype):
        y_true = ops.cast(y_true, "int32")
    return ops.cast(ops.equal(y_true, ops.cast(classes, y_true.dtype)), config.floatx())


@op
def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where `y_pred` equals `y_true`. Ranks are matched."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true, y_pred = squeeze_or_expand_to_same_rank(ops.cast(y_true, y_pred.dtype), y_pred)
    return ops.cast(ops.equal(y_true, y_pred), config.floatx())


@op
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where ``y_pred > threshold`` equals the target 0 or 1. Ranks are matched."""
    y_true, y_pred = squeeze_or_expand_to_same_rank(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
    decided = ops.cast(ops.greater(y_pred, threshold), y_true.dtype)
    return ops.cast(ops.equal(y_true, decided), config.floatx())


@op
def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where target and prediction are largest at the same place of the last axis; targets one-hot."""
    y_true = ops.argmax(y_true, axis=-1)
    y_pred = ops.convert_to_tensor(y_pred)
    shape = y_true.shape
    if len(shape) == len(y_pred.shape):
        y_true = ops.squeeze(y_true, axis=-1)
    return ops.reshape(_matches(y_true, ops.argmax(y_pred, axis=-1)), shape)


@op
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the prediction is largest at the target's place of the last axis; targets are class numbers.

    Args:
        y_true: the shape of `y_pred` without its last axis, or with length 1 there.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, axis=-1)
    matches = _matches(y_true, ops.argmax(y_pred, axis=-1))
    if len(matches.shape) > 1 and matches.shape[-1] == 1:
        matches = ops.squeeze(matches, axis=-1)
    return matches


def _in_top_k(classes: Any, y_pred: Any, k: int) -> Any:
    """1 where the class (int32, any shape) is among the `k` largest predictions of the last axis."""
    found = ops.in_top_k(ops.reshape(classes, (-1,)), ops.reshape(y_pred, (-1, y_pred.shape[-1])), k=k)
    return ops.cast(ops.reshape(found, classes.shape), config.floatx())


@op
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the target class is among the `k` largest predictions of the last axis; targets one-hot."""
    return _in_top_k(ops.argmax(y_true, axis=-1), ops.convert_to_tensor(y_pred), k)


@op
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Any:
    """1 where the target class is among the `k` largest predictions of the last axis; targets are class numbers.

    Args:
        y_true: the shape of `y_pred` without its last axis, or with length 1 there.
        from_sorted_ids: `y_pred` holds class numbers, the likeliest first, instead of predictions.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, axis=-1)
    if not from_sorted_ids:
        return _in_top_k(ops.cast(y_true, "int32"), y_pred, k)
    found = ops.equal(ops.expand_dims(ops.cast(y_true, y_pred.dtype), -1), y_pred[..., :k])
    return ops.cast(ops.any(found, axis=-1), config.floatx())


class Accuracy(FunctionMetric):
    """How often predictions equal targets."""

    _direction = "up"

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy, name, dtype)


class BinaryAccuracy(FunctionMetric):
    """How often predictions above a threshold meet targets 1, and others targets 0."""

    _direction = "up"

    def __init__(self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        self.threshold = threshold


class CategoricalAccuracy(FunctionMetric):
    """How often the largest prediction is that of the target class; targets one-hot."""

    _direction = "up"

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


class SparseCategoricalAccuracy(FunctionMetric):
    """How often the largest prediction is that of the target class; targets are class numbers."""

    _direction = "up"

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


class TopKCategoricalAccuracy(FunctionMetric):
    """How often the target class is among the `k` largest predictions; targets one-hot."""

    _direction = "up"

    def __init__(self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


class SparseTopKCategoricalAccuracy(FunctionMetric):
    """How often the target class is among the `k` largest predictions; targets are class numbers."""

    _direction = "up"

    def __init__(
        self,
        k: int = 5,
        name: str = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids)
        self.k = k
        self.from_sorted_ids = from_sorted_ids

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        if not self.from_sorted_ids:
            del config["from_sorted_ids"]  # unknown to older versions of Keras
        return config
