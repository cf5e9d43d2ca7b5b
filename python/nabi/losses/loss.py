"""The base of all losses: masks, weights and the reduction to a scalar."""

from __future__ import annotations

import contextlib
from typing import Any, Self

import numpy as np

from nabi import dtype_policies, dtypes, names, ops, tree
from nabi.ops._dispatch import op

_REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)


class Loss:
    """A loss: ``call(y_true, y_pred)`` gives one value per sample, which `__call__` weighs and reduces.

    Args:
        name: name of the loss; from the class if None.
        reduction: 'sum_over_batch_size' or 'mean' (sum of the weighted values over the *number* of values), 'sum',
            'mean_with_sample_weight' (sum over the sum of the weights), 'none' or None (no reduction).
        dtype: in which it is computed; None is ``config.floatx()``. A 16-bit float is computed in float32 and kept for
            results outside of traces (bfloat16 where the package ml_dtypes is installed).

    Raises:
        ValueError: for another reduction.

    Source: Keras 3.15, `keras.losses.Loss`.
    """

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        self.name: str = name or names.auto_name(type(self).__name__)
        self.reduction = standardize_reduction(reduction)
        self._dtype = dtype_policies.computed_dtype(dtype)
        self._result_dtype = dtypes.standardize_dtype(getattr(dtype, "compute_dtype", dtype))

    @property
    def dtype(self) -> str:
        """The dtype in which the loss is computed."""
        return self._dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The loss of predictions.

        Args:
            y_true: targets.
            y_pred: predictions; a mask that they carry leaves samples out.
            sample_weight: a factor for each value of the loss, of its shape or of one that broadcasts to it.

        Returns:
            A scalar, or without reduction the values of `call`.
        """
        in_mask = getattr(y_pred, "_keras_mask", None)
        y_pred = tree.map_structure(lambda x: ops.convert_to_tensor(x, dtype=self.dtype), y_pred)
        y_true = tree.map_structure(self._convert_target, y_true)
        values = self.call(y_true, y_pred)
        if values is None:
            raise ValueError(f"The loss '{self.name}' must return a tensor of one value per sample. Received: None")
        mask = merge_masks(in_mask, getattr(values, "_keras_mask", None))
        result = reduce_weighted_values(values, sample_weight, mask, self.reduction, self.dtype)
        return self._stored(result) if self._result_dtype != self.dtype else result

    def _stored(self, result: Any) -> Any:
        """A number computed for the user in the dtype asked for, where arrays can have it."""
        if isinstance(result, np.ndarray):
            with contextlib.suppress(NotImplementedError):
                return ops.cast(result, self._result_dtype)
        return result

    def _convert_target(self, y_true: Any) -> Any:
        return ops.convert_to_tensor(y_true, dtype=self.dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value per sample, for subclasses."""
        raise NotImplementedError(f"Loss '{type(self).__name__}' must override `call(self, y_true, y_pred)`.")

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A loss of this class from what `get_config` returned."""
        return cls(**config)


def standardize_reduction(reduction: str | None) -> str | None:
    """`reduction` if it is one; ValueError otherwise."""
    if reduction not in _REDUCTIONS:
        raise ValueError(
            "Invalid value for argument `reduction`. Expected one of "
            f"{set(_REDUCTIONS)}. Received: reduction={reduction}"
        )
    return reduction


def merge_masks(one: Any, other: Any) -> Any:
    """True where both masks are; None is no mask."""
    if one is None or other is None:
        return other if one is None else one
    return ops.logical_and(one, other)


def squeeze_or_expand_to_same_rank(x1: Any, x2: Any, expand_rank_1: bool = True) -> tuple[Any, Any]:
    """Make ranks that differ by 1 equal, where the longer shape ends in 1.

    The longer one loses that axis; with `expand_rank_1` a shorter one of rank 1 gains it instead.
    """
    rank1, rank2 = len(x1.shape), len(x2.shape)
    if rank1 == rank2 + 1 and x1.shape[-1] == 1:
        if rank2 == 1 and expand_rank_1:
            return x1, ops.expand_dims(x2, axis=-1)
        return ops.squeeze(x1, axis=-1), x2
    if rank2 == rank1 + 1 and x2.shape[-1] == 1:
        if rank1 == 1 and expand_rank_1:
            return ops.expand_dims(x1, axis=-1), x2
        return x1, ops.squeeze(x2, axis=-1)
    return x1, x2


def reduce_weighted_values(
    values: Any,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: str | None = "sum_over_batch_size",
    dtype: str | None = None,
) -> Any:
    """`values` times weights, with masked ones out, reduced to a scalar unless `reduction` is none.

    Args:
        values: loss values, any shape.
        sample_weight: weights of the same shape, or without or with a last axis of 1, or one that broadcasts.
        mask: booleans of the shape of `values`. A mean is then taken over the entries that are left.
        reduction: see `Loss`.
        dtype: of the computation.
    """
    return _reduce(values, sample_weight, mask, standardize_reduction(reduction), dtype)


@op
def _reduce(values: Any, sample_weight: Any, mask: Any, reduction: str | None, dtype: str | None) -> Any:
    values = ops.convert_to_tensor(values, dtype=dtype)
    weight = apply_mask(sample_weight, mask, values.dtype, reduction)
    if weight is not None:
        values, weight = squeeze_or_expand_to_same_rank(values, weight)
        values = values * weight
    if reduction in (None, "none") or tuple(values.shape) in ((), (0,)):
        return values
    if reduction == "sum":
        return ops.sum(values)
    if reduction == "mean_with_sample_weight" and weight is not None:
        return ops.divide_no_nan(ops.sum(values), ops.sum(weight))
    if 0 in values.shape:
        return ops.sum(values)
    return ops.mean(values)


def apply_mask(sample_weight: Any, mask: Any, dtype: str, reduction: str | None) -> Any:
    """`sample_weight` (None: 1) times `mask` (None: all true), as a tensor of `dtype`; None if both are None.

    For a mean the mask counts ``entries / valid entries``, so that a sum over all entries divided by their number is
    the mean over the valid ones; no valid entry gives 0.
    """
    if sample_weight is not None:
        sample_weight = ops.convert_to_tensor(sample_weight, dtype=dtype)
    if mask is None:
        return sample_weight
    weight = ops.cast(mask, dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        # x != 0 counts as valid, as in Keras, whatever dtype the mask comes in.
        total = 1
        for dim in mask.shape:
            total *= dim
        factor = ops.divide_no_nan(ops.convert_to_tensor(float(total), dtype=dtype), ops.sum(weight))
        weight = ops.where(ops.cast(mask, "bool"), factor, ops.zeros_like(factor))
    if sample_weight is None:
        return weight
    weight, sample_weight = squeeze_or_expand_to_same_rank(weight, sample_weight)
    return sample_weight * weight
