"""Callbacks: when they act, what they print, and how they steer training."""

import csv
import re

import numpy as np
import pytest

from nabi import callbacks, layers, optimizers, random
from nabi.callbacks.callback import CallbackList, pythonify_logs
from nabi.models import Sequential


class FakeOptimizer:
    learning_rate = np.float32(0.1)


class FakeModel:
    """What callbacks need of a model, without training one."""

    def __init__(self):
        self.stop_training = False
        self.optimizer = FakeOptimizer()
        self.metrics = []
        self.history = None
        self.weights = 0
        self.saved = []

    def get_weights(self):
        return [self.weights]

    def set_weights(self, weights):
        self.weights = weights[0]

    def save_weights(self, filepath, overwrite=True):
        self.saved.append(filepath)

    save = save_weights


def play(callback, epochs, start=0):
    """Runs a callback through epochs given as logs; returns the model."""
    model = FakeModel()
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, logs in enumerate(epochs, start):
        model.weights = epoch
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, dict(logs))
        if model.stop_training:
            break
    callback.on_train_end()
    return model


def regression(rows=40):
    random_numbers = np.random.default_rng(0)
    x = random_numbers.normal(size=(rows, 3)).astype("float32")
    return x, (x @ np.array([[1.0], [-2.0], [0.5]])).astype("float32")


def line(loss="mse", metrics=None):
    model = Sequential([layers.Input(shape=(3,)), layers.Dense(1)])
    model.compile(optimizer=optimizers.SGD(learning_rate=0.1), loss=loss, metrics=metrics)
    return model


# EarlyStopping


def losses(*values):
    return [{"val_loss": value} for value in values]


def test_early_stopping_message_and_best_weights(capsys):
    stopping = callbacks.EarlyStopping(patience=3, verbose=1, restore_best_weights=True)
    model = play(stopping, losses(3.0, 2.0, 2.5, 2.6, 2.7, 1.0))
    assert model.stop_training
    assert model.weights == 1
    assert capsys.readouterr().out == (
        "Epoch 5: early stopping\nRestoring model weights from the end of the best epoch: 2.\n"
    )


def test_early_stopping_restores_even_if_not_stopped():
    model = play(callbacks.EarlyStopping(patience=9, restore_best_weights=True), losses(3.0, 1.0, 2.0))
    assert not model.stop_training
    assert model.weights == 1


def test_early_stopping_patience_zero_never_stops_in_the_first_epoch():
    stopping = callbacks.EarlyStopping(baseline=1.0)
    play(stopping, losses(2.0, 1.5))
    assert stopping.stopped_epoch == 0 or stopping.stopped_epoch == 1


def test_early_stopping_min_delta_and_mode_max():
    stopping = callbacks.EarlyStopping(monitor="score", mode="max", min_delta=0.1, patience=1)
    model = play(stopping, [{"score": 0.5}, {"score": 0.55}, {"score": 0.9}])
    assert model.stop_training
    assert stopping.best == 0.5


def test_early_stopping_start_from_epoch():
    stopping = callbacks.EarlyStopping(patience=1, start_from_epoch=3)
    play(stopping, losses(1.0, 2.0, 3.0, 4.0, 5.0))
    assert stopping.stopped_epoch == 4


def test_early_stopping_missing_monitor():
    with pytest.warns(
        UserWarning,
        match="Early stopping conditioned on metric `val_loss` which is not available. "
        "Available metrics are: accuracy,loss",
    ):
        play(callbacks.EarlyStopping(), [{"accuracy": 1.0, "loss": 2.0}])


def test_unknown_direction():
    with pytest.raises(ValueError, match="automatically determine whether that metric should be"):
        play(callbacks.EarlyStopping(monitor="val_wonder"), [{"val_wonder": 1.0}])


def test_unknown_mode():
    with pytest.warns(UserWarning, match="EarlyStopping mode 'up' is unknown, fallback to auto mode"):
        callbacks.EarlyStopping(mode="up")


def test_direction_of_a_metric():
    x, y = regression()
    model = line(metrics=["mae"])
    stopping = callbacks.EarlyStopping(monitor="mae", patience=50)
    model.fit(x, y, epochs=2, verbose=0, callbacks=[stopping])
    assert stopping.monitor_op(1, 2)


# Learning rates


def test_reduce_lr_on_plateau(capsys):
    plateau = callbacks.ReduceLROnPlateau(monitor="loss", patience=1, factor=0.5, verbose=1, cooldown=2)
    model = play(plateau, [{"loss": 1.0} for _ in range(5)])
    assert model.optimizer.learning_rate == pytest.approx(0.025)
    assert capsys.readouterr().out == (
        "\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.05000000074505806.\n"
        "\nEpoch 4: ReduceLROnPlateau reducing learning rate to 0.02500000037252903.\n"
    )


def test_reduce_lr_stops_at_the_minimum():
    model = play(callbacks.ReduceLROnPlateau(monitor="loss", patience=1, factor=0.1, min_lr=0.09), [{"loss": 1.0}] * 4)
    assert model.optimizer.learning_rate == pytest.approx(0.09)


def test_reduce_lr_factor():
    with pytest.raises(ValueError, match="does not support a factor >= 1.0"):
        callbacks.ReduceLROnPlateau(factor=1.0)


def test_reduce_lr_missing_monitor():
    with pytest.warns(UserWarning, match="Learning rate reduction is conditioned on metric `val_loss`"):
        play(callbacks.ReduceLROnPlateau(), [{"loss": 1.0}])


def test_learning_rate_scheduler(capsys):
    x, y = regression()
    model = line()
    scheduler = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5, verbose=1)
    history = model.fit(x, y, epochs=2, verbose=0, callbacks=[scheduler])
    assert history.history["learning_rate"] == pytest.approx([0.05, 0.025])
    assert list(history.history) == ["loss", "learning_rate"]
    out = capsys.readouterr().out
    assert out.startswith("\nEpoch 1: LearningRateScheduler setting learning rate to 0.05000000074505806.\n")


def test_learning_rate_scheduler_of_one_argument():
    model = play(callbacks.LearningRateScheduler(lambda epoch: 0.5), [{}])
    assert model.optimizer.learning_rate == 0.5


def test_learning_rate_scheduler_needs_floats():
    with pytest.raises(ValueError, match="output of the `schedule` function should be a float. Got: one"):
        play(callbacks.LearningRateScheduler(lambda epoch, rate: "one"), [{}])


# Files


def test_csv_logger(tmp_path):
    path = tmp_path / "log.csv"
    logger = callbacks.CSVLogger(path)
    play(logger, [{"loss": 1.5, "accuracy": 0.5}, {"loss": 1.0, "accuracy": 0.75, "val_loss": 2.0}])
    with path.open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert rows[1:] == [["0", "0.5", "1.5", "NA", "NA"], ["1", "0.75", "1.0", "NA", "2.0"]]
    play(callbacks.CSVLogger(path, append=True), [{"loss": 1.0, "accuracy": 0.0, "val_loss": 0.0}], start=2)
    assert len(path.read_text().splitlines()) == 4
    play(callbacks.CSVLogger(path, separator=";"), [{"loss": 1.0}])
    assert path.read_text().splitlines() == ["epoch;loss;val_loss", "0;1.0;NA"]


def test_model_checkpoint_best_only(capsys):
    checkpoint = callbacks.ModelCheckpoint("w.weights.h5", verbose=1, save_best_only=True, save_weights_only=True)
    model = play(checkpoint, losses(2.28660, 3.0, 1.0))
    assert model.saved == ["w.weights.h5", "w.weights.h5"]
    assert capsys.readouterr().out == (
        "\nEpoch 1: val_loss improved from None to 2.28660, saving model to w.weights.h5\n"
        "\nEpoch 1: finished saving model to w.weights.h5\n"
        "\nEpoch 2: val_loss did not improve from 2.28660\n"
        "\nEpoch 3: val_loss improved from 2.28660 to 1.00000, saving model to w.weights.h5\n"
        "\nEpoch 3: finished saving model to w.weights.h5\n"
    )


def test_model_checkpoint_every_epoch(capsys):
    checkpoint = callbacks.ModelCheckpoint("{epoch:02d}-{val_loss:.1f}.weights.h5", save_weights_only=True, verbose=1)
    model = play(checkpoint, losses(2.0))
    assert model.saved == ["01-2.0.weights.h5"]
    assert capsys.readouterr().out == (
        "\nEpoch 1: saving model to 01-2.0.weights.h5\n\nEpoch 1: finished saving model to 01-2.0.weights.h5\n"
    )


def test_model_checkpoint_errors(tmp_path):
    with pytest.raises(ValueError, match="the filepath provided must end in `.weights.h5`"):
        callbacks.ModelCheckpoint("w.h5", save_weights_only=True)
    with pytest.raises(ValueError, match="must end in `.keras`"):
        callbacks.ModelCheckpoint("model.hdf5")
    with pytest.raises(ValueError, match="Unrecognized save_freq: often"):
        callbacks.ModelCheckpoint("m.keras", save_freq="often")
    with pytest.raises(KeyError, match="Failed to format this callback filepath"):
        play(callbacks.ModelCheckpoint("{val_acc}.keras"), losses(1.0))
    folder = tmp_path / "m.keras"
    folder.mkdir()
    with pytest.raises(OSError, match="is an existing directory"):
        play(callbacks.ModelCheckpoint(folder), losses(1.0))
    with pytest.warns(UserWarning, match="Can save best model only with val_loss available"):
        play(callbacks.ModelCheckpoint("m.keras", save_best_only=True), [{"loss": 1.0}])


def test_model_checkpoint_by_batches(tmp_path):
    x, y = regression(40)
    model = line()
    path = tmp_path / "{epoch}-{batch}.weights.h5"
    model.fit(
        x,
        y,
        batch_size=8,
        epochs=2,
        verbose=0,
        callbacks=[callbacks.ModelCheckpoint(path, save_weights_only=True, save_freq=3)],
    )
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1-3.weights.h5", "2-1.weights.h5", "2-4.weights.h5"]


# Within fit


class Recorder(callbacks.Callback):
    """Notes every hook."""

    def __init__(self):
        super().__init__()
        self.calls = []


def _note(name):
    def hook(self, *args, logs=None):
        first = args[0] if args and not isinstance(args[0], dict) else None
        self.calls.append(name if first is None else f"{name} {first}")

    return hook


for _mode in ("train", "test", "predict"):
    for _when in ("begin", "end"):
        setattr(Recorder, f"on_{_mode}_{_when}", _note(f"{_mode}_{_when}"))
        setattr(Recorder, f"on_{_mode}_batch_{_when}", _note(f"{_mode}_batch_{_when}"))
Recorder.on_epoch_begin = _note("epoch_begin")
Recorder.on_epoch_end = _note("epoch_end")


def test_order_of_hooks():
    x, y = regression(20)
    recorder = Recorder()
    model = line()
    model.fit(x, y, batch_size=12, verbose=0, validation_data=(x[:4], y[:4]), callbacks=[recorder])
    assert recorder.calls == [
        "train_begin", "epoch_begin 0",
        "train_batch_begin 0", "train_batch_end 0", "train_batch_begin 1", "train_batch_end 1",
        "test_begin", "test_batch_begin 0", "test_batch_end 0", "test_end",
        "epoch_end 0", "train_end",
    ]  # fmt: skip
    recorder.calls.clear()
    model.evaluate(x, y, batch_size=20, verbose=0, callbacks=[recorder])
    assert recorder.calls == ["test_begin", "test_batch_begin 0", "test_batch_end 0", "test_end"]
    recorder.calls.clear()
    model.predict(x, batch_size=20, verbose=0, callbacks=[recorder])
    assert recorder.calls == ["predict_begin", "predict_batch_begin 0", "predict_batch_end 0", "predict_end"]


def test_batch_logs_are_running_results():
    seen = []
    x, y = regression(24)
    model = line()
    note = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append((batch, logs["loss"])))
    history = model.fit(x, y, batch_size=8, verbose=0, callbacks=[note])
    assert [batch for batch, _ in seen] == [0, 1, 2]
    assert seen[-1][1] == history.history["loss"][0]
    assert all(type(loss) is float for _, loss in seen)


def test_batch_outputs_of_predict():
    x, y = regression(10)
    outputs = []
    model = line()
    note = callbacks.LambdaCallback(on_predict_batch_end=lambda batch, logs: outputs.append(logs["outputs"].copy()))
    predicted = model.predict(x, batch_size=4, verbose=0, callbacks=[note])
    np.testing.assert_array_equal(np.concatenate(outputs), predicted)


def test_steps_per_execution():
    batches = []
    x, y = regression(40)
    model = line()
    model.compile(optimizer="sgd", loss="mse", steps_per_execution=2)
    note = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(batch))
    model.fit(x, y, batch_size=8, verbose=0, callbacks=[note])
    assert batches == [1, 3, 4]


def test_batch_callbacks_change_no_bit():
    x, y = regression(40)
    found = []
    for extra in ([], [callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)]):
        random_seed()
        model = line()
        model.fit(x, y, batch_size=7, epochs=3, verbose=0, callbacks=extra)
        found.append(model.get_weights()[0].tobytes())
    assert found[0] == found[1]


def random_seed():
    random.set_random_seed(3)


def test_stop_training_in_a_batch():
    x, y = regression(40)
    model = line()
    stop = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: setattr(model, "stop_training", batch == 1))
    history = model.fit(x, y, batch_size=8, epochs=5, verbose=0, callbacks=[stop])
    assert len(history.history["loss"]) == 1
    assert int(np.asarray(model.optimizer.iterations)) == 2


def test_terminate_on_nan(capsys):
    x, y = regression(24)
    y[17] = np.nan
    model = line()
    model.fit(x, y, batch_size=8, epochs=5, shuffle=False, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
    assert capsys.readouterr().out == "Batch 2: Invalid loss, terminating training\n"
    with pytest.raises(RuntimeError, match="NaN or Inf loss encountered at batch 0"):
        model.fit(x, y, verbose=0, callbacks=[callbacks.TerminateOnNaN(raise_error=True)])


def test_callbacks_see_what_earlier_ones_add():
    x, y = regression()
    seen = {}
    add = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(extra=7.0))
    look = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.update(logs))
    history = line().fit(x, y, verbose=0, callbacks=[add, [look]])
    assert seen["extra"] == 7.0
    assert history.history["extra"] == [7.0]


def test_user_callbacks_print_before_the_line(capsys):
    x, y = regression()
    shout = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: print("user"))
    line().fit(x, y, verbose=2, epochs=2, callbacks=[shout])
    out = capsys.readouterr().out
    assert re.fullmatch(r"(Epoch [12]/2\nuser\n2/2 - \d+s - \d+[mu]?s/step - loss: [\d.e-]+\n){2}", out)


def test_callback_list():
    first = callbacks.Callback()
    together = CallbackList([first, (callbacks.History(),)], add_history=True, verbose=0, epochs=1, steps=2)
    assert len(together.callbacks) == 2
    assert first.params == {"verbose": 0, "epochs": 1, "steps": 2}
    with pytest.raises(TypeError, match="`callbacks` should contain instances of `Callback`"):
        CallbackList([callbacks.History])


def test_pythonify_logs():
    logs = pythonify_logs({"b": np.float32(0.5), "a": {"d": 1, "c": np.array(2.0)}, "e": np.zeros(3)})
    assert list(logs)[:3] == ["c", "d", "b"]
    assert logs["b"] == 0.5 and type(logs["c"]) is float
    assert logs["e"].shape == (3,)


_EARLY, _PLATEAU = callbacks.EarlyStopping, callbacks.ReduceLROnPlateau
_NUMBERS = [
    *((_EARLY, name) for name in ("min_delta", "patience", "baseline", "start_from_epoch", "restore_best_weights")),
    *((_PLATEAU, name) for name in ("factor", "patience", "min_delta", "cooldown", "min_lr", "verbose")),
    *((callbacks.ModelCheckpoint, name) for name in ("verbose", "save_best_only", "initial_value_threshold")),
    (callbacks.LearningRateScheduler, "verbose"),
    (callbacks.CSVLogger, "append"),
]


@pytest.mark.parametrize(("kind", "name"), _NUMBERS, ids=lambda v: getattr(v, "__name__", v))
def test_arguments_must_be_numbers(kind, name):
    first = {
        callbacks.ModelCheckpoint: {"filepath": "w.weights.h5"},
        callbacks.LearningRateScheduler: {"schedule": lambda epoch: 0.1},
        callbacks.CSVLogger: {"filename": "log.csv"},
    }
    for value in ("a", [1]):
        with pytest.raises(ValueError, match=f"`{name}` of {kind.__name__} must be"):
            kind(**first.get(kind, {}), **{name: value})
