"""Choices, loops, scans and functions with a gradient of their own: at once, traced, symbolic, in layers and steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nabi
from nabi import layers, ops, trace

A = np.linspace(-2, 2, 20, dtype=np.float32).reshape(4, 5)


def near(found: Any, wanted: Any, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


# ---- choices --------------------------------------------------------------------------------------------------------


def test_cond_and_switch() -> None:
    assert ops.cond(True, lambda: 1, lambda: 2) == 1
    assert float(ops.cond(A.sum() > 1e9, lambda: ops.sum(A), lambda: ops.sum(A * 0))) == 0

    @trace.eager
    def traced(x: Any, i: Any) -> Any:
        return (
            ops.cond(ops.sum(x) > 0, lambda: x * 2, lambda: -x),
            ops.switch(i, [lambda v: v, lambda v: v + 1, lambda v: v * 0], x),
        )

    for sign in (1, -1):
        chosen, switched = traced(sign * np.ones(3, np.float32), np.array(sign))
        assert chosen.tolist() == [2, 2, 2] if sign > 0 else chosen.tolist() == [1, 1, 1]
        assert switched.tolist() == [2, 2, 2] if sign > 0 else switched.tolist() == [-1, -1, -1]
    assert ops.switch(7, [lambda: "a", lambda: "b"]) == "b"


def test_cond_chooses_what_is_assigned_too() -> None:
    counts = nabi.Variable(np.zeros(2, np.float32), name="counts")

    @trace.eager
    def step(x: Any) -> Any:
        def up() -> Any:
            counts.assign_add(np.array([1, 0], np.float32))
            return ops.sum(x)

        def down() -> Any:
            counts.assign_add(np.array([0, 1], np.float32))
            return -ops.sum(x)

        return ops.cond(ops.sum(x) > 0, up, down)

    for value in (1, 1, -1):
        assert step(np.full(3, value, np.float32)) == 3
    assert counts.numpy().tolist() == [2, 1]


def test_cond_of_symbolic_tensors() -> None:
    x = layers.Input((3,))
    model = nabi.Model(x, ops.cond(ops.sum(x) > 0, lambda: x * 2, lambda: -x))
    near(model.predict(np.ones((2, 3), np.float32), verbose=0), 2)
    near(model.predict(-np.ones((2, 3), np.float32), verbose=0), 1)


# ---- loops ----------------------------------------------------------------------------------------------------------


def test_loops() -> None:
    assert ops.fori_loop(0, 4, lambda i, v: v + i, 10) == 16
    assert ops.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s + i), (0, 0)) == (4, 6)
    assert ops.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s + i), [0, 0]) == [4, 6]

    @trace.eager
    def halve(x: Any) -> Any:
        return ops.while_loop(lambda v: ops.max(v) > 1, lambda v: v / 2, x, maximum_iterations=10)

    assert halve(np.array([5.0, 1.0], np.float32)).tolist() == [0.625, 0.125]
    assert halve(np.array([0.5, 1.0], np.float32)).tolist() == [0.5, 1.0]


def test_map_and_scan() -> None:
    near(ops.map(lambda row: ops.sum(row), A), A.sum(1))
    near(ops.vectorized_map(lambda row: row * 2, A), A * 2)
    both = ops.map(lambda row: {"sum": row[0] + row[1], "both": row}, (A, A * 2))
    near(both["sum"], A * 3)
    near(both["both"][1], A * 2)
    carry, sums = ops.scan(lambda c, x: (c + x, c + x), np.zeros(5, np.float32), A)
    near(sums, np.cumsum(A, 0))
    near(carry, A.sum(0))
    _, back = ops.scan(lambda c, x: (c + x, c + x), np.zeros(5, np.float32), A, reverse=True)
    near(back, np.cumsum(A[::-1], 0)[::-1])
    assert ops.scan(lambda c, x: (c * 2, None), 1, length=5) == (32, None)


@pytest.mark.parametrize("n", range(1, 10))
@pytest.mark.parametrize("reverse", [False, True])
def test_associative_scan(n: int, reverse: bool) -> None:
    x = np.random.default_rng(0).standard_normal((3, n)).astype(np.float32)
    wanted = np.cumsum(x[:, ::-1], 1)[:, ::-1] if reverse else np.cumsum(x, 1)
    near(ops.associative_scan(lambda a, b: a + b, x, reverse=reverse, axis=1), wanted)
    near(ops.associative_scan(lambda a, b: a + b, x, reverse=reverse, axis=-1), wanted)
    twice = trace.eager(lambda v: ops.associative_scan(lambda a, b: {"x": a["x"] + b["x"]}, {"x": v}, reverse))
    near(twice(x.T)["x"], wanted.T)
    matrices = np.stack([np.eye(2, dtype=np.float32) * (i + 1) + i for i in range(n)])
    products = [matrices[0]]
    for m in matrices[1:]:
        products.append(products[-1] @ m)
    if not reverse:  # products do not commute
        near(ops.associative_scan(ops.matmul, matrices), np.stack(products), 1e-4)


def test_loops_of_symbolic_tensors_and_layers() -> None:
    x = layers.Input((3,))
    model = nabi.Model(x, ops.vectorized_map(lambda row: ops.sum(row), x))
    near(model.predict(A[:, :3], verbose=0), A[:, :3].sum(1))

    class Iterated(layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(3, activation="tanh")

        def call(self, x: Any) -> Any:
            return ops.fori_loop(0, 4, lambda i, v: self.dense(v) + i, x)

    model = nabi.Sequential([layers.Input((3,)), Iterated(), layers.Dense(1)])
    model.compile("adam", "mse")
    history = model.fit(A[:, :3], A[:, :1], epochs=30, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: ops.while_loop(lambda v: ops.sum(v) > 1, lambda v: v / 2, x), NotImplementedError, "maximum_iter"),
        (lambda x: ops.fori_loop(0, ops.sum(x), lambda i, v: v, x), NotImplementedError, "`upper` must be a number"),
        (lambda x: ops.while_loop(lambda a, b: a < 2, lambda a, b: (a,), (0, 1)), ValueError, "as many values"),
        (lambda x: ops.while_loop(1, lambda v: v, x), TypeError, "`cond` to be callable"),
        (lambda x: ops.cond(ops.sum(x) > 0, lambda: x, lambda: ops.sum(x)), TypeError, "same shapes"),
        (lambda x: ops.cond(ops.sum(x) > 0, lambda: (x, x), lambda: x), TypeError, "same structure"),
        (lambda x: ops.cond(True, 1, lambda: x), TypeError, "`true_fn` to be callable"),
        (lambda x: ops.switch(0, []), ValueError, "at least one branch"),
        (lambda x: ops.scan(lambda c, v: (c, v), 0), ValueError, "Got no `xs`"),
        (lambda x: ops.scan(lambda c, v: (c, v), 0, x, length=9), ValueError, "disagrees"),
        (lambda x: ops.scan(lambda c, v: (c, v), 0, x, unroll=0), ValueError, "`unroll` must be"),
        (lambda x: ops.map(abs, ops.sum(x)), ValueError, "received a scalar"),
        (lambda x: ops.map(abs, (x, x[:2])), ValueError, "same length"),
        (lambda x: ops.map(abs, x[:0]), ValueError, "at least one slice"),
        (lambda x: ops.associative_scan(ops.add, (x, x[:2])), ValueError, "same first dimension"),
        (lambda x: ops.associative_scan(ops.add, x, axis=2), ValueError, "out of range"),
        (lambda x: ops.custom_gradient(3), TypeError, "`f` to be callable"),
        (lambda x: ops.custom_gradient(ops.exp)(x), TypeError, "the function of its gradient"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        trace.run_eagerly_cached(call, (A,))


# ---- gradients ------------------------------------------------------------------------------------------------------


@ops.custom_gradient
def log1pexp(x: Any) -> Any:
    """The example of the documentation: stable where the plain formula gives inf / inf."""
    e = ops.exp(x)

    def grad(*args: Any, upstream: Any = None) -> Any:
        if upstream is None:
            (upstream,) = args
        return ops.multiply(upstream, 1.0 - 1.0 / ops.add(1, e))

    return ops.log(1 + e), grad


@ops.custom_gradient
def reversed_gradient(x: Any) -> Any:
    return x, lambda upstream: -2 * upstream


@ops.custom_gradient
def clipped_gradient(x: Any) -> Any:
    return x, lambda upstream: ops.clip(upstream, -1, 1)


def derivatives(f: Any, x: Any, order: int = 1) -> list[Any]:
    def run(x: Any) -> list[Any]:
        found, y = [], f(x)
        for _ in range(order):
            (y,) = ops.gradients(ops.sum(y), [x])
            found.append(y)
        return found

    return trace.eager(run)(np.asarray(x, np.float32))


def test_custom_gradient_at_once() -> None:
    near(log1pexp(np.float32(0.5)), np.log1p(np.exp(0.5)))
    assert reversed_gradient(A).tolist() == A.tolist()


def test_custom_gradient_first_and_second_order() -> None:
    x = np.array([-1.0, 0.5, 100.0])
    first, second = derivatives(log1pexp, x, 2)
    sigmoid = 1 / (1 + np.exp(-x))
    near(first, sigmoid)
    assert np.isfinite(first).all()
    near(second[:2], (sigmoid * (1 - sigmoid))[:2])
    near(derivatives(lambda x: reversed_gradient(x) + x, x)[0], -1)
    near(derivatives(lambda x: reversed_gradient(reversed_gradient(x) * 3), x)[0], 12)
    near(derivatives(lambda x: clipped_gradient(x * 3) * 5, x)[0], 3)  # not linear in what flows in
    near(derivatives(lambda x: clipped_gradient(x) * ops.stop_gradient(x) + x, [2.0])[0], 2)


def test_custom_gradient_of_several_arguments() -> None:
    @ops.custom_gradient
    def product(pair: Any, scale: Any) -> Any:
        def grad(upstream: Any) -> Any:
            return (upstream["y"] * 10, None), ops.sum(upstream["unused"])

        return {"y": pair[0] * pair[1] * scale, "unused": pair[0], "index": ops.argmax(pair[0])}, grad

    def run(a: Any, b: Any, c: Any) -> Any:
        grads = ops.gradients(ops.sum(product((a, b), c)["y"]), [a, b, c])
        return [ops.zeros(()) if g is None else g for g in grads]

    found = trace.eager(run)(A, A, np.array(2, np.float32))
    near(found[0], 10)
    near(found[1], 0)
    near(found[2], 0)

    @ops.custom_gradient
    def as_on_torch(x: Any) -> Any:
        def grad(*args: Any, upstream: Any) -> Any:
            return args[0] * upstream

        return x * 0, grad

    near(derivatives(as_on_torch, [3.0])[0], 3)
    for wrong, message in ((lambda u: (u, u), "one value for each of 1"), (lambda u: u[:1], "shapes of the inputs")):
        with pytest.raises(ValueError, match=message):
            derivatives(ops.custom_gradient(lambda x, wrong=wrong: (x, wrong)), [1.0, 2.0])


def test_custom_gradient_in_a_model() -> None:
    """A reversed gradient drives the layers below up the loss, those above down."""

    class Reversed(layers.Layer):
        def call(self, x: Any) -> Any:
            return reversed_gradient(x)

    x = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
    y = x.sum(1, keepdims=True)
    for middle in (Reversed(), layers.Identity()):
        model = nabi.Sequential([layers.Input((3,)), layers.Dense(3, use_bias=False), middle, layers.Dense(1)])
        model.set_weights([np.eye(3), np.full((3, 1), 0.5), np.zeros(1)])
        before = model.get_weights()
        model.compile(nabi.optimizers.SGD(0.1), "mse")
        model.fit(x, y, epochs=1, batch_size=8, verbose=0)
        change = [b - a for a, b in zip(before, model.get_weights(), strict=True)]
        if isinstance(middle, Reversed):
            reference = change
    near(reference[0], -2 * change[0], 1e-4)
    near(reference[1], change[1], 1e-4)
    inputs = layers.Input((3,))
    functional = nabi.Model(inputs, layers.Dense(1)(reversed_gradient(inputs)))
    functional.compile("sgd", "mse")
    assert np.isfinite(functional.train_on_batch(x, y))


def test_custom_gradient_in_a_train_step() -> None:
    class Penalised(nabi.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x)

        def train_step(self, data: Any) -> Any:
            x, y = data
            x = ops.convert_to_tensor(x)
            (slope,) = ops.gradients(ops.sum(log1pexp(self(x))), [x])
            loss = ops.mean(slope * slope) + ops.mean((self(x) - y) ** 2)
            grads = ops.gradients(loss, self.trainable_variables)  # through the gradient above
            self.optimizer.apply(grads, self.trainable_variables)
            return {"total": loss}

    model = Penalised()
    model.compile(nabi.optimizers.SGD(0.01))
    losses = model.fit(A, A[:, :1], epochs=8, verbose=0).history["total"]
    assert losses[-1] < losses[0]
