"""Every layer, in many configurations: outputs, shapes, weights after one training step, and configs equal Keras's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parity.pair import close, keras, nabi, numbers, pair, same_weights

IMAGE = (7, 6, 4)
LAYERS: dict[str, tuple[tuple[int, ...], str, dict[str, Any]]] = {}
"""id: (shape of one sample, class name, arguments)."""


def _add(shape: tuple[int, ...], name: str, **arguments: Any) -> None:
    label = ",".join(f"{k}={v}" for k, v in arguments.items())
    LAYERS[f"{name}({label}) {shape}"] = (shape, name, arguments)


_add((5,), "Dense", units=3)
_add((5,), "Dense", units=3, use_bias=False, activation="tanh")
_add((4, 5), "Dense", units=3, activation="relu")
_add((2, 3, 5), "Dense", units=1, activation="sigmoid")
for _name in (
    "elu",
    "exponential",
    "gelu",
    "hard_sigmoid",
    "leaky_relu",
    "linear",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
):
    _add((5,), "Activation", activation=_name)
for _name in ("selu", "sigmoid", "silu", "softmax", "softplus", "softsign", "swish", "tanh", "hard_silu", "celu"):
    _add((5,), "Activation", activation=_name)
_add((3, 4), "Flatten")
_add(IMAGE, "Flatten")
_add(IMAGE, "Flatten", data_format="channels_first")
_add((3, 4), "Flatten", data_format="channels_first")
_add(IMAGE, "Reshape", target_shape=(42, 4))
_add(IMAGE, "Reshape", target_shape=(-1, 12))
_add(IMAGE, "Reshape", target_shape=(2, -1, 3))
_add((12,), "Reshape", target_shape=(-1,))
_add((12,), "Dropout", rate=0.5)
_add(IMAGE, "Dropout", rate=0.25, noise_shape=(None, 1, 1, 4))

for _padding in ("valid", "same"):
    _add(IMAGE, "Conv2D", filters=3, kernel_size=3, padding=_padding)
    _add(IMAGE, "Conv2D", filters=3, kernel_size=(2, 3), strides=2, padding=_padding)
    _add(IMAGE, "Conv2D", filters=3, kernel_size=(4, 1), strides=(1, 3), padding=_padding)
    _add(IMAGE, "Conv2D", filters=3, kernel_size=3, strides=3, padding=_padding, activation="relu")
    _add(IMAGE, "Conv2D", filters=3, kernel_size=2, dilation_rate=2, padding=_padding)
    _add(IMAGE, "Conv2D", filters=3, kernel_size=(3, 2), dilation_rate=(2, 3), padding=_padding)
    _add(IMAGE, "Conv2D", filters=6, kernel_size=3, groups=2, padding=_padding)
    _add(IMAGE, "Conv2D", filters=8, kernel_size=3, strides=2, groups=4, padding=_padding)
    _add(IMAGE, "Conv2D", filters=3, kernel_size=3, strides=2, padding=_padding, data_format="channels_first")
    _add((4, 5, 7), "Conv2D", filters=2, kernel_size=2, groups=2, padding=_padding, data_format="channels_first")
    _add(IMAGE, "Conv2D", filters=5, kernel_size=1, use_bias=False, padding=_padding)
    _add((6, 3), "Conv1D", filters=4, kernel_size=3, strides=2, padding=_padding)
    _add((4, 5, 3, 2), "Conv3D", filters=3, kernel_size=2, padding=_padding)
    for _kind in ("MaxPooling2D", "AveragePooling2D"):
        _add(IMAGE, _kind, pool_size=2, padding=_padding)
        _add(IMAGE, _kind, pool_size=3, strides=2, padding=_padding)
        _add(IMAGE, _kind, pool_size=(2, 3), strides=1, padding=_padding)
        _add(IMAGE, _kind, pool_size=(3, 2), strides=(3, 1), padding=_padding)
        _add(IMAGE, _kind, pool_size=2, strides=3, padding=_padding)
        _add(IMAGE, _kind, pool_size=3, padding=_padding, data_format="channels_first")
    for _kind in ("MaxPooling1D", "AveragePooling1D"):
        _add((7, 3), _kind, pool_size=3, strides=2, padding=_padding)
        _add((4, 5, 3, 2), _kind.replace("1D", "3D"), pool_size=2, padding=_padding)
_add((6, 3), "Conv1D", filters=4, kernel_size=3, padding="causal", dilation_rate=2)
for _kind in ("GlobalMaxPooling2D", "GlobalAveragePooling2D"):
    _add(IMAGE, _kind)
    _add(IMAGE, _kind, keepdims=True)
    _add(IMAGE, _kind, data_format="channels_first")
    _add((7, 3), _kind.replace("2D", "1D"))

_add((5,), "BatchNormalization")
_add(IMAGE, "BatchNormalization")
_add(IMAGE, "BatchNormalization", axis=1)
_add(IMAGE, "BatchNormalization", axis=2, momentum=0.9, epsilon=1e-2)
_add(IMAGE, "BatchNormalization", center=False)
_add(IMAGE, "BatchNormalization", scale=False)
_add((4, 5), "BatchNormalization", center=False, scale=False, momentum=0.5)
_add((5,), "ReLU")
_add((5,), "ReLU", max_value=0.7)
_add((5,), "ReLU", negative_slope=0.2)
_add((5,), "ReLU", threshold=0.3)
_add((5,), "ReLU", max_value=0.9, negative_slope=0.1, threshold=0.2)
_add((5,), "LeakyReLU")
_add((5,), "LeakyReLU", negative_slope=0.05)
_add((5,), "ELU", alpha=0.7)
_add((4, 5), "PReLU")
_add((4, 5), "PReLU", shared_axes=[1])
_add((5,), "Softmax")
_add((4, 5), "Softmax", axis=1)
_add((4, 5), "Softmax", axis=-2)
_add((4, 5, 3), "Softmax", axis=(1, 3))
_add(IMAGE, "Rescaling", scale=1 / 255, offset=-0.5)
_add((5,), "Rescaling", scale=2.0)
_add((4, 5), "Permute", dims=(2, 1))
_add((5,), "RepeatVector", n=3)
_add(IMAGE, "ZeroPadding2D", padding=((1, 2), (0, 3)))
_add(IMAGE, "ZeroPadding2D", padding=1, data_format="channels_first")
_add(IMAGE, "UpSampling2D")
_add(IMAGE, "UpSampling2D", size=(3, 1))
_add(IMAGE, "UpSampling2D", size=2, data_format="channels_first")
_add((5,), "Identity")


def _model(side: Any, case: str) -> Any:
    shape, name, arguments = LAYERS[case]
    return side.Sequential([side.layers.Input(shape=shape), getattr(side.layers, name)(**arguments)])


@pytest.mark.parametrize("case", LAYERS)
def test_predict(case: str) -> None:
    theirs, ours = pair(lambda side: _model(side, case))
    x = numbers(3, *LAYERS[case][0], seed=1)
    assert ours.output_shape == theirs.output_shape
    wanted = np.asarray(theirs(x, training=False))
    close(ours.predict(x, verbose=0), wanted, 1e-5)
    close(ours(x), wanted, 1e-5)
    assert ours.layers[0].name == theirs.layers[0].name
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]


TRAINED = [
    case
    for case, (_, name, arguments) in LAYERS.items()
    if name not in ("Dropout", "Activation", "Permute", "RepeatVector", "Identity", "Rescaling", "Flatten", "Reshape")
    and not name.endswith(("1D", "3D"))
]


def _trained(side: Any, case: str) -> Any:
    """The layer between two dense ones, so that its gradients by weights and by input both show."""
    shape, name, arguments = LAYERS[case]
    layers = side.layers
    return side.Sequential(
        [
            layers.Input(shape=shape),
            layers.Dense(shape[-1]),
            getattr(layers, name)(**arguments),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


@pytest.mark.parametrize("case", TRAINED)
def test_training_step(case: str) -> None:
    theirs, ours = pair(lambda side: _trained(side, case))
    x, y = numbers(4, *LAYERS[case][0], seed=1), numbers(4, 2, seed=2)
    losses = []
    for side, model in ((keras, theirs), (nabi, ours)):
        model.compile(side.optimizers.SGD(0.05), "mse")
        losses.append(model.train_on_batch(x, y))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    same_weights(theirs, ours, 2e-5)


MERGES: list[tuple[str, dict[str, Any], list[tuple[int, ...]]]] = [
    ("Add", {}, [(4, 5), (4, 5)]),
    ("Add", {}, [(4, 5), (4, 5), (4, 5)]),
    ("Add", {}, [(4, 5), (1, 5)]),
    ("Subtract", {}, [(4, 5), (4, 5)]),
    ("Multiply", {}, [(4, 5), (4, 5), (4, 5)]),
    ("Average", {}, [(4, 5), (4, 5), (4, 5)]),
    ("Maximum", {}, [(4, 5), (4, 5)]),
    ("Minimum", {}, [(4, 5), (4, 5)]),
    ("Concatenate", {}, [(4, 5), (4, 3)]),
    ("Concatenate", {"axis": 1}, [(4, 5), (2, 5), (1, 5)]),
    ("Concatenate", {"axis": -2}, [(4, 5), (2, 5)]),
    ("Concatenate", {"axis": 3}, [(4, 5, 1), (4, 5, 3)]),
]


@pytest.mark.parametrize(("name", "arguments", "shapes"), MERGES)
def test_merging(name: str, arguments: dict[str, Any], shapes: list[tuple[int, ...]]) -> None:
    def make(side: Any) -> Any:
        inputs = [side.Input(shape=shape) for shape in shapes]
        return side.Model(inputs, getattr(side.layers, name)(**arguments)(inputs))

    theirs, ours = pair(make)
    xs = [numbers(3, *shape, seed=i) for i, shape in enumerate(shapes)]
    wanted = np.asarray(theirs(xs, training=False))
    assert ours.output_shape == theirs.output_shape
    close(ours.predict(xs, verbose=0), wanted, 1e-6)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]


@pytest.mark.parametrize("case", [c for c in LAYERS if c.startswith("BatchNormalization")])
def test_batch_normalization_training(case: str) -> None:
    shape, name, arguments = LAYERS[case]

    def make(side: Any) -> Any:
        layer = getattr(side.layers, name)(**arguments)
        layer.build((None, *shape))
        return layer

    theirs, ours = pair(make)
    x = numbers(6, *shape, seed=1) * 3 + 1
    for _ in range(2):
        close(np.asarray(ours(x, training=True)), np.asarray(theirs(x, training=True)), 2e-5)
        same_weights(theirs, ours, 1e-5)
    close(np.asarray(ours(x)), np.asarray(theirs(x)), 1e-5)
    theirs.trainable = ours.trainable = False
    close(np.asarray(ours(x, training=True)), np.asarray(theirs(x, training=True)), 1e-5)
    same_weights(theirs, ours, 1e-5)


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("Conv2D", {"filters": 3, "kernel_size": 9}, IMAGE),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "groups": 3}, IMAGE),
        ("Conv2D", {"filters": 5, "kernel_size": 3, "groups": 2}, IMAGE),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "strides": 2, "dilation_rate": 2}, IMAGE),
        ("Conv2D", {"filters": 0, "kernel_size": 3}, IMAGE),
        ("Conv2D", {"filters": 3, "kernel_size": 0}, IMAGE),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "padding": "causal"}, IMAGE),
        ("Conv2D", {"filters": 3, "kernel_size": 3}, (4,)),
        ("MaxPooling2D", {"pool_size": 9}, IMAGE),
        ("AveragePooling2D", {"pool_size": 2, "padding": "full"}, IMAGE),
        ("Reshape", {"target_shape": (5, 5)}, IMAGE),
        ("Reshape", {"target_shape": (-1, 5)}, IMAGE),
        ("UpSampling2D", {"size": 0}, IMAGE),
        ("UpSampling2D", {"interpolation": "cubic"}, IMAGE),
        ("Dense", {"units": 0}, (4,)),
        ("Dense", {"units": 2, "activation": "nothing"}, (4,)),
        ("Dense", {"units": 2, "kernel_initializer": "nothing"}, (4,)),
        ("Dense", {"units": 2, "init": "uniform"}, (4,)),
        ("Dropout", {"rate": 2.0}, (4,)),
        ("ReLU", {"max_value": -1.0}, (4,)),
    ],
)
def test_both_refuse(name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    kinds = []
    for side in (keras, nabi):
        with pytest.raises(Exception) as caught:  # noqa: PT011
            layer = getattr(side.layers, name)(**arguments)
            side.Sequential([side.Input(shape=shape), layer]).predict(numbers(2, *shape), verbose=0)
        kinds.append(caught.type)
    assert issubclass(kinds[1], kinds[0]), kinds


def test_dropout_in_training() -> None:
    """Not the same bits: the same share of zeros, scaling and noise shape."""
    x = np.ones((200, 30, 4), np.float32)
    for shape in (None, (None, 1, 4)):
        for side in (keras, nabi):
            y = np.asarray(side.layers.Dropout(0.3, noise_shape=shape, seed=1)(x, training=True))
            assert set(np.unique(y.round(5))) == {np.float32(0), np.float32(1 / 0.7).round(5)}
            assert abs(float((y == 0).mean()) - 0.3) < 0.05
            assert (np.ptp(y, axis=1) == 0).all() == (shape is not None)


_CHAIN = st.lists(
    st.one_of(
        st.builds(
            lambda f, k, s, p, a: (
                "Conv2D",
                {"filters": f, "kernel_size": k, "strides": s, "padding": p, "activation": a},
            ),
            st.integers(1, 9),
            st.tuples(st.integers(1, 3), st.integers(1, 3)),
            st.integers(1, 2),
            st.just("same"),
            st.sampled_from([None, "relu", "tanh"]),
        ),
        st.builds(
            lambda kind, k, s: (kind, {"pool_size": k, "strides": s, "padding": "same"}),
            st.sampled_from(["MaxPooling2D", "AveragePooling2D"]),
            st.integers(1, 3),
            st.integers(1, 2),
        ),
        st.builds(lambda axis: ("BatchNormalization", {"axis": axis}), st.sampled_from([-1, 1])),
        st.just(("LeakyReLU", {})),
        st.just(("Dropout", {"rate": 0.4})),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=8)
@given(chain=_CHAIN, height=st.integers(2, 9), width=st.integers(2, 9), seed=st.integers(0, 99))
def test_random_chains(chain: list[tuple[str, dict[str, Any]]], height: int, width: int, seed: int) -> None:
    def make(side: Any) -> Any:
        layers = [getattr(side.layers, name)(**arguments) for name, arguments in chain]
        tail = [side.layers.Flatten(), side.layers.Dense(3)]
        return side.Sequential([side.Input(shape=(height, width, 2)), *layers, *tail])

    theirs, ours = pair(make, seed)
    x = numbers(5, height, width, 2, seed=seed)
    close(ours.predict(x, verbose=0), np.asarray(theirs(x, training=False)), 5e-5)
