"""Layers that combine several tensors, and functions of the same names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from nabi import ops
from nabi.layers.layer import Layer
from nabi.trace import KerasTensor


class Merge(Layer):
    """Base of the elementwise merges: a list of tensors of one shape, up to broadcasting, to one tensor.

    Raises:
        ValueError: not a list, or shapes that do not go together.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self._reshape_required = False

    def _merge_function(self, inputs: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define `_merge_function`.")

    def build(self, input_shape: Any) -> None:
        """Checks the shapes."""
        if not isinstance(input_shape, (list, tuple)) or not isinstance(input_shape[0], (list, tuple)):
            raise ValueError(
                "A merge layer should be called on a list of inputs. "
                f"Received: input_shape={input_shape} (not a list of shapes)"
            )
        batch_sizes = {shape[0] for shape in input_shape if shape} - {None}
        if len(batch_sizes) > 1:
            raise ValueError(
                f"Cannot merge tensors with different batch sizes. Received tensors with shapes {input_shape}"
            )
        functools.reduce(_broadcast, [tuple(shape[1:]) for shape in input_shape])
        self._reshape_required = len({len(shape) for shape in input_shape}) > 1

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, (list, tuple)):
            raise ValueError(
                f"A merge layer should be called on a list of inputs. Received: inputs={inputs} (not a list of tensors)"
            )
        if self._reshape_required:
            # Missing dimensions stand between the batch and the rest.
            ndim = max(len(x.shape) for x in inputs)
            inputs = [ops.reshape(x, (x.shape[0], *(1,) * (ndim - len(x.shape)), *x.shape[1:])) for x in inputs]
        return self._merge_function(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        rest = functools.reduce(_broadcast, [tuple(shape[1:]) for shape in input_shape])
        batch_sizes = {shape[0] for shape in input_shape} - {None}
        return (batch_sizes.pop() if len(batch_sizes) == 1 else None, *rest)

    def compute_output_spec(self, inputs: Any) -> Any:
        return KerasTensor(self.compute_output_shape([x.shape for x in inputs]), dtype=self.compute_dtype)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The output is masked where all inputs are; unmasked when one input has no mask."""
        if mask is None:
            return None
        _check_masks(inputs, mask)
        if any(m is None for m in mask):
            return None
        return functools.reduce(ops.logical_or, mask)

    def _merge_unmasked(self, op: Callable[[Any, Any], Any], inputs: Any) -> Any:
        """Merges pairs, taking the other element where one is masked: extremes have no neutral element."""
        output: Any = None
        output_mask: Any = None
        for i, x in enumerate(inputs):
            mask = getattr(x, "_keras_mask", None)
            if mask is not None:
                mask = ops.broadcast_to(ops.expand_dims(mask, -1), x.shape)
            if i == 0:
                output, output_mask = x, mask
                continue
            if mask is not None:
                x = ops.where(mask, x, output)
            if output_mask is not None:
                output = ops.where(output_mask, output, x)
            both = mask is not None and output_mask is not None
            output_mask = ops.logical_or(output_mask, mask) if both else None
            output = op(output, x)
        if output_mask is not None:
            output._keras_mask = ops.any(output_mask, axis=-1)
        return output


def _broadcast(a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(a) < len(b):
        a, b = b, a
    if not b:
        return a
    found = list(a[: -len(b)])
    for i, j in zip(a[-len(b) :], b, strict=True):
        if i is None or j is None:
            found.append(None)
        elif i == 1 or j == 1:
            found.append(j if i == 1 else i)
        elif i != j:
            raise ValueError(f"Inputs have incompatible shapes. Received shapes {a} and {b}")
        else:
            found.append(i)
    return tuple(found)


def _check_masks(inputs: Any, mask: Any) -> None:
    if not isinstance(mask, (tuple, list)):
        raise ValueError(f"`mask` should be a list. Received: mask={mask}")
    if not isinstance(inputs, (tuple, list)):
        raise ValueError(f"`inputs` should be a list. Received: inputs={inputs}")
    if len(mask) != len(inputs):
        raise ValueError(
            "The lists `inputs` and `mask` should have the same length. "
            f"Received: inputs={inputs} of length {len(inputs)}, and mask={mask} of length {len(mask)}"
        )


class Add(Merge):
    """Sum of the inputs."""

    def _merge_function(self, inputs: Any) -> Any:
        return functools.reduce(ops.add, inputs)


class Subtract(Merge):
    """First input minus the second.

    Raises:
        ValueError: not two inputs.
    """

    def build(self, input_shape: Any) -> None:
        """Checks the shapes."""
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ValueError(
                f"A `Subtract` layer should be called on exactly 2 inputs. Received: input_shape={input_shape}"
            )

    def _merge_function(self, inputs: Any) -> Any:
        if len(inputs) != 2:
            raise ValueError(f"A `Subtract` layer should be called on exactly 2 inputs. Received: inputs={inputs}")
        return ops.subtract(inputs[0], inputs[1])


class Multiply(Merge):
    """Product of the inputs; masked elements count as 1, and as 0 where all are masked."""

    def _merge_function(self, inputs: Any) -> Any:
        masks = [getattr(x, "_keras_mask", None) for x in inputs]
        kept = [
            x if mask is None else ops.where(ops.expand_dims(mask, -1), x, ops.ones_like(x))
            for x, mask in zip(inputs, masks, strict=True)
        ]
        output = functools.reduce(ops.multiply, kept)
        if all(mask is not None for mask in masks):
            output_mask = functools.reduce(ops.logical_or, masks)
            output = ops.where(ops.expand_dims(output_mask, -1), output, ops.zeros_like(output))
            output._keras_mask = output_mask
        return output


class Average(Merge):
    """Mean of the inputs."""

    def _merge_function(self, inputs: Any) -> Any:
        return functools.reduce(ops.add, inputs) / len(inputs)


class Maximum(Merge):
    """Greatest of the inputs, element by element."""

    def _merge_function(self, inputs: Any) -> Any:
        return self._merge_unmasked(ops.maximum, inputs)


class Minimum(Merge):
    """Least of the inputs, element by element."""

    def _merge_function(self, inputs: Any) -> Any:
        return self._merge_unmasked(ops.minimum, inputs)


class Concatenate(Merge):
    """Joins the inputs along `axis`; all other dimensions must be equal.

    Raises:
        ValueError: not a list, or shapes that differ elsewhere.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        """Checks the shapes."""
        if len(input_shape) < 1 or not isinstance(input_shape[0], (tuple, list)):
            raise ValueError(
                "A `Concatenate` layer should be called on a list of at least 1 input. "
                f"Received: input_shape={input_shape}"
            )
        ranks = {len(shape) for shape in input_shape}
        rank = ranks.pop()
        columns = zip(*input_shape, strict=True) if not ranks and -rank <= self.axis < rank else None
        if columns is None or any(
            len(set(dims) - {None}) > 1 for i, dims in enumerate(columns) if i != self.axis % rank
        ):
            raise ValueError(
                "A `Concatenate` layer requires inputs with matching shapes except for the concatenation axis. "
                f"Received: input_shape={input_shape}"
            )

    def _merge_function(self, inputs: Any) -> Any:
        return ops.concatenate(inputs, axis=self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        if not isinstance(input_shape, (tuple, list)) or not isinstance(input_shape[0], (tuple, list)):
            raise ValueError(
                f"A `Concatenate` layer should be called on a list of inputs. Received: input_shape={input_shape}"
            )
        shape = [next((dim for dim in dims if dim is not None), None) for dims in zip(*input_shape, strict=True)]
        joined = [s[self.axis] for s in input_shape]
        shape[self.axis] = None if None in joined else sum(joined)
        return tuple(shape)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The masks joined along the axis; inputs without one count as kept."""
        if mask is None:
            return None
        _check_masks(inputs, mask)
        if all(m is None for m in mask):
            return None
        masks = []
        for x, m in zip(inputs, mask, strict=True):
            if m is None:
                masks.append(ops.ones_like(x, dtype="bool"))
            elif m.ndim < x.ndim:
                masks.append(ops.logical_or(ops.expand_dims(m, -1), ops.zeros_like(x, dtype="bool")))
            else:
                masks.append(m)
        return ops.any(ops.concatenate(masks, axis=self.axis), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def add(inputs: Any, **kwargs: Any) -> Any:
    """`Add(**kwargs)(inputs)`."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """`Subtract(**kwargs)(inputs)`."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """`Multiply(**kwargs)(inputs)`."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """`Average(**kwargs)(inputs)`."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """`Maximum(**kwargs)(inputs)`."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """`Minimum(**kwargs)(inputs)`."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis, **kwargs)(inputs)`."""
    return Concatenate(axis=axis, **kwargs)(inputs)
