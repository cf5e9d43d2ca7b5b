"""The losses as classes: a function with its arguments and a reduction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from nabi import objects, ops, tree
from nabi.losses import functions
from nabi.losses.loss import Loss, squeeze_or_expand_to_same_rank

_MEAN = "sum_over_batch_size"


class LossFunctionWrapper(Loss):
    """A loss made from a function ``fn(y_true, y_pred, **kwargs)`` that gives one value per sample.

    The ranks of targets and predictions are matched first where they differ by a last axis of 1.
    """

    #: Arguments that Keras leaves out of the config; ours leaves them out while they have these values.
    _unwritten: dict[str, Any] = {}

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = _MEAN,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def _convert_target(self, y_true: Any) -> Any:
        if self.fn is functions.sparse_categorical_crossentropy:
            return ops.convert_to_tensor(y_true)  # class numbers stay integers
        return super()._convert_target(y_true)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value per sample."""
        if tree.is_nested(y_pred):
            flat = [
                squeeze_or_expand_to_same_rank(t, p)
                for t, p in zip(tree.flatten(y_true), tree.flatten(y_pred), strict=True)
            ]
            y_true = tree.pack_sequence_as(y_true, [t for t, _ in flat])
            y_pred = tree.pack_sequence_as(y_pred, [p for _, p in flat])
        else:
            y_true, y_pred = squeeze_or_expand_to_same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments; of the built-in losses without `fn`."""
        config = super().get_config()
        if type(self) is LossFunctionWrapper:
            config["fn"] = objects.serialize_keras_object(self.fn)
        own = {key: value for key, value in self._fn_kwargs.items() if self._unwritten.get(key, object()) != value}
        return {**config, **objects.serialize_keras_object(own)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """A loss of this class from what `get_config` returned."""
        if "fn" in config:
            from nabi.losses import FUNCTIONS

            table = {fn.__name__: fn for fn in FUNCTIONS}
            fn = objects.deserialize_keras_object(config["fn"], module_objects=table)
            rest = {key: value for key, value in config.items() if key != "fn"}
            config = {"fn": fn, **objects.deserialize_keras_object(rest)}
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}({self.fn.__name__}, kwargs={self._fn_kwargs})>"


class MeanSquaredError(LossFunctionWrapper):
    """Mean squared error: `losses.mean_squared_error`, reduced."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str = "mean_squared_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(LossFunctionWrapper):
    """Mean absolute error: `losses.mean_absolute_error`, reduced."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str = "mean_absolute_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.mean_absolute_error, reduction, name, dtype)


class MeanAbsolutePercentageError(LossFunctionWrapper):
    """Mean absolute percentage error: `losses.mean_absolute_percentage_error`, reduced."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str = "mean_absolute_percentage_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """Mean squared logarithmic error: `losses.mean_squared_logarithmic_error`, reduced."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.mean_squared_logarithmic_error, reduction, name, dtype)


class CosineSimilarity(LossFunctionWrapper):
    """Minus the cosine of the angle between target and prediction: `losses.cosine_similarity`, reduced."""

    _unwritten = {"axis": -1}

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.cosine_similarity, reduction, name, dtype, axis=axis)


class Huber(LossFunctionWrapper):
    """Huber loss: `losses.huber`, reduced."""

    _unwritten = {"delta": 1.0}

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = _MEAN,
        name: str = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.huber, reduction, name, dtype, delta=delta)


class LogCosh(LossFunctionWrapper):
    """Logarithm of the hyperbolic cosine of the error: `losses.log_cosh`, reduced."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str = "log_cosh",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.log_cosh, reduction, name, dtype)


class Hinge(LossFunctionWrapper):
    """Hinge loss: `losses.hinge`, reduced."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str = "hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.hinge, reduction, name, dtype)


class SquaredHinge(LossFunctionWrapper):
    """Squared hinge loss: `losses.squared_hinge`, reduced."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str = "squared_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.squared_hinge, reduction, name, dtype)


class CategoricalHinge(LossFunctionWrapper):
    """Hinge loss of one-hot targets: `losses.categorical_hinge`, reduced."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str = "categorical_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.categorical_hinge, reduction, name, dtype)


class KLDivergence(LossFunctionWrapper):
    """Kullback-Leibler divergence: `losses.kl_divergence`, reduced."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str = "kl_divergence",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.kl_divergence, reduction, name, dtype)


class Poisson(LossFunctionWrapper):
    """Poisson loss: `losses.poisson`, reduced."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str = "poisson",
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.poisson, reduction, name, dtype)


class BinaryCrossentropy(LossFunctionWrapper):
    """Cross-entropy of targets 0 and 1: `losses.binary_crossentropy`, reduced."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            functions.binary_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


class BinaryFocalCrossentropy(LossFunctionWrapper):
    """Focal cross-entropy of targets 0 and 1: `losses.binary_focal_crossentropy`, reduced."""

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            functions.binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )
        self.apply_class_balancing = apply_class_balancing
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


class CategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy of one-hot targets: `losses.categorical_crossentropy`, reduced."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            functions.categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


class CategoricalFocalCrossentropy(LossFunctionWrapper):
    """Focal cross-entropy of one-hot targets: `losses.categorical_focal_crossentropy`, reduced."""

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            functions.categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )
        self.alpha = alpha
        self.gamma = gamma
        self.from_logits = from_logits
        self.label_smoothing = label_smoothing
        self.axis = axis


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """Cross-entropy of integer targets: `losses.sparse_categorical_crossentropy`, reduced."""

    _unwritten = {"axis": -1}

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = _MEAN,
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            functions.sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )
        self.from_logits = from_logits
        self.ignore_class = ignore_class


class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """Noise-robust cross-entropy of integer targets: `losses.categorical_generalized_cross_entropy`, reduced."""

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = _MEAN,
        name: str = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError("q must be in the interval (0, 1)")
        super().__init__(functions.categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
        self.q = q


class Dice(LossFunctionWrapper):
    """Dice loss of overlapping regions: `losses.dice`, reduced."""

    def __init__(self, reduction: str | None = _MEAN, name: str = "dice", axis: Any = None, dtype: Any = None) -> None:
        super().__init__(functions.dice, reduction, name, dtype, axis=axis)
        self.axis = axis


class CTC(LossFunctionWrapper):
    """Connectionist temporal classification of logits ``[n, steps, classes]``: `losses.ctc`, reduced."""

    def __init__(self, reduction: str | None = _MEAN, name: str = "ctc", dtype: Any = None) -> None:
        super().__init__(functions.ctc, reduction, name, dtype)


class Tversky(LossFunctionWrapper):
    """Tversky loss of overlapping regions: `losses.tversky`, reduced."""

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = _MEAN,
        name: str = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(functions.tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
        self.alpha = alpha
        self.beta = beta
        self.axis = axis


class Circle(LossFunctionWrapper):
    """Circle loss of embeddings: `losses.circle`, reduced over the rows whose loss is above 0."""

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = _MEAN,
        name: str = "circle",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            functions.circle, reduction, name, dtype, gamma=gamma, margin=margin, remove_diagonal=remove_diagonal
        )
        self.gamma = gamma
        self.margin = margin
        self.remove_diagonal = remove_diagonal
