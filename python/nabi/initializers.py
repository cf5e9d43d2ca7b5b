"""Initial values of weights: names, defaults, configs and seed rules of `keras.initializers`.

An initializer is called with `(shape, dtype=None)` and returns an array of that shape (dtype: `floatx()` by default). A
random one that was given an integer seed, or none, returns the same values at every call: without a seed it draws one
when it is made. A `SeedGenerator` as seed gives new values at every call. The numbers come from the core's
counter-based generator, so they depend on neither machine nor threads.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nabi import objects, random
from nabi.dtypes import standardize_dtype
from nabi.names import to_snake_case
from nabi.trace import Tensor, Variable

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "STFT",
    "STFTInitializer",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "stft",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

Shape = Sequence[int]

# Standard deviation of a standard normal cut at two: a truncated draw is divided by it to reach the wanted deviation.
_TRUNCATED_STDDEV = 0.87962566103423978


class Initializer:
    """Base class: a subclass defines `__call__(shape, dtype=None)` and, when it has arguments, `get_config()`."""

    def __call__(self, shape: Shape, dtype: Any = None) -> Any:
        raise NotImplementedError("Initializer subclasses must implement the `__call__()` method.")

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def clone(self) -> Any:
        """A new initializer of the same config."""
        return type(self).from_config(self.get_config())


class Constant(Initializer):
    """Every element `value`."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Shape, dtype: Any = None) -> Any:
        return np.full(tuple(shape), self.value, dtype=standardize_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"value": objects.serialize_keras_object(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(objects.deserialize_keras_object(config["value"]))


class Zeros(Initializer):
    """Every element 0."""

    def __call__(self, shape: Shape, dtype: Any = None) -> Any:
        return np.zeros(tuple(shape), dtype=standardize_dtype(dtype))


class Ones(Initializer):
    """Every element 1."""

    def __call__(self, shape: Shape, dtype: Any = None) -> Any:
        return np.ones(tuple(shape), dtype=standardize_dtype(dtype))


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere.

    Raises:
        ValueError: when called, a shape that is not of rank 2.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Shape, dtype: Any = None) -> Any:
        if len(shape) != 2:
            raise ValueError(
                "Identity matrix initializer can only be used for 2D matrices. "
                f"Received: shape={shape} of rank {len(shape)}."
            )
        name = standardize_dtype(dtype)
        return (self.gain * np.eye(shape[0], shape[1])).astype(name)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class STFT(Initializer):
    """Real or imaginary part of a short-term Fourier transform as a convolution kernel.

    Called with the shape `(frame_length, 1, fft_length // 2 + 1)`.

    Args:
        side: "real" or "imag".
        window: "hann", "hamming", "blackman", "bartlett", "boxcar" or, with SciPy, any name `scipy.signal.get_window`
            knows; an array of frame_length values; or None.
        scaling: "density" (L2), "spectrum" (L1) or None.
        periodic: the window is periodic.

    Raises:
        ValueError: bad side, scaling or window length. NotImplementedError: another window name, without SciPy.
    """

    def __init__(
        self,
        side: str = "real",
        window: Any = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ) -> None:
        if side not in ("real", "imag"):
            raise ValueError(f"side should be 'real' or 'imag', not {side}")
        if isinstance(window, str):
            _window(window, 1, periodic)
        if scaling is not None and scaling not in ("density", "spectrum"):
            raise ValueError(
                f"Scaling is invalid, it must be `None`, 'density' or 'spectrum'. Received scaling={scaling}"
            )
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def __call__(self, shape: Shape, dtype: Any = None) -> Any:
        frame_length, _, bins = shape
        angle = -2.0 * np.pi * np.arange(frame_length)[:, None, None] * np.arange(bins) / ((bins - 1) * 2)
        kernel = np.cos(angle) if self.side == "real" else np.sin(angle)
        if self.window is not None:
            if isinstance(self.window, str):
                window = _window(self.window, frame_length, self.periodic)
            else:
                window = np.asarray(self.window, dtype=np.float64)
            if window.shape != (frame_length,):
                raise ValueError(
                    f"The shape of `window` must be equal to [frame_length].Received: window shape={window.shape}"
                )
            scale = 1.0
            if self.scaling == "density":
                scale = math.sqrt(np.sum(np.square(window)))
            elif self.scaling == "spectrum":
                scale = float(np.sum(np.abs(window)))
            kernel = kernel * window[:, None, None] / scale
        return kernel.astype(standardize_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"side": self.side, "window": self.window, "periodic": self.periodic, "scaling": self.scaling}


_COSINE_WINDOWS = {"boxcar": (1.0,), "hann": (0.5, 0.5), "hamming": (0.54, 0.46), "blackman": (0.42, 0.5, 0.08)}


def _window(name: str, length: int, periodic: bool) -> np.ndarray[Any, Any]:
    """The window of this name, float64 `(length,)`; definitions as in Harris, 1978."""
    if name not in _COSINE_WINDOWS and name != "bartlett":
        try:
            windows = importlib.import_module("scipy.signal")
        except ImportError:
            raise NotImplementedError(
                f"The window '{name}' needs SciPy; without it use one of {sorted([*_COSINE_WINDOWS, 'bartlett'])} or "
                "pass the window's values."
            ) from None
        return np.asarray(windows.get_window(name, length, periodic), dtype=np.float64)
    if length == 1:
        return np.ones(1)
    t = np.arange(length) / (length if periodic else length - 1)
    if name == "bartlett":
        return np.asarray(1.0 - np.abs(2.0 * t - 1.0))
    terms = [(-1) ** k * a * np.cos(2.0 * np.pi * k * t) for k, a in enumerate(_COSINE_WINDOWS[name])]
    return np.asarray(sum(terms))


class RandomInitializer(Initializer):
    """Base of the random initializers: keeps the seed.

    Raises:
        ValueError: the seed is neither None, an int, a SeedGenerator nor the config of one.
    """

    def __init__(self, seed: Any = None) -> None:
        self._init_seed = seed
        if seed is None:
            seed = random.make_default_seed()
        elif isinstance(seed, dict):
            seed = objects.deserialize_keras_object(seed)
        elif not isinstance(seed, (int, random.SeedGenerator)):
            raise ValueError(
                "`seed` argument should be an instance of `keras.random.SeedGenerator()` or an integer. "
                f"Received: seed={seed}"
            )
        self.seed = seed

    def get_config(self) -> dict[str, Any]:
        return {"seed": objects.serialize_keras_object(self._init_seed)}


class RandomNormal(RandomInitializer):
    """Normal with the given mean and standard deviation."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        self.mean = mean
        self.stddev = stddev
        super().__init__(seed=seed)

    def __call__(self, shape: Shape, dtype: Any = None) -> Any:
        return random.normal(tuple(shape), mean=self.mean, stddev=self.stddev, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomInitializer):
    """Normal, drawn again where more than two standard deviations away."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        self.mean = mean
        self.stddev = stddev
        super().__init__(seed=seed)

    def __call__(self, shape: Shape, dtype: Any = None) -> Any:
        return random.truncated_normal(tuple(shape), mean=self.mean, stddev=self.stddev, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class RandomUniform(RandomInitializer):
    """Uniform in [minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        self.minval = minval
        self.maxval = maxval
        super().__init__(seed=seed)

    def __call__(self, shape: Shape, dtype: Any = None) -> Any:
        return random.uniform(tuple(shape), minval=self.minval, maxval=self.maxval, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class VarianceScaling(RandomInitializer):
    """Values whose variance is `scale` divided by the fan.

    Args:
        scale: positive float.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal" (or "normal"), "untruncated_normal" or "uniform".
        input_axes, output_axes: axes counted as inputs and outputs, for weights that are no plain kernels.

    Raises:
        ValueError: bad scale, mode or distribution.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Any = None,
        output_axes: Any = None,
    ) -> None:
        if scale <= 0.0:
            raise ValueError(f"Argument `scale` must be positive float. Received: scale={scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"Invalid `mode` argument: {mode}. Please use one of {{'fan_in', 'fan_out', 'fan_avg'}}")
        distribution = distribution.lower()
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in ("uniform", "truncated_normal", "untruncated_normal"):
            raise ValueError(
                f"Invalid `distribution` argument: {distribution}."
                "Please use one of {'uniform', 'truncated_normal', 'untruncated_normal'}"
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes
        super().__init__(seed=seed)

    def __call__(self, shape: Shape, dtype: Any = None) -> Any:
        shape = tuple(shape)
        fan_in, fan_out = compute_fans(shape, input_axes=self.input_axes, output_axes=self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return random.uniform(shape, minval=-limit, maxval=limit, dtype=dtype, seed=self.seed)
        if self.distribution == "untruncated_normal":
            return random.normal(shape, mean=0.0, stddev=math.sqrt(variance), dtype=dtype, seed=self.seed)
        stddev = math.sqrt(variance) / _TRUNCATED_STDDEV
        return random.truncated_normal(shape, mean=0.0, stddev=stddev, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            **self._axes(),
        }

    def _axes(self) -> dict[str, Any]:
        """The axes arguments where they are given; Keras before 3.15 does not know them."""
        if self.input_axes is None and self.output_axes is None:
            return {}
        return {"input_axes": self.input_axes, "output_axes": self.output_axes}


class _FixedScaling(VarianceScaling):
    """A named case of variance scaling; its config holds only what its constructor takes."""

    _SCALE = 1.0
    _MODE = "fan_in"
    _DISTRIBUTION = "uniform"

    def __init__(self, seed: Any = None, input_axes: Any = None, output_axes: Any = None) -> None:
        super().__init__(self._SCALE, self._MODE, self._DISTRIBUTION, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return {"seed": objects.serialize_keras_object(self._init_seed), **self._axes()}


class GlorotUniform(_FixedScaling):
    """Uniform within ±sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""

    _MODE = "fan_avg"


class GlorotNormal(_FixedScaling):
    """Truncated normal of standard deviation sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""

    _MODE = "fan_avg"
    _DISTRIBUTION = "truncated_normal"


class LecunNormal(_FixedScaling):
    """Truncated normal of standard deviation sqrt(1 / fan_in) (Klambauer et al., 2017)."""

    _DISTRIBUTION = "truncated_normal"


class LecunUniform(_FixedScaling):
    """Uniform within ±sqrt(3 / fan_in) (Klambauer et al., 2017)."""


class HeNormal(_FixedScaling):
    """Truncated normal of standard deviation sqrt(2 / fan_in) (He et al., 2015)."""

    _SCALE = 2.0
    _DISTRIBUTION = "truncated_normal"


class HeUniform(_FixedScaling):
    """Uniform within ±sqrt(6 / fan_in) (He et al., 2015)."""

    _SCALE = 2.0


class Orthogonal(RandomInitializer):
    """`gain` times a matrix with orthonormal rows or columns, whichever are fewer (Saxe et al., 2014).

    More than two dimensions are seen as a matrix of all but the last by the last.

    Raises:
        ValueError: when called, a shape of rank below 2.
    """

    def __init__(self, gain: float = 1.0, seed: Any = None) -> None:
        self.gain = gain
        super().__init__(seed=seed)

    def __call__(self, shape: Shape, dtype: Any = None) -> Any:
        if len(shape) < 2:
            raise ValueError(
                "The tensor to initialize must be at least two-dimensional. Received: "
                f"shape={shape} of rank {len(shape)}."
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        draws = random.normal((max(rows, columns), min(rows, columns)), seed=self.seed, dtype="float32")
        # float64 keeps the factorisation's rounding out of the result; the sign makes the distribution uniform.
        q, r = np.linalg.qr(np.asarray(draws, dtype=np.float64))
        q = q * np.sign(np.diag(r))
        if rows < columns:
            q = q.T
        return np.ascontiguousarray(self.gain * q.reshape(tuple(shape)), dtype=standardize_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}


def compute_fans(shape: Shape, input_axes: Any = None, output_axes: Any = None) -> tuple[int, int]:
    """Number of inputs and outputs of a weight: (in, out) for a matrix, times the window for a convolution kernel.

    With both `input_axes` and `output_axes`, the products of those dimensions.
    """
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 1:
        return 1, 1
    if len(shape) == 1:
        return int(shape[0]), int(shape[0])
    window = math.prod(shape[:-2])
    return int(shape[-2] * window), int(shape[-1] * window)


constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
identity = IdentityInitializer = Identity
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
orthogonal = OrthogonalInitializer = Orthogonal
random_normal = RandomNormal
random_uniform = RandomUniform
stft = STFTInitializer = STFT
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

_CLASSES = (
    Initializer,
    Constant,
    Identity,
    Ones,
    STFT,
    Zeros,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)
_ALIASES: dict[str, Any] = {
    **{to_snake_case(cls.__name__): cls for cls in _CLASSES},
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    "STFTInitializer": STFT,
}
_BY_NAME: dict[str, Any] = {
    **{cls.__name__: cls for cls in _CLASSES},
    **_ALIASES,
    "normal": RandomNormal,
    "one": Ones,
    "uniform": RandomUniform,
    "zero": Zeros,
}

objects.export("keras.initializers", *_CLASSES, aliases=_ALIASES)
objects.export("keras.random", random.SeedGenerator)


def serialize(initializer: Any) -> Any:
    """The config dict of an initializer; None for None."""
    return objects.serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer that a config dict stands for."""
    return objects.deserialize_keras_object(config, custom_objects=custom_objects, module_objects=_BY_NAME)


def get(identifier: Any) -> Any:
    """The initializer of a name, config dict, class, callable or array (which must have the weight's shape).

    Raises:
        ValueError: nothing is known by this name.
    """
    if identifier is None:
        return None
    found: Any = identifier
    if isinstance(identifier, dict):
        found = deserialize(identifier)
    elif isinstance(identifier, str):
        found = _BY_NAME.get(identifier) or objects.get_registered_object(identifier)
    elif isinstance(identifier, (np.generic, np.ndarray, Tensor, Variable)):
        values = identifier

        def initialize_fn(shape: Shape, dtype: Any = None) -> Any:
            if tuple(shape) != tuple(values.shape):
                raise ValueError(
                    f"Expected `shape` to be {tuple(values.shape)} for direct tensor as initializer. "
                    f"Received shape={tuple(shape)}"
                )
            return np.asarray(values).astype(standardize_dtype(dtype))

        return initialize_fn
    if not callable(found):
        raise ValueError(f"Could not interpret initializer identifier: {identifier}")
    return found() if inspect.isclass(found) else found
