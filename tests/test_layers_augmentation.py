"""Layers that resize, cut and vary images, and Normalization."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nabi
from helpers import Array, check_layer, normal
from nabi import layers, models, ops

IMAGES = np.random.default_rng(5).uniform(0, 255, (6, 9, 7, 3)).astype("float32")

RANDOM: dict[str, Callable[..., layers.Layer]] = {
    "crop": lambda **k: layers.RandomCrop(5, 4, **k),
    "flip": lambda **k: layers.RandomFlip(**k),
    "rotation": lambda **k: layers.RandomRotation(0.4, **k),
    "translation": lambda **k: layers.RandomTranslation(0.3, (-0.1, 0.4), **k),
    "zoom": lambda **k: layers.RandomZoom(0.4, **k),
    "zoom both": lambda **k: layers.RandomZoom((-0.3, 0.2), 0.5, fill_mode="constant", fill_value=3.0, **k),
    "contrast": lambda **k: layers.RandomContrast(0.7, **k),
    "brightness": lambda **k: layers.RandomBrightness(0.5, **k),
}


def varied(layer: layers.Layer, images: Array = IMAGES) -> Array:
    return np.asarray(layer(images, training=True))


@pytest.mark.parametrize("make", RANDOM.values(), ids=RANDOM)
def test_seeds_reproduce_and_calls_differ(make: Callable[..., layers.Layer]) -> None:
    layer, again = make(seed=3), make(seed=3)
    first = varied(layer)
    assert first.dtype == np.float32
    assert first.tobytes() == varied(again).tobytes()
    assert varied(layer).tobytes() == varied(again).tobytes()
    others = [varied(layer).tobytes() for _ in range(8)]
    assert len(set(others)) > 1


@pytest.mark.parametrize("make", RANDOM.values(), ids=RANDOM)
def test_bits_do_not_depend_on_threads(make: Callable[..., layers.Layer]) -> None:
    images = np.random.default_rng(1).uniform(0, 255, (8, 40, 40, 3)).astype("float32")
    before = nabi.config.num_threads()
    found = set()
    try:
        for threads in (1, 2, 3):
            nabi.config.set_num_threads(threads)
            found.add(varied(make(seed=11), images).tobytes())
    finally:
        nabi.config.set_num_threads(before)
    assert len(found) == 1


@pytest.mark.parametrize("make", RANDOM.values(), ids=RANDOM)
def test_models_vary_images_while_training_only(make: Callable[..., layers.Layer]) -> None:
    layer = make(seed=2)
    model = models.Sequential([layers.Input((9, 7, 3)), layer, layers.GlobalAveragePooling2D(), layers.Dense(1)])
    np.testing.assert_array_equal(layer(IMAGES, training=False), IMAGES)
    model.compile(optimizer="sgd", loss="mse")
    before = np.array(layer.generator.state)
    assert model.predict(IMAGES, verbose=0).tobytes() == model.predict(IMAGES, verbose=0).tobytes()
    np.testing.assert_array_equal(layer.generator.state, before)
    model.fit(IMAGES / 255, np.zeros((6, 1)), batch_size=3, epochs=1, verbose=0)
    assert np.asarray(layer.generator.state)[1] > before[1]


@pytest.mark.parametrize("make", RANDOM.values(), ids=RANDOM)
def test_configs_survive_json(make: Callable[..., layers.Layer]) -> None:
    layer = make(seed=4, name="vary")
    config = layers.serialize(layer)
    again = layers.deserialize(json.loads(json.dumps(config)))
    assert json.dumps(layers.serialize(again)) == json.dumps(config)
    assert varied(again).tobytes() == varied(layer).tobytes()


@pytest.mark.parametrize("make", RANDOM.values(), ids=RANDOM)
def test_one_image_and_channels_first_are_the_same_pictures(make: Callable[..., layers.Layer]) -> None:
    single = varied(make(seed=9), IMAGES[0])
    np.testing.assert_array_equal(single, varied(make(seed=9), IMAGES[:1])[0])
    first = varied(make(seed=9, data_format="channels_first"), np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(first.transpose(0, 2, 3, 1), varied(make(seed=9)), rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize(
    ("mode", "axes"), [("horizontal", (2,)), ("vertical", (1,)), ("horizontal_and_vertical", (1, 2))]
)
def test_flips_mirror_about_half_of_the_images(mode: str, axes: tuple[int, ...]) -> None:
    images = np.tile(IMAGES, (20, 1, 1, 1))
    found = varied(layers.RandomFlip(mode, seed=1), images)
    same = (found == images).all((1, 2, 3))
    mirrored = (found == np.flip(images, axes)).all((1, 2, 3))
    assert (same ^ mirrored).all()
    assert 30 < mirrored.sum() < 90


def test_rotation_by_a_quarter_turn() -> None:
    square = IMAGES[:, :7]
    found = varied(layers.RandomRotation((0.25, 0.25), seed=1), square)
    np.testing.assert_allclose(found, np.rot90(square, k=1, axes=(1, 2)), rtol=1e-4, atol=1e-2)


def test_translation_shifts_by_shares_of_the_size() -> None:
    layer = layers.RandomTranslation((1 / 3, 1 / 3), (-2 / 7, -2 / 7), fill_mode="constant", fill_value=7.0, seed=1)
    wanted = np.full_like(IMAGES, 7.0)
    wanted[:, 3:, :-2] = IMAGES[:, :-3, 2:]
    np.testing.assert_allclose(varied(layer), wanted, rtol=1e-4, atol=1e-2)


def test_zoom_shows_the_middle() -> None:
    found = varied(layers.RandomZoom((-0.5, -0.5), interpolation="nearest", seed=1), IMAGES[:, :9, :7])
    rows = np.rint(np.arange(9) * 0.5 + 2.0 - 1e-6).astype(int)  # halves: the core rounds either way; skip those
    exact = [i for i in range(9) if (i * 0.5 + 2.0) % 1 == 0]
    columns = [i for i in range(7) if (i * 0.5 + 1.5) % 1 == 0]
    np.testing.assert_array_equal(
        found[:, exact][:, :, columns],
        IMAGES[:, rows[exact]][:, :, [int(i * 0.5 + 1.5) for i in columns]],
    )


def test_crops_are_windows_of_the_images() -> None:
    layer = layers.RandomCrop(5, 4, seed=1)
    places = set()
    for _ in range(30):
        found = varied(layer)
        fits = [(i, j) for i in range(5) for j in range(4) if np.array_equal(found, IMAGES[:, i : i + 5, j : j + 4])]
        assert len(fits) == 1
        places.add(fits[0])
    assert len(places) > 8
    assert varied(layers.RandomCrop(18, 14)).shape == (6, 18, 14, 3)


def test_colours() -> None:
    brighter = varied(layers.RandomBrightness((0.2, 0.2), seed=1))
    np.testing.assert_allclose(brighter, np.clip(IMAGES + 51, 0, 255), rtol=1e-5)
    stretched = varied(layers.RandomContrast((0.0, 0.8), value_range=(-1e6, 1e6), seed=1))
    mean = IMAGES.mean((1, 2), keepdims=True)
    factors = (stretched - mean) / (IMAGES - mean)
    per_image = np.median(factors, axis=(1, 2, 3))
    np.testing.assert_allclose(stretched, (IMAGES - mean) * per_image[:, None, None, None] + mean, atol=0.05)
    assert per_image.min() >= 1.0 and per_image.max() <= 1.8 and per_image.std() > 0.01


def test_dicts() -> None:
    masks = (IMAGES[..., :1] > 128).astype("int32")
    data = {"images": IMAGES, "labels": np.arange(6), "segmentation_masks": masks}
    found = layers.RandomFlip("horizontal", seed=1)(data, training=True)
    moved = layers.RandomFlip("horizontal", seed=1)(IMAGES, training=True)
    np.testing.assert_array_equal(found["images"], moved)
    np.testing.assert_array_equal(found["segmentation_masks"][..., 0], np.asarray(moved)[..., 0] > 128)
    np.testing.assert_array_equal(found["labels"], np.arange(6))
    turned = layers.RandomRotation(0.3, seed=1)(data, training=True)
    assert set(np.unique(turned["segmentation_masks"])) == {0, 1}
    with pytest.raises(NotImplementedError, match="not `bounding_boxes`"):
        layers.RandomFlip()({"images": IMAGES, "bounding_boxes": {"boxes": np.zeros((6, 1, 4))}}, training=True)


def test_center_crop() -> None:
    check_layer(layers.CenterCrop(4, 3), IMAGES.astype("float64"), lambda x, w: x[:, 2:6, 2:5])
    np.testing.assert_array_equal(layers.CenterCrop(4, 3)(IMAGES[0]), IMAGES[0, 2:6, 2:5])
    larger = layers.CenterCrop(14, 14)(IMAGES)
    wanted = ops.image.resize(IMAGES[:, 1:8], (14, 14))
    np.testing.assert_array_equal(larger, wanted)


def test_resizing() -> None:
    layer = layers.Resizing(4, 6)
    np.testing.assert_array_equal(layer(IMAGES), ops.image.resize(IMAGES, (4, 6)))
    assert layer(IMAGES.astype("uint8")).dtype == np.uint8
    assert layer.compute_output_shape((None, 9, 7, 3)) == (None, 4, 6, 3)
    nearest = layers.Resizing(18, 14, interpolation="nearest")
    check_layer(nearest, normal(2, 9, 7, 3), lambda x, w: x.repeat(2, 1).repeat(2, 2))
    with pytest.raises(ValueError, match="rank-1 with size 3"):
        layer.compute_output_shape((None, 9))


WRONG = [
    (lambda: layers.RandomFlip("sideways"), ValueError, "`mode` must be one of"),
    (lambda: layers.RandomFlip(factor=0.1), ValueError, "does not take a `factor` argument"),
    (lambda: layers.RandomRotation(1.5), ValueError, r"in the range \[-1, 1\]"),
    (lambda: layers.RandomRotation("much"), ValueError, "`factor` argument should be a number"),
    (lambda: layers.RandomRotation(0.1, fill_mode="mirror"), NotImplementedError, "Unknown `fill_mode` mirror"),
    (lambda: layers.RandomZoom(0.1, interpolation="cubic"), NotImplementedError, "Unknown `interpolation` cubic"),
    (lambda: layers.RandomZoom(-1.0), ValueError, r"in the range \(-1.0, 1.0\]. Received: input_number=-1.0"),
    (lambda: layers.RandomTranslation((0.1, 2.0), 0.1), ValueError, "Received: input_number=2.0"),
    (lambda: layers.RandomTranslation((0.1,) * 3, 0.1), ValueError, "Received: height_factor="),
    (lambda: layers.RandomTranslation(0.1, "far"), ValueError, "Received: width_factor=far"),
    (lambda: layers.RandomContrast(-0.5), ValueError, r"in the range \[0, 1\]"),
    (lambda: layers.RandomBrightness(0.5, value_range=3), ValueError, "`value_range` argument should be a list"),
    (lambda: layers.RandomContrast(0.5)(IMAGES[0, 0]), ValueError, "rank 3 or 4"),
    (lambda: layers.CenterCrop(2, 2)(IMAGES[0, 0]), ValueError, "Expected image tensor to have rank 3"),
]


@pytest.mark.parametrize(("act", "kind", "text"), WRONG)
def test_wrong_arguments(act: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        act()


# ---------------------------------------------------------------------------------------------------------------------
# Normalization
# ---------------------------------------------------------------------------------------------------------------------
FEATURES = (np.random.default_rng(2).standard_normal((50, 4, 3)) * 3 + 1).astype("float32")


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), None])
@pytest.mark.parametrize("kind", ["array", "batches", "pairs"])
def test_normalization_adapts(axis: Any, kind: str) -> None:
    batches = [FEATURES[:16], FEATURES[16:20], FEATURES[20:]]
    layer = layers.Normalization(axis=axis)
    layer.adapt({"array": FEATURES, "batches": iter(batches), "pairs": [(b, None) for b in batches]}[kind])
    kept = {-1: (2,), 1: (1,), (1, 2): (1, 2), None: ()}[axis]
    others = tuple(i for i in range(3) if i not in kept)
    mean, variance = FEATURES.mean(others, keepdims=True), FEATURES.var(others, keepdims=True)
    np.testing.assert_allclose(layer(FEATURES), (FEATURES - mean) / np.sqrt(variance), rtol=2e-5, atol=2e-5)
    assert [w.name for w in layer.weights] == ["mean", "variance", "count"]
    undo = layers.Normalization(axis=axis, invert=True)
    undo.adapt(FEATURES)
    np.testing.assert_allclose(undo(layer(FEATURES)), FEATURES, rtol=2e-5, atol=2e-5)
    layer.adapt(FEATURES * 2)
    np.testing.assert_allclose(layer(FEATURES * 2), (FEATURES - mean) / np.sqrt(variance), rtol=2e-5, atol=2e-5)


def test_normalization_with_given_values() -> None:
    mean, variance = [1.0, 2.0, 3.0], [4.0, 1.0, 0.25]
    check_layer(
        layers.Normalization(mean=mean, variance=variance),
        normal(5, 4, 3),
        lambda x, w: (x - np.array(mean)) / np.sqrt(variance),
    )
    check_layer(layers.Normalization(mean=1.0, variance=4.0), normal(5, 3), lambda x, w: (x - 1) / 2)
    model = models.Sequential([layers.Input((4, 3)), layers.Normalization(mean=mean, variance=variance)])
    assert model.predict(FEATURES, verbose=0).shape == FEATURES.shape


def test_normalization_refuses() -> None:
    with pytest.raises(ValueError, match="both `mean` and `variance` must be set"):
        layers.Normalization(mean=1.0)
    with pytest.raises(ValueError, match="must have the same shape"):
        layers.Normalization(mean=[1.0, 2.0], variance=1.0)
    with pytest.raises(ValueError, match="rank of `mean`"):
        layers.Normalization(mean=[[1.0]], variance=[[1.0]])
    with pytest.raises(ValueError, match=r"range \[-ndim, ndim\)"):
        layers.Normalization(axis=3).build((None, 4, 3))
    with pytest.raises(ValueError, match="must have a known shape"):
        layers.Normalization(axis=1).build((None, None, 3))
    layer = layers.Normalization()
    layer.adapt(FEATURES)
    with pytest.raises(ValueError, match="incompatible shape"):
        layer.adapt(FEATURES[..., :2])
    with pytest.raises(ValueError, match="batch with incompatible shape"):
        layer.adapt([FEATURES, FEATURES[..., :2]])
    with pytest.raises(ValueError, match="empty iterable"):
        layer.adapt([])
    with pytest.raises(TypeError, match="Unsupported data type"):
        layer.adapt(3)
    with pytest.raises(TypeError, match="Got an element of type int"):
        layer.adapt([3])
    with pytest.raises(ValueError, match="made with its own"):
        layers.Normalization(mean=1.0, variance=1.0).adapt(FEATURES)
