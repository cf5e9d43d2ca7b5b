"""Losses against NumPy restatements of Keras's formulas in float64, in and outside of a trace."""

import functools
import warnings

import numpy as np
import pytest

import nabi
from nabi import activations, config, losses, ops
from nabi.losses.loss import apply_mask, reduce_weighted_values, squeeze_or_expand_to_same_rank
from nabi.trace import Cached, Trace, infer_output

RNG = np.random.default_rng(1)
EPS = 1e-7


def clip(x):
    return np.clip(x, EPS, 1 - EPS)


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def signs(t):
    return 2 * t - 1 if np.isin(t, (0, 1)).all() else t


def unit(x, axis=-1):
    return x / np.maximum(np.sqrt((x * x).sum(axis, keepdims=True)), EPS)


def np_huber(t, p, delta=1.0):
    e = np.abs(p - t)
    return np.where(e <= delta, e * e / 2, delta * e - delta * delta / 2).mean(-1)


def np_cce(t, p, from_logits=False, label_smoothing=0.0, axis=-1):
    t = t * (1 - label_smoothing) + label_smoothing / t.shape[-1]
    p = softmax(p, axis) if from_logits else clip(p / p.sum(axis, keepdims=True))
    return -(t * np.log(p)).sum(axis)


def np_bce(t, p, from_logits=False, label_smoothing=0.0, axis=-1):
    t = t * (1 - label_smoothing) + label_smoothing / 2
    p = sigmoid(p) if from_logits else clip(p)
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(axis)


def np_binary_focal(t, p, apply_class_balancing=False, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0):
    t = t * (1 - label_smoothing) + label_smoothing / 2
    p = sigmoid(p) if from_logits else p
    c = clip(p)
    terms = -(t * np.log(c) + (1 - t) * np.log(1 - c)) * (1 - (t * p + (1 - t) * (1 - p))) ** gamma
    if apply_class_balancing:
        terms = terms * (t * alpha + (1 - t) * (1 - alpha))
    return terms.mean(-1)


def np_focal(t, p, alpha=0.25, gamma=2.0, from_logits=False, label_smoothing=0.0, axis=-1):
    t = t * (1 - label_smoothing) + label_smoothing / t.shape[-1]
    p = softmax(p, axis) if from_logits else p
    p = clip(p / p.sum(axis, keepdims=True))
    return (alpha * (1 - p) ** gamma * -t * np.log(p)).sum(axis)


def np_tversky(t, p, alpha=0.5, beta=0.5, axis=None):
    both, missed, extra = (t * p).sum(axis), (t * (1 - p)).sum(axis), (p * (1 - t)).sum(axis)
    return 1 - both / (both + alpha * missed + beta * extra + EPS)


def np_circle(t, p, remove_diagonal=True, gamma=80.0, margin=0.4):
    d = np.maximum(1 - p @ p.T, 0)
    same = t.reshape(-1, 1) == t.reshape(1, -1)
    positive = same & ~np.eye(len(t), dtype=bool) if remove_diagonal else same
    with np.errstate(divide="ignore"):
        near = np.log((np.exp(-gamma * np.maximum(margin + d, 0) * (margin - d)) * positive).sum(1))
        far = np.log((np.exp(gamma * np.maximum(1 + margin - d, 0) * (1 - margin - d)) * ~same).sum(1))
    return np.log1p(np.exp(near + far))


REAL, PRED = RNG.normal(size=(5, 4)), RNG.normal(size=(5, 4))
POSITIVE, RATE = RNG.random((5, 4)) + 0.1, RNG.random((5, 4)) + 0.1
BITS = (RNG.random((5, 4)) > 0.5).astype("float64")
ONE_HOT = np.eye(4)[[0, 3, 1, 1, 2]]
PROB = softmax(RNG.normal(size=(5, 4)))
SHARE = RNG.random((5, 4))
CLASSES = np.array([0, 3, 1, 1, 2])
UNIT = unit(RNG.normal(size=(5, 4)))


def sparse(t, p, from_logits=False):
    return np_cce(np.eye(p.shape[-1])[t], p, from_logits)


# name: (reference, target, prediction, [arguments, ...])
CASES = {
    "mean_squared_error": (lambda t, p: ((t - p) ** 2).mean(-1), REAL, PRED, [{}]),
    "mean_absolute_error": (lambda t, p: np.abs(t - p).mean(-1), REAL, PRED, [{}]),
    "mean_absolute_percentage_error": (
        lambda t, p: 100 * np.abs((t - p) / np.maximum(np.abs(t), EPS)).mean(-1),
        REAL,
        PRED,
        [{}],
    ),
    "mean_squared_logarithmic_error": (
        lambda t, p: ((np.log(np.maximum(t, EPS) + 1) - np.log(np.maximum(p, EPS) + 1)) ** 2).mean(-1),
        REAL,
        PRED,
        [{}],
    ),
    "cosine_similarity": (
        lambda t, p, axis=-1: -(unit(t, axis) * unit(p, axis)).sum(axis),
        REAL,
        PRED,
        [{}, {"axis": 0}],
    ),
    "huber": (np_huber, REAL, PRED, [{}, {"delta": 0.3}]),
    "log_cosh": (lambda t, p: np.log(np.cosh(p - t)).mean(-1), REAL, PRED, [{}]),
    "hinge": (lambda t, p: np.maximum(1 - signs(t) * p, 0).mean(-1), BITS, PRED, [{}]),
    "squared_hinge": (lambda t, p: (np.maximum(1 - signs(t) * p, 0) ** 2).mean(-1), BITS, PRED, [{}]),
    "categorical_hinge": (
        lambda t, p: np.maximum(((1 - t) * p).max(-1) - (t * p).sum(-1) + 1, 0),
        ONE_HOT,
        PRED,
        [{}],
    ),
    "kl_divergence": (
        lambda t, p: (np.clip(t, EPS, 1) * np.log(np.clip(t, EPS, 1) / np.clip(p, EPS, 1))).sum(-1),
        ONE_HOT,
        PROB,
        [{}],
    ),
    "poisson": (lambda t, p: (p - t * np.log(p + EPS)).mean(-1), POSITIVE, RATE, [{}]),
    "binary_crossentropy": (np_bce, BITS, SHARE, [{}, {"label_smoothing": 0.2}, {"axis": 0}]),
    "categorical_crossentropy": (np_cce, ONE_HOT, 3 * PROB, [{}, {"label_smoothing": 0.2}]),
    "sparse_categorical_crossentropy": (sparse, CLASSES, 3 * PROB, [{}]),
    "binary_focal_crossentropy": (
        np_binary_focal,
        BITS,
        SHARE,
        [{}, {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5}, {"label_smoothing": 0.2}],
    ),
    "categorical_focal_crossentropy": (
        np_focal,
        ONE_HOT,
        3 * PROB,
        [{}, {"alpha": 0.5, "gamma": 1.0}, {"label_smoothing": 0.2}],
    ),
    "categorical_generalized_cross_entropy": (
        lambda t, p, q: (1 - np.take_along_axis(p, t[:, None], 1)[:, 0] ** q) / q,
        CLASSES,
        PROB,
        [{"q": 0.3}, {"q": 0.9}],
    ),
    "dice": (
        lambda t, p, axis=None: 1 - 2 * (t * p).sum(axis) / (t.sum(axis) + p.sum(axis) + EPS),
        BITS,
        SHARE,
        [{}, {"axis": 1}],
    ),
    "tversky": (np_tversky, BITS, SHARE, [{}, {"alpha": 0.2, "beta": 0.9, "axis": (0,)}]),
    "circle": (np_circle, CLASSES, UNIT, [{}, {"gamma": 8.0, "margin": 0.1, "remove_diagonal": False}]),
}
ROWS = [(name, kwargs) for name, case in CASES.items() for kwargs in case[3]]
LOGITS = {"binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy"}
LOGITS |= {"binary_focal_crossentropy", "categorical_focal_crossentropy"}


@pytest.mark.parametrize(("name", "kwargs"), ROWS)
def test_function(name, kwargs):
    reference, target, prediction, _ = CASES[name]
    got = getattr(losses, name)(target, prediction, **kwargs)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, reference(target, prediction, **kwargs), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(LOGITS))
def test_function_from_logits(name):
    reference, target, _, arguments = CASES[name]
    logits = 2 * PRED
    for kwargs in arguments:
        kwargs = {**kwargs, "from_logits": True}
        got = getattr(losses, name)(target, logits, **kwargs)
        np.testing.assert_allclose(got, reference(target, logits, **kwargs), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "kwargs"), ROWS)
def test_function_in_a_trace_with_its_gradient(name, kwargs):
    reference, target, prediction, _ = CASES[name]
    prediction = prediction.astype("float32")

    def value_and_gradient(target, prediction):
        value = getattr(losses, name)(target, prediction, **kwargs)
        total = ops.sum(value)
        return value, nabi.trace.current_trace().gradients(total, [prediction])[0]

    value, gradient = Cached(value_and_gradient)(target, prediction)
    np.testing.assert_array_equal(value, getattr(losses, name)(target, prediction, **kwargs))
    if name == "mean_squared_logarithmic_error":
        prediction = np.abs(prediction) + 0.1  # its kink at epsilon is closer than any step
        _, gradient = Cached(value_and_gradient)(target, prediction)
    step = 1e-6
    wide = prediction.astype("float64")
    for index in [(0, 0), (2, 1), (4, 3)]:
        moved = wide.copy()
        moved[index] += step
        up = reference(target, moved, **kwargs).sum()
        moved[index] -= 2 * step
        down = reference(target, moved, **kwargs).sum()
        np.testing.assert_allclose(gradient[index], (up - down) / (2 * step), rtol=2e-3, atol=2e-4)


def test_axis_of_the_classes():
    p = softmax(RNG.normal(size=(2, 3, 4)), 1)
    t = np.moveaxis(np.eye(3)[RNG.integers(0, 3, (2, 4))], -1, 1)
    np.testing.assert_allclose(losses.categorical_crossentropy(t, p, axis=1), np_cce(t, p, axis=1), rtol=1e-5)
    np.testing.assert_allclose(
        losses.categorical_crossentropy(t, p, from_logits=True, axis=1), np_cce(t, p, True, axis=1), rtol=1e-5
    )
    labels = t.argmax(1)
    for logits in (False, True):
        expected = np_cce(t, p, logits, axis=1)
        np.testing.assert_allclose(
            losses.sparse_categorical_crossentropy(labels, p, from_logits=logits, axis=1), expected, rtol=1e-5
        )
        np.testing.assert_allclose(
            losses.sparse_categorical_crossentropy(labels[:, None], p, from_logits=logits, axis=1), expected, rtol=1e-5
        )


def test_probabilities_are_clipped():
    t, p = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(losses.categorical_crossentropy(t, p), [16.118095, 0.0], atol=2e-6)
    np.testing.assert_allclose(losses.binary_crossentropy(t, p), [16.030239, 0.0], atol=2e-6)
    np.testing.assert_allclose(losses.sparse_categorical_crossentropy(np.array([1, 0]), p), [16.118095, 0.0], atol=2e-6)


def test_mape_of_a_zero_target():
    np.testing.assert_allclose(losses.mean_absolute_percentage_error([[0.0, 1.0]], [[1.0, 1.0]]), [5e8], rtol=1e-5)


def test_hinge_keeps_targets_that_are_not_all_binary():
    t, p = np.array([[0.0, 1.0], [-1.0, 1.0]]), np.array([[0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_allclose(losses.hinge(t, p), [0.75, 1.0])


# The fused path


def fused_loss(loss, activation, logits, target):
    """Value and gradient with respect to the logits of a loss of an activation, and the graph's text."""

    def run(logits, target):
        value = ops.sum(loss(target, activation(logits)))
        trace = nabi.trace.current_trace()
        gradient = trace.gradients(value, [logits])[0]
        texts.append(trace.graph.text())
        return value, gradient

    texts = []
    value, gradient = Cached(run)(logits, target)
    return value, gradient, texts[0]


EXTREME = np.array([[50.0, -50.0, 0.0], [0.0, 1.0, 2.0]], "float32")


def test_cross_entropy_of_a_softmax_uses_its_logits():
    t = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], "float32")
    value, gradient, text = fused_loss(losses.categorical_crossentropy, activations.softmax, EXTREME, t)
    assert "softmax_cross_entropy" in text
    np.testing.assert_allclose(value, np_cce(t, EXTREME.astype("float64"), True).sum(), rtol=1e-6)
    np.testing.assert_allclose(gradient, softmax(EXTREME.astype("float64")) - t, atol=1e-6)
    value, gradient, text = fused_loss(
        losses.sparse_categorical_crossentropy, activations.softmax, EXTREME, np.array([1, 2], "int32")
    )
    assert "sparse_softmax_cross_entropy" in text
    np.testing.assert_allclose(gradient, softmax(EXTREME.astype("float64")) - t, atol=1e-6)


def test_cross_entropy_of_a_sigmoid_uses_its_logits():
    t = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], "float32")
    value, gradient, text = fused_loss(losses.binary_crossentropy, activations.sigmoid, EXTREME, t)
    assert "sigmoid_cross_entropy" in text
    np.testing.assert_allclose(gradient, (sigmoid(EXTREME.astype("float64")) - t) / 3, atol=1e-6)
    np.testing.assert_allclose(
        value, 100 / 3 + np.log(2) / 3 + np_bce(t[1], EXTREME[1].astype("float64"), True), rtol=1e-6
    )


def test_loss_classes_keep_the_logits():
    t = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], "float32")
    for loss, activation, target, op in (
        (losses.CategoricalCrossentropy(), activations.softmax, t, "softmax_cross_entropy"),
        (
            losses.SparseCategoricalCrossentropy(),
            activations.softmax,
            np.array([[1], [2]]),
            "sparse_softmax_cross_entropy",
        ),
        (losses.BinaryCrossentropy(), activations.sigmoid, t, "sigmoid_cross_entropy"),
    ):
        value, _, text = fused_loss(loss, activation, EXTREME, target)
        assert op in text
        assert value > 1


def test_logits_of_another_activation_are_left_alone():
    x = np.array([[0.3, -1.0, 0.8]], "float32")
    t = np.array([[0.0, 1.0, 0.0]], "float32")
    value, _, _ = fused_loss(losses.categorical_crossentropy, activations.sigmoid, x, t)
    np.testing.assert_allclose(value, np_cce(t, sigmoid(x.astype("float64"))).sum(), rtol=1e-5)
    value, _, _ = fused_loss(losses.binary_crossentropy, activations.softmax, x, t)
    np.testing.assert_allclose(value, np_bce(t, softmax(x.astype("float64"))).sum(), rtol=1e-5)
    first = functools.partial(activations.softmax, axis=0)
    x, t = np.array([[0.3, -1.0], [0.8, 0.1]], "float32"), np.eye(2, dtype="float32")
    value, _, _ = fused_loss(losses.categorical_crossentropy, first, x, t)
    np.testing.assert_allclose(value, np_cce(t, softmax(x.astype("float64"), 0)).sum(), rtol=1e-5)


# Reductions, weights, masks


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None])
@pytest.mark.parametrize("weights", [None, 2.5, "sample", "column", "timestep"])
def test_reduction(reduction, weights):
    t, p = RNG.normal(size=(4, 3, 2)), RNG.normal(size=(4, 3, 2))
    values = ((t - p) ** 2).mean(-1)
    w = {"sample": RNG.random((4, 1)), "column": RNG.random((4, 3, 1)), "timestep": RNG.random((4, 3))}.get(
        weights, weights
    )
    flat = w[..., 0] if weights == "column" else w
    weighted = values if w is None else values * flat
    if reduction in ("sum_over_batch_size", "mean"):
        expected = weighted.mean()
    elif reduction == "sum":
        expected = weighted.sum()
    elif reduction == "mean_with_sample_weight":
        expected = weighted.mean() if w is None else weighted.sum() / np.sum(flat)
    else:
        expected = weighted
    got = losses.MeanSquaredError(reduction=reduction)(t, p, sample_weight=w)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_weights_divide_by_the_number_of_values():
    got = losses.MeanSquaredError()(np.zeros((2, 1)), np.array([[1.0], [3.0]]), sample_weight=np.array([1.0, 0.0]))
    np.testing.assert_allclose(got, 0.5)


def test_zero_weights_and_empty_batches_give_zero():
    loss = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    assert loss(np.ones((2, 1)), np.zeros((2, 1)), sample_weight=np.zeros(2)) == 0
    assert losses.MeanSquaredError()(np.ones((2, 0, 1)), np.zeros((2, 0, 1))) == 0
    assert losses.MeanSquaredError()(np.ones((0, 2)), np.zeros((0, 2))).shape == (0,)


def masked(values, mask):
    values = ops.convert_to_tensor(values)
    values._keras_mask = ops.convert_to_tensor(mask)
    return values


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight", None])
@pytest.mark.parametrize("weighted", [False, True])
def test_mask_of_the_predictions(reduction, weighted):
    t, p = RNG.normal(size=(3, 4, 2)), RNG.normal(size=(3, 4, 2))
    mask = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 1]], bool)
    w = RNG.random((3, 4)) if weighted else None
    values = ((t - p) ** 2).mean(-1) * mask * (1 if w is None else w)
    expected = {
        "sum_over_batch_size": values.sum() / mask.sum(),
        "sum": values.sum(),
        "mean_with_sample_weight": values.sum() / (mask * (1 if w is None else w)).sum(),
        None: values,
    }[reduction]
    got = losses.MeanSquaredError(reduction=reduction)(t, masked(p, mask), sample_weight=w)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_mask_without_any_valid_entry_gives_zero():
    assert losses.MeanSquaredError()(np.ones((2, 1)), masked(np.zeros((2, 1)), [False, False])) == 0


def test_mask_works_in_a_trace():
    def run(t, p, mask):
        p._keras_mask = mask
        return losses.MeanSquaredError()(t, p)

    t, p = np.zeros((3, 1)), np.array([[1.0], [2.0], [3.0]])
    np.testing.assert_allclose(Cached(run)(t, p, np.array([True, False, True])), 5.0)


@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_ignore_class(shape):
    labels = np.array([0, 3, -1, 1, -1]).reshape(shape)
    values = losses.sparse_categorical_crossentropy(labels, PROB, ignore_class=-1)
    flat = labels.reshape(-1)
    expected = np.where(flat == -1, 0, sparse(np.maximum(flat, 0), PROB))
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    assert values._keras_mask.tolist() == (flat != -1).tolist()
    mean = losses.SparseCategoricalCrossentropy(ignore_class=-1)(labels, PROB)
    np.testing.assert_allclose(mean, expected.sum() / 3, rtol=1e-5)
    of_logits = losses.sparse_categorical_crossentropy(labels, 3 * PRED, from_logits=True, ignore_class=-1)
    np.testing.assert_allclose(
        of_logits, np.where(flat == -1, 0, sparse(np.maximum(flat, 0), 3 * PRED, True)), rtol=1e-5, atol=1e-6
    )


def test_circle_reduces_over_positive_rows():
    labels = np.array([0, 0, 1])
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    values = losses.circle(labels, vectors, gamma=1.0)
    assert values._keras_mask.tolist() == (np.asarray(values) > 0).tolist()
    np.testing.assert_allclose(
        losses.Circle(gamma=1.0)(labels, vectors), np.asarray(values)[np.asarray(values) > 0].mean(), rtol=1e-6
    )
    others = losses.circle(
        labels, vectors, ref_labels=labels[::-1], ref_embeddings=vectors[::-1], remove_diagonal=False
    )
    assert others.shape == (3,)


def test_circle_with_column_labels():
    np.testing.assert_array_equal(losses.circle(CLASSES[:, None], UNIT), losses.circle(CLASSES, UNIT))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((4,), (4, 1), ((4, 1), (4, 1))),
        ((4, 1), (4,), ((4, 1), (4, 1))),
        ((4, 3, 1), (4, 3), ((4, 3), (4, 3))),
        ((4, 3), (4, 3, 1), ((4, 3), (4, 3))),
        ((4,), (4, 2), ((4,), (4, 2))),
        ((4, 2), (4, 2), ((4, 2), (4, 2))),
        ((), (4, 1), ((), (4, 1))),
    ],
)
def test_matching_of_ranks(one, other, expected):
    a, b = squeeze_or_expand_to_same_rank(np.zeros(one), np.zeros(other))
    assert (tuple(a.shape), tuple(b.shape)) == expected


def test_matching_of_ranks_without_expansion():
    a, b = squeeze_or_expand_to_same_rank(np.zeros(4), np.zeros((4, 1)), expand_rank_1=False)
    assert (tuple(a.shape), tuple(b.shape)) == ((4,), (4,))


def test_apply_mask_without_anything():
    assert apply_mask(None, None, "float32", "sum") is None


# Classes

CLASS_ARGUMENTS = {
    "CosineSimilarity": {"axis": 0},
    "Huber": {"delta": 2.0},
    "BinaryCrossentropy": {"from_logits": True, "label_smoothing": 0.1, "axis": 0},
    "CategoricalCrossentropy": {"from_logits": True, "label_smoothing": 0.1},
    "SparseCategoricalCrossentropy": {"from_logits": True, "ignore_class": 2},
    "BinaryFocalCrossentropy": {"apply_class_balancing": True, "alpha": 0.3, "gamma": 1.0, "from_logits": True},
    "CategoricalFocalCrossentropy": {"alpha": 0.3, "gamma": 1.0, "label_smoothing": 0.1},
    "CategoricalGeneralizedCrossEntropy": {"q": 0.2},
    "Dice": {"axis": 1},
    "Tversky": {"alpha": 0.1, "beta": 0.2, "axis": 1},
    "Circle": {"gamma": 2.0, "margin": 0.1, "remove_diagonal": False},
}
CLASS_OF = {
    name: "KLDivergence" if name == "kl_divergence" else "".join(part.capitalize() for part in name.split("_"))
    for name in CASES
}
CLASS_OF["categorical_generalized_cross_entropy"] = "CategoricalGeneralizedCrossEntropy"


@pytest.mark.parametrize("name", CASES)
def test_class_is_the_function_with_its_arguments(name):
    cls = getattr(losses, CLASS_OF[name])
    kwargs = CLASS_ARGUMENTS.get(cls.__name__, {})
    _, target, prediction, _ = CASES[name]
    loss = cls(**kwargs, reduction=None, name="mine")
    got = loss(target, prediction)
    np.testing.assert_allclose(got, getattr(losses, name)(target, prediction, **kwargs) * got_mask(got), rtol=1e-6)
    again = cls.from_config(loss.get_config())
    assert again.get_config() == loss.get_config()
    assert again.get_config()["name"] == "mine"
    np.testing.assert_array_equal(again(target, prediction), got)
    revived = losses.deserialize(losses.serialize(loss))
    assert type(revived) is cls
    assert revived.get_config() == loss.get_config()


def got_mask(values):
    mask = getattr(values, "_keras_mask", None)
    return 1.0 if mask is None else np.asarray(mask, "float32")


def test_configs_hold_the_keys_of_keras():
    assert losses.MeanSquaredError().get_config() == {"name": "mean_squared_error", "reduction": "sum_over_batch_size"}
    assert losses.Huber().get_config() == {"name": "huber_loss", "reduction": "sum_over_batch_size"}
    assert losses.Huber(delta=2.0).get_config()["delta"] == 2.0
    assert losses.CategoricalCrossentropy().get_config() == {
        "name": "categorical_crossentropy",
        "reduction": "sum_over_batch_size",
        "from_logits": False,
        "label_smoothing": 0.0,
        "axis": -1,
    }
    assert losses.serialize(losses.MeanSquaredError()) == {
        "module": "keras.losses",
        "class_name": "MeanSquaredError",
        "config": {"name": "mean_squared_error", "reduction": "sum_over_batch_size"},
        "registered_name": None,
    }


def test_bce_of_a_rank_1_target():
    got = losses.BinaryCrossentropy()(np.array([1.0, 0.0]), np.array([[0.8], [0.4]]))
    np.testing.assert_allclose(got, -(np.log(0.8) + np.log(0.6)) / 2, rtol=1e-6)


def test_wrapper_of_a_function():
    wrapper = losses.LossFunctionWrapper(losses.huber, name="h", delta=0.5)
    np.testing.assert_allclose(wrapper(REAL, PRED), np_huber(REAL, PRED, 0.5).mean(), rtol=1e-5)
    again = losses.LossFunctionWrapper.from_config(wrapper.get_config())
    assert again.fn is losses.huber
    np.testing.assert_array_equal(again(REAL, PRED), wrapper(REAL, PRED))
    assert repr(wrapper) == "<LossFunctionWrapper(huber, kwargs={'delta': 0.5})>"


def test_user_loss():
    class Largest(losses.Loss):
        def call(self, y_true, y_pred):
            return ops.max(ops.abs(y_true - y_pred), axis=-1)

    loss = Largest()
    assert loss.name == "largest"
    np.testing.assert_allclose(loss(REAL, PRED), np.abs(REAL - PRED).max(-1).mean(), rtol=1e-6)
    np.testing.assert_array_equal(Cached(loss)(REAL, PRED), loss(REAL, PRED))


def test_nested_predictions():
    wrapper = losses.LossFunctionWrapper(
        lambda t, p: losses.mean_squared_error(t["a"], p["a"]) + p["b"][:, 0], name="n"
    )
    t = {"a": np.zeros(3), "b": np.zeros(3)}
    p = {"a": np.ones((3, 1)), "b": np.full((3, 1), 2.0)}
    np.testing.assert_allclose(wrapper(t, p), 3.0)


def test_dtype_float64():
    loss = losses.MeanSquaredError(dtype="float64")
    assert loss.dtype == "float64"
    got = loss(np.array([[1.0]]), np.array([[1.0 + 1e-9]]))
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, 1e-18, rtol=1e-6)


def test_integer_predictions_become_float():
    np.testing.assert_allclose(losses.mean_squared_error(np.array([[4, 8]]), np.array([[3, 0]])), [32.5])


def test_symbolic_predictions():
    out = losses.mean_squared_error(nabi.KerasTensor((None, 3)), nabi.KerasTensor((None, 3)))
    assert out.shape == (None,)
    out = losses.categorical_crossentropy(nabi.KerasTensor((None, 3)), nabi.KerasTensor((None, 3)))
    assert out.shape == (None,)
    out = infer_output(losses.MeanSquaredError(), nabi.KerasTensor((None, 3)), nabi.KerasTensor((None, 3)))
    assert out.shape == ()


# Names


@pytest.mark.parametrize("alias", ["bce", "kld", "mae", "mape", "mse", "msle"])
def test_aliases(alias):
    assert losses.get(alias) is losses.get(alias.upper())
    assert losses.deserialize(alias) is losses.get(alias)


def test_get():
    assert losses.get(None) is None
    assert losses.get("mean_squared_error") is losses.mean_squared_error
    assert isinstance(losses.get("MeanSquaredError"), losses.MeanSquaredError)
    assert isinstance(losses.get(losses.Hinge), losses.Hinge)
    assert losses.get(losses.hinge) is losses.hinge
    got = losses.get({"class_name": "Huber", "config": {"delta": 2.0}})
    assert got.get_config()["delta"] == 2.0
    for name in CASES:
        assert losses.get(name) is getattr(losses, name)
        assert type(losses.get(CLASS_OF[name])) is getattr(losses, CLASS_OF[name])


def test_get_of_a_registered_loss():
    @nabi.utils.register_keras_serializable(package="test_losses")
    class Registered(losses.Loss):
        def call(self, y_true, y_pred):
            return y_pred

    revived = losses.deserialize(losses.serialize(Registered(name="r")))
    assert type(revived) is Registered


@pytest.mark.parametrize("identifier", ["nope", "logcosh", "kullback_leibler_divergence", "huber_loss", 3])
def test_get_refuses(identifier):
    with pytest.raises(ValueError, match=f"Could not interpret loss identifier: {identifier}"):
        losses.get(identifier)


# Errors


def test_reduction_errors():
    with pytest.raises(
        ValueError, match="Invalid value for argument `reduction`. Expected one of .* Received: reduction=avg"
    ):
        losses.MeanSquaredError(reduction="avg")
    with pytest.raises(ValueError, match="Invalid value for argument `reduction`"):
        reduce_weighted_values(np.ones(3), reduction="avg")


@pytest.mark.parametrize("fn", [losses.categorical_crossentropy, losses.binary_crossentropy])
def test_shapes_must_be_equal(fn):
    with pytest.raises(
        ValueError,
        match=r"Arguments `target` and `output` must have the same shape. "
        r"Received: target.shape=\(32,\), output.shape=\(32, 2\)",
    ):
        fn(np.ones(32), np.full((32, 2), 0.5))


def test_rank_errors():
    with pytest.raises(ValueError, match="must be at least rank 1"):
        losses.categorical_crossentropy(np.float32(1.0), np.float32(1.0))
    with pytest.raises(ValueError, match="must be at least rank 1"):
        losses.sparse_categorical_crossentropy(np.array(1), np.array(1.0))
    with pytest.raises(ValueError, match=r"up until the last dimension: target.shape=\(3,\), output.shape=\(2, 4\)"):
        losses.sparse_categorical_crossentropy(np.zeros(3, int), np.ones((2, 4)))


@pytest.mark.parametrize("fn", [losses.categorical_crossentropy, losses.categorical_focal_crossentropy])
def test_one_class_warns_and_axis_must_be_int(fn):
    with pytest.warns(SyntaxWarning, match="expected y_pred.shape to be .* with num_classes > 1"):
        fn(np.ones((2, 1)), np.ones((2, 1)))
    with pytest.raises(ValueError, match="`axis` must be of type `int`. Received: axis=True"):
        fn(ONE_HOT, PROB, axis=True)


def test_axis_out_of_range():
    for fn, target in ((losses.categorical_crossentropy, ONE_HOT), (losses.sparse_categorical_crossentropy, CLASSES)):
        with pytest.raises(ValueError, match="axis 7 is out of bounds"):
            fn(target, PROB, axis=7)


def test_label_out_of_range():
    with pytest.raises(ValueError, match="5"):
        losses.sparse_categorical_crossentropy(np.array([0, 5]), np.ones((2, 3)), from_logits=True)


def test_q_out_of_range():
    for q in (0, 1, 1.5):
        with pytest.raises(ValueError, match=r"q must be in the interval \(0, 1\)"):
            losses.CategoricalGeneralizedCrossEntropy(q=q)


def test_generalized_cross_entropy_wants_labels():
    with pytest.raises(ValueError, match=r"requires `y_true` to hold class numbers.*y_true.shape=\(4, 3\)"):
        losses.categorical_generalized_cross_entropy(np.zeros((4, 3)), np.full((4, 3), 1 / 3), q=0.5)


def test_base_class_has_no_call():
    with pytest.raises(NotImplementedError, match="Loss 'Loss' must override `call"):
        losses.Loss()(1.0, 2.0)


def test_losses_of_a_model_in_a_step_are_one_trace():
    """A loss of the classes adds no variables and no warnings to a trace."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with Trace() as trace:
            x = trace.input((4, 3), "float32")
            t = trace.input((4, 3), "float32")
            losses.CategoricalCrossentropy(label_smoothing=0.1)(t, activations.softmax(x))
    assert trace.variables == []
    assert config.floatx() == "float32"
