"""Metrics of the confusion matrix of thresholded predictions. Formulas of Keras 3.15, `keras.metrics`."""

from __future__ import annotations

from typing import Any

from nabi import ops
from nabi.losses.loss import squeeze_or_expand_to_same_rank
from nabi.metrics.metric import Metric

_LOWEST = -1e10  # threshold and filler that any prediction among the top k exceeds


def _threshold_list(thresholds: Any, default: float) -> list[float]:
    """One threshold or several as a list; the default for None."""
    found = [default] if thresholds is None else thresholds
    found = list(found) if isinstance(found, list | tuple) else [found]
    if thresholds is not None:
        invalid = [t for t in found if t is None or t < 0 or t > 1]
        if invalid:
            raise ValueError(f"Threshold values must be in [0, 1]. Received: {invalid}")
    return found


class _Counts(Metric):
    """Weighted counts of the cells of the confusion matrix, one per threshold; a prediction above it is positive.

    Args:
        cells: names of the cells that are counted, of 'true_positives', 'false_positives', 'true_negatives' and
            'false_negatives'; each becomes a variable.
        thresholds: float or list of floats in [0, 1]; None is 0.5 (with `top_k`: none).
        top_k: only the k largest predictions of the last axis can be positive.
        class_id: only this class of the last axis counts.
    """

    def __init__(
        self,
        cells: tuple[str, ...],
        thresholds: Any,
        name: str | None,
        dtype: Any,
        top_k: int | None = None,
        class_id: int | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        self.thresholds = _threshold_list(thresholds, 0.5 if top_k is None else _LOWEST)
        self._cells = {cell: self.add_variable((len(self.thresholds),), "zeros", name=cell) for cell in cells}

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch: targets 0 and 1, predictions of the same shape. Ranks are matched."""
        dtype = next(iter(self._cells.values())).dtype
        y_pred, y_true = squeeze_or_expand_to_same_rank(ops.cast(y_pred, dtype), ops.cast(y_true, dtype))
        if sample_weight is not None:
            sample_weight = ops.expand_dims(ops.cast(sample_weight, dtype), axis=-1)
            _, sample_weight = squeeze_or_expand_to_same_rank(y_true, sample_weight, expand_rank_1=False)
        if self.top_k is not None:
            _, places = ops.top_k(y_pred, self.top_k)
            chosen = ops.sum(ops.one_hot(places, y_pred.shape[-1], dtype=dtype), axis=-2)
            y_pred = ops.where(ops.greater(chosen, 0.0), y_pred, _LOWEST)
        if self.class_id is not None:
            if len(y_pred.shape) == 1:
                raise ValueError(
                    "When class_id is provided, y_pred must be a 2D array with shape (num_samples, num_classes), found "
                    f"shape: {tuple(y_pred.shape)}"
                )
            y_true = y_true[..., self.class_id : self.class_id + 1]
            y_pred = y_pred[..., self.class_id : self.class_id + 1]
        weight = ops.ones_like(y_pred)
        if sample_weight is not None:
            weight = ops.broadcast_to(sample_weight, y_pred.shape)

        weight = ops.reshape(weight, (1, -1))
        label = ops.reshape(ops.not_equal(y_true, 0.0), (1, -1))
        column = ops.reshape(ops.convert_to_tensor(self.thresholds, dtype=dtype), (-1, 1))
        above = ops.greater(ops.reshape(y_pred, (1, -1)), column)  # [thresholds, elements]
        zero = ops.zeros_like(weight)
        for cell, variable in self._cells.items():
            of_label = ops.where(label, weight, zero) if cell in _ACTUAL else ops.where(label, zero, weight)
            hit = above if cell.endswith("positives") else ops.logical_not(above)
            variable.assign_add(ops.sum(ops.where(hit, of_label, zero), axis=1))

    def _scalar(self, values: Any) -> Any:
        """Without the axis of thresholds where there is one."""
        return values[0] if len(self.thresholds) == 1 else values

    def _share(self, of: str, and_of: str) -> Any:
        """One cell over itself and another; 0 where both are 0."""
        one, other = self._cells[of], self._cells[and_of]
        return self._scalar(ops.divide_no_nan(one, ops.add(one, other)))

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "thresholds": self.init_thresholds}


_ACTUAL = ("true_positives", "false_negatives")  # the cells whose target is 1


class _OneCount(_Counts):
    _cell = ""

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__((self._cell,), thresholds, name, dtype)

    def result(self) -> Any:
        """The count, a scalar, or one per threshold."""
        return self._scalar(ops.convert_to_tensor(self._cells[self._cell]))


class TruePositives(_OneCount):
    """How many targets 1 have a prediction above the threshold."""

    _cell = "true_positives"


class FalsePositives(_OneCount):
    """How many targets 0 have a prediction above the threshold."""

    _cell = "false_positives"


class TrueNegatives(_OneCount):
    """How many targets 0 have a prediction not above the threshold."""

    _cell = "true_negatives"


class FalseNegatives(_OneCount):
    """How many targets 1 have a prediction not above the threshold."""

    _cell = "false_negatives"


class _Share(_Counts):
    """True positives over themselves and another cell."""

    _direction = "up"
    _other = ""

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(("true_positives", self._other), thresholds, name, dtype, top_k, class_id)

    @property
    def true_positives(self) -> Any:
        """The variable of that count."""
        return self._cells["true_positives"]

    def result(self) -> Any:
        """The share, a scalar, or one per threshold; 0 without any positives."""
        return self._share("true_positives", self._other)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {**super().get_config(), "top_k": self.top_k, "class_id": self.class_id}


class Precision(_Share):
    """Which share of the predictions above the threshold is right.

    Args:
        thresholds: float or list of floats in [0, 1]; None is 0.5.
        top_k: only the k largest predictions of the last axis can be positive.
        class_id: only this class of the last axis counts.

    Raises:
        ValueError: for a threshold out of range, or a `class_id` with predictions of rank 1.
    """

    _other = "false_positives"

    @property
    def false_positives(self) -> Any:
        """The variable of that count."""
        return self._cells["false_positives"]


class Recall(_Share):
    """Which share of the targets 1 has a prediction above the threshold. Arguments are those of `Precision`."""

    _other = "false_negatives"

    @property
    def false_negatives(self) -> Any:
        """The variable of that count."""
        return self._cells["false_negatives"]
