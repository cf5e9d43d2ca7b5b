"""Cropping1D, Cropping2D, Cropping3D: what lies inside a margin."""

from __future__ import annotations

from typing import Any

from nabi.config import standardize_data_format
from nabi.layers.arguments import Shape, standardize_tuple
from nabi.layers.input_spec import InputSpec
from nabi.layers.reshaping import _Rearranging

Margins = tuple[tuple[int, int], ...]

_FORMS = {
    2: "an int, a tuple of 2 ints (symmetric_height_crop, symmetric_width_crop), or a tuple of 2 tuples of 2 ints "
    "((top_crop, bottom_crop), (left_crop, right_crop))",
    3: "an int, a tuple of 3 ints (symmetric_dim1_crop, symmetric_dim2_crop, symmetric_dim3_crop), or a tuple of 3 "
    "tuples of 2 ints ((left_dim1_crop, right_dim1_crop), (left_dim2_crop, right_dim2_crop), (left_dim3_crop, "
    "right_dim2_crop))",
}


def margins(value: Any, rank: int, name: str, forms: dict[int, str]) -> Margins:
    """An int, an int per axis, or a pair per axis, as a pair per axis.

    Raises:
        ValueError: anything else, or a negative number.
    """
    if isinstance(value, int):
        if value < 0:
            raise ValueError(f"`{name}` cannot be negative. Received: {name}={value}.")
        return ((value, value),) * rank
    if not hasattr(value, "__len__") or isinstance(value, str):
        raise ValueError(f"`{name}` should be either {forms[rank]}. Received: {name}={value}.")
    if len(value) != rank:
        count = "two" if rank == 2 else rank
        raise ValueError(f"`{name}` should have {count} elements. Received: {name}={value}.")
    found = []
    for place, item in zip(("1st", "2nd", "3rd"), value, strict=False):
        before, after = standardize_tuple(item, 2, f"{place} entry of {name}", allow_zero=True)
        found.append((before, after))
    return tuple(found)


class _Cropping(_Rearranging):
    """Base: takes `cropping` from both ends of each spatial axis."""

    cropping: Any
    data_format = "channels_last"
    _what = "Values in `cropping` argument should be smaller than the corresponding spatial dimension of the input."

    def _pairs(self) -> Margins:
        pairs: Margins = self.cropping
        return pairs

    def _checked(self, shape: Shape, name: str) -> dict[int, tuple[int, int]]:
        """The margins by axis."""
        first = 2 if self.data_format == "channels_first" else 1
        found = dict(enumerate(self._pairs(), start=first))
        for axis, pair in found.items():
            length = shape[axis]
            if length is not None and sum(pair) >= length:
                raise ValueError(f"{self._what} Received: {name}={shape}, cropping={self.cropping}")
        return found

    def call(self, inputs: Any) -> Any:
        taken = self._checked(inputs.shape, "inputs.shape")
        ends = enumerate(inputs.shape)
        index = [slice(taken[i][0], n - taken[i][1]) if i in taken else slice(None) for i, n in ends]
        return inputs[tuple(index)]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        taken = self._checked(tuple(input_shape), "input_shape")
        return tuple(None if n is None else n - sum(taken.get(i, (0, 0))) for i, n in enumerate(input_shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping, "data_format": self.data_format}


class Cropping1D(_Cropping):
    """`(batch, steps, channels)` without its first and last steps.

    Args:
        cropping: an int, or (at the start, at the end).

    Raises:
        ValueError: negative numbers, or, when called, nothing left.
    """

    _what = "`cropping` parameter of `Cropping1D` layer must be smaller than the input length."

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = standardize_tuple(cropping, 2, "cropping", allow_zero=True)
        self.input_spec = InputSpec(ndim=3)

    def _pairs(self) -> Margins:
        return (self.cropping,)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["data_format"]
        return config


class Cropping2D(_Cropping):
    """Images `(batch, height, width, channels)` without their margins.

    Args:
        cropping: an int; (rows, columns); or ((top, bottom), (left, right)).
        data_format: "channels_last", "channels_first", or None for the global setting.

    Raises:
        ValueError: a cropping of another form, or, when called, nothing left.
    """

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.cropping = margins(cropping, 2, "cropping", _FORMS)
        self.input_spec = InputSpec(ndim=4)


class Cropping3D(_Cropping):
    """Volumes `(batch, depth, height, width, channels)` without their margins.

    Args:
        cropping: an int; an int per axis; or (before, after) per axis.
        data_format: "channels_last", "channels_first", or None for the global setting.

    Raises:
        ValueError: a cropping of another form, or, when called, nothing left.
    """

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.cropping = margins(cropping, 3, "cropping", _FORMS)
        self.input_spec = InputSpec(ndim=5)
