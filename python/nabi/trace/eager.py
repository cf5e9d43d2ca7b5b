"""Running functions on tensors at once, on arrays, through cached programs."""

from __future__ import annotations

import functools
import itertools
import weakref
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from nabi import _core, config, dtypes, tree
from nabi.names import on_clear_session
from nabi.trace.graph import Trace, current, suspended, to_tensor
from nabi.trace.tensor import Tensor

P = ParamSpec("P")
R = TypeVar("R")


class Array(np.ndarray[Any, Any]):
    """What a call outside of a trace returns: an ndarray with `.numpy()`."""

    _keras_mask: Any = None
    _keras_logits: Any = None

    def numpy(self) -> np.ndarray[Any, Any]:
        """The same numbers as a plain ndarray, not copied."""
        return self.view(np.ndarray)


_NATIVE = frozenset(dtypes.NUM_TO_NAME)
_WIDE = frozenset(dtype.num for dtype in (np.dtype("int64"), np.dtype("float64"), np.dtype("longlong")))
_ATOMS = frozenset((int, float, bool, str, type(None)))


def admit(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array as a program takes it: dense, of a core dtype, 64-bit data narrowed unless it comes from Nabi itself.

    Raises:
        ValueError: an int64 array with numbers that int32 cannot hold.
        TypeError: data that is not numeric.
    """
    num = x.dtype.num
    if num not in _NATIVE or (num in _WIDE and type(x) is not Array):
        name = dtypes.fed_dtype(x.dtype)
        if name == "int32" and x.dtype.itemsize == 8 and x.size and (x.max() > 2**31 - 1 or x.min() < -(2**31)):
            raise ValueError(
                f"Integers from {x.min()} to {x.max()} do not fit int32, the dtype that integer data gets. "
                'Convert them first: nabi.ops.convert_to_tensor(x, dtype="int64").'
            )
        return x.astype(dtypes.numpy_dtype(name))
    if not x.flags.c_contiguous or not x.flags.aligned or not x.dtype.isnative:
        return np.array(x, dtype=x.dtype.newbyteorder("="), order="C")
    return x


class _Entry:
    __slots__ = ("program", "structure", "slots", "single", "used")

    def __init__(self, program: _core.Program, structure: Any, slots: list[Any], single: bool) -> None:
        self.program = program
        self.structure = structure
        self.slots = slots  # per leaf of the structure: _OUTPUT, or a value that does not depend on the inputs
        self.single = single
        self.used = 0


_OUTPUT = object()
_clock = itertools.count(1)
_caches: weakref.WeakSet[Cached] = weakref.WeakSet()


class Cached:
    """A function on tensors that may be called with arrays.

    Called outside of a trace it is traced once per static arguments, shapes and dtypes; later calls run the program.
    Arrays, variables (as values) and NumPy scalars in any nesting of lists, tuples and dicts become inputs; everything
    else is static and must be hashable. Variables that the function reads or assigns by itself belong to the program.

    Args:
        fn: takes and returns nested tensors.
        size: how many programs are kept, the most recently used ones.
        state: called at each call; its (hashable) result becomes part of the key, e.g. a layer's version.
        arena: called at each trace; gives the working memory to share.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        size: int = 16,
        state: Callable[[], Any] | None = None,
        arena: Callable[[], _core.Arena] | None = None,
    ) -> None:
        self.fn = fn
        self.size = size
        self._state = state
        self._arena = arena
        self._entries: dict[Any, _Entry] = {}
        self.quick: dict[Any, Any] = {}  # what callers that know their arguments keep besides; goes with the programs
        _caches.add(self)

    def _full_key(self, args: tuple[Any, ...], kwargs: dict[str, Any], inputs: list[np.ndarray[Any, Any]]) -> Any:
        """The key of a call; its arrays, as the program takes them, are added to `inputs`."""
        key: list[Any] = [config.generation]
        if self._state is not None:
            key.append(self._state())
        for arg in args:
            kind = type(arg)
            if kind is Array or kind is np.ndarray:
                num = arg.dtype.num
                if (
                    num not in _NATIVE
                    or (num in _WIDE and kind is not Array)
                    or not arg.flags.c_contiguous
                    or not arg.dtype.isnative
                ):
                    arg = admit(arg)
                    num = arg.dtype.num
                inputs.append(arg)
                key.append(num)
                key.append(arg.shape)
            elif kind in _ATOMS:
                key.append(kind)
                key.append(arg)
            else:
                key.append(_key(arg, inputs))
        if kwargs:
            key.append(tuple([(name, _key(kwargs[name], inputs)) for name in sorted(kwargs)]))
        return tuple(key)

    def program(self, *args: Any, **kwargs: Any) -> _core.Program | None:
        """The program of a call with these arguments that was made before and gave one tensor."""
        entry = self._entries.get(self._full_key(args, kwargs, []))
        return entry.program if entry is not None and sum(slot is _OUTPUT for slot in entry.slots) == 1 else None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        inputs: list[np.ndarray[Any, Any]] = []
        full = self._full_key(args, kwargs, inputs)
        try:
            entry = self._entries.get(full)
        except TypeError as error:
            raise TypeError(f"{_name(self.fn)}: cannot be run at once with these arguments: {error}") from None
        if entry is None:
            entry = self._trace(full, args, kwargs)
        entry.used = next(_clock)
        found = entry.program.call(inputs, Array)
        if entry.single:
            return found[0]
        left = iter(found)
        values = [next(left) if slot is _OUTPUT else slot for slot in entry.slots]
        return tree.pack_sequence_as(entry.structure, values)

    def clear(self) -> None:
        """Forgets all programs."""
        self._entries.clear()
        self.quick.clear()

    def _trace(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Entry:
        with Trace() as trace:

            def enter(x: Any) -> Any:
                if isinstance(x, (list, tuple)):
                    values = [enter(item) for item in x]
                    return type(x)(*values) if hasattr(x, "_fields") else type(x)(values)
                if isinstance(x, dict):
                    entered = {name: enter(x[name]) for name in sorted(x)}
                    return {name: entered[name] for name in x}
                array = _as_array(x)
                if array is None:
                    return x
                array = admit(array)
                tensor = trace.input(array.shape, dtypes.NUM_TO_NAME[array.dtype.num])
                tensor._keras_mask = None
                return tensor

            traced_args = [enter(arg) for arg in args]
            traced_kwargs = {name: enter(kwargs[name]) for name in sorted(kwargs)}
            result = self.fn(*traced_args, **traced_kwargs)
            leaves = tree.flatten(result)
            outputs: list[Tensor] = []
            slots: list[Any] = []
            for leaf in leaves:
                if isinstance(leaf, Tensor) or isinstance(getattr(leaf, "_core", None), _core.Variable):
                    outputs.append(to_tensor(leaf))
                    slots.append(_OUTPUT)
                else:
                    slots.append(leaf)
            program = trace.compile(outputs, self._arena() if self._arena is not None else None)
        structure = tree.map_structure(lambda _: None, result)
        single = not isinstance(result, (list, tuple, dict)) and bool(outputs)
        entry = _Entry(program, structure, slots, single)
        while len(self._entries) >= self.size:
            oldest = min(list(self._entries.items()), key=lambda item: item[1].used)[0]
            self._entries.pop(oldest, None)
            self.quick.clear()
        self._entries[key] = entry
        return entry


def _as_array(x: Any) -> np.ndarray[Any, Any] | None:
    """The array behind a value that becomes an input; None for static arguments."""
    if isinstance(x, np.ndarray):
        return x
    if isinstance(getattr(x, "_core", None), _core.Variable):
        return cast("np.ndarray[Any, Any]", x._core.view().view(Array))
    if isinstance(x, np.generic) and not isinstance(x, (str, bytes)):
        return None  # a NumPy scalar is a number
    if hasattr(x, "__array__") and not isinstance(x, (type, Tensor)):
        return np.asarray(x)
    return None


def _key(x: Any, inputs: list[np.ndarray[Any, Any]]) -> Any:
    """The hashable part of an argument; arrays found in it are added to `inputs`."""
    kind = type(x)
    if kind in _ATOMS:
        return (kind, x)
    if isinstance(x, (list, tuple)):
        return (kind, tuple([_key(item, inputs) for item in x]))
    if isinstance(x, dict):
        return (kind, tuple([(name, _key(x[name], inputs)) for name in sorted(x)]))
    if kind is slice:
        return (kind, _key(x.start, inputs), _key(x.stop, inputs), _key(x.step, inputs))
    array = _as_array(x)
    if array is None:
        return (kind, x)
    array = admit(array)
    inputs.append(array)
    return (array.dtype.num, array.shape)


def _name(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__name__", type(fn).__name__)


def eager(fn: Callable[P, R]) -> Callable[P, R]:
    """Decorates a function on tensors: called outside of a trace it runs at once, inside it is traced."""
    cached = Cached(fn, size=256)

    @functools.wraps(fn)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if current.trace is not None:
            return fn(*args, **kwargs)
        return cast(R, cached(*args, **kwargs))

    call.cached = cached  # type: ignore[attr-defined]
    return call


_by_function: dict[Any, Cached] = {}


def run_eagerly_cached(fn: Callable[..., Any], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
    """Runs a function on tensors with arrays, keeping its programs for later calls with the same `fn`."""
    cached = _by_function.get(fn)
    if cached is None:
        if len(_by_function) >= 256:
            _by_function.pop(next(iter(_by_function)))
        cached = _by_function[fn] = Cached(fn)
    with suspended():
        return cached(*args, **(kwargs or {}))


@on_clear_session
def clear_caches() -> None:
    """Forgets the programs of all eager calls."""
    _by_function.clear()
    for cached in list(_caches):
        cached.clear()
