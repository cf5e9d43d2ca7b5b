"""Mistakes of users: one clear sentence each, and a model that works afterwards."""

import numpy as np
import pytest

from nabi import callbacks, config, layers, optimizers, utils
from nabi.models import Model, Sequential

X = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
Y = np.eye(3, dtype="float32")[np.arange(20) % 3]


def classifier(**kwargs):
    stack = [layers.Input(shape=(4,)), layers.Dense(5, activation="relu"), layers.Dense(3, activation="softmax")]
    model = Sequential(stack)
    model.compile(**({"optimizer": "adam", "loss": "categorical_crossentropy", "metrics": ["accuracy"]} | kwargs))
    return model


@pytest.fixture
def model():
    """A model that must work, and have the same weights, after the mistake."""
    found = classifier()
    before = found.get_weights()
    yield found
    for a, b in zip(before, found.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert int(np.asarray(found.optimizer.iterations)) == 0
    assert np.isfinite(found.fit(X, Y, verbose=0).history["loss"][0])
    assert found.predict(X, verbose=0).shape == (20, 3)


def test_not_compiled():
    model = Sequential([layers.Input(shape=(4,)), layers.Dense(3)])
    for call in (model.fit, model.evaluate, model.train_on_batch, model.test_on_batch):
        with pytest.raises(ValueError, match=r"^You must call `compile\(\)` before using the model.$"):
            call(X, Y)
    assert model.predict(X, verbose=0).shape == (20, 3)


def test_lengths(model):
    message = (
        "Data cardinality is ambiguous. Make sure all arrays contain the same number of samples."
        "'x' sizes: 20\n'y' sizes: 4\n"
    )
    with pytest.raises(ValueError) as error:
        model.fit(X, Y[:4])
    assert str(error.value) == message
    with pytest.raises(ValueError, match="'sample_weight' sizes: 3"):
        model.fit(X, Y, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="Data cardinality is ambiguous"):
        model.fit(X, Y, validation_data=(X, Y[:3]))
    with pytest.raises(ValueError, match="Data cardinality is ambiguous"):
        model.train_on_batch(X, Y[:4])


def test_width_of_inputs(model):
    message = (
        "Input 0 with name 'None' of layer 'dense.*' is incompatible with the layer: expected axis -1 of input shape "
        r"to have value 4, but received input with shape \(20, 5\)"
    )
    for call in (
        lambda: model.fit(X[:, [0, 0, 0, 0, 0]], Y),
        lambda: model.evaluate(X[:, [0, 0, 0, 0, 0]], Y),
        lambda: model.predict(X[:, [0, 0, 0, 0, 0]]),
        lambda: model(X[:, [0, 0, 0, 0, 0]]),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_rank_of_inputs(model):
    with pytest.raises(ValueError, match=r"Expected shape \(None, 4\), but input has incompatible shape \(20, 4, 2\)"):
        model.predict(np.zeros((20, 4, 2)))
    with pytest.raises(ValueError, match="has incompatible shape"):
        model.fit(np.zeros(20), Y)


def test_shape_of_targets(model):
    with pytest.raises(ValueError, match=r"must have the same shape. Received: target.shape=\(20, 2\)"):
        model.fit(X, Y[:, :2])
    with pytest.raises(ValueError, match="must have the same shape"):
        model.fit(X, Y.argmax(-1))


def test_missing_targets(model):
    with pytest.raises(ValueError, match="`y` must be given. Received: y=None"):
        model.fit(X)
    with pytest.raises(ValueError, match="`y` must be given"):
        model.evaluate(X)


def test_labels_out_of_range():
    model = classifier(loss="sparse_categorical_crossentropy", optimizer=optimizers.SGD(learning_rate=0.1))
    labels = np.arange(20) % 3
    for bad in (3, -1):
        wrong = labels.copy()
        wrong[13] = bad
        before = model.get_weights()
        with pytest.raises(ValueError, match=rf"requires labels from 0 to 2, got {bad}"):
            model.fit(X, wrong, batch_size=20, verbose=0)
        for a, b in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    assert np.isfinite(model.fit(X, labels, verbose=0).history["loss"][0])


def test_objects_and_strings(model):
    with pytest.raises(ValueError, match="`x` must hold numbers. Received an array of dtype object"):
        model.fit(X.astype(object), Y)
    with pytest.raises(ValueError, match="`y` must hold numbers. Received an array of dtype <U1"):
        model.fit(X, np.array(["a"] * 20))
    with pytest.raises(ValueError, match="`x` must hold numbers. Received an array of dtype complex"):
        model.predict(X.astype("complex64"))
    with pytest.raises(ValueError, match="`x` must hold numbers. Received an array of dtype datetime64"):
        model.predict(np.zeros((20, 4), "datetime64[s]"))


def test_python_lists(model):
    with pytest.raises(ValueError, match=r"Unrecognized data type: x=\[1, 2\] \(of type <class 'list'>\)"):
        model.fit([1, 2], [1, 2])
    with pytest.raises(ValueError, match="Unrecognized data type: y="):
        model.fit(X, [0, 1])
    with pytest.raises(ValueError, match="`x` must be an array or hold arrays. Received: x=None"):
        model.fit()
    with pytest.raises(ValueError, match="Unrecognized data type: x='data'"):
        model.predict("data")
    with pytest.raises(ValueError, match="Unrecognized data type: x=3"):
        model.predict(3)
    with pytest.raises(ValueError, match="Unrecognized data type: x=.*numpy.float32"):
        model.predict(np.float32(3))
    with pytest.raises(ValueError, match="Unrecognized data type: y=.*of type <class 'list'>"):
        model.fit(X, list(np.arange(20)))


def test_no_samples(model):
    empty = np.zeros((0, 4), "float32")
    with pytest.raises(ValueError, match="The data is empty: `x` has 0 samples."):
        model.fit(empty, np.zeros((0, 3)))
    with pytest.raises(ValueError, match="The data is empty"):
        model.predict(empty)
    with pytest.raises(ValueError, match="The data is empty: `x` yields no batches."):
        model.fit(iter(()))
    with pytest.raises(ValueError, match="must have an axis of samples"):
        model.predict(np.array(3.0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": -1}, "`epochs` must be a non-negative integer. Received: epochs=-1"),
        ({"epochs": 1.5}, "`epochs` must be a non-negative integer. Received: epochs=1.5"),
        ({"epochs": None}, "`epochs` must be a non-negative integer. Received: epochs=None"),
        ({"epochs": "two"}, "`epochs` must be a non-negative integer. Received: epochs=two"),
        ({"batch_size": 0}, "`batch_size` must be a positive integer. Received: batch_size=0"),
        ({"batch_size": -3}, "`batch_size` must be a positive integer. Received: batch_size=-3"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch` must be a positive integer"),
        ({"validation_split": 1.5}, "`validation_split` must be between 0 and 1. Received: validation_split=1.5"),
        ({"validation_split": "half"}, "`validation_split` must be between 0 and 1. Received: validation_split=half"),
        ({"validation_split": 0.2, "validation_batch_size": 0}, "`validation_batch_size` must be a positive integer"),
        ({"shuffle": "yes"}, "`shuffle` must be True, False or 'batch'. Received: shuffle=yes"),
        ({"validation_split": 0.999}, "Training data contains 20 samples, which is not sufficient to split it"),
        ({"verbose": 7}, "`verbose` must be 'auto', 0, 1 or 2. Received: verbose=7"),
        ({"validation_freq": "often"}, "Expected `validation_freq` to be a list or int"),
        ({"class_weight": "auto"}, "`class_weight` must be a dict that maps class indices"),
        ({"class_weight": {0: "big"}}, "`class_weight` must map class indices"),
        ({"class_weight": {0: None}}, "`class_weight` must map class indices"),
        ({"class_weight": {0: 1.0}, "sample_weight": np.ones(20)}, "You cannot `class_weight` and `sample_weight`"),
        ({"callbacks": [callbacks.History]}, "`callbacks` should contain instances of `Callback`"),
        ({"validation_data": (X, Y, X, Y)}, "Data is expected to be in format `x`, `\\(x,\\)`, `\\(x, y\\)`"),
    ],
)
def test_arguments_of_fit(model, arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, Y, **({"verbose": 0} | arguments))


def test_unknown_arguments(model):
    with pytest.raises(TypeError, match="unexpected keyword argument 'nb_epoch'"):
        model.fit(X, Y, nb_epoch=3)
    with pytest.raises(ValueError, match="Arguments not recognized: {'workers': 2}"):
        model.evaluate(X, Y, workers=2)
    with pytest.raises(AttributeError, match="fit_generator"):
        model.fit_generator(None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "categorical_crossentrop"}, "categorical_crossentrop"),
        ({"loss": 3}, "3"),
        ({"optimizer": "adm"}, "adm"),
        ({"optimizer": 3}, "3"),
        ({"metrics": ["accuraci"]}, "accuraci"),
        ({"metrics": "accuracy"}, "Expected `metrics` argument to be a list, tuple, or dict. Received instead:"),
        ({"weighted_metrics": "accuracy"}, "Expected `weighted_metrics` argument to be a list, tuple, or dict"),
        ({"loss_weights": "heavy"}, "Expected `loss_weights` to be a float, list, tuple, or dict"),
        ({"steps_per_execution": 0}, "`steps_per_execution` must be a positive integer. Received: 0"),
        ({"learning_rate": 0.1}, "unexpected keyword argument 'learning_rate'"),
    ],
)
def test_arguments_of_compile(model, arguments, message):
    before = model.optimizer
    with pytest.raises((ValueError, TypeError), match=message):
        model.compile(**({"optimizer": "sgd", "loss": "mse"} | arguments))
    assert model.optimizer is before


def test_run_eagerly_warns_once(model):
    other = Sequential([layers.Input(shape=(4,)), layers.Dense(3)])
    with pytest.warns(UserWarning, match="`run_eagerly=True` has no effect"):
        other.compile(optimizer="sgd", loss="mse", run_eagerly=True, jit_compile=True)
    other.fit(X, Y, verbose=0)
    assert other.run_eagerly


def test_no_loss():
    model = Sequential([layers.Input(shape=(4,)), layers.Dense(3)])
    model.compile(optimizer="sgd")
    with pytest.raises(ValueError, match="No loss to compute. Provide a `loss` argument in `compile"):
        model.fit(X, Y)


def test_structures_of_outputs():
    x = layers.Input(shape=(4,))
    model = Model(x, [layers.Dense(1, name="a")(x), layers.Dense(1, name="b")(x)])
    one = Y[:, :1]
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(ValueError, match="y_true and y_pred have different structures"):
        model.fit(X, [one, one, one])
    with pytest.raises(ValueError, match=r"Expected `y` to have the keys \['a', 'b'\]"):
        model.fit(X, {"a": one, "c": one})
    model.compile(optimizer="sgd", loss=["mse", "mae", "mse"])
    with pytest.raises(ValueError, match="Expected one loss for each of the 2 outputs"):
        model.fit(X, [one, one])
    model.compile(optimizer="sgd", loss={"a": "mse", "z": "mse"})
    with pytest.raises(ValueError, match=r"Expected keys \['a', 'b'\] in loss dict"):
        model.fit(X, [one, one])
    model.compile(optimizer="sgd", loss=["mse", "mse"], loss_weights=[1.0])
    with pytest.raises(ValueError, match="`loss_weights` must match the number of losses, got 2 losses and 1 weights"):
        model.fit(X, [one, one])
    model.compile(optimizer="sgd", loss="mse", metrics=["mae"])
    with pytest.raises(ValueError, match="Invalid `metrics`"):
        model.fit(X, [one, one])
    with pytest.raises(ValueError, match="`class_weight` is only supported for Models with a single output"):
        model.fit(X, [one, one], class_weight={0: 1.0})
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(ValueError, match="it should only have one scalar score per sample"):
        model.fit(X, [one, one], sample_weight=np.ones((20, 2)))
    assert model.fit(X, [one, one], sample_weight=np.ones(20), verbose=0).history["loss"][0] > 0


def test_losses_by_output():
    """As in Keras: a list of outputs wants a loss for each; a dict of outputs does not; weights go with the losses."""
    x = layers.Input(shape=(4,))
    a, b = layers.Dense(3, name="a")(x), layers.Dense(3, name="b")(x)
    listed, named = Model(x, [a, b]), Model(x, {"a": a, "b": b})
    weights = listed.get_weights()
    listed.compile("sgd", {"a": "mse"})
    with pytest.raises(ValueError, match=r"^Expected keys \['a', 'b'\] in loss dict, but found loss.keys\(\)=\['a'\]"):
        listed.fit(X, [Y, Y], verbose=0)
    for model, y in ((listed, [Y, Y]), (named, {"a": Y, "b": Y})):
        model.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"a": 2.0})
        message = "^`loss_weights` must match the number of losses, got 2 losses and 1 weights.$"
        with pytest.raises(ValueError, match=message):
            model.fit(X, y, verbose=0)
        with pytest.raises(ValueError, match="Invalid `metrics`.*matching the output names of the model"):
            model.compile("sgd", {"a": "mse", "b": "mae"}, metrics={"c": ["mae"]})
            model.fit(X, y, verbose=0)
    for one, other in zip(weights, listed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    named.compile("sgd", {"a": "mse"})
    assert list(named.evaluate(X, {"a": Y, "b": Y}, verbose=0, return_dict=True)) == ["loss"]
    listed.compile("sgd", {"a": "mse", "b": "mae"}, loss_weights={"b": 0.5, "a": 2.0})
    logs = listed.train_on_batch(X, [Y, Y], return_dict=True)
    assert logs["loss"] == pytest.approx(2 * logs["a_loss"] + 0.5 * logs["b_loss"])


def test_failure_in_call(model):
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.broken = True
            self.dense = layers.Dense(3)

        def call(self, x):
            if self.broken:
                raise RuntimeError("it broke")
            return self.dense(x)

    net = Net()
    net.compile(optimizer="sgd", loss="mse")
    with pytest.raises(RuntimeError, match="it broke"):
        net.fit(X, Y, verbose=0)
    net.broken = False
    assert net.fit(X, Y, verbose=0).history["loss"][0] > 0


def test_failure_in_a_callback(model):
    def fail(epoch, logs):
        raise RuntimeError("stop here")

    other = classifier()
    with pytest.raises(RuntimeError, match="stop here"):
        other.fit(X, Y, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_end=fail)])
    assert other.fit(X, Y, verbose=0).history["loss"][0] > 0


def test_set_weights(model):
    with pytest.raises(ValueError, match="with a weight list of length 1, but the layer was expecting 4 weights"):
        model.set_weights([X])
    weights = model.get_weights()
    weights[3] = np.array(["a"] * 3)
    with pytest.raises(ValueError, match="weights must hold numbers. Received dtype <U1"):
        model.set_weights(weights)
    with pytest.raises(ValueError, match="`weights` must be a list of arrays. Received: <class 'int'>"):
        model.set_weights(3)
    weights[3] = np.zeros(9)
    with pytest.raises(ValueError, match=r"weight shape \(3,\) is not compatible with provided weight shape \(9,\)"):
        model.set_weights(weights)


def test_zero_units():
    with pytest.raises(ValueError, match="units"):
        layers.Dense(0)
    assert layers.Dense(np.int64(3)).units == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Conv2D(2.5, 3), "argument `filters`. Expected a strictly positive value. Received filters=2"),
        (lambda: layers.Reshape(5), "`target_shape` must be a tuple of integers.* Received: target_shape=5"),
        (lambda: layers.Reshape((2.5,)), "Each dimension in `target_shape` must be a non-negative integer"),
        (lambda: layers.MaxPooling2D(2, padding="x"), "must be either 'valid' or 'same'. Received: padding=x"),
        (lambda: layers.Dropout("half"), "Expected a float value between 0 and 1. Received: rate=half"),
        (lambda: layers.LeakyReLU("a"), "Expected a float. Received: negative_slope=a"),
        (lambda: layers.BatchNormalization(axis="c"), "`axis` must be an integer. Received: axis=c"),
        (lambda: layers.Rescaling("a"), "`scale` must hold numbers. Received: scale=a"),
        (lambda: Sequential(3), "`layers` must be a list of layers. Received: layers=3"),
        (lambda: config.set_num_threads("a"), "`count` must be an integer or None. Received: count=a"),
        (lambda: config.set_num_threads(10**9), "requires 1 to 1024 threads, got 1000000000"),
        (lambda: utils.set_random_seed(-1), "`seed` must be between 0 and .* Received: seed=-1"),
        (lambda: utils.to_categorical([]), "`x` must hold at least one class"),
    ],
)
def test_arguments_of_constructors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_weights_beyond_any_memory():
    with pytest.raises(MemoryError, match=r"cannot allocate .* GiB for variable .*kernel' of shape"):
        Sequential([layers.Input(shape=(10**10,)), layers.Dense(10**10)])


def test_one_input_in_a_structure():
    model = Sequential([layers.Input(shape=(4,), name="pixels"), layers.Dense(3)])
    expected = model.predict(X, verbose=0)
    for x in ([X], (X,), {"pixels": X}):
        np.testing.assert_array_equal(model.predict(x, verbose=0), expected)
    with pytest.raises(ValueError, match="has one input, 'pixels'. Received: 2 inputs"):
        model.predict([X, X])
    with pytest.raises(ValueError, match=r"has one input, 'pixels'. Received: a dict with the keys \['x'\]"):
        model.predict({"x": X})


def test_losses_of_users():
    def nothing(y_true, y_pred):
        return None

    def numpy(y_true, y_pred):
        return np.mean(y_true - y_pred)

    with pytest.raises(ValueError, match="The loss 'nothing' must return a tensor of one value per sample"):
        classifier(loss=nothing).fit(X, Y)
    with pytest.raises(TypeError, match="test_errors.py, line [0-9]+: `return np.mean"):
        classifier(loss=numpy).fit(X, Y)
    with pytest.raises(ValueError) as error:
        classifier(loss="mse").fit(X, Y[:, :2])
    assert error.value.__notes__[0].endswith("`y` has shape (20, 2), the output has shape (20, 3).")


def test_own_train_step_is_not_for_calling(model):
    with pytest.raises((RuntimeError, TypeError, ValueError)):
        model.train_step((X, Y, None))
