"""The pictures that the examples learn from, cut to size."""

from __future__ import annotations

import numpy as np

from nabi import datasets

Arrays = tuple[np.ndarray, np.ndarray]


def load(name: str, samples: int) -> tuple[Arrays, Arrays]:
    """Pictures of ten classes, shuffled: five parts for training, one for testing.

    Args:
        name: "mnist", "fashion_mnist" or "cifar10"; or "digits", scikit-learn's 8x8 digits, which also stand in for a
            data set that is neither cached nor to be had from the network.
        samples: how many to train on, at most.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: x float32 (n, height, width, channels) from 0 to 1, y int32 (n,).
    """
    try:
        if name == "digits":
            raise FileNotFoundError("the digits are asked for")
        (x, y), _ = getattr(datasets, name).load_data()
        x = x / np.float32(255)
    except FileNotFoundError as error:
        from sklearn.datasets import load_digits

        print(f"scikit-learn's digits: {error}")
        x, y = load_digits(return_X_y=True)
        x = x.reshape(-1, 8, 8) / 16
    order = np.random.default_rng(0).permutation(len(x))
    tests = min(samples // 5, len(x) // 6)
    chosen = order[: min(samples + tests, len(x))]
    x = x[chosen].reshape(len(chosen), *x.shape[1:3], -1).astype("float32")
    y = y[chosen].reshape(-1).astype("int32")
    return (x[tests:], y[tests:]), (x[:tests], y[:tests])


def show(*pictures: np.ndarray) -> None:
    """Prints grey pictures (height, width) from 0 to 1 side by side, two rows of pixels in a line of text."""
    halves = [p[: len(p) // 2 * 2].reshape(-1, 2, p.shape[1]).mean(1).clip(0, 1) for p in pictures]
    for rows in zip(*halves, strict=True):
        print("   ".join("".join(" .:+#"[min(4, int(v * 5))] for v in row) for row in rows))
