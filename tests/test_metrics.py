"""Metrics against NumPy restatements of Keras's formulas, batch by batch, eager and inside a step."""

import numpy as np
import pytest

import nabi
from nabi import losses, metrics, ops
from nabi.metrics.reduction_metrics import reduce_to_samplewise_values
from nabi.trace import Cached, Trace

RNG = np.random.default_rng(2)


def in_step(metric, *batches):
    """Feed batches through one traced program, as training does; the result afterwards."""

    def step(*batch):
        metric.update_state(*batch)

    run = Cached(step)
    for batch in batches:
        run(*batch)
    return metric.result()


def masked(values, mask):
    values = ops.convert_to_tensor(values)
    values._keras_mask = ops.convert_to_tensor(mask)
    return values


# Sum and Mean


def test_sum():
    metric = metrics.Sum()
    metric.update_state([1.0, 3.0, 5.0])
    metric.update_state(np.array([[2.0, 1.0]]))
    assert metric.result() == 12
    metric.reset_state()
    assert metric.result() == 0
    metric.update_state(np.array([1.0, 3.0, 5.0, 7.0]), sample_weight=np.array([1.0, 1.0, 0.0, 0.0]))
    assert metric.result() == 4


def test_mean():
    metric = metrics.Mean()
    assert metric.result() == 0
    metric.update_state([1.0, 3.0])
    metric.update_state(8.0)
    assert metric.result() == 4
    assert [v.numpy() for v in metric.variables] == [12, 3]
    metric.reset_state()
    metric.update_state(np.array([1.0, 3.0, 5.0, 7.0]), sample_weight=np.array([1.0, 1.0, 0.0, 0.0]))
    assert metric.result() == 2
    metric.reset_state()
    metric.update_state(2.0, sample_weight=3)
    metric.update_state(5.0, sample_weight=1)
    np.testing.assert_allclose(metric.result(), 11 / 4)


def test_mean_of_further_axes_is_one_value_per_sample():
    values = RNG.random((3, 4, 2))
    metric = metrics.Mean()
    metric.update_state(values)
    np.testing.assert_allclose(metric.result(), values.mean(), rtol=1e-6)
    assert metric.count.numpy() == 3


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 4), (1, 4), ()])
def test_weights_of_any_rank(shape):
    values, weights = RNG.random((3, 4)), RNG.random(shape)
    got, weight = reduce_to_samplewise_values(values, weights, ops.mean, "float32")
    if len(shape) == 2:
        expected, expected_weight = (values * weights).mean(1), np.broadcast_to(weights, (3, 4)).mean(1)
    elif shape == ():
        expected, expected_weight = values.mean() * weights, weights
    else:
        expected, expected_weight = values.mean(1) * weights, weights
    np.testing.assert_allclose(got, expected, rtol=1e-5)
    np.testing.assert_allclose(weight, expected_weight, rtol=1e-5)


def test_mask_of_the_values():
    metric = metrics.Mean()
    metric.update_state(masked([1.0, 2.0, 6.0], [True, False, True]), sample_weight=np.ones(3))
    np.testing.assert_allclose(metric.result(), 3.5)


def test_mask_of_the_predictions():
    metric = metrics.MeanSquaredError()
    metric.update_state(np.zeros((3, 1)), masked([[1.0], [2.0], [3.0]], [True, False, True]))
    np.testing.assert_allclose(metric.result(), 5.0)
    metric.update_state(np.zeros((1, 1)), masked([[7.0]], [True]), sample_weight=np.array([2.0]))
    np.testing.assert_allclose(metric.result(), (1 + 9 + 2 * 49) / 4)


def test_mean_metric_wrapper():
    metric = metrics.MeanMetricWrapper(lambda t, p, power: abs(t - p) ** power, name="mine", power=3)
    metric.update_state(np.zeros(3), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(metric.result(), 12.0)
    wrapper = metrics.MeanMetricWrapper(losses.huber, name="h", delta=0.5)
    again = metrics.MeanMetricWrapper.from_config(wrapper.get_config())
    assert again._fn is losses.huber
    assert again._fn_kwargs == {"delta": 0.5}
    of_metric = metrics.MeanMetricWrapper(metrics.binary_accuracy)
    assert metrics.MeanMetricWrapper.from_config(of_metric.get_config())._fn is metrics.binary_accuracy
    assert wrapper._direction == "down"
    assert metrics.MeanMetricWrapper(losses.MeanSquaredError())._direction == "down"


# Accuracies

LABELS = np.array([2, 0, 1, 1])
SCORES = np.array([[0.1, 0.2, 0.7], [0.3, 0.6, 0.1], [0.05, 0.9, 0.05], [0.4, 0.3, 0.3]])


def test_accuracy():
    np.testing.assert_array_equal(metrics.accuracy([[1], [2]], [[1.0], [3.0]]), [[1], [0]])
    metric = metrics.Accuracy()
    metric.update_state([[1], [2], [3], [4]], [[0], [2], [3], [4]])
    assert metric.result() == 0.75
    metric.update_state(np.array([1, 2]), np.array([[1], [1]]), sample_weight=np.array([4.0, 0.0]))
    np.testing.assert_allclose(metric.result(), 7 / 8)


def test_binary_accuracy():
    t, p = np.array([1, 1, 0, 0]), np.array([[0.98], [0.5], [0.0], [0.6]])
    np.testing.assert_array_equal(metrics.binary_accuracy(t, p), [[1], [0], [1], [0]])
    metric = metrics.BinaryAccuracy(threshold=0.4)
    metric.update_state(t, p)
    assert metric.result() == 0.75
    assert metric.get_config() == {"name": "binary_accuracy", "dtype": "float32", "threshold": 0.4}


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32", "bool"])
def test_binary_accuracy_of_any_target(dtype):
    t = np.array([1, 1, 0, 0]).astype(dtype)
    np.testing.assert_array_equal(metrics.binary_accuracy(t, np.array([0.9, 0.1, 0.9, 0.1])), [1, 0, 0, 1])


def test_categorical_accuracy():
    np.testing.assert_array_equal(metrics.categorical_accuracy(np.eye(3)[LABELS], SCORES), [1, 0, 1, 0])
    shaped = metrics.categorical_accuracy(np.eye(3)[LABELS].reshape(2, 2, 3), SCORES.reshape(2, 2, 3))
    np.testing.assert_array_equal(shaped, [[1, 0], [1, 0]])
    metric = metrics.CategoricalAccuracy()
    metric.update_state(np.eye(3)[LABELS], SCORES, sample_weight=np.array([1.0, 2.0, 0.0, 1.0]))
    assert metric.result() == 0.25


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_sparse_categorical_accuracy(dtype, shape):
    labels = LABELS.reshape(shape).astype(dtype)
    np.testing.assert_array_equal(metrics.sparse_categorical_accuracy(labels, SCORES), [1, 0, 1, 0])
    metric = metrics.SparseCategoricalAccuracy()
    metric.update_state(labels, SCORES)
    assert metric.result() == 0.5


def test_sparse_categorical_accuracy_of_sequences():
    got = metrics.sparse_categorical_accuracy(LABELS.reshape(2, 2), SCORES.reshape(2, 2, 3))
    np.testing.assert_array_equal(got, [[1, 0], [1, 0]])


def test_narrow_labels_do_not_wrap():
    scores = np.zeros((1, 300))
    scores[0, 256] = 1
    np.testing.assert_array_equal(metrics.sparse_categorical_accuracy(np.array([0], "uint8"), scores), [0])


def test_top_k():
    p = np.array([[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
    np.testing.assert_array_equal(metrics.top_k_categorical_accuracy(np.array([[0, 0, 1], [0, 0, 1]]), p, k=2), [1, 0])
    np.testing.assert_array_equal(metrics.sparse_top_k_categorical_accuracy(np.array([2, 2]), p, k=2), [1, 0])
    np.testing.assert_array_equal(metrics.sparse_top_k_categorical_accuracy(np.array([[2], [0]]), p, k=2), [1, 1])
    shaped = metrics.top_k_categorical_accuracy(np.eye(3)[[[2], [0]]], p[:, None], k=1)
    np.testing.assert_array_equal(shaped, [[0], [0]])
    for metric, t in (
        (metrics.TopKCategoricalAccuracy(k=2), np.eye(3)[[2, 2]]),
        (metrics.SparseTopKCategoricalAccuracy(k=2), np.array([2, 2])),
    ):
        metric.update_state(t, p)
        assert metric.result() == 0.5
        assert metric.get_config()["k"] == 2
        assert "from_sorted_ids" not in metric.get_config()


def test_top_k_from_sorted_ids():
    ids = np.array([[1, 0, 2], [1, 0, 2]])
    got = metrics.sparse_top_k_categorical_accuracy(np.array([2, 1]), ids, k=2, from_sorted_ids=True)
    np.testing.assert_array_equal(got, [0, 1])
    metric = metrics.SparseTopKCategoricalAccuracy(k=2, from_sorted_ids=True)
    metric.update_state(np.array([2, 1]), ids)
    assert metric.result() == 0.5
    assert metric.get_config()["from_sorted_ids"] is True


# Errors and losses as metrics

T, P = RNG.random((6, 3)) + 0.1, RNG.random((6, 3)) + 0.1
ONE_HOT = np.eye(3)[[0, 1, 2, 2, 1, 0]]
PROB = P / P.sum(1, keepdims=True)


def cosine(t, p):
    return (t * p).sum(-1) / np.sqrt((t * t).sum(-1) * (p * p).sum(-1))


MEANS = {
    "MeanSquaredError": (losses.mean_squared_error, T, P, {}),
    "MeanAbsoluteError": (losses.mean_absolute_error, T, P, {}),
    "MeanAbsolutePercentageError": (losses.mean_absolute_percentage_error, T, P, {}),
    "MeanSquaredLogarithmicError": (losses.mean_squared_logarithmic_error, T, P, {}),
    "LogCoshError": (losses.log_cosh, T, P, {}),
    "CosineSimilarity": (cosine, T, P, {}),
    "Hinge": (losses.hinge, ONE_HOT, P, {}),
    "SquaredHinge": (losses.squared_hinge, ONE_HOT, P, {}),
    "CategoricalHinge": (losses.categorical_hinge, ONE_HOT, P, {}),
    "KLDivergence": (losses.kl_divergence, ONE_HOT, PROB, {}),
    "Poisson": (losses.poisson, T, P, {}),
    "BinaryCrossentropy": (losses.binary_crossentropy, ONE_HOT, PROB, {"label_smoothing": 0.1}),
    "CategoricalCrossentropy": (losses.categorical_crossentropy, ONE_HOT, PROB, {"from_logits": True}),
    "SparseCategoricalCrossentropy": (losses.sparse_categorical_crossentropy, ONE_HOT.argmax(1), PROB, {}),
}


@pytest.mark.parametrize("name", MEANS)
@pytest.mark.parametrize("weighted", [False, True])
def test_mean_of_a_function(name, weighted):
    fn, t, p, kwargs = MEANS[name]
    w = RNG.random(6).astype("float32") if weighted else np.ones(6, "float32")
    values = np.asarray(fn(t, p, **kwargs), "float64")
    expected = (values * w).sum() / w.sum()
    metric = getattr(metrics, name)(**kwargs)
    for rows in (slice(0, 4), slice(4, 6)):
        metric.update_state(t[rows], p[rows], sample_weight=w[rows] if weighted else None)
    if name not in ("Hinge", "SquaredHinge"):  # their labels' form is decided batch by batch
        np.testing.assert_allclose(metric.result(), expected, rtol=1e-5)
    traced = type(metric)(**kwargs)
    batches = [(t[r], p[r], w[r]) if weighted else (t[r], p[r]) for r in (slice(0, 4), slice(4, 6))]
    np.testing.assert_array_equal(in_step(traced, *batches), metric.result())
    assert metric._direction == ("up" if name == "CosineSimilarity" else "down")
    again = type(metric).from_config(metric.get_config())
    assert again.get_config() == metric.get_config()
    assert metrics.deserialize(metrics.serialize(metric)).get_config() == metric.get_config()


def test_root_mean_squared_error():
    metric = metrics.RootMeanSquaredError()
    assert metric.result() == 0
    metric.update_state([2.0, 4.0, 6.0], [1.0, 3.0, 2.0])
    np.testing.assert_allclose(metric.result(), np.sqrt(6), rtol=1e-6)
    metric.update_state(np.array([[1.0], [2.0]]), np.array([3.0, 2.0]), sample_weight=np.array([2.0, 1.0]))
    np.testing.assert_allclose(metric.result(), np.sqrt((18 + 8) / 6), rtol=1e-6)


@pytest.mark.parametrize("aggregation", ["uniform_average", "variance_weighted_average", None])
@pytest.mark.parametrize("weighted", [False, True])
def test_r2_score(aggregation, weighted):
    w = RNG.random(6) if weighted else np.ones(6)
    metric = metrics.R2Score(class_aggregation=aggregation)
    for rows in (slice(0, 4), slice(4, 6)):
        metric.update_state(T[rows], P[rows], sample_weight=w[rows] if weighted else None)
    mean = (T * w[:, None]).sum(0) / w.sum()
    total = (w[:, None] * (T - mean) ** 2).sum(0)
    scores = 1 - (w[:, None] * (T - P) ** 2).sum(0) / total
    expected = {"uniform_average": scores.mean(), "variance_weighted_average": (scores * total).sum() / total.sum()}
    np.testing.assert_allclose(metric.result(), expected.get(aggregation, scores), rtol=1e-4)
    assert metrics.R2Score.from_config(metric.get_config()).get_config() == metric.get_config()


def test_adjusted_r2_score():
    t, p = np.array([[0.0], [1.0], [2.0], [4.0]]), np.array([[0.1], [1.2], [1.9], [3.5]])
    plain = metrics.R2Score()
    plain.update_state(t, p)
    r2 = float(plain.result())
    metric = metrics.R2Score(num_regressors=2)
    metric.update_state(t, p)
    np.testing.assert_allclose(metric.result(), 1 - (1 - r2) * 3 / 1, rtol=1e-5)
    for count, message in (
        (3, "Division by zero in Adjusted R2 score"),
        (4, "More independent predictors than datapoints"),
    ):
        metric = metrics.R2Score(num_regressors=count)
        metric.update_state(t, p)
        with pytest.warns(UserWarning, match=message):
            np.testing.assert_allclose(metric.result(), r2, rtol=1e-6)


def test_r2_score_of_constant_targets_and_errors():
    metric = metrics.R2Score()
    assert metric.result() == 0
    metric.update_state(np.ones((3, 1)), np.zeros((3, 1)))
    assert metric.result() == 0
    with pytest.raises(ValueError, match="R2Score expects 2D inputs with shape"):
        metrics.R2Score().update_state(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="Invalid value for argument `class_aggregation`"):
        metrics.R2Score(class_aggregation="mean")
    with pytest.raises(ValueError, match="Invalid value for argument `num_regressors`"):
        metrics.R2Score(num_regressors=-1)


# In a step


def test_metrics_in_one_step():
    mean, accuracy = metrics.Mean(name="loss"), metrics.SparseCategoricalAccuracy()
    with Trace() as trace:
        labels, scores = trace.input((4,), "int32"), trace.input((4, 3), "float32")
        mean.update_state(ops.mean(losses.sparse_categorical_crossentropy(labels, scores)), sample_weight=4)
        accuracy.update_state(labels, scores)
        program = trace.compile([accuracy.result()])
    assert len(trace.assigned) == 4
    for expected in (0.5, 0.5):
        (result,) = program.call([LABELS.astype("int32"), SCORES.astype("float32")])
        assert result == expected
    assert accuracy.count.numpy() == 8
    np.testing.assert_allclose(mean.result(), losses.sparse_categorical_crossentropy(LABELS, SCORES).mean(), rtol=1e-6)
    accuracy.reset_state()
    assert accuracy.result() == 0


def test_masks_in_a_step():
    metric = metrics.BinaryAccuracy()

    def step(t, p, mask):
        p._keras_mask = mask
        metric.update_state(t, p)

    Cached(step)(np.array([1.0, 1.0, 0.0]), np.array([0.9, 0.1, 0.2]), np.array([True, False, True]))
    assert metric.result() == 1


# The base


class Largest(metrics.Metric):
    def __init__(self, name="largest", **kwargs):
        super().__init__(name=name, **kwargs)
        self.inner = [metrics.Mean(name="inner")]
        self.largest = self.add_weight(name="value", initializer="zeros")
        self.extra = nabi.Variable(1.0, name="extra", trainable=False)

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.largest.assign(ops.maximum(self.largest, ops.max(ops.abs(y_true - y_pred))))

    def result(self):
        return self.largest.value


def test_user_metric():
    metric = Largest()
    assert metric(np.zeros(2), np.array([1.0, -3.0])) == 3
    assert metric(np.zeros(2), np.array([1.0, -2.0])) == 3
    assert [v.path for v in metric.variables] == ["largest/value", "extra", "inner/total", "inner/count"]
    np.testing.assert_array_equal(in_step(metric, (np.zeros(2), np.array([5.0, 0.0]))), 5)
    metric.reset_state()
    assert [float(v.numpy()) for v in metric.variables] == [0, 0, 0, 0]
    assert repr(metric) == str(metric) == "<Largest name=largest>"
    assert metrics.Metric(name="a/b").add_variable((2,), "ones", name="v").path == "a>b/v"


def test_names_and_dtypes():
    nabi.utils.clear_session()
    assert metrics.Mean().name == "mean"
    assert metrics.Metric().name == "metric"
    assert metrics.Metric().name == "metric_1"
    metric = metrics.MeanSquaredError(dtype="float64")
    assert metric.dtype == "float64"
    assert {v.dtype for v in metric.variables} == {"float64"}
    metric.update_state(np.array([[1.0]]), np.array([[3.0]]))
    assert metric.result() == 4
    assert metric.result().dtype == np.float64
    assert metric.get_config() == {"name": "mean_squared_error", "dtype": "float64"}


def test_base_errors():
    with pytest.raises(NotImplementedError, match="Metric 'Metric' must override `update_state"):
        metrics.Metric().update_state()
    with pytest.raises(NotImplementedError, match=r"Metric 'Metric' must override `result\(\)`"):
        metrics.Metric().result()

    class Forgetful(metrics.Metric):
        def __init__(self):
            pass

    for call in (lambda m: m.add_variable((), "zeros"), lambda m: m(1)):
        with pytest.raises(RuntimeError, match="You forgot to call `super"):
            call(Forgetful())


# Names


def test_get():
    assert metrics.get(None) is None
    for name, cls in (
        ("mse", metrics.MeanSquaredError),
        ("MSE", metrics.MeanSquaredError),
        ("mean_squared_error", metrics.MeanSquaredError),
        ("MeanSquaredError", metrics.MeanSquaredError),
        ("binary_accuracy", metrics.BinaryAccuracy),
        ("accuracy", metrics.Accuracy),
        ("BCE", metrics.BinaryCrossentropy),
        ("mape", metrics.MeanAbsolutePercentageError),
        ("msle", metrics.MeanSquaredLogarithmicError),
        ("mae", metrics.MeanAbsoluteError),
        ("kl_divergence", metrics.KLDivergence),
        ("r2_score", metrics.R2Score),
        ("log_cosh_error", metrics.LogCoshError),
    ):
        assert type(metrics.get(name)) is cls
    assert isinstance(metrics.get(metrics.Sum), metrics.Sum)
    assert metrics.get(metrics.binary_accuracy) is metrics.binary_accuracy
    got = metrics.get({"class_name": "BinaryAccuracy", "config": {"threshold": 0.3}})
    assert got.threshold == 0.3
    assert metrics.serialize(metrics.BinaryAccuracy()) == {
        "module": "keras.metrics",
        "class_name": "BinaryAccuracy",
        "config": {"name": "binary_accuracy", "dtype": "float32", "threshold": 0.5},
        "registered_name": None,
    }


@pytest.mark.parametrize("identifier", ["nope", 3])
def test_get_refuses(identifier):
    with pytest.raises(ValueError, match=f"Could not interpret metric identifier: {identifier}"):
        metrics.get(identifier)
