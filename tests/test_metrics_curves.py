"""Arguments, names, configs and errors of the metrics of thresholds, F-scores, IoU and correlation; in `compile`."""

import json

import numpy as np
import pytest

import nabi
from nabi import metrics
from nabi.metrics import metrics_utils
from nabi.metrics.metrics_utils import AUCCurve, AUCSummationMethod, ConfusionMatrix
from nabi.objects import deserialize_keras_object, serialize_keras_object
from nabi.trace import Cached

ALL = [
    (metrics.AUC, {}),
    (metrics.AUC, {"thresholds": [0.2, 0.7], "curve": "PR", "label_weights": [1.0, 2.0]}),
    (metrics.AUC, {"multi_label": True, "num_labels": 2, "summation_method": "majoring", "from_logits": True}),
    (metrics.SensitivityAtSpecificity, {"specificity": 0.3, "num_thresholds": 9, "class_id": 1}),
    (metrics.SpecificityAtSensitivity, {"sensitivity": 0.3}),
    (metrics.PrecisionAtRecall, {"recall": 0.3}),
    (metrics.RecallAtPrecision, {"precision": 0.3}),
    (metrics.F1Score, {"average": "macro", "threshold": 0.4}),
    (metrics.FBetaScore, {"beta": 0.5}),
    (metrics.IoU, {"num_classes": 3, "target_class_ids": [0, 2], "ignore_class": 1}),
    (metrics.BinaryIoU, {"target_class_ids": [1], "threshold": 0.3}),
    (metrics.MeanIoU, {"num_classes": 3, "sparse_y_pred": False, "axis": 1}),
    (metrics.OneHotIoU, {"num_classes": 3, "target_class_ids": [0], "sparse_y_pred": True}),
    (metrics.OneHotMeanIoU, {"num_classes": 3, "dtype": "float32"}),
    (metrics.PearsonCorrelation, {"axis": 0}),
    (metrics.ConcordanceCorrelation, {"name": "ccc"}),
]


@pytest.mark.parametrize("cls, arguments", ALL)
def test_config(cls, arguments):
    metric = cls(**arguments)
    config = metric.get_config()
    assert {key: config[key] for key in arguments} == arguments
    again = deserialize_keras_object(json.loads(json.dumps(serialize_keras_object(metric))))
    assert type(again) is cls and again.get_config() == config
    assert serialize_keras_object(metric)["module"] == "keras.metrics"


def test_names():
    for name, cls in {
        "auc": metrics.AUC,
        "AUC": metrics.AUC,
        "f1_score": metrics.F1Score,
        "F1Score": metrics.F1Score,
        "f_beta_score": metrics.FBetaScore,
        "binary_io_u": metrics.BinaryIoU,
        "pearson_correlation": metrics.PearsonCorrelation,
        "concordance_correlation": metrics.ConcordanceCorrelation,
    }.items():
        assert type(metrics.get(name)) is cls
    assert metrics.F1Score().name == "f1_score" and metrics.FBetaScore().name == "fbeta_score"
    assert metrics.AUC().name.startswith("auc") and metrics.IoU(2, [0]).name.startswith("io_u")
    assert metrics.IoU(2, [0]).dtype == "int32"


def test_names_of_state():
    names = ["true_positives", "false_positives", "true_negatives", "false_negatives"]
    assert [v.name for v in metrics.AUC().variables] == names
    assert [v.name for v in metrics.PrecisionAtRecall(0.5).variables] == names
    assert [v.name for v in metrics.MeanIoU(2).variables] == ["total_confusion_matrix"]


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: metrics.AUC(num_thresholds=1), "`num_thresholds` must be an integer > 1"),
        (lambda: metrics.AUC(curve="XY"), "Invalid AUC curve value"),
        (lambda: metrics.AUC(summation_method="XY"), "Invalid AUC summation method value"),
        (lambda: metrics.AUC(num_labels=2), "only when `multi_label` is True"),
        (lambda: metrics.AUC(multi_label=True).update_state([1, 0], [0.1, 0.2]), "must have rank 2"),
        (lambda: metrics.SensitivityAtSpecificity(-1), "`specificity` must be in the range"),
        (lambda: metrics.SpecificityAtSensitivity(2), "`sensitivity` must be in the range"),
        (lambda: metrics.PrecisionAtRecall(2), "`recall` must be in the range"),
        (lambda: metrics.RecallAtPrecision(2), "`precision` must be in the range"),
        (lambda: metrics.RecallAtPrecision(0.4, num_thresholds=-1), "must be an integer > 0"),
        (lambda: metrics.PrecisionAtRecall(0.4, class_id=1).update_state([1], [0.2]), "must be a 2D array"),
        (lambda: metrics.F1Score(average="x"), "Invalid `average`"),
        (lambda: metrics.FBetaScore(beta=1), "should be a Python float"),
        (lambda: metrics.FBetaScore(beta=-1.0), "should be > 0"),
        (lambda: metrics.F1Score(threshold=2.0), "0 < threshold <= 1"),
        (lambda: metrics.F1Score(threshold=1), "should be a Python float"),
        (lambda: metrics.F1Score().update_state([1], [1]), "expects 2D inputs"),
        (lambda: metrics.IoU(2, [2]), "out of range"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_before_the_first_batch():
    for metric in (metrics.AUC(), metrics.AUC(multi_label=True), metrics.F1Score(), metrics.MeanIoU(3)):
        assert metric.result() == 0
        metric.reset_state()


def test_float_weights_of_a_matrix_of_integers():
    metric = metrics.MeanIoU(2)
    with pytest.warns(UserWarning, match="weight as `float`, but dtype is `int`"):
        metric.update_state([0, 1], [0, 1], np.array([1.5, 1.5]))
    assert metric.total_cm.numpy().tolist() == [[1, 0], [0, 1]]


def test_utilities():
    assert AUCCurve.from_str("roc") is AUCCurve.ROC and AUCCurve.from_str("PRGAIN") is AUCCurve.PRGAIN
    assert AUCSummationMethod.from_str("Majoring") is AUCSummationMethod.MAJORING
    assert metrics_utils.is_evenly_distributed_thresholds([0.0, 0.25, 0.5, 0.75, 1.0])
    assert not metrics_utils.is_evenly_distributed_thresholds([0.0, 0.3, 1.0])
    assert not metrics_utils.is_evenly_distributed_thresholds([0.0, 1.0])
    found = metrics_utils.confusion_matrix([0, 1, 1], [1, 1, 1], 2, weights=[1, 2, 3])
    assert np.asarray(found).tolist() == [[0, 1], [0, 5]]
    count = metrics.TruePositives().variables[0]
    for variables, message in (({}, "at least one valid"), ({ConfusionMatrix.TRUE_POSITIVES: count, 1: count}, "keys")):
        with pytest.raises(ValueError, match=message):
            metrics_utils.update_confusion_matrix_variables(variables, [1], [1], [0.5])
    with pytest.raises(ValueError, match="`label_weights` for multilabel"):
        metrics_utils.update_confusion_matrix_variables(
            {ConfusionMatrix.TRUE_POSITIVES: count}, [1], [1], [0.5], multi_label=True, label_weights=[1]
        )


def test_even_and_uneven_thresholds_count_alike():
    rng = np.random.default_rng(0)
    t, p, w = rng.integers(0, 2, 500), rng.random(500).astype("float32"), rng.random(500)
    even, uneven = metrics.AUC(num_thresholds=21), metrics.AUC(num_thresholds=21)
    uneven._evenly = False
    for metric in (even, uneven):
        metric.update_state(t, p, w)
    for a, b in zip(even.variables, uneven.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-4)


def test_in_training():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 4)).astype("float32")
    y = (x[:, :2] > 0).astype("float32")
    model = nabi.Sequential([nabi.Input((4,)), nabi.layers.Dense(2, activation="sigmoid")])
    names = ["auc", "f1_score", "best", "iou", "r"]
    model.compile(
        "sgd",
        "binary_crossentropy",
        metrics=[
            metrics.AUC(name="auc", multi_label=True),
            metrics.F1Score(),
            metrics.PrecisionAtRecall(0.5, name="best"),
            metrics.BinaryIoU(name="iou"),
            metrics.PearsonCorrelation(name="r", axis=0),
        ],
    )
    history = model.fit(x, y, batch_size=16, epochs=2, verbose=0, validation_data=(x, y)).history
    found = model.evaluate(x, y, batch_size=16, verbose=0, return_dict=True)
    p = model.predict(x, verbose=0)
    for name in names[:4]:
        assert np.all(np.isfinite(history[name])) and np.allclose(history[f"val_{name}"][-1], found[name])
    for name, metric in zip(names, (metrics.AUC(multi_label=True), metrics.F1Score()), strict=False):
        metric.update_state(y, p)
        np.testing.assert_allclose(found[name], metric.result(), rtol=1e-5)


@pytest.mark.parametrize("traced", [False, True])
def test_stateless(traced):
    metric = metrics.Precision()
    metric.update_state([1, 0], [0.9, 0.8])
    own = [v.numpy().copy() for v in metric.variables]
    update = metric.stateless_update_state
    state = (Cached(update) if traced else update)([np.ones(1), np.zeros(1)], np.array([1, 0, 1]), np.ones(3))
    assert [np.asarray(s).tolist() for s in state] == [[3], [1]]
    assert metric.stateless_result(state) == 0.75
    assert [np.asarray(s).tolist() for s in metric.stateless_reset_state()] == [[0], [0]]
    assert [v.numpy().tolist() for v in metric.variables] == [s.tolist() for s in own]
    with pytest.raises(ValueError, match="Received list with length 1, but expected 2"):
        metric.stateless_result([0])
