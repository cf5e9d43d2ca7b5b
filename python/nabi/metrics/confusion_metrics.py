"""Metrics of the confusion matrix of thresholded predictions. Formulas of Keras 3.15, `keras.metrics`."""

from __future__ import annotations

from typing import Any

from nabi import ops
from nabi.metrics.metric import Metric
from nabi.metrics.metrics_utils import (
    LOWEST,
    ConfusionMatrix,
    is_evenly_distributed_thresholds,
    parse_init_thresholds,
    update_confusion_matrix_variables,
)


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
        self.thresholds = parse_init_thresholds(thresholds, 0.5 if top_k is None else LOWEST)
        self._evenly = is_evenly_distributed_thresholds(self.thresholds)
        self._cells = {cell: self.add_variable((len(self.thresholds),), "zeros", name=cell) for cell in cells}

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch: targets 0 and 1, predictions of the same shape. Ranks are matched."""
        update_confusion_matrix_variables(
            {ConfusionMatrix[cell.upper()]: variable for cell, variable in self._cells.items()},
            y_true,
            y_pred,
            self.thresholds,
            top_k=self.top_k,
            class_id=self.class_id,
            sample_weight=sample_weight,
            thresholds_distributed_evenly=self._evenly,
        )

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
