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


class OpCall(Operation):
    """A function of `nabi.ops` in a functional graph; each op has its own subclass, named as Keras's.

    The op's tensors are arguments of its calls; the others, those whose annotation is not `Value`, belong to the
    operation and its config, as in Keras.

    Args:
        name: no "/"; made up when None.
        **options: arguments of the op that are no tensors.
    """

    fn: Callable[..., Any]
    parameters: tuple[inspect.Parameter, ...]
    keras_name: str | None

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

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An operation made from `get_config()`, Keras's included: options unknown here may be None or False."""
        known = {"name", *(parameter.name for parameter in cls.parameters)}
        more = {k: v for k, v in config.items() if k not in known}
        if any(v is not None and v is not False for v in more.values()):
            raise TypeError(f"Operation {cls.__name__} does not know the options {more} of its config.")
        return cls(**{k: v for k, v in config.items() if k in known})

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "options": self.options, "_inbound_nodes": [], "_outbound_nodes": []}

    def __reduce__(self) -> Any:
        return _restore_op, (type(self).fn.__module__, type(self).fn.__name__), self.__getstate__()


def _restore_op(module: str, name: str) -> OpCall:
    """An empty call of the op that a module calls by this name: its class is made, and cannot be found by name."""
    kind = op_class(getattr(importlib.import_module(module), name))
    return kind.__new__(kind)


_declared: dict[str, Callable[..., Any]] = {}  # Keras's name of an operation -> the op


def declare_op(fn: Callable[..., Any], room: str, class_name: str | None = None) -> None:
    """Tells which operation of Keras an op is; functions outside of `nabi.ops`, such as losses, are none of them.

    Args:
        fn: the op.
        room: where Keras defines it: "numpy", "nn", "core", "math" or "linalg".
        class_name: Keras's class; the op's name in capitals by default ("expand_dims" -> ExpandDims).
    """
    if not fn.__module__.startswith("nabi.ops."):
        return
    name = class_name or "".join(part.capitalize() for part in fn.__name__.split("_"))
    fn.keras_name = f"keras.src.ops.{room}.{name}"  # type: ignore[attr-defined]
    _declared.setdefault(fn.keras_name, fn)  # type: ignore[attr-defined]


def find_op(keras_name: str) -> type[OpCall] | None:
    """The operation class of a name in Keras's configs, "keras.src.ops.numpy.Add"; None where there is none."""
    fn = _declared.get(keras_name)
    return None if fn is None else op_class(fn)


@functools.cache
def op_class(fn: Callable[..., Any]) -> type[OpCall]:
    """The operation class of an op."""
    keras_name: str | None = getattr(fn, "keras_name", None)
    members = {
        "fn": staticmethod(fn),
        "parameters": tuple(inspect.signature(fn).parameters.values()),
        "keras_name": keras_name,
        "__doc__": fn.__doc__,
        "__module__": fn.__module__,
    }
    name = keras_name.rpartition(".")[2] if keras_name else "".join(x.capitalize() for x in fn.__name__.split("_"))
    return type(name, (OpCall,), members)


def _is_option(parameter: inspect.Parameter) -> bool:
    return parameter.kind is not parameter.VAR_KEYWORD and not str(parameter.annotation).startswith("Value")


def symbolic_op(fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Records the call of an op on symbolic tensors; returns its symbolic outputs."""
    kind = op_class(fn)
    try:
        given = inspect.Signature(kind.parameters).bind(*args, **kwargs).arguments
    except TypeError:
        return kind().symbolic_call(*args, **kwargs)  # the call itself says what is wrong
    own = {p.name for p in kind.parameters if _is_option(p)} if kind.keras_name else ()
    options = {k: v for k, v in given.items() if k in own and not any_symbolic((v,))}
    rest: list[Any] = []
    named: dict[str, Any] = {}
    skipped = False
    for parameter in kind.parameters:
        name = parameter.name
        if name in options:
            continue
        if name not in given:
            if parameter.default is None and not skipped and name not in options and not _is_option(parameter):
                rest.append(None)  # Keras writes the tensors that a call does without
                continue
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
