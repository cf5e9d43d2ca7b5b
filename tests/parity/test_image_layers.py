"""Layers that resize, cut and vary images, and Normalization: outputs, configs and weight files equal Keras's.

Ranges of one number make the random layers comparable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parity.pair import Array, close, keras, nabi

IMAGES: Array = np.random.default_rng(5).uniform(0, 255, (3, 9, 7, 3)).astype("float32")

CASES: list[tuple[str, dict[str, Any]]] = [
    ("Resizing", {"height": 5, "width": 11}),
    ("Resizing", {"height": 5, "width": 4, "interpolation": "nearest"}),
    ("Resizing", {"height": 5, "width": 4, "interpolation": "bicubic", "antialias": True}),
    ("Resizing", {"height": 6, "width": 6, "crop_to_aspect_ratio": True}),
    ("Resizing", {"height": 6, "width": 6, "pad_to_aspect_ratio": True, "fill_value": 9.0}),
    ("CenterCrop", {"height": 4, "width": 4}),
    ("CenterCrop", {"height": 12, "width": 5}),
    ("RandomCrop", {"height": 9, "width": 7, "seed": 1}),
    ("RandomCrop", {"height": 12, "width": 12, "seed": 1}),
    ("RandomRotation", {"factor": (0.13, 0.13), "seed": 1}),
    ("RandomRotation", {"factor": (-0.2, -0.2), "seed": 1, "fill_mode": "nearest"}),
    ("RandomRotation", {"factor": (0.3, 0.3), "seed": 1, "fill_mode": "constant", "fill_value": 5.0}),
    ("RandomTranslation", {"height_factor": (0.21, 0.21), "width_factor": (-0.4, -0.4), "seed": 1}),
    (
        "RandomTranslation",
        {"height_factor": (-0.31, -0.31), "width_factor": (0.2, 0.2), "seed": 1, "fill_mode": "wrap"},
    ),
    ("RandomZoom", {"height_factor": (0.35, 0.35), "seed": 1}),
    ("RandomZoom", {"height_factor": (-0.35, -0.35), "width_factor": (0.1, 0.1), "seed": 1}),
    ("RandomContrast", {"factor": (0.0, 0.0), "value_range": (20, 200), "seed": 1}),
    ("RandomBrightness", {"factor": (0.15, 0.15), "seed": 1}),
    ("RandomBrightness", {"factor": (-0.3, -0.3), "value_range": (0.0, 300.0), "seed": 1}),
    ("Normalization", {"mean": [1.0, 2.0, 3.0], "variance": [9.0, 4.0, 2.0]}),
    ("Normalization", {"axis": None, "mean": 120.0, "variance": 900.0, "invert": True}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
@pytest.mark.parametrize("training", [True, False])
def test_outputs(name: str, arguments: dict[str, Any], training: bool) -> None:
    call = {} if name == "Normalization" else {"training": training}
    theirs, ours = (getattr(side.layers, name)(**arguments) for side in (keras, nabi))
    close(ours(IMAGES, **call), theirs(IMAGES, **call), 1e-3)
    if name == "Normalization":
        return
    close(ours(IMAGES[0], **call), theirs(IMAGES[0], **call), 1e-3)
    first, wanted = (getattr(side.layers, name)(**arguments, data_format="channels_first") for side in (nabi, keras))
    turned = np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2))
    close(first(turned, **call), wanted(turned, **call), 1e-3)


@pytest.mark.parametrize(
    ("name", "arguments"), [*CASES, ("RandomFlip", {"mode": "vertical"}), ("RandomFlip", {}), ("Normalization", {})]
)
def test_configs(name: str, arguments: dict[str, Any]) -> None:
    theirs, ours = (getattr(side.layers, name)(**arguments, name="it").get_config() for side in (keras, nabi))
    assert ours == theirs
    again = getattr(keras.layers, name).from_config(ours).get_config()
    assert again == theirs


@pytest.mark.parametrize("axis", [-1, 1, None, (1, 2)])
def test_adapt(axis: Any) -> None:
    theirs, ours = (side.layers.Normalization(axis=axis) for side in (keras, nabi))
    for layer in (theirs, ours):
        layer.adapt(IMAGES)
    close(ours(IMAGES), theirs(IMAGES), 1e-5)
    for found, wanted in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def _model(side: Any) -> Any:
    layers = side.layers
    return side.Sequential(
        [
            layers.Input((9, 7, 3)),
            layers.Normalization(),
            layers.RandomFlip(seed=3),
            layers.RandomZoom(0.2, seed=4),
            layers.Conv2D(2, 3),
        ]
    )


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
@pytest.mark.parametrize("source", ["keras", "nabi"])
def test_files(suffix: str, source: str, tmp_path: Path) -> None:
    theirs, ours = _model(keras), _model(nabi)
    for model in (theirs, ours):
        model.layers[0].adapt(IMAGES if source == "keras" else IMAGES + 5)
    path = str(tmp_path / f"file{suffix}")
    saved, other, side = (theirs, ours, nabi) if source == "keras" else (ours, theirs, keras)
    if suffix == ".keras":
        saved.save(path)
        other = side.models.load_model(path)
    else:
        saved.save_weights(path)
        other.load_weights(path)
    close(np.asarray(other(IMAGES, training=False)), np.asarray(saved(IMAGES, training=False)), 1e-4)
