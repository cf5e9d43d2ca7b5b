"""Metrics of confusion matrices and correlation against values of Keras 3.15.1 (JAX), eager and inside a step."""

import numpy as np
import pytest

from nabi import metrics
from nabi.trace import Cached

RNG = np.random.default_rng(11)
T = (RNG.random((20, 3)) > 0.6).astype("float32")
P = np.round(RNG.random((20, 3)), 2).astype("float32")
P[:3] = [[0, 1, 0.5], [1, 0, 1], [0, 0, 0]]
W = np.round(RNG.random(20), 1).astype("float32")
WIDE = np.round(RNG.random((20, 3)), 1).astype("float32")
C = RNG.integers(0, 5, (20, 3)).astype("int32")
D = RNG.integers(-1, 5, (20, 3)).astype("int32")
HOT = RNG.random((20, 4)).astype("float32")
SOFT = RNG.random((20, 4)).astype("float32")
IW = RNG.integers(0, 4, (20, 3)).astype("int32")
IW1 = RNG.integers(0, 4, 20).astype("int32")
LOGITS = 6 * P - 3
FIVE = np.tile(SOFT, 2)[:, :5]

# Metric, arguments, (targets, predictions, weights), and what Keras gives after the first 12 rows and the last 8.
CASES = [
    ("AUC", {"num_thresholds": 11, "curve": "ROC", "summation_method": "interpolation"}, (T, P, W), 0.3526062),
    ("AUC", {"num_thresholds": 11, "curve": "ROC", "summation_method": "minoring"}, (T, P, W), 0.2957782),
    ("AUC", {"num_thresholds": 11, "curve": "ROC", "summation_method": "majoring"}, (T, P, W), 0.4094343),
    ("AUC", {"num_thresholds": 11, "curve": "PR", "summation_method": "interpolation"}, (T, P, W), 0.2231608),
    ("AUC", {"num_thresholds": 11, "curve": "PR", "summation_method": "minoring"}, (T, P, W), 0.1812484),
    ("AUC", {"num_thresholds": 11, "curve": "PR", "summation_method": "majoring"}, (T, P, W), 0.2534088),
    ("AUC", {"num_thresholds": 11, "curve": "PRGAIN", "summation_method": "interpolation"}, (T, P, W), -0.314079),
    ("AUC", {"num_thresholds": 11, "curve": "PRGAIN", "summation_method": "minoring"}, (T, P, W), -0.3923833),
    ("AUC", {"num_thresholds": 11, "curve": "PRGAIN", "summation_method": "majoring"}, (T, P, W), -0.2357745),
    ("AUC", {}, (T, P, None), 0.3928113),
    ("AUC", {}, (T[:, 0], P[:, :1], None), 0.39),
    ("AUC", {"curve": "pr"}, (T, P, WIDE), 0.2749964),
    ("AUC", {"thresholds": [0.7, 0.2]}, (T, P, W), 0.386344),
    ("AUC", {"thresholds": [0.25, 0.5, 0.75], "curve": "PR"}, (T, P, W), 0.2465462),
    ("AUC", {"num_thresholds": 2}, (T, P, W), 0.5000001),
    ("AUC", {"multi_label": True}, (T, P, W), 0.3877491),
    (
        "AUC",
        {"multi_label": True, "num_labels": 3, "curve": "PR", "label_weights": [0.5, 0.2, 0.3]},
        (T, P, None),
        0.3508382,
    ),
    ("AUC", {"multi_label": True, "thresholds": [0.3, 0.8]}, (T, P, None), 0.3685808),
    ("AUC", {"label_weights": [0.5, 0.2, 0.3]}, (T, P, W), 0.3492683),
    ("AUC", {"label_weights": [0.5, 0.2, 0.3], "thresholds": [0.3, 0.8]}, (T, P, W), 0.3769957),
    ("AUC", {"from_logits": True}, (T, LOGITS, W), 0.3530705),
    ("SensitivityAtSpecificity", {"specificity": 0.4}, (T, P, W), 0.4146342),
    ("SensitivityAtSpecificity", {"specificity": 0.7, "num_thresholds": 7}, (T, P, W), 0.01219512),
    ("SensitivityAtSpecificity", {"specificity": 0.5, "num_thresholds": 1}, (T, P, W), 0.3292683),
    ("SensitivityAtSpecificity", {"specificity": 0.6, "class_id": 1}, (T, P, W), 0.0),
    ("SensitivityAtSpecificity", {"specificity": 1.0}, (1 - T, 0 * P, None), 0.0),
    ("SpecificityAtSensitivity", {"sensitivity": 0.4}, (T, P, W), 0.5532995),
    ("SpecificityAtSensitivity", {"sensitivity": 0.7, "num_thresholds": 7}, (T, P, W), 0.06598975),
    ("SpecificityAtSensitivity", {"sensitivity": 0.5, "num_thresholds": 1}, (T, P, W), 0.0),
    ("SpecificityAtSensitivity", {"sensitivity": 0.6, "class_id": 1}, (T, P, W), 0.1447368),
    ("SpecificityAtSensitivity", {"sensitivity": 1.0}, (1 - T, 0 * P, None), 0.0),
    ("PrecisionAtRecall", {"recall": 0.4}, (T, P, W), 0.2957198),
    ("PrecisionAtRecall", {"recall": 0.7, "num_thresholds": 7}, (T, P, W), 0.2923077),
    ("PrecisionAtRecall", {"recall": 0.5, "num_thresholds": 1}, (T, P, W), 0.0),
    ("PrecisionAtRecall", {"recall": 0.6, "class_id": 1}, (T, P, W), 0.2073171),
    ("PrecisionAtRecall", {"recall": 1.0}, (1 - T, 0 * P, None), 0.0),
    ("RecallAtPrecision", {"precision": 0.4}, (T, P, W), 0.0),
    ("RecallAtPrecision", {"precision": 0.7, "num_thresholds": 7}, (T, P, W), 0.0),
    ("RecallAtPrecision", {"precision": 0.5, "num_thresholds": 1}, (T, P, W), 0.0),
    ("RecallAtPrecision", {"precision": 0.6, "class_id": 1}, (T, P, W), 0.0),
    ("RecallAtPrecision", {"precision": 1.0}, (1 - T, 0 * P, None), 0.0),
    ("F1Score", {"average": None}, (T, P, None), [0.1333333, 0.0, 0.1538461]),
    ("FBetaScore", {"average": None, "beta": 2.0, "threshold": 0.5}, (T, P, W), [0.3755868, 0.0, 0.4621848]),
    ("F1Score", {"average": "micro"}, (T, P, None), 0.1025641),
    ("FBetaScore", {"average": "micro", "beta": 2.0, "threshold": 0.5}, (T, P, W), 0.3103448),
    ("F1Score", {"average": "macro"}, (T, P, None), 0.09572648),
    ("FBetaScore", {"average": "macro", "beta": 2.0, "threshold": 0.5}, (T, P, W), 0.2792572),
    ("F1Score", {"average": "weighted"}, (T, P, None), 0.1187584),
    ("FBetaScore", {"average": "weighted", "beta": 2.0, "threshold": 0.5}, (T, P, W), 0.3209549),
    ("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, (C, D, None), 0.175),
    ("IoU", {"num_classes": 5, "target_class_ids": [1], "ignore_class": 3}, (C, D, IW), 0.12),
    ("IoU", {"num_classes": 5, "target_class_ids": [0, 4], "dtype": "float32"}, (C, D, WIDE), 0.2011652),
    ("BinaryIoU", {}, (T, P, None), 0.2996524),
    ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}, (T, P, IW), 0.16),
    ("MeanIoU", {"num_classes": 7}, (C, D, None), 0.1019444),
    ("MeanIoU", {"num_classes": 5, "sparse_y_pred": False}, (C[:, 0], FIVE, IW1), 0.1320588),
    ("OneHotIoU", {"num_classes": 4, "target_class_ids": [0, 3]}, (HOT, SOFT, None), 0.0625),
    ("OneHotIoU", {"num_classes": 4, "target_class_ids": [0, 3], "sparse_y_pred": True}, (HOT, D[:, 0], IW1), 0.0),
    ("OneHotMeanIoU", {"num_classes": 4}, (HOT, SOFT, IW1), 0.046875),
    ("OneHotMeanIoU", {"num_classes": 4, "sparse_y_pred": True}, (HOT, D[:, 0], None), 0.1333333),
    ("PearsonCorrelation", {}, (HOT, SOFT, None), -0.207254),
    ("PearsonCorrelation", {"axis": 0}, (HOT, SOFT, None), 0.09280747),
    ("ConcordanceCorrelation", {}, (HOT, SOFT, W), -0.2463564),
    ("ConcordanceCorrelation", {"axis": 0}, (HOT, SOFT, None), 0.04387785),
    ("R2Score", {"class_aggregation": None}, (HOT, SOFT, W), [-1.473763, -0.4705448, -2.018604, -2.688324]),
    ("R2Score", {"class_aggregation": "variance_weighted_average", "num_regressors": 2}, (HOT, SOFT, W), -1.35382),
    ("Precision", {"thresholds": [0.0, 0.5, 1.0]}, (T, P, W), [0.2923077, 0.2523364, 0.0]),
    ("Precision", {"thresholds": [0.0, 0.5, 1.0]}, (T, 3 * P - 1, W), [0.2344828, 0.2523364, 0.0]),
    ("Recall", {"thresholds": [0.1, 0.5, 1.0], "class_id": 2}, (T, P, WIDE[:, 2]), [0.7419355, 0.5483871, 0.0]),
]


def fed(metric, update, t, p, w):
    for rows in (slice(0, 12), slice(12, 20)):
        update(*((t[rows], p[rows]) if w is None else (t[rows], p[rows], w[rows])))
    return np.asarray(metric.result())


@pytest.mark.parametrize("name, arguments, data, expected", CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_value_of_keras(name, arguments, data, expected):
    metric = getattr(metrics, name)(**arguments)
    found = fed(metric, metric.update_state, *data)
    assert found.shape == np.shape(expected)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)
    traced = type(metric).from_config(metric.get_config())
    np.testing.assert_allclose(fed(traced, Cached(lambda *b: traced.update_state(*b)), *data), expected, 2e-5, 1e-6)
    traced.reset_state()
    assert not any(np.any(v.numpy()) for v in traced.variables)
