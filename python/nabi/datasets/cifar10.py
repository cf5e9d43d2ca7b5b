"""CIFAR-10 small colour pictures (A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nabi import config
from nabi.datasets.cache import Bytes, cached, check, check_pair, read_pickle
from nabi.utils.files import download, replacing

_ORIGIN = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
_FOLDER = "cifar-10-batches-py"
_TRAIN = tuple(f"data_batch_{i}" for i in range(1, 6))
_FILES = (*_TRAIN, "test_batch", "batches.meta")

Split = tuple[Bytes, Bytes]


def _read_batch(place: Path, name: str) -> tuple[Bytes, Bytes]:
    """One batch: rows uint8 [n, 3072] (all red pixels, then green, then blue; 32 rows of 32 each) and labels [n]."""
    with (place / name).open("rb") as file:
        content = read_pickle(file)
    missing = [key for key in ("data", "labels") if key not in content]
    if missing:
        raise ValueError(f"{name}: {missing[0]!r} is missing, the file has {sorted(content)}")
    labels = content["labels"]
    if not isinstance(labels, list) or not all(isinstance(y, int) and 0 <= y <= 9 for y in labels):
        raise ValueError(f"{name}: labels must be a list of integers from 0 to 9")
    rows = check(f"data of {name}", np.asarray(content["data"]), (None, 3072))
    return check_pair(rows, np.array(labels, dtype=np.uint8))


def _images(rows: list[Bytes]) -> Bytes:
    """Batches of rows as one array of images, laid out as ``config.image_data_format()`` says."""
    last = config.image_data_format() == "channels_last"
    count = sum(len(r) for r in rows)
    images = np.empty((count, 32, 32, 3) if last else (count, 3, 32, 32), np.uint8)
    start = 0
    for r in rows:
        planes = r.reshape(-1, 3, 32, 32)
        images[start : start + len(r)] = planes.transpose(0, 2, 3, 1) if last else planes
        start += len(r)
    return images


def _read(place: Path) -> tuple[Split, Split]:
    splits = []
    for names in (_TRAIN, ("test_batch",)):
        batches = [_read_batch(place, name) for name in names]
        splits.append((_images([x for x, _ in batches]), np.concatenate([y for _, y in batches]).reshape(-1, 1)))
    return splits[0], splits[1]


def _fetch(folder: Path) -> Path:
    """Download the archive and unpack its seven known files; the archive itself is not kept."""
    import tarfile

    archive = download(_ORIGIN, folder / "cifar-10-python.tar.gz", _SHA256)
    with replacing(folder / _FOLDER) as part, tarfile.open(archive) as tar:
        part.mkdir()
        for name in _FILES:
            member = tar.extractfile(f"{_FOLDER}/{name}")
            if member is None:
                raise ValueError(f"{archive} has no file {_FOLDER}/{name}")
            (part / name).write_bytes(member.read())
    archive.unlink()
    return folder / _FOLDER


def load_data() -> tuple[Split, Split]:
    """Load CIFAR-10: 50,000 training and 10,000 test images of 32x32 colour pixels in 10 classes.

    Classes: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck. The original batch files are looked
    for in ``datasets/cifar-10-batches-py`` of ``$NABI_HOME`` (default ``~/.nabi``), then of Keras's cache, also where
    Keras 3.15 puts them; they are pickles and are read without running anything in them.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: x uint8 ``(n, 32, 32, 3)`` from 0 to 255 (``(n, 3, 32, 32)`` when
        ``config.image_data_format()`` is 'channels_first'), y uint8 ``(n, 1)`` from 0 to 9.

    Raises:
        FileNotFoundError: if there is no usable copy and no network.
    """
    names = [_FOLDER, f"cifar-10-batches-py-target/{_FOLDER}"]
    return cached(names, _ORIGIN, _read, _fetch)
