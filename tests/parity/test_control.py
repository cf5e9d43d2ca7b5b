"""Control flow and custom gradients give what Keras gives on JAX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from parity.pair import close, keras, nabi, numbers

X = numbers(4, 5)


def _custom(ops: Any, clipped: bool = False) -> Any:
    @ops.custom_gradient
    def f(x: Any, w: Any) -> Any:
        e = ops.exp(x)

        def grad(upstream: Any) -> Any:
            return (
                upstream * (1 - 1 / (1 + e)) * w,
                ops.clip(upstream, -0.5, 0.5) if clipped else upstream * ops.log(1 + e),
            )

        return ops.log(1 + e) * w, grad

    return f


CALLS: dict[str, Any] = {
    "cond": lambda ops, x: ops.cond(ops.sum(x) > 0, lambda: x * 2, lambda: -x),
    "switch": lambda ops, x: ops.switch(ops.cast(ops.sum(x) * 0 + 1, "int32"), [ops.exp, ops.sin, ops.abs], x),
    "switch, clamped": lambda ops, x: ops.switch(7, [ops.exp, ops.sin], x),
    "fori_loop": lambda ops, x: ops.fori_loop(1, 4, lambda i, v: v * ops.cast(i, "float32") + x, x),
    "while_loop": lambda ops, x: ops.while_loop(lambda i, v: i < 5, lambda i, v: (i + 1, v * 0.5), (0, x))[1],
    "while_loop, limited": lambda ops, x: ops.while_loop(
        lambda v: ops.max(v) > 0.1, lambda v: (v * 0.5,), (x,), maximum_iterations=3
    )[0],
    "map": lambda ops, x: ops.map(lambda row: ops.sum(row) * row, x),
    "map of a tuple": lambda ops, x: ops.map(lambda pair: pair[0] * pair[1], (x, x + 1)),
    "vectorized_map": lambda ops, x: ops.vectorized_map(lambda row: ops.max(row) * row, x),
    "scan": lambda ops, x: ops.scan(lambda c, row: (c * 0.5 + row, c + row), x[0], x),
    "scan, reverse": lambda ops, x: ops.scan(lambda c, row: (c * 0.5 + row, c + row), x[0], x, reverse=True),
    "associative_scan": lambda ops, x: ops.associative_scan(lambda a, b: a + b, x, axis=1),
    "associative_scan, reverse": lambda ops, x: ops.associative_scan(lambda a, b: a * b, x, reverse=True),
    "stop_gradient": lambda ops, x: ops.stop_gradient(x) * x,
    "custom_gradient": lambda ops, x: _custom(ops)(x, x * 0.5),
    "custom_gradient, not a derivative": lambda ops, x: _custom(ops, clipped=True)(x, x * 0.5),
}


@pytest.mark.parametrize("name", CALLS)
def test_control_flow(name: str) -> None:
    """Values at once and inside a layer's call; then gradients of first and second order."""
    import jax

    call = CALLS[name]

    def total(ops: Any, x: Any) -> Any:
        return sum(ops.sum(ops.square(leaf)) for leaf in keras.tree.flatten(call(ops, x)))

    wanted = [np.asarray(leaf) for leaf in keras.tree.flatten(call(keras.ops, keras.ops.convert_to_tensor(X)))]
    for run in (lambda x: call(nabi.ops, x), nabi.trace.eager(lambda x: call(nabi.ops, x))):
        for found, leaf in zip(nabi.tree.flatten(run(X)), wanted, strict=True):
            close(found, leaf, 1e-5)

    if not name.startswith("while_loop"):  # JAX cannot differentiate it
        their_first = jax.grad(lambda x: total(keras.ops, x))
        their_second = jax.grad(lambda x: (their_first(x) ** 2).sum())

        @nabi.trace.eager
        def ours(x: Any) -> Any:
            (first,) = nabi.ops.gradients(total(nabi.ops, x), [x])
            return first, nabi.ops.gradients(nabi.ops.sum(first**2), [x])[0]

        first, second = ours(X)
        close(first, np.asarray(their_first(X)), 1e-4)
        if name == "custom_gradient, not a derivative":
            return  # the second time JAX differentiates the function itself; TensorFlow, torch and Nabi do not
        close(second, np.asarray(their_second(X)), 1e-3)


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"cond", "switch"}))
def test_symbolic_control_flow(name: str) -> None:
    """In a functional model: shapes and values."""
    seen = []
    for side in (keras, nabi):
        inputs = side.Input(batch_shape=(4, 5))
        try:
            seen.append(side.Model(inputs, CALLS[name](side.ops, inputs))(X))
        except Exception as error:  # Keras cannot build some of them
            assert side is keras, error
            pytest.skip(f"Keras: {type(error).__name__}")
    for found, wanted in zip(nabi.tree.flatten(seen[1]), keras.tree.flatten(seen[0]), strict=True):
        close(found, np.asarray(wanted), 1e-5)
