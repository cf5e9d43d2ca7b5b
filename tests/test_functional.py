"""Functional models: chains, merges, shared layers, several inputs and outputs, subclasses."""

import numpy as np
import pytest

from nabi import layers, losses, names, ops
from nabi.models import Functional, Model, Sequential
from nabi.trace import current_trace
from nabi.utils import set_random_seed


@pytest.fixture(autouse=True)
def _fresh_names():
    names.reset_uids()


def numbers(*shape):
    return np.random.default_rng(len(shape)).normal(size=shape).astype("float32")


def two_inputs():
    a, b = layers.Input(shape=(4,), name="a"), layers.Input(shape=(3,), name="b")
    joined = layers.Concatenate()([layers.Dense(5, activation="relu", name="left")(a), b])
    return Model([a, b], layers.Dense(2, name="out")(joined))


def test_chain_is_a_sequential():
    x = layers.Input(shape=(4,))
    model = Model(inputs=x, outputs=layers.Dense(2)(layers.Dense(3, activation="relu")(x)))
    assert isinstance(model, Functional)
    assert model.name == "functional"
    assert [layer.name for layer in model.layers] == ["input_layer", "dense_1", "dense"]
    assert (model.input_shape, model.output_shape) == ((None, 4), (None, 2))
    same = Sequential([layers.Input(shape=(4,)), layers.Dense(3, activation="relu"), layers.Dense(2)])
    same.set_weights(model.get_weights())
    data = numbers(6, 4)
    np.testing.assert_array_equal(model.predict(data, verbose=0), same.predict(data, verbose=0))
    np.testing.assert_array_equal(model(data), same(data))


def test_layers_in_order_of_depth():
    model = two_inputs()
    assert [layer.name for layer in model.layers] == ["a", "left", "b", "concatenate", "out"]
    assert model.input_names == ["a", "b"]
    assert model.output_names == ["out"]


def test_several_inputs():
    model = two_inputs()
    a, b = numbers(7, 4), numbers(7, 3)
    kernel, bias, out, out_bias = model.get_weights()
    expected = np.concatenate([np.maximum(a @ kernel + bias, 0), b], -1) @ out + out_bias
    for x in ([a, b], {"a": a, "b": b}, {"b": b, "a": a}, (a, b)):
        np.testing.assert_allclose(model.predict(x, verbose=0, batch_size=3), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model([a, b]), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model({"a": a, "b": b}), expected, rtol=1e-5, atol=1e-5)


def test_training_with_several_inputs():
    model = two_inputs()
    model.compile(optimizer="adam", loss="mse")
    a, b = numbers(40, 4), numbers(40, 3)
    y = np.stack([a[:, 0], b[:, 0]], -1)
    history = model.fit({"b": b, "a": a}, y, epochs=20, verbose=0, validation_split=0.25)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert list(history.history) == ["loss", "val_loss"]


def test_add_and_residual():
    x = layers.Input(shape=(4,))
    hidden = layers.Dense(4, activation="relu")(x)
    model = Model(x, layers.Add()([x, hidden]))
    data = numbers(5, 4)
    kernel, bias = model.get_weights()
    expected = data + np.maximum(data @ kernel + bias, 0)
    np.testing.assert_allclose(model.predict(data, verbose=0), expected, rtol=1e-5, atol=1e-6)


def test_shared_layer():
    shared = layers.Dense(3)
    a, b = layers.Input(shape=(4,)), layers.Input(shape=(4,))
    model = Model([a, b], layers.Add()([shared(a), shared(b)]))
    assert len(model.weights) == 2
    x, y = numbers(5, 4), numbers(5, 4)[::-1]
    kernel = model.get_weights()[0]
    np.testing.assert_allclose(model.predict([x, y], verbose=0), x @ kernel + y @ kernel, rtol=1e-5, atol=1e-5)


def test_ops_in_the_graph():
    x = layers.Input(shape=(4,))
    model = Model(x, ops.relu(layers.Dense(3)(x)) * 2 + 1)
    data = numbers(5, 4)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(
        model.predict(data, verbose=0), np.maximum(data @ kernel + bias, 0) * 2 + 1, rtol=1e-5, atol=1e-6
    )


def test_part_of_a_model():
    x = layers.Input(shape=(4,))
    hidden = layers.Dense(3, activation="relu", name="hidden")(x)
    whole = Model(x, layers.Dense(2, name="top")(hidden))
    features = Model(whole.input, whole.get_layer("hidden").output)
    top = Model(hidden, whole.output)
    data = numbers(5, 4)
    middle = features.predict(data, verbose=0)
    assert middle.shape == (5, 3)
    np.testing.assert_allclose(top.predict(middle, verbose=0), whole.predict(data, verbose=0), rtol=1e-6)


def test_model_as_a_layer():
    inner = two_inputs()
    a, b = layers.Input(shape=(4,)), layers.Input(shape=(3,))
    model = Model([a, b], layers.Dense(1)(inner([a, b])))
    assert model.predict([numbers(5, 4), numbers(5, 3)], verbose=0).shape == (5, 1)
    assert len(model.weights) == 6


def two_outputs():
    x = layers.Input(shape=(4,))
    hidden = layers.Dense(5, activation="relu")(x)
    return Model(x, [layers.Dense(1, name="value")(hidden), layers.Dense(3, activation="softmax", name="kind")(hidden)])


def test_several_outputs():
    model = two_outputs()
    x, value, kind = numbers(20, 4), numbers(20, 1), np.arange(20) % 3
    outputs = model.predict(x, verbose=0, batch_size=6)
    assert [output.shape for output in outputs] == [(20, 1), (20, 3)]
    model.compile(
        optimizer="adam",
        loss={"value": "mse", "kind": "sparse_categorical_crossentropy"},
        loss_weights={"value": 2.0, "kind": 0.5},
        metrics={"kind": "accuracy"},
    )
    history = model.fit(x, {"value": value, "kind": kind}, verbose=0).history
    assert list(history) == ["kind_accuracy", "kind_loss", "loss", "value_loss"]
    assert history["loss"][0] == pytest.approx(2 * history["value_loss"][0] + 0.5 * history["kind_loss"][0], rel=1e-5)
    results = model.evaluate(x, [value, kind], verbose=0, return_dict=True)
    assert list(results) == ["kind_accuracy", "kind_loss", "loss", "value_loss"]
    model.compile(optimizer="sgd", loss=["mse", None])
    with pytest.warns(UserWarning, match="Gradients do not exist for variables"):
        assert list(model.fit(x, [value, kind], verbose=0).history) == ["loss"]


def test_outputs_in_structures_within_structures():
    x = layers.Input(shape=(4,))
    a, b, c = (layers.Dense(n, name=name)(x) for n, name in ((2, "a"), (1, "b"), (3, "c")))
    data, ya, yb, yc = numbers(10, 4), numbers(10, 2), numbers(10, 1), numbers(10, 3)
    model = Model(x, {"p": [a, b], "q": c})
    weights = {"p": [2.0, 1.0], "q": 0.5}
    metrics = {"p": [["mae"], None], "q": ["mse"]}
    model.compile("sgd", {"p": ["mse", "mae"], "q": "mse"}, loss_weights=weights, metrics=metrics)
    logs = model.train_on_batch(data, {"p": [ya, yb], "q": yc}, return_dict=True)
    assert sorted(logs) == ["a_mae", "c_mse", "loss", "p/a_loss", "p/b_loss", "q_loss"]
    assert logs["loss"] == pytest.approx(2 * logs["p/a_loss"] + logs["p/b_loss"] + 0.5 * logs["q_loss"], rel=1e-5)
    assert logs["q_loss"] == pytest.approx(logs["c_mse"], rel=1e-5)
    model = Model(x, [[a, b], c])
    model.compile("sgd", [["mse", "mae"], "mse"])
    assert "0/a_loss" in model.train_on_batch(data, [[ya, yb], yc], return_dict=True)
    model.compile("sgd", "mse", metrics=[["mae"], ["mae"], ["mae"]])
    with pytest.raises(ValueError, match="Invalid `metrics`"):
        model.fit(data, [[ya, yb], yc], verbose=0)


def test_outputs_as_a_dict():
    x = layers.Input(shape=(4,))
    model = Model(x, {"one": layers.Dense(1)(x), "two": layers.Dense(2)(x)})
    outputs = model.predict(numbers(5, 4), verbose=0)
    assert {name: output.shape for name, output in outputs.items()} == {"one": (5, 1), "two": (5, 2)}
    model.compile(optimizer="sgd", loss="mse")
    history = model.fit(numbers(5, 4), {"one": numbers(5, 1), "two": numbers(5, 2)}, verbose=0).history
    assert list(history) == ["loss", "one_loss", "two_loss"]


def test_unused_input():
    a, b = layers.Input(shape=(4,)), layers.Input(shape=(3,))
    model = Model([a, b], layers.Dense(2)(a))
    assert model.predict([numbers(5, 4), numbers(5, 3)], verbose=0).shape == (5, 2)


def test_long_chain():
    x = start = layers.Input(shape=(2,))
    for _ in range(400):
        x = layers.Identity()(x)
    model = Model(start, x)
    assert len(model.layers) == 401


def test_subclass():
    class Net(Model):
        def __init__(self, units):
            super().__init__()
            self.hidden = layers.Dense(units, activation="relu")
            self.drop = layers.Dropout(0.5)
            self.out = layers.Dense(1)

        def call(self, x, training=False):
            return self.out(self.drop(self.hidden(x), training=training))

    set_random_seed(1)
    model = Net(8)
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    x = numbers(64, 3)
    history = model.fit(x, x[:, :1], epochs=30, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert len(model.weights) == 4
    assert model.name == "net"
    np.testing.assert_array_equal(model.predict(x, verbose=0), model(x))


def test_functional_subclass():
    class Net(Model):
        def __init__(self):
            x = layers.Input(shape=(4,))
            super().__init__(inputs=x, outputs=layers.Dense(2)(x))
            self.extra = 5

    model = Net()
    assert isinstance(model, Functional)
    assert model.predict(numbers(3, 4), verbose=0).shape == (3, 2)


def test_own_train_step():
    class Net(Sequential):
        def train_step(self, data):
            x, y = data
            y_pred = self(x, training=True)
            loss = ops.mean(ops.square(y - y_pred)) * 2.0
            gradients = current_trace().gradients(loss, self.trainable_variables)
            self.optimizer.apply(gradients, self.trainable_variables)
            return {"double": loss}

    model = Net([layers.Input(shape=(3,)), layers.Dense(1)])
    model.compile(optimizer="sgd", loss=losses.MeanSquaredError())
    x = numbers(32, 3)
    history = model.fit(x, x[:, :1], epochs=5, verbose=0).history
    assert list(history) == ["double"]
    assert history["double"][-1] < history["double"][0]


def test_own_compute_loss():
    class Net(Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return ops.mean(ops.abs(y - y_pred))

    model = Net([layers.Input(shape=(3,)), layers.Dense(1)])
    model.compile(optimizer="sgd")
    x = numbers(32, 3)
    loss = model.evaluate(x, x[:, :1], verbose=0)
    assert loss == pytest.approx(np.mean(np.abs(x[:, :1] - model.predict(x, verbose=0))), rel=1e-5)


def test_errors():
    x = layers.Input(shape=(4,))
    y = layers.Dense(2)(x)
    other = layers.Input(shape=(4,))
    with pytest.raises(ValueError, match="All `inputs` values must be KerasTensors"):
        Model(np.zeros(3), y)
    with pytest.raises(ValueError, match="All `outputs` values must be KerasTensors"):
        Model(x, 3)
    with pytest.raises(ValueError, match="Graph disconnected"):
        Model(other, y)
    with pytest.raises(ValueError, match='The name "same" is used 2 times in the model'):
        Model(x, layers.Dense(1, name="same")(layers.Dense(1, name="same")(x)))
    with pytest.raises(ValueError, match="Unrecognized keyword arguments passed to Model"):
        Model(input=x, output=y)
    with pytest.raises(ValueError, match="cannot be empty"):
        Model([], y)


def test_wrong_inputs():
    model = two_inputs()
    with pytest.raises(ValueError, match="expects 2 named input"):
        model.predict(numbers(5, 4), verbose=0)
    with pytest.raises(ValueError, match="The structure of `inputs` doesn't match"):
        model.predict({"a": numbers(5, 4), "c": numbers(5, 3)}, verbose=0)
    with pytest.raises(ValueError, match=r"expected shape=\(None, 3\), found shape=\(5, 9\)"):
        model([numbers(5, 4), numbers(5, 9)])
    assert model.predict([numbers(5, 4), numbers(5, 3)], verbose=0).shape == (5, 2)
