"""Models that are one layer after another."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np

from nabi import tree
from nabi.layers.input_layer import InputLayer
from nabi.layers.layer import Layer
from nabi.models.copies import Calls
from nabi.models.functional import Functional, adjusted_input
from nabi.models.model import Model
from nabi.names import auto_name
from nabi.trace import KerasTensor, Tensor, standardize_shape


class Sequential(Model):
    """A stack of layers with one input and one output each.

    With an `Input` first (or `input_shape` on the first layer) weights exist as soon as a layer is added. Without, they
    are made at `build(input_shape)` or when the model first sees data.

    Args:
        layers: the layers, an `Input` perhaps first.
        trainable: whether the weights are trained.
        name: name of the model.

    Raises:
        ValueError: something that is no layer, a name used twice, a second input, or a layer that does not fit.
    """

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(trainable=trainable, name=name)
        self._explicit_layers: list[Any] = []
        self._symbolic: list[KerasTensor] = []  # what goes in, then what comes out of each layer
        self._functional_name: str | None = None
        if layers is not None and not isinstance(layers, Iterable):
            raise ValueError(f"`layers` must be a list of layers. Received: layers={layers} (of type {type(layers)})")
        if layers:
            for layer in layers:
                self.add(layer, rebuild=False)
            self._maybe_rebuild()

    def __repr__(self) -> str:
        return f"<Sequential name={self.name}, built={self.built}>"

    # -----------------------------------------------------------------------------------------------------------------
    # The stack
    # -----------------------------------------------------------------------------------------------------------------
    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Puts a layer on top; weights are made at once where the input shape is known."""
        stack = self._explicit_layers
        if not stack and getattr(layer, "_input_shape_arg", None) is not None:
            self.add(InputLayer(shape=layer._input_shape_arg))
        history = getattr(layer, "_keras_history", None)
        if history is not None and isinstance(history.operation, InputLayer):
            layer = history.operation
        if not isinstance(layer, Layer):
            raise ValueError(
                "Only instances of `keras.Layer` can be added to a Sequential model. "
                f"Received: {layer} (of type {type(layer)})"
            )
        if any(other.name == layer.name and other is not layer for other in stack):
            raise ValueError(
                f"All layers added to a Sequential model should have unique names. Name '{layer.name}' is already the "
                "name of a layer in this model. Update the `name` argument to pass a unique name."
            )
        if isinstance(layer, InputLayer) and stack and isinstance(stack[0], InputLayer):
            raise ValueError(
                f"Sequential model '{self.name}' has already been configured to use input shape "
                f"{stack[0].batch_shape}. You cannot add a different Input layer to it."
            )
        stack.append(layer)
        self._raise_version()
        if not rebuild:
            self.built = False
            self._symbolic = []
            return
        built = self.built
        try:
            self._maybe_rebuild()
        except BaseException:
            stack.pop()  # the model is as it was
            self.built = built
            raise

    def pop(self, rebuild: bool = True) -> Any:
        """Takes the top layer off and returns it.

        Raises:
            ValueError: there are no layers.
        """
        if not self.layers:
            raise ValueError(f"There are no layers in the model '{self.name}'.")
        layer = self._explicit_layers.pop()
        self._raise_version()
        self.built = False
        del self._symbolic[len(self._explicit_layers) :]
        if rebuild and self._explicit_layers:
            self._maybe_rebuild()
        return layer

    def _maybe_rebuild(self) -> None:
        stack = self._explicit_layers
        self.built = False
        if len(stack) < 2:
            return
        first = stack[0]
        if isinstance(first, InputLayer):
            self.build(first.batch_shape)
        elif isinstance(first, Model) and first.built:
            shape = _input_shape(first)
            if shape is not None:
                self.build(shape)

    def build(self, input_shape: Any = None) -> None:
        """Makes the weights for inputs of this shape, the batch axis included.

        Raises:
            ValueError: no layers, another input shape than the model has already, or a layer that does not fit.
        """
        try:
            shape = standardize_shape(input_shape)
        except (ValueError, TypeError):
            return  # nested shapes: there is no single symbolic input, layers are built by the first call
        stack = self._explicit_layers
        if not stack:
            raise ValueError(
                f"Sequential model {self.name} cannot be built because it has no layers. Call `model.add(layer)`."
            )
        added = not isinstance(stack[0], InputLayer)
        if added:
            stack.insert(0, InputLayer(batch_shape=shape, dtype=stack[0].compute_dtype))
            self._symbolic = []
        elif tuple(stack[0].batch_shape) != tuple(shape):
            raise ValueError(
                f"Sequential model '{self.name}' has already been configured to use input shape "
                f"{stack[0].batch_shape}. You cannot build it with input_shape {shape}"
            )
        try:
            self._connect()
        except BaseException as error:
            if isinstance(error, NotImplementedError) and getattr(error, "_unknown_shape", False):
                return  # the layers above are built by the first call
            if added:
                del stack[0]
                self._symbolic = []
            raise
        # Keras makes a functional model for each build; user-visible names depend on the count.
        self._functional_name = auto_name("functional")

    def _connect(self) -> None:
        """Calls the layers that are not connected yet on what comes out of the one below."""
        stack = self._explicit_layers
        chain = self._symbolic or [stack[0].output]
        for layer in stack[len(chain) :]:
            try:
                chain = [*chain, layer(chain[-1])]
            except TypeError:
                _check_one_argument(layer)
                raise
            except NotImplementedError as error:
                if type(layer).compute_output_spec is not Layer.compute_output_spec:
                    error._unknown_shape = True  # type: ignore[attr-defined]  # the layer says that it cannot tell
                    self._symbolic = []
                raise
        self._symbolic = chain

    @property
    def _functional(self) -> Functional | None:
        """The stack as a functional model that shares its layers; None where it is not connected (Keras's name)."""
        chain = self._symbolic
        if len(chain) < 2 or not self.built:
            return None
        return Functional(chain[0], chain[-1], name=self._functional_name)

    def _lock_state(self) -> None:
        """Layers may be added after building."""

    @property
    def layers(self) -> list[Any]:
        """The layers, without the input layer."""
        stack = self._explicit_layers
        return stack[1:] if stack and isinstance(stack[0], InputLayer) else stack[:]

    @layers.setter
    def layers(self, _: Any) -> None:
        raise AttributeError(
            "`Sequential.layers` attribute is reserved and should not be used. "
            "Use `add()` and `pop()` to change the layers in this model."
        )

    # -----------------------------------------------------------------------------------------------------------------
    # Calling
    # -----------------------------------------------------------------------------------------------------------------
    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        x = inputs
        if self._symbolic:
            x = adjusted_input(self._single_input(x), self._symbolic[0])
        if mask is not None:
            for leaf, leaf_mask in zip(tree.flatten(x), tree.flatten(mask), strict=False):
                if leaf_mask is not None and getattr(leaf, "_keras_mask", None) is None:
                    leaf._keras_mask = leaf_mask
        for layer in self.layers:
            x = layer(x)
        return x

    def _single_input(self, inputs: Any) -> Any:
        """The one input of a list or of a dict by name; what else there is stays for the checks that follow.

        Raises:
            ValueError: several inputs, or a dict without the input's name.
        """
        if not isinstance(inputs, (list, tuple, dict)):
            return inputs
        name = self._explicit_layers[0].name
        if isinstance(inputs, dict):
            if name in inputs:
                return inputs[name]
            received = f"a dict with the keys {list(inputs)}"
        elif len(inputs) == 1:
            return inputs[0]
        elif any(isinstance(x, (Tensor, KerasTensor, np.ndarray)) for x in inputs):
            received = f"{len(inputs)} inputs"
        else:
            return inputs  # numbers in lists
        raise ValueError(f"Sequential model '{self.name}' has one input, '{name}'. Received: {received}")

    def _connected(self, what: str) -> list[KerasTensor]:
        if len(self._symbolic) < 2 and not (self._symbolic and self.built):
            raise AttributeError(f"Sequential model '{self.name}' has no defined {what} yet.")
        return self._symbolic

    @property
    def input_shape(self) -> Any:
        """Shape of the input, None for the batch."""
        return self._connected("input shape")[0].shape

    @property
    def output_shape(self) -> Any:
        """Shape of the output, None for the batch."""
        return self._connected("output shape")[-1].shape

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic input, in a list."""
        return self._connected("inputs")[:1]

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic output, in a list."""
        return self._connected("outputs")[-1:]

    @property
    def input(self) -> Any:
        """The symbolic input."""
        return self.inputs[0]

    @property
    def output(self) -> Any:
        """The symbolic output."""
        return self.outputs[0]

    @property
    def input_dtype(self) -> str:
        """Dtype that the input is converted to."""
        stack = self._explicit_layers
        return str(stack[0].dtype) if stack and isinstance(stack[0], InputLayer) else super().input_dtype

    @property
    def output_names(self) -> list[str] | None:
        """Name of the last layer, in a list; None before there are layers."""
        return [self.layers[-1].name] if self.layers else None

    def get_config(self) -> dict[str, Any]:
        """The layers in order and the shape the model is built for."""
        from nabi.models.configs import sequential_config

        return sequential_config(self)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        """A model made from `get_config()`, with new weights.

        Raises:
            ValueError: the config has no name or no layers.
        """
        from nabi.models.configs import sequential_from_config

        return sequential_from_config(cls, config, custom_objects)

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Makes the weights for the input shape of `get_build_config()`."""
        if config and config.get("input_shape") is not None:
            self.build(config["input_shape"])

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        chain: list[KerasTensor] = state.pop("_symbolic")
        histories = [x._keras_history for x in chain]  # type: ignore[attr-defined]
        calls = Calls(history.operation._inbound_nodes[history.node_index] for history in histories)
        state["_calls"] = (calls, calls.packed(list(chain)))
        return state

    def _restore(self, ends: Any) -> None:
        """Sets what the state of a copy leaves out."""
        self._symbolic = ends

    def _input_dtypes(self) -> list[str | None] | None:
        return [self._symbolic[0].dtype] if self._symbolic else None


def _input_shape(model: Any) -> tuple[int | None, ...] | None:
    """The input shape of a model with one input; None for others."""
    shape = getattr(model, "input_shape", None)
    return shape if isinstance(shape, tuple) else None


def _check_one_argument(layer: Layer) -> None:
    """Raises a ValueError that says so if a layer's `call` does not take exactly one input."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [p for p in inspect.signature(layer.call).parameters.values() if p.kind in kinds]
    required = [p for p in positional if p.default is inspect.Parameter.empty]
    if not positional:
        raise ValueError(
            "Layers added to a Sequential model should have a single positional argument, the input tensor. "
            f"Layer {type(layer).__name__} has no positional arguments."
        )
    if len(required) > 1:
        raise ValueError(
            "Layers added to a Sequential model can only have a single required positional argument, the input "
            f"tensor. Layer {type(layer).__name__} has multiple required positional arguments: {required}"
        )
