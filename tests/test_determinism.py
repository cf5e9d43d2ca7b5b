"""Equal bytes: weights, history and predictions, whatever the threads and the instruction set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import nabi
from nabi import _core, layers, regularizers


def mlp():
    return [
        layers.Input((8, 8, 2)),
        layers.Flatten(),
        layers.Dense(33, activation="relu"),
        layers.Dense(17, activation="tanh"),
        layers.Dense(5, activation="softmax"),
    ]


def cnn_with_dropout():
    return [
        layers.Input((8, 8, 2)),
        layers.Conv2D(9, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Dropout(0.3),
        layers.Conv2D(17, 3, activation="relu"),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(5, activation="softmax"),
    ]


def cnn_with_batch_norm():
    return [
        layers.Input((8, 8, 2)),
        layers.Conv2D(8, 3, padding="same", kernel_regularizer=regularizers.l2(1e-3)),
        layers.Activation("relu"),
        layers.BatchNormalization(),
        layers.AveragePooling2D(2),
        layers.Conv2D(16, 2, strides=2, kernel_regularizer=regularizers.l2(1e-3)),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(5, activation="softmax"),
    ]


def cnn_by_winograd():
    """Wide enough that the 3x3 convolutions and their gradients are Winograd's."""
    return [
        layers.Input((8, 8, 2)),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.Conv2D(20, 3, padding="same", activation="relu"),
        layers.Conv2D(33, 3, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(5, activation="softmax"),
    ]


def train(build: Callable[[], list[layers.Layer]], optimizer: str) -> bytes:
    """Everything that a training leaves behind."""
    nabi.utils.clear_session()
    nabi.utils.set_random_seed(3)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(150, 8, 8, 2)).astype("float32"), rng.integers(0, 5, 150)
    model = nabi.Sequential(build())
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, batch_size=32, epochs=3, validation_split=0.2, verbose=0)
    out = [np.asarray(w) for w in model.get_weights()]
    out += [np.asarray(history.history[name]) for name in sorted(history.history)]
    out.append(model.predict(x, verbose=0))
    return b"".join(a.tobytes() for a in out)


@pytest.mark.parametrize(
    ("build", "optimizer"),
    [(mlp, "rmsprop"), (cnn_with_dropout, "adam"), (cnn_with_batch_norm, "sgd"), (cnn_by_winograd, "adam")],
)
def test_bytes_do_not_depend_on_threads_or_instruction_set(build, optimizer):
    expected = train(build, optimizer)
    assert expected == train(build, optimizer)
    for isa in _core.isas():
        for threads in (1, 2, 3):
            _core.set_isa(isa)
            _core.set_num_threads(threads)
            _core.force_sharing(threads > 1)
            assert train(build, optimizer) == expected, f"{isa}, {threads} threads"


def test_numpy_seed_reproduces_a_training():
    """A course program that calls np.random.seed gets the same result each time."""

    def run():
        np.random.seed(7)
        nabi.utils.clear_session()
        x = np.random.normal(size=(64, 4)).astype("float32")
        model = nabi.Sequential(
            [layers.Input((4,)), layers.Dense(8, activation="relu"), layers.Dropout(0.5), layers.Dense(1)]
        )
        model.compile("adam", "mse")
        model.fit(x, x.sum(1), epochs=2, verbose=0)
        return b"".join(w.tobytes() for w in model.get_weights())

    first = run()
    assert first == run()


def test_cutting_a_fit_into_runs_changes_nothing():
    """A batch hook makes every batch a native call of its own."""

    def run(callbacks):
        nabi.utils.set_random_seed(5)
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(70, 6)).astype("float32"), rng.integers(0, 3, 70)
        model = nabi.Sequential(
            [layers.Input((6,)), layers.Dense(16, activation="relu"), layers.Dropout(0.2), layers.Dense(3)]
        )
        model.compile("adam", nabi.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
        history = model.fit(x, y, batch_size=16, epochs=3, verbose=0, callbacks=callbacks)
        return b"".join(w.tobytes() for w in model.get_weights()), history.history

    seen = []
    hook = nabi.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"])))
    whole, pieces = run([]), run([hook])
    assert whole == pieces
    assert len(seen) == 3 * 5
