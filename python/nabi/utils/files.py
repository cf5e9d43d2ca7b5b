"""Files that are fetched once and kept: cache folders, downloads, archives."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nabi.utils.progbar import Progbar

_CHUNK = 1 << 18  # bytes read at a time
_TIMEOUT = 30.0  # seconds without an answer


def nabi_home() -> Path:
    """The folder that Nabi keeps files in: ``$NABI_HOME``, else ``~/.nabi``. It need not exist."""
    return Path(os.environ.get("NABI_HOME") or Path.home() / ".nabi")


def keras_home() -> Path:
    """The folder that Keras keeps files in: ``$KERAS_HOME``, else ``~/.keras``. Nabi only reads there."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def cache_folders(subdir: str = "datasets") -> list[Path]:
    """The folders searched for a cached file, in order; a download goes into the first."""
    return [nabi_home() / subdir, keras_home() / subdir]


def _hasher(algorithm: str, file_hash: str) -> Any:
    import hashlib

    if algorithm == "sha256" or (algorithm == "auto" and len(file_hash) == 64):
        return hashlib.sha256()
    if algorithm in ("md5", "auto"):
        return hashlib.md5(usedforsecurity=False)
    raise ValueError(f"Argument `hash_algorithm` must be 'auto', 'md5' or 'sha256'. Received: {algorithm}")


def matches_hash(path: Path, file_hash: str, algorithm: str = "auto") -> bool:
    """Whether the content of `path` has the hash `file_hash` (hex; 'auto' takes 64 digits for sha256, else md5)."""
    hasher = _hasher(algorithm, file_hash)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return bool(hasher.hexdigest() == file_hash.lower())


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that takes its place when the block ends, and is removed if the block raises.

    The block may make a file or a folder there. Nobody ever sees half of `target`, and two processes that fetch the
    same thing do not write into each other's file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part{os.getpid()}")
    _remove(part)
    try:
        yield part
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)  # os.replace puts a folder only over an empty one
        os.replace(part, target)
    finally:
        _remove(part)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def download(origin: str, target: Path, file_hash: str | None = None, algorithm: str = "auto") -> Path:
    """Fetch `origin` into `target` with a progress bar; the file appears only when it is whole and its hash is right.

    Raises:
        OSError: if the address does not answer or the answer ends early.
        ValueError: if the hash differs.
    """
    import urllib.error
    import urllib.request  # late: it costs more than the rest of `nabi.utils`, and few programs download

    hasher = _hasher(algorithm, file_hash) if file_hash else None
    with replacing(target) as part:
        print(f"Downloading data from {origin}")
        try:
            with urllib.request.urlopen(origin, timeout=_TIMEOUT) as answer, part.open("wb") as file:
                length = answer.headers.get("Content-Length")
                total = int(length) if length else None
                progress = Progbar(total)
                size = 0
                while chunk := answer.read(_CHUNK):
                    file.write(chunk)
                    size += len(chunk)
                    if hasher is not None:
                        hasher.update(chunk)
                    progress.update(size)
        except urllib.error.HTTPError as error:
            raise OSError(f"URL fetch failure on {origin}: {error.code} -- {error.msg}") from None
        except urllib.error.URLError as error:
            raise OSError(f"URL fetch failure on {origin}: {error.reason}") from None
        if total is not None and size != total:
            raise OSError(f"URL fetch failure on {origin}: {size} of {total} bytes came")
        if hasher is not None and file_hash is not None and hasher.hexdigest() != file_hash.lower():
            raise ValueError(
                f"Incomplete or corrupted file detected. The {hasher.name} file hash of {origin} does not match the "
                f"provided value of {file_hash}."
            )
    return target


def extract_archive(path: Path, folder: Path, archive_format: str | Sequence[str] | None = "auto") -> bool:
    """Unpack a tar or zip archive into `folder`, which appears only when the whole archive is unpacked.

    Members that would land outside the folder are refused (tar: the standard library's 'data' filter).

    Args:
        archive_format: 'auto' (both), 'tar', 'zip', a list of them, or None (unpack nothing).

    Returns:
        True if the file was an archive of the wanted kind.

    Raises:
        ValueError: for another format, or a member outside the folder.
    """
    import tarfile
    import zipfile

    if archive_format is None:
        return False
    formats = ["tar", "zip"] if archive_format == "auto" else archive_format
    for kind in [formats] if isinstance(formats, str) else formats:
        if kind not in ("tar", "zip"):
            raise ValueError(f"Argument `archive_format` must be 'auto', 'tar', 'zip' or None. Received: {kind}")
        if kind == "tar" and tarfile.is_tarfile(path):
            with tarfile.open(path) as tar, replacing(folder) as part:
                try:
                    tar.extractall(part, filter="data")
                except tarfile.FilterError as error:
                    raise ValueError(f"Refusing to unpack {path}: {error}") from None
            return True
        if kind == "zip" and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, replacing(folder) as part:
                archive.extractall(part)  # drops '..' and leading slashes itself
            return True
    return False


def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Sequence[str] | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """Keras's ``utils.get_file``: the path of a file, fetched from `origin` unless the cache has it.

    The cache is ``$NABI_HOME`` (default ``~/.nabi``); a copy in Keras's own cache is used as well. With `extract` (or
    `untar`) the archive is unpacked beside it and the folder's path is returned, named as Keras names it.

    Raises:
        ValueError: without `origin`, with a path for `fname`, or if the hash of a download differs.
        OSError: if the address does not answer.
    """
    from urllib.parse import urlsplit

    if origin is None:
        raise ValueError('Please specify the "origin" argument (URL of the file to download).')
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    name = os.fspath(fname) if fname else os.path.basename(urlsplit(origin).path)
    if not name:
        raise ValueError(
            f"Can't parse the file name from the origin provided: '{origin}'. Please specify the `fname` argument."
        )
    if os.sep in name:
        raise ValueError(
            "Paths are no longer accepted as the `fname` argument. To specify the file's parent directory, use the "
            f"`cache_dir` argument. Received: fname={name}"
        )
    unpack = extract or untar
    target_name, unpacked_name = name, None
    if unpack:
        stem = name.split(".", 1)[0]
        if fname and "." in name:
            unpacked_name = f"{stem}_extracted"
        else:
            target_name, unpacked_name = f"{name}_archive", name

    folders = cache_folders(cache_subdir) if cache_dir is None else [Path(cache_dir).expanduser() / cache_subdir]
    target = folders[0] / target_name
    found = None
    for path in (folder / target_name for folder in folders):
        if force_download or not path.is_file():
            continue
        if file_hash is None or matches_hash(path, file_hash, hash_algorithm):
            found = path
            break
        print(
            "A local file was found, but it seems to be incomplete or outdated because its hash does not match the "
            f"original value of {file_hash} so we will re-download the data: {path}"
        )
    if found is None:
        found = download(origin, target, file_hash, hash_algorithm)
    if unpacked_name is None:
        return str(found)
    folder = folders[0] / unpacked_name
    if not extract_archive(found, folder, "tar" if untar else archive_format):
        raise ValueError(f"Could not extract archive: {found} is neither a tar nor a zip file.")
    return str(folder)
