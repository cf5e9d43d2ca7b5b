"""fit, evaluate and predict on generators, PyDatasets and other iterables of batches: order, ends, threads, errors."""

import gc
import signal
import threading
import traceback
import weakref

import numpy as np
import pytest

from nabi import callbacks, layers, utils
from nabi.models import Sequential
from nabi.training.data_adapters import iterable_batches

X = np.random.default_rng(0).normal(size=(44, 4)).astype("float32")
Y = X @ np.ones((4, 1), "float32")


def model(**kwargs):
    found = Sequential([layers.Input((4,)), layers.Dense(1)])
    found.set_weights([np.full((4, 1), 0.1), np.zeros(1)])
    found.compile(**({"optimizer": "sgd", "loss": "mse"} | kwargs))
    return found


def batch(i, size=11):
    rows = np.arange(i * size, (i + 1) * size) % 44
    return X[rows], Y[rows]


def generate(number, log=None):
    for i in range(number):
        if log is not None:
            log.append(i)
        yield batch(i)


class Data(utils.PyDataset):
    def __init__(self, number, **kwargs):
        super().__init__(**kwargs)
        self.number = number
        self.log = []

    @property
    def num_batches(self):
        return self.number

    def __getitem__(self, i):
        self.log.append(i)
        return batch(i)

    def on_epoch_begin(self):
        self.log.append("begin")

    def on_epoch_end(self):
        self.log.append("end")


class Plain:
    """Batches by number, of no base class."""

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return batch(i)


class Loader:
    """Batches from an iterator, each time anew."""

    def __iter__(self):
        return generate(4)


class Events(callbacks.Callback):
    """Notes which hooks are called with what."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __getattribute__(self, name):
        if not name.startswith("on_") or name in ("on_batch_begin", "on_batch_end"):
            return super().__getattribute__(name)

        def note(*args, logs=None):
            first = args[0] if args and not isinstance(args[0], dict) else ""
            self.seen.append(f"{name[3:]} {first}".strip())

        return note

    def _wants_batches(self, mode):
        return True


@pytest.fixture(params=["inline", "thread"])
def thread(request, monkeypatch):
    """Runs a test with batches made by the training thread, and again with a thread that makes them ahead."""
    monkeypatch.setattr(iterable_batches, "_WORTH_A_THREAD", 0.0 if request.param == "thread" else 1e9)
    return request.param == "thread"


def no_threads():
    left = [t for t in threading.enumerate() if t.name == "nabi-prefetch"]
    for one in left:
        one.join(timeout=10)  # only Ctrl-C at a thread's birth leaves it to end by itself
    return not any(one.is_alive() for one in left)


def weights_after_arrays(epochs=1):
    wanted = model()
    wanted.fit(X, Y, batch_size=11, shuffle=False, epochs=epochs, verbose=0)
    return wanted.get_weights()


def same(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


# Kinds


@pytest.mark.parametrize(
    "make",
    [
        lambda: generate(4),
        lambda: iter([batch(i) for i in range(4)]),
        lambda: Data(4),
        lambda: Data(4, workers=0),
        lambda: Data(4, workers=3),
        lambda: Data(4, workers=2, max_queue_size=1),
        lambda: Data(4, workers=2, use_multiprocessing=True),
        Plain,
        Loader,
    ],
)
def test_every_kind_gives_the_bits_of_arrays(make, thread):
    found = model()
    found.fit(make(), shuffle=False, verbose=0)
    same(found.get_weights(), weights_after_arrays())
    assert found.evaluate(make(), verbose=0) == found.evaluate(X, Y, batch_size=11, verbose=0)
    np.testing.assert_array_equal(found.predict(make(), verbose=0), found.predict(X, batch_size=11, verbose=0))
    assert no_threads()


@pytest.mark.parametrize("make", [lambda: Data(4), lambda: Data(4, workers=2), Plain, Loader])
def test_sources_that_start_over(make, thread):
    found = model()
    assert found.fit(make(), shuffle=False, epochs=3, verbose=0).epoch == [0, 1, 2]
    same(found.get_weights(), weights_after_arrays(epochs=3))


def test_forms_of_a_batch(thread):
    sums = []

    def data(form):
        for i in range(2):
            x, y = batch(i)
            yield form(x, y)

    for form in (
        lambda x, y: (x, y),
        lambda x, y: (np.asfortranarray(x), y.astype("float64")),
        lambda x, y: (x, y, np.ones(11)),
        lambda x, y: (x, y[:, 0]),
        lambda x, y: (x[::-1][::-1], y, None),
    ):
        found = model()
        sums.append(found.fit(data(form), verbose=0).history["loss"][0])
    np.testing.assert_allclose(sums, sums[0], rtol=1e-6)
    found = model()
    assert found.predict(((x,) for x in (X[:5], X[5:6])), verbose=0).shape == (6, 1)
    only_x = Plain()
    only_x.__class__ = type("OnlyX", (Plain,), {"__getitem__": lambda self, i: batch(i)[0]})
    assert found.predict(only_x, verbose=0).shape == (44, 1)


# Epochs


def test_hooks_of_a_data_set_and_its_order():
    for steps, epochs, wanted in (
        (None, 2, ["begin", 0, 1, 2, 3, "end", "begin", 0, 1, 2, 3, "end"]),
        (2, 3, ["begin", 0, 1, "end", "begin", 2, 3, "end", "begin", 0, 1, "end"]),
    ):
        data = Data(4)
        model().fit(data, steps_per_epoch=steps, epochs=epochs, shuffle=False, verbose=0)
        assert data.log == wanted
    data = Data(4)
    with pytest.warns(UserWarning, match="Your input ran out of data"):
        model().fit(data, steps_per_epoch=3, epochs=3, shuffle=False, verbose=0)
    assert data.log == ["begin", 0, 1, 2, "end", "begin", 3, "end", "begin", 0, 1, 2, "end"]
    data = Data(None)  # without end
    model().fit(data, steps_per_epoch=3, epochs=2, verbose=0)
    assert data.log == ["begin", 0, 1, 2, "end", "begin", 3, 4, 5, "end"]
    data = Data(3)
    model().fit(X, Y, epochs=2, verbose=0, validation_data=data, validation_steps=2)
    assert data.log == ["begin", 0, 1, "end"] * 2


def test_order_of_batches_is_shuffled():
    data = Data(40)
    model().fit(data, epochs=2, verbose=0)
    numbers = [entry for entry in data.log if isinstance(entry, int)]
    assert sorted(numbers[:40]) == sorted(numbers[40:]) == list(range(40))
    assert numbers[:40] != list(range(40)) and numbers[:40] != numbers[40:]


def test_hooks_in_order(thread):
    note = Events()
    model().fit(generate(100), steps_per_epoch=2, epochs=2, verbose=0, callbacks=[note], validation_data=Data(1))
    epoch = ["train_batch_begin 0", "train_batch_end 0", "train_batch_begin 1", "train_batch_end 1"]
    test = ["test_begin", "test_batch_begin 0", "test_batch_end 0", "test_end"]
    wanted = ["train_begin"]
    for number in range(2):
        wanted += [f"epoch_begin {number}", *epoch, *test, f"epoch_end {number}"]
    assert note.seen == [*wanted, "train_end"]
    note = Events()
    model().predict(Data(2), verbose=0, callbacks=[note])
    batches = [f"predict_batch_{what} {i}" for i in range(2) for what in ("begin", "end")]
    assert note.seen == ["predict_begin", *batches, "predict_end"]


def test_steps_per_execution():
    for data in (Data(4), (X, Y)):
        note = Events()
        several = model(steps_per_execution=3)
        x, y = data if isinstance(data, tuple) else (data, None)
        several.fit(x, y, batch_size=11 if y is not None else None, shuffle=False, verbose=0, callbacks=[note])
        assert [entry for entry in note.seen if "batch" in entry] == [
            "train_batch_begin 0",
            "train_batch_end 2",
            "train_batch_begin 3",
            "train_batch_end 3",
        ]
        same(several.get_weights(), weights_after_arrays())


def test_nothing_more_than_needed_is_taken(thread):
    log = []
    source = generate(100, log)
    first = model()
    first.fit(source, steps_per_epoch=4, epochs=2, verbose=0)
    assert log == list(range(8))
    first.fit(source, steps_per_epoch=4, epochs=1, verbose=0)
    assert log == list(range(12))
    first.evaluate(source, steps=2, verbose=0)
    first.predict(source, steps=2, verbose=0)
    assert log == list(range(16))


class StopAfter(callbacks.Callback):
    def __init__(self, number, begin=False):
        super().__init__()
        self.number, self.begin = number, begin

    def on_train_batch_begin(self, batch, logs=None):
        if self.begin and batch == self.number:
            self.model.stop_training = True

    def on_train_batch_end(self, batch, logs=None):
        if not self.begin and batch == self.number:
            self.model.stop_training = True


@pytest.mark.parametrize("begin", [False, True])
def test_stopping_loses_no_batch(thread, begin):
    """What a thread has made ahead is the beginning of the next fit on the same generator."""
    source, found = generate(8), model()
    history = found.fit(source, verbose=0, epochs=2, callbacks=[StopAfter(2, begin)])
    assert history.epoch == [0] and no_threads()
    with pytest.warns(UserWarning, match="ran out of data"):
        history = found.fit(source, verbose=0, epochs=2)
    assert history.epoch == [0]
    same(found.get_weights(), weights_after_arrays(epochs=2))


def test_stop_is_asked_for_before_an_epoch():
    """As in Keras, one batch is run."""
    note = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(found, "stop_training", True))
    found, events = model(), Events()
    found.fit(X, Y, batch_size=11, verbose=0, callbacks=[note])
    data = Data(4)
    found.fit(data, verbose=0, shuffle=False, callbacks=[note, events])
    assert data.log == ["begin", 0, "end"] and int(found.optimizer.iterations.numpy()) == 2


def test_early_stopping_leaves_no_thread(thread):
    stop = callbacks.EarlyStopping(monitor="loss", patience=0, min_delta=1e9)
    history = model().fit(generate(100), steps_per_epoch=5, epochs=9, verbose=0, callbacks=[stop])
    assert history.epoch == [0, 1] and no_threads()


def test_ends_early(thread):
    found = model()
    with pytest.warns(UserWarning, match="Your input ran out of data; interrupting training") as caught:
        history = found.fit(generate(6), steps_per_epoch=4, epochs=5, verbose=0)
    assert history.epoch == [0, 1] and len(caught) == 2  # the second epoch is short, the third has no batch
    assert len(history.history["loss"]) == 2 and found.history is history
    note = Events()
    with pytest.warns(UserWarning, match="Your input ran out of data"):
        history = found.fit(generate(4), epochs=3, verbose=0, callbacks=[note])
    assert history.epoch == [0] and note.seen[-1] == "train_end"
    with pytest.warns(UserWarning, match="Your input ran out of data"):
        history = found.fit(generate(8), steps_per_epoch=4, epochs=3, verbose=0)
    assert history.epoch == [0, 1]
    with pytest.warns(UserWarning, match="`validation_data` ran out of data"):
        history = found.fit(X, Y, epochs=3, verbose=0, validation_data=generate(2)).history
    assert len(history["loss"]) == 3 and len(history["val_loss"]) == 1
    with pytest.warns(UserWarning, match="Your input ran out of data"):
        assert found.predict(generate(2), steps=3, verbose=0).shape == (22, 1)


def test_unknown_length_is_shown(capsys):
    found = model()
    found.fit(generate(3), verbose=2)
    assert "3/3" in capsys.readouterr().out
    found.evaluate(generate(3), verbose=1)
    assert "3/3" in capsys.readouterr().out.replace("\x1b[1m", "")


def test_validation_by_a_generator_goes_on():
    log = []
    model().fit(X, Y, epochs=3, verbose=0, validation_data=generate(100, log), validation_steps=2)
    assert log == list(range(6))


# The thread


def test_the_next_batch_is_begun_before_a_step_ends(monkeypatch):
    """Counts: while step k has not ended, batch k + 1 is begun, because a thread makes it."""
    monkeypatch.setattr(iterable_batches, "_WORTH_A_THREAD", 0.0)
    begun = [threading.Event() for _ in range(6)]
    waited = []

    def source():
        for i in range(6):
            begun[i].set()
            yield batch(i)

    class Wait(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):  # step `batch` is not over before this returns
            if batch + 1 < len(begun):
                waited.append(begun[batch + 1].wait(timeout=30))

    history = model().fit(source(), steps_per_epoch=6, verbose=0, callbacks=[Wait()])
    assert waited == [True] * 5 and len(history.history["loss"]) == 1


def test_never_far_ahead(monkeypatch):
    monkeypatch.setattr(iterable_batches, "_WORTH_A_THREAD", 0.0)
    log, ahead = [], []
    note = callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: ahead.append(len(log) - batch - 1))
    model().fit(generate(30, log), verbose=0, callbacks=[note])
    assert max(ahead) <= 4  # two ready, one being made, one handed over


def test_cheap_batches_are_made_in_place(monkeypatch):
    monkeypatch.setattr(iterable_batches, "_WORTH_A_THREAD", 1e9)
    threads = set()

    def source():
        for i in range(8):
            threads.add(threading.current_thread())
            yield batch(i)

    model().fit(source(), verbose=0)
    assert threads == {threading.current_thread()}


@pytest.mark.parametrize(
    "make",
    [
        lambda item: type("D", (Data,), {"__getitem__": item})(8, workers=3),
        lambda item: type("D", (Data,), {"__getitem__": item})(8, workers=2, use_multiprocessing=True),
        lambda item: type("D", (Data,), {"__getitem__": item})(8),
    ],
)
def test_errors_of_a_data_set(make, thread):
    def item(self, i):
        return [batch(i) for i in range(3)][i]

    found = model()
    with pytest.raises(IndexError) as caught:
        found.fit(make(item), shuffle=False, verbose=0)
    assert int(found.optimizer.iterations.numpy()) == 3
    text = "".join(traceback.format_exception(caught.value))
    assert "in item" in text  # the user's own line
    assert no_threads()


def test_errors_of_a_generator(thread):
    def source():
        yield from generate(9)
        raise KeyError("mine")

    found = model()
    with pytest.raises(KeyError, match="mine") as caught:
        found.fit(source(), steps_per_epoch=4, epochs=4, verbose=0)
    assert "in source" in "".join(traceback.format_exception(caught.value))
    assert found.history.epoch == [0, 1] and len(found.history.history["loss"]) == 2
    assert int(found.optimizer.iterations.numpy()) == 9 and no_threads()


def test_ctrl_c(thread):
    def source():
        for i in range(100):
            if i == 6:
                signal.raise_signal(signal.SIGINT) if not thread else signal.pthread_kill(main, signal.SIGINT)
            yield batch(i)

    main = threading.main_thread().ident
    found = model()
    stream = source()
    with pytest.raises(KeyboardInterrupt):
        found.fit(stream, steps_per_epoch=4, epochs=9, verbose=0)
    assert found.history.epoch == [0] and no_threads()
    if thread:  # the generator itself was not interrupted, and gives the batches that come next
        done = int(found.optimizer.iterations.numpy())
        next_one = found.predict(stream, steps=1, verbose=0)  # at most the one in hand is lost
        assert any(np.array_equal(next_one, found(batch(i)[0])) for i in (done, done + 1))


def test_nothing_is_kept_alive(thread):
    closed = []

    def source():
        try:
            yield from generate(100)
        finally:
            closed.append(True)

    class Sized:
        def __len__(self):
            return 3

        def __iter__(self):
            return source()

    model().fit(source(), steps_per_epoch=3, verbose=0, callbacks=[StopAfter(1)])
    gc.collect()
    assert closed == [True]
    data = Sized()
    found = model()
    found.fit(data, verbose=0, epochs=2)
    assert closed == [True] * 3  # an iterator of ours is closed with its pass
    there = weakref.ref(data)
    del data
    gc.collect()
    assert there() is None


def test_workers_stop_with_the_fit():
    before = threading.active_count()
    model().fit(Data(20, workers=3), verbose=0, callbacks=[StopAfter(1)])
    assert threading.active_count() == before


# Traces


def test_nothing_is_traced_again(thread):
    found = model()
    ragged = [batch(0), batch(1), (X[:5], Y[:5])]
    rates = callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: setattr(found.optimizer, "learning_rate", 0.001 * (batch + 1))
    )
    slower = callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / (epoch + 1))

    class Ragged(Plain):
        def __len__(self):
            return 3

        def __getitem__(self, i):
            return ragged[i]

    arguments = {"epochs": 4, "verbose": 0, "callbacks": [slower, rates]}
    start = found._steps.traced
    found.fit(Ragged(), **arguments)
    assert found._steps.traced - start == 2  # whole batches and smaller ones
    for _ in range(3):
        found.fit(Ragged(), **arguments)
        found.fit(iter(ragged), verbose=0)
        found.fit(X[:27], Y[:27], batch_size=11, **arguments)
    assert found._steps.traced - start == 2
    for scale in (1.0, 2.0):  # weights are data
        found.fit(X, Y, batch_size=11, verbose=0, sample_weight=np.full(44, scale))
        found.fit(X, Y, batch_size=11, verbose=0, class_weight={0: scale})
    assert found._steps.traced - start == 3


def test_shapes_that_change(thread):
    """Twelve lengths stay traced; of forty, sixteen are kept."""
    found = Sequential([layers.Input((None, 4)), layers.GlobalAveragePooling1D(), layers.Dense(1)])
    found.compile("sgd", "mse")

    def lengths(number):
        for length in range(1, number + 1):
            yield np.zeros((3, length, 4), "float32"), np.zeros((3, 1), "float32")

    start = found._steps.traced
    for _ in range(3):
        found.fit(lengths(12), verbose=0)
    assert found._steps.traced - start == 12
    found.fit(lengths(40), verbose=0)
    assert len(found._steps._steps) == 16


# Errors


def bad(make, at):
    """Three batches, of which number `at` is another one."""
    for i in range(3):
        yield make(*batch(i)) if i == at else batch(i)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x, y: [x, y], "the generator must return a tuple, either"),
        (lambda x, y: (x, y, None, None), r"\(x, y, sample_weight\)`, found 4 entries"),
        (lambda x, y: (x[:, :3], y), "expected axis -1 of input shape to have value 4|incompatible shape"),
        (lambda x, y: (x[:0], y[:0]), "The data is empty: `x` has 0 samples"),
        (lambda x, y: (x, y[:5]), "Data cardinality is ambiguous"),
        (lambda x, y: (x, y, np.ones(3)), "'sample_weight' sizes: 3"),
        (lambda x, y: (x, None), "`y` must be given"),
        (lambda x, y: (x, y.astype(str)), "`y` must hold numbers"),
        (lambda x, y: (x[0], y), "cardinality is ambiguous|incompatible shape"),
        (lambda x, y: (x.tolist(), y), "`x` must have an axis of samples"),
    ],
)
@pytest.mark.parametrize("at", [0, 2])
def test_bad_batches(make, message, at, thread):
    found = model()
    with pytest.raises(ValueError, match=message):
        found.fit(bad(make, at), verbose=0)
    steps = int(found.optimizer.iterations.numpy()) if found.optimizer.built else 0
    assert steps == at and no_threads()


@pytest.mark.parametrize("label", [np.nan, 3.0, -1.0])
def test_bad_labels(label, thread):
    found = Sequential([layers.Input((4,)), layers.Dense(3, activation="softmax")])
    found.compile("sgd", "sparse_categorical_crossentropy")
    good = (X[:4], np.array([0.0, 1.0, 2.0, 0.0]))
    wrong = (X[:4], np.array([0.0, 1.0, label, 0.0]))
    with pytest.raises(ValueError, match="requires labels from 0 to 2"):
        found.fit(iter([good, wrong]), verbose=0)
    assert int(found.optimizer.iterations.numpy()) == 1


def test_arguments_that_do_not_go_with_a_data_set():
    found = model()
    for data, kind in ((generate(4), "generator"), (Data(4), "PyDataset")):
        with pytest.raises(ValueError, match=f"When providing `x` as a {kind}, `y` should not be passed. Instead, the"):
            found.fit(data, Y)
        with pytest.raises(ValueError, match="`sample_weights` should not be passed. Instead, the sample weights"):
            found.fit(data, sample_weight=Y)
        with pytest.raises(ValueError, match="`validation_split` is only supported for tensors or NumPy arrays"):
            found.fit(data, validation_split=0.2)
    with pytest.raises(ValueError, match="`class_weight` is not supported for Python generator inputs"):
        found.fit(generate(4), class_weight={0: 1.0})
    with pytest.raises(ValueError, match="the generator must yield at least one batch. Received an empty generator"):
        found.fit(generate(0))
    with pytest.raises(ValueError, match="The data is empty: `x` yields no batches"):
        found.fit(Data(0))
    weighted = type("W", (Data,), {"__getitem__": lambda self, i: (*batch(i), np.ones(11))})
    with pytest.raises(ValueError, match="You cannot specify `class_weight` and `sample_weight` at the same time"):
        found.fit(weighted(4), class_weight={0: 1.0})
    four = type("F", (Data,), {"__getitem__": lambda self, i: batch(i) * 2})
    with pytest.raises(ValueError, match=r"PyDataset.__getitem__\(\) must return a tuple or a dict"):
        found.fit(four(4))
    unsized = type("U", (utils.PyDataset,), {})
    with pytest.raises(NotImplementedError, match="You need to implement the `num_batches` property"):
        found.fit(unsized())
    sized = type("S", (utils.PyDataset,), {"__len__": lambda self: 2})
    with pytest.raises(NotImplementedError, match=r"must define `__getitem__\(index\)`"):
        found.fit(sized())
    assert not found.optimizer.built


def test_a_py_dataset_without_its_constructor():
    class Lazy(utils.PyDataset):
        def __init__(self):
            pass

        def __len__(self):
            return 2

        def __getitem__(self, i):
            return batch(i)

    with pytest.warns(UserWarning, match=r"should call `super\(\).__init__\(\*\*kwargs\)`"):
        model().fit(Lazy(), verbose=0)
    assert len(list(Lazy())) == 2
    assert utils.Sequence is utils.PyDataset
