"""Metrics of margins: means of the hinge losses of Keras 3.15."""

from __future__ import annotations

from typing import Any

from nabi.losses import functions
from nabi.metrics.reduction_metrics import FunctionMetric


class Hinge(FunctionMetric):
    """The mean hinge loss."""

    _direction = "down"

    def __init__(self, name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(functions.hinge, name, dtype)


class SquaredHinge(FunctionMetric):
    """The mean squared hinge loss."""

    _direction = "down"

    def __init__(self, name: str = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(functions.squared_hinge, name, dtype)


class CategoricalHinge(FunctionMetric):
    """The mean hinge loss of one-hot targets."""

    _direction = "down"

    def __init__(self, name: str = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(functions.categorical_hinge, name, dtype)
