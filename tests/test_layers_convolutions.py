"""Transposed, depthwise and separable convolutions; cropping, padding and enlarging; relatives of Dropout."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from helpers import Array, check_layer, normal
from nabi import layers, models, optimizers


def spread(x: Array, w: Array, strides: tuple[int, ...]) -> Array:
    """Every input pixel adds its product with the kernel to the output: all of it, nothing cut."""
    rank = x.ndim - 2
    lengths = [(n - 1) * s + k for n, s, k in zip(x.shape[1:-1], strides, w.shape, strict=False)]
    out = np.zeros((x.shape[0], *lengths, w.shape[-2]))
    for place in itertools.product(*(range(k) for k in w.shape[:rank])):
        window = [slice(p, p + (n - 1) * s + 1, s) for p, n, s in zip(place, x.shape[1:-1], strides, strict=True)]
        out[(slice(None), *window)] += x @ w[place].T
    return out


@pytest.mark.parametrize(
    ("name", "shape", "size", "strides"),
    [
        ("Conv1DTranspose", (5, 3), (3,), (2,)),
        ("Conv1DTranspose", (5, 3), (4,), (1,)),
        ("Conv2DTranspose", (4, 3, 3), (3, 2), (2, 1)),
        ("Conv2DTranspose", (3, 3, 2), (4, 4), (2, 2)),
        ("Conv3DTranspose", (2, 3, 2, 2), (2, 3, 2), (2, 1, 2)),
        ("Conv3DTranspose", (2, 3, 2, 2), (3, 3, 2), (1, 2, 1)),
    ],
)
def test_transposed(name: str, shape: tuple[int, ...], size: tuple[int, ...], strides: tuple[int, ...]) -> None:
    layer = getattr(layers, name)(2, size, strides)
    check_layer(layer, normal(2, *shape), lambda x, w: spread(x, w[0], strides) + w[1], weights=("kernel", "bias"))


def test_transposed_padding_same_doubles_sizes() -> None:
    def reference(x: Array, w: list[Array]) -> Array:
        return np.asarray(
            np.maximum(spread(x, w[0], (2, 2))[:, 1:9, 1:7] + w[1], 0)
        )  # a window of 4: one off each side

    layer = layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="relu")
    check_layer(layer, normal(2, 4, 3, 2), reference, weights=("kernel", "bias"))


def test_transposed_output_padding_and_gaps() -> None:
    long = layers.Conv2DTranspose(2, 3, strides=2, output_padding=1)
    check_layer(
        long,
        normal(1, 3, 4, 2),
        lambda x, w: np.pad(spread(x, w[0], (2, 2)), ((0, 0), (0, 1), (0, 1), (0, 0))) + w[1],
        weights=("kernel", "bias"),
    )
    gaps = layers.Conv3DTranspose(1, 1, strides=(3, 2, 2), use_bias=False)
    wide = ((0, 0), (0, 2), (0, 1), (0, 1), (0, 0))
    check_layer(gaps, normal(1, 2, 3, 2, 2), lambda x, w: np.pad(spread(x, w[0], (3, 2, 2)), wide), weights=("kernel",))


def depthwise(x: Array, w: Array) -> Array:
    """Valid, stride 1, two spatial axes."""
    rows, columns = w.shape[:2]
    height, width = x.shape[1] - rows + 1, x.shape[2] - columns + 1
    out = np.zeros((x.shape[0], height, width, w.shape[2], w.shape[3]))
    for i in range(rows):
        for j in range(columns):
            out += x[:, i : i + height, j : j + width, :, None] * w[i, j]
    return out.reshape(*out.shape[:3], -1)


@pytest.mark.parametrize("multiplier", [1, 3])
def test_depthwise_and_separable(multiplier: int) -> None:
    x = normal(2, 5, 4, 3)
    check_layer(
        layers.DepthwiseConv2D((3, 2), depth_multiplier=multiplier),
        x,
        lambda x, w: depthwise(x, w[0]) + w[1],
        weights=("kernel", "bias"),
    )
    check_layer(
        layers.SeparableConv2D(4, (3, 2), depth_multiplier=multiplier),
        x,
        lambda x, w: depthwise(x, w[0]) @ w[1][0, 0] + w[2],
        weights=("depthwise_kernel", "pointwise_kernel", "bias"),
    )
    line = normal(2, 6, 3)
    check_layer(
        layers.DepthwiseConv1D(3, depth_multiplier=multiplier, use_bias=False),
        line,
        lambda x, w: depthwise(x[:, None], w[0][None])[:, 0],
        weights=("kernel",),
    )
    check_layer(
        layers.SeparableConv1D(4, 2, depth_multiplier=multiplier),
        line,
        lambda x, w: depthwise(x[:, None], w[0][None])[:, 0] @ w[1][0] + w[2],
        weights=("depthwise_kernel", "pointwise_kernel", "bias"),
    )


def test_cropping() -> None:
    check_layer(layers.Cropping1D((1, 2)), normal(2, 6, 3), lambda x, w: x[:, 1:-2])
    check_layer(layers.Cropping2D(((1, 0), (0, 2))), normal(2, 4, 5, 3), lambda x, w: x[:, 1:, :-2])
    first = layers.Cropping2D(1, data_format="channels_first")
    check_layer(first, normal(2, 3, 4, 5), lambda x, w: x[:, :, 1:-1, 1:-1])
    check_layer(layers.Cropping3D(((1, 0), (0, 1), (1, 1))), normal(2, 3, 4, 5, 2), lambda x, w: x[:, 1:, :-1, 1:-1])
    assert layers.Cropping2D(1)(np.ones((1, 4, 4, 1), "uint8")).dtype == np.uint8


def test_padding_and_enlarging() -> None:
    check_layer(layers.ZeroPadding1D((1, 2)), normal(2, 4, 3), lambda x, w: np.pad(x, ((0, 0), (1, 2), (0, 0))))
    pads = ((1, 0), (0, 1), (2, 1))
    check_layer(layers.ZeroPadding3D(pads), normal(2, 2, 3, 2, 2), lambda x, w: np.pad(x, ((0, 0), *pads, (0, 0))))
    check_layer(layers.UpSampling1D(3), normal(2, 4, 3), lambda x, w: x.repeat(3, 1))
    check_layer(layers.UpSampling3D((2, 1, 3)), normal(2, 2, 3, 2, 2), lambda x, w: x.repeat(2, 1).repeat(3, 3))

    def halves(x: Array, w: Any) -> Array:
        """Twice the columns, bilinear: a quarter from the neighbour, the edge repeated."""
        before, after = np.concatenate([x[:, :, :1], x[:, :, :-1]], 2), np.concatenate([x[:, :, 1:], x[:, :, -1:]], 2)
        pairs = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis=3)
        return pairs.reshape(x.shape[0], x.shape[1], -1, x.shape[3])

    check_layer(layers.UpSampling2D((1, 2), interpolation="bilinear"), normal(2, 3, 4, 2), halves)


def test_spatial_dropout_drops_whole_channels() -> None:
    for name, shape, axes in (
        ("SpatialDropout1D", (60, 5, 8), (1,)),
        ("SpatialDropout2D", (60, 3, 4, 8), (1, 2)),
        ("SpatialDropout3D", (60, 2, 3, 2, 8), (1, 2, 3)),
    ):
        layer = getattr(layers, name)(0.25, seed=1)
        x = np.ones(shape, np.float32)
        found = np.asarray(layer(x, training=True))
        assert (found.max(axes) == found.min(axes)).all()
        assert set(np.unique(found)) == {np.float32(0), np.float32(1) / np.float32(0.75)}
        assert 0.15 < (found == 0).mean() < 0.35
        np.testing.assert_array_equal(layer(x), x)
        again = layers.deserialize(layers.serialize(layer))
        assert np.asarray(again(x, training=True)).tobytes() == found.tobytes()
    first = np.asarray(
        layers.SpatialDropout2D(0.5, data_format="channels_first", seed=1)(np.ones((40, 8, 3, 3)), training=True)
    )
    assert (first.max((2, 3)) == first.min((2, 3))).all() and 0 < (first == 0).mean() < 1


def test_noise_keeps_mean_and_deviation() -> None:
    x = normal(500, 40).astype("float32")
    noise = np.asarray(layers.GaussianDropout(0.2, seed=2)(np.ones_like(x), training=True))
    assert abs(noise.mean() - 1) < 0.02 and abs(noise.std() - 0.5) < 0.02
    alpha = layers.AlphaDropout(0.3, seed=2)
    kept = np.asarray(alpha(x, training=True))
    assert abs(kept.mean()) < 0.03 and abs(kept.std() - 1) < 0.03
    np.testing.assert_array_equal(alpha(x), x)
    rows = np.asarray(layers.AlphaDropout(0.5, noise_shape=(None, 1), seed=2)(x * 0, training=True))
    assert (rows.max(1) == rows.min(1)).all() and len(np.unique(rows)) == 2


def test_an_autoencoder_of_transposed_convolutions_learns() -> None:
    model = models.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.SeparableConv2D(8, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same"),
        ]
    )
    model.compile(optimizer=optimizers.Adam(0.01), loss="mse")
    x = normal(64, 8, 8, 1).cumsum(1).astype("float32") / 4
    history = model.fit(x, x, batch_size=16, epochs=60, verbose=0).history["loss"]
    assert history[-1] < 0.6 * history[0]


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("Conv2DTranspose", {"filters": 0, "kernel_size": 3}, "Received filters=0"),
        ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "output_padding": 1}, "strictly less than `strides`"),
        ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, "dilation_rate": 2}, "`strides > 1` not"),
        ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 0}, "Received depth_multiplier=0"),
        ("SeparableConv1D", {"filters": -1, "kernel_size": 3}, "Received filters=-1"),
        ("Cropping2D", {"cropping": -1}, "`cropping` cannot be negative"),
        ("Cropping2D", {"cropping": (1, 2, 3)}, "should have two elements"),
        ("Cropping3D", {"cropping": 1.5}, "should be either an int, a tuple of 3 ints"),
        ("ZeroPadding3D", {"padding": (1, 2)}, "`padding` should have 3 elements"),
        ("UpSampling1D", {"size": 0}, "`size` should be a positive integer"),
        ("GaussianDropout", {"rate": 2}, "Received: rate=2"),
        ("AlphaDropout", {"rate": -1}, "Received: rate=-1"),
    ],
)
def test_wrong_arguments(name: str, arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        getattr(layers, name)(**arguments)


def test_wrong_inputs() -> None:
    with pytest.raises(ValueError, match="must be smaller than the input length"):
        layers.Cropping1D((2, 2))(np.zeros((1, 4, 1)))
    with pytest.raises(ValueError, match="smaller than the corresponding spatial dimension"):
        layers.Cropping2D(2)(np.zeros((1, 4, 8, 1)))
    with pytest.raises(ValueError, match="Computed output size would be zero or negative"):
        layers.DepthwiseConv2D(5)(np.zeros((1, 4, 8, 1)))
    with pytest.raises(ValueError, match="infinite variance"):
        layers.GaussianDropout(1.0)(np.zeros((1, 4)), training=True)
    with pytest.raises(TypeError, match="Expected an integer value for `size`"):
        layers.UpSampling1D(1.5)


@pytest.mark.parametrize("layer", [layers.Conv2D, layers.Conv1DTranspose, layers.SeparableConv2D])
def test_missing_arguments_name_the_layer(layer):
    """Layers that differ by their rank alone share a constructor, but not its name in an error."""
    with pytest.raises(TypeError, match=rf"^{layer.__name__}\.__init__\(\) missing .*'kernel_size'"):
        layer(8)
