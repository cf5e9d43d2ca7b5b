"""compile, fit, evaluate, predict: numbers, data of every kind, the cut into native calls, threads, Ctrl-C."""

import copy
import gc
import os
import pickle
import re
import signal
import threading
import time
import weakref

import numpy as np
import pytest

from nabi import _core, activations, callbacks, layers, losses, metrics, optimizers, random, regularizers
from nabi.models import Model, Sequential


def data(rows=60, seed=0):
    """Inputs of shape (rows, 4) and three classes, one-hot."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(rows, 4)).astype("float32")
    return x, np.eye(3, dtype="float32")[np.argmax(x[:, :3], -1)]


def classifier(**kwargs):
    stack = [layers.Input(shape=(4,)), layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")]
    model = Sequential(stack)
    options = {"optimizer": "adam", "loss": "categorical_crossentropy", "metrics": ["accuracy"]} | kwargs
    model.compile(**options)
    return model


def line(weight=0.0, **kwargs):
    """y = weight * x, by SGD."""
    model = Sequential([layers.Input(shape=(1,)), layers.Dense(1, use_bias=False)])
    model.set_weights([np.array([[weight]])])
    model.compile(**({"optimizer": optimizers.SGD(learning_rate=0.0), "loss": "mse"} | kwargs))
    return model


def column(*values):
    return np.array(values, "float32")[:, None]


# Numbers


def test_learns():
    x, y = data(300)
    model = classifier(optimizer=optimizers.Adam(learning_rate=0.01))
    history = model.fit(x, y, epochs=30, verbose=0, validation_split=0.2)
    assert list(history.history) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert history.epoch == list(range(30))
    assert history.history["val_accuracy"][-1] > 0.85
    assert model.history is history
    assert all(type(value) is float for values in history.history.values() for value in values)


def test_epoch_loss_weighs_batches_by_size():
    history = line().fit(column(1, 2, 3), column(1, 2, 3), batch_size=2, verbose=0).history
    assert history["loss"] == [pytest.approx(14 / 3)]


def test_sample_weights():
    model = line(metrics=["mse"], weighted_metrics=["mae"])
    weights = np.array([1.0, 0.0, 2.0])
    history = model.fit(
        column(1, 2, 3), column(1, 2, 3), sample_weight=weights, batch_size=2, shuffle=False, verbose=0
    ).history
    assert history["loss"] == [pytest.approx((0.5 * 2 + 18 * 1) / 3)]
    assert history["mse"] == [pytest.approx(14 / 3)]
    assert history["mae"] == [pytest.approx((1 * 1 + 2 * 3) / 3)]


def test_class_weights():
    x, y = data()
    model = classifier(optimizer="sgd", weighted_metrics=["accuracy"], metrics=None)
    labels = y.argmax(-1)
    weights = np.where(labels == 0, 2.0, np.where(labels == 1, 0.5, 1.0))
    whole = {"batch_size": 60, "shuffle": False, "verbose": 0}
    start = model.get_weights()
    by_class = model.fit(x, y, class_weight={0: 2.0, 1: 0.5}, **whole).history
    model.set_weights(start)
    by_sample = model.fit(x, y, sample_weight=weights, **whole).history
    assert by_class == by_sample


def test_regularizers_are_in_every_loss():
    model = Sequential(
        [layers.Input(shape=(1,)), layers.Dense(1, use_bias=False, kernel_regularizer=regularizers.L2(0.05))]
    )
    model.set_weights([column(2.0)])
    model.compile(optimizer=optimizers.SGD(learning_rate=0.0), loss="mse")
    x, y = column(1, 2, 3), column(0, 0, 0)
    expected = 4 * 14 / 3 + 0.05 * 4
    assert model.evaluate(x, y, verbose=0, batch_size=2) == pytest.approx(expected)
    assert model.fit(x, y, verbose=0, batch_size=2).history["loss"] == [pytest.approx(expected)]


def test_activity_regularizer():
    model = Sequential(
        [layers.Input(shape=(1,)), layers.Dense(1, use_bias=False, activity_regularizer=regularizers.L1(0.1))]
    )
    model.set_weights([column(1.0)])
    model.compile(optimizer="sgd", loss="mse")
    assert model.evaluate(column(1, 2, 3), column(1, 2, 3), verbose=0) == pytest.approx(0.1 * 6 / 3)


def test_order_of_results():
    x, y = data()
    model = classifier(metrics=["mse", "accuracy"])
    assert model.metrics_names == ["loss", "compile_metrics"]
    results = model.evaluate(x, y, verbose=0)
    named = model.evaluate(x, y, verbose=0, return_dict=True)
    assert list(named) == ["accuracy", "loss", "mse"]
    assert results == [named["loss"], named["mse"], named["accuracy"]]
    assert type(classifier(metrics=None).evaluate(x, y, verbose=0)) is float


@pytest.mark.parametrize(
    ("units", "activation", "loss", "targets", "kind"),
    [
        (3, "softmax", "categorical_crossentropy", "one-hot", metrics.CategoricalAccuracy),
        (3, "softmax", "sparse_categorical_crossentropy", "labels", metrics.SparseCategoricalAccuracy),
        (3, "softmax", "sparse_categorical_crossentropy", "column", metrics.SparseCategoricalAccuracy),
        (1, "sigmoid", "binary_crossentropy", "binary", metrics.BinaryAccuracy),
        (1, "sigmoid", "binary_crossentropy", "binary column", metrics.BinaryAccuracy),
        (3, "softmax", "crossentropy", "labels", metrics.SparseCategoricalAccuracy),
    ],
)
@pytest.mark.parametrize("name", ["accuracy", "acc"])
def test_accuracy_is_chosen_by_shapes(units, activation, loss, targets, kind, name):
    x, one_hot = data()
    labels = one_hot.argmax(-1)
    y = {
        "one-hot": one_hot, "labels": labels, "column": labels[:, None], "binary": labels > 0,
        "binary column": (labels > 0)[:, None],
    }[targets]  # fmt: skip
    model = Sequential([layers.Input(shape=(4,)), layers.Dense(units, activation=activation)])
    model.compile(optimizer="rmsprop", loss=loss, metrics=[name])
    assert list(model.fit(x, y, verbose=0).history) == [name, "loss"]
    assert isinstance(model.metrics[1].metrics[0], kind)


def test_names_of_metrics():
    x, y = data()
    model = classifier(
        metrics=["MeanSquaredError", "mae", "mae", metrics.CategoricalAccuracy(name="mine")], weighted_metrics=["mae"]
    )
    history = model.fit(x, y, verbose=0).history
    assert list(history) == ["MeanSquaredError", "loss", "mae", "mae_1", "mine", "weighted_mae"]


def test_own_loss_and_metric_functions():
    x, y = data()

    def own_loss(y_true, y_pred):
        return (y_true - y_pred) ** 2

    def own_metric(y_true, y_pred):
        return abs(y_true - y_pred)

    history = classifier(loss=own_loss, metrics=[own_metric]).fit(x, y, verbose=0).history
    assert list(history) == ["loss", "own_metric"]
    model = classifier(loss=losses.CategoricalCrossentropy(label_smoothing=0.1), metrics=[losses.mean_squared_error])
    assert list(model.fit(x, y, verbose=0).history) == ["loss", "mean_squared_error"]


def test_on_batch():
    x, y = data()
    model = classifier()
    loss, accuracy = model.train_on_batch(x, y)
    named = model.train_on_batch(x, y, return_dict=True)
    assert list(named) == ["accuracy", "loss"] and named["loss"] < loss
    assert 0 <= accuracy <= 1
    assert model.test_on_batch(x, y) == pytest.approx(model.evaluate(x, y, verbose=0, batch_size=60))
    np.testing.assert_array_equal(model.predict_on_batch(x), model.predict(x, verbose=0))
    weighted = model.train_on_batch(x, y, class_weight={0: 0.0, 1: 0.0, 2: 0.0})
    assert weighted[0] == 0


def test_optimizer_state_goes_on():
    x, y = data()
    model = classifier()
    model.fit(x, y, epochs=2, batch_size=20, verbose=0)
    model.fit(x, y, epochs=1, batch_size=20, verbose=0)
    assert int(np.asarray(model.optimizer.iterations)) == 9


def test_frozen_layers_are_taken_at_compile():
    x, y = data()
    model = classifier()
    model.layers[0].trainable = False
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    assert not np.array_equal(before[0], model.get_weights()[0])  # compiled before
    model.compile(optimizer="adam", loss="categorical_crossentropy")
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    after = model.get_weights()
    assert np.array_equal(before[0], after[0]) and not np.array_equal(before[2], after[2])


def test_frozen_discriminator_still_learns_by_its_own_compile():
    discriminator = Sequential(
        [layers.Input(shape=(3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(1)]
    )
    discriminator.compile(optimizer="sgd", loss="mse")
    discriminator.trainable = False
    gan = Sequential([layers.Input(shape=(2,)), layers.Dense(3), discriminator])
    gan.compile(optimizer="sgd", loss="mse")
    x, noise = np.ones((8, 3), "float32"), np.ones((8, 2), "float32")
    generator, before = gan.layers[0].get_weights(), discriminator.get_weights()
    gan.train_on_batch(noise, np.ones((8, 1)))
    assert not np.array_equal(generator[0], gan.layers[0].get_weights()[0])
    assert all(np.array_equal(a, b) for a, b in zip(before, discriminator.get_weights(), strict=True))
    x[:4] = 0
    discriminator.train_on_batch(x, np.ones((8, 1)))
    after = discriminator.get_weights()
    names = [weight.name for weight in discriminator.weights]
    assert names == ["kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "kernel", "bias"]
    changed = [name for name, a, b in zip(names, before, after, strict=True) if not np.array_equal(a, b)]
    assert {"kernel", "beta", "moving_mean", "moving_variance"} <= set(changed)


# Data


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x.astype("float64"),
        lambda x: x.astype("float16").astype("float32"),
        np.asfortranarray,
        lambda x: np.repeat(np.repeat(x, 2, 0), 3, 1)[::2, ::3],
        lambda x: x[::-1][::-1],
        lambda x: x.astype(">f4"),
        lambda x: x.astype("longdouble"),
    ],
)
def test_every_layout_gives_the_same(convert):
    x, y = data()
    model = classifier()
    expected = model.predict(x, verbose=0)
    found = model.predict(convert(x), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-3)
    if not np.array_equal(convert(x).astype("float32"), x):
        return
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"])
def test_integers(dtype):
    x = np.random.default_rng(0).integers(0, 2, (40, 4)).astype(dtype)
    y = np.arange(40).astype(dtype) % 2 if dtype != "bool" else np.arange(40) % 2 == 0
    model = Sequential([layers.Input(shape=(4,)), layers.Dense(2, activation="softmax")])
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x.astype("float32"), verbose=0))
    assert np.isfinite(model.fit(x, y.astype(dtype if dtype != "bool" else "uint8"), verbose=0).history["loss"][0])


def test_memory_map(tmp_path):
    x, y = data(100)
    np.save(tmp_path / "x.npy", x.astype("float64"))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    random.set_random_seed(1)
    first = classifier()
    first.fit(mapped, y, epochs=2, verbose=0)
    random.set_random_seed(1)
    second = classifier()
    second.fit(x.astype("float64"), y, epochs=2, verbose=0)
    assert first.get_weights()[0].tobytes() == second.get_weights()[0].tobytes()


def test_generators_and_sequences():
    x, y = data(48)

    def batches():
        for i in range(0, 48, 12):
            yield x[i : i + 12], y[i : i + 12]

    class Batches:
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return x[12 * i : 12 * i + 12], y[12 * i : 12 * i + 12]

    model = classifier()
    start = model.get_weights()
    results = []
    for source in (batches(), Batches(), list(batches()).__iter__()):
        model = classifier(optimizer="sgd")
        model.set_weights(start)
        model.fit(source, shuffle=False, verbose=0)
        results.append(model.get_weights()[0])
    model = classifier(optimizer="sgd")
    model.set_weights(start)
    model.fit(x, y, batch_size=12, shuffle=False, verbose=0)
    for found in results:
        np.testing.assert_array_equal(found, model.get_weights()[0])
    assert model.evaluate(Batches(), verbose=0) == model.evaluate(x, y, batch_size=12, verbose=0)
    np.testing.assert_array_equal(model.predict(Batches(), verbose=0), model.predict(x, verbose=0))
    history = model.fit(Batches(), epochs=3, verbose=0, validation_data=Batches(), class_weight={0: 2.0})
    assert len(history.history["val_loss"]) == 3
    with pytest.warns(UserWarning, match="Your input ran out of data"):
        model.fit(batches(), steps_per_epoch=9, verbose=0)
    with pytest.raises(ValueError, match="`y` should not be passed"):
        model.fit(batches(), y)


def test_steps_per_epoch():
    x, y = data(64)
    seen = []
    model = classifier()
    note = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(batch))
    with pytest.warns(UserWarning, match="Your input ran out of data"):
        model.fit(x, y, batch_size=16, steps_per_epoch=3, epochs=2, verbose=0, callbacks=[note])
    assert seen == [0, 1, 2, 0]  # the fourth batch ends the pass, as in Keras
    model.fit(x, y, steps_per_epoch=2, verbose=0)
    assert model.evaluate(x, y, batch_size=16, steps=1, verbose=0) == model.evaluate(x[:16], y[:16], verbose=0)
    assert model.predict(x, batch_size=16, steps=3, verbose=0).shape == (48, 3)


def test_validation():
    x, y = data(50)
    model = classifier()
    history = model.fit(x, y, epochs=4, verbose=0, validation_data=(x, y, np.ones(50)), validation_freq=2).history
    assert len(history["loss"]) == 4 and len(history["val_loss"]) == 2
    assert history["val_loss"][-1] == pytest.approx(model.evaluate(x, y, verbose=0)[0])
    history = model.fit(x, y, epochs=3, verbose=0, validation_data=(x, y), validation_freq=[1]).history
    assert len(history["val_loss"]) == 1
    history = model.fit(x, y, epochs=6, initial_epoch=4, verbose=0)
    assert history.epoch == [4, 5]


def test_validation_split_is_the_last_part():
    x, y = data(50)
    model = classifier(optimizer=optimizers.SGD(learning_rate=0.0))
    history = model.fit(x, y, verbose=0, validation_split=0.3).history
    assert history["val_loss"][0] == pytest.approx(model.evaluate(x[35:], y[35:], verbose=0)[0])


def test_shuffle():
    x = np.arange(12, dtype="float32")[:, None]
    model = Sequential([layers.Input(shape=(1,)), layers.Dense(1, use_bias=False)])
    model.compile(optimizer=optimizers.SGD(learning_rate=0.0), loss="mae")
    model.set_weights([column(0.0)])

    def losses_of(**kwargs):
        running = []
        note = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: running.append(logs["loss"]))
        model.fit(x, x, batch_size=1, verbose=0, callbacks=[note], **kwargs)
        totals = np.array(running) * np.arange(1, len(running) + 1)
        return np.rint(np.diff(totals, prepend=0)).astype(int).tolist()

    assert losses_of(shuffle=False) == list(range(12))
    first, second = losses_of(), losses_of()
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second
    two = losses_of(epochs=2)
    assert two[:12] != two[12:]


def test_shuffle_within_batches():
    from nabi.training.data_adapters import ArrayBatches, Feeds, seeded_permutation

    batches = ArrayBatches(Feeds(np.zeros((10, 1))), 4, None, "batch", seeded_permutation(3, 0))
    assert batches.start_epoch(0) == (0, 3)
    parts = [batches.index[:4], batches.index[4:8], batches.index[8:]]
    assert [sorted(part.tolist()) for part in parts] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def convolutional():
    model = Sequential(
        [
            layers.Input(shape=(8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


# Native calls (tests/test_determinism.py has the rest of what is said about bits)


def test_native_calls_per_epoch():
    """The course's blobs model: 25 batches, 6 whole and one smaller batch of validation."""
    x, y = data(1000)
    stack = [layers.Input(shape=(4,)), layers.Dense(25, activation="relu"), layers.Dense(3, activation="softmax")]
    model = Sequential(stack)
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    arguments = {"validation_data": (x[800:], y[800:]), "verbose": 0}
    model.fit(x[:800], y[:800], epochs=1, **arguments)
    before = _core.entries()
    model.fit(x[:800], y[:800], epochs=50, **arguments)
    assert _core.entries() - before <= 3 * 50


def test_cut_into_calls_changes_no_bit(monkeypatch):
    from nabi.training import loop

    x, y = data(200)
    found = []
    for seconds in (0.1, 1e-9):
        monkeypatch.setattr(loop, "_SLICE", seconds)
        random.set_random_seed(2)
        model = classifier()
        history = model.fit(x, y, batch_size=7, epochs=3, verbose=0).history
        found.append((model.get_weights()[0].tobytes(), history))
    assert found[0] == found[1]


# Output


def test_lines(capsys):
    x, y = data(96)
    model = classifier()
    model.fit(x, y, epochs=2, verbose=2, validation_split=1 / 3)
    values = "".join(rf" - {name}: [\d.e-]+" for name in ("accuracy", "loss", "val_accuracy", "val_loss"))
    one = rf"2/2 - \d+s - \d+[mu]?s/step{values}\n"
    assert re.fullmatch(f"Epoch 1/2\n{one}Epoch 2/2\n{one}", capsys.readouterr().out)
    model.fit(x, y, verbose=2)
    assert capsys.readouterr().out.startswith("3/3 - ")
    model.evaluate(x, y, verbose=2)
    assert re.fullmatch(r"3/3 - 0s - \d+[mu]?s/step - accuracy: [\d.e-]+ - loss: [\d.e-]+\n", capsys.readouterr().out)
    model.predict(x, verbose=2)
    assert re.fullmatch(r"3/3 - 0s - \d+[mu]?s/step\n", capsys.readouterr().out)
    model.fit(x, y, verbose=0)
    assert capsys.readouterr().out == ""


def test_bar(capsys):
    x, y = data(96)
    classifier().fit(x, y, epochs=2)
    out = capsys.readouterr().out
    assert out.startswith("Epoch 1/2\n")
    assert out.count("\x1b[1m3/3\x1b[0m \x1b[32m" + "━" * 20 + "\x1b[0m") >= 2


# Interrupts, threads, forks, memory


def test_ctrl_c_keeps_the_last_finished_step():
    x, y = data(50000)
    model = classifier()

    def interrupt(epoch, logs):
        if epoch == 1:
            threading.Timer(0.02, lambda: os.kill(os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        hook = callbacks.LambdaCallback(on_epoch_begin=interrupt)
        model.fit(x, y, epochs=100000, batch_size=8, verbose=0, callbacks=[hook])
    assert all(np.isfinite(weight).all() for weight in model.get_weights())
    steps = int(np.asarray(model.optimizer.iterations))
    assert steps > 0
    assert steps // 6250 - len(model.history.history.get("loss", [])) in (0, 1)  # 1: stopped right after its last step
    model.fit(x[:64], y[:64], verbose=0)


def test_ctrl_c_gives_up_a_long_step():
    """A step of seconds is not finished first: until the optimizer's rule nothing has changed, so it can be dropped."""
    x, y = np.ones((3000, 32, 32, 3), "float32"), np.zeros(3000, "int32")
    stack = [layers.Conv2D(64, 5, activation="relu") for _ in range(6)]
    model = Sequential(
        [layers.Input((32, 32, 3)), *stack, layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)]
    )
    model.compile("adam", losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x[:4], y[:4], verbose=0)
    before = [weight.tobytes() for weight in model.get_weights()]
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))

    class Start(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            timer.start()

    with pytest.raises(KeyboardInterrupt):
        model.fit(x, y, batch_size=3000, verbose=0, callbacks=[Start()])
    assert int(np.asarray(model.optimizer.iterations)) == 1
    assert [weight.tobytes() for weight in model.get_weights()] == before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_predict_from_eight_threads():
    model = convolutional()
    inputs = [np.random.default_rng(i).normal(size=(20 + i, 8, 8, 1)).astype("float32") for i in range(8)]
    expected = [model.predict(x, verbose=0) for x in inputs]
    model = convolutional()
    model.set_weights(model.get_weights())
    expected = [model.predict(x, verbose=0) for x in inputs]
    model._steps.clear()  # let the threads trace as well
    wrong = []

    def work(i):
        for _ in range(20):
            if not np.array_equal(model.predict(inputs[i], verbose=0), expected[i]):
                wrong.append(i)
            if not np.array_equal(model(inputs[i]), expected[i]):
                wrong.append(-i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


def test_forked_worker():
    x, y = data(200)
    model = classifier()
    model.fit(x, y, verbose=0)
    expected = model.predict(x, verbose=0)
    child = os.fork()
    if child == 0:
        try:
            same = np.array_equal(model.predict(x, verbose=0), expected)
            model.fit(x, y, verbose=0)
            os._exit(0 if same else 1)
        finally:
            os._exit(2)
    deadline = time.time() + 60
    while time.time() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the forked child hangs")


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def check_flat(work, rounds):
    """Runs `work` some times, then asserts that memory stays within 4 MB for ten times as many."""
    for _ in range(rounds):
        work()
    gc.collect()
    before = resident()
    for _ in range(10 * rounds):
        work()
    gc.collect()
    assert resident() - before < 4 << 20


def test_memory_of_repeated_calls():
    x, y = data(32)
    model = classifier()

    def work():
        model.fit(x, y, verbose=0)
        model.predict(x, verbose=0)
        model(x)

    check_flat(work, 50)


@pytest.mark.slow
def test_memory_of_ten_thousand_calls():
    x, y = data(32)
    model = classifier()

    def work():
        model.fit(x, y, verbose=0)
        model.predict(x, verbose=0)
        model(x)

    check_flat(work, 1000)


def test_memory_of_many_models():
    x, y = data(32)

    def work():
        classifier().fit(x, y, verbose=0)

    check_flat(work, 20)


def test_dropped_models_make_room_by_themselves():
    """Models are full of cycles, and Python's collector does not see how large their memory is."""
    gc.collect()
    dropped = []
    for _ in range(12):
        model = Sequential([layers.Input(shape=(1000,)), layers.Dense(8000)])  # 32 MB
        dropped.append(weakref.ref(model))
        del model
    assert sum(reference() is not None for reference in dropped) <= 6


def test_programs_are_kept_and_forgotten():
    x, y = data(200)
    model = classifier()
    for rows in range(1, 40):
        model.predict(x[:rows], verbose=0)
    assert len(model._steps._steps) <= 16
    step = model._steps.get(model, "predict", model._feeds(x[:39]), 7)
    assert model._steps.get(model, "predict", model._feeds(x[:39]), 7) is step
    model.layers[0].activation = activations.tanh
    assert model._steps.get(model, "predict", model._feeds(x[:39]), 7) is not step


def test_metrics_start_again():
    x, y = data()
    model = classifier()
    model.fit(x, y, verbose=0)
    assert model.get_metrics_result()["loss"] > 0
    model.reset_metrics()
    assert model.get_metrics_result() == {"loss": 0, "accuracy": 0}


def test_layer_metrics_are_reported():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3, activation="softmax")
            self.norm = metrics.Mean(name="norm")

        def call(self, x):
            y = self.dense(x)
            self.norm.update_state(y)
            return y

    x, y = data()
    model = Net()
    model.compile(optimizer="sgd", loss="categorical_crossentropy")
    history = model.fit(x, y, verbose=0).history
    assert history["norm"] == [pytest.approx(1 / 3, rel=1e-4)]


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_goes_on_by_itself(duplicate):
    x, y = data()
    model = classifier(optimizer=optimizers.Adam(0.01, weight_decay=0.1))
    model.layers[0].trainable = False
    model.compile(optimizer=model.optimizer, loss="categorical_crossentropy")
    model.fit(x, y, verbose=0, shuffle=False)
    twin = duplicate(model)
    before = model.get_weights()
    first = twin.fit(x, y, verbose=0, shuffle=False).history["loss"]
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert first == model.fit(x, y, verbose=0, shuffle=False).history["loss"]
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(np.asarray(twin.optimizer.iterations)) == int(np.asarray(model.optimizer.iterations)) == 4
