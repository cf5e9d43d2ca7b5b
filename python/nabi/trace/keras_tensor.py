"""Symbolic tensors and the record of the calls that made them, from which functional models are built.

Source of the names and of the messages: Keras 3.15 `KerasTensor`, `Node`, `Operation`.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple, NoReturn

from nabi import dtypes, tree
from nabi.names import auto_name
from nabi.trace.operators import Operators, call_op
from nabi.trace.variable import standardize_shape

_numbers = itertools.count()


class KerasHistory(NamedTuple):
    """Which call made a symbolic tensor: output `tensor_index` of call `node_index` of `operation`."""

    operation: Any
    node_index: int
    tensor_index: int


class KerasTensor(Operators):
    """A shape, with None for dimensions that are not known yet, and a dtype: what functional models are built from.

    Args:
        shape: ints and Nones.
        dtype: Keras name.
        sparse: must be False.
        ragged: must be False.
        record_history: False leaves the calls on this tensor out of the record.
        name: made up when None.
    """

    __array_ufunc__ = None

    def __init__(
        self,
        shape: Any,
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
    ) -> None:
        if sparse or ragged:
            raise NotImplementedError("Nabi has dense tensors only: `sparse` and `ragged` must be False.")
        self._shape = standardize_shape(shape)
        self._dtype = dtypes.standardize_dtype(dtype)
        self.name = name or auto_name(type(self).__name__)
        self.record_history = record_history
        self._keras_mask: Any = None
        self._keras_logits: Any = None

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Dimensions; None is not known yet."""
        return self._shape

    @shape.setter
    def shape(self, value: Any) -> None:
        raise AttributeError(
            "The `shape` attribute of KerasTensor is immutable. One should create a new instance of KerasTensor for "
            "this."
        )

    @property
    def dtype(self) -> str:
        """Keras name of the dtype."""
        return self._dtype

    @dtype.setter
    def dtype(self, value: Any) -> None:
        raise AttributeError(
            "The `dtype` attribute of KerasTensor is immutable. One should create a new instance of KerasTensor for "
            "this."
        )

    @property
    def sparse(self) -> bool:
        """Always False."""
        return False

    @property
    def ragged(self) -> bool:
        """Always False."""
        return False

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self._shape)

    def reshape(self, newshape: Any) -> Any:
        """`nabi.ops.reshape` of this tensor."""
        return call_op("reshape", self, newshape)

    def squeeze(self, axis: Any = None) -> Any:
        """`nabi.ops.squeeze` of this tensor."""
        return call_op("squeeze", self, axis)

    def _refuse(self, what: str) -> NoReturn:
        raise ValueError(
            "A KerasTensor is symbolic: it's a placeholder for a shape an a dtype. It doesn't have any actual "
            f"numerical value. You cannot convert it to {what}."
        )

    def __int__(self) -> int:
        self._refuse("an int")

    def __float__(self) -> float:
        self._refuse("a float")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        self._refuse("a NumPy array")

    def __iter__(self) -> NoReturn:
        raise NotImplementedError("Iterating over a symbolic KerasTensor is not supported.")

    def __bool__(self) -> bool:
        raise TypeError("A symbolic KerasTensor cannot be used as a boolean.")

    def __ne__(self, other: object) -> Any:
        return call_op("not_equal", self, other)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return (
            f"<KerasTensor shape={self.shape}, dtype={self.dtype}, sparse={self.sparse}, ragged={self.ragged}, "
            f"name={self.name}>"
        )


def is_keras_tensor(x: Any) -> bool:
    """Whether the value is a symbolic tensor."""
    return isinstance(x, KerasTensor)


def any_symbolic(args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> bool:
    """Whether a KerasTensor is among the arguments, at any depth."""
    return any(isinstance(x, KerasTensor) for x in tree.flatten((args, kwargs or {})))


class Arguments:
    """What an operation was called with.

    Attributes:
        args, kwargs: the arguments, with their KerasTensors.
        keras_tensors: those, in order.
    """

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args: tuple[Any, ...] = tree.map_structure(lambda x: x, tuple(args))
        self.kwargs: dict[str, Any] = tree.map_structure(lambda x: x, dict(kwargs))
        self.keras_tensors = [x for x in tree.flatten((self.args, self.kwargs)) if isinstance(x, KerasTensor)]

    def fill_in(self, values: dict[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with each KerasTensor replaced by `values[id(tensor)]` (None where there is none)."""

        def fill(x: Any) -> Any:
            return values.get(id(x)) if isinstance(x, KerasTensor) else x

        return tree.map_structure(fill, self.args), tree.map_structure(fill, self.kwargs)


class Node:
    """One call of an operation on symbolic tensors.

    Making one records it: it is appended to the operation's `_inbound_nodes` and to the `_outbound_nodes` of the
    operations that made its inputs, and its outputs get their `_keras_history`.

    Args:
        operation: what was called.
        call_args, call_kwargs: what with.
        outputs: nested KerasTensors that came out.

    Attributes:
        arguments: the arguments.
        outputs: flat list of what came out.
        is_input: whether there were no symbolic arguments.
        number: grows from node to node, so that it orders calls by when they were made.
    """

    def __init__(
        self,
        operation: Any,
        call_args: tuple[Any, ...] | None = None,
        call_kwargs: dict[str, Any] | None = None,
        outputs: Any = None,
    ) -> None:
        self.operation = operation
        self.number = next(_numbers)
        self.arguments = Arguments(call_args or (), call_kwargs or {})
        self.outputs: list[KerasTensor] = [] if outputs is None else tree.flatten(outputs)
        for x in self.outputs:
            if not isinstance(x, KerasTensor):
                raise ValueError(
                    f"All operation outputs must be tensors. Operation {operation} returned a non-tensor. "
                    f"Non-tensor received: {x}"
                )
        recorded = all(x.record_history for x in self.arguments.keras_tensors)
        if recorded:
            for x in self.arguments.keras_tensors:
                if not hasattr(x, "_keras_history"):
                    x._keras_history = KerasHistory(None, 0, 0)  # type: ignore[attr-defined]
        operation._inbound_nodes.append(self)
        for x in self.arguments.keras_tensors:
            history = getattr(x, "_keras_history", None)
            if history is not None and history.operation is not None:
                history.operation._outbound_nodes.append(self)
        if recorded:
            index = len(operation._inbound_nodes) - 1
            for i, x in enumerate(self.outputs):
                x._keras_history = KerasHistory(operation, index, i)  # type: ignore[attr-defined]
        self.is_input = not self.arguments.keras_tensors

    @property
    def input_tensors(self) -> list[KerasTensor]:
        """The symbolic arguments, in order."""
        return self.arguments.keras_tensors

    @property
    def output_tensors(self) -> list[KerasTensor]:
        """What came out."""
        return self.outputs

    @property
    def parent_nodes(self) -> list[Node]:
        """The calls that made the symbolic arguments."""
        found = []
        for x in self.arguments.keras_tensors:
            history: KerasHistory = x._keras_history  # type: ignore[attr-defined]
            if history.operation is not None:
                found.append(history.operation._inbound_nodes[history.node_index])
        return found

    def __repr__(self) -> str:
        return f"<Node operation={self.operation.name}, id={id(self)}>"


class Operation:
    """What may be called on symbolic tensors: layers and ops.

    A subclass defines `call`, on traced tensors.

    Args:
        name: no "/"; made up when None.
    """

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = auto_name(type(self).__name__)
        if not isinstance(name, str) or "/" in name:
            raise ValueError(
                "Argument `name` must be a string and cannot contain character `/`. "
                f"Received: name={name} (of type {type(name)})"
            )
        self.name = name
        self._inbound_nodes: list[Node] = []
        self._outbound_nodes: list[Node] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if any_symbolic(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """Infers the outputs and records the call."""
        outputs = self.compute_output_spec(*args, **kwargs)
        Node(operation=self, call_args=args, call_kwargs=kwargs, outputs=outputs)
        return outputs

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The computation, on traced tensors."""
        raise NotImplementedError(f"{type(self).__name__} must define `call`.")

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """KerasTensors of the shapes and dtypes that `call` gives."""
        from nabi.trace.infer import infer_output

        return infer_output(self.call, *args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this operation again."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An operation made from `get_config()`."""
        return cls(**config)

    def _tensors(self, which: str) -> Any:
        if not self._inbound_nodes:
            raise AttributeError(f"The layer {self.name} has never been called and thus has no defined {which}.")
        node = self._inbound_nodes[0]
        found = node.input_tensors if which == "input" else node.outputs
        return found[0] if len(found) == 1 else found

    @property
    def input(self) -> Any:
        """The symbolic input of the first recorded call; a list when there are several."""
        return self._tensors("input")

    @property
    def output(self) -> Any:
        """The symbolic output of the first recorded call; a list when there are several."""
        return self._tensors("output")
