"""ZeroPadding1D, ZeroPadding3D, UpSampling1D, UpSampling3D: longer sequences and larger volumes."""

from __future__ import annotations

from typing import Any

from nabi import ops
from nabi.config import standardize_data_format
from nabi.layers.arguments import Shape, standardize_tuple
from nabi.layers.cropping import margins
from nabi.layers.input_spec import InputSpec
from nabi.layers.reshaping import _Rearranging

_FORMS = {
    3: "an int, a tuple of 3 ints (symmetric_dim1_pad, symmetric_dim2_pad, symmetric_dim3_pad), or a tuple of 3 tuples "
    "of 2 ints ((left_dim1_pad, right_dim1_pad), (left_dim2_pad, right_dim2_pad), (left_dim3_pad, right_dim2_pad))",
}


class _Larger(_Rearranging):
    """Base: spatial axes grow by zeros or by a factor."""

    data_format = "channels_last"

    def _axes(self, values: tuple[Any, ...]) -> dict[int, Any]:
        """One value for each spatial axis, by axis."""
        return dict(enumerate(values, start=2 if self.data_format == "channels_first" else 1))


class _ZeroPadding(_Larger):
    padding: Any

    def _pairs(self) -> tuple[Any, ...]:
        pairs: tuple[Any, ...] = self.padding
        return pairs

    def call(self, inputs: Any) -> Any:
        added = self._axes(self._pairs())
        return ops.pad(inputs, tuple(added.get(i, (0, 0)) for i in range(len(inputs.shape))))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        added = self._axes(self._pairs())
        return tuple(None if n is None else n + sum(added.get(i, (0, 0))) for i, n in enumerate(input_shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding, "data_format": self.data_format}


class ZeroPadding1D(_ZeroPadding):
    """Puts zeros before and after the steps of `(batch, steps, channels)`.

    Args:
        padding: an int, or (before, after).
        data_format: "channels_last", "channels_first", or None for the global setting.

    Raises:
        ValueError: a padding of another form.
    """

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.padding = standardize_tuple(padding, 2, "padding", allow_zero=True)
        self.input_spec = InputSpec(ndim=3)

    def _pairs(self) -> tuple[Any, ...]:
        return (self.padding,)


class ZeroPadding3D(_ZeroPadding):
    """Puts zeros around volumes `(batch, depth, height, width, channels)`.

    Args:
        padding: an int; an int per axis; or (before, after) per axis.
        data_format: "channels_last", "channels_first", or None for the global setting.

    Raises:
        ValueError: a padding of another form.
    """

    def __init__(self, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.padding = margins(padding, 3, "padding", _FORMS)
        self.input_spec = InputSpec(ndim=5)


class _UpSampling(_Larger):
    def _factors(self) -> tuple[int, ...]:
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        # One broadcast for all axes: the output is written once, and its gradient is one sum.
        factors = self._axes(self._factors())
        apart: list[int] = []
        wide: list[int] = []
        for i, n in enumerate(inputs.shape):
            apart += [n, 1] if i in factors else [n]
            wide += [n, factors[i]] if i in factors else [n]
        repeated = ops.broadcast_to(ops.reshape(inputs, tuple(apart)), tuple(wide))
        return ops.reshape(repeated, self.compute_output_shape(inputs.shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        factors = self._axes(self._factors())
        return tuple(None if n is None else n * factors.get(i, 1) for i, n in enumerate(input_shape))


class UpSampling1D(_UpSampling):
    """Repeats each step of `(batch, steps, channels)`.

    Args:
        size: how often.

    Raises:
        TypeError: `size` is no int. ValueError: it is not positive.
    """

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(size, int) or isinstance(size, bool):
            raise TypeError(f"Expected an integer value for `size`, got {type(size)}.")
        if size <= 0:
            raise ValueError(f"Argument `size` should be a positive integer. Received: size={size}")
        self.size = size
        self.input_spec = InputSpec(ndim=3)

    def _factors(self) -> tuple[int, ...]:
        return (self.size,)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


class UpSampling3D(_UpSampling):
    """Repeats the layers, rows and columns of volumes `(batch, depth, height, width, channels)`.

    Args:
        size: how often each of them stands in the output; one int for all.
        data_format: "channels_last", "channels_first", or None for the global setting.

    Raises:
        ValueError: a factor that is no positive int.
    """

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.size = standardize_tuple(size, 3, "size")
        self.input_spec = InputSpec(ndim=5)

    def _factors(self) -> tuple[int, ...]:
        return self.size

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "data_format": self.data_format}
