"""Random tensors (Keras: `keras.random`).

A random op takes a state, two int64 numbers (seed, counter), and gives the same numbers for the same state whatever the
threads or the instruction set (Philox4x32-10). A `SeedGenerator` counts its states, so each use in a traced program and
each run of it differs; an int as `seed` gives the same numbers at every call. Seeds that the user does not give are
drawn from NumPy's global generator, so `np.random.seed(7)` or `nabi.utils.set_random_seed(7)` makes a program
reproducible.
"""

from __future__ import annotations

import random as python_random
from typing import Any, cast

import numpy as np

from nabi import _core, config, dtypes, names
from nabi.ops import core, elementwise, indexing, reduction
from nabi.ops._dispatch import Value, floating, iota, op, reshaped, symbolic, to_dtype
from nabi.trace import Array, Tensor, Variable, emit, to_tensor
from nabi.trace.graph import current

__all__ = [
    "SeedGenerator",
    "beta",
    "binomial",
    "categorical",
    "draw_seed",
    "dropout",
    "gamma",
    "global_seed_generator",
    "make_default_seed",
    "normal",
    "randint",
    "set_random_seed",
    "shuffle",
    "truncated_normal",
    "uniform",
]

_LIMIT = 2**63


def make_default_seed() -> int:
    """A seed from NumPy's global generator, in 1 .. 10**9."""
    return int(np.random.randint(1, 10**9 + 1))  # noqa: NPY002 - np.random.seed must reproduce


def draw_seed() -> int:
    """A seed for something that gets none from the user; see `make_default_seed`."""
    return make_default_seed()


class SeedGenerator:
    """A source of random states: each `next()` gives another one.

    Args:
        seed: an integer; drawn from NumPy's global generator when None.
        name: made up when None.

    Attributes:
        state: Variable, int64 [2]: the seed and the number of states given so far.

    Raises:
        ValueError: a seed that is not an integer, or unknown arguments.
    """

    def __init__(self, seed: int | None = None, name: str | None = None, **kwargs: Any) -> None:
        self.name = names.auto_name(type(self).__name__) if name is None else name
        kwargs.pop("backend", None)
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments: {kwargs}")
        self._initial_seed = seed
        if seed is None:
            seed = make_default_seed()
        if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed}")
        with names.name_scope(self.name, caller=self):
            self.state = Variable(_pair(int(seed)), trainable=False, name="seed_generator_state")

    def next(self, ordered: bool = True) -> Any:
        """The current state, int64 [2]; the counter goes up by one.

        Args:
            ordered: accepted for compatibility.
        """
        if current.trace is None:
            value = self.state._core.read().view(Array)
            after = value.copy()
            after[1] += 1
            self.state._core.write(after)
            return value
        now = current.trace.read(self.state)
        self.state.assign(emit("add", now, iota([2], 0, "int64")))  # + [0, 1]
        return now

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this generator again, without its counter."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """A generator made from `get_config()`."""
        return cls(**config)


def _pair(seed: int) -> Array:
    wrapped = (seed + _LIMIT) % (2 * _LIMIT) - _LIMIT
    return np.array([wrapped, 0], np.int64).view(Array)


_global: SeedGenerator | None = None


def global_seed_generator() -> SeedGenerator:
    """The generator that unseeded random functions use inside a trace."""
    global _global
    if _global is None:
        _global = SeedGenerator(name="global_seed_generator")
    return _global


@names.on_clear_session
def _forget() -> None:
    global _global
    _global = None


def set_random_seed(seed: int) -> None:
    """Seeds Python's, NumPy's and Nabi's random numbers (`keras.utils.set_random_seed`).

    Raises:
        ValueError: `seed` is not an integer.
    """
    if not isinstance(seed, int):
        raise ValueError(f"Expected `seed` argument to be an integer. Received: seed={seed} (of type {type(seed)})")
    if not 0 <= seed < 2**32:
        raise ValueError(f"`seed` must be between 0 and 2**32 - 1. Received: seed={seed}")
    python_random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if _global is None:
        _forget()
    else:  # programs may hold its state
        _global.state._core.write(_pair(seed))


def _state(seed: Any) -> Any:
    """The state for one use: a Tensor inside a trace, else an Array."""
    if isinstance(seed, SeedGenerator):
        return seed.next()
    if seed is None:
        return _pair(make_default_seed()) if current.trace is None else global_seed_generator().next()
    if isinstance(seed, (int, np.integer)) and not isinstance(seed, bool):
        pair = _pair(int(seed))
        return pair if current.trace is None else current.trace.constant(pair, "int64")
    if isinstance(seed, (Tensor, Variable, np.ndarray)):
        return seed
    raise ValueError(
        "Argument `seed` must be either an integer or an instance of `SeedGenerator`. "
        f"Received: seed={seed} (of type {type(seed)})"
    )


def _float_dtype(dtype: Any, name: str) -> str:
    found = dtypes.core_dtype(dtype)
    if not dtypes.is_float(found):
        raise ValueError(f"`keras.random.{name}` requires a floating point `dtype`. Received: dtype={dtype} ")
    return found


def _dims(shape: Any) -> tuple[int, ...]:
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(int(d) for d in shape)


@op
def _draw(state: Value, name: str, shape: tuple[int, ...], dtype: str, first: float, second: float) -> Value:
    labels = ("low", "high") if name in ("random_uniform", "random_int") else ("mean", "stddev")
    attrs: dict[str, Any] = {labels[0]: first, labels[1]: second}
    return emit(name, to_tensor(state), shape=list(shape), dtype=dtype, **attrs)


@symbolic
def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers from a normal distribution.

    Args:
        shape: ints.
        mean, stddev: numbers, or tensors that broadcast to the shape.
        dtype: a float dtype, `floatx()` for None.
        seed: None, an int (the same numbers at every call) or a `SeedGenerator`.
    """
    name = _float_dtype(dtype, "normal")
    if isinstance(mean, (int, float)) and isinstance(stddev, (int, float)):
        return _draw(_state(seed), "random_normal", _dims(shape), name, float(mean), float(stddev))
    unit = _draw(_state(seed), "random_normal", _dims(shape), name, 0.0, 1.0)
    return elementwise.add(elementwise.multiply(unit, stddev), mean)


@symbolic
def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """`normal` without numbers farther than two standard deviations from the mean."""
    name = _float_dtype(dtype, "truncated_normal")
    if isinstance(mean, (int, float)) and isinstance(stddev, (int, float)):
        return _draw(_state(seed), "truncated_normal", _dims(shape), name, float(mean), float(stddev))
    unit = _draw(_state(seed), "truncated_normal", _dims(shape), name, 0.0, 1.0)
    return elementwise.add(elementwise.multiply(unit, stddev), mean)


@symbolic
def uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers from minval (included) to maxval (excluded), all equally likely; arguments as for `normal`."""
    name = _float_dtype(dtype, "uniform")
    if isinstance(minval, (int, float)) and isinstance(maxval, (int, float)):
        return _draw(_state(seed), "random_uniform", _dims(shape), name, float(minval), float(maxval))
    unit = _draw(_state(seed), "random_uniform", _dims(shape), name, 0.0, 1.0)
    return elementwise.add(elementwise.multiply(unit, elementwise.subtract(maxval, minval)), minval)


@symbolic
def randint(shape: Any, minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Integers from minval (included) to maxval (excluded), all equally likely.

    Raises:
        ValueError: a dtype that is not an integer one.
    """
    name = dtypes.core_dtype(dtype)
    if name not in ("uint8", "int32", "int64"):
        raise ValueError(f"`keras.random.randint` requires an integer `dtype`. Received: dtype={dtype} ")
    drawn = "int32" if name == "uint8" else name
    if isinstance(minval, (int, float, np.number)) and isinstance(maxval, (int, float, np.number)):
        found = _draw(_state(seed), "random_int", _dims(shape), drawn, int(minval), int(maxval))
    else:
        unit = _draw(_state(seed), "random_uniform", _dims(shape), "float64", 0.0, 1.0)
        span = elementwise.subtract(maxval, minval)
        found = core.cast(elementwise.add(elementwise.floor(elementwise.multiply(unit, span)), minval), drawn)
    return core.cast(found, "uint8") if name == "uint8" else found


@op
def _dropout(inputs: Value, state: Value, rate: float, noise_shape: tuple[int | None, ...] | None) -> Value:
    x = floating(inputs)
    if rate <= 0:
        return x
    if noise_shape is None:
        return emit("dropout", x, to_tensor(state), rate=float(rate))
    if len(noise_shape) != x.ndim:
        raise ValueError(
            "Argument `noise_shape` must have as many entries as the inputs have axes. "
            f"Received: inputs.shape={x.shape}, noise_shape={noise_shape}"
        )
    shape = [d if n is None else int(n) for d, n in zip(x.shape, noise_shape, strict=True)]
    kept = emit("random_bernoulli", to_tensor(state), shape=shape, p=1.0 - rate, dtype=x.dtype)
    scaled = elementwise.divide(x, 1.0 - rate) if rate < 1 else elementwise.multiply(x, 0.0)
    return elementwise.where(elementwise.greater(kept, 0.5), scaled, 0.0)


@symbolic
def dropout(inputs: Value, rate: float, noise_shape: Any = None, seed: Any = None) -> Any:
    """inputs / (1 - rate) with a share `rate` of the elements set to 0.

    Args:
        inputs: float tensor.
        rate: in 0 .. 1.
        noise_shape: the shape of the mask, which broadcasts; None entries are the inputs' own.
        seed: as for `normal`.
    """
    shape = None if noise_shape is None else tuple(noise_shape)
    return _dropout(inputs, _state(seed), float(rate), shape)


@op
def _categorical(logits: Value, state: Value, num_samples: int, dtype: str) -> Value:
    x = floating(logits)
    if x.ndim != 2:
        raise ValueError(f"`logits` should be a 2-D tensor. Received: logits.shape={x.shape}")
    shape = [x.shape[0], num_samples, x.shape[1]]
    unit = emit("random_uniform", to_tensor(state), shape=shape, low=2.0**-24, high=1.0, dtype=x.dtype)
    noise = elementwise.negative(elementwise.log(elementwise.negative(elementwise.log(unit))))
    scores = elementwise.add(reshaped(x, [x.shape[0], 1, x.shape[1]]), noise)
    return to_dtype(reduction.argmax(scores, axis=-1), dtype)


@symbolic
def categorical(logits: Value, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Classes drawn by their log-probabilities: [batch, num_samples] from [batch, classes] (Gumbel's method)."""
    return _categorical(logits, _state(seed), int(num_samples), dtypes.core_dtype(dtype))


@op
def _shuffle(x: Value, state: Value, axis: int) -> Value:
    tensor = to_tensor(x)
    at = axis % tensor.ndim
    length = tensor.shape[at]
    if length > 8192:
        raise NotImplementedError(
            f"`shuffle` inside a traced function is available for axes of at most 8192 elements, not {length}."
        )
    unit = cast(Tensor, emit("random_uniform", to_tensor(state), shape=[length], dtype="float32"))
    return indexing.take(tensor, indexing.argsort(unit), axis=at)


@symbolic
def shuffle(x: Value, axis: int = 0, seed: Any = None) -> Any:
    """The slices along an axis in random order."""
    state = _state(seed)
    if current.trace is not None:
        return _shuffle(x, state, axis)
    array = core.convert_to_tensor(x)
    order = _core.permutation(array.shape[axis], int(state[0]), int(state[1]), 0)
    return np.take(array, order, axis=axis).view(Array)


@op
def _gamma(state: Value, alpha: Value, shape: tuple[int, ...], dtype: str) -> Value:
    """Marsaglia and Tsang's method (2000): each of 8 rounds accepts at least 95 %, so that one in 10**10 is left."""
    one = to_dtype(state, "int64")
    step = elementwise.multiply(iota([2], 0, "int64"), 1 << 40)  # far from the states that follow
    a = elementwise.add(to_tensor(alpha, dtype), filled_zeros(shape, dtype))
    small = elementwise.less(a, 1.0)
    d = elementwise.subtract(elementwise.where(small, elementwise.add(a, 1.0), a), 1.0 / 3.0)
    c = elementwise.divide(1.0 / 3.0, elementwise.sqrt(d))
    found, done = d, None
    for _ in range(8):
        one = elementwise.add(one, step)
        x = emit("random_normal", one, shape=list(shape), dtype=dtype)
        one = elementwise.add(one, step)
        u = emit("random_uniform", one, shape=list(shape), low=2.0**-24, high=1.0, dtype=dtype)
        root = elementwise.add(1.0, elementwise.multiply(c, x))
        v = elementwise.multiply(elementwise.multiply(root, root), root)
        positive = elementwise.greater(root, 0.0)
        safe = elementwise.where(positive, v, 1.0)
        bound = elementwise.add(
            elementwise.multiply(0.5, elementwise.square(x)),
            elementwise.multiply(d, elementwise.add(elementwise.subtract(1.0, safe), elementwise.log(safe))),
        )
        accepted = elementwise.logical_and(positive, elementwise.less(elementwise.log(u), bound))
        fresh = accepted if done is None else elementwise.logical_and(accepted, elementwise.logical_not(done))
        found = elementwise.where(fresh, elementwise.multiply(d, safe), found)
        done = accepted if done is None else elementwise.logical_or(done, accepted)
    one = elementwise.add(one, step)
    u = emit("random_uniform", one, shape=list(shape), low=2.0**-24, high=1.0, dtype=dtype)
    boost = elementwise.power(u, elementwise.divide(1.0, elementwise.where(small, a, 1.0)))
    return elementwise.where(small, elementwise.multiply(found, boost), found)


def filled_zeros(shape: tuple[int, ...], dtype: str) -> Tensor:
    """Zeros inside a trace."""
    return cast(Tensor, emit("broadcast_to", to_dtype(0, dtype), shape=list(shape)))


@symbolic
def gamma(shape: Any, alpha: Value, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers from a gamma distribution of shape `alpha` and scale 1."""
    return _gamma(_state(seed), alpha, _dims(shape), _float_dtype(dtype, "gamma"))


@op
def _beta(state: Value, alpha: Value, beta: Value, shape: tuple[int, ...], dtype: str) -> Value:
    now = to_dtype(state, "int64")
    later = elementwise.add(now, elementwise.multiply(iota([2], 0, "int64"), 1 << 39))
    a, b = _gamma(now, alpha, shape, dtype), _gamma(later, beta, shape, dtype)
    return elementwise.divide(a, elementwise.add(a, b))


@symbolic
def beta(shape: Any, alpha: Value, beta: Value, dtype: Any = None, seed: Any = None) -> Any:
    """Numbers from a beta distribution, in 0 .. 1."""
    return _beta(_state(seed), alpha, beta, _dims(shape), _float_dtype(dtype, "beta"))


@op
def _binomial(state: Value, probabilities: Value, counts: int, shape: tuple[int, ...], dtype: str) -> Value:
    unit = emit("random_uniform", to_tensor(state), shape=[counts, *shape], dtype="float32")
    return to_dtype(reduction.sum(elementwise.less(unit, to_tensor(probabilities, "float32")), axis=0), dtype)


@symbolic
def binomial(shape: Any, counts: Any, probabilities: Value, dtype: Any = None, seed: Any = None) -> Any:
    """How many of `counts` trials succeed.

    Args:
        counts: one number of trials for all.
        probabilities: of success, broadcasting to the shape.

    Raises:
        NotImplementedError: `counts` is not one number.
    """
    if isinstance(counts, (Tensor, Variable)) or np.size(counts) != 1:
        raise NotImplementedError("`binomial` is available for one number of trials, not for a tensor of them.")
    trials = int(np.asarray(counts).reshape(()))
    name = config.floatx() if dtype is None else dtypes.core_dtype(dtype)
    return _binomial(_state(seed), probabilities, trials, _dims(shape), name)
