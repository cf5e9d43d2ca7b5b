"""Initial values: distributions, seeds, configs, errors."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest

from nabi import initializers, layers, random

RANDOM = [
    initializers.RandomNormal,
    initializers.RandomUniform,
    initializers.TruncatedNormal,
    initializers.VarianceScaling,
    initializers.GlorotUniform,
    initializers.GlorotNormal,
    initializers.HeUniform,
    initializers.HeNormal,
    initializers.LecunUniform,
    initializers.LecunNormal,
    initializers.Orthogonal,
]


def draw(initializer: Any, shape: Any = (300, 200), dtype: Any = None) -> np.ndarray[Any, Any]:
    return np.asarray(initializer(shape, dtype=dtype))


def test_constants() -> None:
    assert (draw(initializers.Zeros()) == 0).all() and (draw(initializers.Ones()) == 1).all()
    assert (draw(initializers.Constant(2.5), (2, 3)) == 2.5).all()
    assert draw(initializers.Constant(3), (2,), "int32").dtype == np.int32
    assert draw(initializers.Zeros(), (), None).dtype == np.float32
    assert draw(initializers.Ones(), (2,), "float64").dtype == np.float64
    np.testing.assert_array_equal(draw(initializers.Identity(2.0), (2, 3)), 2 * np.eye(2, 3))
    with pytest.raises(
        ValueError, match="Identity matrix initializer can only be used for 2D matrices. Received: shape="
    ):
        initializers.Identity()((2, 3, 4))


@pytest.mark.parametrize(
    ("initializer", "deviation", "low", "high"),
    [
        (initializers.RandomNormal(stddev=0.1, seed=1), 0.1, -0.6, 0.6),
        (initializers.TruncatedNormal(stddev=0.1, seed=1), 0.1 * 0.8796256610342398, -0.2, 0.2),
        (initializers.RandomUniform(-0.1, 0.3, seed=1), 0.4 / np.sqrt(12), -0.1, 0.3),
        (initializers.GlorotUniform(seed=1), np.sqrt(2 / 500), -np.sqrt(6 / 500), np.sqrt(6 / 500)),
        (initializers.GlorotNormal(seed=1), np.sqrt(2 / 500), -1, 1),
        (initializers.HeUniform(seed=1), np.sqrt(2 / 300), -np.sqrt(6 / 300), np.sqrt(6 / 300)),
        (initializers.HeNormal(seed=1), np.sqrt(2 / 300), -1, 1),
        (initializers.LecunUniform(seed=1), np.sqrt(1 / 300), -np.sqrt(3 / 300), np.sqrt(3 / 300)),
        (initializers.LecunNormal(seed=1), np.sqrt(1 / 300), -1, 1),
        (initializers.VarianceScaling(3.0, "fan_out", "untruncated_normal", seed=1), np.sqrt(3 / 200), -2, 2),
        (initializers.VarianceScaling(1.0, "fan_avg", "normal", seed=1), np.sqrt(1 / 250), -1, 1),
    ],
)
def test_distributions(initializer: Any, deviation: float, low: float, high: float) -> None:
    values = draw(initializer)
    mean = (low + high) / 2
    assert values.dtype == np.float32 and values.shape == (300, 200)
    assert values.min() >= low and values.max() <= high
    assert abs(values.mean() - mean) < 5 * deviation / np.sqrt(values.size)
    assert abs(values.std() / deviation - 1) < 0.02


@pytest.mark.parametrize("kind", RANDOM)
def test_seeds(kind: Any) -> None:
    seeded = kind(seed=5)
    np.testing.assert_array_equal(draw(seeded, (8, 8)), draw(seeded, (8, 8)))
    np.testing.assert_array_equal(draw(seeded, (8, 8)), draw(kind(seed=5), (8, 8)))
    assert not np.array_equal(draw(seeded, (8, 8)), draw(kind(seed=6), (8, 8)))
    unseeded = kind()
    np.testing.assert_array_equal(draw(unseeded, (8, 8)), draw(unseeded, (8, 8)))
    assert not np.array_equal(draw(unseeded, (8, 8)), draw(kind(), (8, 8)))
    generator = kind(seed=random.SeedGenerator(5))
    assert not np.array_equal(draw(generator, (8, 8)), draw(generator, (8, 8)))
    with pytest.raises(ValueError, match="`seed` argument should be an instance of"):
        kind(seed="five")


def test_numpy_seed_reproduces_a_program() -> None:
    def weights() -> Any:
        np.random.seed(7)  # noqa: NPY002
        layer = layers.Dense(3)
        layer.build((None, 4))
        return layer.get_weights()[0]

    np.testing.assert_array_equal(weights(), weights())


@pytest.mark.parametrize("shape", [(6, 6), (3, 8), (8, 3), (2, 3, 4)])
def test_orthogonal(shape: tuple[int, ...]) -> None:
    matrix = draw(initializers.Orthogonal(gain=2.0, seed=3), shape).reshape(-1, shape[-1])
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, 4 * np.eye(matrix.shape[1]), atol=1e-5)
    with pytest.raises(ValueError, match="must be at least two-dimensional. Received: shape=.* of rank 1"):
        initializers.Orthogonal()((3,))


def test_fans() -> None:
    fans = initializers.compute_fans
    assert fans(()) == (1, 1) and fans((7,)) == (7, 7) and fans((3, 5)) == (3, 5)
    assert fans((3, 3, 16, 32)) == (144, 288)
    assert fans((4, 5, 6), input_axes=[0], output_axes=[1, 2]) == (4, 30)


def test_stft() -> None:
    real = draw(initializers.STFT("real", "hann", None, True), (8, 1, 5))
    imag = draw(initializers.STFT("imag", None, None), (8, 1, 5))
    signal = np.random.default_rng(0).standard_normal(8)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(8) / 8)
    np.testing.assert_allclose(signal @ real[:, 0], np.fft.rfft(signal * window).real, atol=1e-5)
    np.testing.assert_allclose(signal @ imag[:, 0], np.fft.rfft(signal).imag, atol=1e-5)
    for name in ("hamming", "blackman", "bartlett", "boxcar"):
        assert np.isfinite(draw(initializers.STFT(window=name, scaling="spectrum"), (8, 1, 5))).all()
    np.testing.assert_allclose(
        draw(initializers.STFT(window=np.hamming(8)), (8, 1, 5)),
        draw(initializers.STFT(window="hamming"), (8, 1, 5)),
        atol=1e-6,
    )
    with pytest.raises(ValueError, match="side should be 'real' or 'imag', not left"):
        initializers.STFT("left")
    with pytest.raises(ValueError, match="Scaling is invalid"):
        initializers.STFT(scaling="loud")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "scipy.signal", None)
        with pytest.raises(NotImplementedError, match="The window 'tukey' needs SciPy"):
            initializers.STFT(window="tukey")
    with pytest.raises(ValueError, match="The shape of `window` must be equal to"):
        initializers.STFT(window=np.ones(3))((8, 1, 5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": 0}, "Argument `scale` must be positive float. Received: scale=0"),
        ({"mode": "fan"}, "Invalid `mode` argument: fan. Please use one of"),
        ({"distribution": "cauchy"}, "Invalid `distribution` argument: cauchy.Please use one of"),
    ],
)
def test_variance_scaling_errors(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        initializers.VarianceScaling(**arguments)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    "initializer",
    [
        initializers.Constant(2.0),
        initializers.Constant(np.array([1.0, 2.0])),
        initializers.Identity(3.0),
        initializers.Orthogonal(2.0, seed=4),
        initializers.RandomNormal(1.0, 2.0, 3),
        initializers.RandomUniform(1.0, 2.0),
        initializers.VarianceScaling(2.0, "fan_avg", "uniform", 3, [0], [1]),
        initializers.GlorotUniform(5),
        initializers.HeNormal(random.SeedGenerator(3)),
        initializers.STFT(),
        initializers.Zeros(),
    ],
    ids=lambda x: type(x).__name__,
)
def test_configs(initializer: Any) -> None:
    config = initializers.serialize(initializer)
    assert config["module"] == "keras.initializers" and config["registered_name"] is None
    again = initializers.deserialize(json.loads(json.dumps(config)))
    assert type(again) is type(initializer)
    assert json.dumps(initializers.serialize(again)) == json.dumps(config)
    assert json.dumps(initializer.clone().get_config()) == json.dumps(initializer.get_config())


def test_get() -> None:
    for name, kind in {
        "glorot_uniform": initializers.GlorotUniform,
        "GlorotUniform": initializers.GlorotUniform,
        "he_normal": initializers.HeNormal,
        "zeros": initializers.Zeros,
        "zero": initializers.Zeros,
        "one": initializers.Ones,
        "normal": initializers.RandomNormal,
        "uniform": initializers.RandomUniform,
        "orthogonal": initializers.OrthogonalInitializer,
        "IdentityInitializer": initializers.identity,
    }.items():
        assert type(initializers.get(name)) is kind
    assert initializers.get(None) is None
    assert type(initializers.get(initializers.Zeros)) is initializers.Zeros
    assert type(initializers.get({"class_name": "Ones", "config": {}})) is initializers.Ones
    ready = initializers.Ones()
    assert initializers.get(ready) is ready
    fixed = initializers.get(np.eye(2))
    np.testing.assert_array_equal(fixed((2, 2)), np.eye(2))
    with pytest.raises(ValueError, match="Expected `shape` to be"):
        fixed((3, 3))
    with pytest.raises(ValueError, match="Could not interpret initializer identifier: nonsense"):
        initializers.get("nonsense")
    with pytest.raises(ValueError, match="Could not interpret initializer identifier: 3"):
        initializers.get(3)
    with pytest.raises(NotImplementedError, match="must implement the `__call__\\(\\)` method"):
        initializers.Initializer()((2,))


def test_function_as_initializer() -> None:
    layer = layers.Dense(2, kernel_initializer=lambda shape, dtype=None: np.full(shape, 0.5), bias_initializer="ones")
    layer.build((None, 3))
    assert (layer.kernel.numpy() == 0.5).all() and (layer.bias.numpy() == 1).all()
