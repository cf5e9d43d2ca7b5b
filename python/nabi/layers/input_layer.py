"""Entry points of functional models."""

from __future__ import annotations

import warnings
from typing import Any

from nabi.dtypes import standardize_dtype
from nabi.layers.layer import Layer
from nabi.trace import KerasTensor, Node, standardize_shape


class InputLayer(Layer):
    """Holds an input of a model.

    Args:
        shape: shape without the batch; None for free dimensions.
        batch_size: the batch's size, free by default.
        dtype: dtype of the data.
        sparse, ragged: must be false.
        batch_shape: shape with the batch, instead of `shape` and `batch_size`.
        input_tensor: a KerasTensor to use as the input, instead of a shape.
        optional: the input may be None.
        name: key of the input where inputs are given as a dict.

    Raises:
        ValueError: arguments that exclude each other, no shape, sparse or ragged.
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if "input_shape" in kwargs:
            warnings.warn("Argument `input_shape` is deprecated. Use `shape` instead.", stacklevel=2)
            shape = kwargs.pop("input_shape")
        if "batch_input_shape" in kwargs:
            batch_shape = kwargs.pop("batch_input_shape")
        super().__init__(name=name, **kwargs)
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                raise ValueError(
                    "Argument `input_tensor` must be a KerasTensor. "
                    f"Received invalid type: input_tensor={input_tensor} (of type {type(input_tensor)})"
                )
            if batch_size is not None and (len(input_tensor.shape) < 1 or input_tensor.shape[0] != batch_size):
                raise ValueError(
                    "When providing the `input_tensor` argument, you cannot provide an incompatible `batch_size` "
                    "argument."
                )
            if shape is not None and tuple(input_tensor.shape[1:]) != tuple(shape):
                raise ValueError(
                    "When providing the `input_tensor` argument, you cannot provide an incompatible `shape` argument."
                )
            if batch_shape is not None and tuple(input_tensor.shape) != tuple(batch_shape):
                raise ValueError(
                    "When providing the `input_tensor` argument, you cannot provide an incompatible `batch_shape` "
                    "argument."
                )
            if dtype is not None and input_tensor.dtype != dtype:
                raise ValueError(
                    "When providing the `input_tensor` argument, you cannot provide an incompatible `dtype` argument."
                )
            if sparse:
                raise ValueError(
                    "When providing the `input_tensor` argument, you cannot provide an incompatible `sparse` argument."
                )
            batch_shape, dtype = input_tensor.shape, input_tensor.dtype
        else:
            if shape is not None and batch_shape is not None:
                raise ValueError("You cannot pass both `shape` and `batch_shape` at the same time.")
            if batch_size is not None and batch_shape is not None:
                raise ValueError("You cannot pass both `batch_size` and `batch_shape` at the same time.")
            if shape is None and batch_shape is None:
                raise ValueError("You must pass a `shape` argument.")
            if shape is not None:
                batch_shape = (batch_size, *standardize_shape(shape))
        for argument, value in {"sparse": sparse, "ragged": ragged}.items():
            if value:
                raise ValueError(f"`{argument}=True` is not supported with the nabi backend")
        self._batch_shape = standardize_shape(batch_shape)
        self._dtype = standardize_dtype(dtype)
        self.sparse = False
        self.ragged = False
        self.optional = optional
        if input_tensor is None:
            input_tensor = KerasTensor(self._batch_shape, dtype=self._dtype, name=self.name)
        Node(operation=self, outputs=input_tensor)
        self.built = True

    def call(self, inputs: Any = None) -> Any:
        """The input itself."""
        return inputs

    @property
    def batch_shape(self) -> tuple[int | None, ...]:
        """Shape of the input, the batch first."""
        return self._batch_shape

    @property
    def dtype(self) -> str:
        """Dtype of the data."""
        return self._dtype

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "batch_shape": self.batch_shape,
            "dtype": self.dtype,
            "sparse": self.sparse,
            "ragged": self.ragged,
            "name": self.name,
        }
        if self.optional:  # Keras before 3.13 does not know the key
            config["optional"] = True
        return config


def Input(  # noqa: N802 - Keras's name
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
) -> Any:
    """A symbolic tensor to build a functional model from; the arguments are those of `InputLayer`."""
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        name=name,
        input_tensor=tensor,
        optional=optional,
    )
    return layer.output
