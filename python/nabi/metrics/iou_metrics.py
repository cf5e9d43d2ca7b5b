"""Intersection over union of predicted and true classes. Formulas of Keras 3.15, `keras.metrics`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from nabi import config, ops
from nabi.metrics.metric import Metric
from nabi.metrics.metrics_utils import confusion_matrix


class IoU(Metric):
    """``TP / (TP + FP + FN)`` of each target class, averaged over the classes that occur.

    Args:
        num_classes: how many classes there are; other class numbers in the data are left out.
        target_class_ids: classes that count.
        dtype: of the confusion matrix; None is int32, so that weights are cut to whole numbers.
        ignore_class: samples whose target is this class are left out.
        sparse_y_true: targets are class numbers, else one value per class along `axis`.
        sparse_y_pred: predictions are class numbers, else one value per class along `axis`.
        axis: the axis of classes where there is one.

    Raises:
        ValueError: a target class out of range.
    """

    _direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name=name, dtype=dtype or "int")
        self.num_classes = num_classes
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable(
            (num_classes, num_classes), "zeros", dtype=self.dtype, name="total_confusion_matrix"
        )
        if max(target_class_ids) >= num_classes:
            raise ValueError(f"Target class id {max(target_class_ids)} is out of range, which is [{0}, {num_classes}).")
        self.target_class_ids = list(target_class_ids)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch of targets and predictions; weights have one entry per class number."""
        y_true = self._classes(y_true, self.sparse_y_true)
        y_pred = self._classes(y_pred, self.sparse_y_pred)
        if sample_weight is None:
            sample_weight = 1
        elif "float" in str(getattr(sample_weight, "dtype", "")) and "int" in self.dtype:
            warnings.warn(
                "You are passing weight as `float`, but dtype is `int`. This may result in an incorrect weight due to "
                "type casting Consider using integer weights.",
                stacklevel=2,
            )
        weight = ops.convert_to_tensor(sample_weight, dtype=self.dtype)
        if len(weight.shape) > 1:
            weight = ops.reshape(weight, (-1,))
        weight = ops.broadcast_to(weight, y_true.shape)
        counts = ops.logical_and(self._known(y_true), self._known(y_pred))
        if self.ignore_class is not None:
            counts = ops.logical_and(counts, ops.not_equal(y_true, self.ignore_class))
        zero = ops.zeros_like(y_true)
        self.total_cm.assign_add(
            confusion_matrix(
                ops.where(counts, y_true, zero),
                ops.where(counts, y_pred, zero),
                self.num_classes,
                weights=ops.where(counts, weight, ops.zeros_like(weight)),
                dtype=self.dtype,
            )
        )

    def _classes(self, values: Any, sparse: bool) -> Any:
        """Class numbers as an int32 vector."""
        values = ops.convert_to_tensor(values) if sparse else ops.argmax(values, axis=self.axis)
        return ops.reshape(ops.cast(values, "int32"), (-1,))

    def _known(self, classes: Any) -> Any:
        return ops.logical_and(ops.greater_equal(classes, 0), ops.less(classes, self.num_classes))

    def result(self) -> Any:
        """The mean over the target classes that occur in targets or predictions, a scalar; 0 without any."""
        matrix = ops.convert_to_tensor(self.total_cm)
        hits = ops.diag(matrix)
        union = ops.sum(matrix, axis=0) + ops.sum(matrix, axis=1) - hits
        hits = ops.cast(ops.take(hits, self.target_class_ids, axis=0), "float32")
        union = ops.cast(ops.take(union, self.target_class_ids, axis=0), "float32")
        occurs = ops.greater(union, 1e-9)
        shares = ops.where(occurs, hits / (union + config.epsilon()), ops.zeros_like(hits))
        return ops.sum(shares) / (ops.sum(ops.cast(occurs, "float32")) + config.epsilon())

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = ("num_classes", "target_class_ids", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


class BinaryIoU(IoU):
    """`IoU` of two classes, the second being predictions of at least a threshold.

    Args:
        target_class_ids: classes that count, of 0 and 1.
        threshold: predictions of at least this are class 1.
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(num_classes=2, target_class_ids=target_class_ids, name=name, dtype=dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count a batch of targets 0 and 1 and predictions of the same shape."""
        y_pred = ops.convert_to_tensor(y_pred, dtype="float32")
        super().update_state(y_true, ops.cast(y_pred >= self.threshold, "int32"), sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        kept = {name: config[name] for name in ("name", "dtype", "target_class_ids")}
        return {**kept, "threshold": self.threshold}


class MeanIoU(IoU):
    """`IoU` over all classes."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes=num_classes,
            target_class_ids=range(num_classes),
            name=name,
            dtype=dtype,
            ignore_class=ignore_class,
            sparse_y_true=sparse_y_true,
            sparse_y_pred=sparse_y_pred,
            axis=axis,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        del config["target_class_ids"]
        return config


class OneHotIoU(IoU):
    """`IoU` where targets, and predictions unless `sparse_y_pred`, have one value per class along `axis`."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes=num_classes,
            target_class_ids=target_class_ids,
            name=name,
            dtype=dtype,
            ignore_class=ignore_class,
            sparse_y_true=False,
            sparse_y_pred=sparse_y_pred,
            axis=axis,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        del config["sparse_y_true"]
        return config


class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` where targets, and predictions unless `sparse_y_pred`, have one value per class along `axis`."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes=num_classes,
            name=name,
            dtype=dtype,
            ignore_class=ignore_class,
            sparse_y_true=False,
            sparse_y_pred=sparse_y_pred,
            axis=axis,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        config = super().get_config()
        del config["sparse_y_true"]
        return config
