"""The course's models on real data. The data come from the cache that load_data() reads; absent, the tests say so."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import nabi
from nabi import _core, layers


def data(name: str):
    """A data set from the local cache; never from the network."""
    module = importlib.import_module(f"nabi.datasets.{name}")
    folders = importlib.import_module("nabi.utils.files").cache_folders()
    file = {"mnist": "mnist.npz", "fashion_mnist": "fashion-mnist"}[name]
    if not any((folder / file).exists() for folder in folders):
        pytest.skip(f"{file} is in none of {', '.join(map(str, folders))}: `nabi demo --data {name}` downloads it")
    return module.load_data()


def course_cnn():
    return nabi.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, kernel_size=(3, 3), strides=1, padding="same", activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Conv2D(64, (3, 3), strides=1, padding="same", activation="relu"),
            layers.MaxPooling2D(pool_size=(2, 2)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def test_course_cnn_learns_fashion_mnist():
    (x, y), (x_test, y_test) = data("fashion_mnist")
    nabi.utils.set_random_seed(1)
    model = course_cnn()
    assert model.count_params() == 220_234
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    scale = np.float32(255)
    model.fit(x[..., None] / scale, y, batch_size=128, epochs=1, verbose=0)
    _, accuracy = model.evaluate(x_test[..., None] / scale, y_test, verbose=0)
    assert accuracy >= 0.83


def test_course_mlp_learns_mnist():
    (x, y), (x_test, y_test) = data("mnist")
    nabi.utils.set_random_seed(1)
    model = nabi.Sequential(
        [
            layers.Input((28, 28)),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(512, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    assert model.count_params() == 669_706
    model.compile("rmsprop", "categorical_crossentropy", metrics=["accuracy"])
    scale = np.float32(255)
    model.fit(x / scale, nabi.utils.to_categorical(y), batch_size=128, epochs=2, verbose=0)
    _, accuracy = model.evaluate(x_test / scale, nabi.utils.to_categorical(y_test), verbose=0)
    assert accuracy >= 0.96


def blobs():
    make_blobs = pytest.importorskip("sklearn.datasets").make_blobs
    x, y = make_blobs(n_samples=1000, centers=3, n_features=2, cluster_std=2, random_state=2)
    y = nabi.utils.to_categorical(y)
    model = nabi.Sequential()
    model.add(layers.Input((2,)))
    model.add(layers.Dense(25, activation="relu"))
    model.add(layers.Dense(3, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model, (x[:800], y[:800]), (x[800:], y[800:])


def test_blobs_of_the_course():
    nabi.utils.set_random_seed(1)
    model, train, test = blobs()
    assert model.count_params() == 153
    model.fit(*train, validation_data=test, epochs=2, verbose=0)  # traces
    before = _core.entries()
    history = model.fit(*train, validation_data=test, epochs=1000, verbose=0)
    assert _core.entries() - before <= 3 * 1000
    assert len(history.history["val_accuracy"]) == 1000
    for split in (train, test):
        assert 0.80 <= model.evaluate(*split, verbose=0)[1] <= 0.90


def test_no_step_stands_alone_for_bias_or_relu(capfd, monkeypatch):
    """NABI_DEBUG=steps on the course CNN: each layer one step per direction."""
    monkeypatch.setenv("NABI_DEBUG", "steps")
    model = course_cnn()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.train_on_batch(np.zeros((4, 28, 28, 1), "float32"), np.zeros(4, "int32"))
    listing = [line for line in capfd.readouterr().err.splitlines() if line.startswith("step ")]
    names = [line.split(": ", 1)[1].split(",")[0] for line in listing]
    assert names.count("conv2d") == 2
    assert names.count("conv2d_grad_filter") == 2
    assert names.count("conv2d_grad_input") == 1  # the first layer's input needs no gradient
    assert names.count("max_pool2d") == names.count("max_pool2d_grad") == 2
    assert names.count("matmul") == 2 + 2 + 2
    assert names.count("sparse_softmax_cross_entropy") == names.count("sparse_softmax_cross_entropy_grad") == 1
    layer_of = {line.rsplit("// ", 1)[1] for line in listing if ": pointwise" in line and "// " in line}
    assert not any(name.startswith(("conv2d", "dense", "max_pooling2d", "flatten")) for name in layer_of)
