"""Keras 1 and 2 spellings mean what their authors meant; without nabi.legacy they are Keras 3's errors."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest

import nabi
from nabi import legacy


def blobs(n=64, classes=3):
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, n)
    x = (np.eye(classes)[y] * 3 + rng.normal(size=(n, classes)) * 0.1).astype("float32")
    return x, y


# ---------------------------------------------------------------------------------------------------------------------
# Layers
# ---------------------------------------------------------------------------------------------------------------------
def layers_of_keras_1():
    from keras.constraints import maxnorm
    from keras.layers import (
        AveragePooling1D,
        BatchNormalization,
        Conv2D,
        Convolution1D,
        Convolution2D,
        Dense,
        Dropout,
        GaussianNoise,
        LeakyReLU,
        MaxPooling2D,
    )
    from keras.regularizers import l2

    return [
        (lambda: Dense(output_dim=7, init="uniform", bias=False), {"units": 7, "use_bias": False}),
        (lambda: Dense(7, W_constraint=maxnorm(3)).kernel_constraint, {"max_value": 3}),
        (lambda: Dense(7, W_regularizer=l2(0.5)).kernel_regularizer, {"l2": 0.5}),
        (lambda: Dropout(p=0.25), {"rate": 0.25}),
        (lambda: GaussianNoise(sigma=0.5), {"stddev": 0.5}),
        (lambda: LeakyReLU(alpha=0.125), {"negative_slope": 0.125}),
        (lambda: BatchNormalization(mode=0, gamma_init="ones", fused=True), {"axis": -1}),
        (
            lambda: Convolution2D(8, 3, 5, border_mode="same", subsample=(2, 2), dim_ordering="tf"),
            {"kernel_size": (3, 5), "padding": "same", "strides": (2, 2), "data_format": "channels_last"},
        ),
        (lambda: Convolution2D(nb_filter=8, nb_row=3, nb_col=2), {"filters": 8, "kernel_size": (3, 2)}),
        (lambda: Conv2D(8, 5, 1), {"kernel_size": (5, 5), "strides": (1, 1)}),
        (lambda: Conv2D(8, 3, 2), {"kernel_size": (3, 3), "strides": (2, 2)}),
        (lambda: Conv2D(8, (3, 3), (2, 2)), {"kernel_size": (3, 3), "strides": (2, 2)}),
        (
            lambda: Convolution1D(nb_filter=4, filter_length=3, subsample_length=2),
            {"filters": 4, "kernel_size": (3,), "strides": (2,)},
        ),
        (lambda: AveragePooling1D(pool_length=2, stride=1), {"pool_size": (2,), "strides": (1,)}),
        (lambda: MaxPooling2D((2, 2), border_mode="same", dim_ordering="th"), {"data_format": "channels_first"}),
    ]


@pytest.mark.parametrize("case", range(15))
def test_arguments_of_layers(case):
    make, expected = layers_of_keras_1()[case]
    config = make()
    values = vars(config)
    for name, value in expected.items():
        found = values.get(name, values.get("_" + name, getattr(config, name, None)))
        assert (found.tolist() if isinstance(found, np.ndarray) else found) == pytest.approx(value), name


def test_keras_1_convolution_is_said_once():
    from keras.layers import Conv2D

    with pytest.warns(UserWarning, match=r"Conv2D\(8, 3, 3\) is taken as Keras 1's filters and kernel size \(3, 3\)"):
        layer = Conv2D(8, 3, 3)
    assert layer.kernel_size == (3, 3)
    assert layer.strides == (1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Conv2D(8, 3, 3)


def test_input_shapes_of_first_layers():
    from keras.layers import Dense, Flatten
    from keras.models import Sequential

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Keras 3's advice about Input is not for old programs
        assert Sequential([Dense(3, input_dim=4)]).input_shape == (None, 4)
        assert Sequential([Flatten(input_shape=(2, 3))]).output_shape == (None, 6)
        assert Sequential([Dense(3, batch_input_shape=(5, 4))]).input_shape == (5, 4)
        assert Sequential([Dense(3, input_shape=4)]).input_shape == (None, 4)


def test_weights_given_to_the_constructor():
    from keras.layers import Dense
    from keras.models import Sequential

    kernel, bias = np.arange(6.0).reshape(2, 3), np.ones(3)
    model = Sequential([Dense(3, input_dim=2, weights=[kernel, bias])])
    np.testing.assert_array_equal(model.get_weights()[0], kernel)
    np.testing.assert_array_equal(model.get_weights()[1], bias)


def test_attributes_of_layers():
    from keras.layers import Dense, Input

    x = Input(shape=(4,))
    dense = Dense(3)
    y = dense(x)
    assert dense.input_shape == (None, 4)
    assert dense.output_shape == (None, 3)
    assert dense.get_output_at(0) is y
    assert dense.get_input_shape_at(0) == (None, 4)
    assert dense.W is dense.kernel
    assert dense.b is dense.bias
    with pytest.raises(ValueError, match="was called 1 times; there is no output at node_index=1"):
        dense.get_output_at(1)
    with pytest.raises(AttributeError, match="has never been called"):
        _ = Dense(2).output
    with pytest.raises(AttributeError, match="'Dense' object has no attribute 'nothing'"):
        _ = dense.nothing


def test_layers_of_users_in_the_old_style():
    from keras import backend as K
    from keras.engine.topology import Layer
    from keras.models import Sequential

    class MyLayer(Layer):
        def __init__(self, output_dim, **kwargs):
            self.output_dim = output_dim
            super().__init__(**kwargs)

        def build(self, input_shape):
            self.W = self.add_weight("kernel", shape=(input_shape[1], self.output_dim), initializer="uniform")
            super().build(input_shape)

        def call(self, x):
            return K.dot(x, self.W)

        def compute_output_shape(self, input_shape):
            return input_shape[0], self.output_dim

    model = Sequential([MyLayer(5, input_shape=(3,))])
    assert model.output_shape == (None, 5)
    assert model.layers[0].W.shape == (3, 5)
    assert model.count_params() == 15


def test_merge_and_models_by_their_old_arguments():
    from keras.layers import Dense, Input, merge
    from keras.models import Model

    a = Input(shape=(4,))
    b, c = Dense(3)(a), Dense(3)(a)
    assert Model(input=a, output=merge([b, c], mode="concat")).output_shape == (None, 6)
    assert Model(input=[a], output=[merge([b, c], mode="sum")]).output_shape == (None, 3)
    with pytest.raises(ValueError, match="`mode` of merge must be one of"):
        merge([b, c], mode="sub")
    from keras.layers import Merge

    with pytest.raises(NotImplementedError, match="concatenate"):
        Merge([Dense(1), Dense(1)], mode="concat")


# ---------------------------------------------------------------------------------------------------------------------
# Optimizers
# ---------------------------------------------------------------------------------------------------------------------
def test_learning_rates():
    from keras import backend as K
    from keras.optimizers import SGD, Adam, adam, rmsprop

    assert float(np.asarray(Adam(lr=0.5).learning_rate)) == 0.5
    assert float(np.asarray(SGD(1).lr)) == 1.0
    assert float(np.asarray(SGD(np.float32(0.25)).lr)) == 0.25
    assert adam is Adam
    assert float(np.asarray(rmsprop(lr=1, epsilon=None).lr)) == 1.0
    optimizer = SGD(lr=0.1)
    K.set_value(optimizer.lr, 0.2)
    assert K.get_value(optimizer.lr) == np.float32(0.2)
    optimizer.lr = 0.3
    assert K.get_value(optimizer.lr) == np.float32(0.3)


def test_decay_is_applied_as_in_keras_2():
    from keras.layers import Dense
    from keras.models import Sequential
    from keras.optimizers import SGD

    with pytest.warns(UserWarning, match="decay=0.5 is applied"):
        optimizer = SGD(lr=0.1, decay=0.5)
    model = Sequential([Dense(1, input_dim=1, use_bias=False, weights=[np.ones((1, 1))])])
    model.compile(optimizer, loss=lambda y, p: p)  # the gradient is the mean input: 1
    model.fit(np.ones((4, 1)), np.zeros((4, 1)), batch_size=1, epochs=1, shuffle=False, verbose=0)
    expected = 1.0 - sum(0.1 / (1 + 0.5 * t) for t in range(4))
    np.testing.assert_allclose(model.get_weights()[0], [[expected]], rtol=1e-5)


# ---------------------------------------------------------------------------------------------------------------------
# Training
# ---------------------------------------------------------------------------------------------------------------------
def classifier(metrics=("accuracy",)):
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential([Dense(8, activation="relu", input_dim=3), Dense(3, activation="softmax")])
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=metrics)
    return model


def test_fit_of_keras_1():
    from keras.callbacks import EarlyStopping, LearningRateScheduler, ReduceLROnPlateau
    from keras.utils import np_utils

    x, y = blobs()
    one_hot = np_utils.to_categorical(y, nb_classes=3)
    assert one_hot.dtype == np.float32
    model = classifier("accuracy")
    with pytest.warns(UserWarning, match="taken as `min_delta`"):
        plateau = ReduceLROnPlateau("val_acc", epsilon=0.5, patience=1)
    assert plateau.min_delta == 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no "which is not available"
        history = model.fit(
            x,
            one_hot,
            nb_epoch=3,
            show_accuracy=True,
            validation_split=0.25,
            verbose=0,
            callbacks=[
                EarlyStopping("val_acc", patience=9),
                plateau,
                LearningRateScheduler(lambda epoch: 1 - epoch // 9),
            ],
        )
    assert history.history["acc"] == history.history["accuracy"]
    assert history.history["val_acc"] == history.history["val_accuracy"]
    assert history.history["lr"] == history.history["learning_rate"]
    assert "acc" in history.history
    assert "nothing" not in history.history
    with pytest.raises(KeyError):
        history.history["nothing"]
    short = classifier(["acc"]).fit(x, one_hot, epochs=1, verbose=0)
    assert list(short.history) == ["acc", "loss"]
    assert short.history["accuracy"] == short.history["acc"]


def test_lists_of_numbers_are_arrays():
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential([Dense(1, input_dim=2, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=["acc"])
    x, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 1]
    model.fit(x, y, nb_epoch=1, verbose=0, validation_data=(x, y))
    assert len(model.evaluate(x, y, verbose=0)) == 2
    assert model.predict(x, verbose=0).shape == (4, 1)
    assert set(model.predict_classes(x).reshape(-1)) <= {0, 1}


def test_generators_by_their_old_methods():
    x, y = blobs()
    one_hot = np.eye(3)[y]

    def batches():
        while True:
            for i in range(0, 64, 16):
                yield x[i : i + 16], one_hot[i : i + 16]

    model = classifier()
    history = model.fit_generator(
        batches(), steps_per_epoch=4, epochs=2, verbose=0, workers=2, max_q_size=3, validation_data=(x, one_hot)
    )
    assert len(history.history["val_acc"]) == 2
    assert len(model.evaluate_generator(batches(), steps=4)) == 2
    assert model.predict_generator(batches(), steps=2).shape == (32, 3)
    assert model.predict_classes(x).shape == (64,)
    np.testing.assert_array_equal(model.predict_proba(x), model.predict(x, verbose=0))
    with pytest.raises(ValueError, match="give `steps_per_epoch`"):
        model.fit_generator(batches(), samples_per_epoch=64, nb_epoch=1)

    class Sized:
        batch_size = 16

        def __iter__(self):
            return batches()

    model.fit_generator(Sized(), samples_per_epoch=64, nb_epoch=1, verbose=0)


def test_class_weight_auto_balances():
    x, y = blobs()
    model = classifier()
    with pytest.warns(UserWarning, match="class_weight='auto'"):
        model.fit(x, np.eye(3)[y], class_weight="auto", verbose=0)
    weights = legacy.training._balanced(np.array([0, 0, 0, 1]))
    assert weights == {0: 4 / 6, 1: 2.0}


def test_checkpoint_with_a_period(tmp_path):
    from keras.callbacks import ModelCheckpoint

    x, y = blobs()
    path = str(tmp_path / "{epoch}.weights.h5")
    checkpoint = ModelCheckpoint(path, save_weights_only=True, period=2)
    classifier().fit(x, np.eye(3)[y], epochs=5, verbose=0, callbacks=[checkpoint])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["2.weights.h5", "4.weights.h5"]


# ---------------------------------------------------------------------------------------------------------------------
# Switching
# ---------------------------------------------------------------------------------------------------------------------
def test_all_of_it_goes_away():
    legacy.disable()
    with pytest.raises(ValueError, match="Argument\\(s\\) not recognized: {'lr': 0.1}"):
        nabi.optimizers.SGD(lr=0.1)
    with pytest.raises(ValueError, match="Unrecognized keyword arguments passed to Dense: {'init': 'uniform'}"):
        nabi.layers.Dense(3, init="uniform")
    assert not hasattr(nabi.Sequential(), "fit_generator")
    assert not hasattr(nabi.layers.Dense(3), "W")
    assert nabi.layers.Conv2D(8, 3, 3).strides == (3, 3)


def test_nabi_alone_is_strictly_keras_3():
    code = (
        "import sys, nabi\n"
        "nabi.layers, nabi.models, nabi.optimizers\n"
        "assert not any(m.startswith('nabi.legacy') for m in sys.modules)\n"
        "try: nabi.optimizers.SGD(lr=0.1)\n"
        "except ValueError: print('strict')\n"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "strict\n"


def test_models_come_back_compiled(tmp_path):
    from keras.layers import Dense, Lambda
    from keras.models import Sequential, load_model

    x, y = blobs()
    model = Sequential([Dense(3, input_dim=3), Lambda(function=lambda v: v * 2.0)])
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(x, np.eye(3)[y], verbose=0)
    for name in ("m.hdf5", "m.h5", "m"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.save(str(tmp_path / name))
            again = load_model(str(tmp_path / (name if "." in name else "m.keras")), safe_mode=False)
        np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
        assert again.compiled
    model.save_weights(str(tmp_path / "w.hdf5"))
    kernel = model.get_weights()[0]
    model.layers[0].set_weights([np.zeros((3, 3)), np.zeros(3)])
    model.load_weights(str(tmp_path / "w.hdf5"))
    np.testing.assert_array_equal(model.get_weights()[0], kernel)


def test_checkpoints_by_their_old_names(tmp_path, capsys):
    from keras.callbacks import ModelCheckpoint

    x, y = blobs()
    model = classifier()
    paths = [str(tmp_path / name) for name in ("best.hdf5", "best.h5", "weights.{epoch:02d}-{val_acc:.2f}.hdf5")]
    saves = [ModelCheckpoint(filepath=paths[0], verbose=1, save_best_only=True), ModelCheckpoint(paths[1], "val_acc")]
    saves += [ModelCheckpoint(paths[2], save_weights_only=True, monitor="val_acc", mode="max")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(x, np.eye(3)[y], epochs=2, verbose=0, validation_split=0.25, callbacks=saves)
    assert "val_loss improved from None to" in capsys.readouterr().out
    model.load_weights(paths[0])
    model.load_weights(paths[1])
    written = sorted(p.name for p in tmp_path.iterdir())
    assert len(written) == 4
    model.load_weights(str(tmp_path / [n for n in written if n.startswith("weights.02")][0]))
