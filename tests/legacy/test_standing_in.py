"""`import keras` and `import tensorflow.keras` find Nabi; what is missing is said in one line; `nabi run`."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest

import nabi
from nabi import cli, legacy

MODULES = [
    "keras",
    "keras.layers",
    "keras.layers.core",
    "keras.layers.convolutional",
    "keras.layers.normalization",
    "keras.layers.pooling",
    "keras.layers.advanced_activations",
    "keras.engine.topology",
    "keras.models",
    "keras.optimizers",
    "keras.optimizers.legacy",
    "keras.optimizers.schedules",
    "keras.objectives",
    "keras.initializations",
    "keras.backend",
    "keras.utils.np_utils",
    "keras.utils.generic_utils",
    "keras.datasets.mnist",
    "keras.preprocessing.text",
    "keras.preprocessing.sequence",
    "keras.wrappers.scikit_learn",
    "tensorflow",
    "tensorflow.keras",
    "tensorflow.keras.layers",
    "tensorflow.python.keras.models",
    "tensorflow.compat.v1.keras.backend",
    "tf_keras",
]


@pytest.mark.parametrize("name", MODULES)
def test_modules_of_every_year(name):
    module = importlib.import_module(name)
    assert module.__name__ == name
    for exported in module.__all__:
        if exported not in ("KerasClassifier", "KerasRegressor"):
            getattr(module, exported)


def test_the_same_classes_under_every_name():
    import keras
    import keras.layers as layers
    import tensorflow as tf
    from tensorflow import keras as tf_keras

    assert layers.Dense is nabi.layers.Dense
    assert tf.keras.layers.Dense is tf_keras.layers.Dense is keras.layers.Dense
    assert keras.models.Sequential is nabi.Sequential
    assert keras.__version__.startswith("3.")
    assert keras.utils.to_categorical([0, 1]).shape == (2, 2)
    assert keras.layers.core.Dense is nabi.layers.Dense
    namespace: dict[str, object] = {}
    exec("from keras.layers import *\nfrom keras.models import *", namespace)
    assert namespace["Dense"] is nabi.layers.Dense
    assert namespace["Sequential"] is nabi.Sequential


def test_what_is_not_offered_is_said_with_what_to_use():
    import keras
    import tensorflow as tf

    with pytest.raises(ImportError, match="Nabi does not offer `keras.layers.LocallyConnected1D`: use Conv1D."):
        from keras.layers import LocallyConnected1D  # noqa: F401
    with pytest.raises(AttributeError, match="Nabi does not offer `keras.layers.NoSuchLayer`."):
        keras.layers.NoSuchLayer  # noqa: B018
    with pytest.raises(AttributeError, match="Nabi does not offer `tensorflow.GradientTape`: use nabi.ops.gradients"):
        tf.GradientTape  # noqa: B018
    assert not hasattr(keras.layers, "NoSuchLayer")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("keras.nothing")


def test_uninstall_brings_the_installed_modules_back():
    legacy.uninstall()
    fake = type(sys)("keras")
    sys.modules["keras"] = fake
    try:
        legacy.install_as_keras()
        assert importlib.import_module("keras").layers.Dense is nabi.layers.Dense
        legacy.uninstall()
        assert sys.modules["keras"] is fake
    finally:
        del sys.modules["keras"]


def test_backend_functions_agree_with_numpy():
    from keras import backend as K

    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 0.9, (3, 4)).astype("float32")
    same = np.testing.assert_allclose
    for name in ("sum", "mean", "max", "min", "std", "var", "prod"):
        same(getattr(K, name)(x, axis=1, keepdims=True), getattr(np, name)(x, axis=1, keepdims=True), rtol=1e-5)
    same(K.clip(x, 0.3, 0.5), np.clip(x, 0.3, 0.5))
    same(K.dot(x, x.T), x @ x.T, rtol=1e-5)
    same(K.l2_normalize(x, axis=1), x / np.linalg.norm(x, axis=1, keepdims=True), rtol=1e-5)
    same(K.hard_sigmoid(np.array([-3.0, 0.0, 1.0, 3.0])), [0.0, 0.5, 0.7, 1.0], rtol=1e-6)
    same(K.binary_crossentropy(np.ones_like(x), x), -np.log(x), rtol=1e-5)
    same(K.batch_dot(x[:, None, :], x[:, :, None]), np.einsum("bij,bjk->bik", x[:, None, :], x[:, :, None]), rtol=1e-5)
    same(K.batch_dot(x, x), (x * x).sum(1, keepdims=True), rtol=1e-5)
    same(K.permute_dimensions(x, (1, 0)), x.T)
    same(K.repeat_elements(x, 2, axis=0), np.repeat(x, 2, 0))
    same(K.sqrt(np.array([-1.0, 4.0])), [0.0, 2.0])
    assert K.int_shape(x) == (3, 4)
    assert K.ndim(x) == 2
    assert K.image_dim_ordering() == "tf"
    v = K.variable([1.0, 2.0])
    K.set_value(v, [3.0, 4.0])
    K.update_add(v, np.ones(2, "float32"))
    same(K.get_value(v), [4.0, 5.0])
    assert K.in_train_phase(1, 2) == 2
    assert K.random_normal((5,)).shape == (5,)


def test_function_of_the_backend_shows_feature_maps():
    from keras import backend as K
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential([Dense(3, input_dim=2), Dense(1)])
    x = np.ones((4, 2), "float32")
    inner = K.function([model.layers[0].input, K.learning_phase()], [model.layers[0].output])
    np.testing.assert_allclose(inner([x, 0])[0], x @ model.get_weights()[0], rtol=1e-6)
    with pytest.raises(NotImplementedError, match="updates"):
        K.function([model.input], [model.output], updates=[1])


def test_names_of_tensorflow():
    import tensorflow as tf

    assert tf.config.list_physical_devices("GPU") == []
    tf.random.set_seed(3)
    a = tf.random.normal((4,))
    tf.random.set_seed(3)
    np.testing.assert_array_equal(a, tf.random.normal((4,)))
    assert tf.constant([1.0, 2.0]).dtype == np.float32
    assert float(tf.reduce_mean(tf.constant([1.0, 3.0]))) == 2.0
    assert tf.cast(tf.constant([1, 2]), tf.float32).dtype == np.float32
    assert tf.nn.relu(tf.constant([-1.0, 1.0])).tolist() == [0.0, 1.0]
    v = tf.Variable([1.0])
    v.assign_add([2.0])
    assert v.numpy().tolist() == [3.0]

    @tf.function
    def twice(x):
        return 2 * x

    assert twice(3) == 6
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)


def test_datasets_of_tensorflow_feed_fit():
    import tensorflow as tf
    from tensorflow.keras import layers, models

    x = np.arange(20, dtype="float32").reshape(10, 2)
    y = np.arange(10, dtype="float32")
    data = tf.data.Dataset.from_tensor_slices((x, y))
    assert len(data.batch(4)) == 3
    assert [len(b) for b, _ in data.batch(4)] == [4, 4, 2]
    assert [len(b) for b, _ in data.batch(4, drop_remainder=True)] == [4, 4]
    assert len(data.repeat(2).batch(5).prefetch(tf.data.AUTOTUNE)) == 4
    doubled = list(data.map(lambda a, b: (2 * a, b)).take(2).cache())
    np.testing.assert_array_equal(doubled[1][0], 2 * x[1])
    shuffled = [float(b) for _, b in data.shuffle(10, seed=1)]
    assert shuffled != y.tolist()
    assert sorted(shuffled) == y.tolist()
    model = models.Sequential([layers.Dense(1, input_shape=(2,))])
    model.compile("sgd", "mse")
    model.fit(data.shuffle(10).batch(4), epochs=2, verbose=0)
    with pytest.raises(ValueError, match="same number of rows"):
        tf.data.Dataset.from_tensor_slices((x, y[:3]))


# ---------------------------------------------------------------------------------------------------------------------
# nabi run
# ---------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(text):
        path = tmp_path / "program.py"
        path.write_text(text)
        return str(path)

    return write


def test_run_passes_arguments_and_finds_neighbours(program, tmp_path, capsys):
    (tmp_path / "neighbour_of_the_program.py").write_text("value = 7\n")
    script = program(
        "import sys, neighbour_of_the_program as n\nfrom keras.layers import Dense\n"
        "print(__name__, sys.argv[1:], n.value, Dense.__name__)\n"
    )
    assert cli.main(["run", script, "--epochs", "3"]) == 0
    assert capsys.readouterr().out == "__main__ ['--epochs', '3'] 7 Dense\n"


def test_run_says_in_one_line_what_is_missing(program, capsys):
    script = program("import keras\n\nfrom keras.layers import LocallyConnected2D\n")
    assert cli.main(["run", script]) == 1
    assert (
        capsys.readouterr().err == f"{script}:3: Nabi does not offer `keras.layers.LocallyConnected2D`: use Conv2D.\n"
    )
    script = program("import tensorflow as tf\nwith tf.GradientTape(): pass\n")
    assert cli.main(["run", script]) == 1
    assert f"{script}:2: Nabi does not offer" in capsys.readouterr().err


def test_run_shows_errors_from_the_program_on(program, capsys):
    script = program("def f():\n    raise ValueError('mine')\nf()\n")
    assert cli.main(["run", script]) == 1
    err = capsys.readouterr().err
    assert "ValueError: mine" in err
    assert "runpy" not in err
    assert cli.main(["run", script + "x"]) == 2
    assert "there is no file" in capsys.readouterr().err
