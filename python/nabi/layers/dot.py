"""Dot: products of the samples of two tensors along one axis of each."""

from __future__ import annotations

from typing import Any

from nabi import ops
from nabi.layers.merging import Merge


class Dot(Merge):
    """The product of two tensors, sample by sample: axes (2, 1) make (batch, a, b) of (batch, a, n) and (batch, n, b).

    Args:
        axes: the axis of each tensor to sum over; one int for both.
        normalize: divide by the norms along these axes first, which gives cosines.

    Raises:
        TypeError, ValueError: axes that are no ints, inputs that are not two, or other lengths of the axes.
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, int):
            if not isinstance(axes, (list, tuple)):
                raise TypeError(
                    f"Invalid type for argument `axes`: it should be a list or an int. Received: axes={axes}"
                )
            if len(axes) != 2:
                raise ValueError(
                    f"Invalid format for argument `axes`: it should contain two elements. Received: axes={axes}"
                )
            if not all(isinstance(axis, int) for axis in axes):
                raise ValueError(
                    f"Invalid format for argument `axes`: list elements should be integers. Received: axes={axes}"
                )
        self.axes = axes
        self.normalize = normalize

    def _places(self, shapes: Any) -> list[int]:
        axes = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return [axis % len(shape) if axis < 0 else axis for axis, shape in zip(axes, shapes, strict=True)]

    def build(self, input_shape: Any) -> None:
        """Checks the shapes."""
        self._check_two(input_shape)
        first, second = input_shape
        i, j = self._places(input_shape)
        if first[i] != second[j]:
            raise ValueError(
                f"Incompatible input shapes: axis values {first[i]} (at axis {i}) != {second[j]} (at axis {j}). "
                f"Full input shapes: {first}, {second}"
            )
        if 0 in (i, j):
            raise ValueError(
                "Cannot perform batch_dot over axis 0. If your inputs are not batched, add a dummy batch dimension to "
                "your inputs using keras.ops.expand_dims(x, 0)"
            )

    def _check_two(self, input_shape: Any) -> None:
        if (
            not isinstance(input_shape, (tuple, list))
            or len(input_shape) != 2
            or not isinstance(input_shape[0], (tuple, list))
        ):
            raise ValueError(
                f"A `Dot` layer should be called on a list of 2 inputs. Received: input_shape={input_shape}"
            )

    def _merge_function(self, inputs: Any) -> Any:
        if len(inputs) != 2:
            raise ValueError(f"A `Dot` layer should be called on exactly 2 inputs. Received: inputs={inputs}")
        x, y = inputs
        i, j = self._places([x.shape, y.shape])
        if self.normalize:
            x, y = ops.normalize(x, axis=i), ops.normalize(y, axis=j)
        shape = (*x.shape[:i], *x.shape[i + 1 :], *y.shape[1:j], *y.shape[j + 1 :])
        length = x.shape[i]
        left = ops.reshape(ops.moveaxis(x, i, -1), (x.shape[0], -1, length))
        right = ops.reshape(ops.moveaxis(y, j, 1), (y.shape[0], length, -1))
        return ops.reshape(ops.matmul(left, right), shape if len(shape) > 1 else (*shape, 1))

    def compute_output_shape(self, input_shape: Any) -> Any:
        self._check_two(input_shape)
        i, j = self._places(input_shape)
        first, second = (list(shape) for shape in input_shape)
        del first[i], second[j], second[0]
        shape = first + second
        return tuple(shape if len(shape) > 1 else [*shape, 1])

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """No mask: positions are summed over."""
        return

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """`Dot(axes, **kwargs)(inputs)`."""
    return Dot(axes=axes, **kwargs)(inputs)
