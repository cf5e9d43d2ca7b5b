"""Normalization within samples, Embedding, TimeDistributed and Dot: outputs, weights, configs and a training step
equal Keras's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.pair import Array, close, keras, nabi, numbers, pair, same_weights
from parity.test_configs import _plain

LINE = (5, 6)
IMAGE = (4, 3, 6)
CASES: dict[str, tuple[tuple[int, ...], str, dict[str, Any]]] = {}


def _add(shape: tuple[int, ...], name: str, **arguments: Any) -> None:
    label = ",".join(f"{k}={v}" for k, v in arguments.items())
    CASES[f"{name}({label}) {shape}"] = (shape, name, arguments)


_add(LINE, "LayerNormalization")
_add(IMAGE, "LayerNormalization", axis=[1, 2], epsilon=1e-2)
_add(IMAGE, "LayerNormalization", axis=(-1, 1), center=False)
_add(LINE, "LayerNormalization", scale=False)
_add(IMAGE, "GroupNormalization", groups=3)
_add(IMAGE, "GroupNormalization", groups=-1, epsilon=1e-2)
_add(IMAGE, "GroupNormalization", groups=2, axis=1, center=False)
_add(LINE, "GroupNormalization", groups=2, scale=False)
_add(LINE, "RMSNormalization")
_add(IMAGE, "RMSNormalization", axis=(-2, -1))
_add(LINE, "UnitNormalization")
_add(IMAGE, "UnitNormalization", axis=(1, 2))


def _model(side: Any, case: str) -> Any:
    shape, name, arguments = CASES[case]
    layers = side.layers
    layer = getattr(layers, name)(**arguments)
    return side.Sequential([layers.Input(shape), layers.Dense(shape[-1]), layer, layers.Flatten(), layers.Dense(2)])


def _compare(theirs: Any, ours: Any, x: Array, at: int) -> None:
    layer, wanted = ours.layers[at], theirs.layers[at]
    assert tuple(layer.output.shape) == tuple(wanted.output.shape)
    assert _plain(layer.get_config()) == _plain(wanted.get_config())
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    close(ours.predict(x, verbose=0), np.asarray(theirs(x, training=False)), 2e-5)
    y = numbers(len(x), 2, seed=2)
    losses = []
    for side, model in ((keras, theirs), (nabi, ours)):
        model.compile(side.optimizers.SGD(0.02), "mse")
        losses.append(model.train_on_batch(x, y))
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-5)
    same_weights(theirs, ours, 5e-5)


@pytest.mark.parametrize("case", CASES)
def test_normalization(case: str) -> None:
    theirs, ours = pair(lambda side: _model(side, case))
    _compare(theirs, ours, numbers(4, *CASES[case][0], seed=1), 1)


def _text(side: Any) -> Any:
    layers = side.layers
    return side.Sequential(
        [
            layers.Input((7,)),
            layers.Embedding(11, 4, mask_zero=True, embeddings_regularizer="l2"),
            layers.TimeDistributed(layers.Dense(3, activation="tanh")),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2),
        ]
    )


def test_text_with_masks() -> None:
    theirs, ours = pair(_text)
    x = np.random.default_rng(0).integers(0, 11, (6, 7))
    x[:, 5:] = 0
    _compare(theirs, ours, x, 0)
    assert _plain(ours.layers[1].get_config()) == _plain(theirs.layers[1].get_config())
    floats = x.astype("float32")
    close(np.asarray(ours(floats)), np.asarray(theirs(floats)), 1e-5)


@pytest.mark.parametrize("source", ["keras", "nabi"])
@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
def test_files(source: str, suffix: str, tmp_path: Path) -> None:
    theirs, ours = pair(_text)
    x = np.random.default_rng(0).integers(0, 11, (6, 7))
    wanted = np.asarray(theirs(x))
    saved, side, fresh = (theirs, nabi, _text(nabi)) if source == "keras" else (ours, keras, _text(keras))
    path = str(tmp_path / f"m{suffix}")
    if suffix == ".keras":
        saved.save(path)
        fresh = side.models.load_model(path)
    else:
        saved.save_weights(path)
        fresh.load_weights(path)
    close(np.asarray(fresh(x)), wanted, 1e-5)


def test_embedding_with_weights() -> None:
    table = numbers(5, 3)
    for side in (keras, nabi):
        for weights in (table, [table]):
            layer = side.layers.Embedding(5, 3, weights=weights)
            np.testing.assert_array_equal(np.asarray(layer(np.array([[4, 0]]))), table[[4, 0]][None])


def test_time_distributed_convolutions() -> None:
    def make(side: Any) -> Any:
        layers = side.layers
        return side.Sequential(
            [
                layers.Input((3, 5, 5, 2)),
                layers.TimeDistributed(layers.Conv2D(4, 3)),
                layers.TimeDistributed(layers.BatchNormalization()),
                layers.Flatten(),
                layers.Dense(2),
            ]
        )

    theirs, ours = pair(make)
    close(ours.predict(numbers(2, 3, 5, 5, 2), verbose=0), np.asarray(theirs(numbers(2, 3, 5, 5, 2))), 2e-5)
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]


@pytest.mark.parametrize(
    ("axes", "normalize", "shapes"),
    [
        (1, False, [(4,), (4,)]),
        (-1, True, [(4,), (4,)]),
        ((2, 1), False, [(3, 4), (4, 5)]),
        ((1, 1), True, [(4, 3), (4, 5)]),
        ((2, 2), False, [(3, 4), (2, 4)]),
        ((3, 1), False, [(2, 3, 4), (4, 5)]),
        ((1, 2), False, [(4,), (5, 4)]),
    ],
)
def test_dot(axes: Any, normalize: bool, shapes: list[tuple[int, ...]]) -> None:
    def make(side: Any) -> Any:
        inputs = [side.Input(shape) for shape in shapes]
        return side.Model(inputs, side.layers.Dot(axes, normalize=normalize)(inputs))

    theirs, ours = pair(make)
    xs = [numbers(3, *shape, seed=i) for i, shape in enumerate(shapes)]
    assert tuple(ours.output_shape) == tuple(theirs.output_shape)
    close(ours.predict(xs, verbose=0), np.asarray(theirs(xs)), 1e-5)


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("GroupNormalization", {"groups": 0}, IMAGE),
        ("GroupNormalization", {"groups": 4}, IMAGE),
        ("GroupNormalization", {"groups": 9}, IMAGE),
        ("LayerNormalization", {"axis": "last"}, IMAGE),
        ("UnitNormalization", {"axis": "last"}, IMAGE),
        ("Embedding", {"input_dim": 0, "output_dim": 2}, LINE),
        ("Embedding", {"input_dim": 3, "output_dim": 2.5}, LINE),
        ("TimeDistributed", {"layer": "dense"}, LINE),
        ("Dot", {"axes": "1"}, LINE),
        ("Dot", {"axes": (1, 2, 3)}, LINE),
    ],
)
def test_both_refuse(name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    messages = []
    for side in (keras, nabi):
        with pytest.raises((ValueError, TypeError)) as caught:
            side.Sequential([side.Input(shape=shape), getattr(side.layers, name)(**arguments)])
        messages.append((caught.type, str(caught.value)[:40]))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    ("equation", "output_shape", "bias_axes", "shape"),
    [
        ("ab,bc->ac", 4, None, (6,)),
        ("abc,cd->abd", (5, 4), "d", (5, 6)),
        ("...x,xy->...y", 4, "y", (5, 6)),
        ("ab...,bc->ac...", 4, "c", (5, 6)),
        ("abc,cde->abde", (5, 2, 3), "de", (5, 6)),
        ("abc,cde->abde", (5, 2, 3), "bd", (5, 6)),
    ],
)
def test_einsum_dense(equation: str, output_shape: Any, bias_axes: str | None, shape: tuple[int, ...]) -> None:
    def make(side: Any) -> Any:
        layers = side.layers
        layer = layers.EinsumDense(equation, output_shape, bias_axes=bias_axes, activation="tanh")
        return side.Sequential([layers.Input(shape), layer, layers.Flatten(), layers.Dense(2)])

    theirs, ours = pair(make)
    _compare(theirs, ours, numbers(4, *shape, seed=1), 0)
