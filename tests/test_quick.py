"""Calls with one batch again and again take a shorter way; what they do is the same."""

import threading

import numpy as np
import pytest

import nabi
from nabi import layers


def small(metrics=("accuracy",), loss="sparse_categorical_crossentropy"):
    model = nabi.Sequential([layers.Input((4,)), layers.Dense(8, activation="relu"), layers.Dense(3, "softmax")])
    model.compile("adam", loss, metrics=list(metrics))
    return model


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    return rng.standard_normal((8, 4)).astype("float32"), rng.integers(0, 3, 8)


def quick_calls(model):
    return len(model._steps.quick._found)


def test_the_second_predict_is_quick_and_the_same(data):
    x, _ = data
    model = small()
    slow = model.predict(x, verbose=0)
    assert quick_calls(model) == 1
    quick = model.predict(x, verbose=0)
    assert type(quick) is np.ndarray and quick.tobytes() == slow.tobytes()
    assert model.predict(x, verbose=0, batch_size=3).tobytes() == slow.tobytes()  # three batches: not quick
    kept = quick.copy()
    model.predict(x + 1, verbose=0)
    assert np.array_equal(kept, quick), "results are no views of working memory"
    again = model(x)
    assert again.numpy().base is again
    np.testing.assert_array_equal(model(x), again)


@pytest.mark.parametrize(
    "convert", [lambda x: x.astype("float64"), np.asfortranarray, lambda x: np.repeat(x, 2, 0)[::2]]
)
def test_other_dtypes_and_layouts(data, convert):
    x, _ = data
    model = small()
    expected = model.predict(x, verbose=0)
    for _ in range(2):
        np.testing.assert_array_equal(model.predict(convert(x), verbose=0), expected)
        np.testing.assert_array_equal(model.predict_on_batch(convert(x)), expected)
        np.testing.assert_array_equal(model(convert(x)), expected)


def test_training_steps_are_those_of_another_model(data):
    x, y = data
    first, second = small(), small()
    second.set_weights(first.get_weights())
    for _ in range(3):
        quick = first.train_on_batch(x, y)
        second._steps.quick.clear()
        slow = second.train_on_batch(x, y)
        assert quick == slow and [type(v) for v in quick] == [float, float]
        assert first.train_on_batch(x, y, return_dict=True) == second.train_on_batch(x, y, return_dict=True)
        assert first.evaluate(x, y, verbose=0) == second.evaluate(x, y, verbose=0)
        assert first.test_on_batch(x, y) == second.test_on_batch(x, y)
        assert first.get_metrics_result() == second.get_metrics_result()
    assert quick_calls(first) >= 3


def test_changes_between_calls_count(data):
    x, y = data
    model = nabi.Sequential([layers.Input((4,)), layers.Dense(3, "softmax", kernel_initializer="ones")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = [model(x), model.predict(x, verbose=0)]
    model(x), model.predict(x, verbose=0)
    model.set_weights([np.eye(4, 3), np.zeros(3)])
    after = [model(x), model.predict(x, verbose=0)]
    assert not np.array_equal(before[0], after[0]) and np.array_equal(*after)
    model.layers[0].activation = nabi.activations.linear
    np.testing.assert_array_equal(model(x), x @ np.eye(4, 3, dtype="float32"))
    np.testing.assert_array_equal(model.predict(x, verbose=0), x @ np.eye(4, 3, dtype="float32"))
    loss = [model.train_on_batch(x, y) for _ in range(2)]
    model.trainable = False
    model.compile("sgd", "mse")
    assert model.test_on_batch(x, x[:, :3]) == pytest.approx(float(np.mean((model(x) - x[:, :3]) ** 2)), rel=1e-5)
    assert loss[0] != loss[1]


def test_losses_are_cleared_by_the_next_call(data):
    x, _ = data

    class Penalised(layers.Layer):
        def call(self, inputs):
            self.add_loss(nabi.ops.sum(inputs))
            return inputs

    plain, penalised = layers.Dense(2), Penalised()
    plain(x), plain(x)
    assert plain.losses == []
    for _ in range(3):
        penalised(x)
        assert len(penalised.losses) == 1
    regular = layers.Dense(2, activity_regularizer="l2")
    regular(x), regular(x)
    assert len(regular.losses) == 1


def test_checks_stay(data):
    x, y = data
    model = small()
    for _ in range(2):
        model(x), model.predict(x, verbose=0), model.train_on_batch(x, y)
    weights = model.get_weights()
    with pytest.raises(ValueError, match="from 0 to 2, got 7"):
        model.train_on_batch(x, np.full(8, 7))
    for a, b in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="incompatible|expected"):
        model(x[:, :3])
    with pytest.raises(ValueError, match="batch_size"):
        model.predict(x, verbose=0, batch_size=True)
    layer = layers.Dense(2)
    layer(x), layer(x)
    layer.input_spec = layers.InputSpec(ndim=3)
    with pytest.raises(ValueError, match="ndim=3"):
        layer(x)


def test_other_metrics_and_own_results_take_the_long_way(data):
    x, y = data
    model = small(metrics=["accuracy"])

    class Own(nabi.Sequential):
        def get_metrics_result(self):
            return {"mine": 1.0}

    own = Own([layers.Input((4,)), layers.Dense(3, "softmax")])
    own.compile("sgd", "sparse_categorical_crossentropy")
    for _ in range(2):
        assert own.train_on_batch(x, y, return_dict=True) == {"mine": 1.0}
    assert quick_calls(own) == 0
    target = np.eye(3, dtype="float32")[y]
    rooted = small(metrics=[nabi.metrics.RootMeanSquaredError()], loss="mse")
    for _ in range(2):
        found = rooted.test_on_batch(x, target, return_dict=True)
        assert found["root_mean_squared_error"] == pytest.approx(np.sqrt(found["loss"]), rel=1e-5)
    assert quick_calls(rooted) == 0 and model.metrics_names == ["loss", "compile_metrics"]


def test_quick_calls_from_several_threads(data):
    x, _ = data
    model = small()
    expected = [model.predict(x[i : i + 1], verbose=0) for i in range(8)]
    wrong = []

    def work(i):
        for _ in range(200):
            if not np.array_equal(model.predict(x[i : i + 1], verbose=0), expected[i]):
                wrong.append(i)
            if not np.array_equal(model(x[i : i + 1]), expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
