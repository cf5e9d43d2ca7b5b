"""Connectionist temporal classification against values and gradients of Keras 3.15.1 (JAX)."""

import numpy as np
import pytest

import nabi
from nabi import losses, ops
from nabi.trace import Cached, current_trace

T = np.array([[1, 2, 2, 0], [3, 1, 0, 0]])
Y = np.round(np.random.default_rng(0).standard_normal((2, 5, 4)), 1).astype("float32")
EVEN = [
    [[0.10714, -0.60714, 0.25, 0.25], [0.10714, -0.03571, -0.32143, 0.25], [-0.17857, 0.25, -0.32143, 0.25],
     [-0.46429, 0.25, -0.03571, 0.25], [0.10714, 0.25, -0.60714, 0.25]],
    [[-0.17857, 0.25, 0.25, -0.32143], [-0.06429, 0.13571, 0.25, -0.32143], [-0.06429, -0.09286, 0.25, -0.09286],
     [-0.06429, -0.32143, 0.25, 0.13571], [-0.17857, -0.32143, 0.25, 0.25]],
]  # fmt: skip
FIRST = [[0.15078, -0.74367, 0.36905, 0.22384], [0.0494, 0.04845, -0.39681, 0.29896]]


def gradient(y):
    def run(y):
        return current_trace().gradients(ops.sum(losses.ctc(T, y)), [y])[0]

    return Cached(run)(y)


def test_values():
    np.testing.assert_allclose(losses.ctc(T, Y), [6.184085, 4.510074], rtol=1e-5)
    y = np.random.default_rng(0).standard_normal((4, 9, 5)).astype("float32")
    t = np.array([[1, 2, 2, 0], [3, 1, 0, 0], [2, 2, 2, 1], [0, 0, 0, 0]])
    np.testing.assert_allclose(losses.ctc(t, y), [10.243897, 12.210161, 10.814713, 16.444624], rtol=1e-5)
    found = ops.ctc_loss(t, y, np.array([3, 2, 4, 0]), np.array([9, 5, 7, 3]), mask_index=4)
    np.testing.assert_allclose(found, [8.1143465, 5.658414, 9.244478, 3.5934582], rtol=1e-5)


def test_gradients_of_equal_paths_too():
    np.testing.assert_allclose(gradient(Y)[0, :2], FIRST, atol=2e-5)
    np.testing.assert_allclose(gradient(0 * Y), EVEN, atol=2e-5)


def test_learns():
    x = np.random.default_rng(1).standard_normal((8, 6, 3)).astype("float32")
    t = np.random.default_rng(2).integers(1, 4, (8, 3))
    model = nabi.Sequential([nabi.Input((6, 3)), nabi.layers.Dense(16, activation="relu"), nabi.layers.Dense(4)])
    model.compile(nabi.optimizers.Adam(0.05), losses.CTC())
    history = model.fit(x, t, epochs=40, verbose=0).history["loss"]
    assert history[-1] < 0.7 * history[0]


def test_messages():
    with pytest.raises(ValueError, match="Targets `y_true` are expected to be a tensor of shape"):
        losses.ctc(T[0], Y)
    with pytest.raises(ValueError, match="Logits `y_pred` are expected to be a tensor of shape"):
        losses.ctc(T, Y[0])
    with pytest.raises(ValueError, match="ctc_loss: requires `target` of shape"):
        ops.ctc_loss(T[0], Y, [3], [5])


def test_logaddexp_shares_the_gradient_of_equal_values():
    def run(a, b):
        return current_trace().gradients(ops.sum(ops.logaddexp(a, b)), [a, b])

    a = np.array([1.0, -2.0], "float32")
    for found in Cached(run)(a, a):
        np.testing.assert_allclose(found, [0.5, 0.5], rtol=1e-6)
