"""Names, configs, tables, progress lines and initial values equal Keras's."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from parity.pair import keras, nabi, numbers

NEWER = {"quantization_config", "optional", "ragged", "input_axes", "output_axes"}
"""Keys since Keras 3.10 that older versions refuse; Nabi leaves them out, and BatchNormalization's renorm*."""

LAYERS: list[tuple[str, dict[str, Any]]] = [
    ("InputLayer", {"shape": (4,)}),
    ("Dense", {"units": 3, "activation": "relu", "kernel_regularizer": "l2"}),
    ("Activation", {"activation": "softmax"}),
    ("Flatten", {}),
    ("Reshape", {"target_shape": (2, -1)}),
    ("Dropout", {"rate": 0.3, "seed": 4}),
    ("Conv2D", {"filters": 3, "kernel_size": 3, "kernel_initializer": "he_normal"}),
    ("MaxPooling2D", {}),
    ("AveragePooling2D", {"pool_size": 2}),
    ("GlobalMaxPooling2D", {}),
    ("GlobalAveragePooling2D", {}),
    ("BatchNormalization", {"axis": 1}),
    ("ReLU", {"max_value": 6.0}),
    ("LeakyReLU", {}),
    ("ELU", {}),
    ("PReLU", {}),
    ("Softmax", {}),
    ("Rescaling", {"scale": 0.5}),
    ("Add", {}),
    ("Concatenate", {"axis": 1}),
    ("Identity", {}),
    ("Permute", {"dims": (2, 1)}),
    ("RepeatVector", {"n": 2}),
    ("ZeroPadding2D", {"padding": 1}),
    ("GaussianNoise", {"stddev": 0.1}),
]


def _plain(config: Any) -> Any:
    """A config without the newer keys, dtype policies as their names."""
    if isinstance(config, dict):
        if config.get("class_name") == "DTypePolicy":
            return config["config"]["name"]
        return {k: _plain(v) for k, v in config.items() if k not in NEWER and not k.startswith("renorm")}
    if isinstance(config, (list, tuple)):
        return type(config)(_plain(v) for v in config)
    return config


@pytest.mark.parametrize(("name", "arguments"), LAYERS, ids=lambda v: v if isinstance(v, str) else "")
def test_layer_configs(name: str, arguments: dict[str, Any]) -> None:
    theirs, ours = (getattr(side.layers, name)(**arguments) for side in (keras, nabi))
    wanted, found = _plain(theirs.get_config()), _plain(ours.get_config())
    assert found == wanted
    assert _plain(nabi.layers.serialize(ours)) == _plain(keras.layers.serialize(theirs))
    again = keras.layers.deserialize(nabi.layers.serialize(ours))
    assert _plain(again.get_config()) == wanted
    assert _plain(nabi.layers.deserialize(keras.layers.serialize(theirs)).get_config()) == wanted


NAMES = {
    "losses": "BinaryCrossentropy CategoricalCrossentropy SparseCategoricalCrossentropy MeanSquaredError "
    "MeanAbsoluteError Huber KLDivergence LogCosh Poisson Hinge CosineSimilarity BinaryFocalCrossentropy",
    "optimizers": "SGD Adam AdamW Adamax Nadam Lamb Lion RMSprop Adagrad Adadelta Ftrl",
    "initializers": "Zeros Ones Constant RandomNormal RandomUniform TruncatedNormal VarianceScaling Identity "
    "Orthogonal GlorotUniform GlorotNormal HeUniform HeNormal LecunUniform LecunNormal",
    "regularizers": "L1 L2 L1L2",
}
OBJECTS = [(kind, name) for kind, names in NAMES.items() for name in names.split()]


@pytest.mark.parametrize(("kind", "name"), OBJECTS)
def test_object_configs(kind: str, name: str) -> None:
    theirs, ours = (getattr(getattr(side, kind), name)() for side in (keras, nabi))
    wanted, found = _plain(theirs.get_config()), _plain(ours.get_config())
    assert set(found) - ({"gain"} if name == "Identity" else set()) == set(wanted)  # Keras forgets the gain
    for key, value in wanted.items():
        if key != "seed":  # drawn at random where none is given
            assert found[key] == (pytest.approx(value) if isinstance(value, float) else value), key
    their_module, our_module = getattr(keras, kind), getattr(nabi, kind)
    assert type(our_module.deserialize(their_module.serialize(theirs))) is type(ours)
    if name != "Lamb":  # Keras cannot read its own
        assert type(their_module.deserialize(our_module.serialize(ours))) is type(theirs)


INITIALIZERS: list[tuple[str, dict[str, Any]]] = [
    ("RandomNormal", {"mean": 1.0, "stddev": 0.5}),
    ("RandomUniform", {"minval": -1.0, "maxval": 3.0}),
    ("TruncatedNormal", {"stddev": 0.5}),
    ("VarianceScaling", {"scale": 2.0, "mode": "fan_avg", "distribution": "untruncated_normal"}),
    ("VarianceScaling", {"scale": 2.0, "mode": "fan_out", "distribution": "uniform"}),
    ("GlorotUniform", {}),
    ("GlorotNormal", {}),
    ("HeUniform", {}),
    ("HeNormal", {}),
    ("LecunUniform", {}),
    ("LecunNormal", {}),
    ("Orthogonal", {"gain": 2.0}),
]


@pytest.mark.parametrize("shape", [(120, 80), (3, 3, 20, 60), (5000,)], ids=str)
@pytest.mark.parametrize(("name", "arguments"), INITIALIZERS, ids=lambda v: v if isinstance(v, str) else "")
def test_initializers(name: str, arguments: dict[str, Any], shape: tuple[int, ...]) -> None:
    """Other bits, the same distribution: mean, deviation, extremes."""
    if name == "Orthogonal" and len(shape) < 2:
        for side in (keras, nabi):
            with pytest.raises(ValueError):
                side.initializers.Orthogonal()(shape)
        return
    wanted, found = (np.asarray(getattr(side.initializers, name)(seed=3, **arguments)(shape)) for side in (keras, nabi))
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    deviation = wanted.std()
    assert abs(found.mean() - wanted.mean()) < 6 * deviation / np.sqrt(found.size)
    assert found.std() == pytest.approx(deviation, rel=0.06)
    bounded = "Uniform" in name or name == "TruncatedNormal" or arguments.get("distribution") == "uniform"
    for extreme in (np.min, np.max):
        slack = (0.02 if bounded else 1.2) * deviation
        assert abs(extreme(found) - extreme(wanted)) < slack + 0.02 * deviation
    if name == "Orthogonal":
        rows = found.reshape(-1, shape[-1])
        gram = rows.T @ rows if rows.shape[0] >= rows.shape[1] else rows @ rows.T
        np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-4)


def _plain_cnn(side: Any) -> Any:
    layers = side.layers
    return side.Sequential(
        [
            side.Input(shape=(28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.BatchNormalization(),
            layers.Conv2D(64, (3, 2), padding="same"),
            layers.LeakyReLU(),
            layers.AveragePooling2D(2),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(1000, name="a_layer_with_a_name_that_is_far_too_long_for_its_column"),
            layers.Softmax(),
        ]
    )


def _unbuilt(side: Any) -> Any:
    return side.Sequential([side.layers.Dense(4), side.layers.Flatten(), side.layers.Dense(2)], name="later")


def _frozen(side: Any) -> Any:
    model = _plain_cnn(side)
    for layer in model.layers[:4]:
        layer.trainable = False
    return model


def _trained(side: Any) -> Any:
    model = side.Sequential([side.Input(shape=(4,)), side.layers.Dense(300), side.layers.Dense(1)])
    model.compile("adam", "mse")
    model.train_on_batch(numbers(3, 4), numbers(3, 1))
    return model


def _graph(side: Any) -> Any:
    layers = side.layers
    a, b = side.Input(shape=(4,), name="a"), side.Input(shape=(3,), name="features")
    x = layers.Dense(8)(a)
    y = layers.Dense(8, name="another_dense_layer")(b)
    joined = layers.Concatenate()([layers.Add()([x, y]), x, y])
    return side.Model([a, b], layers.Dense(2)(joined), name="fun")


def _line(side: Any) -> Any:
    inputs = side.Input(shape=(8, 8, 3))
    x = side.layers.Conv2D(4, 3)(inputs)
    x = side.layers.Flatten()(x)
    return side.Model(inputs, side.layers.Dense(2)(x))


def _text(model: Any, **arguments: Any) -> str:
    seen: list[str] = []
    model.summary(print_fn=lambda text, **_: seen.append(text), **arguments)
    assert len(seen) == 1
    return seen[0]


@pytest.mark.parametrize("make", [_plain_cnn, _unbuilt, _frozen, _trained, _graph, _line])
@pytest.mark.parametrize(
    "arguments",
    [{}, {"line_length": 76}, {"show_trainable": True, "line_length": 76}, {"line_length": 100}],
    ids=["", "76", "trainable", "100"],
)
def test_summary(make: Callable[[Any], Any], arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80" if arguments.get("line_length", 76) < 80 else "120")  # Keras cuts at the edge
    wanted, found = (_text(make(side), **arguments) for side in (keras, nabi))
    assert found == wanted


def _masked(text: str) -> list[str]:
    """The lines with every time replaced: "0s", "14ms/step", "3us/step"."""
    text = re.sub(r"\x1b\[[0-9;]*m|\x08", "", text)
    text = re.sub(r"[^\n]*\r", "", text)  # of a line that is drawn again and again, the last state
    text = re.sub(r"\d+:\d+(:\d+)?|\d+(s|ms|us)/step|\d+s\b", "T", text)
    return [line.rstrip() for line in text.split("\n") if line.strip()]


@pytest.mark.parametrize("verbose", [1, 2])
def test_progress_lines(verbose: int, capsys: pytest.CaptureFixture[str]) -> None:
    x, y = numbers(40, 4), np.arange(40) % 3
    seen = []
    for side in (keras, nabi):
        model = side.Sequential([side.Input(shape=(4,)), side.layers.Dense(3, activation="softmax")])
        model.set_weights([numbers(4, 3, seed=1), numbers(3, seed=2)])
        model.compile(side.optimizers.SGD(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
        capsys.readouterr()
        fit = {"epochs": 2, "batch_size": 16, "shuffle": False, "verbose": verbose}
        stop = side.callbacks.EarlyStopping(monitor="loss", patience=0, min_delta=5.0, verbose=1)
        model.fit(x, y, validation_split=0.2, callbacks=[stop], **fit)
        model.fit(x, y, **(fit | {"epochs": 1}))
        model.evaluate(x, y, batch_size=16, verbose=verbose)
        model.predict(x, batch_size=16, verbose=verbose)
        seen.append(_masked(capsys.readouterr().out))
    assert seen[1] == seen[0]


def test_automatic_names() -> None:
    seen = []
    for side in (keras, nabi):
        layers = side.layers
        made = [layers.Dense(1), layers.Dense(1), layers.Conv2D(1, 1), layers.MaxPooling2D(), layers.ReLU()]
        made += [layers.BatchNormalization(), layers.GlobalAveragePooling2D(), layers.LeakyReLU(), layers.PReLU()]
        made += [side.Sequential([layers.Dense(1)]), side.Sequential(), _line(side), _line(side)]
        made += [side.optimizers.RMSprop(), side.optimizers.SGD(), side.optimizers.AdamW()]
        made += [side.losses.MeanSquaredError(), side.metrics.MeanSquaredError(), side.metrics.MeanSquaredError()]
        names = [thing.name for thing in made]
        names += [layer.name for model in made if isinstance(model, side.Model) for layer in model.layers]
        seen.append(names)
    assert seen[1] == seen[0]
