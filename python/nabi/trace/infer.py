"""Shapes of symbolic calls: the code is traced into scratch graphs at two sizes of what is not known."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from nabi import _core, dtypes, tree
from nabi.trace.graph import Trace, to_tensor
from nabi.trace.keras_tensor import KerasTensor, Operation, any_symbolic
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
        trace.free_size = size

        def make(x: KerasTensor) -> Tensor:
            shape = tuple(size if dim is None else dim for dim in x.shape)
            trace.free_axes = trace.free_axes or None in x.shape[1:]
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


#: Parameters of ops that say what is computed rather than with what: in configs they belong to the operation, as in
#: Keras, and the rest to its calls. Source: the constructors of Keras 3.15's operations.
OPTIONS = frozenset(
    "N alpha approximate attn_logits_soft_cap axes axis axis1 axis2 axisa axisb axisc b base block_size "
    "data_format decimals default_value destination dilation dilation_rate dtype dx endpoint epsilon equal_nan "
    "flash_attention from_logits increasing indexing indices_or_sections initial is_causal k keepdims "
    "kernel_size method minlength mode n nan negative_slope neginf newshape num num_classes num_segments "
    "offset ord order output_padding output_size pad_width padding pool_size posinf range reduction repeats "
    "retstep shape shift sorted source sparse stride strides subscripts synchronized threshold x_max x_min".split()
)


class OpCall(Operation):
    """A function of `nabi.ops` in a functional graph; each op has its own subclass, named as Keras's.

    Args:
        name: no "/"; made up when None.
        **options: arguments of the op that are no tensors.
    """

    fn: Callable[..., Any]
    parameters: tuple[inspect.Parameter, ...]

    def __init__(self, name: str | None = None, **options: Any) -> None:
        super().__init__(name)
        self.options = options

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The op on tensors or arrays."""
        waiting, given = list(args), {**self.options, **kwargs}
        found: list[Any] = []
        for parameter in type(self).parameters:  # options go to their places among the arguments by position
            if parameter.kind is parameter.VAR_POSITIONAL:
                found += waiting
                waiting = []
            elif parameter.kind is parameter.KEYWORD_ONLY:
                break
            elif parameter.name in given:
                found.append(given.pop(parameter.name))
            elif waiting:
                found.append(waiting.pop(0))
            elif parameter.default is not parameter.empty:
                found.append(parameter.default)
            else:
                break
        return type(self).fn(*found, *waiting, **given)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.options}

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "options": self.options, "_inbound_nodes": [], "_outbound_nodes": []}

    def __reduce__(self) -> Any:
        return _restore_op, (type(self).fn.__module__, type(self).fn.__name__), self.__getstate__()


def _restore_op(module: str, name: str) -> OpCall:
    """An empty call of the op that a module calls by this name: its class is made, and cannot be found by name."""
    kind = op_class(getattr(importlib.import_module(module), name))
    return kind.__new__(kind)


@functools.cache
def op_class(fn: Callable[..., Any]) -> type[OpCall]:
    """The operation class of an op: "expand_dims" -> ExpandDims."""
    name = "".join(part.capitalize() for part in fn.__name__.split("_"))
    members = {
        "fn": staticmethod(fn),
        "parameters": tuple(inspect.signature(fn).parameters.values()),
        "__doc__": fn.__doc__,
        "__module__": fn.__module__,
    }
    return type(name, (OpCall,), members)


def symbolic_op(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Records the call of an op on symbolic tensors; returns its symbolic outputs."""
    kind = op_class(fn)
    try:
        given = inspect.Signature(kind.parameters).bind(*args, **kwargs).arguments
    except TypeError:
        return kind().symbolic_call(*args, **kwargs)  # the call itself says what is wrong
    options = {k: v for k, v in given.items() if k in OPTIONS and not any_symbolic((v,))}
    rest: list[Any] = []
    named: dict[str, Any] = {}
    skipped = False
    for parameter in kind.parameters:
        name = parameter.name
        if name in options:
            continue
        if name not in given:
            skipped = True
        elif parameter.kind is parameter.VAR_POSITIONAL:
            rest += given[name]
        elif parameter.kind is parameter.VAR_KEYWORD:
            named.update(given[name])
        elif skipped or parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = given[name]
        else:
            rest.append(given[name])
    return kind(**options).symbolic_call(*rest, **named)
