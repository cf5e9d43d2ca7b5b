"""Files that appear whole or not at all, and the question before one is replaced."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any


def h5py() -> Any:
    """The h5py package, loaded when a file asks for it.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import h5py as package  # type: ignore[import-untyped]
    except ImportError:
        raise ImportError("Weights files need the h5py package: `pip install h5py`.") from None
    return package


def may_write(path: str, overwrite: bool) -> bool:
    """Whether a file may be written here: it does not exist, may be replaced, or the user says so at the terminal.

    Raises:
        FileExistsError: it exists, `overwrite` is False and nobody can be asked.
    """
    if overwrite or not os.path.exists(path):
        return True
    if sys.stdin is None or not sys.stdin.isatty():
        raise FileExistsError(f"The file {path} exists already; pass `overwrite=True` to replace it.")
    while True:
        answer = input(f"[WARNING] {path} already exists - overwrite? [y/n]").strip().lower()
        if answer in ("y", "n"):
            return answer == "y"


@contextlib.contextmanager
def whole_file(path: str) -> Iterator[str]:
    """The name of a temporary file beside `path` that takes its place when the block ends without an error.

    Raises:
        OSError: the folder is missing or cannot be written to, or the path is a folder.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    try:
        handle, temporary = tempfile.mkstemp(
            prefix=f".{os.path.basename(path)}.", dir=os.path.dirname(os.path.abspath(path))
        )
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None  # not the name of a temporary file
    os.close(handle)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp makes files that only the owner may read
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
