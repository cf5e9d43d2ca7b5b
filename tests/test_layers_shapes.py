"""Reshaping, merging and the layers that act while training."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from helpers import check_layer, normal
from nabi import layers, ops
from nabi.trace import KerasTensor


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5), (2,)])
def test_flatten(shape: tuple[int, ...]) -> None:
    check_layer(layers.Flatten(), normal(*shape), lambda x, w: x.reshape(shape[0], -1))
    check_layer(
        layers.Flatten("channels_first"),
        normal(*shape),
        lambda x, w: (np.moveaxis(x, 1, -1) if x.ndim > 1 else x).reshape(shape[0], -1),
    )


def test_flatten_of_free_dimensions_and_integers() -> None:
    assert layers.Flatten()(layers.Input((None, 3))).shape == (None, None)
    assert layers.Flatten()(layers.Input((2, 3), dtype="int32")).dtype == "int32"
    y = layers.Flatten()(np.arange(6, dtype="int32").reshape(1, 2, 3))
    assert y.dtype == np.int32
    with pytest.raises(ValueError, match="expected min_ndim=1, found ndim=0"):
        layers.Flatten()(np.zeros(()))


@pytest.mark.parametrize("target", [(4, 3), (-1,), (2, -1, 3), (12,)])
def test_reshape(target: tuple[int, ...]) -> None:
    check_layer(layers.Reshape(target), normal(2, 3, 4), lambda x, w: x.reshape(2, *target))


def test_reshape_of_free_dimensions() -> None:
    assert layers.Reshape((-1, 2))(layers.Input((None, 4))).shape == (None, None, 2)
    assert layers.Reshape((-1, 2))(layers.Input((3, 4), dtype="int32")).dtype == "int32"


def test_reshape_errors() -> None:
    with pytest.raises(ValueError, match="must be a non-negative integer, or `-1` for a single unknown dimension"):
        layers.Reshape((-2, 3))
    with pytest.raises(ValueError, match="There must be at most one unknown dimension"):
        layers.Reshape((-1, -1))
    with pytest.raises(ValueError, match="The total size of the tensor must be unchanged. Received: input_shape="):
        layers.Reshape((5,))(layers.Input((3, 4)))
    with pytest.raises(ValueError, match="the input size cannot by divided by the specified"):
        layers.Reshape((-1, 5))(np.zeros((2, 3, 4)))


def test_permute() -> None:
    check_layer(layers.Permute((2, 1)), normal(2, 3, 4), lambda x, w: x.transpose(0, 2, 1))
    check_layer(layers.Permute((3, 1, 2)), normal(2, 3, 4, 5), lambda x, w: x.transpose(0, 3, 1, 2))
    with pytest.raises(ValueError, match="Invalid permutation argument `dims` for Permute Layer"):
        layers.Permute((0, 1))
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=2"):
        layers.Permute((2, 1))(np.zeros((2, 3)))


def test_repeat_vector() -> None:
    check_layer(layers.RepeatVector(3), normal(2, 4), lambda x, w: np.repeat(x[:, None], 3, 1))
    with pytest.raises(TypeError, match="Expected an integer value for `n`, got <class 'float'>."):
        layers.RepeatVector(2.0)
    with pytest.raises(ValueError, match="Argument `n` should be a positive integer. Received: n=0"):
        layers.RepeatVector(0)


MERGES = {
    layers.Add: lambda x, w: x[0] + x[1] + x[2],
    layers.Multiply: lambda x, w: x[0] * x[1] * x[2],
    layers.Average: lambda x, w: (x[0] + x[1] + x[2]) / 3,
    layers.Maximum: lambda x, w: np.maximum(np.maximum(x[0], x[1]), x[2]),
    layers.Minimum: lambda x, w: np.minimum(np.minimum(x[0], x[1]), x[2]),
    layers.Concatenate: lambda x, w: np.concatenate(x, -1),
}


@pytest.mark.parametrize("kind", MERGES, ids=lambda kind: kind.__name__)
def test_merging(kind: Any) -> None:
    inputs = [normal(2, 3, 4, seed=i) for i in range(3)]
    check_layer(kind(), inputs, MERGES[kind])
    function = getattr(layers, kind.__name__.lower())
    np.testing.assert_allclose(function(inputs), MERGES[kind](inputs, []), rtol=1e-5, atol=1e-6)
    symbolic = [KerasTensor((None, 3, 4)) for _ in range(3)]
    assert function(symbolic).shape == (None, 3, 12 if kind is layers.Concatenate else 4)


def test_subtract() -> None:
    pair = [normal(2, 3), normal(2, 3, seed=1)]
    check_layer(layers.Subtract(), pair, lambda x, w: x[0] - x[1])
    np.testing.assert_allclose(layers.subtract(pair), pair[0] - pair[1], rtol=1e-5)
    with pytest.raises(ValueError, match="A `Subtract` layer should be called on exactly 2 inputs"):
        layers.Subtract()([pair[0]] * 3)


def test_merging_broadcasts_and_pads_ranks() -> None:
    wide, narrow, low = normal(2, 3, 4), normal(2, 1, 4), normal(2, 4)
    check_layer(layers.Add(), [wide, narrow], lambda x, w: x[0] + x[1])
    check_layer(layers.Add(), [wide, low], lambda x, w: x[0] + x[1][:, None])
    assert layers.Add()([layers.Input((None, 4)), layers.Input((3, 1))]).shape == (None, None, 4)


@pytest.mark.parametrize("axis", [1, 2, -2])
def test_concatenate_axis(axis: int) -> None:
    shapes = [[2, 3, 4], [2, 3, 4]]
    shapes[1][axis] += 1
    inputs = [normal(*shape, seed=i) for i, shape in enumerate(shapes)]
    check_layer(layers.Concatenate(axis), inputs, lambda x, w: np.concatenate(x, axis))


def test_merging_errors() -> None:
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match="A merge layer should be called on a list of inputs"):
        layers.Add()(x)
    with pytest.raises(ValueError, match="Cannot merge tensors with different batch sizes"):
        layers.Add()([x, np.zeros((3, 3))])
    with pytest.raises(ValueError, match="Inputs have incompatible shapes"):
        layers.Add()([x, np.zeros((2, 4))])
    with pytest.raises(ValueError, match="A `Concatenate` layer should be called on a list of at least 1 input"):
        layers.Concatenate()(x)
    with pytest.raises(ValueError, match="requires inputs with matching shapes except for the concatenation axis"):
        layers.Concatenate()([np.zeros((2, 3, 4)), np.zeros((2, 4, 4))])
    with pytest.raises(ValueError, match="requires inputs with matching shapes except for the concatenation axis"):
        layers.Concatenate()([x, np.zeros((2, 3, 4))])
    with pytest.raises(ValueError, match="`mask` should be a list"):
        layers.Add().compute_mask([x, x], x)
    with pytest.raises(ValueError, match="`inputs` should be a list"):
        layers.Add().compute_mask(x, [None])
    with pytest.raises(ValueError, match="should have the same length"):
        layers.Add().compute_mask([x, x], [None])
    with pytest.raises(ValueError, match="on a list of inputs"):
        layers.Concatenate().compute_output_shape((2, 3))


def _masked(x: Any, mask: Any) -> Any:
    x = ops.convert_to_tensor(x)
    x._keras_mask = ops.convert_to_tensor(mask)
    return x


def test_merging_masks() -> None:
    x = normal(1, 3, 2).astype("float32")
    first, second = np.array([[True, False, False]]), np.array([[False, True, False]])
    y = layers.Add()([_masked(x, first), _masked(x, second)])
    np.testing.assert_array_equal(y._keras_mask, first | second)
    assert layers.Add()([_masked(x, first), x])._keras_mask is None
    y = layers.Concatenate(axis=1)([_masked(x, first), x])
    np.testing.assert_array_equal(y._keras_mask, [[True, False, False, True, True, True]])
    y = layers.Maximum()([_masked(x, first), _masked(x + 1, second)])
    np.testing.assert_allclose(y[0, 0], x[0, 0])  # the other one is masked there
    y = layers.Multiply()([_masked(x, first), _masked(x, second)])
    np.testing.assert_allclose(y[0], [x[0, 0], x[0, 1], [0, 0]])
    np.testing.assert_array_equal(y._keras_mask, first | second)


def test_dropout_scales_and_drops() -> None:
    x = np.ones((100, 100), "float32")
    layer = layers.Dropout(0.25, seed=3)
    y = np.asarray(layer(x, training=True))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.02
    again = np.asarray(layer(x, training=True))
    assert not np.array_equal(y, again)
    np.testing.assert_array_equal(np.asarray(layers.Dropout(0.25, seed=3)(x, training=True)), y)
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer(x, training=False), x)
    np.testing.assert_array_equal(layers.Dropout(1.0)(x, training=True), 0 * x)
    assert layers.Dropout(0).variables == []
    assert len(layer.variables) == 1 and layer.weights == [] and layer.count_params() == 0


def test_dropout_noise_shape() -> None:
    y = np.asarray(layers.Dropout(0.5, noise_shape=(None, 1, None), seed=1)(np.ones((4, 5, 6)), training=True))
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))
    assert 0 < (y == 0).mean() < 1


def test_dropout_config_and_shape() -> None:
    layer = check_layer(layers.Dropout(0.3, noise_shape=[2, 1], seed=7), normal(2, 3), lambda x, w: x)
    config = layer.get_config()
    assert list(config)[3:] == ["rate", "seed", "noise_shape"]
    assert config["noise_shape"] == (2, 1) and config["seed"] == 7


@pytest.mark.parametrize("rate", [-0.1, 1.1])
def test_dropout_rate(rate: float) -> None:
    with pytest.raises(ValueError) as error:
        layers.Dropout(rate)
    assert str(error.value) == (
        f"Invalid value received for argument `rate`. Expected a float value between 0 and 1. Received: rate={rate}"
    )


def test_dropout_noise_shape_errors() -> None:
    for value, message in {
        "abc": "Expected a tuple or list of integers",
        5: "Expected an iterable of integers",
        (1, 2.5): "Received element at index 1: 2.5 (type: float)",
        (0, 1): "Received negative or zero value at index 0: 0",
    }.items():
        with pytest.raises(ValueError) as error:
            layers.Dropout(0.5, noise_shape=value)
        assert message in str(error.value)


def test_changed_rate_takes_effect() -> None:
    layer = layers.Dropout(0.5)
    x = np.ones((10, 10), "float32")
    assert (np.asarray(layer(x, training=True)) == 0).any()
    layer.rate = 0.0
    np.testing.assert_array_equal(layer(x, training=True), x)


def test_gaussian_noise() -> None:
    x = np.ones((100, 100), "float32")
    layer = check_layer(layers.GaussianNoise(0.5, seed=1), normal(2, 3), lambda x, w: x)
    noise = np.asarray(layer(x, training=True)) - x
    assert abs(noise.mean()) < 0.02 and abs(noise.std() - 0.5) < 0.02
    with pytest.raises(ValueError, match="Invalid value received for argument `stddev`"):
        layers.GaussianNoise(2)


def test_activity_regularization() -> None:
    layer = check_layer(layers.ActivityRegularization(l1=0.5, l2=0.25), normal(4, 3), lambda x, w: x)
    x = normal(4, 3)
    layer(x)
    assert len(layer.losses) == 1
    np.testing.assert_allclose(layer.losses[0], (0.5 * np.abs(x).sum() + 0.25 * np.square(x).sum()) / 4, rtol=1e-5)
    assert "activity_regularizer" not in json.dumps(layer.get_config())
