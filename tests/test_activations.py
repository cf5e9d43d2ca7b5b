"""Activation functions against their formulas, and their names."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from helpers import normal
from nabi import activations, ops
from nabi.objects import register_keras_serializable
from nabi.trace import KerasTensor, Trace

E = np.exp
erf = np.vectorize(math.erf)


def softmax(x: Any, axis: int = -1) -> Any:
    e = E(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + E(-x))


def sparsemax(x: Any) -> Any:
    ordered = np.sort(x, -1)[..., ::-1]
    total = np.cumsum(ordered, -1)
    count = np.arange(1, x.shape[-1] + 1)
    k = (1 + count * ordered > total).sum(-1, keepdims=True)
    tau = (np.take_along_axis(total, k - 1, -1) - 1) / k
    return np.maximum(x - tau, 0)


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "celu": (lambda x: np.maximum(x, 0) + np.minimum(0, 0.5 * np.expm1(x / 0.5)), {"alpha": 0.5}),
    "elu": (lambda x: np.where(x > 0, x, 0.5 * np.expm1(x)), {"alpha": 0.5}),
    "exponential": (E, {}),
    "gelu": (lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2))), {}),
    "glu": (lambda x: x[..., :4] * sigmoid(x[..., 4:]), {}),
    "hard_shrink": (lambda x: np.where(np.abs(x) > 0.5, x, 0), {}),
    "hard_sigmoid": (lambda x: np.clip(x / 6 + 0.5, 0, 1), {}),
    "hard_silu": (lambda x: x * np.clip(x / 6 + 0.5, 0, 1), {}),
    "hard_swish": (lambda x: x * np.clip(x / 6 + 0.5, 0, 1), {}),
    "hard_tanh": (lambda x: np.clip(x, -1, 1), {}),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.2 * x), {}),
    "linear": (lambda x: x, {}),
    "log_sigmoid": (lambda x: np.log(sigmoid(x)), {}),
    "log_softmax": (lambda x: np.log(softmax(x)), {}),
    "mish": (lambda x: x * np.tanh(np.log1p(E(x))), {}),
    "relu": (lambda x: np.maximum(x, 0), {}),
    "relu6": (lambda x: np.clip(x, 0, 6), {}),
    "selu": (lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)), {}),
    "sigmoid": (sigmoid, {}),
    "silu": (lambda x: x * sigmoid(x), {}),
    "swish": (lambda x: x * sigmoid(x), {}),
    "soft_shrink": (lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0), {}),
    "softmax": (softmax, {}),
    "softplus": (lambda x: np.log1p(E(x)), {}),
    "softsign": (lambda x: x / (1 + np.abs(x)), {}),
    "sparse_plus": (lambda x: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)), {}),
    "sparse_sigmoid": (lambda x: np.clip((x + 1) / 2, 0, 1), {}),
    "sparsemax": (sparsemax, {}),
    "squareplus": (lambda x: (x + np.sqrt(x * x + 4)) / 2, {}),
    "tanh": (np.tanh, {}),
    "tanh_shrink": (lambda x: x - np.tanh(x), {}),
    "threshold": (lambda x: np.where(x > 0.3, x, -1), {"threshold": 0.3, "default_value": -1.0}),
}


def test_every_name_is_covered() -> None:
    assert {*CASES, "get", "serialize", "deserialize"} == set(activations.__all__)


@pytest.mark.parametrize("name", CASES)
def test_values(name: str) -> None:
    reference, options = CASES[name]
    x = 2 * normal(3, 5, 8)
    wanted = reference(x)
    function = getattr(activations, name)
    found = np.asarray(function(x.astype("float32"), **options))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=2e-6)
    assert activations.get(name) is function


@pytest.mark.parametrize("name", [name for name in CASES if name != "linear"])
def test_gradients_and_symbols(name: str) -> None:
    reference, options = CASES[name]
    function = getattr(activations, name)
    x, direction = 2 * normal(3, 5, 8), normal(3, 5, 8, seed=1)
    with Trace() as trace:
        entered = trace.input(x.shape, "float64")
        y = function(entered, **options)
        upstream = normal(*y.shape, seed=2)
        loss = ops.sum(y * ops.convert_to_tensor(upstream, dtype="float64"))
        gradient = trace.gradients(loss, [entered])[0]
        program = trace.compile([gradient])
    found = np.sum(program.call([x])[0] * direction)
    step = 1e-6
    ahead, back = (np.sum(reference(x + s * direction) * upstream) for s in (step, -step))
    np.testing.assert_allclose(found, (ahead - back) / (2 * step), rtol=1e-4, atol=1e-6)
    symbolic = function(KerasTensor((None, 8)), **options)
    assert symbolic.shape == (None, 4 if name == "glu" else 8)


@pytest.mark.parametrize(
    ("options", "reference"),
    [
        ({"max_value": 1.0}, lambda x: np.clip(x, 0, 1)),
        ({"max_value": 6}, lambda x: np.clip(x, 0, 6)),
        ({"threshold": 0.5}, lambda x: np.where(x > 0.5, x, 0)),
        ({"negative_slope": 0.1}, lambda x: np.where(x > 0, x, 0.1 * x)),
        ({"negative_slope": 0.1, "threshold": 0.5}, lambda x: np.where(x > 0.5, x, 0.1 * (x - 0.5))),
        ({"negative_slope": 0.1, "max_value": 1.0}, lambda x: np.where(x > 0, np.minimum(x, 1), 0.1 * x)),
    ],
)
def test_relu_options(options: dict[str, Any], reference: Any) -> None:
    x = 2 * normal(4, 16)
    np.testing.assert_allclose(activations.relu(x, **options), reference(x), rtol=1e-5, atol=1e-6)


def test_extreme_values() -> None:
    x = np.array([-1e4, -100.0, 0.0, 100.0, 1e4], "float32")
    np.testing.assert_allclose(activations.sigmoid(x), [0, 0, 0.5, 1, 1], atol=1e-30)
    np.testing.assert_allclose(activations.softplus(x), [0, 0, np.log(2), 100, 1e4], rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(activations.log_sigmoid(x), [-1e4, -100, -np.log(2), 0, 0], rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(activations.softmax(x), [0, 0, 0, 0, 1])
    assert np.isnan(activations.relu(np.array([np.nan], "float32"))).all()
    assert np.isfinite(activations.log_softmax(x)).all()


def test_gelu_approximation_and_axes() -> None:
    x = normal(3, 4)
    inner = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)
    np.testing.assert_allclose(
        activations.gelu(x, approximate=True), 0.5 * x * (1 + np.tanh(inner)), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(activations.softmax(x, axis=0), softmax(x, 0), rtol=1e-5)
    np.testing.assert_allclose(activations.sparsemax(x.T, axis=0), sparsemax(x).T, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="axis"):
        activations.glu(np.zeros((2, 3)))


@pytest.mark.parametrize("name", ["softmax", "sigmoid"])
def test_logits_are_kept(name: str) -> None:
    with Trace() as trace:
        x = trace.input((2, 3), "float32")
        assert getattr(activations, name)(x)._keras_logits is x
        assert activations.relu(x)._keras_logits is None


def test_names_and_configs() -> None:
    assert activations.get(None) is activations.linear
    for name in CASES:
        function = getattr(activations, name)
        assert activations.get(activations.serialize(function)) is function
        assert activations.deserialize(name) is function
    assert activations.serialize(activations.silu) == "silu" and activations.silu is activations.swish

    @register_keras_serializable("tests")
    def cube(x: Any) -> Any:
        return x * x * x

    config = activations.serialize(cube)
    assert config["class_name"] == "function" and config["registered_name"] == "tests>cube"
    assert activations.get(config) is cube
    with pytest.raises(ValueError, match="Could not interpret activation function identifier: nonsense"):
        activations.get("nonsense")
    with pytest.raises(ValueError, match="Could not interpret activation function identifier: 3"):
        activations.get(3)
    with pytest.raises(ValueError, match="Unknown activation function 'relu' cannot be serialized"):
        activations.serialize("relu")
