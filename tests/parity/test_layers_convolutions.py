"""Transposed, depthwise and separable convolutions, cropping, padding and enlarging: outputs, shapes, weights and
their names, configs and one training step equal Keras's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.pair import close, keras, nabi, numbers, pair, same_weights
from parity.test_configs import _plain

IMAGE = (5, 6, 4)
VOLUME = (3, 4, 5, 2)
LINE = (7, 4)
CASES: dict[str, tuple[tuple[int, ...], str, dict[str, Any]]] = {}


def _add(shape: tuple[int, ...], name: str, **arguments: Any) -> None:
    label = ",".join(f"{k}={v}" for k, v in arguments.items())
    CASES[f"{name}({label}) {shape}"] = (shape, name, arguments)


for _padding in ("valid", "same"):
    for _shape, _kind in ((LINE, "Conv1DTranspose"), (IMAGE, "Conv2DTranspose"), (VOLUME, "Conv3DTranspose")):
        _add(_shape, _kind, filters=3, kernel_size=3, padding=_padding)
        _add(_shape, _kind, filters=3, kernel_size=2, strides=3, padding=_padding, activation="relu")
        _add(_shape, _kind, filters=2, kernel_size=4, strides=2, padding=_padding, use_bias=False)
        _add(_shape, _kind, filters=2, kernel_size=2, dilation_rate=2, padding=_padding)
        _add(_shape, _kind, filters=2, kernel_size=3, strides=2, output_padding=1, padding=_padding)
        _add(_shape, _kind, filters=2, kernel_size=3, strides=2, padding=_padding, data_format="channels_first")
    _add(IMAGE, "Conv2DTranspose", filters=3, kernel_size=(3, 2), strides=(1, 2), padding=_padding)
    for _shape, _rank in ((LINE, 1), (IMAGE, 2)):
        _add(_shape, f"DepthwiseConv{_rank}D", kernel_size=3, padding=_padding, depth_multiplier=2)
        _add(_shape, f"DepthwiseConv{_rank}D", kernel_size=2, strides=2, padding=_padding, activation="tanh")
        _add(_shape, f"SeparableConv{_rank}D", filters=3, kernel_size=3, padding=_padding, depth_multiplier=2)
        _add(_shape, f"SeparableConv{_rank}D", filters=5, kernel_size=2, strides=2, padding=_padding, use_bias=False)
        _add(_shape, f"SeparableConv{_rank}D", filters=2, kernel_size=2, padding=_padding, data_format="channels_first")
        _add(_shape, f"DepthwiseConv{_rank}D", kernel_size=2, dilation_rate=2, padding=_padding)
_add(LINE, "Cropping1D")
_add(LINE, "Cropping1D", cropping=(0, 3))
_add(IMAGE, "Cropping2D", cropping=1)
_add(IMAGE, "Cropping2D", cropping=((0, 2), (3, 0)))
_add(IMAGE, "Cropping2D", cropping=((1, 2), (1, 2)), data_format="channels_first")
_add(VOLUME, "Cropping3D")
_add(VOLUME, "Cropping3D", cropping=((1, 0), (0, 2), (1, 1)))
_add(LINE, "ZeroPadding1D", padding=(1, 3))
_add(LINE, "ZeroPadding1D", padding=2, data_format="channels_first")
_add(VOLUME, "ZeroPadding3D")
_add(VOLUME, "ZeroPadding3D", padding=((1, 0), (0, 2), (1, 1)))
_add(LINE, "UpSampling1D", size=3)
_add(VOLUME, "UpSampling3D", size=(2, 1, 3))
_add(VOLUME, "UpSampling3D", data_format="channels_first")
for _name in ("bilinear", "bicubic", "lanczos3"):
    _add(IMAGE, "UpSampling2D", interpolation=_name)
_add(IMAGE, "UpSampling2D", interpolation="bilinear", size=(1, 3), data_format="channels_first")
_add(LINE, "SpatialDropout1D", rate=0.5)
_add(IMAGE, "SpatialDropout2D", rate=0.5, data_format="channels_first")
_add(VOLUME, "SpatialDropout3D", rate=0.5)
_add(IMAGE, "GaussianDropout", rate=0.25, seed=3)
_add(IMAGE, "AlphaDropout", rate=0.25, noise_shape=(None, 1, 1, None))


def _model(side: Any, case: str) -> Any:
    shape, name, arguments = CASES[case]
    layers = side.layers
    layer = getattr(layers, name)(**arguments)
    return side.Sequential([layers.Input(shape), layers.Dense(shape[-1]), layer, layers.Flatten(), layers.Dense(2)])


@pytest.mark.parametrize("case", CASES)
def test_layer(case: str) -> None:
    theirs, ours = pair(lambda side: _model(side, case))
    x, y = numbers(4, *CASES[case][0], seed=1), numbers(4, 2, seed=2)
    layer, wanted = ours.layers[1], theirs.layers[1]
    assert tuple(layer.output.shape) == tuple(wanted.output.shape)
    assert tuple(layer.compute_output_shape((None, *CASES[case][0]))) == tuple(layer.output.shape)
    assert _plain(layer.get_config()) == _plain(wanted.get_config())
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    close(ours.predict(x, verbose=0), np.asarray(theirs(x, training=False)), 2e-5)
    if "Dropout" in case:
        return
    losses = []
    for side, model in ((keras, theirs), (nabi, ours)):
        model.compile(side.optimizers.SGD(0.02), "mse")
        losses.append(model.train_on_batch(x, y))
    np.testing.assert_allclose(losses[1], losses[0], rtol=2e-5)
    same_weights(theirs, ours, 5e-5)


@pytest.mark.parametrize("name", ["Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"])
@pytest.mark.parametrize("source", ["keras", "nabi"])
def test_files(name: str, source: str, tmp_path: Path) -> None:
    case = next(c for c in CASES if c.startswith(name))
    theirs, ours = (_model(side, case) for side in (keras, nabi))
    saved, other = (theirs, ours) if source == "keras" else (ours, theirs)
    saved.save_weights(str(tmp_path / "w.weights.h5"))
    other.load_weights(str(tmp_path / "w.weights.h5"))
    x = numbers(2, *IMAGE)
    close(np.asarray(ours(x, training=False)), np.asarray(theirs(x, training=False)), 2e-5)


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("Conv2DTranspose", {"filters": 0, "kernel_size": 3}, IMAGE),
        ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, "output_padding": 2}, IMAGE),
        ("Conv2DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2, "dilation_rate": 2}, IMAGE),
        ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 0}, IMAGE),
        ("DepthwiseConv2D", {"kernel_size": 9}, IMAGE),
        ("SeparableConv2D", {"filters": -1, "kernel_size": 3}, IMAGE),
        ("Cropping1D", {"cropping": (4, 3)}, LINE),
        ("Cropping2D", {"cropping": -1}, IMAGE),
        ("Cropping2D", {"cropping": (1, 2, 3)}, IMAGE),
        ("Cropping3D", {"cropping": 2}, VOLUME),
        ("ZeroPadding3D", {"padding": (1, 2)}, VOLUME),
        ("UpSampling1D", {"size": 1.5}, LINE),
        ("UpSampling1D", {"size": 0}, LINE),
        ("SpatialDropout2D", {"rate": 1.5}, IMAGE),
        ("AlphaDropout", {"rate": -0.5}, IMAGE),
        ("GaussianDropout", {"rate": 2}, IMAGE),
    ],
)
def test_both_refuse(name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    messages = []
    for side in (keras, nabi):
        with pytest.raises((ValueError, TypeError)) as caught:
            side.Sequential([side.Input(shape=shape), getattr(side.layers, name)(**arguments)])
        messages.append((caught.type, str(caught.value)[:40]))
    assert messages[0] == messages[1]


def test_dropouts_in_training() -> None:
    """Not the same bits: the same values, shares, means and deviations."""
    x = np.ones((400, 6, 8), np.float32)
    for side in (keras, nabi):
        y = np.asarray(side.layers.SpatialDropout1D(0.3, seed=1)(x, training=True))
        assert (np.ptp(y, axis=1) == 0).all()
        assert abs(float((y == 0).mean()) - 0.3) < 0.05
        noisy = np.asarray(side.layers.GaussianDropout(0.2, seed=1)(x, training=True))
        assert abs(noisy.mean() - 1) < 0.02 and abs(noisy.std() - 0.5) < 0.02
    z = numbers(400, 50)
    values = [np.asarray(side.layers.AlphaDropout(0.3, seed=1)(z * 0, training=True)) for side in (keras, nabi)]
    np.testing.assert_allclose(np.unique(values[1]), np.unique(values[0]), rtol=1e-5)
    kept = np.asarray(nabi.layers.AlphaDropout(0.3, seed=1)(z, training=True))
    assert abs(kept.mean()) < 0.05 and abs(kept.std() - 1) < 0.05
