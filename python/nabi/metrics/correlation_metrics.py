"""How far predictions move with targets. Formulas of Keras 3.15, `keras.metrics`."""

from __future__ import annotations

from typing import Any

from nabi import config, ops
from nabi.losses.loss import squeeze_or_expand_to_same_rank
from nabi.metrics.reduction_metrics import FunctionMetric
from nabi.ops._dispatch import op


@op
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The linear correlation of targets and predictions along `axis`, in [-1, 1]. Ranks are matched."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true, y_pred = squeeze_or_expand_to_same_rank(ops.convert_to_tensor(y_true, dtype=y_pred.dtype), y_pred)
    y_true = y_true - ops.mean(y_true, axis=axis, keepdims=True)
    y_pred = y_pred - ops.mean(y_pred, axis=axis, keepdims=True)
    y_true = y_true / ops.std(y_true, axis=axis, keepdims=True)
    y_pred = y_pred / ops.std(y_pred, axis=axis, keepdims=True)
    return ops.mean(y_true * y_pred, axis=axis)


@op
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """How far predictions equal targets along `axis`: correlation with the means' difference counted against it."""
    y_pred = ops.convert_to_tensor(y_pred)
    y_true, y_pred = squeeze_or_expand_to_same_rank(ops.convert_to_tensor(y_true, dtype=y_pred.dtype), y_pred)
    true_mean = ops.mean(y_true, axis=axis, keepdims=True)
    pred_mean = ops.mean(y_pred, axis=axis, keepdims=True)
    true_var = ops.var(y_true - true_mean, axis=axis, keepdims=True)
    pred_var = ops.var(y_pred - pred_mean, axis=axis, keepdims=True)
    # As Keras has it: from the predictions' mean, which the factor beside it makes no difference to.
    covariance = (y_true - pred_mean) * (y_pred - pred_mean)
    norm = true_var + pred_var + ops.square(true_mean - pred_mean)
    return ops.mean(2.0 * covariance / (norm + config.epsilon()), axis=axis)


class PearsonCorrelation(FunctionMetric):
    """The mean linear correlation of targets and predictions along `axis`."""

    _direction = "up"

    def __init__(self, name: str = "pearson_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(pearson_correlation, name, dtype, axis=axis)
        self.axis = axis


class ConcordanceCorrelation(FunctionMetric):
    """The mean concordance of targets and predictions along `axis`."""

    _direction = "up"

    def __init__(self, name: str = "concordance_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(concordance_correlation, name, dtype, axis=axis)
        self.axis = axis
