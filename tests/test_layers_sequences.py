"""Normalization within samples, Embedding, TimeDistributed, Dot and EinsumDense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from helpers import Array, check_layer, normal
from nabi import layers, models


def standard(x: Array, axes: tuple[int, ...], epsilon: float = 1e-3) -> Array:
    return np.asarray((x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon))


def test_layer_normalization() -> None:
    both = ("gamma", "beta")
    check_layer(
        layers.LayerNormalization(), normal(3, 4, 5), lambda x, w: standard(x, (2,)) * w[0] + w[1], weights=both
    )
    check_layer(
        layers.LayerNormalization(axis=[1, 2], epsilon=0.1),
        normal(3, 4, 5),
        lambda x, w: standard(x, (1, 2), 0.1) * w[0] + w[1],
        weights=both,
    )
    check_layer(layers.LayerNormalization(center=False, scale=False), normal(3, 5), lambda x, w: standard(x, (1,)))


def test_group_normalization() -> None:
    def reference(x: Array, w: list[Array]) -> Array:
        groups = x.reshape(3, 4, 5, 2, 3)
        return np.asarray(standard(groups, (1, 2, 4)).reshape(x.shape) * w[0] + w[1])

    check_layer(layers.GroupNormalization(2), normal(3, 4, 5, 6), reference, weights=("gamma", "beta"))
    check_layer(
        layers.GroupNormalization(-1, axis=1, center=False, scale=False),
        normal(3, 4, 5),
        lambda x, w: standard(x, (2,)),
    )


def test_rms_and_unit_normalization() -> None:
    check_layer(
        layers.RMSNormalization(epsilon=0.01),
        normal(3, 4, 5),
        lambda x, w: x / np.sqrt((x**2).mean(-1, keepdims=True) + 0.01) * w[0],
        weights=("scale",),
    )
    check_layer(
        layers.UnitNormalization(axis=(1, 2)),
        normal(3, 4, 5),
        lambda x, w: x / np.sqrt((x**2).sum((1, 2), keepdims=True)),
    )


def test_embedding_rows_masks_and_gradients() -> None:
    layer = layers.Embedding(6, 3, mask_zero=True)
    numbers = np.array([[1, 5, 0], [2, 0, 0]])
    found = layer(numbers)
    np.testing.assert_array_equal(found, np.asarray(layer.embeddings)[numbers])
    np.testing.assert_array_equal(found._keras_mask, numbers != 0)
    assert layer(numbers.astype("float32")).dtype == np.float32
    assert layers.Embedding(6, 3)(layers.Input((None,))).shape == (None, None, 3)

    model = models.Sequential([layers.Input((3,)), layer, layers.GlobalAveragePooling1D()])
    model.compile("sgd", "mse")
    before = layer.get_weights()[0]
    mean = (before[1] + before[5]) / 2, before[2]
    np.testing.assert_allclose(model.predict(numbers, verbose=0), mean, rtol=1e-6)
    model.train_on_batch(numbers, np.ones((2, 3)))
    changed = (layer.get_weights()[0] != before).any(1)
    np.testing.assert_array_equal(changed, [False, True, True, False, False, True])


def test_embedding_takes_weights() -> None:
    table = normal(4, 2).astype("float32")
    np.testing.assert_array_equal(layers.Embedding(4, 2, weights=table)(np.array([3, 1])), table[[3, 1]])
    np.testing.assert_array_equal(layers.Embedding(4, 2, weights=[table])(np.array([3, 1])), table[[3, 1]])
    with pytest.warns(UserWarning, match="`input_length` is deprecated"):
        layers.Embedding(4, 2, input_length=3)


def test_time_distributed_shares_weights_over_steps() -> None:
    check_layer(
        layers.TimeDistributed(layers.Dense(3)),
        normal(2, 4, 5),
        lambda x, w: x @ w[0] + w[1],
        weights=("kernel", "bias"),
    )
    dropped = layers.TimeDistributed(layers.Dropout(0.5, seed=1))
    x = np.ones((4, 3, 50), np.float32)
    assert 0.3 < (np.asarray(dropped(x, training=True)) == 0).mean() < 0.7
    np.testing.assert_array_equal(dropped(x), x)


@pytest.mark.parametrize(
    ("axes", "shapes", "equation"),
    [
        (1, [(4,), (4,)], "na,na->n"),
        ((2, 1), [(3, 4), (4, 5)], "nab,nbc->nac"),
        ((1, -1), [(4, 3), (5, 4)], "nba,ncb->nac"),
    ],
)
def test_dot(axes: Any, shapes: list[tuple[int, ...]], equation: str) -> None:
    def reference(xs: list[Array], w: Any) -> Array:
        found = np.einsum(equation, *xs)
        return found if found.ndim > 1 else found[:, None]

    check_layer(layers.Dot(axes), [normal(2, *s, seed=i) for i, s in enumerate(shapes)], reference)


def test_dot_gives_cosines() -> None:
    x, y = normal(5, 4), normal(5, 4, seed=1)
    cosines = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    np.testing.assert_allclose(np.ravel(layers.dot([x, y], axes=1, normalize=True)), cosines, rtol=1e-5)


def test_einsum_dense() -> None:
    check_layer(
        layers.EinsumDense("abc,cde->abde", (4, 2, 3), bias_axes="de", activation="tanh"),
        normal(2, 4, 5),
        lambda x, w: np.tanh(np.einsum("abc,cde->abde", x, w[0]) + w[1]),
        weights=("kernel", "bias"),
    )
    check_layer(layers.EinsumDense("...x,xy->...y", 4), normal(2, 3, 5), lambda x, w: x @ w[0], weights=("kernel",))


ERRORS = [
    (lambda: layers.GroupNormalization(0), ValueError, "invalid value for argument `groups`"),
    (lambda: layers.GroupNormalization(4)(np.ones((2, 6))), ValueError, "must be a multiple"),
    (lambda: layers.GroupNormalization(9)(np.ones((2, 6))), ValueError, "cannot be more than the number"),
    (lambda: layers.GroupNormalization(2).build((None, None)), ValueError, "should have a defined dimension"),
    (lambda: layers.LayerNormalization("last"), TypeError, "for the argument 'axis'"),
    (lambda: layers.LayerNormalization(3)(np.ones((2, 6))), ValueError, "Axis 3 is out of bounds"),
    (lambda: layers.UnitNormalization("last"), TypeError, "Invalid value for `axis`"),
    (lambda: layers.Embedding(0, 2), ValueError, "`input_dim` must be a positive integer"),
    (lambda: layers.Embedding(2, True), ValueError, "`output_dim` must be a positive integer"),
    (lambda: layers.Embedding(2, 2, lora_rank=1), NotImplementedError, "no LoRA weights"),
    (lambda: layers.Embedding(2, 2).embeddings, AttributeError, "before accessing `embeddings`"),
    (lambda: layers.TimeDistributed("dense"), ValueError, "Please initialize `TimeDistributed`"),
    (lambda: layers.TimeDistributed(layers.Dense(2))(np.ones((2, 3))), ValueError, "at least 3 dimensions"),
    (lambda: layers.Dot("1"), TypeError, "should be a list or an int"),
    (lambda: layers.Dot((1, 2, 3)), ValueError, "should contain two elements"),
    (lambda: layers.Dot((1, 2.0)), ValueError, "elements should be integers"),
    (lambda: layers.Dot(1)([np.ones((2, 3)), np.ones((2, 4))]), ValueError, "Incompatible input shapes"),
    (lambda: layers.Dot(0)([np.ones((2, 3)), np.ones((2, 3))]), ValueError, "over axis 0"),
    (lambda: layers.Dot(1)([np.ones((2, 3))] * 3), ValueError, "list of 2 inputs"),
    (lambda: layers.EinsumDense("ab->ac", 2).build((None, 3)), ValueError, "Invalid einsum equation"),
    (lambda: layers.EinsumDense("ab,bc->ad", 2).build((None, 3)), ValueError, "no corresponding dim"),
    (lambda: layers.EinsumDense("ab,cd->ad", 2).build((None, 3)), ValueError, "must be fully specified"),
    (lambda: layers.EinsumDense("ab,bc->ac", 2, bias_axes="z").build((None, 3)), ValueError, "not part of the output"),
    (lambda: layers.EinsumDense("abc,cd->abd", (9, 2)).build((None, 8, 3)), ValueError, "do not match at shared"),
]


@pytest.mark.parametrize(("act", "kind", "text"), ERRORS)
def test_errors(act: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        act()


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("one_hot", np.eye(4)[[[1, 3, 1], [0, 0, 2]]]),
        ("multi_hot", [[0, 1, 0, 1], [1, 0, 1, 0]]),
        ("count", [[0, 2, 0, 1], [2, 0, 1, 0]]),
    ],
)
def test_category_encoding(mode: str, wanted: Any) -> None:
    layer = layers.CategoryEncoding(4, output_mode=mode)
    numbers = np.array([[1, 3, 1], [0, 0, 2]])
    np.testing.assert_array_equal(layer(numbers), wanted)
    model = models.Sequential([layers.Input((3,), dtype="int32"), layer])
    np.testing.assert_array_equal(model.predict(numbers, verbose=0), wanted)
    assert model.output_shape == (None, *np.shape(wanted)[1:])
    again = layers.deserialize(layers.serialize(layer))
    np.testing.assert_array_equal(again([[1, 3, 1], [0, 0, 2]]), wanted)


def test_category_encoding_details() -> None:
    column = layers.CategoryEncoding(3, output_mode="one_hot")(np.array([[2], [0]]))
    np.testing.assert_array_equal(column, np.eye(3)[[2, 0]])
    weighted = layers.CategoryEncoding(3, output_mode="count")(np.array([[2, 2, 0]]), count_weights=[[0.5, 1.0, 4.0]])
    np.testing.assert_array_equal(weighted, [[4.0, 0.0, 1.5]])
    with pytest.raises(ValueError, match="`count_weights` is not used"):
        layers.CategoryEncoding(3)(np.array([[2]]), count_weights=np.ones((1, 1)))
    with pytest.raises(ValueError, match="Unknown arg for output_mode"):
        layers.CategoryEncoding(3, output_mode="words")
    with pytest.raises(ValueError, match="num_tokens must be set"):
        layers.CategoryEncoding()
    with pytest.raises(ValueError, match="must be >= 1"):
        layers.CategoryEncoding(0)
    with pytest.raises(NotImplementedError, match="no sparse tensors"):
        layers.CategoryEncoding(3, sparse=True)
