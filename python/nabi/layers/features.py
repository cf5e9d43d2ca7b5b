"""Normalization: features with the mean and variance of the data."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from nabi import config as nabi_config
from nabi import ops
from nabi.layers.arguments import Shape, known_length
from nabi.layers.layer import Layer
from nabi.trace import Array


class Normalization(Layer):
    """`(inputs - mean) / sqrt(variance)`, with one mean and variance for each index of `axis`. Any shape.

    Args:
        axis: axes that keep means of their own; None has one mean for everything.
        mean, variance: numbers or arrays; by default those that `adapt` finds in data.
        invert: multiply and add instead, which undoes the other direction.

    Raises:
        ValueError: only one of mean and variance, or shapes that do not fit the axes.
    """

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis: tuple[int, ...] = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        self.input_mean = mean
        self.input_variance = variance
        self.invert = invert
        self.supports_masking = True
        self._build_input_shape: Shape | None = None
        self._allow_non_tensor_positional_args = True
        if (mean is not None) != (variance is not None):
            raise ValueError(
                "When setting values directly, both `mean` and `variance` must be set. "
                f"Received: mean={mean} and variance={variance}"
            )
        if mean is not None:
            if np.shape(mean) != np.shape(variance):
                raise ValueError(
                    "When setting values directly, `mean` and `variance` must have the same shape. Received: "
                    f"mean shape {np.shape(mean)} and variance shape {np.shape(variance)}"
                )
            if np.ndim(mean) > len(self.axis):
                raise ValueError(
                    "The rank of `mean` must be less than or equal to the number of axes "
                    f"({len(self.axis)}). Received: mean shape {np.shape(mean)} for axis {self.axis}"
                )

    def build(self, input_shape: Shape) -> None:
        """Makes the weights `mean`, `variance` and `count`, unless the mean is given."""
        if input_shape is None:
            return
        ndim = len(input_shape)
        if any(a < -ndim or a >= ndim for a in self.axis):
            raise ValueError(
                "All `axis` values must be in the range [-ndim, ndim). "
                f"Received inputs with ndim={ndim}, while axis={self.axis}"
            )
        self._build_input_shape = tuple(input_shape)
        self._keep_axis = tuple(sorted(a % ndim for a in self.axis))
        for d in self._keep_axis:
            if input_shape[d] is None:
                raise ValueError(
                    "All `axis` values to be kept must have a known shape. "
                    f"Received axis={self.axis}, inputs.shape={input_shape}, with unknown axis at index {d}"
                )
        self._reduce_axis = tuple(d for d in range(ndim) if d not in self._keep_axis)
        self._broadcast_shape = tuple(
            known_length(input_shape, d, self.name) if d in self._keep_axis else 1 for d in range(ndim)
        )
        if self.input_mean is not None:
            self._given(self.input_mean)  # raises for a shape that does not fit
            return
        shape = tuple(input_shape[d] for d in self._keep_axis)
        self.adapt_mean = self.add_weight(name="mean", shape=shape, initializer="zeros", trainable=False)
        self.adapt_variance = self.add_weight(name="variance", shape=shape, initializer="ones", trainable=False)
        self.count = self.add_weight(name="count", shape=(), dtype="int", initializer="zeros", trainable=False)

    def _given(self, value: Any) -> Any:
        """A value from the constructor as it goes with the inputs."""
        array = np.asarray(value, dtype="float64" if self.compute_dtype == "float64" else "float32")
        if array.ndim:
            shape = [1] * len(self._broadcast_shape)
            for place, length in zip(reversed(self._keep_axis), reversed(array.shape), strict=False):
                shape[place] = length
            array = array.reshape(shape)
        return np.broadcast_to(array, self._broadcast_shape).copy().view(Array)

    def _value(self, given: Any, weight: str) -> Any:
        if not self.built or self._build_input_shape is None:
            return None
        value = self._given(given) if given is not None else ops.reshape(getattr(self, weight), self._broadcast_shape)
        return ops.cast(value, self.compute_dtype)

    @property
    def mean(self) -> Any:
        """The mean, in a shape that broadcasts to the inputs; None before the layer is built."""
        return self._value(self.input_mean, "adapt_mean")

    @property
    def variance(self) -> Any:
        """The variance, likewise."""
        return self._value(self.input_variance, "adapt_variance")

    def adapt(self, data: Any) -> None:
        """Takes mean and variance from data, which replaces those of an earlier `adapt`.

        Args:
            data: an array, or an iterable of batches (arrays, or tuples that begin with one), a PyDataset among them.

        Raises:
            TypeError: something else. ValueError: no data, or a shape that does not fit the layer.
        """
        if isinstance(data, np.ndarray) or hasattr(data, "__array__"):
            array = np.asarray(data)
            self._build_for(array.shape)
            mean = np.mean(array, axis=self._reduce_axis, dtype="float64")
            variance = np.var(array, axis=self._reduce_axis, dtype="float64")
        else:
            batches = _batches(data)
            first = next(batches, None)
            if first is None:
                raise ValueError(
                    "adapt() received an empty iterable (no batches). Expected at least one batch. Pass a non-empty "
                    "iterable of arrays or tensors, e.g. layer.adapt([x]) or layer.adapt(list_of_batches)."
                )
            self._build_for(first.shape)
            mean, variance = self._moments(itertools.chain([first], batches))
        if self.input_mean is not None:
            raise ValueError(
                "adapt() finds mean and variance in the data, and this layer was made with its own. "
                f"Received: mean={self.input_mean}"
            )
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    def _build_for(self, shape: tuple[int, ...]) -> None:
        if not self.built:
            self.build(shape)
            return
        built = self._build_input_shape
        assert built is not None
        if len(shape) != len(built) or any(shape[d] != built[d] for d in self._keep_axis):
            raise ValueError(
                f"The layer was built with input_shape={built}, but adapt() is being called with data with an "
                f"incompatible shape, data.shape={shape}"
            )

    def _moments(self, batches: Iterator[Any]) -> tuple[Any, Any]:
        """Mean and variance over batches, joined by Chan's formula (1979), in float64."""
        total, mean, variance = 0, np.zeros(()), np.zeros(())
        built = self._build_input_shape
        assert built is not None
        for batch in batches:
            if batch.ndim != len(built) or any(batch.shape[d] != built[d] for d in self._keep_axis):
                raise ValueError(
                    f"adapt() yielded a batch with incompatible shape. Expected {built}, got {batch.shape}."
                )
            count = math.prod(batch.shape[d] for d in self._reduce_axis)
            if not count:
                continue
            total += count
            weight = count / total
            own = np.mean(batch, axis=self._reduce_axis, dtype="float64")
            spread = np.var(batch, axis=self._reduce_axis, dtype="float64")
            joined = mean * (1.0 - weight) + own * weight
            variance = (variance + (mean - joined) ** 2) * (1.0 - weight) + (spread + (own - joined) ** 2) * weight
            mean = joined
        return mean, variance

    def finalize_state(self) -> None:
        """Nothing to do: the weights are read at every call."""

    def call(self, inputs: Any) -> Any:
        mean, variance = self.mean, self.variance
        if mean is None:
            raise ValueError("You must call `.build(input_shape)` on the layer before using it.")
        x = ops.cast(ops.convert_to_tensor(inputs), self.compute_dtype)
        deviation = ops.maximum(ops.sqrt(variance), nabi_config.epsilon())
        return (
            ops.add(mean, ops.multiply(x, deviation)) if self.invert else ops.divide(ops.subtract(x, mean), deviation)
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "invert": self.invert,
            "mean": np.array(self.input_mean).tolist(),
            "variance": np.array(self.input_variance).tolist(),
        }

    def get_build_config(self) -> dict[str, Any] | None:
        return {"input_shape": self._build_input_shape} if self._build_input_shape else None


def _batches(data: Any) -> Iterator[Any]:
    """The inputs of batches, as arrays."""
    if hasattr(data, "__getitem__") and hasattr(data, "num_batches"):
        data = map(data.__getitem__, range(len(data)))
    elif not hasattr(data, "__iter__"):
        raise TypeError(
            f"Unsupported data type: {type(data)}. `adapt` supports `np.ndarray`, backend tensors, "
            "`keras.utils.PyDataset`, and iterables of batches (e.g. list, generator)."
        )
    for batch in data:
        x = batch[0] if isinstance(batch, tuple) else batch
        if not hasattr(x, "shape"):
            raise TypeError(
                "adapt() expects an iterable that yields arrays or tensors with a `.shape` attribute (e.g. numpy "
                f"arrays or backend tensors). Got an element of type {type(x).__name__}. Ensure each yielded element "
                "is array-like with a `.shape` attribute."
            )
        yield np.asarray(x)
