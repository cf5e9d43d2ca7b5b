"""Weights files: layout, round trips, and what a bad file does."""

import os
import zipfile

import h5py
import numpy as np
import pytest

from nabi import layers, names
from nabi.models import Model, Sequential


@pytest.fixture(autouse=True)
def _fresh_names():
    names.reset_uids()


def cnn(units=5, compiled=True):
    model = Sequential(
        [
            layers.Input(shape=(8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(3, 2),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(units),
            layers.Dense(2, activation="softmax"),
        ]
    )
    if compiled:
        model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    return model


def images(rows=20):
    generator = np.random.default_rng(0)
    return generator.normal(size=(rows, 8, 8, 1)).astype("float32"), generator.integers(0, 2, rows)


def datasets(path):
    """Every dataset of a file and its shape and dtype."""
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = (item.shape, str(item.dtype))

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def test_layout(tmp_path):
    path = tmp_path / "m.weights.h5"
    model = cnn()
    model.fit(*images(), verbose=0)
    model.save_weights(path)
    found = datasets(path)
    expected = {
        "layers/conv2d/vars/0": (3, 3, 1, 4), "layers/conv2d/vars/1": (4,),
        "layers/batch_normalization/vars/0": (4,), "layers/batch_normalization/vars/1": (4,),
        "layers/batch_normalization/vars/2": (4,), "layers/batch_normalization/vars/3": (4,),
        "layers/conv2d_1/vars/0": (2, 2, 4, 3), "layers/conv2d_1/vars/1": (3,),
        "layers/dense/vars/0": (75, 5), "layers/dense/vars/1": (5,),
        "layers/dense_1/vars/0": (5, 2), "layers/dense_1/vars/1": (2,),
        "optimizer/vars/0": (), "optimizer/vars/1": (),
    }  # fmt: skip
    for i, variable in enumerate(model.trainable_variables):
        expected[f"optimizer/vars/{2 + 2 * i}"] = expected[f"optimizer/vars/{3 + 2 * i}"] = variable.shape
    assert {name: shape for name, (shape, _) in found.items()} == expected
    assert found.pop("optimizer/vars/0")[1] == "int32"
    assert {dtype for _, dtype in found.values()} == {"float32"}
    with h5py.File(path) as file:
        assert file["layers/flatten/vars"].attrs["name"] == "flatten"
        assert file["layers/batch_normalization/vars"].attrs["name"] == "batch_normalization"
        assert file["vars"].attrs["name"] == "sequential"
        assert len(file["vars"]) == 0


def test_round_trip_goes_on_training(tmp_path):
    x, y = images()
    first = cnn()
    first.fit(x, y, epochs=2, verbose=0)
    first.save_weights(tmp_path / "m.weights.h5")
    second = cnn()
    second.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(first.predict(x, verbose=0), second.predict(x, verbose=0))
    assert int(np.asarray(second.optimizer.iterations)) == 2
    results = [model.train_on_batch(x, y) for model in (first, second)]
    assert results[0] == pytest.approx(results[1], rel=0.5)  # dropout differs
    for a, b in zip(first.optimizer.variables, second.optimizer.variables, strict=True):
        assert a.shape == b.shape


def test_without_optimizer(tmp_path):
    model = cnn(compiled=False)
    model.save_weights(tmp_path / "m.weights.h5")
    assert not any(name.startswith("optimizer") for name in datasets(tmp_path / "m.weights.h5"))
    compiled = cnn()
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer"):
        compiled.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(compiled.get_weights()[0], model.get_weights()[0])


def test_optimizer_of_another_kind_is_skipped(tmp_path):
    x, y = images()
    model = cnn()
    model.fit(x, y, verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    other = cnn(compiled=False)
    other.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    other.optimizer.build(other.trainable_variables)
    with pytest.warns(UserWarning, match="Skipping variable loading for optimizer"):
        other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_nested_and_functional(tmp_path):
    inner = Sequential([layers.Input(shape=(4,)), layers.Dense(3)])
    Sequential([inner, layers.Dense(2)]).save_weights(tmp_path / "m.weights.h5")
    assert list(datasets(tmp_path / "m.weights.h5")) == [
        "layers/dense/vars/0", "layers/dense/vars/1",
        "layers/sequential/layers/dense/vars/0", "layers/sequential/layers/dense/vars/1",
    ]  # fmt: skip
    x = layers.Input(shape=(4,))
    Model(x, layers.Add()([layers.Dense(3)(x), layers.Dense(3)(x)])).save_weights(tmp_path / "f.weights.h5")
    with h5py.File(tmp_path / "f.weights.h5") as file:
        assert sorted(file["layers"]) == ["add", "dense", "dense_1", "input_layer"]


def test_subclass(tmp_path):
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(4)
            self.blocks = [layers.Dense(3), layers.Dense(3)]
            self.last = {"out": layers.Dense(2)}

        def call(self, x):
            x = self.first(x)
            for block in self.blocks:
                x = block(x)
            return self.last["out"](x)

    model, other = Net(), Net()
    x = np.ones((2, 5), "float32")
    assert not np.array_equal(model(x), other(x))
    model.save_weights(tmp_path / "m.weights.h5")
    assert list(datasets(tmp_path / "m.weights.h5")) == [
        f"{name}/vars/{i}" for name in ("blocks/dense", "blocks/dense_1", "first", "last/dense") for i in (0, 1)
    ] or "layers/dense_3/vars/0" in datasets(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(model(x), other(x))


def test_own_storing(tmp_path):
    class Doubled(layers.Dense):
        def save_own_variables(self, store):
            store["twice"] = self.kernel.numpy() * 2

        def load_own_variables(self, store):
            self.kernel.assign(store["twice"] / 2)

    model = Sequential([layers.Input(shape=(3,)), Doubled(2)])
    model.save_weights(tmp_path / "m.weights.h5")
    kernel = model.get_weights()[0]
    model.set_weights([kernel * 0, np.ones(2)])
    model.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(model.get_weights()[0], kernel)


def test_weights_inside_a_keras_file(tmp_path):
    model = cnn(compiled=False)
    model.save_weights(tmp_path / "m.weights.h5")
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.write(tmp_path / "m.weights.h5", "model.weights.h5")
    other = cnn(compiled=False)
    other.load_weights(tmp_path / "m.keras")
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    (tmp_path / "bad.keras").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is no `.keras` file with weights in it"):
        other.load_weights(tmp_path / "bad.keras")


def test_mismatch_changes_nothing(tmp_path):
    cnn(units=5, compiled=False).save_weights(tmp_path / "m.weights.h5")
    other = cnn(units=6, compiled=False)
    before = other.get_weights()
    with pytest.raises(ValueError, match=r"expected variable 'kernel' to have shape \(75, 6\), but .* \(75, 5\)"):
        other.load_weights(tmp_path / "m.weights.h5")
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.warns(UserWarning, match="It keeps its present values"):
        other.load_weights(tmp_path / "m.weights.h5", skip_mismatch=True)
    assert not np.array_equal(before[0], other.get_weights()[0])


def test_missing_layer(tmp_path):
    Sequential([layers.Input(shape=(4,)), layers.Dense(3)]).save_weights(tmp_path / "m.weights.h5")
    other = Sequential([layers.Input(shape=(4,)), layers.Dense(3), layers.Dense(3)])
    with pytest.raises(ValueError, match="Layer 'dense_2' expected 2 variables, but received 0 variables"):
        other.load_weights(tmp_path / "m.weights.h5")


def test_errors(tmp_path, monkeypatch):
    model = cnn(compiled=False)
    with pytest.raises(ValueError, match="The filename must end in `.weights.h5`. Received: filepath=w.h5"):
        model.save_weights("w.h5")
    with pytest.raises(ValueError, match="You are saving a model that has not yet been built"):
        Sequential([layers.Dense(2)]).save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(ValueError, match="You are loading weights into a model that has not yet been built"):
        model.save_weights(tmp_path / "m.weights.h5")
        Sequential([layers.Dense(2)]).load_weights(tmp_path / "m.weights.h5")
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: '.*none/m.weights.h5'$"):
        model.save_weights(tmp_path / "none" / "m.weights.h5")
    (tmp_path / "folder.weights.h5").mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder.weights.h5'$"):
        model.save_weights(tmp_path / "folder.weights.h5")
    with pytest.raises(FileNotFoundError, match="No weights file at"):
        model.load_weights(tmp_path / "none.weights.h5")
    with pytest.raises(ValueError, match="must end in `.weights.h5`, `.keras`, `.h5` or `.hdf5`"):
        model.load_weights("weights.txt")
    (tmp_path / "bad.weights.h5").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is not a readable weights file"):
        model.load_weights(tmp_path / "bad.weights.h5")
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(FileExistsError, match="exists already; pass `overwrite=True`"):
        model.save_weights(tmp_path / "m.weights.h5", overwrite=False)
    with pytest.raises(NotImplementedError, match="`max_shard_size` is not supported"):
        model.save_weights(tmp_path / "m.weights.h5", max_shard_size=1)


def test_links_are_refused(tmp_path):
    model = Sequential([layers.Input(shape=(4,)), layers.Dense(3)])
    path = tmp_path / "m.weights.h5"
    model.save_weights(path)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.zeros((4, 3), "float32")
    with h5py.File(path, "a") as file:
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "secret")
    with pytest.raises(ValueError, match="holds a link at '/layers/dense/vars/0', which is refused"):
        model.load_weights(path)


def test_failed_save_leaves_the_old_file(tmp_path):
    class Broken(layers.Dense):
        def save_own_variables(self, store):
            raise OSError("disk full")

    path = tmp_path / "m.weights.h5"
    cnn(compiled=False).save_weights(path)
    before = path.read_bytes()
    with pytest.raises(OSError, match="disk full"):
        Sequential([layers.Input(shape=(4,)), Broken(3)]).save_weights(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.weights.h5"]


def test_saved_file_has_ordinary_permissions(tmp_path):
    cnn(compiled=False).save_weights(tmp_path / "m.weights.h5")
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "m.weights.h5").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_without_h5py(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match="Weights files need the h5py package: `pip install h5py`"):
        cnn(compiled=False).save_weights(tmp_path / "m.weights.h5")
