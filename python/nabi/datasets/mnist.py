"""MNIST handwritten digits (Y. LeCun, C. Cortes, C. Burges; CC BY-SA 3.0)."""

from __future__ import annotations

import os
from pathlib import Path

from nabi.datasets.cache import GOOGLE, Bytes, cached, check, check_pair, read_npz
from nabi.utils.files import download

_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"

Split = tuple[Bytes, Bytes]


def _read(path: Path) -> tuple[Split, Split]:
    x_train, y_train, x_test, y_test = read_npz(path, ("x_train", "y_train", "x_test", "y_test"))
    train = check_pair(check("x_train", x_train, (None, 28, 28)), check("y_train", y_train, (None,)))
    test = check_pair(check("x_test", x_test, (None, 28, 28)), check("y_test", y_test, (None,)))
    return train, test


def load_data(path: str = "mnist.npz") -> tuple[Split, Split]:
    """Load MNIST: 60,000 training and 10,000 test images of 28x28 grey pixels in 10 classes.

    Args:
        path: name of the .npz file inside the cache folder (``$NABI_HOME/datasets``, default ``~/.nabi/datasets``; then
            Keras's). A copy found there may hold fewer rows; it is fetched once when there is none.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: x uint8 ``(n, 28, 28)`` from 0 to 255, y uint8 ``(n,)`` from 0 to 9.

    Raises:
        ValueError: if `path` has folders in it.
        FileNotFoundError: if there is no usable copy and no network.
    """
    if os.sep in path:
        raise ValueError(
            "Paths are no longer accepted as the `fname` argument. To specify the file's parent directory, use the "
            f"`cache_dir` argument. Received: fname={path}"
        )
    origin = GOOGLE + "mnist.npz"
    return cached([path], origin, _read, lambda folder: download(origin, folder / path, _SHA256))
