"""TimeDistributed: a layer for each step of a sequence."""

from __future__ import annotations

from typing import Any

from nabi import ops
from nabi.layers.core import Wrapper
from nabi.layers.layer import Layer


class TimeDistributed(Wrapper):
    """Gives each step of `(batch, steps, ...)` to a layer, which sees `(batch, ...)`, always with the same weights.

    Args:
        layer: the layer.

    Raises:
        ValueError: `layer` is no layer; when built, an input of less than three dimensions.
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Please initialize `TimeDistributed` layer with a `keras.layers.Layer` instance. Received: {layer}"
            )
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def _step_shape(self, input_shape: Any) -> tuple[Any, ...]:
        if not isinstance(input_shape, (tuple, list)) or len(input_shape) < 3:
            raise ValueError(
                "`TimeDistributed` Layer should be passed an `input_shape` with at least 3 dimensions, received: "
                f"{input_shape}"
            )
        return (input_shape[0], *input_shape[2:])

    def compute_output_shape(self, input_shape: Any) -> Any:
        found = self.layer.compute_output_shape(self._step_shape(input_shape))
        return (found[0], input_shape[1], *found[1:])

    def build(self, input_shape: Any = None) -> None:
        """Builds the layer for one step."""
        super().build(self._step_shape(input_shape))

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        steps = inputs.shape[1]
        if mask is not None and tuple(mask.shape[:2]) != tuple(inputs.shape[:2]):
            raise ValueError(
                f"The `mask` passed to the `TimeDistributed` layer has a shape {mask.shape} that is incompatible with "
                f"the input shape {inputs.shape}. The first two dimensions of the mask (batch size and timesteps) "
                "must match the input's first two dimensions. Expected mask shape prefix: "
                f"({inputs.shape[0]}, {steps})."
            )
        known = self.layer._call_signature.parameters
        kwargs: dict[str, Any] = {"training": training} if "training" in known and training is not None else {}
        outputs = []
        for i in range(steps):
            if mask is not None and "mask" in known:
                kwargs["mask"] = mask[:, i]
            outputs.append(self.layer.call(inputs[:, i], **kwargs))
        return ops.stack(outputs, axis=1)
