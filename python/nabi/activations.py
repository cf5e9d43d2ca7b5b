"""Activation functions: names and signatures of `keras.activations`.

Each takes and returns a float tensor of the same shape and dtype (`glu` halves one axis). Given arrays they run at
once, given tensors of a trace or symbolic tensors they add to it. `softmax` and `sigmoid` leave their input on the
result as `_keras_logits`, so that a cross-entropy can be computed from the logits.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from nabi import objects, ops
from nabi.ops._dispatch import op
from nabi.trace import Tensor

__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]


@op
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """`max(x, 0)`; with arguments, `negative_slope * (x - threshold)` below `threshold`, capped at `max_value`."""
    if negative_slope == 0.0 and max_value is None and threshold == 0.0:
        return ops.relu(x)
    if negative_slope != 0.0 and max_value is None and threshold == 0.0:
        return ops.leaky_relu(x, negative_slope=negative_slope)
    x = ops.convert_to_tensor(x)
    y = ops.where(ops.greater(x, threshold), x, ops.zeros_like(x)) if threshold != 0.0 else ops.relu(x)
    if max_value is not None:
        y = ops.minimum(ops.maximum(y, 0.0), float(max_value))
    if negative_slope != 0.0:
        y = y - negative_slope * ops.relu(threshold - x)
    return y


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """`x` where positive, `negative_slope * x` elsewhere."""
    return ops.leaky_relu(x, negative_slope=negative_slope)


def relu6(x: Any) -> Any:
    """`min(max(x, 0), 6)`."""
    return ops.relu6(x)


def softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Any:
    """`exp(x) / sum(exp(x))` over `axis`; the result carries `x` as `_keras_logits`."""
    return _keep_logits(ops.softmax(x, axis=axis), x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where positive, `alpha * (exp(x) - 1)` elsewhere (Clevert et al., 2016, arXiv:1511.07289)."""
    return ops.elu(x, alpha=alpha)


def selu(x: Any) -> Any:
    """Scaled exponential linear unit (Klambauer et al., 2017, arXiv:1706.02515)."""
    return ops.selu(x)


def softplus(x: Any) -> Any:
    """`log(1 + exp(x))`, without overflow."""
    return ops.softplus(x)


def softsign(x: Any) -> Any:
    """`x / (1 + |x|)`."""
    return ops.softsign(x)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x` moved towards 0 by `threshold`, 0 within it."""
    return ops.soft_shrink(x, threshold=threshold)


def sparse_plus(x: Any) -> Any:
    """0 up to -1, `(x + 1)^2 / 4` up to 1, `x` beyond."""
    return ops.sparse_plus(x)


def silu(x: Any) -> Any:
    """`x * sigmoid(x)`, also called swish (Ramachandran et al., 2017, arXiv:1710.05941)."""
    return ops.silu(x)


swish = silu


def squareplus(x: Any, b: float = 4) -> Any:
    """`(x + sqrt(x^2 + b)) / 2` (Barron, 2021, arXiv:2112.11687)."""
    return ops.squareplus(x, b=b)


def gelu(x: Any, approximate: bool = False) -> Any:
    """`x * P(X <= x)` for a standard normal X; `approximate` takes the tanh form (arXiv:1606.08415)."""
    return ops.gelu(x, approximate=approximate)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where positive, `alpha * (exp(x / alpha) - 1)` elsewhere (Barron, 2017, arXiv:1704.07483)."""
    return ops.celu(x, alpha=alpha)


def glu(x: Any, axis: int = -1) -> Any:
    """`a * sigmoid(b)` for the two halves of `axis` (Dauphin et al., 2016, arXiv:1612.08083).

    Raises:
        ValueError: the axis has an odd length.
    """
    return ops.glu(x, axis=axis)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return ops.tanh(x)


def tanh_shrink(x: Any) -> Any:
    """`x - tanh(x)`."""
    return ops.tanh_shrink(x)


def hard_tanh(x: Any) -> Any:
    """`x` cut at -1 and 1."""
    return ops.hard_tanh(x)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x` where `|x| > threshold`, 0 elsewhere."""
    return ops.hard_shrink(x, threshold=threshold)


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """`x` where `x > threshold`, `default_value` elsewhere."""
    return ops.threshold(x, threshold, default_value)


def sigmoid(x: Any) -> Any:
    """`1 / (1 + exp(-x))`; the result carries `x` as `_keras_logits`."""
    return _keep_logits(ops.sigmoid(x), x)


def exponential(x: Any) -> Any:
    """`exp(x)`."""
    return ops.exp(x)


def hard_sigmoid(x: Any) -> Any:
    """`x / 6 + 0.5` cut at 0 and 1."""
    return ops.hard_sigmoid(x)


def log_sigmoid(x: Any) -> Any:
    """`log(sigmoid(x))`, without overflow."""
    return ops.log_sigmoid(x)


def sparse_sigmoid(x: Any) -> Any:
    """`(x + 1) / 2` cut at 0 and 1 (Blondel et al., 2019, arXiv:1901.02324)."""
    return ops.sparse_sigmoid(x)


def hard_silu(x: Any) -> Any:
    """`x * hard_sigmoid(x)`, also called hard swish (Howard et al., 2019, arXiv:1905.02244)."""
    return ops.hard_silu(x)


hard_swish = hard_silu


def linear(x: Any) -> Any:
    """`x` itself."""
    return x


@op
def mish(x: Any) -> Any:
    """`x * tanh(softplus(x))` (Misra, 2019, arXiv:1908.08681)."""
    return ops.multiply(x, ops.tanh(ops.softplus(x)))


def log_softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Any:
    """`log(softmax(x))` over `axis`, without overflow."""
    return ops.log_softmax(x, axis=axis)


def sparsemax(x: Any, axis: int = -1) -> Any:
    """Euclidean projection of each vector along `axis` onto the simplex (Martins et al., 2016, arXiv:1602.02068)."""
    return ops.sparsemax(x, axis=axis)


def _keep_logits(output: Any, logits: Any) -> Any:
    """Remembers on a traced output what it was computed from."""
    if isinstance(output, Tensor) and isinstance(logits, Tensor):
        output._keras_logits = logits
    return output


_BY_NAME: dict[str, Callable[..., Any]] = {
    name: globals()[name] for name in __all__ if name not in ("get", "serialize", "deserialize")
}

objects.export("keras.activations", *dict.fromkeys(_BY_NAME.values()), aliases={"swish": silu, "hard_swish": hard_silu})


def serialize(activation: Any) -> Any:
    """The name of a built-in activation, a config dict for any other.

    Raises:
        ValueError: the object has neither a name nor a config.
    """
    config = objects.serialize_keras_object(activation)
    if not isinstance(config, dict) or "config" not in config:
        raise ValueError(
            f"Unknown activation function '{activation}' cannot be serialized due to invalid function name. Make sure "
            "to use an activation name that matches the references defined in activations.py or use "
            "`@keras.saving.register_keras_serializable()`to register any custom activations. "
            f"config={config}"
        )
    if not isinstance(activation, types.FunctionType):
        return config
    return config["config"] if config["config"] in _BY_NAME else config


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The activation function that a name or a config dict stands for."""
    return objects.deserialize_keras_object(config, custom_objects=custom_objects, module_objects=_BY_NAME)


def get(identifier: Any) -> Callable[..., Any]:
    """The activation function of a name, config dict or callable; None gives `linear`.

    Raises:
        ValueError: nothing is known by this name.
    """
    if identifier is None:
        return linear
    if isinstance(identifier, dict):
        found = deserialize(identifier)
    elif isinstance(identifier, str):
        found = _BY_NAME.get(identifier)
        if found is None:
            found = objects.get_registered_object(identifier)
    else:
        found = identifier
    if callable(found):
        return found  # type: ignore[no-any-return]
    raise ValueError(f"Could not interpret activation function identifier: {identifier}")
