"""How a data set is found: the cache folders, Keras's cache, and only then the network."""

from __future__ import annotations

import gzip
import pickle
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from nabi.utils.files import cache_folders

Bytes = NDArray[np.uint8]
T = TypeVar("T")

# What reading a damaged file may raise.
_DAMAGED = (
    ValueError,
    KeyError,
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
    pickle.PickleError,
)

GOOGLE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def cached(names: Sequence[str], origin: str, read: Callable[[Path], T], fetch: Callable[[Path], Path]) -> T:
    """The data behind the first of `names` that exists in a cache folder and reads well, else what `fetch` brings.

    A file is judged by its content, not by a checksum: a cache may hold a repacked copy. The checksum is for downloads.

    Args:
        names: file or folder names inside a cache folder, in order of preference.
        origin: address of the original, for the message.
        read: gives the data or raises; ValueError for content that is not what it should be.
        fetch: called with the first cache folder, downloads into it and returns the path for `read`.

    Raises:
        FileNotFoundError: when no cache folder has a readable copy and the download fails; names the file, the
            folders looked in, the address and why a copy that is there was refused.
    """
    folders = cache_folders()
    refused = []
    for folder in folders:
        for name in names:
            path = folder / name
            if not path.exists():
                continue
            try:
                return read(path)
            except _DAMAGED as error:
                refused.append(f"{path}: {error}")
                print(
                    f"A local file was found, but it cannot be used, so the data are downloaded again: {path}: {error}"
                )
    try:
        path = fetch(folders[0])
    except OSError as error:
        message = (
            f"{names[0]} is in none of {', '.join(str(folder) for folder in folders)}, and it cannot be downloaded: "
            f"{error}. Without a network, put {origin} (unpacked, if it is an archive) at {folders[0] / names[0]} "
            "(NABI_HOME names another folder)."
        )
        if refused:
            message += f" Refused: {'; '.join(refused)}."
        raise FileNotFoundError(message) from None
    return read(path)


def check(name: str, array: NDArray[Any], shape: tuple[int | None, ...]) -> Bytes:
    """`array` if it is uint8 of that shape (None: any length of at least 1), else ValueError."""
    fits = array.ndim == len(shape) and all(
        d > 0 if want is None else d == want for d, want in zip(array.shape, shape, strict=True)
    )
    if array.dtype != np.uint8 or not fits:
        wanted = tuple("n" if d is None else d for d in shape)
        raise ValueError(
            f"{name} must be uint8 of shape {wanted}, got {array.dtype} of shape {array.shape}".replace("'", "")
        )
    return array


def check_pair(x: Bytes, y: Bytes) -> tuple[Bytes, Bytes]:
    """Images and labels of one split: as many of the one as of the other, labels of ten classes."""
    if len(x) != len(y):
        raise ValueError(f"as many labels as images are required, got {len(y)} and {len(x)}")
    if y.max() > 9:
        raise ValueError(f"labels must be in 0..9, got {y.max()}")
    return x, y


def read_npz(path: Path, names: Sequence[str]) -> list[NDArray[Any]]:
    """The named arrays of an .npz file; pickled ones are refused.

    Raises:
        ValueError: if an array is missing (the message lists those there) or holds Python objects.
    """
    with path.open("rb") as opened:  # opened here, because np.load forgets to close what it cannot read
        if not zipfile.is_zipfile(opened):
            raise ValueError("it is not an .npz file")
        opened.seek(0)
        with np.load(opened, allow_pickle=False) as file:
            missing = [name for name in names if name not in file.files]
            if missing:
                raise ValueError(f"array {missing[0]!r} is missing, the file has {sorted(file.files)}")
            return [file[name] for name in names]


def read_idx(path: Path) -> Bytes:
    """A gzip'd IDX file of unsigned bytes: the bytes 0 0 8 and the rank, big-endian sizes, the data.

    Source of the format: http://yann.lecun.com/exdb/mnist/
    """
    with gzip.open(path, "rb") as file:
        raw = file.read()
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise ValueError("it is not an IDX file of unsigned bytes")
    header = 4 + 4 * raw[3]
    shape = tuple(int(d) for d in np.frombuffer(raw[4:header], ">u4")) if len(raw) >= header else (-1,)
    size = 1
    for d in shape:
        size *= d
    if len(raw) - header != size:
        raise ValueError(f"an IDX file of shape {shape} must hold {size} bytes, got {len(raw) - header}")
    return np.frombuffer(raw, np.uint8, offset=header).reshape(shape).copy()


def _bytes_from_latin1(text: str, encoding: str) -> bytes:
    """Stands for `_codecs.encode`, by which pickle protocols 0 to 2 of Python 3 write bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError(f"Refusing to encode as {encoding}.")
    return text.encode("latin1")


class RestrictedUnpickler(pickle.Unpickler):
    """Unpickles numbers, strings, bytes, lists, dicts and NumPy arrays, and refuses everything else.

    A pickle is a program; one that names any other global (``os.system``, ``builtins.eval``) stops with UnpicklingError
    before anything of it has run. Both spellings of NumPy's module (``numpy.core`` before 2.0) are known.
    """

    _ARRAYS = frozenset({"_reconstruct", "_frombuffer"})

    def find_class(self, module: str, name: str) -> Any:
        """The object that a pickle names, if it is one of the few that arrays and bytes need."""
        if (module, name) == ("_codecs", "encode"):
            return _bytes_from_latin1
        if module == "numpy" and name in ("ndarray", "dtype"):
            return super().find_class(module, name)
        if module.startswith(("numpy.core.", "numpy._core.")) and name in self._ARRAYS:
            return super().find_class(module.replace("numpy.core.", "numpy._core."), name)
        raise pickle.UnpicklingError(
            f"Refusing to deserialize `{module}.{name}`. The file may be corrupted or malicious."
        )


def read_pickle(file: IO[bytes]) -> dict[str, Any]:
    """A pickled dict whose keys are bytes (as Python 2 wrote them) or strings; the keys come back as strings."""
    try:
        content = RestrictedUnpickler(file, encoding="bytes").load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # a damaged pickle is a damaged program: it may stop with any error
        raise ValueError(f"the pickle is damaged: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"the pickle must hold a dict, got {type(content).__name__}")
    return {key.decode() if isinstance(key, bytes) else str(key): value for key, value in content.items()}
