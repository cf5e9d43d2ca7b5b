"""The names of `tensorflow` itself that Keras programs touch: constants, a few functions, seeds, device lists.

Source: TensorFlow 2's API documentation; what computes is `nabi.ops`.
"""

from __future__ import annotations

import contextlib
import logging as _logging
from collections.abc import Callable
from typing import Any

import numpy as np

from nabi import dtypes, ops
from nabi.legacy.tensorflow.math import (  # noqa: F401 - names of tensorflow itself too
    reduce_all,
    reduce_any,
    reduce_max,
    reduce_mean,
    reduce_min,
    reduce_prod,
    reduce_std,
    reduce_sum,
    reduce_variance,
)
from nabi.trace import Array, KerasTensor
from nabi.trace import Variable as _Variable

#: path below `tensorflow` -> modules whose names it offers
SOURCES: dict[str, tuple[str, ...]] = {
    "": ("nabi.legacy.tensorflow",),
    "python": (),
    "compat": (),
    "compat.v1": ("nabi.legacy.tensorflow",),
    "compat.v2": ("nabi.legacy.tensorflow",),
    "compat.v1.logging": ("nabi.legacy.tensorflow.logging",),
    "compat.v1.random": ("nabi.legacy.tensorflow.random",),
    "config": ("nabi.legacy.tensorflow.config",),
    "config.experimental": ("nabi.legacy.tensorflow.config",),
    "config.threading": ("nabi.legacy.tensorflow.config",),
    "data": ("nabi.legacy.tensorflow.data",),
    "experimental": (),
    "experimental.numpy": ("nabi.ops",),
    "linalg": ("nabi.ops",),
    "logging": ("nabi.legacy.tensorflow.logging",),
    "math": ("nabi.legacy.tensorflow.math", "nabi.ops"),
    "nn": ("nabi.ops",),
    "random": ("nabi.legacy.tensorflow.random",),
    "test": ("nabi.legacy.tensorflow.config",),
}

__version__ = "2.21.0"
Tensor = (Array, KerasTensor)
newaxis = None
uint8, int8, int16, int32, int64 = "uint8", "int8", "int16", "int32", "int64"
float16, float32, float64, double = "float16", "float32", "float64", "float64"
bool = "bool"
string = "string"

abs = ops.abs
add = ops.add
argmax = lambda x, axis=0, output_type=None: ops.argmax(x, axis=axis)  # noqa: E731
argmin = lambda x, axis=0, output_type=None: ops.argmin(x, axis=axis)  # noqa: E731
cast = lambda x, dtype: ops.cast(ops.convert_to_tensor(x), dtypes.standardize_dtype(dtype))  # noqa: E731
clip_by_value = lambda t, clip_value_min, clip_value_max: ops.clip(t, clip_value_min, clip_value_max)  # noqa: E731
concat = lambda values, axis: ops.concatenate(values, axis=axis)  # noqa: E731
cos = ops.cos
divide = ops.divide
equal = ops.equal
exp = ops.exp
expand_dims = ops.expand_dims
eye = ops.eye
gather = lambda params, indices, axis=0: ops.take(params, indices, axis=axis)  # noqa: E731
greater = ops.greater
identity = lambda x: x  # noqa: E731
less = ops.less
matmul = lambda a, b, transpose_a=False, transpose_b=False: ops.matmul(  # noqa: E731
    ops.swapaxes(a, -1, -2) if transpose_a else a, ops.swapaxes(b, -1, -2) if transpose_b else b
)
maximum = ops.maximum
minimum = ops.minimum
multiply = ops.multiply
one_hot = lambda indices, depth, dtype="float32": ops.one_hot(indices, depth, dtype=dtype)  # noqa: E731
ones = lambda shape, dtype="float32": ops.ones(shape, dtype=dtype)  # noqa: E731
ones_like = ops.ones_like
pow = ops.power
range = ops.arange
rank = lambda x: len(x.shape)  # noqa: E731
reshape = lambda tensor, shape: ops.reshape(tensor, shape)  # noqa: E731
round = ops.round
shape = ops.shape
sigmoid = ops.sigmoid
sign = ops.sign
sin = ops.sin
sqrt = ops.sqrt
square = ops.square
squeeze = ops.squeeze
stack = ops.stack
stop_gradient = ops.stop_gradient
subtract = ops.subtract
tanh = ops.tanh
tile = ops.tile
transpose = lambda a, perm=None: ops.transpose(a, perm)  # noqa: E731
where = ops.where
zeros = lambda shape, dtype="float32": ops.zeros(shape, dtype=dtype)  # noqa: E731
zeros_like = ops.zeros_like


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Any:
    """A tensor of a value; floats are float32, ints int32."""
    array = np.asarray(value)
    if dtype is None:
        dtype = {"f": "float32", "i": "int32"}.get(array.dtype.kind, array.dtype.name)
    tensor = ops.convert_to_tensor(array, dtype=dtypes.standardize_dtype(dtype))
    return tensor if shape is None else ops.broadcast_to(tensor, shape)


convert_to_tensor = constant


def Variable(  # noqa: N802 - TensorFlow's name
    initial_value: Any, trainable: Any = True, name: str | None = None, dtype: Any = None, **kwargs: Any
) -> _Variable:
    """A variable that starts from a value; floats are float32."""
    return _Variable(np.asarray(constant(initial_value, dtype)), trainable=trainable, name=name)


def function(func: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
    """Returns the function as it is: what runs in a model is always compiled."""
    return func if func is not None else lambda f: f


@contextlib.contextmanager
def device(name: str) -> Any:
    """Accepted: there is one device."""
    yield


name_scope = device


def executing_eagerly() -> Any:
    """True: ops on arrays run at once."""
    return True


def enable_eager_execution() -> None:
    """Accepted: ops on arrays run at once."""


def disable_eager_execution() -> None:
    """Accepted: what runs in a model is always compiled."""


disable_v2_behavior = enable_v2_behavior = enable_eager_execution


def get_logger() -> Any:
    """The logger named "tensorflow", which nothing writes to."""
    return _logging.getLogger("tensorflow")


def set_random_seed(seed: int) -> None:
    """TensorFlow 1's name of `random.set_seed`."""
    from nabi.legacy.tensorflow.random import set_seed

    set_seed(seed)
