"""Whole models on disk: `.keras`, `.h5` and `.hdf5` files, and files of Keras 1 and 2."""

from __future__ import annotations

import json
import warnings
import zipfile

import h5py
import numpy as np
import pytest

import nabi
from nabi import layers, models, optimizers, saving

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")

X = np.random.default_rng(0).normal(size=(24, 6)).astype("float32")
Y = np.eye(3, dtype="float32")[np.random.default_rng(1).integers(0, 3, 24)]


def sequential():
    model = nabi.Sequential(
        [layers.Input((6,)), layers.Dense(8, activation="relu"), layers.BatchNormalization(), layers.Dense(3)]
    )
    model.compile(optimizers.Adam(0.01), "mse", metrics=["accuracy"])
    return model


def functional():
    a = layers.Input((6,), name="a")
    inner = nabi.Sequential([layers.Input((6,)), layers.Dense(4, activation="tanh"), layers.Dense(3)], name="inner")
    x = layers.Add()([inner(a), layers.Dense(3)(a)])
    model = nabi.Model(a, layers.Softmax()(x * 2.0))
    model.compile(optimizers.SGD(0.1, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize("make", [sequential, functional])
@pytest.mark.parametrize("ending", ["keras", "h5", "hdf5"])
def test_a_model_comes_back_and_trains_on_as_if_nothing_had_been(tmp_path, make, ending):
    model = make()
    model.fit(X, Y, epochs=2, verbose=0)
    path = tmp_path / f"model.{ending}"
    model.save(path)
    again = models.load_model(path)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    left, right = (m.fit(X, Y, epochs=2, shuffle=False, verbose=0).history for m in (model, again))
    assert left == right
    assert list(again.predict(X, verbose=0).shape) == [24, 3]
    uncompiled = models.load_model(path, compile=False)
    assert not uncompiled.compiled


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_weights_of_a_whole_model_go_into_another(tmp_path, ending):
    model, other = functional(), functional()
    path = tmp_path / f"model.{ending}"
    model.save(path)
    other.load_weights(path)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_a_keras_file_holds(tmp_path):
    sequential().save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        assert set(archive.namelist()) == {"metadata.json", "config.json", "model.weights.h5"}
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        config = json.loads(archive.read("config.json"))
    assert config["module"] == "keras"
    assert config["class_name"] == "Sequential"
    assert config["compile_config"]["optimizer"]["class_name"] == "Adam"


def test_many_names_are_split_over_attributes(tmp_path):
    model = nabi.Sequential([layers.Input((2,))])
    for i in range(40):
        model.add(layers.Dense(2, name=f"layer_{i}_" + "x" * 2000))
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert "layer_names0" in file["model_weights"].attrs
    again = models.load_model(tmp_path / "m.h5", compile=False)
    np.testing.assert_array_equal(again.get_weights()[-2], model.get_weights()[-2])


def by_names(tmp_path, **kwargs):
    model = nabi.Sequential([layers.Input((6,)), layers.Dense(4, name="one"), layers.Dense(3, name="two")])
    other = nabi.Sequential([layers.Input((6,)), layers.Dense(4, name="one"), layers.Dense(5, name="three")])
    model.save(tmp_path / "m.h5")
    before = other.layers[1].get_weights()
    other.load_weights(tmp_path / "m.h5", by_name=True, **kwargs)
    np.testing.assert_array_equal(other.layers[0].get_weights()[0], model.layers[0].get_weights()[0])
    np.testing.assert_array_equal(other.layers[1].get_weights()[0], before[0])


def test_by_name(tmp_path):
    by_names(tmp_path)


def test_weights_that_do_not_fit_change_nothing(tmp_path):
    model = sequential()
    model.save(tmp_path / "m.h5")
    other = nabi.Sequential([layers.Input((6,)), layers.Dense(8), layers.BatchNormalization(), layers.Dense(4)])
    before = other.get_weights()
    with pytest.raises(
        ValueError, match=r"for weight kernel: the layer expects shape \(8, 4\), the file holds \(8, 3\)"
    ):
        other.load_weights(tmp_path / "m.h5")
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.warns(UserWarning, match="keeps its present values"):
        other.load_weights(tmp_path / "m.h5", skip_mismatch=True)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])
    short = nabi.Sequential([layers.Input((6,)), layers.Dense(8)])
    with pytest.raises(ValueError, match="Model expected 1 layers, found 3 saved layers"):
        short.load_weights(tmp_path / "m.h5")
    with pytest.raises(ValueError, match="`by_name` is for"):
        model.save_weights(tmp_path / "w.weights.h5")
        model.load_weights(tmp_path / "w.weights.h5", by_name=True)


def test_endings_and_missing_files(tmp_path):
    model = sequential()
    with pytest.raises(ValueError, match="Invalid filepath extension for saving"):
        model.save(tmp_path / "model")
    with pytest.raises(ValueError, match="`save_format` argument is gone"):
        model.save(tmp_path / "m.keras", save_format="tf")
    with pytest.raises(ValueError, match="not supported: \\['nonsense'\\]"):
        model.save(tmp_path / "m.keras", nonsense=1)
    with pytest.raises(NotImplementedError, match="zipped=False"):
        model.save(tmp_path / "m.keras", zipped=False)
    with pytest.raises(ValueError, match="File format not supported"):
        models.load_model(tmp_path / "m.txt")
    for ending in ("keras", "h5"):
        with pytest.raises(ValueError, match="File not found"):
            models.load_model(tmp_path / f"none.{ending}")
        (tmp_path / f"bad.{ending}").write_bytes(b"nothing of the kind")
        with pytest.raises(ValueError, match=r"is (no `.keras` file|not a readable model file)"):
            models.load_model(tmp_path / f"bad.{ending}")
    model.save(tmp_path / "m.keras")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.save(tmp_path / "m.keras", overwrite=False)
    model.save_weights(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match="weights only"):
        saving.load_model(tmp_path / "w.weights.h5")
    with pytest.raises(ValueError, match="must be built"):
        nabi.Sequential([layers.Dense(1)]).save(tmp_path / "m.h5")


def test_hdf5_is_said_to_be_old(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="considered legacy"):
            sequential().save(tmp_path / "m.h5")
    assert not (tmp_path / "m.h5").exists()


class Scaled(layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_layers_of_users(tmp_path, ending):
    model = nabi.Sequential([layers.Input((6,)), layers.Dense(2), Scaled(3.0)])
    path = tmp_path / f"m.{ending}"
    model.save(path)
    again = models.load_model(path, custom_objects={"Scaled": Scaled}, compile=False)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    with pytest.raises((TypeError, ValueError), match="Scaled"):
        models.load_model(path)


class Own(nabi.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = layers.Dense(units)

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return {"units": self.units, "name": self.name}


def test_subclassed_models(tmp_path):
    model = Own()
    model(X)
    with pytest.raises(NotImplementedError, match="Functional model or a Sequential model"):
        model.save(tmp_path / "m.h5")
    model.save(tmp_path / "m.keras")
    again = models.load_model(tmp_path / "m.keras", custom_objects={"Own": Own})
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_lambdas_are_code(tmp_path):
    model = nabi.Sequential([layers.Input((6,)), layers.Lambda(lambda x: x * 2)])
    with pytest.warns(UserWarning, match="`lambda`"):
        model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="safe_mode=False"):
        models.load_model(tmp_path / "m.keras")
    again = models.load_model(tmp_path / "m.keras", safe_mode=False)
    np.testing.assert_array_equal(again.predict(X, verbose=0), X * 2)


# ---------------------------------------------------------------------------------------------------------------------
# Files of Keras 2
# ---------------------------------------------------------------------------------------------------------------------
def keras_2_file(path, kernel, bias):
    """A file as Keras 2.3.1 wrote it: input shape in the first layer, names with :0, slots one kind after another."""

    def entry(name, units, activation, **more):
        initializer = {
            "class_name": "VarianceScaling",
            "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None},
        }
        return {
            "class_name": "Dense",
            "config": {
                "name": name,
                "trainable": True,
                "dtype": "float32",
                "units": units,
                "activation": activation,
                "use_bias": True,
                "kernel_initializer": initializer,
                "bias_initializer": {"class_name": "Zeros", "config": {}},
                "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 0.0, "l2": 0.01}},
                "bias_regularizer": None,
                "activity_regularizer": None,
                "kernel_constraint": None,
                "bias_constraint": None,
                **more,
            },
        }

    config = {
        "class_name": "Sequential",
        "config": {
            "name": "sequential_1",
            "layers": [entry("dense_1", 4, "relu", batch_input_shape=[None, 6]), entry("dense_2", 3, "softmax")],
        },
    }
    training = {
        "optimizer_config": {
            "class_name": "Adam",
            "config": {"lr": 0.125, "beta_1": 0.9, "beta_2": 0.999, "decay": 0.0, "epsilon": 1e-07, "amsgrad": False},
        },
        "loss": "mse",
        "metrics": ["accuracy"],
        "sample_weight_mode": None,
        "loss_weights": None,
    }
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"2.3.1"
        file.attrs["backend"] = b"tensorflow"
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["training_config"] = json.dumps(training).encode()
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"dense_1", b"dense_2"]
        slots = []
        for name, k, b in zip(("dense_1", "dense_2"), kernel, bias, strict=True):
            group = weights.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            group[f"{name}/kernel:0"], group[f"{name}/bias:0"] = k, b
            slots += [k, b]
        group = file.create_group("optimizer_weights")
        names = ["training/Adam/iterations:0"]
        group[names[0]] = np.int64(7)
        for kind, scale in (("m", 2.0), ("v", 3.0)):
            for i, slot in enumerate(slots):
                names.append(f"training/Adam/{kind}_{i}:0")
                group[names[-1]] = slot * scale
        group.attrs["weight_names"] = [name.encode() for name in names]


def test_a_file_of_keras_2(tmp_path):
    rng = np.random.default_rng(0)
    kernel = [rng.normal(size=(6, 4)).astype("float32"), rng.normal(size=(4, 3)).astype("float32")]
    bias = [np.ones(4, "float32"), np.zeros(3, "float32")]
    keras_2_file(tmp_path / "old.h5", kernel, bias)
    model = models.load_model(tmp_path / "old.h5")
    hidden = np.maximum(X @ kernel[0] + bias[0], 0) @ kernel[1]
    expected = np.exp(hidden - hidden.max(1, keepdims=True))
    np.testing.assert_allclose(model.predict(X, verbose=0), expected / expected.sum(1, keepdims=True), rtol=1e-5)
    assert [layer.name for layer in model.layers] == ["dense_1", "dense_2"]
    assert model.layers[0].kernel_regularizer.l2 == pytest.approx(0.01)
    optimizer = model.optimizer
    assert float(optimizer.learning_rate.numpy()) == 0.125
    assert int(optimizer.iterations.numpy()) == 7
    by_name = {v.path.split("/")[-1]: v.numpy() for v in optimizer.variables}
    momentum = next(v for name, v in by_name.items() if "dense_1_kernel" in name and "momentum" in name)
    velocity = next(v for name, v in by_name.items() if "dense_2_kernel" in name and "velocity" in name)
    np.testing.assert_allclose(momentum, kernel[0] * 2)
    np.testing.assert_allclose(velocity, kernel[1] * 3)
    model.fit(X, Y, verbose=0)
