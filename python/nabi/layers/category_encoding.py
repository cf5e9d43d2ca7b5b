"""CategoryEncoding: numbers of categories as vectors."""

from __future__ import annotations

from typing import Any

from nabi import ops
from nabi.layers.arguments import Shape
from nabi.layers.layer import Layer
from nabi.trace import KerasTensor

_MODES = ("count", "one_hot", "multi_hot")


class CategoryEncoding(Layer):
    """Integers 0..num_tokens - 1 as vectors of that length; numbers outside count for nothing.

    Args:
        num_tokens: how many categories there are.
        output_mode: "one_hot" (a vector for each number; a last axis of length 1 is replaced), "multi_hot" (1 for every
            category along the last axis) or "count" (how often each stands there).

    Raises:
        ValueError: an unknown mode or no number of tokens; `count_weights` in another mode than "count".
    """

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", sparse: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if output_mode == "binary":  # its name before Keras 2.6
            output_mode = "multi_hot"
        if output_mode not in _MODES:
            raise ValueError(f"Unknown arg for output_mode: {output_mode}")
        if num_tokens is None:
            raise ValueError(
                "num_tokens must be set to use this layer. If the number of tokens is not known beforehand, use the "
                "IntegerLookup layer instead."
            )
        if num_tokens < 1:
            raise ValueError(f"`num_tokens` must be >= 1. Received: num_tokens={num_tokens}.")
        if sparse:
            raise NotImplementedError("Nabi has no sparse tensors: `sparse` must be False.")
        self.num_tokens = num_tokens
        self.output_mode = output_mode
        self._allow_non_tensor_positional_args = True
        self._convert_input_args = False

    def call(self, inputs: Any, count_weights: Any = None) -> Any:
        if count_weights is not None and self.output_mode != "count":
            raise ValueError(
                "`count_weights` is not used when `output_mode` is not `'count'`. "
                f"Received `count_weights={count_weights}`."
            )
        numbers = ops.cast(ops.convert_to_tensor(inputs), "int32")
        shape = numbers.shape
        if self.output_mode == "one_hot" and len(shape) > 1 and shape[-1] == 1:
            numbers = ops.squeeze(numbers, axis=-1)
        vectors = ops.one_hot(numbers, self.num_tokens, dtype=self.compute_dtype)
        if self.output_mode == "one_hot" or not shape:
            return vectors
        if self.output_mode == "multi_hot":
            return ops.max(vectors, axis=-2)
        if count_weights is not None:
            weights = ops.cast(ops.convert_to_tensor(count_weights), self.compute_dtype)
            vectors = ops.multiply(vectors, ops.expand_dims(weights, -1))
        return ops.sum(vectors, axis=-2)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        shape = tuple(input_shape)
        if self.output_mode == "one_hot" and (len(shape) < 2 or shape[-1] != 1):
            return (*shape, self.num_tokens)
        return (*shape[:-1], self.num_tokens)

    def compute_output_spec(self, inputs: Any, count_weights: Any = None) -> Any:
        return KerasTensor(self.compute_output_shape(inputs.shape), dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_tokens": self.num_tokens, "output_mode": self.output_mode}
