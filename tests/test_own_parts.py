"""Models of parts that a user wrote: nothing of Python runs between batches, and own steps do as they say."""

from __future__ import annotations

import collections
import sys
from typing import Any

import numpy as np
import pytest

import nabi
from nabi import Model, Sequential, _core, layers, ops
from nabi.trace import Trace
from nabi.utils import unpack_x_y_sample_weight
from parity.own import own_model, parts

Array = np.ndarray[Any, Any]


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


X = numbers(400, 4)
Y = X @ numbers(4, 2, seed=1)


def _calls(model: Any, epochs: int, callbacks: Any) -> tuple[collections.Counter[str], int]:
    """The Python functions that a fit calls, by name, and how often it enters the core."""
    found: collections.Counter[str] = collections.Counter()

    def profile(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            found[frame.f_code.co_qualname] += 1

    before = _core.entries()
    sys.setprofile(profile)
    try:
        model.fit(X, Y, batch_size=4, epochs=epochs, verbose=0, callbacks=callbacks)
    finally:
        sys.setprofile(None)
    return found, _core.entries() - before


def test_nothing_of_python_between_batches() -> None:
    own = parts(nabi)
    model = own_model(nabi, own, 4, 2)

    class Epochs(nabi.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.last = logs

    model.fit(X, Y, batch_size=4, verbose=0)
    base, entries = _calls(model, 5, [Epochs()])
    for name in ("Centred.call", "Smooth.call", "Worst.update_state", "Heavy.update_step", "Fourth.__call__"):
        assert not any(called.endswith(name) for called in base), name
    assert base["test_nothing_of_python_between_batches.<locals>.Epochs.on_epoch_end"] == 5
    assert entries <= 5 * 8  # 500 batches
    assert sum(base.values()) < 500 * 5  # 500 batches: reading results and callbacks at each epoch's end

    recorder = own["Recorder"]()
    called, _ = _calls(model, 5, [recorder])
    assert sum(name == "on_train_batch_end" for name, _, _ in recorder.seen) == 500
    assert not any(name.endswith("Centred.call") for name in called)


def test_state_of_an_own_layer() -> None:
    """What `call` assigns lasts from batch to batch, and only training changes it."""
    model = own_model(nabi, parts(nabi), 4, 2)
    layer = model.layers[0]
    model.fit(X[:40], Y[:40], batch_size=7, epochs=2, verbose=0)
    assert float(np.asarray(layer.calls)) == 12
    seen = np.asarray(layer.seen).copy()
    model.predict(X, verbose=0)
    model.evaluate(X, Y, verbose=0)
    assert float(np.asarray(layer.calls)) == 12
    np.testing.assert_array_equal(np.asarray(layer.seen), seen)
    assert np.abs(np.asarray(layer.kernel)).max() <= 0.4


class _Gan(Model):  # type: ignore[misc]
    """Two optimizers, two sets of weights, one step."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = Sequential([layers.Input((3,)), layers.Dense(8, activation="relu"), layers.Dense(2)])
        self.judge = Sequential([layers.Input((2,)), layers.Dense(8, activation="relu"), layers.Dense(1)])
        self.maker_loss = nabi.metrics.Mean(name="maker_loss")
        self.judge_loss = nabi.metrics.Mean(name="judge_loss")

    def compile(self, maker: Any, judge: Any, **kwargs: Any) -> None:  # type: ignore[override]
        super().compile(**kwargs)
        self.maker_optimizer, self.judge_optimizer = maker, judge

    def call(self, x: Any) -> Any:
        return self.maker(x)

    def train_step(self, data: Any) -> dict[str, Any]:
        noise, real, _ = unpack_x_y_sample_weight(data)
        cross = nabi.losses.BinaryCrossentropy(from_logits=True)
        fake = self.maker(noise, training=True)
        scores = ops.concatenate([self.judge(real), self.judge(ops.stop_gradient(fake))], axis=0)
        truth = ops.concatenate([ops.ones((real.shape[0], 1)), ops.zeros((real.shape[0], 1))], axis=0)
        loss = cross(truth, scores)
        variables = self.judge.trainable_variables
        self.judge_optimizer.apply(ops.gradients(loss, variables), variables)
        fooled = cross(ops.ones((real.shape[0], 1)), self.judge(fake))
        variables = self.maker.trainable_variables
        self.maker_optimizer.apply(ops.gradients(fooled, variables), variables)
        self.maker_loss.update_state(fooled)
        self.judge_loss.update_state(loss)
        return {metric.name: metric.result() for metric in self.metrics if metric.name != "loss"}


@pytest.mark.parametrize("judge", ["SGD", "Adam", "Nadam", "Lion"])
def test_two_optimizers_in_one_step(judge: str) -> None:
    """The maker's gradient is that of the judge's new weights, which count as constants."""
    nabi.utils.set_random_seed(3)
    model = _Gan()
    model.compile(nabi.optimizers.SGD(0.1), getattr(nabi.optimizers, judge)(0.1), loss=None)
    noise, real = numbers(8, 3), numbers(8, 2, seed=1) + 3
    before = [w.copy() for w in model.maker.get_weights()]
    model.train_on_batch(noise, real)
    cross = nabi.losses.BinaryCrossentropy(from_logits=True)
    found = model.maker.get_weights()
    model.maker.set_weights(before)
    with Trace() as trace:
        loss = cross(ops.ones((8, 1)), model.judge(model.maker(trace.input((8, 3), "float32"))))
        program = trace.compile(ops.gradients(loss, model.maker.trainable_variables))
    for old, gradient, new in zip(before, program.call([noise]), found, strict=True):
        np.testing.assert_allclose(new, old - 0.1 * gradient, rtol=1e-5, atol=1e-6)
        assert np.abs(new - old).max() > 0


def test_a_gan_in_fit() -> None:
    nabi.utils.set_random_seed(3)
    model = _Gan()
    model.compile(nabi.optimizers.Adam(0.05), nabi.optimizers.SGD(0.0), loss=None)
    noise, real = numbers(48, 3), numbers(48, 2, seed=1) + 3
    judge = [w.copy() for w in model.judge.get_weights()]
    before = _core.entries()
    history = model.fit(noise, real, batch_size=8, epochs=4, verbose=0).history
    assert _core.entries() - before < 4 * 6 + 10
    assert sorted(history) == ["judge_loss", "maker_loss"] and all(len(v) == 4 for v in history.values())
    for a, b in zip(judge, model.judge.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # its rate is zero; the maker's loss moves the maker alone
    assert history["maker_loss"][-1] < history["maker_loss"][0]
    assert int(np.asarray(model.maker_optimizer.iterations)) == 24


class _Steps(Sequential):  # type: ignore[misc]
    """The usual steps, written out."""

    def train_step(self, data: Any) -> dict[str, Any]:
        x, y, weights = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=True)
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weights)
        variables = self.trainable_variables
        self.optimizer.apply(ops.gradients(loss, variables), variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=ops.shape(x)[0])
        return self.compute_metrics(x, y, y_pred, sample_weight=weights)

    def test_step(self, data: Any) -> dict[str, Any]:
        x, y, weights = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weights, training=False)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss, sample_weight=ops.shape(x)[0])
        return self.compute_metrics(x, y, y_pred, sample_weight=weights)

    def predict_step(self, data: Any) -> Any:
        return self(data[0], training=False) * 2.0 - 1.0


def test_own_steps_do_as_the_usual_ones() -> None:
    """The same bits as `Sequential`'s own steps, ragged last batch, weights and metrics with state included."""
    results = []
    for kind in (Sequential, _Steps):
        nabi.utils.set_random_seed(5)
        stack = [
            layers.Input((4,)),
            layers.Dense(6, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(1, "sigmoid"),
        ]
        model = kind(stack)
        model.compile("adam", "bce", metrics=["accuracy", nabi.metrics.AUC(name="auc")], weighted_metrics=["mae"])
        y = (Y[:50, :1] > 0).astype("float32")
        weights = np.linspace(0.5, 2, 50).astype("float32")
        fit = model.fit(X[:50], y, sample_weight=weights, batch_size=8, epochs=3, verbose=0, validation_split=0.2)
        found = model.predict(X[:50], verbose=0)
        results.append(
            (fit.history, model.evaluate(X[:50], y, verbose=0, return_dict=True), model.get_weights(), found)
        )
    usual, own = results
    assert own[0] == usual[0]
    assert own[1] == usual[1]
    for a, b in zip(own[2], usual[2], strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(own[3], usual[3] * 2 - 1)
