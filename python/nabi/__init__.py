"""Nabi: deep learning in one small native wheel, with Keras 3's API.

`import nabi` loads the engine and NumPy only; the rooms (`nabi.layers`, `nabi.models`, ...) load when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Where each name comes from: (module, attribute), or the module itself.
_MODULES = (
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "dtype_policies",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "saving",
    "trace",
    "tree",
    "utils",
)
_NAMES = {
    "Array": "trace",
    "DTypePolicy": "dtype_policies",
    "FloatDTypePolicy": "dtype_policies",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "KerasTensor": "trace",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Operation": "trace",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "Sequential": "models",
    "Variable": "trace",
    "install_as_keras": "legacy",
    "name_scope": "names",
}

if TYPE_CHECKING:
    from nabi import (
        activations,
        backend,
        callbacks,
        config,
        constraints,
        datasets,
        dtype_policies,
        initializers,
        layers,
        losses,
        metrics,
        mixed_precision,
        models,
        ops,
        optimizers,
        random,
        regularizers,
        saving,
        trace,
        tree,
        utils,
    )
    from nabi.dtype_policies import DTypePolicy, FloatDTypePolicy
    from nabi.initializers import Initializer
    from nabi.layers import Input, InputSpec, Layer
    from nabi.legacy import install_as_keras
    from nabi.losses import Loss
    from nabi.metrics import Metric
    from nabi.models import Model, Sequential
    from nabi.names import name_scope
    from nabi.optimizers import Optimizer
    from nabi.regularizers import Regularizer
    from nabi.trace import Array, KerasTensor, Operation, Variable

__all__ = [
    "Array",
    "DTypePolicy",
    "FloatDTypePolicy",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Operation",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "Variable",
    "__version__",
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "dtype_policies",
    "initializers",
    "install_as_keras",
    "layers",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "name_scope",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "saving",
    "trace",
    "tree",
    "utils",
    "version",
]


def version() -> str:
    """The version of Nabi."""
    return __version__


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"nabi.{name}")
    home = _NAMES.get(name)
    if home is None:
        raise AttributeError(f"module 'nabi' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"nabi.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES, *_NAMES})
