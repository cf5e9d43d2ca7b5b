"""Copies of models: the calls between symbolic tensors, taken apart for `copy` and `pickle` and made again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nabi import tree
from nabi.trace import KerasTensor, Node


class _Tensor:
    """What a symbolic tensor is made from; a class of its own, so that structures treat it as one value."""

    def __init__(self, x: KerasTensor) -> None:
        self.shape, self.dtype, self.name = x.shape, x.dtype, x.name
        mask = x._keras_mask
        self.mask = _Tensor(mask) if isinstance(mask, KerasTensor) else None

    def make(self) -> KerasTensor:
        found = KerasTensor(self.shape, dtype=self.dtype, name=self.name)
        if self.mask is not None:
            found._keras_mask = self.mask.make()
        return found


class _Reference:
    """A symbolic tensor among the arguments of a call."""

    def __init__(self, number: int) -> None:
        self.number = number


class Calls:
    """Calls of operations, without the links between them that make copying recursive.

    Args:
        nodes: the calls; every symbolic argument comes out of one of them.
    """

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.tensors: list[_Tensor] = []
        self.calls: list[tuple[Any, Any, Any, list[int]]] = []
        self._numbers: dict[int, int] = {}
        for node in sorted(nodes, key=lambda node: node.number):  # as they were made: each after its inputs
            outputs = [self._number(x) for x in node.outputs]
            self.calls.append(
                (node.operation, self.packed(node.arguments.args), self.packed(node.arguments.kwargs), outputs)
            )

    def _number(self, x: KerasTensor) -> int:
        if id(x) not in self._numbers:
            self._numbers[id(x)] = len(self.tensors)
            self.tensors.append(_Tensor(x))
        return self._numbers[id(x)]

    def packed(self, structure: Any) -> Any:
        """A structure of the calls' tensors with references in their place."""
        return tree.map_structure(lambda x: _Reference(self._number(x)) if isinstance(x, KerasTensor) else x, structure)

    def __getstate__(self) -> dict[str, Any]:
        return {"tensors": self.tensors, "calls": self.calls}

    def repeat(self) -> list[KerasTensor]:
        """Records the calls again; returns their tensors by number."""
        tensors = [x.make() for x in self.tensors]
        for operation, args, kwargs, outputs in self.calls:
            Node(operation, _unpacked(args, tensors), _unpacked(kwargs, tensors), [tensors[i] for i in outputs])
        return tensors


def restore(model: Any, packed: tuple[Calls, Any]) -> None:
    """Gives the copy of a model its calls, and the tensors that they begin and end with."""
    calls, ends = packed
    if not hasattr(model, "_restore"):  # a subclass that becomes functional when the first one is made
        from nabi.models.model import _make_functional

        _make_functional(type(model))
    model._restore(_unpacked(ends, calls.repeat()))


def _unpacked(structure: Any, tensors: list[KerasTensor]) -> Any:
    """The structure with tensors in place of references."""
    return tree.map_structure(lambda x: tensors[x.number] if isinstance(x, _Reference) else x, structure)
