"""Activation functions: names and signatures of `keras.activations`.

Each takes and returns a float tensor of the same shape and dtype (`glu` halves one axis). Given arrays they run at once,
given tensors of a trace or symbolic tensors they add to it. `softmax` and `sigmoid` leave their input on the result as
`_keras_logits`, so that a cross-entropy can be computed from the logits.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

from nabi import objects, ops
from nabi.ops._dispatch import op

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

# Constants of the self-normalising unit (Klambauer et al., 2017, arXiv:1706.02515).
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


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


@op
def relu6(x: Any) -> Any:
    """`min(max(x, 0), 6)`."""
    return ops.minimum(ops.relu(x), 6.0)


def softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Any:
    """`exp(x) / sum(exp(x))` over `axis`; the result carries `x` as `_keras_logits`."""
    return _keep_logits(ops.softmax(x, axis=axis), x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where positive, `alpha * (exp(x) - 1)` elsewhere (Clevert et al., 2016, arXiv:1511.07289)."""
    return ops.elu(x, alpha=alpha)


@op
def selu(x: Any) -> Any:
    """Scaled exponential linear unit (Klambauer et al., 2017, arXiv:1706.02515)."""
    return _SELU_SCALE * ops.elu(x, alpha=_SELU_ALPHA)


def softplus(x: Any) -> Any:
    """`log(1 + exp(x))`, without overflow."""
    return ops.softplus(x)


@op
def softsign(x: Any) -> Any:
    """`x / (1 + |x|)`."""
    return ops.divide(x, ops.add(ops.absolute(x), 1.0))


@op
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x` moved towards 0 by `threshold`, 0 within it."""
    return ops.relu(ops.subtract(x, threshold)) - ops.relu(ops.subtract(ops.negative(x), threshold))


@op
def sparse_plus(x: Any) -> Any:
    """0 up to -1, `(x + 1)^2 / 4` up to 1, `x` beyond."""
    x = ops.convert_to_tensor(x)
    middle = ops.square(x + 1.0) * 0.25
    return ops.where(ops.less_equal(x, -1.0), ops.zeros_like(x), ops.where(ops.less(x, 1.0), middle, x))


def silu(x: Any) -> Any:
    """`x * sigmoid(x)`, also called swish (Ramachandran et al., 2017, arXiv:1710.05941)."""
    return ops.silu(x)


swish = silu


@op
def squareplus(x: Any, b: float = 4) -> Any:
    """`(x + sqrt(x^2 + b)) / 2` (Barron, 2021, arXiv:2112.11687)."""
    x = ops.convert_to_tensor(x)
    return (x + ops.sqrt(ops.square(x) + float(b))) * 0.5


@op
def gelu(x: Any, approximate: bool = False) -> Any:
    """`x * P(X <= x)` for a standard normal X; `approximate` takes the tanh form (arXiv:1606.08415)."""
    x = ops.convert_to_tensor(x)
    if approximate:
        inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * (x * x * x))
        return 0.5 * x * (1.0 + ops.tanh(inner))
    return 0.5 * x * (1.0 + ops.erf(x * math.sqrt(0.5)))


@op
def celu(x: Any, alpha: float = 1.0) -> Any:
    """`x` where positive, `alpha * (exp(x / alpha) - 1)` elsewhere (Barron, 2017, arXiv:1704.07483)."""
    x = ops.convert_to_tensor(x)
    return ops.relu(x) + alpha * ops.expm1(ops.minimum(x, 0.0) / alpha)


@op
def glu(x: Any, axis: int = -1) -> Any:
    """`a * sigmoid(b)` for the two halves of `axis` (Dauphin et al., 2016, arXiv:1612.08083).

    Raises:
        ValueError: the axis has an odd length.
    """
    x = ops.convert_to_tensor(x)
    if x.shape[axis] % 2:
        raise ValueError(f"axis size must be divisible by 2. Received: x.shape={tuple(x.shape)} with axis={axis}")
    a, b = ops.split(x, 2, axis=axis)
    return a * ops.sigmoid(b)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return ops.tanh(x)


@op
def tanh_shrink(x: Any) -> Any:
    """`x - tanh(x)`."""
    return ops.subtract(x, ops.tanh(x))


@op
def hard_tanh(x: Any) -> Any:
    """`x` cut at -1 and 1."""
    return ops.minimum(ops.maximum(x, -1.0), 1.0)


@op
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x` where `|x| > threshold`, 0 elsewhere."""
    x = ops.convert_to_tensor(x)
    return ops.where(ops.greater(ops.absolute(x), threshold), x, ops.zeros_like(x))


@op
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """`x` where `x > threshold`, `default_value` elsewhere."""
    x = ops.convert_to_tensor(x)
    return ops.where(ops.greater(x, threshold), x, ops.full_like(x, default_value))


def sigmoid(x: Any) -> Any:
    """`1 / (1 + exp(-x))`; the result carries `x` as `_keras_logits`."""
    return _keep_logits(ops.sigmoid(x), x)


def exponential(x: Any) -> Any:
    """`exp(x)`."""
    return ops.exp(x)


@op
def hard_sigmoid(x: Any) -> Any:
    """`x / 6 + 0.5` cut at 0 and 1."""
    return ops.minimum(ops.relu(ops.add(x, 3.0)), 6.0) * (1.0 / 6.0)


@op
def log_sigmoid(x: Any) -> Any:
    """`log(sigmoid(x))`, without overflow."""
    return ops.negative(ops.softplus(ops.negative(x)))


@op
def sparse_sigmoid(x: Any) -> Any:
    """`(x + 1) / 2` cut at 0 and 1 (Blondel et al., 2019, arXiv:1901.02324)."""
    return 0.5 * (ops.minimum(ops.maximum(x, -1.0), 1.0) + 1.0)


@op
def hard_silu(x: Any) -> Any:
    """`x * hard_sigmoid(x)`, also called hard swish (Howard et al., 2019, arXiv:1905.02244)."""
    x = ops.convert_to_tensor(x)
    return x * hard_sigmoid(x)


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


@op
def sparsemax(x: Any, axis: int = -1) -> Any:
    """Euclidean projection of each vector along `axis` onto the simplex (Martins et al., 2016, arXiv:1602.02068).

    An element i is in the support when `1 + k_i * x_i > s_i`, with k_i the count and s_i the sum of the elements that
    are at least x_i; both come from a comparison of all pairs, so time and memory grow with the square of the axis.
    """
    x = ops.convert_to_tensor(x)
    axis = axis % len(x.shape)
    last = ops.moveaxis(x, axis, -1) if axis != len(x.shape) - 1 else x
    mine, other = ops.expand_dims(last, -1), ops.expand_dims(last, -2)
    at_least = ops.cast(ops.greater_equal(other, mine), x.dtype)
    count = ops.sum(at_least, axis=-1)
    total = ops.sum(at_least * other, axis=-1)
    support = ops.cast(ops.greater(1.0 + count * last, total), x.dtype)
    size = ops.sum(support, axis=-1, keepdims=True)
    tau = (ops.sum(support * last, axis=-1, keepdims=True) - 1.0) / size
    result = ops.relu(last - tau)
    return ops.moveaxis(result, -1, axis) if axis != len(x.shape) - 1 else result


def _keep_logits(output: Any, logits: Any) -> Any:
    """Remembers on `output` what it was computed from, where it can hold attributes."""
    try:
        output._keras_logits = logits
    except AttributeError:
        pass
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
