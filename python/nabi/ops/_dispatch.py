"""How a function of `nabi.ops` is called: traced on tensors, recorded on symbolic tensors, run at once on arrays."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar, cast

import numpy as np

from nabi import config, dtypes
from nabi.trace import Cached, KerasTensor, Tensor, Variable, declare_op, emit, symbolic_op, to_tensor
from nabi.trace.graph import current

P = ParamSpec("P")
R = TypeVar("R")

#: A Tensor, KerasTensor, Variable, array, number or nested list of numbers; results are of the kind of the arguments.
Value: TypeAlias = Any
#: A list or tuple of them. Parameters annotated with neither belong to the operation, not to its calls (`OpCall`).
Values: TypeAlias = Any

_NESTED = frozenset((list, tuple, dict))

# Parameters that shape the graph: arrays given for them are read at once.
_STATIC = frozenset(
    (
        "axis",
        "axes",
        "indices_or_sections",
        "k",
        "newshape",
        "num",
        "num_classes",
        "output_size",
        "pad_width",
        "repeats",
        "shape",
        "shift",
    )
)


def _find(x: Any) -> Any:
    """Tensor or KerasTensor where one is inside a nested argument; symbolic ones win."""
    kind = type(x)
    if kind is Tensor or kind is KerasTensor:
        return kind
    found = None
    if isinstance(x, (list, tuple, dict)):
        for item in x.values() if isinstance(x, dict) else x:
            inner = _find(item)
            if inner is KerasTensor:
                return inner
            found = found or inner
    return found


def _settle(static: list[int], args: Any, kwargs: Any) -> tuple[Any, Any]:
    for at in static:
        if at < len(args) and isinstance(args[at], np.ndarray):
            args = (*args[:at], args[at].tolist(), *args[at + 1 :])
    for name in kwargs:
        if name in _STATIC and isinstance(kwargs[name], np.ndarray):
            kwargs[name] = kwargs[name].tolist()
    return args, kwargs


class Decorator(Protocol):
    """Turns a function into one of the same arguments."""

    def __call__(self, fn: Callable[P, R]) -> Callable[P, R]: ...


def op_of(room: str, class_name: str | None = None) -> Decorator:
    """`op`, for an op that Keras defines in another room than `keras.src.ops.numpy`, or under another name."""
    return functools.partial(_op, room=room, class_name=class_name)


def symbolic_of(room: str, class_name: str | None = None) -> Decorator:
    """`symbolic`, for an op of a room and name as in `op_of`."""
    return functools.partial(_declared_symbolic, room=room, class_name=class_name)


def op(fn: Callable[P, R]) -> Callable[P, R]:
    """Makes a function on traced values callable with arrays and with symbolic tensors."""
    return _op(fn, "numpy")


def _op(fn: Callable[P, R], room: str, class_name: str | None = None) -> Callable[P, R]:
    cached = Cached(fn, size=256)
    names = list(inspect.signature(fn).parameters)
    static = [at for at, name in enumerate(names) if name in _STATIC]

    @functools.wraps(fn)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if static:
            args, kwargs = _settle(static, args, kwargs)
        found: Any = None
        for arg in args:
            kind = type(arg)
            if kind is Tensor:
                found = Tensor
            elif kind is KerasTensor:
                found = kind
                break
            elif kind in _NESTED:
                inner = _find(arg)
                if inner is KerasTensor:
                    found = inner
                    break
                found = found or inner
        if kwargs and found is not KerasTensor:
            inner = _find(kwargs)
            found = inner if inner is KerasTensor else found or inner
        if found is KerasTensor:
            return cast(R, symbolic_op(call, args, kwargs))
        if found is Tensor or current.trace is not None:
            return fn(*args, **kwargs)
        return cast(R, cached(*args, **kwargs))

    call.cached = cached  # type: ignore[attr-defined]
    declare_op(call, room, class_name)
    return call


def _declared_symbolic(fn: Callable[P, R], room: str, class_name: str | None = None) -> Callable[P, R]:
    call = symbolic(fn)
    declare_op(call, room, class_name)
    return call


def symbolic(fn: Callable[P, R]) -> Callable[P, R]:
    """Makes a function that calls ops callable with symbolic tensors, as one node of a functional graph.

    The node is this package's own: configs have no name for it, unlike for those of `symbolic_of`.
    """

    @functools.wraps(fn)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if _find(args) is KerasTensor or (kwargs and _find(kwargs) is KerasTensor):
            return cast(R, symbolic_op(call, args, kwargs))
        return fn(*args, **kwargs)

    return call


def kind_of(x: Any) -> str:
    """A value's dtype for promotion; "int" and "float" for Python's and NumPy's numbers."""
    if isinstance(x, (Tensor, Variable)):
        return x.dtype
    if isinstance(x, (bool, np.bool_)):
        return "bool"
    if isinstance(x, (int, np.integer)):
        return "int"
    if isinstance(x, (float, np.floating)):
        return "float"
    if isinstance(x, (list, tuple)):
        kinds = [kind_of(item) for item in x]
        return dtypes.promote(tuple(kinds)) if kinds else config.floatx()
    return to_tensor(x).dtype


def common(*xs: Value, floating: bool = False, dtype: str | None = None) -> list[Tensor]:
    """The values as tensors of their common dtype.

    Args:
        floating: the dtype is at least `floatx()`.
        dtype: a core dtype to use instead.
    """
    if dtype is None:
        kinds = tuple([kind_of(x) for x in xs])
        dtype = dtypes.promote((*kinds, "float") if floating else kinds)
    return [to_bool(x) if dtype == "bool" else to_tensor(x, dtype) for x in xs]


def floating(x: Value) -> Tensor:
    """The value as a float tensor: integers become `floatx()`."""
    tensor = to_tensor(x)
    return tensor if dtypes.is_float(tensor.dtype) else to_tensor(tensor, config.floatx())


def to_bool(x: Value) -> Tensor:
    """The value as bools: what is not zero is True."""
    tensor = to_tensor(x)
    if tensor.dtype == "bool":
        return tensor
    return cast(Tensor, emit("not_equal", tensor, number(0, tensor.dtype)))


def to_dtype(x: Value, dtype: Any) -> Tensor:
    """The value in a core dtype, given in any of its spellings."""
    name = dtypes.core_dtype(dtype)
    return to_bool(x) if name == "bool" else to_tensor(x, name)


def number(value: float, dtype: str) -> Tensor:
    """A scalar constant of the current trace."""
    trace = current.trace
    assert trace is not None
    return trace.constant(value, dtype)


def axis_of(axis: Any, ndim: int) -> int:
    """A non-negative axis.

    Raises:
        ValueError: out of range.
    """
    index = int(axis)
    if not -ndim <= index < ndim:
        raise ValueError(f"axis {axis} is out of bounds for a tensor of dimension {ndim}")
    return index + ndim if index < 0 else index


def axes_of(axis: Any, ndim: int) -> list[int]:
    """Sorted non-negative axes; all of them for None.

    Raises:
        ValueError: out of range or named twice.
    """
    if axis is None:
        return list(range(ndim))
    if isinstance(axis, (list, tuple)):
        axes = sorted(axis_of(a, ndim) for a in axis)
        if len(set(axes)) != len(axes):
            raise ValueError(f"duplicate value in `axis`: {axis}")
        return axes
    return [axis_of(axis, ndim)]


def reshaped(x: Tensor, shape: Any) -> Tensor:
    """Another shape of the same elements; no node where the shape is the same."""
    dims = [int(d) for d in shape]
    return x if tuple(dims) == x.shape else cast(Tensor, emit("reshape", x, shape=dims))


def broadcast(x: Tensor, shape: Any) -> Tensor:
    """The tensor repeated to a larger shape."""
    dims = [int(d) for d in shape]
    return x if tuple(dims) == x.shape else cast(Tensor, emit("broadcast_to", x, shape=dims))


def iota(shape: Any, axis: int, dtype: str) -> Tensor:
    """Positions along an axis."""
    return cast(Tensor, emit("iota", shape=[int(d) for d in shape], axis=axis, dtype=dtype))
