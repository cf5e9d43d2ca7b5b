"""Counts of the confusion matrix, precision and recall against NumPy, eager and inside a step."""

import numpy as np
import pytest

from nabi import metrics
from nabi.trace import Cached

RNG = np.random.default_rng(4)
T = (RNG.random((8, 3)) > 0.5).astype("float32")
P = RNG.random((8, 3)).astype("float32")
CELLS = ["TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives"]


def counts(t, p, w, thresholds):
    above = p[None] > np.array(thresholds, "float32").reshape(-1, *[1] * p.ndim)
    axes = tuple(range(1, p.ndim + 1))
    cells = (above & (t == 1), above & (t == 0), ~above & (t == 0), ~above & (t == 1))
    return dict(zip(CELLS, ((cell * w).sum(axes) for cell in cells), strict=True))


@pytest.mark.parametrize("thresholds", [None, 0.3, [0.2, 0.5, 0.9]])
@pytest.mark.parametrize("weights", [None, "sample", "column", "element"])
def test_counts(thresholds, weights):
    w = {None: None, "sample": RNG.random(8), "column": RNG.random((8, 1)), "element": RNG.random((8, 3))}[weights]
    wide = np.ones((8, 3)) if w is None else np.broadcast_to(w.reshape(8, -1), (8, 3))
    several = [0.5] if thresholds is None else np.atleast_1d(thresholds)
    want = counts(T, P, wide, several)
    for name in [*CELLS, "Precision", "Recall"]:
        metric, traced = getattr(metrics, name)(thresholds=thresholds), getattr(metrics, name)(thresholds=thresholds)
        step = Cached(lambda *batch, metric=traced: metric.update_state(*batch))
        for rows in (slice(0, 5), slice(5, 8)):
            batch = (T[rows], P[rows]) if w is None else (T[rows], P[rows], w[rows])
            metric.update_state(*batch)
            step(*batch)
        other = {"Precision": "FalsePositives", "Recall": "FalseNegatives"}.get(name)
        expected = want["TruePositives"] / (want["TruePositives"] + want[other]) if other else want[name]
        np.testing.assert_allclose(metric.result(), expected if len(several) > 1 else expected[0], rtol=1e-5)
        np.testing.assert_allclose(traced.result(), metric.result(), rtol=1e-6)
        metric.reset_state()
        assert not np.any(metric.result())


def test_class_id_and_top_k():
    t = np.array([[0, 1, 1], [1, 0, 0]])
    p = np.array([[0.7, 0.6, 0.2], [0.3, 0.9, 0.8]])
    metric = metrics.Precision(class_id=1)
    metric.update_state(t, p)
    assert metric.result() == 0.5
    assert metric.true_positives.numpy() == metric.false_positives.numpy() == 1
    metric = metrics.Recall(top_k=2)
    metric.update_state(t, p)
    np.testing.assert_allclose(metric.result(), 1 / 3, rtol=1e-6)
    assert metric.false_negatives.numpy() == 2
    metric = metrics.Precision(top_k=1, class_id=0, thresholds=0.5)
    metric.update_state(t, p)
    assert metric.result() == 0


def test_rank_1_and_matching_of_ranks():
    metric = metrics.Precision()
    metric.update_state([0, 1, 1, 1], [1, 0, 1, 1])
    np.testing.assert_allclose(metric.result(), 2 / 3, rtol=1e-6)
    metric.update_state(np.array([1, 0]), np.array([[0.9], [0.8]]), sample_weight=np.array([3.0, 1.0]))
    np.testing.assert_allclose(metric.result(), 5 / 7, rtol=1e-6)


@pytest.mark.parametrize("name", [*CELLS, "Precision", "Recall"])
def test_config(name):
    metric = getattr(metrics, name)(thresholds=[0.2, 0.4], name="mine")
    assert metric.name == "mine"
    again = type(metric).from_config(metric.get_config())
    assert again.get_config() == metric.get_config()
    assert again.thresholds == [0.2, 0.4]
    assert metrics.deserialize(metrics.serialize(metric)).get_config() == metric.get_config()
    assert metrics.get(name).get_config()["thresholds"] is None
    assert metric._direction == ("up" if name in ("Precision", "Recall") else None)


def test_errors():
    with pytest.raises(ValueError, match=r"Threshold values must be in \[0, 1\]. Received: \[-1, 2\]"):
        metrics.Precision(thresholds=[-1, 0.5, 2])
    with pytest.raises(ValueError, match=r"Threshold values must be in \[0, 1\]. Received: \[None\]"):
        metrics.Recall(thresholds=[None])
    with pytest.raises(ValueError, match="When class_id is provided, y_pred must be a 2D array"):
        metrics.Precision(class_id=0).update_state(np.ones(3), np.ones(3))
