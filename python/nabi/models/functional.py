"""Models made of symbolic calls: any directed acyclic graph of layers and ops.

Source of the ordering rules and messages: Keras 3.15 `Function` and `Functional`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from nabi import ops, tree
from nabi.layers.input_layer import Input
from nabi.layers.input_spec import InputSpec
from nabi.layers.layer import Layer, default
from nabi.models.copies import Calls
from nabi.models.model import Model
from nabi.trace import KerasHistory, KerasTensor, Node, Tensor, current_trace, to_tensor


class SymbolicGraph:
    """The calls between symbolic inputs and outputs, in an order in which they can run.

    Args:
        inputs: where the graph begins.
        outputs: where it ends.

    Attributes:
        nodes_by_depth: calls by distance from the outputs, in order of increasing distance.
        operations: what is called, from the inputs on, each once.

    Raises:
        ValueError: an output does not depend on the inputs alone, or two operations share a name.
    """

    def __init__(self, inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]) -> None:
        order, operation_numbers = _sorted_nodes(inputs, outputs)
        depths: dict[int, int] = {}
        operation_depths: dict[int, int] = {}
        inside = {id(node) for node in order}
        for node in reversed(order):
            depth = max(depths.get(id(node), 0), operation_depths.get(id(node.operation), 0))
            depths[id(node)] = operation_depths[id(node.operation)] = depth
            for parent in node.parent_nodes:
                if id(parent) in inside:
                    depths[id(parent)] = max(depth + 1, depths.get(id(parent), 0))
        for tensor in inputs:  # inputs that no output needs
            history = _history(tensor)
            node = history.operation._inbound_nodes[history.node_index]
            if node.is_input and id(history.operation) not in operation_depths:
                order.append(node)
                depths[id(node)] = operation_depths[id(history.operation)] = 0
                operation_numbers[id(history.operation)] = -1

        by_depth: dict[int, list[Node]] = defaultdict(list)
        for node in reversed(order):
            by_depth[depths[id(node)]].append(node)
        self.nodes_by_depth: dict[int, list[Node]] = {depth: by_depth[depth] for depth in sorted(by_depth)}
        operations = {id(node.operation): node.operation for node in order}
        self.operations: list[Any] = sorted(
            operations.values(), key=lambda op: (-operation_depths[id(op)], operation_numbers[id(op)])
        )
        self._inputs = list(inputs)
        self._outputs = list(outputs)
        names = [operation.name for operation in self.operations]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(
                    f'The name "{name}" is used {names.count(name)} times in the model. '
                    "All operation names should be unique."
                )

    def run(
        self,
        inputs: Sequence[Any],
        replace: Callable[[Any], Any] | None = None,
        call: Callable[..., Any] | None = None,
    ) -> list[Any]:
        """Repeats the calls on new inputs; returns the flat outputs.

        Args:
            inputs: what stands for each input.
            replace: from an operation to the one that is called instead.
            call: `fn(operation, *args, **kwargs)`, how that is done.
        """
        values: dict[int, Any] = {id(x): value for x, value in zip(self._inputs, inputs, strict=True)}
        for depth in sorted(self.nodes_by_depth, reverse=True):
            for node in self.nodes_by_depth[depth]:
                if node.is_input or all(id(x) in values for x in node.outputs):
                    continue
                args, kwargs = node.arguments.fill_in(values)
                operation = node.operation if replace is None else replace(node.operation)
                result = operation(*args, **kwargs) if call is None else call(operation, *args, **kwargs)
                found = tree.flatten(result)
                values.update((id(x), value) for x, value in zip(node.outputs, found, strict=True))
        return [values[id(x)] for x in self._outputs]


def _sorted_nodes(inputs: Sequence[KerasTensor], outputs: Sequence[KerasTensor]) -> tuple[list[Node], dict[int, int]]:
    """Nodes from the inputs to the outputs, and a number for each operation in order of traversal."""
    starts = {id(x) for x in inputs}
    order: list[Node] = []
    done: set[int] = set()
    numbers: dict[int, int] = {}
    for output in outputs:
        stack: list[tuple[KerasTensor, bool]] = [(output, False)]
        while stack:  # not recursive: a chain may be longer than Python's stack
            tensor, leaving = stack.pop()
            history = getattr(tensor, "_keras_history", None)
            if history is None or history.operation is None:
                if id(tensor) in starts:
                    continue
                raise ValueError(f"Graph disconnected: {tensor} does not come from the model's inputs.")
            node = history.operation._inbound_nodes[history.node_index]
            if leaving:
                if id(node) not in done:
                    done.add(id(node))
                    order.append(node)
                continue
            if id(node) in done or (id(tensor) in starts and not node.is_input):
                continue
            if node.is_input and id(tensor) not in starts:
                raise ValueError(
                    f"Graph disconnected: the output depends on {tensor} of '{history.operation.name}', "
                    "which is not among the model's inputs."
                )
            numbers.setdefault(id(history.operation), len(numbers))
            stack.append((tensor, True))
            stack.extend((x, False) for x in reversed(node.input_tensors))
    return order, numbers


def adjusted_input(x: Any, reference: KerasTensor) -> Any:
    """An input in the dtype of its symbolic input, a last axis of length 1 added or dropped where that fits.

    Raises:
        ValueError: another number of axes.
    """
    mask = getattr(x, "_keras_mask", None)
    if isinstance(x, KerasTensor):
        found = x if x.dtype == reference.dtype else ops.cast(x, reference.dtype)
    elif current_trace() is not None:
        found = to_tensor(x, reference.dtype)
    else:
        found = ops.cast(x, reference.dtype)
    rank, wanted = len(found.shape), len(reference.shape)
    if rank == wanted + 1 and found.shape[-1] == 1:
        found = ops.squeeze(found, axis=-1)
    elif rank == wanted - 1 and reference.shape[-1] == 1:
        found = ops.expand_dims(found, axis=-1)
    elif rank != wanted:
        raise ValueError(
            f"Invalid input shape for input '{reference.name}'. Expected shape {reference.shape}, "
            f"but input has incompatible shape {tuple(found.shape)}"
        )
    if mask is not None and found is not x and isinstance(found, (Tensor, KerasTensor)):
        found._keras_mask = mask
    return found


class Functional(Model):
    """A model defined by the calls between its symbolic inputs and outputs.

    Args:
        inputs: KerasTensors from `Input` (or from the middle of another graph), alone or in lists and dicts.
        outputs: KerasTensors computed from them.
        name: name of the model.
        trainable: whether its weights are trained.

    Raises:
        ValueError: not KerasTensors, or outputs that the inputs do not determine.
    """

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        trainable = kwargs.pop("trainable", None)
        for argument, structure in (("inputs", inputs), ("outputs", outputs)):
            leaves = tree.flatten(structure)
            if not leaves:
                raise ValueError(f"`{argument}` argument cannot be empty. Received: {argument}={structure}")
            for x in leaves:
                if not isinstance(x, KerasTensor):
                    raise ValueError(
                        f"All `{argument}` values must be KerasTensors. Received: {argument}={structure} including "
                        f"invalid value {x} of type {type(x)}"
                    )
        if not all(_is_input(x) for x in tree.flatten(inputs)):
            inputs, outputs = _from_the_middle(inputs, outputs)
        graph = SymbolicGraph(tree.flatten(inputs), tree.flatten(outputs))
        Model.__init__(self, name=name, **kwargs)
        if trainable is not None:
            self.trainable = trainable  # before the layers are known: they keep their own
        self._graph = graph
        self._inputs_struct = _Held(inputs)
        self._outputs_struct = _Held(outputs)
        self._explicit_layers = [op for op in graph.operations if isinstance(op, Layer)]
        self._convert_input_args = False
        self._allow_non_tensor_positional_args = True
        self.output_names: list[str] = [_history(x).operation.name for x in tree.flatten(outputs)]
        self._build_shapes_dict = {"input_shape": None}
        self.built = True

    @property
    def _nodes_by_depth(self) -> dict[int, list[Node]]:
        return self._graph.nodes_by_depth

    @property
    def operations(self) -> list[Any]:
        """Layers and ops of the graph, from the inputs on."""
        return list(self._graph.operations)

    def _listed_layers(self) -> list[Any]:
        return list(self._explicit_layers or [])

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs as a flat list."""
        return tree.flatten(self._inputs_struct.value)

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs as a flat list."""
        return tree.flatten(self._outputs_struct.value)

    @property
    def input(self) -> Any:
        """The symbolic inputs as they were given."""
        return self._inputs_struct.value

    @property
    def output(self) -> Any:
        """The symbolic outputs as they were given."""
        return self._outputs_struct.value

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return [x.name for x in self.inputs]

    @property
    def input_shape(self) -> Any:
        """Shape of the input, None for the batch; a flat list where there are several."""
        return _shapes(self.inputs)

    @property
    def output_shape(self) -> Any:
        """Shape of the output, None for the batch; a flat list where there are several."""
        return _shapes(self.outputs)

    @property
    def input_spec(self) -> Any:
        """What the inputs must look like."""
        if self._input_spec is not None:
            return self._input_spec
        inputs = self._inputs_struct.value
        items = sorted(inputs.items()) if isinstance(inputs, dict) else [(None, x) for x in self.inputs]
        if not all(isinstance(x, KerasTensor) for _, x in items):
            return None
        return [
            InputSpec(
                shape=(None, *x.shape[1:]),
                allow_last_axis_squeeze=True,
                name=_history(x).operation.name if key is None else key,
            )
            for key, x in items
        ]

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        self._input_spec = value

    def build(self, input_shape: Any = None) -> None:
        """Does nothing: the layers were built by the calls that made the graph."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if mask is not None:
            for x, m in zip(tree.flatten(inputs), tree.flatten(mask), strict=True):
                if m is not None:
                    x._keras_mask = m
        flat = tree.flatten(self._arrange_inputs(inputs))
        if len(flat) != len(self.inputs):
            raise ValueError(
                f'Layer "{self.name}" expects {len(self.inputs)} input(s), but it received {len(flat)} input tensors.'
            )
        flat = [adjusted_input(x, reference) for x, reference in zip(flat, self.inputs, strict=True)]
        outputs = tree.pack_sequence_as(self._outputs_struct.value, self._graph.run(flat))
        return outputs[0] if isinstance(outputs, list) and len(outputs) == 1 else outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output for inputs of this shape."""
        shapes = tree.map_shape_structure(tuple, input_shape)
        spec = self.compute_output_spec(tree.map_shape_structure(KerasTensor, shapes))
        return tree.map_structure(lambda x: x.shape, spec)

    compute_output_shape._is_default = True  # type: ignore[attr-defined]  # it infers, as the base class does

    @default
    def get_config(self) -> dict[str, Any]:
        """The layers and the calls between them; the constructor's arguments where a subclass takes others."""
        from nabi.models.configs import functional_config, takes_tensors

        return functional_config(self) if takes_tensors(type(self)) else Model.get_config(self)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        graph: SymbolicGraph = state.pop("_graph")
        ends = state.pop("_inputs_struct").value, state.pop("_outputs_struct").value
        calls = Calls(node for level in graph.nodes_by_depth.values() for node in level)
        state["_calls"] = (calls, calls.packed(ends))
        return state

    def _restore(self, ends: Any) -> None:
        """Sets what the state of a copy leaves out."""
        inputs, outputs = ends
        self._inputs_struct, self._outputs_struct = _Held(inputs), _Held(outputs)
        self._graph = SymbolicGraph(tree.flatten(inputs), tree.flatten(outputs))

    def _arrange_inputs(self, x: Any) -> Any:
        """A dict of inputs by name in the structure that the model was made with, entries of other names left out."""
        struct = self._inputs_struct.value
        if not isinstance(x, dict):
            return x
        if isinstance(struct, dict):
            return {key: x[key] for key in struct} if len(x) > len(struct) and set(struct) <= set(x) else x
        references = self.inputs
        names = [[ref.name, _history(ref).operation.name] for ref in references]
        found = [next((x[name] for name in pair if name in x), None) for pair in names]
        if any(value is None for value in found):
            raise ValueError(
                f"The structure of `inputs` doesn't match the expected structure.\nExpected: {self.input_names}\n"
                f"Received keys: {list(x)}"
            )
        return found

    def _input_dtypes(self) -> list[str | None] | None:
        return [x.dtype for x in self.inputs]


def _history(x: Any) -> KerasHistory:
    """Which call made a symbolic tensor."""
    found: KerasHistory = x._keras_history
    return found


def _is_input(x: KerasTensor) -> bool:
    """Whether a symbolic tensor comes from an `Input`."""
    history = getattr(x, "_keras_history", None)
    return history is not None and history.operation is not None and _node(x).is_input


def _node(x: KerasTensor) -> Node:
    """The call that made a symbolic tensor."""
    history = _history(x)
    node: Node = history.operation._inbound_nodes[history.node_index]
    return node


def _from_the_middle(inputs: Any, outputs: Any) -> tuple[Any, Any]:
    """The calls between tensors of another graph, made again from an `Input` for each that comes out of a call."""
    nodes, _ = _sorted_nodes(tree.flatten(inputs), tree.flatten(outputs))
    copies: dict[int, KerasTensor] = {}

    def begin(x: KerasTensor) -> KerasTensor:
        if id(x) not in copies:
            copies[id(x)] = x if _is_input(x) else Input(batch_shape=x.shape, dtype=x.dtype, name=f"{x.name}CLONE")
        return copies[id(x)]

    def copied(x: Any) -> Any:
        if isinstance(x, KerasTensor) and id(x) not in copies:
            copies[id(x)] = KerasTensor(x.shape, dtype=x.dtype, name=f"{x.name}_clone")
        return copies[id(x)] if isinstance(x, KerasTensor) else x

    inputs = tree.map_structure(begin, inputs)
    for node in nodes:
        if node.is_input:
            for x in node.outputs:
                copies.setdefault(id(x), x)
            continue
        args = tree.map_structure(copied, node.arguments.args)
        kwargs = tree.map_structure(copied, node.arguments.kwargs)
        Node(node.operation, args, kwargs, [copied(x) for x in node.outputs])
    return inputs, tree.map_structure(copied, outputs)


class _Held:
    """A structure kept as the user gave it: lists and dicts in a layer's attributes are replaced by tracked ones."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = tree.map_structure(lambda x: x, value)


def _shapes(tensors: list[KerasTensor]) -> Any:
    return tensors[0].shape if len(tensors) == 1 else [x.shape for x in tensors]
