"""`image_dataset_from_directory`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("PIL", reason="reads images: pip install pillow")

from nabi import layers, models, ops, utils

SIZES = [(8, 10), (12, 6), (9, 9)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """12 cats, 8 dogs of three sizes; a hidden folder, and files that are no images."""
    rng = np.random.default_rng(0)
    for name, count in (("cat", 12), ("dog", 8)):
        (tmp_path / name / "more").mkdir(parents=True)
        for i in range(count):
            image = rng.integers(0, 256, (*SIZES[i % 3], 3)).astype("uint8")
            path = tmp_path / name / ("more" if i % 4 == 0 else "") / f"{i:02}.png"
            utils.save_img(path, image, scale=False)
        (tmp_path / name / "notes.txt").write_text("none")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def load(folder: Path, **options: Any) -> Any:
    return utils.image_dataset_from_directory(folder, **{"image_size": (8, 10), "batch_size": 6, **options})


def test_classes_from_folders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = load(folder, shuffle=False)
    assert capsys.readouterr().out == "Found 20 files belonging to 2 classes.\n"
    assert data.class_names == ["cat", "dog"]
    assert len(data) == 4 and len(data.file_paths) == 20
    batches = list(data)
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    assert images.shape == (20, 8, 10, 3) and images.dtype == np.float32 and labels.dtype == np.int32
    np.testing.assert_array_equal(labels, [0] * 12 + [1] * 8)
    for path, image in zip(data.file_paths, images, strict=True):
        whole = utils.img_to_array(utils.load_img(path))
        np.testing.assert_allclose(image, ops.image.resize(whole, (8, 10)), rtol=1e-5, atol=1e-3)
    assert [Path(p).parent.name for p in data.file_paths].count("more") == 5
    images, _ = data[0]
    assert images[0].numpy().astype("uint8").shape == (8, 10, 3)


@pytest.mark.parametrize(
    ("options", "shape", "dtype"),
    [
        ({"label_mode": "binary"}, (6, 1), "float32"),
        ({"label_mode": "categorical"}, (6, 2), "float32"),
        ({"label_mode": "int"}, (6,), "int32"),
    ],
)
def test_label_modes(folder: Path, options: dict[str, Any], shape: tuple[int, ...], dtype: str) -> None:
    data = load(folder, seed=3, **options)
    _, labels = data[0]
    assert labels.shape == shape and labels.dtype == dtype
    numbers = {p: ("cat" not in p) for p in data.file_paths}
    assert sorted(numbers.values()) == [False] * 12 + [True] * 8
    if options["label_mode"] == "categorical":
        np.testing.assert_array_equal(np.asarray(labels).sum(1), np.ones(6))


def test_without_labels_and_given_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for options in ({"labels": None}, {"label_mode": None}):
        data = load(folder, **options)
        assert capsys.readouterr().out == "Found 20 files.\n"
        assert data[0].shape == (6, 8, 10, 3) and data.class_names is None
    given = load(folder, labels=[7] * 5 + [9] * 15, shuffle=False, verbose=False)
    assert given.class_names == ["7", "9"] and not capsys.readouterr().out
    np.testing.assert_array_equal(np.concatenate([y for _, y in given]), [7] * 5 + [9] * 15)
    chosen = load(folder, class_names=["dog"], shuffle=False)
    assert chosen.class_names == ["dog"] and len(chosen.file_paths) == 8
    single = load(folder, batch_size=None, labels=None)
    assert len(single) == 20 and single[3].shape == (8, 10, 3)


def test_shuffled_epochs_differ_and_labels_stay_with_images(folder: Path) -> None:
    plain = {image.tobytes(): label for x, y in load(folder, shuffle=False) for image, label in zip(x, y, strict=True)}
    data, again = load(folder, seed=1), load(folder, seed=1)
    epochs = []
    for _ in range(3):
        first, second = ([np.concatenate(p) for p in zip(*d, strict=True)] for d in (data, again))
        np.testing.assert_array_equal(first[0], second[0])
        assert all(plain[image.tobytes()] == label for image, label in zip(first[0], first[1], strict=True))
        epochs.append(first[0].tobytes())
    assert len(set(epochs)) == 3


def test_splits_share_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"validation_split": 0.3, "seed": 5}
    train, valid = load(folder, subset="training", **options), load(folder, subset="validation", **options)
    text = capsys.readouterr().out
    assert "Using 14 files for training.\n" in text and "Using 6 files for validation.\n" in text
    assert len(train.file_paths) == 14 and len(valid.file_paths) == 6
    assert len({*train.file_paths, *valid.file_paths}) == 20
    both = load(folder, subset="both", **options)
    assert [d.file_paths for d in both] == [train.file_paths, valid.file_paths]


def test_sizes_colours_and_layouts(folder: Path) -> None:
    grey = load(folder, color_mode="grayscale", labels=None, data_format="channels_first", image_size=7)
    assert grey[0].shape == (6, 1, 7, 7)
    assert load(folder, color_mode="rgba", labels=None)[0].shape == (6, 8, 10, 4)
    for option in ("crop_to_aspect_ratio", "pad_to_aspect_ratio"):
        data = load(folder, image_size=(6, 6), labels=None, shuffle=False, batch_size=None, **{option: True})
        for i in range(3):
            whole = utils.img_to_array(utils.load_img(data.file_paths[i]))
            wanted = ops.image.resize(whole, (6, 6), **{option: True})
            np.testing.assert_allclose(data[i], wanted, rtol=1e-5, atol=1e-3)


def test_fit_reads_a_folder(folder: Path) -> None:
    train, valid = load(folder, subset="both", validation_split=0.25, seed=1)
    model = models.Sequential(
        [
            layers.Input((8, 10, 3)),
            layers.Rescaling(1 / 255),
            layers.RandomFlip("horizontal", seed=1),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(train, validation_data=valid, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all() and len(history["val_accuracy"]) == 2
    layer = layers.Normalization()
    layer.adapt(load(folder, shuffle=False))
    images = np.concatenate([x for x, _ in load(folder, shuffle=False)])
    np.testing.assert_allclose(np.ravel(layer.mean), images.mean((0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"labels": "guessed"}, "`labels` argument should be a list/tuple"),
        ({"labels": [1], "class_names": ["cat"]}, "You can only pass `class_names`"),
        ({"labels": [1, 2]}, r"len\(labels\) is 2 while we found 20 files"),
        ({"labels": None, "class_names": ["cat"]}, "`class_names` cannot be specified"),
        ({"class_names": ["cow"]}, "did not match the names of the subdirectories"),
        ({"label_mode": "words"}, "`label_mode` argument must be one of"),
        ({"label_mode": "binary", "class_names": ["cat"]}, "exactly 2 class_names"),
        ({"color_mode": "cmyk"}, "`color_mode` must be one of"),
        ({"image_size": (1, 2, 3)}, "Invalid `image_size` value"),
        ({"interpolation": "magic"}, "`interpolation` should be one of"),
        ({"format": "torch"}, "`format` should be either"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "Only one of"),
        ({"validation_split": 2, "subset": "training"}, "must be between 0 and 1"),
        ({"validation_split": 0.2}, "`validation_split` must be set, and inversely"),
        ({"validation_split": 0.2, "subset": "test"}, "`subset` must be either"),
        ({"validation_split": 0.2, "subset": "training"}, "you must provide a `seed`"),
        ({"validation_split": 0.01, "subset": "validation", "seed": 1}, "No images found in directory"),
    ],
)
def test_wrong_arguments(folder: Path, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        load(folder, **options)


def test_what_is_not_there(folder: Path) -> None:
    with pytest.raises(NotImplementedError, match="interpolation=gaussian"):
        load(folder, interpolation="gaussian")
    with pytest.raises(IndexError, match="4 batches"):
        load(folder)[4]
