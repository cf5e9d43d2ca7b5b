"""Configs of models, JSON, clones, deep copies and pickles."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import numpy as np
import pytest

import nabi
from nabi import Model, Sequential, layers, names, ops
from nabi.models import Functional, clone_model, model_from_json

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def _fresh_names() -> None:
    names.reset_uids()


def numbers(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def stack() -> Any:
    return Sequential([nabi.Input((4,)), layers.Dense(3, activation="relu"), layers.BatchNormalization()])


def graph() -> Any:
    """Two inputs, a shared layer, operators, indexing, and outputs in a dict."""
    a, b = nabi.Input((4,), name="a"), nabi.Input((4,), name="b")
    shared = layers.Dense(3, name="shared")
    joined = ops.concatenate([shared(a), shared(b)], axis=-1)
    y = ops.relu(1.0 - joined * 2.0)[:, 1:]
    z = layers.Dense(2, name="z")(ops.clip(y, -1.0, 1.0))
    return Model([a, b], {"z": z, "mean": ops.mean(y, axis=-1, keepdims=True)})


def nested() -> Any:
    x = nabi.Input((4,), name="x")
    inner = Model(x, layers.Dense(4, name="d")(x), name="inner")
    outer = nabi.Input((4,), name="outer")
    return Model(outer, inner(stack_of_four()(inner(outer))))


def stack_of_four() -> Any:
    return Sequential([nabi.Input((4,)), layers.Dense(4)], name="four")


def data_for(model: Any) -> Any:
    found = [numbers(6, 4, seed=i) for i in range(len(model.inputs))]
    return found if len(found) > 1 else found[0]


def same_outputs(one: Any, other: Any) -> None:
    x = data_for(one)
    found, wanted = one.predict(x, verbose=0), other.predict(x, verbose=0)
    for a, b in zip(nabi.tree.flatten(found), nabi.tree.flatten(wanted), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(params=[stack, graph, nested], ids=lambda make: make.__name__)
def model(request: pytest.FixtureRequest) -> Any:
    return request.param()


# ---------------------------------------------------------------------------------------------------------------------
# Configs
# ---------------------------------------------------------------------------------------------------------------------
def test_json_round_trip(model: Any) -> None:
    text = model.to_json(indent=1)
    read = model_from_json(text)
    assert type(read) is type(model) and read.name == model.name and not read.compiled
    assert [layer.name for layer in read.layers] == [layer.name for layer in model.layers]
    assert [w.name for w in read.weights] == [w.name for w in model.weights]
    read.set_weights(model.get_weights())
    same_outputs(read, model)
    assert json.loads(read.to_json()) == json.loads(text)


def test_from_config(model: Any) -> None:
    read = type(model).from_config(model.get_config())
    read.set_weights(model.get_weights())
    same_outputs(read, model)
    if isinstance(model, Functional):
        assert isinstance(Model.from_config(model.get_config()), Functional)


def test_layout_of_a_functional_config() -> None:
    config = graph().get_config()
    assert list(config) == ["name", "trainable", "layers", "input_layers", "output_layers"]
    assert config["input_layers"] == [["a", 0, 0], ["b", 0, 0]]
    assert config["output_layers"] == {"z": ["z", 0, 0], "mean": ["mean", 0, 0]}
    by_name = {layer["name"]: layer for layer in config["layers"]}
    assert [call["args"][0]["config"]["keras_history"] for call in by_name["shared"]["inbound_nodes"]] == [
        ["a", 0, 0],
        ["b", 0, 0],
    ]
    mean = by_name["mean"]
    assert (mean["module"], mean["class_name"], mean["registered_name"]) == ("keras.src.ops.numpy", "Mean", "Mean")
    assert mean["config"] == {"name": "mean", "axis": -1, "keepdims": True}
    assert by_name["get_item"]["inbound_nodes"][0]["args"][1][1]["config"] == {"start": 1, "stop": None, "step": None}


def test_only_the_calls_of_the_model_are_written() -> None:
    shared = layers.Dense(3, name="shared")
    other, x = nabi.Input((4,)), nabi.Input((4,), name="x")
    shared(other)
    config = Model(x, shared(x)).get_config()
    assert config["output_layers"] == ["shared", 0, 0]
    assert len(config["layers"][1]["inbound_nodes"]) == 1


def test_layers_keep_their_trainable_flags() -> None:
    model = graph()
    model.get_layer("shared").trainable = False
    for made in (model_from_json(model.to_json()), clone_model(model), copy.deepcopy(model)):
        assert not made.get_layer("shared").trainable and made.get_layer("z").trainable
        assert len(made.trainable_weights) == 2
    frozen = stack()
    frozen.trainable = False
    assert model_from_json(frozen.to_json()).trainable_weights == []


def test_compiled_models() -> None:
    model = stack()
    model.compile(nabi.optimizers.SGD(0.05, momentum=0.9), nabi.losses.mean_squared_error, metrics=["mae"])
    read = model_from_json(model.to_json())
    assert read.compiled and read.optimizer.built and isinstance(read.optimizer, nabi.optimizers.SGD)
    read.set_weights(model.get_weights())
    x, y = numbers(12, 4), numbers(12, 3, seed=1)
    histories = [m.fit(x, y, shuffle=False, epochs=2, verbose=0).history for m in (model, read)]
    assert histories[0] == histories[1]
    assert Sequential([layers.Dense(2)]).get_compile_config() == {}


def test_sequential_without_a_shape() -> None:
    read = model_from_json(Sequential([layers.Dense(2), layers.ReLU()]).to_json())
    assert not read.built and [type(layer).__name__ for layer in read.layers] == ["Dense", "ReLU"]
    assert read.predict(numbers(3, 5), verbose=0).shape == (3, 2)


def test_functional_subclass_made_from_its_own_arguments() -> None:
    class Head(Model):  # type: ignore[misc]
        def __init__(self, units: int = 3, **kwargs: Any) -> None:
            x = nabi.Input((4,))
            super().__init__(inputs=x, outputs=layers.Dense(units)(x), **kwargs)

    model = Head(5, name="head")
    assert isinstance(model, Functional)
    assert model.get_config()["units"] == 5
    read = model_from_json(model.to_json(), custom_objects={"Head": Head})
    assert isinstance(read, Head) and read.output_shape == (None, 5) and read.name == "head"


def test_configs_that_do_not_fit() -> None:
    config = graph().get_config()
    with pytest.raises(ValueError, match="Unknown layer: nobody"):
        Functional.from_config({**config, "output_layers": ["nobody", 0, 0]})
    loop = copy.deepcopy(config)
    relu = next(layer for layer in loop["layers"] if layer["name"] == "relu")
    relu["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["z", 0, 0]
    with pytest.raises(ValueError, match="either has loops or disconnected nodes"):
        Functional.from_config(loop)
    with pytest.raises(ValueError, match="must be a dictionary containing the 'name' and 'layers' keys"):
        Sequential.from_config({"layers": []})
    with pytest.raises(TypeError, match="Could not locate class 'Nothing'"):
        model_from_json('{"module": "keras.layers", "class_name": "Nothing", "config": {}, "registered_name": null}')


def test_keras_2_layout() -> None:
    def layer(kind: str, name: str, calls: Any, **config: Any) -> dict[str, Any]:
        return {"class_name": kind, "name": name, "inbound_nodes": calls, "config": {"name": name, **config}}

    config = {
        "name": "old",
        "layers": [
            layer("InputLayer", "x", [], batch_input_shape=[None, 4]),
            layer("Dense", "d", [[["x", 0, 0, {}]]], units=4),
            layer("Add", "add", [[["x", 0, 0, {}], ["d", 0, 0, {}]]]),
        ],
        "input_layers": [["x", 0, 0]],
        "output_layers": [["add", 0, 0]],
    }
    read = Functional.from_config(config)
    x = numbers(3, 4)
    kernel, bias = read.get_weights()
    np.testing.assert_allclose(read.predict(x, verbose=0), x + x @ kernel + bias, rtol=1e-5, atol=1e-6)


def test_long_chains_are_written_read_and_copied() -> None:
    x = y = nabi.Input((2,))
    for _ in range(1500):
        y = y + 1.0
    model = Model(x, y)
    assert len(model_from_json(model.to_json()).operations) == 1501
    assert len(copy.deepcopy(model).operations) == 1501
    assert len(pickle.loads(pickle.dumps(model)).operations) == 1501


# ---------------------------------------------------------------------------------------------------------------------
# Copies
# ---------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("how", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"])
def test_copies(model: Any, how: Any) -> None:
    first = nabi.tree.flatten(model.output)[0]
    model = Model(model.input, ops.reshape(first, (-1, first.shape[-1]))) if isinstance(model, Functional) else model
    model.compile("adam", "mse", metrics=["mae"])
    x, y = data_for(model), numbers(6, *model.output_shape[1:], seed=9)
    model.fit(x, y, verbose=0)
    made = how(model)
    assert made.compiled and made.optimizer is not model.optimizer
    assert not {id(w) for w in made.variables} & {id(w) for w in model.variables}
    assert [w.path for w in made.weights] == [w.path for w in model.weights]
    same_outputs(made, model)
    for _ in range(2):
        assert made.train_on_batch(x, y) == model.train_on_batch(x, y)
    same_outputs(made, model)
    assert made.to_json() == model.to_json()
    lines: list[str] = []
    made.summary(print_fn=lines.append)
    model.summary(print_fn=lines.append)
    assert lines[0] == lines[1]


def test_a_copy_can_be_built_upon() -> None:
    for made in (copy.deepcopy(graph()), pickle.loads(pickle.dumps(graph()))):
        part = Model(made.input, made.get_layer("z").output)
        assert part.predict(data_for(part), verbose=0).shape == (6, 2)
    made = copy.deepcopy(stack())
    part = Model(made.input, made.layers[0].output)
    np.testing.assert_array_equal(part.predict(numbers(6, 4), verbose=0), made.layers[0](numbers(6, 4)))
    made.add(layers.Dense(7))
    assert made.output_shape == (None, 7)


def test_models_copied_together_share_as_before() -> None:
    make, judge = Sequential([nabi.Input((2,)), layers.Dense(4)], name="g"), stack()
    z = nabi.Input((2,))
    both = Model(z, judge(make(z)))
    made, judged, together = pickle.loads(pickle.dumps([make, judge, both]))
    assert together.get_layer("g") is made and together.layers[2] is judged
    together.compile("sgd", "mse")
    before = made.get_weights()[0]
    together.train_on_batch(numbers(5, 2), numbers(5, 3))
    assert np.abs(made.get_weights()[0] - before).max() > 0


# ---------------------------------------------------------------------------------------------------------------------
# Clones
# ---------------------------------------------------------------------------------------------------------------------
def test_clones_have_new_weights(model: Any) -> None:
    made = clone_model(model)
    assert type(made) is type(model) and made.name == model.name
    assert not {id(w) for w in made.weights} & {id(w) for w in model.weights}
    assert [w.name for w in made.weights] == [w.name for w in model.weights]
    made.set_weights(model.get_weights())
    same_outputs(made, model)


def test_clone_functions() -> None:
    def wider(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, layers.Dense):
            config["units"] *= 2
        return type(layer).from_config(config)

    assert clone_model(stack(), clone_function=wider).output_shape == (None, 6)
    assert clone_model(nested(), clone_function=lambda layer: layer).layers[1].name == "inner"

    x = nabi.Input((4,))
    model = Model(x, layers.Dense(3)(x))

    def dropped(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return layers.Dropout(0.5)(layer(*args, **kwargs))

    made = clone_model(model, call_function=dropped)
    assert [type(layer).__name__ for layer in made.layers] == ["InputLayer", "Dense", "Dropout"]
    other = nabi.Input((4,), name="other")
    assert clone_model(model, input_tensors=other).input_names == ["other"]
    assert clone_model(nested(), recursive=True).count_params() == nested().count_params()


def test_clone_errors() -> None:
    with pytest.raises(ValueError, match="`call_function` argument is not supported with Sequential"):
        clone_model(stack(), call_function=lambda layer, x: layer(x))
    with pytest.raises(ValueError, match="must contain a single tensor"):
        clone_model(stack(), input_tensors=[nabi.Input((4,)), nabi.Input((4,))])
    with pytest.raises(ValueError, match="same structure as model.input"):
        clone_model(graph(), input_tensors=[nabi.Input((4,))])
    with pytest.raises(ValueError, match="Unexpected keyword"):
        clone_model(graph(), something=1)


# ---------------------------------------------------------------------------------------------------------------------
# Parts of models
# ---------------------------------------------------------------------------------------------------------------------
def test_a_model_from_the_middle_of_another() -> None:
    x = nabi.Input((4,))
    model = Model(x, layers.Dense(2, name="out")(layers.Dense(5, activation="relu", name="hidden")(x)))
    body = Model(model.input, model.get_layer("hidden").output)
    head = Model(model.get_layer("out").input, model.output)
    assert [type(layer).__name__ for layer in head.layers] == ["InputLayer", "Dense"]
    data = numbers(6, 4)
    np.testing.assert_array_equal(
        head.predict(body.predict(data, verbose=0), verbose=0), model.predict(data, verbose=0)
    )
    assert model.get_layer("hidden").output is body.output  # the original is as it was
    assert model_from_json(head.to_json()).output_shape == (None, 2)


def test_transfer() -> None:
    base = stack()
    base.trainable = False
    x = nabi.Input((4,))
    model = Model(x, layers.Dense(1)(base(x)))
    model.compile("sgd", "mse")
    frozen = base.get_weights()
    data, y = numbers(12, 4), numbers(12, 1, seed=1)
    model.fit(data, y, verbose=0)
    assert len(model.trainable_weights) == 2
    for before, after in zip(frozen[:2], base.get_weights()[:2], strict=True):
        np.testing.assert_array_equal(before, after)
    base.trainable = True
    model.compile("sgd", "mse")
    model.fit(data, y, verbose=0)
    assert np.abs(base.get_weights()[0] - frozen[0]).max() > 0
