"""Counting of the confusion matrix, shared by the metrics of thresholds. Formulas of Keras 3.15, `metrics_utils`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np

from nabi import config, ops
from nabi.losses.loss import squeeze_or_expand_to_same_rank

LOWEST = -1e10  # threshold and filler that any prediction among the top k exceeds


class ConfusionMatrix(Enum):
    """The cells of the confusion matrix, by the names of the variables that count them."""

    TRUE_POSITIVES = "tp"
    FALSE_POSITIVES = "fp"
    TRUE_NEGATIVES = "tn"
    FALSE_NEGATIVES = "fn"

    @property
    def actual(self) -> bool:
        """Whether the cell's targets are 1."""
        return self in (ConfusionMatrix.TRUE_POSITIVES, ConfusionMatrix.FALSE_NEGATIVES)

    @property
    def predicted(self) -> bool:
        """Whether the cell's predictions are above the threshold."""
        return self in (ConfusionMatrix.TRUE_POSITIVES, ConfusionMatrix.FALSE_POSITIVES)


class AUCCurve(Enum):
    """The curves under which `AUC` can be taken."""

    ROC = "ROC"
    PR = "PR"
    PRGAIN = "PRGAIN"

    @staticmethod
    def from_str(key: str) -> AUCCurve:
        """The curve of that name in lower or upper case; ValueError for another."""
        if key in ("pr", "PR", "roc", "ROC", "prgain", "PRGAIN"):
            return AUCCurve(key.upper())
        raise ValueError(f'Invalid AUC curve value: "{key}". Expected values are ["PR", "ROC", "PRGAIN"]')


class AUCSummationMethod(Enum):
    """How `AUC` gets from the curve's points to the area."""

    INTERPOLATION = "interpolation"
    MAJORING = "majoring"
    MINORING = "minoring"

    @staticmethod
    def from_str(key: str) -> AUCSummationMethod:
        """The method of that name, its first letter in either case; ValueError for another."""
        for method in AUCSummationMethod:
            if key in (method.value, method.value.capitalize()):
                return method
        raise ValueError(
            f'Invalid AUC summation method value: "{key}". '
            'Expected values are ["interpolation", "majoring", "minoring"]'
        )


def assert_thresholds_range(thresholds: Sequence[Any] | None) -> None:
    """ValueError unless all thresholds are in [0, 1]."""
    invalid = [t for t in thresholds or () if t is None or t < 0 or t > 1]
    if invalid:
        raise ValueError(f"Threshold values must be in [0, 1]. Received: {invalid}")


def parse_init_thresholds(thresholds: Any, default_threshold: float = 0.5) -> list[float]:
    """One threshold or several as a list; the default for None.

    Raises:
        ValueError: one is out of [0, 1].
    """
    found = [default_threshold] if thresholds is None else thresholds
    found = list(found) if isinstance(found, list | tuple) else [found]
    if thresholds is not None:
        assert_thresholds_range(found)
    return found


def is_evenly_distributed_thresholds(thresholds: Any) -> bool:
    """Whether three or more thresholds divide [0, 1] evenly, up to `config.epsilon()`."""
    count = len(thresholds)
    if count < 3:
        return False
    even = np.arange(count, dtype=np.float32) / (count - 1)
    return bool(np.allclose(thresholds, even, atol=config.epsilon()))


def grid(num_thresholds: int) -> list[float]:
    """The inner points that divide [0, 1] into ``num_thresholds - 1`` equal parts."""
    return [(i + 1) * 1.0 / (num_thresholds - 1) for i in range(num_thresholds - 2)]


def update_confusion_matrix_variables(
    variables_to_update: Mapping[ConfusionMatrix, Any],
    y_true: Any,
    y_pred: Any,
    thresholds: Any,
    top_k: int | None = None,
    class_id: int | None = None,
    sample_weight: Any = None,
    multi_label: bool = False,
    label_weights: Any = None,
    thresholds_distributed_evenly: bool = False,
) -> None:
    """Adds a batch to the counts of cells of the confusion matrix.

    Args:
        variables_to_update: a variable per cell, ``[thresholds]``, with `multi_label` ``[thresholds, labels]``.
        y_true: targets; all but 0 are 1.
        y_pred: predictions of the same shape (ranks are matched); one above the threshold is positive.
        thresholds: of numbers, in rising order.
        top_k: only the k largest predictions of the last axis can be positive.
        class_id: only this class of the last axis counts.
        sample_weight: what a sample counts; its shape, without or with a last axis of 1, or one that broadcasts.
        multi_label: count each label of the last axis by itself; predictions are ``[n, labels]``.
        label_weights: a factor for each label of the last axis; not with `multi_label`.
        thresholds_distributed_evenly: the thresholds divide [0, 1] evenly, so that a prediction's place among them
            is a product and each element is looked at once, not once per threshold. Predictions are cut to [0, 1].

    Raises:
        ValueError: `class_id` with predictions of rank 1; `label_weights` with `multi_label`; no or unknown cells.
    """
    if multi_label and label_weights is not None:
        raise ValueError(
            "`label_weights` for multilabel data should be handled outside of `update_confusion_matrix_variables` "
            "when `multi_label` is True."
        )
    known = list(ConfusionMatrix)
    if not any(key in known for key in variables_to_update):
        raise ValueError(
            "Please provide at least one valid confusion matrix variable to update. Valid variable key options are: "
            f'"{known}". Received: "{variables_to_update.keys()}"'
        )
    invalid = [key for key in variables_to_update if key not in known]
    if invalid:
        raise ValueError(f'Invalid keys: "{invalid}". Valid variable key options are: "{known}"')
    dtype = next(iter(variables_to_update.values())).dtype
    y_pred, y_true = squeeze_or_expand_to_same_rank(ops.cast(y_pred, dtype), ops.cast(y_true, dtype))
    if sample_weight is not None:
        sample_weight = ops.expand_dims(ops.cast(sample_weight, dtype), axis=-1)
        _, sample_weight = squeeze_or_expand_to_same_rank(y_true, sample_weight, expand_rank_1=False)
    if top_k is not None:
        _, places = ops.top_k(y_pred, top_k)
        chosen = ops.sum(ops.one_hot(places, y_pred.shape[-1], dtype=dtype), axis=-2)
        y_pred = ops.where(ops.greater(chosen, 0.0), y_pred, LOWEST)
    if class_id is not None:
        if len(y_pred.shape) == 1:
            raise ValueError(
                "When class_id is provided, y_pred must be a 2D array with shape (num_samples, num_classes), found "
                f"shape: {tuple(y_pred.shape)}"
            )
        y_true = y_true[..., class_id : class_id + 1]
        y_pred = y_pred[..., class_id : class_id + 1]
    weight = ops.ones_like(y_pred)
    if sample_weight is not None:
        weight = ops.broadcast_to(sample_weight, y_pred.shape)
    if label_weights is not None:
        weight = weight * ops.cast(label_weights, dtype)

    # Rows are labels that count by themselves, columns the elements of each.
    rows = tuple(y_pred.shape) if multi_label else (-1, 1)
    label = ops.transpose(ops.reshape(ops.not_equal(y_true, 0.0), rows))
    y_pred, weight = (ops.transpose(ops.reshape(x, rows)) for x in (y_pred, weight))
    zero = ops.zeros_like(weight)
    of = {True: ops.where(label, weight, zero), False: ops.where(label, zero, weight)}
    above: dict[bool, Any] = {}  # by target: weight of the predictions above each threshold, [labels, thresholds]
    if thresholds_distributed_evenly:
        outside = bool(thresholds[0] < 0.0 or thresholds[-1] > 1.0)
        place = _places(y_pred, len(thresholds), outside)
        above = {actual: _from_top(place, value, len(thresholds)) for actual, value in of.items()}
    else:
        column = ops.reshape(ops.convert_to_tensor(thresholds, dtype=dtype), (1, -1, 1))
        hit = ops.greater(ops.expand_dims(y_pred, 1), column)  # [labels, thresholds, elements]
        for actual, value in of.items():
            above[actual] = ops.sum(ops.where(hit, ops.expand_dims(value, 1), 0.0), axis=-1)
    for cell, variable in variables_to_update.items():
        count = above[cell.actual]
        if not cell.predicted:
            count = ops.sum(of[cell.actual], axis=-1, keepdims=True) - count
        variable.assign_add(ops.transpose(count) if multi_label else ops.reshape(count, (-1,)))


def _places(y_pred: Any, count: int, outside: bool) -> Any:
    """How many of `count` even thresholds are below each prediction, minus 1.

    Args:
        outside: the first threshold is a little below 0, so that all predictions are above it.
    """
    place = ops.ceil(ops.clip(y_pred, 0.0, 1.0) * float(count - 1)) - 1.0
    return ops.cast(ops.maximum(place, 0.0) if outside else place, "int32")


def _from_top(place: Any, weight: Any, count: int) -> Any:
    """Weight of the elements above each threshold: [labels, count] from places and weights ``[labels, elements]``."""
    labels = place.shape[0]
    weight = ops.where(ops.less(place, 0), ops.zeros_like(weight), weight)
    place = ops.maximum(place, 0) + ops.expand_dims(ops.arange(labels, dtype="int32") * count, 1)
    buckets = ops.segment_sum(ops.reshape(weight, (-1,)), ops.reshape(place, (-1,)), labels * count)
    buckets = ops.reshape(buckets, (labels, count))
    return ops.flip(ops.cumsum(ops.flip(buckets, axis=1), axis=1), axis=1)


def confusion_matrix(labels: Any, predictions: Any, num_classes: int, weights: Any = None, dtype: str = "int32") -> Any:
    """How often (or with what weight) class i was predicted as class j: ``[num_classes, num_classes]``.

    Args:
        labels: ``[n]`` class numbers, each less than `num_classes`.
        predictions: ``[n]`` class numbers.
        weights: ``[n]``, or None to count.
        dtype: of the result.
    """
    labels, predictions = ops.convert_to_tensor(labels), ops.convert_to_tensor(predictions)
    labels, predictions = squeeze_or_expand_to_same_rank(labels, predictions)
    labels, predictions = ops.cast(labels, "int32"), ops.cast(predictions, "int32")
    values = ops.ones_like(predictions, dtype) if weights is None else ops.convert_to_tensor(weights, dtype=dtype)
    cells = ops.segment_sum(values, labels * num_classes + predictions, num_classes * num_classes)
    return ops.reshape(cells, (num_classes, num_classes))
