"""Data sets: caches, damaged and hostile files, downloads, and (where it is there) the real data."""

import gzip
import hashlib
import http.server
import io
import os
import pathlib
import pickle
import subprocess
import sys
import tarfile
import threading
import urllib.request
import zipfile

import numpy as np
import pytest

from nabi import config
from nabi.datasets import cache, cifar10, fashion_mnist, mnist
from nabi.utils import files

RNG = np.random.default_rng(0)
DATA = pathlib.Path(__file__).resolve().parents[1] / ".." / "shared" / "data"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Empty cache folders and no network."""
    monkeypatch.setenv("NABI_HOME", str(tmp_path / "nabi"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))

    def offline(*args, **kwargs):
        raise urllib.error.URLError("no network in this test")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    return tmp_path


def images(n, *shape):
    return RNG.integers(0, 256, (n, *shape), dtype=np.uint8)


def labels(n):
    return RNG.integers(0, 10, n, dtype=np.uint8)


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def mnist_arrays(n=7, m=3):
    return {"x_train": images(n, 28, 28), "y_train": labels(n), "x_test": images(m, 28, 28), "y_test": labels(m)}


def idx(array):
    header = b"\0\0\x08" + bytes([array.ndim]) + b"".join(d.to_bytes(4, "big") for d in array.shape)
    return gzip.compress(header + array.tobytes())


def put_fashion(folder, n=6, m=2):
    arrays = {"train-images-idx3": images(n, 28, 28), "train-labels-idx1": labels(n)}
    arrays |= {"t10k-images-idx3": images(m, 28, 28), "t10k-labels-idx1": labels(m)}
    for name, array in arrays.items():
        put(folder / "fashion-mnist" / f"{name}-ubyte.gz", idx(array))
    return arrays


def cifar_files(rows=4, protocol=4):
    batches = {}
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        batches[name] = {b"data": images(rows, 3072), b"labels": [int(y) for y in labels(rows)], b"batch_label": b"x"}
    content = {name: pickle.dumps(batch, protocol=protocol) for name, batch in batches.items()}
    content["batches.meta"] = pickle.dumps({b"label_names": [b"airplane"]}, protocol=protocol)
    return batches, content


def put_cifar(folder, **kwargs):
    batches, content = cifar_files(**kwargs)
    for name, data in content.items():
        put(folder / name, data)
    return batches


class Evil:
    """Unpickling this runs a command, if anyone lets it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


# MNIST


@pytest.mark.parametrize("folder", ["nabi", "keras"])
def test_mnist_is_read_from_both_caches(home, folder):
    arrays = mnist_arrays()
    put(home / folder / "datasets" / "mnist.npz", npz(**arrays))
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    for name, got in {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}.items():
        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, arrays[name])


def test_nabi_home_comes_before_keras_home(home):
    first = mnist_arrays()
    put(home / "nabi" / "datasets" / "mnist.npz", npz(**first))
    put(home / "keras" / "datasets" / "mnist.npz", npz(**mnist_arrays(5)))
    np.testing.assert_array_equal(mnist.load_data()[0][0], first["x_train"])


def test_mnist_under_another_name(home):
    put(home / "nabi" / "datasets" / "small.npz", npz(**mnist_arrays()))
    assert mnist.load_data("small.npz")[0][0].shape == (7, 28, 28)


def test_mnist_refuses_a_path():
    with pytest.raises(ValueError, match="Paths are no longer accepted as the `fname` argument"):
        mnist.load_data("/tmp/mnist.npz")


def test_absent_and_offline_names_file_folders_and_address(home):
    with pytest.raises(FileNotFoundError) as error:
        mnist.load_data()
    message = str(error.value)
    for part in ("mnist.npz", str(home / "nabi" / "datasets"), str(home / "keras" / "datasets"), "no network"):
        assert part in message
    assert "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz" in message
    assert "Refused" not in message
    assert not list((home / "nabi").rglob("*.part*"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x_train": None}, "array 'x_train' is missing, the file has"),
        (
            {"x_train": images(7, 28, 27)},
            r"must be uint8 of shape \(n, 28, 28\), got uint8 of shape \(7, 28, 27\)",
        ),
        ({"x_test": np.zeros((3, 28, 28))}, "x_test must be uint8 .* got float64"),
        ({"y_train": labels(6)}, "as many labels as images are required, got 6 and 7"),
        ({"y_test": np.full(3, 11, np.uint8)}, r"labels must be in 0\.\.9, got 11"),
        ({"x_test": images(0, 28, 28)}, "x_test must be uint8"),
        ({"y_train": np.array([1, None] * 3 + [2], dtype=object)}, "Object arrays cannot be loaded"),
    ],
)
def test_mnist_with_wrong_content_is_refused(home, capsys, change, reason):
    arrays = {**mnist_arrays(), **change}
    path = put(home / "nabi" / "datasets" / "mnist.npz", npz(**{k: v for k, v in arrays.items() if v is not None}))
    with pytest.raises(FileNotFoundError, match=f"Refused: .*{reason}"):
        mnist.load_data()
    assert f"cannot be used, so the data are downloaded again: {path}" in capsys.readouterr().out
    assert path.exists()


@pytest.mark.parametrize("content", [b"", b"text", npz()[:-3]])
def test_mnist_that_is_no_npz_is_refused(home, content):
    put(home / "nabi" / "datasets" / "mnist.npz", content)
    with pytest.raises(FileNotFoundError, match="Refused: .*it is not an .npz file"):
        mnist.load_data()


def test_a_damaged_copy_does_not_hide_a_good_one(home):
    put(home / "nabi" / "datasets" / "mnist.npz", npz(**mnist_arrays())[:500])
    good = mnist_arrays()
    put(home / "keras" / "datasets" / "mnist.npz", npz(**good))
    np.testing.assert_array_equal(mnist.load_data()[1][0], good["x_test"])


# Fashion-MNIST


def test_fashion_mnist(home):
    arrays = put_fashion(home / "nabi" / "datasets")
    (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()
    np.testing.assert_array_equal(x_train, arrays["train-images-idx3"])
    np.testing.assert_array_equal(y_train, arrays["train-labels-idx1"])
    np.testing.assert_array_equal(x_test, arrays["t10k-images-idx3"])
    np.testing.assert_array_equal(y_test, arrays["t10k-labels-idx1"])
    assert x_train.flags.writeable


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not gzip", "Not a gzipped file"),
        (gzip.compress(b"\0\0\x09\x03"), "not an IDX file of unsigned bytes"),
        (gzip.compress(b"\0\0\x08\x03\0\0\0\x01"), "an IDX file of shape"),
        (idx(images(6, 28, 28))[:-20], "Compressed file ended"),
        (gzip.compress(gzip.decompress(idx(images(6, 28, 28)))[:-1]), "must hold 4704 bytes, got 4703"),
        (idx(images(6, 27, 28)), r"must be uint8 of shape \(n, 28, 28\)"),
    ],
)
def test_damaged_fashion_mnist_is_refused(home, content, reason):
    put_fashion(home / "nabi" / "datasets")
    put(home / "nabi" / "datasets" / "fashion-mnist" / "train-images-idx3-ubyte.gz", content)
    with pytest.raises(FileNotFoundError, match=f"train-images-idx3-ubyte.gz.*Refused: .*{reason}"):
        fashion_mnist.load_data()


# CIFAR-10


@pytest.mark.parametrize("place", ["cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py"])
@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_cifar10(home, place, protocol):
    batches = put_cifar(home / "keras" / "datasets" / place, protocol=protocol)
    (x_train, y_train), (x_test, y_test) = cifar10.load_data()
    assert (x_train.shape, y_train.shape, x_test.shape, y_test.shape) == (
        (20, 32, 32, 3),
        (20, 1),
        (4, 32, 32, 3),
        (4, 1),
    )
    assert {a.dtype for a in (x_train, y_train, x_test, y_test)} == {np.dtype("uint8")}
    assert x_train.flags.c_contiguous
    rows = np.concatenate([batches[f"data_batch_{i}"][b"data"] for i in range(1, 6)])
    np.testing.assert_array_equal(x_train, rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    assert y_train[:, 0].tolist() == sum((batches[f"data_batch_{i}"][b"labels"] for i in range(1, 6)), [])
    assert y_test[:, 0].tolist() == batches["test_batch"][b"labels"]


def test_cifar10_channels_first(home):
    batches = put_cifar(home / "nabi" / "datasets" / "cifar-10-batches-py")
    config.set_image_data_format("channels_first")
    try:
        x_test = cifar10.load_data()[1][0]
    finally:
        config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(x_test, batches["test_batch"][b"data"].reshape(-1, 3, 32, 32))


# What Python 2 wrote into the original files: protocol 2, str keys, NumPy 1 module names.
PYTHON2 = (
    b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04K\x00\x85U\x01b\x87Rq\x05"
    b"(K\x01K\x01M\x00\x0c\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
    b"K\x00tb\x89T\x00\x0c\x00\x00" + bytes(range(256)) * 12 + b"tbU\x06labelsq\x08]q\tK\x07au."
)


def test_cifar10_as_python_2_wrote_it(home):
    folder = home / "nabi" / "datasets" / "cifar-10-batches-py"
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        put(folder / name, PYTHON2)
    (x_train, y_train), _ = cifar10.load_data()
    assert x_train.shape == (5, 32, 32, 3)
    assert x_train[0, 0, :3, 0].tolist() == [0, 1, 2]
    assert y_train.tolist() == [[7]] * 5


def with_batch(home, content):
    folder = home / "nabi" / "datasets" / "cifar-10-batches-py"
    put_cifar(folder)
    put(folder / "data_batch_3", content)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({b"data": images(2, 3072)}, "data_batch_3: 'labels' is missing, the file has"),
        ({b"labels": [1]}, "data_batch_3: 'data' is missing"),
        ({b"data": images(2, 3071), b"labels": [1, 2]}, r"data of data_batch_3 must be uint8 of shape \(n, 3072\)"),
        ({b"data": images(2, 3072), b"labels": [1]}, "as many labels as images are required, got 1 and 2"),
        ({b"data": images(1, 3072), b"labels": [10]}, "labels must be a list of integers from 0 to 9"),
        ({b"data": images(1, 3072), b"labels": "a"}, "labels must be a list of integers from 0 to 9"),
        ([1, 2], "the pickle must hold a dict, got list"),
        (b"", "the pickle is damaged"),
        (b"\x80\x04\x95", "damaged|truncated"),
        (b"\x80\x04}K\x01K\x02R.", "damaged"),
    ],
)
def test_damaged_cifar10_is_refused(home, content, reason):
    with_batch(home, content if isinstance(content, bytes) else pickle.dumps(content))
    with pytest.raises(FileNotFoundError, match=f"cifar-10-batches-py is in none of .*Refused: .*({reason})"):
        cifar10.load_data()


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_hostile_pickle_runs_nothing(home, protocol):
    mark = home / "owned"
    with_batch(home, pickle.dumps({b"data": Evil(mark), b"labels": []}, protocol=protocol))
    with pytest.raises(FileNotFoundError, match="Refused: .*Refusing to deserialize `(posix|nt)\\.system`"):
        cifar10.load_data()
    assert not mark.exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cnumpy.core.multiarray\nscalar\n.",
        b"cnumpy.core.numeric._frombuffer\n__globals__\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x11ndarray.__class__\x93.",
        b"cnumpyx\nndarray\n.",
    ],
)
def test_the_unpickler_refuses_other_globals(pickled):
    with pytest.raises(pickle.UnpicklingError, match="Refusing to deserialize"):
        cache.read_pickle(io.BytesIO(pickled))


def test_the_unpickler_encodes_only_latin1():
    with pytest.raises(pickle.UnpicklingError, match="Refusing to encode as rot13"):
        cache.read_pickle(io.BytesIO(b"c_codecs\nencode\n(Va\nVrot13\ntR."))


# Downloads


class Server:
    """Serves bytes by path on a local port; `length` overrides the Content-Length of one."""

    def __init__(self, monkeypatch):
        self.content = {}
        self.length = {}
        self.asked = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                body = outer.content.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(outer.length.get(self.path, len(body))))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def server(home, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("NABI_HOME", str(home / "nabi"))
    monkeypatch.setenv("KERAS_HOME", str(home / "keras"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server(monkeypatch)
    yield server
    server.close()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def test_download(server, home, capsys):
    body = bytes(range(256)) * 5000
    server.content["/a.bin"] = body
    path = files.download(f"{server.address}/a.bin", home / "x" / "a.bin", sha256(body))
    assert path.read_bytes() == body
    out = capsys.readouterr().out
    assert f"Downloading data from {server.address}/a.bin" in out
    assert "1280000/1280000" in out
    assert [p.name for p in (home / "x").iterdir()] == ["a.bin"]


def test_download_with_a_wrong_hash_leaves_nothing(server, home):
    server.content["/a.bin"] = b"abc"
    with pytest.raises(ValueError, match="Incomplete or corrupted file detected. The sha256 file hash"):
        files.download(f"{server.address}/a.bin", home / "a.bin", sha256(b"abd"))
    assert not list(home.glob("a.bin*"))


def test_download_of_a_missing_address(server, home):
    with pytest.raises(OSError, match=r"URL fetch failure on http.*/b: 404 -- Not Found"):
        files.download(f"{server.address}/b", home / "b")
    assert not list(home.glob("b*"))


def test_download_that_ends_early_keeps_the_old_file(server, home):
    server.content["/c"] = b"12345"
    server.length["/c"] = 9
    put(home / "c", b"old")
    with pytest.raises(OSError, match="5 of 9 bytes came"):
        files.download(f"{server.address}/c", home / "c")
    assert (home / "c").read_bytes() == b"old"
    assert not list(home.glob("c.part*"))


def test_an_interrupted_download_leaves_nothing(server, home, monkeypatch):
    server.content["/d"] = b"12345"

    class Stopped(files.Progbar):
        def update(self, *args, **kwargs):
            raise KeyboardInterrupt

    monkeypatch.setattr(files, "Progbar", Stopped)
    with pytest.raises(KeyboardInterrupt):
        files.download(f"{server.address}/d", home / "d")
    assert not list(home.glob("d*"))


def test_mnist_is_downloaded_once(server, home, monkeypatch):
    body = npz(**mnist_arrays())
    server.content["/mnist.npz"] = body
    monkeypatch.setattr(mnist, "GOOGLE", server.address + "/")
    monkeypatch.setattr(mnist, "_SHA256", sha256(body))
    first = mnist.load_data()
    second = mnist.load_data()
    np.testing.assert_array_equal(first[0][0], second[0][0])
    assert server.asked == ["/mnist.npz"]
    assert (home / "nabi" / "datasets" / "mnist.npz").read_bytes() == body


def test_a_download_with_another_hash_is_an_error(server, monkeypatch):
    server.content["/mnist.npz"] = npz(**mnist_arrays())
    monkeypatch.setattr(mnist, "GOOGLE", server.address + "/")
    with pytest.raises(ValueError, match="does not match the provided value"):
        mnist.load_data()


def test_only_the_missing_part_of_fashion_mnist_is_downloaded(server, home, monkeypatch):
    arrays = put_fashion(home / "nabi" / "datasets")
    missing = home / "nabi" / "datasets" / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz"
    body = missing.read_bytes()
    missing.unlink()
    server.content["/t10k-labels-idx1-ubyte.gz"] = body
    monkeypatch.setattr(fashion_mnist, "GOOGLE", server.address + "/")
    monkeypatch.setattr(fashion_mnist, "_SHA256", {missing.name: sha256(body)})
    np.testing.assert_array_equal(fashion_mnist.load_data()[1][1], arrays["t10k-labels-idx1"])
    assert server.asked == ["/t10k-labels-idx1-ubyte.gz"]


def cifar_archive(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def test_cifar10_is_downloaded_and_unpacked(server, home, monkeypatch):
    batches, content = cifar_files()
    body = cifar_archive({**content, "readme.html": b"<html>", "../../escaped": b"x"})
    server.content["/cifar.tar.gz"] = body
    monkeypatch.setattr(cifar10, "_ORIGIN", server.address + "/cifar.tar.gz")
    monkeypatch.setattr(cifar10, "_SHA256", sha256(body))
    damaged = home / "nabi" / "datasets" / "cifar-10-batches-py"
    put(damaged / "data_batch_1", b"half")
    _, (_, y_test) = cifar10.load_data()
    assert y_test[:, 0].tolist() == batches["test_batch"][b"labels"]
    assert sorted(p.name for p in damaged.iterdir()) == sorted(content)
    assert [p.name for p in damaged.parent.iterdir()] == ["cifar-10-batches-py"]
    assert not list(home.rglob("escaped"))
    cifar10.load_data()
    assert server.asked == ["/cifar.tar.gz"]


# get_file


def test_get_file(server, home):
    server.content["/e.txt"] = b"hello"
    path = files.get_file("e.txt", f"{server.address}/e.txt", file_hash=sha256(b"hello"))
    assert path == str(home / "nabi" / "datasets" / "e.txt")
    assert files.get_file(origin=f"{server.address}/e.txt") == path
    assert files.get_file("e.txt", f"{server.address}/e.txt", md5_hash=hashlib.md5(b"hello").hexdigest()) == path
    assert server.asked == ["/e.txt"]
    files.get_file("e.txt", f"{server.address}/e.txt", force_download=True)
    assert len(server.asked) == 2
    other = files.get_file("e.txt", f"{server.address}/e.txt", cache_dir=home / "other", cache_subdir="sub")
    assert other == str(home / "other" / "sub" / "e.txt")


def test_get_file_replaces_an_outdated_copy(server, home, capsys):
    put(home / "nabi" / "datasets" / "e.txt", b"old")
    server.content["/e.txt"] = b"hello"
    path = files.get_file("e.txt", f"{server.address}/e.txt", file_hash=sha256(b"hello"))
    assert pathlib.Path(path).read_bytes() == b"hello"
    assert "A local file was found, but it seems to be incomplete or outdated" in capsys.readouterr().out


def test_get_file_takes_a_copy_of_keras(home):
    put(home / "keras" / "datasets" / "f.txt", b"there")
    assert files.get_file("f.txt", "http://nowhere.invalid/f.txt") == str(home / "keras" / "datasets" / "f.txt")


@pytest.mark.parametrize(("name", "folder"), [("g.zip", "g_extracted"), ("g", "g"), (None, "g.zip")])
def test_get_file_unpacks(server, home, name, folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("in/h.txt", "inside")
    server.content["/g.zip"] = buffer.getvalue()
    path = files.get_file(name, f"{server.address}/g.zip", extract=True)
    assert path == str(home / "nabi" / "datasets" / folder)
    assert (pathlib.Path(path) / "in" / "h.txt").read_text() == "inside"


def test_get_file_untar_and_refusals(server, home):
    server.content["/t.tar.gz"] = cifar_archive({"a": b"1"})
    path = files.get_file("t", f"{server.address}/t.tar.gz", untar=True)
    assert (pathlib.Path(path) / "cifar-10-batches-py" / "a").read_bytes() == b"1"
    server.content["/evil.tar.gz"] = cifar_archive({"../../../escaped": b"1"})
    with pytest.raises(ValueError, match="Refusing to unpack"):
        files.get_file("evil", f"{server.address}/evil.tar.gz", extract=True)
    assert not list(home.rglob("escaped"))
    assert not (home / "nabi" / "datasets" / "evil").exists()
    server.content["/plain"] = b"text"
    with pytest.raises(ValueError, match="Could not extract archive"):
        files.get_file("plain", f"{server.address}/plain", extract=True)


def test_get_file_errors():
    with pytest.raises(ValueError, match='Please specify the "origin" argument'):
        files.get_file("a")
    with pytest.raises(ValueError, match="Can't parse the file name from the origin provided: 'http://x/'"):
        files.get_file(origin="http://x/")
    with pytest.raises(ValueError, match="Paths are no longer accepted"):
        files.get_file("a/b", "http://x/b")
    with pytest.raises(ValueError, match="Argument `hash_algorithm` must be"):
        files.matches_hash(pathlib.Path(__file__), "00", "crc")
    with pytest.raises(ValueError, match="Argument `archive_format` must be"):
        files.extract_archive(pathlib.Path(__file__), pathlib.Path("x"), "rar")
    assert files.extract_archive(pathlib.Path(__file__), pathlib.Path("x"), None) is False


def test_homes(monkeypatch):
    monkeypatch.delenv("NABI_HOME")
    monkeypatch.delenv("KERAS_HOME")
    assert files.nabi_home() == pathlib.Path.home() / ".nabi"
    assert files.keras_home() == pathlib.Path.home() / ".keras"


# The real data, where they lie beside the repository


@pytest.fixture(scope="session")
def real_home(tmp_path_factory):
    ready = os.environ.get("NABI_TEST_DATA")
    if ready:
        return pathlib.Path(ready)
    if not (DATA / "prepare").is_file():
        pytest.skip(f"the real data sets are not at {DATA}")
    home = tmp_path_factory.mktemp("real")
    subprocess.run([sys.executable, str(DATA / "prepare"), str(home / "datasets")], check=True, capture_output=True)
    return home


@pytest.mark.slow
def test_real_data(real_home, monkeypatch):
    monkeypatch.setenv("NABI_HOME", str(real_home))
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    assert (x_train.shape, y_train.shape, x_test.shape, y_test.shape) == (
        (60000, 28, 28),
        (60000,),
        (10000, 28, 28),
        (10000,),
    )
    assert y_train[:5].tolist() == [5, 0, 4, 1, 9]
    (x_train, y_train), (x_test, _) = fashion_mnist.load_data()
    assert (x_train.shape, x_test.shape) == ((60000, 28, 28), (10000, 28, 28))
    assert np.bincount(y_train).tolist() == [6000] * 10
    (x_train, y_train), (x_test, y_test) = cifar10.load_data()
    assert (x_train.shape, x_test.shape, y_test.shape) == ((50000, 32, 32, 3), (10000, 32, 32, 3), (10000, 1))
    assert np.bincount(y_train[:, 0]).tolist() == [5000] * 10
    np.testing.assert_allclose(x_train.mean((0, 1, 2)), [125.30691805, 122.95039414, 113.86538318], atol=1e-6)
