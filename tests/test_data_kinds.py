"""fit on arrays of every kind: tables, memory maps, tensors of other libraries, dicts by name, and what is refused."""

import subprocess
import sys

import numpy as np
import pytest

from nabi import layers, utils
from nabi.models import Model, Sequential
from nabi.training.data_adapters import as_array, is_array_like

X = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
Y = X @ np.ones((4, 1), "float32")


def model(inputs=4):
    found = Sequential([layers.Input((inputs,)), layers.Dense(1)])
    found.set_weights([np.full((inputs, 1), 0.1), np.zeros(1)])
    found.compile("sgd", "mse")
    return found


def two():
    a, b = layers.Input((4,), name="a"), layers.Input((4,), name="b")
    joined = layers.Concatenate()([a, b])
    outputs = {"p": layers.Dense(1, name="p")(joined), "q": layers.Dense(1, name="q")(joined)}
    found = Model({"a": a, "b": b}, outputs)
    found.compile("sgd", {"p": "mse", "q": "mae"})
    return found


class Tensor:
    """What a tensor of another library offers: a shape and a way to NumPy."""

    def __init__(self, value, grad=False):
        self._value, self.grad = value, grad
        self.shape, self.dtype = value.shape, value.dtype

    def detach(self):
        return Tensor(self._value)

    def cpu(self):
        return self

    def __array__(self, dtype=None, copy=None):
        if self.grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return self._value


Tensor.__module__ = "torch"


@pytest.mark.parametrize(
    "convert",
    [
        Tensor,
        lambda value: Tensor(value, grad=True),
        memoryview,
        lambda value: value.astype(">f4"),
        lambda value: value.astype("longdouble"),
        lambda value: np.ma.masked_array(value),
        lambda value: np.lib.stride_tricks.as_strided(value, value.shape, value.strides),
    ],
)
def test_other_arrays(convert):
    found, wanted = model(), model()
    wanted.fit(X, Y, shuffle=False, verbose=0)
    x = convert(X)
    if not is_array_like(x):
        pytest.raises(ValueError, found.fit, x, Y)
        return
    found.fit(x, convert(Y), shuffle=False, verbose=0)
    np.testing.assert_array_equal(found.get_weights()[0], wanted.get_weights()[0])

    class Batches(utils.PyDataset):
        num_batches = 2

        def __getitem__(self, i):
            return (convert(X[32 * i : 32 * i + 32]), convert(Y[32 * i : 32 * i + 32]))

    again = model()
    again.fit(Batches(), shuffle=False, verbose=0)
    np.testing.assert_array_equal(again.get_weights()[0], wanted.get_weights()[0])


def test_tables():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, index=np.arange(40)[::-1])
    frame[0] = frame[0].astype("float64")
    found, wanted = model(), model()
    wanted.fit(X, Y, shuffle=False, verbose=0, validation_split=0.25, sample_weight=Y[:, 0])
    history = found.fit(
        frame,
        pandas.Series(Y[:, 0]),
        shuffle=False,
        verbose=0,
        validation_split=0.25,
        sample_weight=pandas.Series(Y[:, 0])[:40].to_numpy(),
    )
    np.testing.assert_array_equal(found.get_weights()[0], wanted.get_weights()[0])
    assert history.history == wanted.history.history
    whole = pandas.DataFrame({"a": np.arange(4), "b": [True, False, True, True]})
    assert model(2).predict(whole, verbose=0).shape == (4, 1)
    with pytest.raises(ValueError, match="`x` must hold numbers. Received an array of dtype object"):
        model(2).predict(pandas.DataFrame({"a": [1, 2], "b": ["one", "two"]}))


def test_pandas_is_not_imported():
    code = (
        "import sys, numpy as np, nabi; m = nabi.Sequential([nabi.layers.Input((4,)), nabi.layers.Dense(1)]);"
        "m.compile('sgd', 'mse'); m.fit(np.zeros((8, 4)), np.zeros((8, 1)), verbose=0);"
        "m.fit(iter([(np.zeros((8, 4)), np.zeros((8, 1)))]), verbose=0);"
        "assert not {'pandas', 'torch', 'tensorflow', 'multiprocessing'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_memory_map_is_never_copied(tmp_path, monkeypatch):
    file = np.memmap(tmp_path / "x", "float32", "w+", shape=(40, 4))
    file[:] = X
    assert np.shares_memory(as_array(file, "x"), file)
    found, wanted = model(), model()
    monkeypatch.setattr(np.memmap, "astype", None)  # anything that copies the whole would need it
    found.fit(file, Y, validation_split=0.2, shuffle=False, verbose=0)
    wanted.fit(X, Y, validation_split=0.2, shuffle=False, verbose=0)
    np.testing.assert_array_equal(found.get_weights()[0], wanted.get_weights()[0])


def test_dicts_by_name():
    x, y = {"b": X, "a": X[::-1]}, {"q": Y, "p": Y[::-1]}
    found = two()
    start = found.get_weights()
    runs = []
    for inputs, weights in (
        (x, None),
        ({"a": x["a"], "b": x["b"]}, None),
        ({**x, "unused": X}, None),
        (x, {"q": np.ones(40), "p": np.ones(40)}),
        (x, np.ones(40)),
    ):
        found.set_weights(start)
        history = found.fit(inputs, y, sample_weight=weights, shuffle=False, verbose=0).history
        runs.append([*found.get_weights(), history["loss"][0], history["p_loss"][0]])
    for run in runs[1:]:
        for a, b in zip(run, runs[0], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6)
    with pytest.raises(ValueError, match='Missing data for input "b". You passed a data dictionary with keys'):
        found.fit({"a": X, "c": X}, y, verbose=0)
    for wrong in ({"q": Y, "r": Y}, {"p": Y, "q": Y, "r": Y}):
        with pytest.raises(ValueError, match=r"Expected `y` to have the keys \['p', 'q'\]. Received keys: "):
            found.fit(x, wrong, verbose=0)
    with pytest.raises(ValueError, match=r"`y` must have targets for output 'p', which has a loss. Received: \['q'\]"):
        found.fit(x, {"q": Y}, verbose=0)


def test_packing():
    x, y, w = utils.unpack_x_y_sample_weight((X, Y))
    assert x is X and y is Y and w is None
    assert utils.pack_x_y_sample_weight(X) is X
    assert utils.pack_x_y_sample_weight([X]) == ([X],)
    assert utils.pack_x_y_sample_weight(X, Y) == (X, Y)
    assert len(utils.pack_x_y_sample_weight(X, Y, Y)) == 3
    with pytest.raises(ValueError, match="found 4 entries"):
        utils.unpack_x_y_sample_weight((X, Y, Y, Y))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), "'sample_weight' sizes: 3"),
        (np.ones((40, 2)), "should only have one scalar score per sample"),
        (
            {"p": np.ones(40), "zz": np.ones(40)},
            "one `sample_weight` array per output in `y`",
        ),
        (["a"] * 40, "Unrecognized data type: sample_weight="),
    ],
)
def test_weights_of_several_outputs(weights, message):
    with pytest.raises(ValueError, match=message):
        two().fit({"a": X, "b": X}, {"p": Y, "q": Y}, sample_weight=weights, verbose=0)


def test_a_torch_dataset_is_no_data_set_of_batches():
    kind = type("Dataset", (), {"__len__": lambda self: 3, "__getitem__": lambda self, i: X[i]})
    kind.__module__ = "torch.utils.data.dataset"
    with pytest.raises(ValueError, match="A torch Dataset holds samples; pass a torch DataLoader"):
        model().fit(kind())


def test_what_a_data_set_says_of_its_length():
    class Cardinal:
        def __init__(self, size):
            self.size = size

        def __len__(self):
            raise TypeError("The dataset is infinite.")

        def cardinality(self):
            return np.int64(self.size)

        def __iter__(self):
            return ((X[:8], Y[:8]) for _ in range(5))

    steps = []
    for size in (5, -1, -2):
        found = model()
        history = found.fit(Cardinal(size), epochs=2, verbose=0, steps_per_epoch=None if size == 5 else 2)
        steps.append((history.params["steps"], int(found.optimizer.iterations.numpy())))
    assert steps == [(5, 10), (2, 4), (2, 4)]
