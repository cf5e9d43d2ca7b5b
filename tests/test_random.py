"""Random tensors: distributions, seeds, and what makes them repeat."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nabi import KerasTensor, ops, random, trace
from nabi.random import SeedGenerator

N = 40_000


def close(got: float, want: float, spread: float) -> None:
    """Within five standard errors of N draws with the given standard deviation."""
    assert abs(got - want) < 5 * spread / np.sqrt(N)


def test_normal() -> None:
    x = random.normal((N,), mean=2.0, stddev=3.0, seed=1)
    assert x.dtype == np.float32
    close(x.mean(), 2, 3)
    close(((x - 2) ** 2).mean(), 9, 9 * np.sqrt(2))
    assert random.normal((4,), seed=1, dtype="float64").dtype == np.float64


def test_uniform() -> None:
    x = random.uniform((N,), -1.0, 3.0, seed=1)
    assert x.min() >= -1 and x.max() < 3
    close(x.mean(), 1, 4 / np.sqrt(12))
    with pytest.raises(ValueError, match="requires a floating point `dtype`"):
        random.uniform((2,), dtype="int32")


def test_truncated_normal() -> None:
    x = random.truncated_normal((N,), mean=1.0, stddev=2.0, seed=1)
    assert np.abs(x - 1).max() <= 4
    close(x.mean(), 1, 2 * 0.88)
    close(((x - 1) ** 2).mean(), 4 * 0.7737413, 4)


def test_randint() -> None:
    x = random.randint((N,), -2, 3, seed=1)
    assert x.dtype == np.int32 and set(x.tolist()) == {-2, -1, 0, 1, 2}
    close(x.mean(), 0, np.sqrt(2))
    assert random.randint((3,), 0, 200, dtype="uint8", seed=1).dtype == np.uint8
    with pytest.raises(ValueError, match="requires an integer `dtype`"):
        random.randint((2,), 0, 5, dtype="float32")


def test_bounds_may_be_tensors() -> None:
    high = np.array([1.0, 100.0], np.float32)
    x = random.uniform((500, 2), 0.0, high, seed=1)
    assert x[:, 0].max() < 1 < x[:, 1].max() < 100
    assert random.randint((500, 2), 0, np.array([1, 9], np.int32), seed=1).max(0).tolist() == [0, 8]


def test_categorical() -> None:
    p = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]], np.float32)
    with np.errstate(divide="ignore"):
        x = random.categorical(np.log(p), N, seed=1)
    assert x.shape == (2, N) and x.dtype == np.int32
    for row, want in zip(x, p, strict=True):
        for c in range(3):
            close((row == c).mean(), want[c], 0.5)
    with pytest.raises(ValueError, match="2-D"):
        random.categorical(p[0], 3)


def test_gamma_beta_binomial() -> None:
    for alpha in (0.5, 3.0):
        x = random.gamma((N,), alpha, seed=1)
        close(x.mean(), alpha, np.sqrt(alpha))
        close(((x - alpha) ** 2).mean(), alpha, 4 * alpha)
    b = random.beta((N,), 2.0, 3.0, seed=1)
    close(b.mean(), 0.4, 0.2)
    k = random.binomial((N,), 10, 0.3, seed=1)
    close(k.mean(), 3, np.sqrt(2.1))
    with pytest.raises(NotImplementedError, match="one number of trials"):
        random.binomial((2,), np.array([1, 2]), 0.5)


def test_dropout() -> None:
    x = np.ones((N,), np.float32)
    y = random.dropout(x, 0.25, seed=1)
    assert set(np.unique(y).tolist()) == {0.0, np.float32(1 / 0.75)}
    close((y == 0).mean(), 0.25, 0.5)
    assert np.array_equal(random.dropout(x, 0.0, seed=1), x)
    assert not random.dropout(x, 1.0, seed=1).any()
    rows = random.dropout(np.ones((50, 8), np.float32), 0.5, noise_shape=(None, 1), seed=1)
    assert (rows == rows[:, :1]).all() and 0 < (rows[:, 0] == 0).sum() < 50


def test_shuffle() -> None:
    x = np.arange(200).reshape(100, 2)
    y = random.shuffle(x, seed=3)
    assert not np.array_equal(y, x) and np.array_equal(np.sort(y, 0), x) and (y[:, 1] - y[:, 0] == 1).all()
    assert np.array_equal(random.shuffle(x, seed=3), y)
    traced = trace.run_eagerly_cached(lambda v: random.shuffle(v, seed=3), (x,))
    assert np.array_equal(np.sort(traced, 0), x) and not np.array_equal(traced, x)


def test_an_int_seed_repeats_and_a_generator_does_not() -> None:
    assert np.array_equal(random.normal((3,), seed=5), random.normal((3,), seed=5))
    assert not np.array_equal(random.normal((3,), seed=5), random.normal((3,), seed=6))
    generator = SeedGenerator(5)
    first, second = random.normal((3,), seed=generator), random.normal((3,), seed=generator)
    assert not np.array_equal(first, second) and generator.state.numpy().tolist() == [5, 2]
    again = SeedGenerator.from_config(generator.get_config())
    assert np.array_equal(random.normal((3,), seed=again), first)
    with pytest.raises(ValueError, match="must be an integer"):
        SeedGenerator("x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`seed` must be either an integer or an instance"):
        random.normal((3,), seed="x")


def test_traced_draws_differ_from_each_other_and_from_run_to_run() -> None:
    generator = SeedGenerator(5)
    x = np.ones(64, np.float32)
    step = trace.Cached(lambda v: (random.dropout(v, 0.5, seed=generator), random.dropout(v, 0.5, seed=generator)))
    a, b = step(x)
    c, d = step(x)
    draws = [v.tobytes() for v in (a, b, c, d)]
    assert len(set(draws)) == 4 and len(step._entries) == 1
    assert generator.state.numpy().tolist() == [5, 4]
    eager = SeedGenerator(5)  # the same states one by one
    assert [random.dropout(x, 0.5, seed=eager).tobytes() for _ in range(4)] == draws


def test_numpy_seeds_and_set_random_seed_repeat() -> None:
    def draw() -> list[bytes]:
        generator = SeedGenerator()
        traced = trace.Cached(lambda: random.normal((3,)))
        return [v.tobytes() for v in (random.normal((3,)), random.uniform((2,), seed=generator), traced())]

    for seed in (random.set_random_seed, np.random.seed):
        seed(7)
        first = draw()
        seed(7)
        again = draw()
        assert first[:2] == again[:2]
    random.set_random_seed(7)
    first = draw()
    random.set_random_seed(7)
    assert draw() == first
    assert draw() != first
    with pytest.raises(ValueError, match="to be an integer"):
        random.set_random_seed("7")  # type: ignore[arg-type]


def test_symbolic_dropout_is_recorded() -> None:
    x = KerasTensor((None, 4))
    y: Any = random.dropout(x, 0.5, seed=SeedGenerator(1))
    assert y.shape == (None, 4)
    operation = y._keras_history.operation
    args, kwargs = operation._inbound_nodes[0].arguments.fill_in({id(x): np.ones((2, 4), np.float32)})
    assert operation(*args, **kwargs).shape == (2, 4)


def test_gradient_of_dropout_drops_the_same_elements() -> None:
    @trace.eager
    def both(x: Any) -> Any:
        y = random.dropout(x, 0.5, seed=9)
        return y, ops.gradients(ops.sum(y), [x])[0]

    y, g = both(np.ones(100, np.float32))
    assert np.array_equal(y, g)
