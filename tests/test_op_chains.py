"""Chains of ops as layers make them, so that the passes fuse them: values, gradients, and the same bits everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import op_check as check
import op_reference as ref
from nabi import _core
from op_cases import Attrs, Row, Sample
from op_draw import Array, Draw


class Ops:
    """Adds ops by calling them: ``Ops(graph).add(a, b)``."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph

    def __getattr__(self, op: str) -> Callable[..., Any]:
        def add(*inputs: int, **attrs: Any) -> Any:
            made = self.graph.add(op, list(inputs), attrs)
            return made[0] if len(made) == 1 else made

        return add


Forward = Callable[[Ops, Sequence[int], Attrs], list[int]]


class Chain:
    """A composite of ops, the same in NumPy, and how its inputs are drawn."""

    def __init__(
        self, forward: Forward, reference: Callable[..., Any], sample: Callable[[Draw], Sample], **options: Any
    ) -> None:
        self.forward = forward
        self.row = Row("chain", reference, sample, **{"ulp": 200, "scale": "largest", "gradient_ulp": 4000, **options})

    def build(self, graph: Any, ids: list[int], attrs: Attrs) -> list[int]:
        return self.forward(Ops(graph), ids, attrs)


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


# Dense layers: bias and ReLU move into the product, their gradients into the products of the way back.


def _dense(o: Ops, i: Sequence[int], attrs: Attrs) -> list[int]:
    hidden = o.relu(o.add(o.matmul(i[0], i[1]), i[2]))
    return [o.add(o.matmul(hidden, i[3]), i[4]), hidden]


def _dense_reference(x: Array, w: Array, b: Array, v: Array, c: Array) -> tuple[Array, Array]:
    hidden = relu(x @ w + b)
    return hidden @ v + c, hidden


def _dense_sample(d: Draw) -> Sample:
    rows = d.shape(1, 1, large=(70,)) if d.flag() or d.large else (d.integer(0, 3), d.integer(1, 5))
    k, n, m = d.size(1, 20, 100), d.size(1, 40, 130), d.size(1, 20, 65)
    return [d.array((*rows, k)), d.array((k, n), -1, 1), d.array((n,)), d.array((n, m), -1, 1), d.array((m,))], {}


# A classifier: logits, probabilities and loss of one model.


def _classifier(o: Ops, i: Sequence[int], attrs: Attrs) -> list[int]:
    logits = o.add(o.matmul(o.relu(o.add(o.matmul(i[0], i[1]), i[2])), i[3]), i[4])
    loss = o.sparse_softmax_cross_entropy(logits, i[5])
    return [o.reduce_mean(loss, axes=[0]), o.softmax(logits), o.argmax(logits, axis=1)]


def _classifier_reference(
    x: Array, w: Array, b: Array, v: Array, c: Array, labels: Array
) -> tuple[Array, Array, Array]:
    logits = relu(x @ w + b) @ v + c
    loss = -np.take_along_axis(ref.log_softmax(logits), labels[:, None], 1)
    return np.asarray(loss.mean()), ref.softmax(logits), logits.argmax(1).astype(np.int32)


def _classifier_sample(d: Draw) -> Sample:
    arrays, attrs = _dense_sample(d)
    x = arrays[0].reshape(-1, arrays[0].shape[-1])
    if not len(x):
        x = d.array((3, x.shape[1]))
    return [x, *arrays[1:], d.ints((len(x),), 0, arrays[4].size, "int64")], attrs


# Convolutions with bias, ReLU and pooling, twice.


def _convolutions(o: Ops, i: Sequence[int], attrs: Attrs) -> list[int]:
    conv, pool = attrs["conv"], attrs["pool"]
    first = o.relu(o.add(o.conv2d(i[0], i[1], **conv), i[2]))
    pooled = o.max_pool2d(first, **pool)[0] if attrs["max"] else o.avg_pool2d(first, **pool)
    second = o.relu(o.add(o.conv2d(pooled, i[3], **conv), i[4]))
    return [second, o.reduce_mean(second, axes=[1, 2])]


def _convolutions_reference(
    x: Array, w: Array, b: Array, v: Array, c: Array, conv: Attrs, pool: Attrs, max: bool
) -> tuple[Array, Array]:
    first = relu(ref.conv2d(x, w, **conv) + b)
    pooled = ref.max_pool2d(first, **pool)[0] if max else ref.avg_pool2d(first, **pool)
    second = relu(ref.conv2d(pooled, v, **conv) + c)
    return second, second.mean((1, 2))


def _convolutions_sample(d: Draw) -> Sample:
    size, (height, width) = d.choice((3, 1, 2)), (d.size(5, 9, 24), d.size(5, 9, 22))
    c, f, h = d.size(1, 4, 8), d.size(1, 6, 17), d.size(1, 5, 16)
    same = d.flag() and size == 3
    conv = {"strides": [1, 1], "dilation": [1, 1], "padding": [1, 1, 1, 1] if same else [0, 0, 0, 0], "groups": 1}
    pool = {"size": [2, 2], "strides": [1, 1] if not same else [2, 2], "padding": [0, 0, 0, 0]}
    arrays = [
        d.array((d.size(1, 3, 5), height + 2, width + 2, c)),
        d.array((size, size, c, f), -1, 1),
        d.array((f,)),
        d.array((size, size, f, h), -1, 1),
        d.array((h,)),
    ]
    return arrays, {"conv": conv, "pool": pool, "max": d.flag()}


# Batch normalisation between a product and a ReLU, or after both; then pooling.


def _normalised(o: Ops, i: Sequence[int], attrs: Attrs) -> list[int]:
    product = o.matmul(i[0], i[1])
    y, mean, variance = o.batch_norm(o.relu(product) if attrs["after"] else product, i[2], i[3], epsilon=1e-3)
    if not attrs["after"]:
        y = o.relu(y)
    pool = {"size": [2, 2], "strides": [attrs["stride"]] * 2, "padding": [0, 0, 0, 0]}
    return [y, o.max_pool2d(y, **pool)[0], mean, variance]


def _normalised_reference(
    x: Array, w: Array, gamma: Array, beta: Array, after: bool, stride: int
) -> tuple[Array, Array, Array, Array]:
    product = x @ w
    y, mean, variance = ref.batch_norm(relu(product) if after else product, gamma, beta, 1e-3)
    y = y if after else relu(y)
    return y, ref.max_pool2d(y, [2, 2], [stride] * 2, [0, 0, 0, 0])[0], mean, variance


def _normalised_sample(d: Draw) -> Sample:
    n, k, c = d.size(2, 4, 20), d.size(1, 9, 10), d.size(1, 20, 33)
    arrays = [d.array((n, d.size(2, 5, 11), 6, k)), d.array((k, c), -1, 1), d.array((c,), 0.5, 2), d.array((c,))]
    return arrays, {"after": d.flag(), "stride": d.choice((2, 1))}


def _normalised_scale(x: Array, w: Array, *rest: Array, **attrs: Any) -> tuple[Array, ...]:
    """Each result's largest element; for the mean, which may cancel to nothing, that of what it is the mean of."""
    results = _normalised_reference(x, w, *rest, **attrs)
    largest = [np.asarray(np.max(np.abs(y), initial=0)) for y in results]
    largest[2] = np.asarray(np.abs(x @ w).max(initial=0))
    return tuple(largest)


# Elementwise ops over operands that broadcast: one pointwise step with several results.


def _pointwise(o: Ops, i: Sequence[int], attrs: Attrs) -> list[int]:
    gate = o.sigmoid(o.add(i[0], i[1]))
    value = o.tanh(o.multiply(i[0], i[2]))
    rest = o.subtract(o.graph.constant(1.0, o.graph.type(gate)[0]), gate)
    mixed = o.add(o.multiply(gate, value), o.multiply(rest, i[3]))
    chosen = o.select(o.greater(i[0], i[2]), mixed, o.square(value))
    return [chosen, gate, o.reduce_sum(chosen, axes=[0])]


def _pointwise_reference(a: Array, b: Array, c: Array, e: Array) -> tuple[Array, Array, Array]:
    gate, value = ref.sigmoid(a + b), np.tanh(a * c)
    chosen = np.where(a > c, gate * value + (1 - gate) * e, np.square(value))
    return chosen, gate, chosen.sum(0)


def _pointwise_sample(d: Draw) -> Sample:
    shape = d.shape(low=1, high=3)
    others = [(*shape[:-1], 1), shape[-1:], ()] if d.large else [d.broadcastable(shape) for _ in range(3)]
    a, b, c, e = (d.array(s, -2, 2) for s in (shape, *others))
    if d.smooth:  # the comparison has its kink between these grids
        a, c = np.round(a * 64) / 64, np.round(c * 64) / 64 + 1 / 128
    return [a, b, c, e], {}


# An embedding with dropout and a mean over time.


def _embedding(o: Ops, i: Sequence[int], attrs: Attrs) -> list[int]:
    rows = o.gather(i[0], i[1], axis=0)
    kept = o.dropout(rows, i[2], rate=0.25)
    return [o.matmul(o.reduce_mean(kept, axes=[1]), i[3])]


def _embedding_reference(table: Array, index: Array, state: Array, w: Array) -> Array:
    rows = table[index]
    return np.asarray(np.where(ref.dropout_keeps(state, rows.shape, 0.25), rows / 0.75, 0).mean(1) @ w)


def _embedding_sample(d: Draw) -> Sample:
    words, size, out = d.size(1, 30, 5000), d.size(1, 20, 65), d.size(1, 5, 7)
    index = d.ints((d.size(1, 6, 64), d.size(1, 9, 50)), 0, words)
    return [d.array((words, size)), index, np.array([d.integer(0, 99), 5], np.int64), d.array((size, out), -1, 1)], {}


# A recurrent cell over unrolled time: slices, a stack, shared weights.


def _recurrent(o: Ops, i: Sequence[int], attrs: Attrs) -> list[int]:
    batch, time, size = o.graph.type(i[0])[1]
    state = i[3]
    states = []
    for t in range(time):
        x = o.slice(i[0], begin=[0, t, 0], end=[batch, t + 1, size])
        x = o.reshape(x, shape=[batch, size])
        state = o.tanh(o.add(o.matmul(x, i[1]), o.matmul(state, i[2])))
        states.append(o.reshape(state, shape=[batch, 1, o.graph.type(state)[1][1]]))
    return [o.concat(*states, axis=1)]


def _recurrent_reference(x: Array, w: Array, u: Array, state: Array) -> Array:
    states = []
    for t in range(x.shape[1]):
        state = np.tanh(x[:, t] @ w + state @ u)
        states.append(state)
    return np.stack(states, 1)


def _recurrent_sample(d: Draw) -> Sample:
    batch, time, size, units = d.size(1, 5, 33), d.size(1, 6, 12), d.size(1, 7, 17), d.size(1, 9, 33)
    weights = [d.array((size, units), -1, 1), d.array((units, units), -0.3, 0.3)]  # not chaotic
    return [d.array((batch, time, size), -1, 1), *weights, d.array((batch, units), -1, 1)], {}


CHAINS = {
    "dense": Chain(_dense, _dense_reference, _dense_sample),
    "classifier": Chain(_classifier, _classifier_reference, _classifier_sample, scale=lambda *_: 1.0),
    "convolutions": Chain(_convolutions, _convolutions_reference, _convolutions_sample),
    "normalised": Chain(
        _normalised,
        _normalised_reference,
        _normalised_sample,
        gradient_ulp=20000,
        scale=_normalised_scale,
    ),
    "pointwise": Chain(_pointwise, _pointwise_reference, _pointwise_sample, outputs=(0, 2)),
    "embedding": Chain(_embedding, _embedding_reference, _embedding_sample),
    "recurrent": Chain(_recurrent, _recurrent_reference, _recurrent_sample),
}


def _forward(chain: Chain, d: Draw) -> None:
    arrays, attrs = chain.row.sample(d)
    arrays = [check.cast(x, "float32") for x in arrays]
    got = check.everywhere(lambda graph, ids: chain.build(graph, ids, attrs), arrays)
    expected = check.reference(chain.row, arrays, attrs)
    floats = [i for i, x in enumerate(got) if x.dtype.kind == "f"]
    check.check_close(chain.row, [got[i] for i in floats], [expected[i] for i in floats], arrays, attrs)


@pytest.mark.parametrize("name", CHAINS)
@given(data=st.data())
def test_forward(name: str, data: Any) -> None:
    _forward(CHAINS[name], Draw.hypothesis(data))


@pytest.mark.parametrize("name", CHAINS)
def test_large(name: str) -> None:
    _forward(CHAINS[name], Draw.seeded(5))


@pytest.mark.parametrize("name", CHAINS)
@given(data=st.data())
def test_gradient(name: str, data: Any) -> None:
    chain = CHAINS[name]
    check.check_gradients(chain.row, Draw.hypothesis(data, smooth=True), chain.build)


@pytest.mark.parametrize("name", CHAINS)
def test_large_gradient(name: str) -> None:
    chain = CHAINS[name]
    check.check_gradients(chain.row, Draw.seeded(6, smooth=True), chain.build)


# Sources, variables and updates


def test_sources() -> None:
    """Constants of every dtype, and an input handed straight back."""
    graph = _core.Graph()
    x = graph.input(0, "float32", (3,))
    values = {"float32": 1.5, "float64": 0.1, "int32": -7, "int64": 2**40, "bool": 1, "uint8": 200}
    graph.set_outputs([x, x, *(graph.constant(value, dtype) for dtype, value in values.items())])
    data = np.array([1, -0.0, np.nan], np.float32)
    first, again, *constants = _core.Program(graph, []).call([data])
    assert first.tobytes() == again.tobytes() == data.tobytes()
    for (dtype, value), made in zip(values.items(), constants, strict=True):
        assert made.dtype == dtype and made.shape == ()
        assert made == np.asarray(value).astype(dtype)


def _variable(array: Array) -> Any:
    variable = _core.Variable(str(array.dtype), array.shape)
    variable.write(array)
    return variable


def test_training_step_writes_variables() -> None:
    """Gradient, update in place and the value read before it, twice, against NumPy."""
    rng = np.random.default_rng(0)
    w, x, y = rng.normal(size=(4, 3)), rng.normal(size=(8, 4)), rng.normal(size=(8, 3))
    graph = _core.Graph()
    o = Ops(graph)
    inputs = [graph.input(0, "float64", x.shape), graph.input(1, "float64", y.shape)]
    var, slot = graph.variable(0, "float64", w.shape), graph.variable(1, "float64", w.shape)
    rate = graph.constant(0.1, "float64")
    loss = o.reduce_mean(o.square(o.subtract(o.matmul(inputs[0], var), inputs[1])), axes=[0, 1])
    (grad,) = graph.gradients([loss], [var])
    new, momentum = o.sgd_momentum_update(var, grad, slot, rate, momentum=0.9)
    graph.set_update(0, new)
    graph.set_update(1, momentum)
    graph.set_outputs([loss, var])
    variables = [_variable(w), _variable(np.zeros_like(w))]
    program = _core.Program(graph, variables)
    m = np.zeros_like(w)
    for _ in range(2):
        before = variables[0].version
        got, read = program.call([x, y])
        error = x @ w - y
        np.testing.assert_allclose(got, np.square(error).mean(), rtol=1e-12)
        np.testing.assert_allclose(read, w, rtol=1e-12)
        m = 0.9 * m - 0.1 * (2 * x.T @ error / error.size)
        w = w + m
        np.testing.assert_allclose(variables[0].read(), w, rtol=1e-12)
        np.testing.assert_allclose(variables[1].read(), m, rtol=1e-12)
        assert variables[0].version > before


def test_swapped_variables() -> None:
    """Updates that read each other's old values."""
    graph = _core.Graph()
    a, b = graph.variable(0, "float32", (5,)), graph.variable(1, "float32", (5,))
    graph.set_update(0, b)
    graph.set_update(1, a)
    variables = [_variable(np.arange(5, dtype=np.float32)), _variable(np.ones(5, np.float32))]
    _core.Program(graph, variables).call([])
    np.testing.assert_array_equal(variables[0].read(), np.ones(5))
    np.testing.assert_array_equal(variables[1].read(), np.arange(5))


def test_three_workers_share() -> None:
    """The switches that the other tests rely on do what they say."""
    _core.set_num_threads(3)
    _core.force_sharing(True)
    x = np.zeros((1500, 1500), np.float32)  # long enough for a third worker to get a turn on two processors
    program = check.program_of(check.op_build("matmul", {}), [x, x])
    for _ in range(50):
        program.call([x, x])
        if program.sharers == 3:
            return
    pytest.fail(f"{program.sharers} of 3 workers ran tasks")


# Special values where an op is more than a function of one element


SPECIAL_ROWS = np.array(
    [[1, np.nan, 3, 0], [np.inf, 1, 2, np.nan], [-np.inf] * 4, [np.inf, -np.inf, 0, 1], [2, 2, 1, 2]],
    np.float32,
)


@pytest.mark.parametrize("op", ["reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod"])
@pytest.mark.parametrize("axis", [0, 1])
def test_reductions_keep_nan(op: str, axis: int) -> None:
    for x in (SPECIAL_ROWS, np.tile(SPECIAL_ROWS, (20, 17))):
        (got,) = check.everywhere(check.op_build(op, {"axes": [axis], "keepdims": False}), [x])
        with np.errstate(all="ignore"):
            expected = getattr(np, op.removeprefix("reduce_"))(x.astype(np.float64), axis=axis)
        np.testing.assert_allclose(got, expected.astype(np.float32), rtol=1e-6)


@pytest.mark.parametrize("op", ["argmax", "argmin"])
@pytest.mark.parametrize("axis", [0, 1])
def test_first_extreme_wins(op: str, axis: int) -> None:
    for x in (SPECIAL_ROWS, np.tile(SPECIAL_ROWS, (9, 21)), np.array([[-0.0, 0.0, -0.0]], np.float32)):
        (got,) = check.everywhere(check.op_build(op, {"axis": axis}), [x])
        np.testing.assert_array_equal(got, getattr(np, op)(x, axis))


def test_logsumexp_of_infinities() -> None:
    (got,) = check.everywhere(check.op_build("logsumexp", {"axes": [1]}), [SPECIAL_ROWS])
    assert np.isnan(got[:2]).all()
    assert got[2] == -np.inf and got[3] == np.inf
    np.testing.assert_allclose(got[4], np.log(3 * np.exp(2) + np.exp(1)), rtol=1e-6)


def test_softmax_of_large_and_nan() -> None:
    x = np.array([[1e30, 0, -1e30], [-np.inf, 0, 0], [np.nan, 0, 1], [88, 89, 90]], np.float32)
    (got,) = check.everywhere(check.op_build("softmax", {}), [x])
    expected = np.array([[1, 0, 0], [0, 0.5, 0.5], ref.softmax(x[3].astype(np.float64))])
    np.testing.assert_allclose(got[[0, 1, 3]], expected, rtol=1e-6)
    assert np.isnan(got[2]).all()
    (log,) = check.everywhere(check.op_build("log_softmax", {}), [x])
    assert log[1, 0] == -np.inf and np.isnan(log[2]).all()


def test_max_pool_keeps_nan() -> None:
    x = np.arange(64, dtype=np.float32).reshape(1, 8, 4, 2)
    x[0, 3, 1, 0] = np.nan
    attrs = {"size": [2, 2], "strides": [2, 2], "padding": [0, 0, 0, 0]}
    y, index = check.everywhere(check.op_build("max_pool2d", attrs), [x])
    expected, where = ref.max_pool2d(x, **attrs)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(index, where)
    assert np.isnan(y[0, 1, 0, 0])


def test_dropped_nan_is_zero() -> None:
    x, state = np.full(1000, np.nan, np.float32), np.array([3, 4], np.int64)
    (got,) = check.everywhere(check.op_build("dropout", {"rate": 0.5}), [x, state])
    np.testing.assert_array_equal(np.isnan(got), ref.dropout_keeps(state, x.shape, 0.5))


# Random numbers


def test_philox_vectors() -> None:
    """The known answers of Random123 (kat_vectors, philox4x32-10): zeros, ones, and digits of pi."""
    ones = 0xFFFFFFFF
    vectors = [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ones,) * 4, (ones, ones), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ]
    for counter, key, expected in vectors:
        got = ref.philox4x32(np.array([counter], np.uint64), key)[0]
        assert tuple(int(word) for word in got) == expected


@pytest.mark.parametrize(
    ("op", "attrs", "mean", "stddev"),
    [
        ("random_uniform", {"low": -1.0, "high": 3.0}, 1.0, 4 / np.sqrt(12)),
        ("random_normal", {"mean": 2.0, "stddev": 0.5}, 2.0, 0.5),
        ("truncated_normal", {"mean": 2.0, "stddev": 0.5}, 2.0, 0.5 * 0.8796256610342398),
        ("random_bernoulli", {"p": 0.3}, 0.3, np.sqrt(0.21)),
        ("random_int", {"low": -3, "high": 8, "dtype": "int64"}, 2.0, np.sqrt(120 / 12)),
    ],
)
def test_moments(op: str, attrs: Attrs, mean: float, stddev: float) -> None:
    n = 1_000_000
    (x,) = check.call(check.op_build(op, {"shape": [n], **attrs}), [np.array([12345, 678], np.int64)])
    assert abs(x.mean() - mean) < 4 * stddev / np.sqrt(n)
    assert abs(x.std() - stddev) < 4 * stddev / np.sqrt(n)
    if op == "truncated_normal":
        assert np.abs(x - 2).max() <= 1.0 + 1e-6
    if op == "random_uniform":
        assert x.min() >= -1 and x.max() < 3
    if op == "random_int":
        assert set(np.unique(x)) == set(range(-3, 8))


def test_states_give_different_numbers() -> None:
    """Neither seeds nor counters next to each other are related."""
    draw = check.op_build("random_normal", {"shape": [20000]})
    states = [(0, 0), (1, 0), (0, 1), (2**32, 0), (0, 2**32), (-1, 0)]
    numbers = np.stack([check.call(draw, [np.array(state, np.int64)])[0] for state in states])
    correlation = np.corrcoef(numbers) - np.eye(len(states))
    assert np.abs(correlation).max() < 0.04
