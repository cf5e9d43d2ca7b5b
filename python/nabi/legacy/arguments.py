"""Constructor arguments of layers, models and initializers as Keras 1 and 2 spelt them.

Source: Keras 2's `keras/legacy/interfaces.py` (the conversions of Keras 1) and the release notes of Keras 2.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from nabi import constraints, hooks, initializers, layers, models, regularizers
from nabi.legacy.notice import tell

#: Keras 1 names of arguments that any layer with weights may have had.
_COMMON = {
    "init": "kernel_initializer",
    "W_regularizer": "kernel_regularizer",
    "b_regularizer": "bias_regularizer",
    "W_constraint": "kernel_constraint",
    "b_constraint": "bias_constraint",
    "bias": "use_bias",
    "border_mode": "padding",
    "subsample": "strides",
    "subsample_length": "strides",
    "nb_filter": "filters",
    "filter_length": "kernel_size",
    "atrous_rate": "dilation_rate",
    "pool_length": "pool_size",
    "stride": "strides",
    "p": "rate",
    "sigma": "stddev",
    "dim_ordering": "data_format",
    "gamma_init": "gamma_initializer",
    "beta_init": "beta_initializer",
    "inner_init": "recurrent_initializer",
    "inner_activation": "recurrent_activation",
    "U_regularizer": "recurrent_regularizer",
    "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout",
    "alpha": "negative_slope",
    "output_dim": "units",
}
#: Arguments that chose an implementation and no longer mean anything.
_DROPPED = {"mode", "fused", "consume_less", "implementation", "forget_bias_init", "time_major", "create_graph"}
_ORDERINGS = {"tf": "channels_last", "th": "channels_first", "default": None}
#: What each class took for a name that others took for something else.
_KEPT: dict[str, set[str]] = {"Embedding": {"output_dim"}, "ELU": {"alpha"}, "ThresholdedReLU": {"theta"}}


def install() -> None:
    """Lets the constructors of layers and models take the old arguments."""
    classes = {cls for cls in map(layers.__dict__.get, layers.__all__) if isinstance(cls, type)}
    found = {
        cls: {n for base in cls.__mro__ for n in _parameters(base)} for cls in classes if issubclass(cls, layers.Layer)
    }
    for cls, known in found.items():
        hooks.around(cls, "__init__", functools.partial(_construct, cls, known))
    hooks.around(models.Sequential, "add", _add)
    hooks.replace(models.Model, "__new__", staticmethod(_new(models.Model.__new__)))
    hooks.before(models.Functional, "__init__", _model)
    hooks.before(layers.Layer, "add_weight", _add_weight)


def _parameters(cls: type) -> tuple[str, ...]:
    code = getattr(cls.__dict__.get("__init__"), "__code__", None)
    return code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount] if code else ()


def _construct(cls: type, known: set[str], function: Any, self: Any, /, *args: Any, **kwargs: Any) -> None:
    """A layer's constructor, its arguments translated."""
    args, kwargs = translated(cls, known, args, kwargs)
    weights = kwargs.pop("weights", None) if "weights" not in known else None
    if weights is not None:
        _start_from(weights, kwargs, known)
    shape = _input_shape(kwargs, known)
    function(self, *args, **kwargs)
    if shape is not None:
        object.__setattr__(self, "_input_shape_arg", shape[1:])
        object.__setattr__(self, "_batch_input_shape", shape)


def translated(
    cls: type, known: set[str], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a layer as Keras 3 spells them; `known` are those that it already has under these names."""
    out: dict[str, Any] = {}
    old = False
    for key, value in kwargs.items():
        new = _COMMON.get(key)
        if key in known or key in _KEPT.get(cls.__name__, ()):
            out[key] = value
        elif new is not None and new in known and new not in kwargs:
            old = True
            out[new] = _ORDERINGS.get(value, value) if key == "dim_ordering" else value
        elif key in _DROPPED:
            old = True
        else:
            out[key] = value
    if "kernel_size" in known:
        args, out = _kernel(cls, args, out, old)
    return args, out


def _kernel(
    cls: type, args: tuple[Any, ...], kwargs: dict[str, Any], old: bool
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """`Conv2D(8, 3, 3)` and `nb_row=3, nb_col=3`: kernel sizes given one by one."""
    names = [n for n in ("nb_row", "nb_col", "kernel_dim1", "kernel_dim2", "kernel_dim3") if n in kwargs]
    if names:
        kwargs["kernel_size"] = tuple(kwargs.pop(n) for n in names)
        return args, kwargs
    rank = 2 if cls.__name__.startswith(("Conv2D", "SeparableConv2D")) else 3 if cls.__name__ == "Conv3D" else 0
    sizes = args[1 : 1 + rank]
    if rank == 0 or len(sizes) < rank or not all(isinstance(s, (int, np.integer)) for s in sizes):
        return args, kwargs
    # Three integers are also Keras 3's (filters, kernel, strides); equal sizes are hardly ever meant as strides.
    if "strides" in kwargs or old or rank == 3 or (len(set(sizes)) == 1 and sizes[0] > 1):
        given = ", ".join(map(str, args[: 1 + rank]))
        if not old:
            tell(
                f"{cls.__name__}({given}) is taken as Keras 1's filters and kernel size {sizes}; "
                f"for strides write strides={sizes[-1]}."
            )
        args = (args[0], tuple(int(s) for s in sizes), *args[1 + rank :])
    return args, kwargs


def _input_shape(kwargs: dict[str, Any], known: set[str]) -> tuple[Any, ...] | None:
    """The input shape given to a first layer, the batch axis included, taken out of the arguments."""
    whole = kwargs.pop("batch_input_shape", None)
    length = kwargs.pop("input_length", None)
    if whole is not None:
        return tuple(whole)
    shape = kwargs.pop("input_shape", None)
    if shape is None and "input_dim" in kwargs and "input_dim" not in known:
        dim = kwargs.pop("input_dim")
        shape = (dim,) if length is None else (length, dim)
    if shape is None:
        return None
    return (None, *((shape,) if isinstance(shape, (int, np.integer)) else shape))


def _start_from(weights: Any, kwargs: dict[str, Any], known: set[str]) -> None:
    """`weights=[kernel, bias]`: the arrays a layer starts from, as initializers."""
    for value, name in zip(weights, ("kernel_initializer", "bias_initializer"), strict=False):
        if name not in known:
            raise ValueError(
                "`weights` is taken by layers with a kernel and a bias; use `layer.set_weights` after building."
            )
        kwargs[name] = initializers.Constant(np.asarray(value))


def _add(function: Any, self: Any, /, layer: Any, *args: Any, **kwargs: Any) -> Any:
    """`Sequential.add`: `batch_input_shape` of the first layer fixes the batch size."""
    shape = getattr(layer, "_batch_input_shape", None)
    if shape is not None and shape[0] is not None and not self._explicit_layers:
        function(self, layers.InputLayer(batch_shape=shape))
    return function(self, layer, *args, **kwargs)


def _model(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """`Model(input=x, output=y)`."""
    for old, new in (("input", "inputs"), ("output", "outputs")):
        if old in kwargs and new not in kwargs:
            kwargs[new] = kwargs.pop(old)
    return args, kwargs


def _new(make: Any) -> Any:
    """`Model.__new__` tells functional models by their arguments, before `__init__`."""

    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        return make(cls, *args, **_model(None, args, kwargs)[1])

    return new


def _add_weight(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """`add_weight('kernel', shape)`: the name first."""
    if args and isinstance(args[0], str):
        kwargs["name"], args = args[0], args[1:]
    return args, kwargs


def aliases() -> dict[str, Mapping[str, Any]]:
    """Old names of functions, by the module that had them."""
    return {
        "constraints": {
            "maxnorm": constraints.MaxNorm,
            "nonneg": constraints.NonNeg,
            "unitnorm": constraints.UnitNorm,
        },
        "regularizers": {
            "WeightRegularizer": regularizers.L1L2,
            "ActivityRegularizer": regularizers.L1L2,
            "l1l2": regularizers.L1L2,
            "activity_l1": regularizers.L1,
            "activity_l2": regularizers.L2,
            "activity_l1l2": regularizers.L1L2,
        },
        "initializers": {
            "uniform": initializers.RandomUniform,
            "normal": initializers.RandomNormal,
            "zero": initializers.Zeros,
            "one": initializers.Ones,
        },
    }
