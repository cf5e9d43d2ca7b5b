"""Shapes of symbolic calls: the code is traced into scratch graphs at two sizes of what is not known."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from nabi import _core, dtypes, tree
from nabi.trace.graph import Trace, to_tensor
from nabi.trace.keras_tensor import KerasTensor, Operation
from nabi.trace.tensor import Tensor

#: What stands for None while shapes are inferred; dimensions that differ between the two are None again.
SIZES = (83, 89)


def infer_output(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a function on tensors gives for symbolic tensors, without computing anything.

    Args:
        fn: called with a traced Tensor in place of each KerasTensor (a mask on one becomes a mask on the other).
        *args, **kwargs: its arguments, KerasTensors at any depth.

    Returns:
        `fn`'s result with a new KerasTensor for each tensor.
    """
    found = [_trace(fn, args, kwargs, SIZES[0])]
    if any(None in x.shape for x in tree.flatten((args, kwargs)) if isinstance(x, KerasTensor)):
        found.append(_trace(fn, args, kwargs, SIZES[1]))

    def merge(*leaves: Any) -> Any:
        first = leaves[0]
        if not isinstance(first, Tensor):
            return first
        result = _spec(leaves)
        if isinstance(first._keras_mask, Tensor):
            masks = [leaf._keras_mask for leaf in leaves]
            result._keras_mask = _spec(masks)
        return result

    return tree.map_structure(merge, *found)


def _spec(tensors: Any) -> KerasTensor:
    first = tensors[0]
    shape = tuple(
        dims[0] if len(set(dims)) == 1 else None for dims in zip(*(tensor.shape for tensor in tensors), strict=False)
    )
    return KerasTensor(shape, first.dtype)


def _trace(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], size: int) -> Any:
    with Trace(scratch=True) as trace:
        entered: dict[int, Tensor] = {}

        def make(x: KerasTensor) -> Tensor:
            shape = tuple(size if dim is None else dim for dim in x.shape)
            return trace.input(shape, dtypes.core_dtype(x.dtype))

        def enter(x: Any) -> Any:
            if not isinstance(x, KerasTensor):
                return x
            tensor = entered.get(id(x))
            if tensor is None:
                tensor = entered[id(x)] = make(x)
                if isinstance(x._keras_mask, KerasTensor):
                    tensor._keras_mask = enter(x._keras_mask)
            return tensor

        result = fn(*tree.map_structure(enter, args), **tree.map_structure(enter, kwargs))

        def leave(x: Any) -> Any:
            return to_tensor(x) if isinstance(getattr(x, "_core", None), _core.Variable) else x

        return tree.map_structure(leave, result)


class OpCall(Operation):
    """A function of `nabi.ops` in a functional graph; each op has its own subclass, named as Keras's."""

    fn: Callable[..., Any]

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The op on tensors or arrays."""
        return type(self).fn(*args, **kwargs)


@functools.cache
def op_class(fn: Callable[..., Any]) -> type[OpCall]:
    """The operation class of an op: "expand_dims" -> ExpandDims."""
    name = "".join(part.capitalize() for part in fn.__name__.split("_"))
    return type(name, (OpCall,), {"fn": staticmethod(fn), "__doc__": fn.__doc__, "__module__": fn.__module__})


def symbolic_op(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Records the call of an op on symbolic tensors; returns its symbolic outputs."""
    return op_class(fn)().symbolic_call(*args, **kwargs)
