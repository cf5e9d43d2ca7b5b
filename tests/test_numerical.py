"""`utils.to_categorical` and `utils.normalize`."""

import numpy as np
import pytest

from nabi import utils
from nabi.trace import Cached


def test_to_categorical():
    got = utils.to_categorical([0, 2, 1])
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, np.eye(3)[[0, 2, 1]])
    np.testing.assert_array_equal(utils.to_categorical([[1], [0]], 3), np.eye(3)[[1, 0]])
    np.testing.assert_array_equal(utils.to_categorical(3), [0, 0, 0, 1])
    np.testing.assert_array_equal(utils.to_categorical([-1, 0], 3), [[0, 0, 1], [1, 0, 0]])
    assert utils.to_categorical(np.zeros((2, 3, 1)), 5).shape == (2, 3, 5)
    assert utils.to_categorical([], 4).shape == (0, 4)


def test_to_categorical_errors():
    with pytest.raises(IndexError, match="`x` must hold classes from 0 to 1. Received: 3"):
        utils.to_categorical([0, 3], 2)
    with pytest.raises(ValueError, match="`x` must hold at least one class"):
        utils.to_categorical([])
    with pytest.raises(ValueError, match="requires `num_classes`"):
        Cached(utils.to_categorical)(np.array([1]))


def test_to_categorical_in_a_trace():
    got = Cached(lambda x: utils.to_categorical(x, 3))(np.array([[2], [0]]))
    np.testing.assert_array_equal(got, np.eye(3)[[2, 0]])


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("axis", [-1, 0, 1])
def test_normalize(order, axis):
    x = np.random.default_rng(0).normal(size=(3, 4))
    norm = (np.abs(x) ** order).sum(axis, keepdims=True) ** (1 / order)
    np.testing.assert_allclose(utils.normalize(x, axis, order), x / norm)
    traced = Cached(lambda v: utils.normalize(v, axis, order))(x)
    np.testing.assert_allclose(traced, x / norm, rtol=1e-5)


def test_normalize_of_zeros_and_integers():
    np.testing.assert_array_equal(utils.normalize(np.array([[3, 4], [0, 0]])), [[0.6, 0.8], [0, 0]])
    np.testing.assert_allclose(utils.normalize([3.0, 4.0]), [0.6, 0.8], rtol=1e-6)
