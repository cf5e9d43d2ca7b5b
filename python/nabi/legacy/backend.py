"""`keras.backend`: the functions that programs of Keras 1 and 2 called as `K.<name>`.

Source: Keras 2's `keras/backend/__init__.py`; each is one of `nabi.ops` under its old name and arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nabi import config, losses, models, names, ops, random
from nabi.backend import *  # noqa: F403 - what Keras 3 kept
from nabi.trace import Variable


def _reduced(op: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axis=None, keepdims=False: op(x, axis=axis, keepdims=keepdims)


sum = _reduced(ops.sum)
mean = _reduced(lambda x, **kwargs: ops.mean(ops.cast(x, config.floatx()) if x.dtype == "bool" else x, **kwargs))
max = _reduced(ops.max)
min = _reduced(ops.min)
prod = _reduced(ops.prod)
var = _reduced(ops.var)
std = _reduced(ops.std)
any = _reduced(ops.any)
all = _reduced(ops.all)
logsumexp = _reduced(ops.logsumexp)

abs = ops.abs
argmax = lambda x, axis=-1: ops.argmax(x, axis=axis)  # noqa: E731
argmin = lambda x, axis=-1: ops.argmin(x, axis=axis)  # noqa: E731
clip = ops.clip
cos = ops.cos
cumprod = ops.cumprod
cumsum = ops.cumsum
dot = ops.matmul
elu = ops.elu
equal = ops.equal
exp = ops.exp
expand_dims = lambda x, axis=-1: ops.expand_dims(x, axis)  # noqa: E731
eye = ops.eye
flatten = lambda x: ops.reshape(x, (-1,))  # noqa: E731
greater = ops.greater
greater_equal = ops.greater_equal
hard_sigmoid = lambda x: ops.clip(0.2 * x + 0.5, 0.0, 1.0)  # noqa: E731 - Keras 2's slope
less = ops.less
less_equal = ops.less_equal
log = ops.log
maximum = ops.maximum
minimum = ops.minimum
not_equal = ops.not_equal
one_hot = lambda indices, num_classes: ops.one_hot(indices, num_classes)  # noqa: E731
ones_like = ops.ones_like
permute_dimensions = lambda x, pattern: ops.transpose(x, pattern)  # noqa: E731
pow = ops.power
reshape = ops.reshape
round = ops.round
sigmoid = ops.sigmoid
sign = ops.sign
sin = ops.sin
softmax = lambda x, axis=-1: ops.softmax(x, axis=axis)  # noqa: E731
softplus = ops.softplus
softsign = ops.softsign
sqrt = lambda x: ops.sqrt(ops.maximum(x, 0.0))  # noqa: E731 - Keras 2 clipped at zero
square = ops.square
squeeze = lambda x, axis: ops.squeeze(x, axis)  # noqa: E731
stack = lambda x, axis=0: ops.stack(x, axis=axis)  # noqa: E731
tanh = ops.tanh
tile = ops.tile
transpose = ops.transpose
zeros_like = ops.zeros_like

gather = lambda reference, indices: ops.take(reference, indices, axis=0)  # noqa: E731
concatenate = lambda tensors, axis=-1: ops.concatenate(tensors, axis=axis)  # noqa: E731
repeat_elements = lambda x, rep, axis: ops.repeat(x, rep, axis=axis)  # noqa: E731
batch_flatten = lambda x: ops.reshape(x, (ops.shape(x)[0], -1))  # noqa: E731
categorical_crossentropy = lambda target, output, from_logits=False, axis=-1: losses.categorical_crossentropy(  # noqa: E731
    target, output, from_logits=from_logits, axis=axis
)
sparse_categorical_crossentropy = lambda target, output, from_logits=False, axis=-1: (  # noqa: E731
    losses.sparse_categorical_crossentropy(target, output, from_logits=from_logits, axis=axis)
)


def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """A rectified linear unit with a slope below zero, an upper bound and a threshold."""
    from nabi import activations

    return activations.relu(x, negative_slope=alpha, max_value=max_value, threshold=threshold)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """The cross-entropy of each element; `keras.losses.binary_crossentropy` takes the mean over the last axis."""
    if from_logits:
        return ops.relu(output) - output * target + ops.softplus(-ops.abs(output))
    output = ops.clip(output, config.epsilon(), 1.0 - config.epsilon())
    return -(target * ops.log(output) + (1.0 - target) * ops.log(1.0 - output))


def l2_normalize(x: Any, axis: int | None = None) -> Any:
    """x over its L2 norm along an axis."""
    return x / ops.sqrt(ops.maximum(ops.sum(ops.square(x), axis=axis, keepdims=True), 1e-12))


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """Products of the matrices (or vectors) of each sample, summed over `axes`."""
    x_axis, y_axis = (axes, axes) if isinstance(axes, int) else axes or (len(x.shape) - 1, len(y.shape) - 2)
    if len(x.shape) == 2 and len(y.shape) == 2:
        return ops.sum(x * y, axis=1, keepdims=True)
    letters = "abcdefgh"
    left = letters[: len(x.shape)]
    right = [letters[0], *"uvwxyz"[: len(y.shape) - 1]]
    right[y_axis] = left[x_axis]
    out = [c for i, c in enumerate(left) if i != x_axis] + [c for i, c in enumerate(right) if i not in (0, y_axis)]
    return ops.einsum(f"{left},{''.join(right)}->{''.join(out)}", x, y)


def int_shape(x: Any) -> tuple[int | None, ...] | None:
    """The static shape as a tuple; None for free dimensions."""
    return tuple(x.shape) if hasattr(x, "shape") else None


def ndim(x: Any) -> int:
    """Number of axes."""
    return len(x.shape)


def dtype(x: Any) -> str:
    """The dtype's name."""
    return str(x.dtype)


def count_params(x: Any) -> int:
    """Number of elements."""
    return int(np.prod(x.shape))


def cast_to_floatx(x: Any) -> Any:
    """An array in the default float dtype."""
    return np.asarray(x, dtype=config.floatx())


def variable(value: Any, dtype: str | None = None, name: str | None = None, constraint: Any = None) -> Variable:
    """A variable that starts from a value."""
    out = Variable(np.asarray(value), dtype=dtype or config.floatx(), name=name)
    out.constraint = constraint
    return out


def constant(value: Any, dtype: str | None = None, shape: Any = None, name: str | None = None) -> Any:
    """A tensor of a value."""
    tensor = ops.convert_to_tensor(value, dtype=dtype or config.floatx())
    return tensor if shape is None else ops.broadcast_to(tensor, shape)


def zeros(shape: Any, dtype: str | None = None, name: str | None = None) -> Variable:
    """A variable of zeros."""
    return variable(np.zeros(shape), dtype, name)


def ones(shape: Any, dtype: str | None = None, name: str | None = None) -> Variable:
    """A variable of ones."""
    return variable(np.ones(shape), dtype, name)


def arange(start: int, stop: int | None = None, step: int = 1, dtype: str = "int32") -> Any:
    """Evenly spaced integers."""
    return ops.arange(start, stop, step, dtype=dtype)


def placeholder(shape: Any = None, ndim: int | None = None, dtype: str | None = None, name: str | None = None) -> Any:
    """A symbolic tensor; the batch axis is part of `shape`."""
    from nabi.layers import Input

    return Input(batch_shape=shape if shape is not None else (None,) * (ndim or 0), dtype=dtype, name=name)


def random_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Normal random numbers; without a seed, other ones at each step."""
    return random.normal(shape, mean=mean, stddev=stddev, dtype=dtype, seed=_seed(seed))


def random_uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Uniform random numbers; without a seed, other ones at each step."""
    return random.uniform(shape, minval=minval, maxval=maxval, dtype=dtype, seed=_seed(seed))


def dropout(x: Any, level: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """Zeroes a fraction of the elements and scales the others up."""
    return random.dropout(x, level, noise_shape=noise_shape, seed=_seed(seed))


def _seed(seed: Any) -> Any:
    return _generator if seed is None else seed


_generator = random.SeedGenerator()


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """x plus a vector along its channels."""
    if (data_format or config.image_data_format()) == "channels_first" and len(x.shape) > 2:
        return x + ops.reshape(bias, (1, -1) + (1,) * (len(x.shape) - 2))
    return x + bias


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """One of two tensors (or of what two functions return)."""
    then = then_expression() if callable(then_expression) else then_expression
    other = else_expression() if callable(else_expression) else else_expression
    while hasattr(condition, "shape") and 0 < len(condition.shape) < len(then.shape):
        condition = ops.expand_dims(condition, -1)
    return ops.where(condition, then, other)


def learning_phase() -> int:
    """0: what `in_train_phase` takes outside of training."""
    return 0


def set_learning_phase(value: int) -> None:
    """Accepted: layers are told by `fit` and `predict` whether they train."""


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """x while training, else alt."""
    chosen = x if training else alt
    return chosen() if callable(chosen) else chosen


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """alt while training, else x."""
    return in_train_phase(alt, x, training)


def get_value(x: Any) -> Any:
    """The array of a variable or tensor; a NumPy scalar for a single number."""
    value = np.asarray(x)
    return value[()] if value.ndim == 0 else value


eval = get_value


def set_value(x: Any, value: Any) -> None:
    """Writes a variable."""
    x.assign(np.asarray(value))


def batch_get_value(tensors: Sequence[Any]) -> list[Any]:
    """The arrays of several variables."""
    return [get_value(x) for x in tensors]


def batch_set_value(tuples: Sequence[tuple[Any, Any]]) -> None:
    """Writes several variables."""
    for x, value in tuples:
        set_value(x, value)


def update(x: Variable, new_x: Any) -> Any:
    """Writes a variable."""
    return x.assign(new_x)


def update_add(x: Variable, increment: Any) -> Any:
    """Adds to a variable."""
    return x.assign_add(increment)


def update_sub(x: Variable, decrement: Any) -> Any:
    """Takes from a variable."""
    return x.assign_sub(decrement)


def gradients(loss: Any, variables: Any) -> Any:
    """Derivatives of a loss; inside `call`, losses and `train_step`."""
    return ops.gradients(loss, variables)


def function(inputs: Any, outputs: Any, updates: Any = None, **kwargs: Any) -> Any:
    """A function from arrays to the values of symbolic tensors: `K.function([model.input], [layer.output])`."""
    if updates:
        raise NotImplementedError("`K.function(updates=...)` is not offered: write a `train_step`.")
    given = [x for x in _listed(inputs) if hasattr(x, "_keras_history")]  # a learning phase is not a tensor
    model = models.Model(given, outputs if isinstance(outputs, (list, tuple)) else [outputs])

    def call(arguments: Any) -> Any:
        results = model.predict_on_batch([np.asarray(a) for a in _listed(arguments)[: len(given)]])
        results = [np.asarray(r) for r in _listed(results)]
        return results if isinstance(outputs, (list, tuple)) else results[0]

    return call


def _listed(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (list, tuple)) else [x]


def image_dim_ordering() -> str:
    """Keras 1's name of `image_data_format`: "tf" or "th"."""
    return {"channels_last": "tf", "channels_first": "th"}[config.image_data_format()]


def set_image_dim_ordering(dim_ordering: str) -> None:
    """Keras 1's name of `set_image_data_format`."""
    config.set_image_data_format({"tf": "channels_last", "th": "channels_first"}.get(dim_ordering, dim_ordering))


def get_session() -> None:
    """None: there are no sessions."""


def set_session(session: Any) -> None:
    """Accepted: there are no sessions."""


def reset_uids() -> None:
    """Names are numbered from the beginning again."""
    names.clear_session()


def manual_variable_initialization(value: bool) -> None:
    """Accepted: variables have their values from the start."""
