"""Loss functions: predictions and targets in, one value per sample out (the last axis is gone).

Formulas and messages are those of Keras 3.15, `keras.losses`. Each takes arrays (and runs at once), traced tensors or
symbolic tensors; `y_true` is cast to the dtype of `y_pred`, and shapes whose ranks differ by a last axis of 1 are
matched where it is said so.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

from nabi import config, dtypes, ops
from nabi.losses.loss import squeeze_or_expand_to_same_rank
from nabi.ops._dispatch import op


def _pair(y_true: Any, y_pred: Any, match: bool = True) -> tuple[Any, Any]:
    """Both as tensors of the dtype of `y_pred`, the ranks matched."""
    y_pred = ops.convert_to_tensor(y_pred)
    if not dtypes.is_float(y_pred.dtype):
        y_pred = ops.cast(y_pred, config.floatx())
    y_true = ops.cast(y_true, y_pred.dtype)
    return squeeze_or_expand_to_same_rank(y_true, y_pred) if match else (y_true, y_pred)


def _value(x: Any) -> Any:
    """`x` as something that has a shape."""
    return x if hasattr(x, "shape") else ops.convert_to_tensor(x)


# Regression


@op
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``(y_true - y_pred)**2`` over the last axis. Ranks are matched."""
    y_true, y_pred = _pair(y_true, y_pred)
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


@op
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``|y_true - y_pred|`` over the last axis. Ranks are matched."""
    y_true, y_pred = _pair(y_true, y_pred)
    return ops.mean(ops.abs(y_true - y_pred), axis=-1)


@op
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 times the mean of ``|y_true - y_pred| / max(|y_true|, epsilon)`` over the last axis. Ranks are matched."""
    y_true, y_pred = _pair(y_true, y_pred)
    return 100.0 * ops.mean(ops.abs((y_true - y_pred) / ops.maximum(ops.abs(y_true), config.epsilon())), axis=-1)


@op
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of the squared difference of ``log(max(y, epsilon) + 1)`` over the last axis. Ranks are matched."""
    y_true, y_pred = _pair(y_true, y_pred)
    first = ops.log(ops.maximum(y_pred, config.epsilon()) + 1.0)
    second = ops.log(ops.maximum(y_true, config.epsilon()) + 1.0)
    return ops.mean(ops.square(first - second), axis=-1)


@op
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Minus the cosine of the angle between the vectors along `axis`; 0 for a zero vector. Ranks are matched."""
    return -cosine(y_true, y_pred, axis)


def cosine(y_true: Any, y_pred: Any, axis: int) -> Any:
    """The cosine of the angle between the vectors along `axis`; 0 for a zero vector."""
    y_true, y_pred = _pair(y_true, y_pred)
    return ops.sum(ops.normalize(y_true, axis=axis) * ops.normalize(y_pred, axis=axis), axis=axis)


@op
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Mean over the last axis of ``e**2 / 2`` where ``|e| <= delta``, else ``delta * |e| - delta**2 / 2``.

    e is ``y_pred - y_true``. Ranks are matched.
    """
    y_true, y_pred = _pair(y_true, y_pred)
    error = y_pred - y_true
    size = ops.abs(error)
    far = delta * size - 0.5 * delta * delta
    return ops.mean(ops.where(ops.less_equal(size, delta), 0.5 * ops.square(error), far), axis=-1)


@op
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``log(cosh(y_pred - y_true))`` over the last axis. Ranks are matched."""
    y_true, y_pred = _pair(y_true, y_pred)
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(error * -2.0) - math.log(2.0), axis=-1)


# Margins


def _signs(y_true: Any) -> Any:
    """Labels 0 and 1 as -1 and 1, if all labels are 0 or 1; else as they are."""
    binary = ops.all(ops.logical_or(ops.equal(y_true, 0.0), ops.equal(y_true, 1.0)))
    return ops.where(binary, 2.0 * y_true - 1.0, y_true)


@op
def hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``max(1 - y_true * y_pred, 0)`` over the last axis; labels -1 and 1, or 0 and 1."""
    y_true, y_pred = _pair(y_true, y_pred, match=False)
    return ops.mean(ops.maximum(1.0 - _signs(y_true) * y_pred, 0.0), axis=-1)


@op
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``max(1 - y_true * y_pred, 0)**2`` over the last axis; labels -1 and 1, or 0 and 1."""
    y_true, y_pred = _pair(y_true, y_pred, match=False)
    return ops.mean(ops.square(ops.maximum(1.0 - _signs(y_true) * y_pred, 0.0)), axis=-1)


@op
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """``max(neg - pos + 1, 0)``: pos the sum of ``y_true * y_pred`` over the last axis, neg the largest other."""
    y_true, y_pred = _pair(y_true, y_pred, match=False)
    pos = ops.sum(y_true * y_pred, axis=-1)
    neg = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(neg - pos + 1.0, 0.0)


# Probabilities


@op
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """Sum of ``y_true * log(y_true / y_pred)`` over the last axis, both clipped to [epsilon, 1]."""
    y_true, y_pred = _pair(y_true, y_pred, match=False)
    y_true = ops.clip(y_true, config.epsilon(), 1.0)
    y_pred = ops.clip(y_pred, config.epsilon(), 1.0)
    return ops.sum(y_true * ops.log(y_true / y_pred), axis=-1)


@op
def poisson(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``y_pred - y_true * log(y_pred + epsilon)`` over the last axis."""
    y_true, y_pred = _pair(y_true, y_pred, match=False)
    return ops.mean(y_pred - y_true * ops.log(y_pred + config.epsilon()), axis=-1)


def _check_classes(loss: str, shape: tuple[int | None, ...], axis: int) -> None:
    if isinstance(axis, bool):
        raise ValueError(f"`axis` must be of type `int`. Received: axis={axis} of type {type(axis)}")
    if shape and shape[-1] == 1:
        warnings.warn(
            f"In loss {loss}, expected y_pred.shape to be (batch_size, num_classes) with num_classes > 1. Received: "
            f"y_pred.shape={shape}. Consider using 'binary_crossentropy' if you only have 2 classes.",
            SyntaxWarning,
            stacklevel=3,
        )


def _smoothed(y_true: Any, label_smoothing: float) -> Any:
    """One-hot targets moved towards the uniform distribution."""
    if not label_smoothing:
        return y_true
    return y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[-1]


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """Minus the sum of ``y_true * log(p)`` over `axis`.

    From probabilities, p is `y_pred` scaled to sum 1 and clipped to [epsilon, 1 - epsilon]. From logits, and in a trace
    also when `y_pred` comes out of a softmax, it is the softmax, in one stable step.

    Args:
        y_true: one-hot or soft targets, the shape of `y_pred`.
        y_pred: float ``[..., classes]``.
        from_logits: `y_pred` are logits.
        label_smoothing: s moves each target to ``y * (1 - s) + s / classes``.
        axis: of the classes.

    Raises:
        ValueError: if the shapes differ.
    """
    y_true, y_pred = _value(y_true), _value(y_pred)
    _check_classes("categorical_crossentropy", tuple(y_pred.shape), axis)
    return _categorical(y_true, y_pred, bool(from_logits), float(label_smoothing), axis)


@op
def _categorical(y_true: Any, y_pred: Any, from_logits: bool, label_smoothing: float, axis: int) -> Any:
    y_true, y_pred = _pair(y_true, y_pred, match=False)
    return ops.categorical_crossentropy(_smoothed(y_true, label_smoothing), y_pred, from_logits=from_logits, axis=axis)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Any:
    """`categorical_crossentropy` for integer targets.

    Args:
        y_true: class numbers from 0, the shape of `y_pred` without `axis` (or with length 1 there).
        y_pred: float ``[..., classes]``.
        from_logits: `y_pred` are logits.
        ignore_class: targets of this class give 0 and are masked, so that a mean is over the others.
        axis: of the classes.

    Raises:
        ValueError: if the shapes do not fit; when it runs, for a class outside ``[0, classes)``.
    """
    y_true, y_pred = _value(y_true), _value(y_pred)
    rank = len(y_pred.shape)
    if len(y_true.shape) == rank and -rank <= axis < rank and y_true.shape[axis] == 1:
        y_true = ops.squeeze(y_true, axis=axis)
    if ignore_class is None:
        return ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    valid = ops.not_equal(y_true, ignore_class)
    y_true = ops.where(valid, y_true, ops.zeros_like(y_true))
    values = ops.sparse_categorical_crossentropy(y_true, y_pred, from_logits=from_logits, axis=axis)
    values = ops.where(valid, values, ops.zeros_like(values))
    values._keras_mask = valid
    return values


def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Any:
    """Mean of ``-y_true * log(p) - (1 - y_true) * log(1 - p)`` over `axis`.

    From probabilities, p is `y_pred` clipped to [epsilon, 1 - epsilon]. From logits, and in a trace also when `y_pred`
    comes out of a sigmoid, it is the sigmoid, in one stable step.

    Args:
        y_true: targets in [0, 1], the shape of `y_pred`.
        y_pred: float, any shape of rank 1 or more.
        from_logits: `y_pred` are logits.
        label_smoothing: s moves each target to ``y * (1 - s) + s / 2``.
        axis: of the mean.

    Raises:
        ValueError: if the shapes differ.
    """
    return _binary(y_true, y_pred, bool(from_logits), float(label_smoothing), axis)


@op
def _binary(y_true: Any, y_pred: Any, from_logits: bool, label_smoothing: float, axis: int) -> Any:
    y_true, y_pred = _pair(y_true, y_pred, match=False)
    return ops.mean(
        ops.binary_crossentropy(_halved(y_true, label_smoothing), y_pred, from_logits=from_logits), axis=axis
    )


def _halved(y_true: Any, label_smoothing: float) -> Any:
    """Targets 0 and 1 moved towards one half."""
    return y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true


@op
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Binary cross-entropy times ``(1 - p_t) ** gamma``, p_t being the probability of the true class; mean over `axis`.

    Args:
        apply_class_balancing: also times `alpha` for class 1 and ``1 - alpha`` for class 0.

    Source: Lin et al. 2018, arXiv:1708.02002.
    """
    y_true, y_pred = _pair(y_true, y_pred, match=False)
    y_true = _halved(y_true, label_smoothing)
    # A sigmoid made here is clipped like any probability, as in Keras: the factor needs p as well.
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    terms = ops.binary_crossentropy(y_true, p)
    p_t = y_true * p + (1.0 - y_true) * (1.0 - p)
    terms = ops.power(1.0 - p_t, gamma) * terms
    if apply_class_balancing:
        terms = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * terms
    return ops.mean(terms, axis=axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Sum over `axis` of ``alpha * (1 - p) ** gamma`` times the cross-entropy of each class.

    Source: Lin et al. 2018, arXiv:1708.02002.
    """
    y_true, y_pred = _value(y_true), _value(y_pred)
    _check_classes("categorical_focal_crossentropy", tuple(y_pred.shape), axis)
    return _categorical_focal(y_true, y_pred, alpha, gamma, bool(from_logits), float(label_smoothing), axis)


@op
def _categorical_focal(
    y_true: Any, y_pred: Any, alpha: Any, gamma: float, from_logits: bool, label_smoothing: float, axis: int
) -> Any:
    y_true, y_pred = _pair(y_true, y_pred, match=False)
    y_true = _smoothed(y_true, label_smoothing)
    p = ops.softmax(y_pred, axis=axis) if from_logits else y_pred
    p = ops.clip(p / ops.sum(p, axis=axis, keepdims=True), config.epsilon(), 1.0 - config.epsilon())
    weight = ops.power(1.0 - p, gamma) * alpha
    return ops.sum(weight * (-y_true * ops.log(p)), axis=axis)


@op
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """``(1 - p ** q) / q`` with p the probability of the true class; robust against wrong labels.

    Args:
        y_true: class numbers from 0, the shape of `y_pred` without its last axis.
        q: in (0, 1).

    Raises:
        ValueError: targets with as many axes as the probabilities: they are not one-hot.

    Source: Zhang and Sabuncu 2018, arXiv:1805.07836.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if len(y_true.shape) >= len(y_pred.shape) and y_true.shape[-1] != 1:
        raise ValueError(
            "categorical_generalized_cross_entropy: requires `y_true` to hold class numbers, of the shape of `y_pred` "
            f"without its last axis. Received: y_true.shape={tuple(y_true.shape)}, y_pred.shape={tuple(y_pred.shape)}"
        )
    one_hot = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1], dtype=y_pred.dtype)
    return (1.0 - ops.power(ops.sum(y_pred * one_hot, axis=-1), q)) / q


@op
def ctc(y_true: Any, y_pred: Any) -> Any:
    """Minus the log-probability of the labels over all their alignments with the logits: one value per row.

    Args:
        y_true: class numbers ``[n, labels]``; 0 is the blank, which also fills up short rows.
        y_pred: logits ``[n, steps, classes]``.

    Raises:
        ValueError: other ranks.
    """
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if len(y_true.shape) != 2:
        raise ValueError(
            "Targets `y_true` are expected to be a tensor of shape `(batch_size, max_length)` in integer format. "
            f"Received: y_true.shape={tuple(y_true.shape)}"
        )
    if len(y_pred.shape) != 3:
        raise ValueError(
            "Logits `y_pred` are expected to be a tensor of shape `(batch_size, max_length, num_classes)`. "
            f"Received: y_pred.shape={tuple(y_pred.shape)}"
        )
    steps = ops.full((y_pred.shape[0],), y_pred.shape[1], dtype="int32")
    labels = ops.sum(ops.cast(ops.not_equal(y_true, 0), "int32"), axis=-1)
    return ops.ctc_loss(ops.cast(y_true, "int32"), y_pred, labels, steps, mask_index=0)


# Overlap and similarity


@op
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """``1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred) + epsilon)``, sums over `axis` (None: all)."""
    y_true, y_pred = _pair(y_true, y_pred, match=False)
    both = ops.sum(y_true * y_pred, axis=axis)
    total = ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis)
    return 1.0 - 2.0 * both / (total + config.epsilon())


@op
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Any:
    """``1 - tp / (tp + alpha * fp + beta * fn + epsilon)``, sums over `axis` (None: all).

    As in Keras, `alpha` weighs what is in `y_true` only and `beta` what is in `y_pred` only.

    Source: Salehi et al. 2017, arXiv:1706.05721.
    """
    y_true, y_pred = _pair(y_true, y_pred, match=False)
    both = ops.sum(y_true * y_pred, axis=axis)
    missed = ops.sum((1.0 - y_pred) * y_true, axis=axis)
    extra = ops.sum(y_pred * (1.0 - y_true), axis=axis)
    return 1.0 - both / (both + missed * alpha + extra * beta + config.epsilon())


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> Any:
    """Circle loss of unit embeddings (Sun et al. 2020, arXiv:2002.10857): one value per row, masked where it is 0.

    Args:
        y_true: integer labels ``[n]`` or ``[n, 1]``.
        y_pred: L2-normalised embeddings ``[n, d]``.
        ref_labels: labels of the references; None: `y_true`.
        ref_embeddings: references ``[m, d]``; None: `y_pred`.
        remove_diagonal: do not compare a row with itself.
        gamma: scale of the similarities.
        margin: relaxation of the decision boundary.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    labels = ops.reshape(ops.cast(y_true, "int32"), (-1, 1))
    references = y_pred if ref_embeddings is None else ops.convert_to_tensor(ref_embeddings)
    others = labels if ref_labels is None else ops.reshape(ops.cast(ref_labels, "int32"), (-1, 1))
    values = _circle(labels, y_pred, others, references, bool(remove_diagonal), float(gamma), float(margin))
    values._keras_mask = ops.greater(values, 0.0)
    return values


@op
def _circle(
    labels: Any, y_pred: Any, others: Any, references: Any, remove_diagonal: bool, gamma: float, margin: float
) -> Any:
    distance = ops.maximum(1.0 - ops.matmul(y_pred, ops.transpose(references)), 0.0)
    same = ops.equal(labels, ops.transpose(others))
    positive, negative = same, ops.logical_not(same)
    if remove_diagonal:
        rows, columns = same.shape
        diagonal = ops.equal(ops.reshape(ops.arange(rows), (-1, 1)), ops.reshape(ops.arange(columns), (1, -1)))
        positive = ops.logical_and(positive, ops.logical_not(diagonal))
    lowest = float("-inf")
    near = -gamma * ops.maximum(margin + distance, 0.0) * (margin - distance)
    far = gamma * ops.maximum(1.0 + margin - distance, 0.0) * (1.0 - margin - distance)
    p_loss = ops.logsumexp(ops.where(positive, near, lowest), axis=1)
    n_loss = ops.logsumexp(ops.where(negative, far, lowest), axis=1)
    return ops.softplus(p_loss + n_loss)
