"""`nabi demo`: the course's convolutional network, from data to learning curve."""

from __future__ import annotations

import importlib
import pathlib
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

Split = tuple[NDArray[Any], NDArray[Any]]


class Missing(Exception):
    """Something the demo needs is not installed or not there."""


def need(module: str, package: str) -> Any:
    """Imports a module of the `demo` extra; raises Missing with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise Missing(f"needs {package}: pip install 'nabi[demo]'") from error


def load(data: str, seed: int) -> tuple[Split, Split]:
    """Training and test images, float32 in [0, 1] of shape (n, height, width, channels), and their labels."""
    if data == "digits":
        bunch = need("sklearn.datasets", "scikit-learn").load_digits()
        order = np.random.default_rng(seed).permutation(len(bunch.images))
        x, y = bunch.images[order] / 16, bunch.target[order]
        train, test = (x[:-360], y[:-360]), (x[-360:], y[-360:])
    else:
        from nabi import datasets

        try:
            train, test = getattr(datasets, data).load_data()
        except OSError as error:
            raise Missing(str(error)) from error
        train, test = (train[0] / np.float32(255), train[1]), (test[0] / np.float32(255), test[1])
    return tuple((x.reshape(*x.shape[:3], -1).astype("float32"), y.reshape(-1)) for x, y in (train, test))  # type: ignore[return-value]


def build(shape: tuple[int, ...], classes: int) -> Any:
    """The course's network: two convolutions with pooling, two dense layers."""
    from nabi import layers, models

    return models.Sequential(
        [
            layers.Input(shape=shape),
            layers.Conv2D(32, kernel_size=(3, 3), padding="same", activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(64, kernel_size=(3, 3), padding="same", activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(64, activation="relu"),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def draw(history: dict[str, list[float]], title: str, path: pathlib.Path) -> None:
    """The learning curve as a PNG: loss on the left, accuracy on the right."""
    figure_module = need("matplotlib.figure", "matplotlib")
    figure = figure_module.Figure(figsize=(9, 3.6), layout="constrained")
    figure.suptitle(title)
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        epochs = range(1, len(history[name]) + 1)
        axes.plot(epochs, history[name], label="training", marker=".")
        axes.plot(epochs, history[f"val_{name}"], label="validation", marker=".")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def run(data: str = "digits", epochs: int | None = None, output: str = "nabi_demo", seed: int = 0) -> float:
    """Trains, evaluates and writes `learning_curve.png` and `demo.weights.h5` to `output`; returns the test accuracy.

    Raises:
        Missing: a package of the `demo` extra or the data set is not there.
    """
    from nabi import utils

    need("matplotlib", "matplotlib")  # before the work, not after it
    need("h5py", "h5py")
    utils.set_random_seed(seed)
    (x_train, y_train), (x_test, y_test) = load(data, seed)
    if epochs is None:
        epochs = 20 if data == "digits" else 3
    model = build(x_train.shape[1:], int(y_train.max()) + 1)
    model.summary()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    start = time.perf_counter()
    history = model.fit(
        x_train, y_train, batch_size=32 if data == "digits" else 128, epochs=epochs, validation_split=0.1
    )
    seconds = time.perf_counter() - start
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)

    folder = pathlib.Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    draw(history.history, f"{data}: test accuracy {accuracy:.4f}", folder / "learning_curve.png")
    model.save_weights(folder / "demo.weights.h5")
    print(f"\nTest accuracy: {accuracy:.4f} on {len(x_test)} images, trained in {seconds:.1f} s")
    print(f"Learning curve: {folder / 'learning_curve.png'}")
    print(f"Weights: {folder / 'demo.weights.h5'}")
    return float(accuracy)
