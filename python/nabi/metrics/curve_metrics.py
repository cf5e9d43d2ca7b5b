"""Metrics over a grid of thresholds: area under a curve, one rate at a bound on another.

Formulas of Keras 3.15, `keras.metrics`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nabi import config, ops
from nabi.metrics import metrics_utils
from nabi.metrics.metric import Metric
from nabi.metrics.metrics_utils import AUCCurve, AUCSummationMethod, ConfusionMatrix


class _Grid(Metric):
    """A metric with the four counts of the confusion matrix at each threshold."""

    _direction = "up"
    true_positives: Any
    false_positives: Any
    true_negatives: Any
    false_negatives: Any

    def _add_counts(self, shape: tuple[int, ...]) -> None:
        for name in ("true_positives", "false_positives", "true_negatives", "false_negatives"):
            setattr(self, name, self.add_variable(shape, "zeros", name=name))

    def _cells(self) -> dict[ConfusionMatrix, Any]:
        return {cell: getattr(self, cell.name.lower()) for cell in ConfusionMatrix}

    def _rates(self) -> dict[str, Any]:
        """Recall, specificity, precision and false positive rate per threshold; 0 where undefined."""
        tp, fp, tn, fn = self.true_positives, self.false_positives, self.true_negatives, self.false_negatives
        return {
            "recall": ops.divide_no_nan(tp, ops.add(tp, fn)),
            "specificity": ops.divide_no_nan(tn, ops.add(tn, fp)),
            "precision": ops.divide_no_nan(tp, ops.add(tp, fp)),
            "fall_out": ops.divide_no_nan(fp, ops.add(fp, tn)),
        }


class SensitivitySpecificityBase(_Grid):
    """The best value of one rate among the thresholds where another rate is at least `value`; 0 without any.

    Args:
        value: the bound, in [0, 1].
        num_thresholds: how many thresholds divide [0, 1].
        class_id: only this class of the last axis counts.

    Raises:
        ValueError: `value` out of range, or no thresholds; in `update_state` a `class_id` with predictions of rank 1.
    """

    _bound = ""  # name of the argument, which is also a key of the config
    _bounded = ""  # the rate it bounds
    _best = ""  # the rate that is reported

    def __init__(
        self,
        value: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if value < 0 or value > 1:
            raise ValueError(f"Argument `{self._bound}` must be in the range [0, 1]. Received: {self._bound}={value}")
        super().__init__(name=name, dtype=dtype)
        if num_thresholds <= 0:
            raise ValueError(
                f"Argument `num_thresholds` must be an integer > 0. Received: num_thresholds={num_thresholds}"
            )
        self.value = value
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        self.thresholds = [0.5] if num_thresholds == 1 else [0.0, *metrics_utils.grid(num_thresholds), 1.0]
        self._add_counts((len(self.thresholds),))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch: targets 0 and 1, predictions in [0, 1] of the same shape. Ranks are matched."""
        metrics_utils.update_confusion_matrix_variables(
            self._cells(),
            y_true,
            y_pred,
            thresholds=self.thresholds,
            thresholds_distributed_evenly=len(self.thresholds) > 1,
            class_id=self.class_id,
            sample_weight=sample_weight,
        )

    def result(self) -> Any:
        """The best value, a scalar."""
        rates = self._rates()
        feasible = ops.greater_equal(rates[self._bounded], self.value)
        return ops.max(ops.where(feasible, rates[self._best], 0.0), initial=0)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"num_thresholds": self.num_thresholds, self._bound: self.value, "class_id": self.class_id}
        return {**super().get_config(), **own}


class SensitivityAtSpecificity(SensitivitySpecificityBase):
    """The best sensitivity among the thresholds whose specificity is at least the given one."""

    _bound, _bounded, _best = "specificity", "specificity", "recall"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)
        self.specificity = specificity


class SpecificityAtSensitivity(SensitivitySpecificityBase):
    """The best specificity among the thresholds whose sensitivity is at least the given one."""

    _bound, _bounded, _best = "sensitivity", "recall", "specificity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)
        self.sensitivity = sensitivity


class PrecisionAtRecall(SensitivitySpecificityBase):
    """The best precision among the thresholds whose recall is at least the given one."""

    _bound, _bounded, _best = "recall", "recall", "precision"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)
        self.recall = recall


class RecallAtPrecision(SensitivitySpecificityBase):
    """The best recall among the thresholds whose precision is at least the given one."""

    _bound, _bounded, _best = "precision", "precision", "recall"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)
        self.precision = precision


class AUC(_Grid):
    """The area under a curve of the confusion matrix, approximated by a Riemann sum over thresholds.

    Args:
        num_thresholds: how many thresholds divide [0, 1], at least 2.
        curve: 'ROC' (recall over false positive rate), 'PR' (precision over recall) or 'PRGAIN' (the same as gains
            over the share of positives).
        summation_method: 'interpolation' (trapezoids; for 'PR' the interpolation of Davis and Goadrich), 'minoring'
            or 'majoring' (the lower or higher end of each interval).
        thresholds: thresholds in [0, 1] to be used instead of `num_thresholds`; 0 and 1 are added.
        multi_label: the mean of the areas of the labels of the last axis, not one area of all elements.
        num_labels: how many labels there are with `multi_label`; None: from the first batch.
        label_weights: a weight for each label; without `multi_label` it is a factor of the label's elements.
        from_logits: predictions are logits.

    Raises:
        ValueError: for another curve or method, fewer than 2 thresholds, `num_labels` without `multi_label`, or in
            `update_state` predictions that are not ``[n, labels]`` with `multi_label`.
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str | AUCCurve = "ROC",
        summation_method: str | AUCSummationMethod = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._init_from_thresholds = thresholds is not None
        if thresholds is not None:
            self.num_thresholds = len(thresholds) + 2
            inner = sorted(thresholds)
            self._evenly = metrics_utils.is_evenly_distributed_thresholds(np.array([0.0, *inner, 1.0]))
        else:
            if num_thresholds <= 1:
                raise ValueError(
                    f"Argument `num_thresholds` must be an integer > 1. Received: num_thresholds={num_thresholds}"
                )
            self.num_thresholds = num_thresholds
            inner = metrics_utils.grid(num_thresholds)
            self._evenly = True
        # The outer ones lie a little outside, so that rounding does not move predictions 0 and 1 across them.
        self._thresholds = np.array([0.0 - config.epsilon(), *inner, 1.0 + config.epsilon()])
        self.curve = curve if isinstance(curve, AUCCurve) else AUCCurve.from_str(curve)
        self.summation_method = (
            summation_method
            if isinstance(summation_method, AUCSummationMethod)
            else AUCSummationMethod.from_str(summation_method)
        )
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else np.asarray(label_weights, self.dtype)
        self._from_logits = from_logits
        self._built = False
        if not multi_label:
            if num_labels:
                raise ValueError("`num_labels` is needed only when `multi_label` is True.")
            self._build(())
        elif num_labels:
            self._build((None, num_labels))

    @property
    def thresholds(self) -> list[float]:
        """All thresholds, in rising order."""
        return list(self._thresholds)

    def _build(self, shape: tuple[int | None, ...]) -> None:
        """Adds the state for predictions of that shape."""
        labels: tuple[int, ...] = ()
        if self.multi_label:
            if len(shape) != 2:
                raise ValueError(
                    f"`y_pred` must have rank 2 when `multi_label=True`. Found rank {len(shape)}. "
                    f"Full shape received for `y_pred`: {shape}"
                )
            labels = (int(shape[1] or 0),)
        self._add_counts((self.num_thresholds, *labels))
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch: targets 0 and 1, predictions in [0, 1] (or logits) of the same shape. Ranks are matched."""
        y_pred = ops.convert_to_tensor(y_pred)
        if not self._built:
            self._build(tuple(y_pred.shape))
        if self._from_logits:
            y_pred = ops.sigmoid(y_pred)
        metrics_utils.update_confusion_matrix_variables(
            self._cells(),
            y_true,
            y_pred,
            self._thresholds,
            thresholds_distributed_evenly=self._evenly,
            sample_weight=sample_weight,
            multi_label=self.multi_label,
            label_weights=None if self.multi_label else self.label_weights,
        )

    def result(self) -> Any:
        """The area, a scalar; 0 before the first batch."""
        if not self._built:
            return ops.convert_to_tensor(0.0, dtype=self.dtype)
        last = self.num_thresholds - 1
        if self.curve is AUCCurve.PR and self.summation_method is AUCSummationMethod.INTERPOLATION:
            return self._total(self._interpolated_pr())
        rates = self._rates()
        if self.curve is AUCCurve.ROC:
            x, y = rates["fall_out"], rates["recall"]
        elif self.curve is AUCCurve.PR:
            x, y = rates["recall"], rates["precision"]
        else:
            x, y = self._gains()
        if self.summation_method is AUCSummationMethod.INTERPOLATION:
            heights = (y[:last] + y[1:]) / 2.0
        elif self.summation_method is AUCSummationMethod.MINORING:
            heights = ops.minimum(y[:last], y[1:])
        else:
            heights = ops.maximum(y[:last], y[1:])
        return self._total((x[:last] - x[1:]) * heights)

    def _total(self, parts: Any) -> Any:
        """The parts of the area ``[thresholds - 1, ...]`` summed up; labels averaged."""
        if not self.multi_label:
            return ops.sum(parts)
        areas = ops.sum(parts, axis=0)
        if self.label_weights is None:
            return ops.mean(areas)
        return ops.divide_no_nan(ops.sum(areas * self.label_weights), ops.sum(self.label_weights))

    def _gains(self) -> tuple[Any, Any]:
        """Recall gain and precision gain per threshold; without true positives 0 and 1, and recall gain at least 0."""
        tp, fp, tn, fn = (
            ops.convert_to_tensor(v)
            for v in (self.true_positives, self.false_positives, self.true_negatives, self.false_negatives)
        )
        scale = ops.divide_no_nan(tp + fn, tn + fp)
        none = ops.equal(tp, 0.0)
        recall_gain = ops.where(none, 0.0, 1.0 - scale * ops.divide_no_nan(fn, tp))
        precision_gain = ops.where(none, 1.0, 1.0 - scale * ops.divide_no_nan(fp, tp))
        return ops.maximum(recall_gain, 0.0), precision_gain

    def _interpolated_pr(self) -> Any:
        """Parts of the area under precision over recall, with true positives linear in positives between thresholds.

        Source: Davis & Goadrich, The relationship between precision-recall and ROC curves, 2006.
        """
        last = self.num_thresholds - 1
        tp, fp = ops.convert_to_tensor(self.true_positives), ops.convert_to_tensor(self.false_positives)
        fn = ops.convert_to_tensor(self.false_negatives)
        p = tp + fp
        dtp = tp[:last] - tp[1:]
        slope = ops.divide_no_nan(dtp, ops.maximum(p[:last] - p[1:], 0.0))
        intercept = tp[1:] - slope * p[1:]
        ratio = ops.where(
            ops.logical_and(p[:last] > 0, p[1:] > 0),
            ops.divide_no_nan(p[:last], ops.maximum(p[1:], 0.0)),
            ops.ones_like(p[1:]),
        )
        return ops.divide_no_nan(slope * (dtp + intercept * ops.log(ratio)), ops.maximum(tp[1:] + fn[1:], 0.0))

    def interpolate_pr_auc(self) -> Any:
        """The interpolated area under precision over recall, a scalar."""
        return self._total(self._interpolated_pr())

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own: dict[str, Any] = {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve.value,
            "summation_method": self.summation_method.value,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self._from_logits,
        }
        if self._init_from_thresholds:
            own["thresholds"] = [float(t) for t in self.thresholds[1:-1]]
        return {**super().get_config(), **own}
