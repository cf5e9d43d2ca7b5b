"""`keras.wrappers.scikit_learn`: a function that builds a model, as a scikit-learn estimator.

Source: Keras 2's `keras/wrappers/scikit_learn.py`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin  # type: ignore[import-untyped]

from nabi import models
from nabi.utils import to_categorical

__all__ = ["KerasClassifier", "KerasRegressor"]

_METHODS = ("fit", "predict", "evaluate")


class _Wrapper(BaseEstimator):  # type: ignore[misc]
    """What both have in common.

    Args:
        build_fn: function (or object with `__call__`, or None where a subclass defines `__call__`) that returns a
            compiled model.
        **sk_params: arguments of `build_fn` and of `fit`, `predict` and `evaluate`; all of them can be searched.

    Raises:
        ValueError: an argument that none of these takes.
    """

    def __init__(self, build_fn: Callable[..., Any] | None = None, **sk_params: Any) -> None:
        self.build_fn = build_fn
        self.sk_params = {("epochs" if k == "nb_epoch" else k): v for k, v in sk_params.items()}
        self._check(self.sk_params)

    def _builder(self) -> Callable[..., Any]:
        return self.__call__ if self.build_fn is None else self.build_fn

    def _check(self, params: dict[str, Any]) -> None:
        known = {n for name in _METHODS for n in inspect.signature(getattr(models.Sequential, name)).parameters}
        builder = inspect.signature(self._builder()).parameters
        if any(p.kind is p.VAR_KEYWORD for p in builder.values()):
            return
        for name in params:
            if name not in known and name not in builder and name != "nb_epoch":
                raise ValueError(f"{name} is not a legal parameter")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """All arguments, as scikit-learn's `clone` needs them."""
        return {**self.sk_params, "build_fn": self.build_fn}

    def set_params(self, **params: Any) -> Any:
        """Changes arguments; returns the estimator."""
        given = dict(params)
        if "build_fn" in given:
            self.build_fn = given.pop("build_fn")
        self._check(given)
        self.sk_params.update(given)
        return self

    def _taken_by(self, function: Callable[..., Any], **override: Any) -> dict[str, Any]:
        parameters = inspect.signature(function).parameters
        taken = {k: v for k, v in self.sk_params.items() if k in parameters}
        return {**taken, **override}

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Builds the model anew and trains it; returns the estimator, its `history` as an attribute."""
        builder = self._builder()
        self.model = builder(**self._taken_by(builder))
        loss = getattr(self.model.loss, "__name__", self.model.loss)
        if loss == "categorical_crossentropy" and np.ndim(y) != 2:
            y = to_categorical(y)
        self.history = self.model.fit(np.asarray(x), np.asarray(y), **self._taken_by(models.Sequential.fit, **kwargs))
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model")


class KerasClassifier(ClassifierMixin, _Wrapper):  # type: ignore[misc]
    """A classifier; y holds classes of any kind, or one-hot rows."""

    def fit(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Builds the model anew and trains it on numbered classes."""
        y = np.asarray(y)
        if y.ndim == 2 and y.shape[1] > 1:
            self.classes_ = np.arange(y.shape[1])
        else:
            self.classes_, y = np.unique(y.reshape(-1), return_inverse=True)
        return super().fit(x, y, **kwargs)

    def predict_proba(self, x: Any, **kwargs: Any) -> Any:
        """Probability of each class, shape (samples, classes); two columns for one sigmoid output."""
        probabilities = self.model.predict(np.asarray(x), **self._taken_by(models.Sequential.predict, **kwargs))
        if probabilities.shape[1] == 1:
            probabilities = np.hstack([1 - probabilities, probabilities])
        return probabilities

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """The likeliest class of each sample."""
        return self.classes_[self.predict_proba(x, **kwargs).argmax(axis=-1)]

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """Accuracy.

        Raises:
            ValueError: the model was compiled without it.
        """
        y = np.asarray(y)
        if y.ndim == 1:
            y = np.searchsorted(self.classes_, y)
        if self.model.loss == "categorical_crossentropy" and y.ndim != 2:
            y = to_categorical(y, len(self.classes_))
        kwargs.setdefault("verbose", 0)
        results = self.model.evaluate(
            np.asarray(x), y, return_dict=True, **self._taken_by(models.Sequential.evaluate, **kwargs)
        )
        for name in ("accuracy", "acc"):
            if name in results:
                return float(results[name])
        raise ValueError(
            'The model is not configured to compute accuracy. You should pass `metrics=["accuracy"]` to the '
            "`model.compile()` method."
        )


class KerasRegressor(RegressorMixin, _Wrapper):  # type: ignore[misc]
    """A regressor; its score is minus the loss, as in Keras 2."""

    def predict(self, x: Any, **kwargs: Any) -> Any:
        """Predictions of shape (samples,), or (samples, outputs) for several."""
        return np.squeeze(self.model.predict(np.asarray(x), **self._taken_by(models.Sequential.predict, **kwargs)), -1)

    def score(self, x: Any, y: Any, **kwargs: Any) -> float:
        """Minus the loss: larger is better."""
        kwargs.setdefault("verbose", 0)
        loss = self.model.evaluate(np.asarray(x), np.asarray(y), **self._taken_by(models.Sequential.evaluate, **kwargs))
        return -float(loss[0] if isinstance(loss, list) else loss)
