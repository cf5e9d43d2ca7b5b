"""Fashion-MNIST pictures of clothes (Zalando SE, H. Xiao, K. Rasul, R. Vollgraf 2017; MIT licence)."""

from __future__ import annotations

from nabi.datasets.cache import GOOGLE, Bytes, cached, check, check_pair, read_idx
from nabi.utils.files import download

# sha256 of the original files, https://github.com/zalandoresearch/fashion-mnist
_SHA256 = {
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
}

Split = tuple[Bytes, Bytes]


def _array(name: str, shape: tuple[int | None, ...]) -> Bytes:
    """One of the four files, fetched by itself when it is missing."""
    return cached(
        [f"fashion-mnist/{name}"],
        GOOGLE + name,
        lambda path: check(name, read_idx(path), shape),
        lambda folder: download(GOOGLE + name, folder / "fashion-mnist" / name, _SHA256[name]),
    )


def _split(prefix: str) -> Split:
    y = _array(f"{prefix}-labels-idx1-ubyte.gz", (None,))
    return check_pair(_array(f"{prefix}-images-idx3-ubyte.gz", (None, 28, 28)), y)


def load_data() -> tuple[Split, Split]:
    """Load Fashion-MNIST: 60,000 training and 10,000 test images of 28x28 grey pixels in 10 classes.

    Classes: T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot. The four original
    files are looked for in ``datasets/fashion-mnist`` of ``$NABI_HOME`` (default ``~/.nabi``), then of Keras's cache.

    Returns:
        ``(x_train, y_train), (x_test, y_test)``: x uint8 ``(n, 28, 28)`` from 0 to 255, y uint8 ``(n,)`` from 0 to 9.

    Raises:
        FileNotFoundError: if there is no usable copy and no network.
        ValueError: if images and labels differ in number.
    """
    return _split("train"), _split("t10k")
