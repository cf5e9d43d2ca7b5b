"""Pictures: ImageDataGenerator and the image ops beside Keras's, whose generator lives on in `keras.src.legacy`."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from parity.pair import keras, nabi

RNG = np.random.default_rng(0)
PICTURES = RNG.uniform(0, 255, size=(21, 12, 14, 3)).astype("float32")
LABELS = RNG.integers(0, 5, 21)


def generators() -> tuple[Any, Any]:
    ndimage = pytest.importorskip("scipy.ndimage")
    pytest.importorskip("PIL")
    ndimage.interpolation = ndimage  # the name that Keras's generator uses; SciPy dropped it
    theirs = importlib.import_module("keras.src.legacy.preprocessing.image")
    ours = importlib.import_module("nabi.legacy.preprocessing.image")
    importlib.import_module("nabi.legacy").disable()
    return ours, theirs


CASES: list[dict[str, Any]] = [
    {},
    {"rotation_range": 15, "width_shift_range": 0.1, "height_shift_range": 0.1, "horizontal_flip": True},
    {"shear_range": 20, "zoom_range": 0.3, "fill_mode": "reflect"},
    {"zoom_range": (0.5, 1.5), "fill_mode": "wrap", "vertical_flip": True, "rotation_range": 90},
    {"width_shift_range": 3, "height_shift_range": [-2, 0, 2], "fill_mode": "constant", "cval": 7.0},
    {"channel_shift_range": 30.0, "rescale": 1 / 255.0},
    {"brightness_range": (0.5, 1.5), "rotation_range": 10},
    {"featurewise_center": True, "featurewise_std_normalization": True},
    {"samplewise_center": True, "samplewise_std_normalization": True},
    {"zca_whitening": True, "featurewise_center": True},
    {"rotation_range": 30, "interpolation_order": 0},
]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("options", CASES, ids=lambda options: "-".join(options) or "nothing")
def test_batches_of_a_seed_are_keras_s(options: dict[str, Any], data_format: str) -> None:
    if data_format == "channels_first" and "brightness_range" in options:
        pytest.skip("Keras hands such pictures to Pillow with their axes mixed up")
    ours, theirs = generators()
    x = PICTURES if data_format == "channels_last" else PICTURES.transpose(0, 3, 1, 2).copy()
    flows = []
    for side in (ours, theirs):
        generator = side.ImageDataGenerator(data_format=data_format, **options)
        generator.fit(x.copy())
        flows.append(generator.flow(x, LABELS, batch_size=8, seed=5))
    batches = [(next(flows[0]), next(flows[1])) for _ in range(7)] + [(flows[0][i], flows[1][i]) for i in range(3)]
    for (mine, labels), (other, expected) in batches:
        np.testing.assert_array_equal(labels, expected)
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-4)


def test_one_picture_with_given_parameters() -> None:
    ours, theirs = generators()
    parameters = {"theta": 20, "tx": 1.5, "ty": -2, "shear": 5, "zx": 0.9, "zy": 1.2, "flip_horizontal": True}
    pictures = [side.ImageDataGenerator().apply_transform(PICTURES[0].copy(), parameters) for side in (ours, theirs)]
    np.testing.assert_allclose(*pictures, rtol=1e-6, atol=1e-4)
    drawn = [
        side.ImageDataGenerator(rotation_range=9).get_random_transform((5, 5, 3), seed=4) for side in (ours, theirs)
    ]
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("fill_mode", ["constant", "nearest", "wrap", "mirror", "reflect"])
def test_affine_transform(fill_mode: str, interpolation: str) -> None:
    x = PICTURES[:3] / 255
    transform = RNG.uniform(-0.5, 0.5, size=(3, 8)).astype("float32") + np.array([1, 0, 2, 0, 1, -1, 0, 0], "float32")
    transform[:, 6:] = 0
    arguments = {"interpolation": interpolation, "fill_mode": fill_mode, "fill_value": 0.5}
    mine = nabi.ops.image.affine_transform(x, transform, **arguments)
    other = np.asarray(keras.ops.image.affine_transform(x, transform, **arguments))
    far = np.abs(np.asarray(mine) - other).max(-1) > 1e-4
    assert far.mean() < 0.005  # places within float32's rounding of half a pixel may go to either side
    single = nabi.ops.image.affine_transform(x[0], transform[0], **arguments)
    np.testing.assert_array_equal(single, np.asarray(mine)[0])


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_resize(interpolation: str, antialias: bool) -> None:
    for size in ((5, 7), (24, 9), (12, 14), (1, 30)):
        for more in ({}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True, "fill_value": 3.0}):
            arguments = {"interpolation": interpolation, "antialias": antialias, **more}
            mine = nabi.ops.image.resize(PICTURES[:2], size, **arguments)
            other = keras.ops.image.resize(PICTURES[:2], size, **arguments)
            np.testing.assert_allclose(np.asarray(mine), np.asarray(other), rtol=1e-4, atol=2e-3)
