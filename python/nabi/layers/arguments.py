"""Checks of constructor arguments and shape rules that several layers share. Wording: Keras 3.15."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Shape = tuple[int | None, ...]


def standardize_tuple(value: Any, n: int, name: str, allow_zero: bool = False) -> tuple[int, ...]:
    """`value`, an int or n of them, as a tuple of n positive ints (`allow_zero`: non-negative).

    Raises:
        ValueError: anything else.
    """
    message = f"The `{name}` argument must be a tuple of {n} integers. Received {name}={value}"
    if isinstance(value, (int, np.integer)):
        found: tuple[Any, ...] = (int(value),) * n
    else:
        try:
            found = tuple(value)
        except TypeError:
            raise ValueError(message) from None
        if len(found) != n:
            raise ValueError(message)
        for item in found:
            try:
                int(item)
            except (ValueError, TypeError):
                raise ValueError(f"{message}including element {item} of type {type(item)}") from None
    wrong = {v for v in found if v < 0 or (v == 0 and not allow_zero)}
    if wrong:
        raise ValueError(
            f"{message}, including values {wrong} that do not satisfy `value {'>= 0' if allow_zero else '> 0'}`"
        )
    return found


def standardize_count(value: Any, message: str) -> int:
    """A positive integer, Python's or NumPy's, as an int; anything else raises a ValueError with this message."""
    if not isinstance(value, (int, np.integer)) or value <= 0:
        raise ValueError(message)
    return int(value)


def standardize_padding(value: str, allow_causal: bool = False) -> str:
    """ "valid", "same" or, for one dimension, "causal", in lower case.

    Raises:
        ValueError: anything else.
    """
    allowed = ("valid", "same", "causal") if allow_causal else ("valid", "same")
    padding = value.lower() if isinstance(value, str) else value
    if padding not in allowed:
        raise ValueError(f"The `padding` argument must be a list/tuple or one of {set(allowed)}. Received: {padding}")
    return padding


def conv_output_shape(
    input_shape: Shape,
    filters: int,
    kernel_size: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str,
    data_format: str,
    dilation_rate: tuple[int, ...],
) -> Shape:
    """The output shape of a convolution, batch included.

    Raises:
        ValueError: an input of another rank than the kernel, or smaller than its window.
    """
    last = data_format == "channels_last"
    spatial = input_shape[1:-1] if last else input_shape[2:]
    channels = input_shape[-1] if last else input_shape[1]
    kernel_shape = (*kernel_size, channels, filters)
    if len(kernel_shape) != len(input_shape):
        raise ValueError(
            "Kernel shape must have the same length as input, but received kernel of shape "
            f"{kernel_shape} and input of shape {input_shape}."
        )
    found: list[int | None] = []
    for size, kernel, stride, dilation in zip(spatial, kernel_size, strides, dilation_rate, strict=True):
        if size is None:
            found.append(None)
        elif padding == "valid":
            size = (size - dilation * (kernel - 1) - 1) // stride + 1
            if size <= 0:
                raise ValueError(
                    "Computed output size would be zero or negative. Received "
                    f"`inputs shape={input_shape}`, `kernel shape={kernel_shape}`, "
                    f"`dilation_rate={list(dilation_rate)}`, `strides={strides}`, `padding={padding}`."
                )
            found.append(size)
        else:
            found.append((size - 1) // stride + 1)
    return (input_shape[0], *found, filters) if last else (input_shape[0], filters, *found)


def pool_output_shape(
    input_shape: Shape, pool_size: tuple[int, ...], strides: tuple[int, ...], padding: str, data_format: str
) -> Shape:
    """The output shape of a pooling, batch included.

    Raises:
        ValueError: an input smaller than the window, or an unknown padding.
    """
    if padding not in ("valid", "same"):
        raise ValueError(f"Argument `padding` must be either 'valid' or 'same'. Received: padding={padding}")
    last = data_format == "channels_last"
    spatial = input_shape[1:-1] if last else input_shape[2:]
    found: list[int | None] = []
    for size, pool, stride in zip(spatial, pool_size, strides, strict=True):
        if size is None:
            found.append(None)
        elif padding == "valid":
            size = (size - pool) // stride + 1
            if size <= 0:
                raise ValueError(
                    "Computed output size would be zero or negative. "
                    f"Received: `inputs.shape={input_shape}`, `pool_size={pool_size}`, `strides={strides}`, "
                    f"`padding={padding}`."
                )
            found.append(size)
        else:
            found.append((size - 1) // stride + 1)
    return (input_shape[0], *found, input_shape[-1]) if last else (input_shape[0], input_shape[1], *found)


def check_target_shape(shape: tuple[Any, ...], name: str) -> None:
    """Raises ValueError unless all dimensions are non-negative integers but for one -1."""
    for dim in shape:
        if not isinstance(dim, (int, np.integer)) or dim < -1:
            raise ValueError(
                f"Each dimension in `{name}` must be a non-negative integer, or `-1` for a single unknown dimension. "
                f"Received: {name}={shape}."
            )
    if shape.count(-1) > 1:
        raise ValueError(f"There must be at most one unknown dimension (-1) in `{name}`. Received: {name}={shape}.")


def reshape_output_shape(input_shape: Shape, new_shape: tuple[int, ...], name: str) -> Shape:
    """`new_shape` with its -1 worked out, or None where the input has free dimensions; no batch in either.

    Raises:
        ValueError: the sizes differ.
    """
    check_target_shape(new_shape, name)
    if None in input_shape:
        return tuple(None if dim == -1 else dim for dim in new_shape)
    size = math.prod(dim for dim in input_shape if dim is not None)
    if -1 not in new_shape:
        if size != math.prod(new_shape):
            raise ValueError(
                f"The total size of the tensor must be unchanged. Received: input_shape={input_shape}, "
                f"{name}={new_shape}"
            )
        return new_shape
    known = math.prod(dim for dim in new_shape if dim != -1)
    if known == 0 or size % known != 0:
        raise ValueError(
            "The total size of the tensor must be unchanged, however, the input size cannot by divided by the "
            f"specified dimensions in {name}. Received: input_shape={input_shape}, {name}={new_shape}"
        )
    return tuple(size // known if dim == -1 else dim for dim in new_shape)


def known_length(shape: Shape, axis: int, layer: str) -> int:
    """The length of an axis that a weight's shape depends on.

    Raises:
        ValueError: it is None.
    """
    length = shape[axis]
    if length is None:
        raise ValueError(
            f"{layer}: requires axis {axis} of the input shape to be defined, because the weights depend on it, got "
            f"input shape {shape}"
        )
    return int(length)
