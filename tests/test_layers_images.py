"""Convolution, pooling, batch normalization and padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from helpers import Array, check_layer, normal
from nabi import layers, ops
from nabi.trace import Trace


def same_pads(n: int, k: int, s: int) -> tuple[int, int]:
    total = max((-(-n // s) - 1) * s + k - n, 0)
    return total // 2, total - total // 2


def conv2d(
    x: Array, w: Array, strides: Any = (1, 1), padding: str = "valid", dilation: Any = (1, 1), groups: int = 1
) -> Array:
    """Direct convolution, channels last."""
    kh, kw, per_group, filters = w.shape
    eh, ew = (kh - 1) * dilation[0] + 1, (kw - 1) * dilation[1] + 1
    if padding == "same":
        x = np.pad(x, ((0, 0), same_pads(x.shape[1], eh, strides[0]), same_pads(x.shape[2], ew, strides[1]), (0, 0)))
    oh, ow = (x.shape[1] - eh) // strides[0] + 1, (x.shape[2] - ew) // strides[1] + 1
    out = np.zeros((x.shape[0], oh, ow, filters))
    per = filters // groups
    for g in range(groups):
        for i in range(kh):
            for j in range(kw):
                top, left = i * dilation[0], j * dilation[1]
                part = x[
                    :,
                    top : top + (oh - 1) * strides[0] + 1 : strides[0],
                    left : left + (ow - 1) * strides[1] + 1 : strides[1],
                    g * per_group : (g + 1) * per_group,
                ]
                out[..., g * per : (g + 1) * per] += part @ w[i, j, :, g * per : (g + 1) * per]
    return out


CONVS = [
    {"kernel_size": 3},
    {"kernel_size": (2, 3), "padding": "same"},
    {"kernel_size": 3, "strides": 2},
    {"kernel_size": 2, "strides": 2, "padding": "same"},
    {"kernel_size": 3, "strides": (1, 2), "padding": "same"},
    {"kernel_size": 2, "dilation_rate": 2},
    {"kernel_size": 3, "dilation_rate": (1, 2), "padding": "same"},
    {"kernel_size": 1},
    {"kernel_size": 3, "groups": 2, "padding": "same"},
]


@pytest.mark.parametrize("options", CONVS)
@pytest.mark.parametrize("first", [False, True])
def test_conv2d(options: dict[str, Any], first: bool) -> None:
    layer = layers.Conv2D(4, activation="tanh", data_format="channels_first" if first else None, **options)

    def reference(x: Array, w: list[Array]) -> Array:
        x = np.moveaxis(x, 1, -1) if first else x
        y = conv2d(x, w[0], layer.strides, layer.padding, layer.dilation_rate, layer.groups) + w[1]
        return np.tanh(np.moveaxis(y, -1, 1) if first else y)

    x = normal(2, 6, 7, 2)
    check_layer(layer, np.moveaxis(x, -1, 1) if first else x, reference, weights=("kernel", "bias"))


def test_conv2d_without_bias() -> None:
    check_layer(
        layers.Conv2D(3, 2, use_bias=False), normal(2, 4, 4, 2), lambda x, w: conv2d(x, w[0]), weights=("kernel",)
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": "same", "strides": 2},
        {"padding": "causal"},
        {"padding": "causal", "dilation_rate": 2},
        {"data_format": "channels_first", "padding": "same"},
        {"data_format": "channels_first", "padding": "causal"},
    ],
)
def test_conv1d(options: dict[str, Any]) -> None:
    layer = layers.Conv1D(3, 3, **options)
    first = options.get("data_format") == "channels_first"

    def reference(x: Array, w: list[Array]) -> Array:
        x = np.moveaxis(x, 1, -1) if first else x
        padding = layer.padding
        if padding == "causal":
            x, padding = np.pad(x, ((0, 0), (2 * layer.dilation_rate[0], 0), (0, 0))), "valid"
        y = conv2d(x[:, None], w[0][None], (1, *layer.strides), padding, (1, *layer.dilation_rate))[:, 0] + w[1]
        return np.moveaxis(y, -1, 1) if first else y

    x = normal(2, 7, 2)
    check_layer(layer, np.moveaxis(x, -1, 1) if first else x, reference, weights=("kernel", "bias"))


def test_same_padding_puts_the_odd_zero_last() -> None:
    x = np.arange(1, 6, dtype="float32").reshape(1, 5, 1)
    wanted = {
        (2, 1): [5, 8, 11, 14, 5],
        (4, 1): [20, 30, 40, 26, 14],
        (3, 2): [8, 20, 14],
        (4, 2): [20, 40, 14],
        (2, 2): [5, 11, 5],
    }
    for (kernel, stride), values in wanted.items():
        layer = layers.Conv1D(1, kernel, strides=stride, padding="same", use_bias=False)
        layer.build((None, 5, 1))
        layer.set_weights([np.arange(1, kernel + 1, dtype="float32").reshape(kernel, 1, 1)])
        np.testing.assert_array_equal(np.asarray(layer(x)).ravel(), values)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filters": 0, "kernel_size": 3}, "Expected a strictly positive value. Received filters=0."),
        ({"filters": 2, "kernel_size": 0}, "kernel_size=0, including values {0} that do not satisfy `value > 0`"),
        ({"filters": 2, "kernel_size": (1, 2, 3)}, "must be a tuple of 2 integers. Received kernel_size=(1, 2, 3)"),
        ({"filters": 2, "kernel_size": 2.5}, "The `kernel_size` argument must be a tuple of 2 integers."),
        ({"filters": 2, "kernel_size": (1, "a")}, "including element a of type"),
        ({"filters": 2, "kernel_size": 3, "strides": 0}, "The `strides` argument must be a tuple of 2 integers"),
        ({"filters": 2, "kernel_size": 3, "padding": "causal"}, "The `padding` argument must be"),
        ({"filters": 2, "kernel_size": 3, "data_format": "last"}, "The `data_format` argument must be one of"),
        ({"filters": 2, "kernel_size": 3, "groups": 0}, "must be a positive integer. Received: groups=0."),
        ({"filters": 2, "kernel_size": 3, "groups": 4}, "Received: groups=4, filters=2."),
        ({"filters": 2, "kernel_size": 3, "strides": 2, "dilation_rate": 2}, "`strides > 1` not supported in"),
        ({"filters": 2, "kernel_size": 3, "border_mode": "same"}, "passed to Conv2D: {'border_mode': 'same'}"),
    ],
)  # fmt: skip
def test_conv2d_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        layers.Conv2D(**options)
    assert message in str(error.value)


def test_conv2d_input_errors() -> None:
    with pytest.raises(
        ValueError, match="The number of input channels must be evenly divisible by the number of groups"
    ):
        layers.Conv2D(4, 2, groups=2)(np.zeros((1, 4, 4, 3)))
    with pytest.raises(ValueError, match="Computed output size would be zero or negative"):
        layers.Conv2D(4, 5)(layers.Input((4, 4, 3)))
    with pytest.raises(ValueError, match="expected min_ndim=4, found ndim=3"):
        layers.Conv2D(4, 2)(np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="Kernel shape must have the same length as input"):
        layers.Conv2D(4, 2)(np.zeros((1, 4, 4, 4, 3)))
    layer = layers.Conv2D(4, 2, name="conv")
    layer(np.zeros((1, 4, 4, 3)))
    with pytest.raises(
        ValueError, match="expected axis -1 of input shape to have value 3, but received input with shape"
    ):
        layer(np.zeros((1, 4, 4, 2)))
    with pytest.raises(ValueError, match="requires axis -1 of the input shape to be defined"):
        layers.Conv2D(4, 2)(layers.Input((4, 4, None)))
    with pytest.raises(AttributeError, match="You must build the layer before accessing `kernel`."):
        layers.Conv2D(4, 2).kernel  # noqa: B018
    with pytest.raises(NotImplementedError, match="LoRA"):
        layers.Conv2D(4, 2, lora_rank=1)


def test_conv2d_config_keys() -> None:
    config = layers.Conv2D(4, 3).get_config()
    assert config["kernel_size"] == (3, 3) and config["strides"] == (1, 1) and config["dilation_rate"] == (1, 1)
    assert list(config)[3:13] == [
        "filters", "kernel_size", "strides", "padding", "data_format", "dilation_rate", "groups", "activation",
        "use_bias", "kernel_initializer",
    ]  # fmt: skip


def pool(x: Array, size: Any, strides: Any, padding: str, mode: str) -> Array:
    """Direct pooling, channels last."""
    (kh, kw), (sh, sw) = size, strides
    edges = (same_pads(x.shape[1], kh, sh), same_pads(x.shape[2], kw, sw)) if padding == "same" else ((0, 0), (0, 0))
    x = np.pad(x, ((0, 0), *edges, (0, 0)), constant_values=np.nan)
    oh, ow = (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1
    reduce = np.nanmax if mode == "max" else np.nanmean
    rows = [
        [reduce(x[:, i * sh : i * sh + kh, j * sw : j * sw + kw], axis=(1, 2)) for j in range(ow)] for i in range(oh)
    ]
    return np.moveaxis(np.array(rows), 2, 0)


POOLS = [
    {"pool_size": 2},
    {"pool_size": (3, 2), "strides": 1},
    {"pool_size": 3, "strides": 2, "padding": "same"},
    {"pool_size": 2, "padding": "same"},
    {"pool_size": 2, "strides": 3},
]


@pytest.mark.parametrize("options", POOLS)
@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("mode", ["max", "average"])
def test_pooling2d(options: dict[str, Any], first: bool, mode: str) -> None:
    kind = layers.MaxPooling2D if mode == "max" else layers.AveragePooling2D
    layer = kind(data_format="channels_first" if first else None, **options)
    assert layer.built

    def reference(x: Array, w: list[Array]) -> Array:
        x = np.moveaxis(x, 1, -1) if first else x
        y = pool(x, layer.pool_size, layer.strides, layer.padding, mode)
        return np.moveaxis(y, -1, 1) if first else y

    x = normal(2, 7, 6, 3)
    check_layer(layer, np.moveaxis(x, -1, 1) if first else x, reference)


@pytest.mark.parametrize("mode", ["max", "average"])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_pooling1d(mode: str, padding: str) -> None:
    kind = layers.MaxPooling1D if mode == "max" else layers.AveragePooling1D
    layer = kind(3, strides=2, padding=padding)
    check_layer(layer, normal(2, 8, 3), lambda x, w: pool(x[:, None], (1, 3), (1, 2), padding, mode)[:, 0])


def test_average_pooling_counts_real_cells_only() -> None:
    x = np.arange(1, 6, dtype="float32").reshape(1, 5, 1)
    for (size, stride), values in {(2, 1): [1.5, 2.5, 3.5, 4.5, 5.0], (3, 2): [1.5, 3.0, 4.5]}.items():
        y = layers.AveragePooling1D(size, strides=stride, padding="same")(x)
        np.testing.assert_allclose(np.asarray(y).ravel(), values)


def test_pooling_errors() -> None:
    with pytest.raises(ValueError, match="The `pool_size` argument must be a tuple of 2 integers"):
        layers.MaxPooling2D(pool_size=0)
    with pytest.raises(ValueError, match="The `strides` argument must be a tuple of 2 integers"):
        layers.MaxPooling2D(strides=(1, 2, 3))
    with pytest.raises(ValueError, match="Argument `padding` must be either 'valid' or 'same'"):
        layers.MaxPooling2D(padding="full")(layers.Input((4, 4, 1)))
    with pytest.raises(ValueError, match="Computed output size would be zero or negative"):
        layers.MaxPooling2D(5)(layers.Input((4, 4, 1)))
    with pytest.raises(ValueError, match="expected ndim=4, found ndim=3"):
        layers.MaxPooling2D()(np.zeros((4, 4, 1)))
    with pytest.raises(TypeError, match="pool_size"):
        layers.AveragePooling2D()


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("first", [False, True])
def test_global_pooling(keepdims: bool, first: bool) -> None:
    form = "channels_first" if first else "channels_last"
    axes = (2, 3) if first else (1, 2)
    for kind, reduce in ((layers.GlobalMaxPooling2D, np.max), (layers.GlobalAveragePooling2D, np.mean)):
        check_layer(
            kind(data_format=form, keepdims=keepdims),
            normal(2, 3, 4, 5),
            lambda x, w, reduce=reduce: reduce(x, axis=axes, keepdims=keepdims),
        )
    axis = 2 if first else 1
    for kind, reduce in ((layers.GlobalMaxPooling1D, np.max), (layers.GlobalAveragePooling1D, np.mean)):
        check_layer(
            kind(data_format=form, keepdims=keepdims),
            normal(2, 3, 4),
            lambda x, w, reduce=reduce: reduce(x, axis=axis, keepdims=keepdims),
        )


def test_global_average_pooling_of_masked_steps() -> None:
    x = normal(2, 3, 4).astype("float32")
    mask = np.array([[True, True, False], [True, False, False]])
    y = layers.GlobalAveragePooling1D()(x, mask=mask)
    np.testing.assert_allclose(y, [x[0, :2].mean(0), x[1, 0]], rtol=1e-5)


def batch_norm(x: Array, gamma: Any, beta: Any, mean: Any, variance: Any, axis: int, epsilon: float) -> Array:
    shape = [1] * x.ndim
    shape[axis] = -1
    parts = [np.reshape(p, shape) for p in (gamma, beta, mean, variance)]
    return (x - parts[2]) / np.sqrt(parts[3] + epsilon) * parts[0] + parts[1]


@pytest.mark.parametrize(
    ("shape", "axis"), [((6, 3), -1), ((4, 5, 3), -1), ((2, 4, 4, 3), 3), ((2, 3, 4, 4), 1), ((4, 3, 5), -2)]
)
@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_batch_normalization(shape: tuple[int, ...], axis: int, center: bool, scale: bool) -> None:
    names = (*(["gamma"] if scale else []), *(["beta"] if center else []), "moving_mean", "moving_variance")

    def parts(w: list[Array]) -> tuple[Any, Any]:
        left = list(w)
        gamma = left.pop(0) if scale else np.ones(3)
        return gamma, left.pop(0) if center else np.zeros(3)

    def inference(x: Array, w: list[Array]) -> Array:
        return batch_norm(x, *parts(w), w[-2], w[-1], axis, 1e-3)

    def training(x: Array, w: list[Array]) -> Array:
        axes = tuple(i for i in range(x.ndim) if i != axis % x.ndim)
        return batch_norm(x, *parts(w), x.mean(axes), x.var(axes), axis, 1e-3)

    make = lambda: layers.BatchNormalization(axis=axis, center=center, scale=scale)  # noqa: E731
    x = normal(*shape)
    check_layer(make(), x, inference, weights=names)
    check_layer(make(), x, inference, weights=names, training=False)
    check_layer(make(), x, training, weights=names, training=True)


def test_batch_normalization_moves_its_statistics() -> None:
    layer = layers.BatchNormalization()
    layer.build((None, 1))
    layer(np.array([[1.0], [3.0]]), training=True)
    np.testing.assert_allclose(layer.moving_mean.numpy(), [0.02], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance.numpy(), [1.0], rtol=1e-6)
    layer(np.array([[1.0], [3.0]]))
    np.testing.assert_allclose(layer.moving_mean.numpy(), [0.02], rtol=1e-6)


def test_frozen_batch_normalization_uses_its_own_statistics() -> None:
    layer = layers.BatchNormalization()
    x = normal(8, 3).astype("float32") + 5
    layer(x, training=True)
    before = layer.get_weights()
    layer.trainable = False
    np.testing.assert_array_equal(layer(x, training=True), layer(x))
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    layer.trainable = True
    assert np.abs(np.asarray(layer(x, training=True)).mean()) < 0.1


def test_batch_normalization_leaves_masked_steps_out() -> None:
    layer = layers.BatchNormalization(epsilon=0.0, momentum=0.0)
    x = normal(2, 4, 3).astype("float32")
    mask = np.array([[True, True, False, False], [True, True, True, False]])
    y = np.asarray(layer(x, training=True, mask=mask))
    kept = x[mask]
    np.testing.assert_allclose(layer.moving_mean.numpy(), kept.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance.numpy(), kept.var(0), rtol=1e-4)
    np.testing.assert_allclose(y[mask].std(0), np.ones(3), rtol=1e-3)
    with pytest.raises(ValueError, match="The mask provided should be one dimension less than the inputs"):
        layer(x, training=True, mask=np.ones((2, 4, 3), bool))


def test_batch_normalization_gradient_goes_through_the_statistics() -> None:
    """The output's sum does not depend on the input while training, so its gradient vanishes."""
    layer = layers.BatchNormalization(dtype="float64")
    with Trace() as trace:
        x = trace.input((6, 3), "float64")
        loss = ops.sum(layer(x, training=True))
        program = trace.compile([trace.gradients(loss, [x])[0]])
    np.testing.assert_allclose(program.call([normal(6, 3)])[0], 0, atol=1e-12)


@pytest.mark.parametrize("masked", [False, True])
def test_batch_renormalization(masked: bool) -> None:
    clip = {"rmax": 1.5, "rmin": 0.8, "dmax": 0.5}
    layer = layers.BatchNormalization(renorm=True, renorm_clipping=clip, momentum=0.9, renorm_momentum=0.8)
    layer.build((None, 4, 3))
    names = ["gamma", "beta", "moving_mean", "moving_variance", "moving_stddev", "renorm_mean", "renorm_stddev"]
    assert [w.name for w in layer.weights] == names
    rng = np.random.default_rng(0)
    start = {name: rng.uniform(0.5, 1.5, 3) for name in names}
    layer.set_weights(list(start.values()))
    x = rng.standard_normal((5, 4, 3))
    mask = rng.random((5, 4)) > 0.3
    kept = x[mask] if masked else x.reshape(-1, 3)
    mean, variance = kept.mean(0), kept.var(0)
    deviation = np.sqrt(variance + 1e-3)
    r = np.clip(deviation / start["renorm_stddev"], 0.8, 1.5)
    d = np.clip((mean - start["renorm_mean"]) / start["renorm_stddev"], -0.5, 0.5)
    wanted = ((x - mean) / deviation * r + d) * start["gamma"] + start["beta"]
    found = layer(x, training=True, mask=mask if masked else None)
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(layer.renorm_mean.numpy(), start["renorm_mean"] * 0.8 + mean * 0.2, rtol=1e-4)
    moved = start["moving_stddev"] * 0.9 + deviation * 0.1
    np.testing.assert_allclose(layer.moving_stddev.numpy(), moved, rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance.numpy(), moved**2 - 1e-3, rtol=1e-4)
    again = layers.BatchNormalization.from_config(layer.get_config())
    assert again.renorm and again.get_config()["renorm_clipping"] == clip


def test_batch_normalization_errors() -> None:
    with pytest.raises(ValueError, match="Axis 4 is out of bounds for input shape"):
        layers.BatchNormalization(axis=4)(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="synchronized=True is only supported"):
        layers.BatchNormalization(synchronized=True)
    for clipping, message in (
        ({"max": 1.0}, "Received invalid keys for `renorm_clipping` argument"),
        ({"rmax": 0.0, "rmin": 1.0}, "rmax should be greater than rmin"),
        ({"dmax": -1.0}, "dmax should be non-negative"),
    ):
        with pytest.raises(ValueError, match=message):
            layers.BatchNormalization(renorm=True, renorm_clipping=clipping)
    layer = layers.BatchNormalization()
    layer(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="expected ndim=2, found ndim=3"):
        layer(np.zeros((2, 3, 3)))


@pytest.mark.parametrize("padding", [1, (1, 2), ((1, 2), (0, 3))])
@pytest.mark.parametrize("first", [False, True])
def test_zero_padding2d(padding: Any, first: bool) -> None:
    layer = layers.ZeroPadding2D(padding, data_format="channels_first" if first else None)
    widths = ((0, 0), (0, 0), *layer.padding) if first else ((0, 0), *layer.padding, (0, 0))
    check_layer(layer, normal(2, 3, 4, 2), lambda x, w: np.pad(x, widths))


def test_zero_padding2d_errors() -> None:
    with pytest.raises(ValueError, match="`padding` should have two elements"):
        layers.ZeroPadding2D((1, 2, 3))
    with pytest.raises(ValueError, match="`padding` should be either an int"):
        layers.ZeroPadding2D(1.5)
    with pytest.raises(ValueError, match="1st entry of padding"):
        layers.ZeroPadding2D(((1, -1), 1))


def test_aliases() -> None:
    assert layers.Convolution2D is layers.Conv2D and layers.Convolution1D is layers.Conv1D
    assert layers.MaxPool2D is layers.MaxPooling2D and layers.AvgPool2D is layers.AveragePooling2D
    assert layers.MaxPool1D is layers.MaxPooling1D and layers.AvgPool1D is layers.AveragePooling1D
    assert layers.GlobalMaxPool2D is layers.GlobalMaxPooling2D
    assert layers.GlobalAvgPool2D is layers.GlobalAveragePooling2D
    assert layers.deserialize({"module": "keras.layers", "class_name": "MaxPool2D", "config": {}}).pool_size == (2, 2)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_volumes(padding: str) -> None:
    """With a depth of 1 and windows of depth 1, volumes are images."""
    x = normal(2, 1, 5, 6, 3)

    def as_image(reference: Any) -> Any:
        return lambda v, w: reference(v[:, 0], w)[:, None]

    check_layer(
        layers.Conv3D(2, (1, 2, 3), padding=padding),
        x,
        as_image(lambda v, w: conv2d(v, w[0][0], (1, 1), padding) + w[1]),
        weights=("kernel", "bias"),
    )
    for kind, mode in ((layers.MaxPooling3D, "max"), (layers.AveragePooling3D, "average")):
        layer = kind((1, 2, 3), strides=(1, 2, 2), padding=padding)
        check_layer(layer, x, as_image(lambda v, w, mode=mode: pool(v, (2, 3), (2, 2), padding, mode)))
    axes = (1, 2, 3)
    check_layer(layers.GlobalMaxPooling3D(), normal(2, 3, 2, 2, 4), lambda v, w: v.max(axes))
    check_layer(layers.GlobalAveragePooling3D(), normal(2, 3, 2, 2, 4), lambda v, w: v.mean(axes))


def test_convolution_of_volumes_is_a_sum_over_depth() -> None:
    def reference(x: Array, w: list[Array]) -> Array:
        planes = [sum(conv2d(x[:, d + k], w[0][k]) for k in range(2)) for d in range(x.shape[1] - 1)]
        return np.stack(planes, 1) + w[1]

    check_layer(layers.Conv3D(2, 2), normal(2, 3, 4, 4, 3), reference, weights=("kernel", "bias"))


@pytest.mark.parametrize("size", [(2, 2), 3, (1, 2)])
@pytest.mark.parametrize("first", [False, True])
def test_up_sampling(size: Any, first: bool) -> None:
    layer = layers.UpSampling2D(size, data_format="channels_first" if first else None)
    rows, columns = layer.size
    axis = 2 if first else 1
    check_layer(layer, normal(2, 3, 4, 5), lambda x, w: x.repeat(rows, axis).repeat(columns, axis + 1))
    assert layers.UpSampling2D(size)(layers.Input((None, None, 3))).shape == (None, None, None, 3)
    assert layers.UpSampling2D(size)(np.ones((1, 2, 2, 1), "int32")).dtype == np.int32


def test_up_sampling_errors() -> None:
    with pytest.raises(ValueError, match="`size` argument must be a tuple of 2 integers"):
        layers.UpSampling2D((1, 2, 3))
    with pytest.raises(ValueError, match="`interpolation` must be one of .* Received: interpolation=cubic"):
        layers.UpSampling2D(interpolation="cubic")
    with pytest.raises(ValueError, match="expected ndim=4, found ndim=3"):
        layers.UpSampling2D()(np.zeros((2, 3, 4)))
