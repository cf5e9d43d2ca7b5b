"""Policies of 16-bit floats: kept by name, computed in float32, said once."""

import json
import warnings

import numpy as np
import pytest

import nabi
from nabi import dtype_policies, layers, losses, metrics, mixed_precision, objects


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(dtype_policies.dtype_policy, "_said", False)
    monkeypatch.setattr(dtype_policies.dtype_policy, "_cache", {})


POLICIES = {
    "mixed_float16": ("float16", "float32"),
    "mixed_bfloat16": ("bfloat16", "float32"),
    "float16": ("float16", "float16"),
    "bfloat16": ("bfloat16", "bfloat16"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_said_once_and_computed_in_float32(name):
    with pytest.warns(UserWarning, match="kept as a name and computed in float32"):
        policy = dtype_policies.DTypePolicy(name)
    assert policy.name == name and (policy.compute_dtype, policy.variable_dtype) == POLICIES[name]
    assert repr(policy) == f'<DTypePolicy "{name}">'
    x = np.ones((1, 3), "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing is said again
        assert dtype_policies.get(json.loads(json.dumps(dtype_policies.serialize(policy)))) == policy
        layer = layers.Dense(2, dtype=name, kernel_initializer="ones")
        y = layer(x)
        again = objects.deserialize_keras_object(objects.serialize_keras_object(layer))
    assert y.dtype == np.float32 and np.asarray(y).tolist() == [[3, 3]]
    assert layer.dtype == layer.compute_dtype == layer.variable_dtype == layer.kernel.dtype == "float32"
    assert layer.dtype_policy.name == again.dtype_policy.name == name
    assert layer(layers.Input((3,))).dtype == "float32"


def test_the_global_policy():
    names = ("dtype_policy", "set_dtype_policy", "global_policy", "set_global_policy", "Policy", "DTypePolicy")
    assert all(hasattr(nabi.mixed_precision, name) for name in names)
    before = nabi.config.dtype_policy()
    try:
        with pytest.warns(UserWarning, match="said once"):
            mixed_precision.set_global_policy("mixed_float16")
        assert nabi.config.dtype_policy().name == mixed_precision.global_policy().name == "mixed_float16"
        model = nabi.Sequential([layers.Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"])
        x, y = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")
        model.fit(x, y, verbose=0)
        assert model.predict(x.astype("float16"), verbose=0).dtype == np.float32
        nabi.config.set_dtype_policy(mixed_precision.Policy("float32"))
        assert layers.Dense(1).dtype_policy.name == "float32"
    finally:
        nabi.config.set_dtype_policy(before)


def test_losses_and_metrics():
    with pytest.warns(UserWarning, match="'bfloat16'"):
        loss = losses.MeanSquaredError(dtype="bfloat16")
    assert loss.dtype == "float32" and float(loss([1.0], [3.0])) == 4
    metric = metrics.MeanSquaredError(dtype=dtype_policies.DTypePolicy("mixed_float16"))
    metric.update_state([1.0], [3.0])
    assert metric.dtype == "float32" and metric.result() == 4
    assert metric.get_config()["dtype"] == "float16"


def test_what_is_no_policy():
    for given in (None, 12345):
        with pytest.raises(ValueError, match="Invalid `policy` argument"):
            nabi.config.set_dtype_policy(given)
    with pytest.raises(ValueError, match="Cannot convert 'nonsense'"):
        nabi.config.set_dtype_policy("nonsense")


def test_tensors_of_16_bits_are_refused():
    with pytest.raises(NotImplementedError, match="a traced tensor cannot be float16"):
        nabi.trace.eager(lambda x: nabi.ops.cast(x, "float16"))(np.ones(2, "float32"))


@pytest.mark.filterwarnings("ignore:Nabi computes in")
def test_losses_give_the_dtype_asked_for():
    y_true, y_pred = np.zeros((2, 3), "float32"), np.full((2, 3), 0.7, "float32")
    loss = losses.MeanSquaredError(dtype="float16")
    assert loss.dtype == "float32"  # what it computes in
    assert loss(y_true, y_pred).dtype == np.float16 and loss(y_true, y_pred) == np.float16(0.49)
    model = nabi.Sequential([layers.Input((3,)), layers.Dense(3)])
    model.compile("sgd", losses.MeanSquaredError(dtype="bfloat16"))
    assert np.isfinite(model.train_on_batch(y_pred, y_true))
