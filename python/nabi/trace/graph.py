"""Tracing: code on tensors becomes a graph of the core, and the graph a program."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nabi import _core, config, dtypes
from nabi.trace.pressure import new_variable
from nabi.trace.tensor import Tensor

if TYPE_CHECKING:
    from nabi.trace.variable import Variable


class _Current(threading.local):
    """The trace that this thread is in; None outside any, and while tracing is suspended."""

    trace: Trace | None = None


current = _Current()


def current_trace() -> Trace | None:
    """The innermost trace of this thread, or None outside any."""
    return current.trace


@contextlib.contextmanager
def suspended() -> Iterator[None]:
    """Leaves the current trace for a while, so that ops on arrays run at once (building weights inside a trace)."""
    outer = current.trace
    current.trace = None
    try:
        yield
    finally:
        current.trace = outer


class Trace:
    """A graph in the making. `with Trace() as t:` makes it current for the thread; traces may be nested.

    Inside, a variable is a value: `read` gives its current one, `assign` binds another, and what is bound at the end
    is written back when the program has run.

    Args:
        scratch: True for a graph that only serves to learn shapes and dtypes.

    Attributes:
        graph: the core's graph.
        scratch: see above.
        free_size: in a scratch graph, what stands for a dimension that is not known.
        free_axes: whether others than the first axis of an input are not known.
    """

    def __init__(self, scratch: bool = False) -> None:
        self.graph = _core.Graph()
        self.scratch = scratch
        self.free_size: int | None = None
        self.free_axes = False
        self._slots: list[Variable | _Constant] = []
        self._slot_of: dict[int, int] = {}  # id(variable) -> slot
        self._bound: list[list[Tensor]] = []  # per slot: the values it had, the current one last
        self._inputs = 0
        self._constants: dict[int, tuple[Any, Tensor]] = {}
        self._own_gradients: list[_OwnGradient] = []
        self._outer: list[Trace | None] = []

    def __enter__(self) -> Trace:
        self._outer.append(current.trace)
        current.trace = self
        return self

    def __exit__(self, *exc: object) -> None:
        current.trace = self._outer.pop()

    @property
    def variables(self) -> list[Variable]:
        """The variables read or assigned so far, in slot order."""
        return [slot for slot in self._slots if not isinstance(slot, _Constant)]

    @property
    def assigned(self) -> list[Variable]:
        """The variables that a run of the program will change."""
        return [
            slot
            for slot, values in zip(self._slots, self._bound, strict=False)
            if not isinstance(slot, _Constant) and values[-1]._id != values[0]._id
        ]

    def _wrap(self, value_id: int) -> Tensor:
        dtype, shape = self.graph.type(value_id)
        return Tensor(self, value_id, shape, dtype)

    def emit(self, op: str, inputs: Sequence[Tensor], attrs: dict[str, Any]) -> list[Tensor]:
        """Adds a node; returns all its outputs."""
        for tensor in inputs:
            if tensor._trace is not self:
                raise TypeError(
                    f"{op}: a tensor of shape {tensor.shape} was used outside of the traced call that made it. "
                    "Return it from that call instead of keeping it, or keep its value in a nabi.Variable."
                )
        wrap = self._wrap
        return [wrap(i) for i in self.graph.add(op, [tensor._id for tensor in inputs], attrs)]

    def input(self, shape: Sequence[int], dtype: str) -> Tensor:
        """The next input of the program."""
        shape = tuple(shape)
        tensor = Tensor(self, self.graph.input(self._inputs, dtype, shape), shape, dtype)
        self._inputs += 1
        return tensor

    def _slot(self, variable: Variable | _Constant) -> int:
        slot = self._slot_of.get(id(variable))
        if slot is None:
            slot = len(self._slots)
            self._slots.append(variable)
            self._slot_of[id(variable)] = slot
            core = variable._core
            value_id = self.graph.variable(slot, core.dtype, core.shape)
            self._bound.append([Tensor(self, value_id, core.shape, core.dtype)])
        return slot

    def read(self, variable: Variable) -> Tensor:
        """The variable's current value: its state at the start of a run, or what was last assigned in this trace."""
        return self._bound[self._slot(variable)][-1]

    def assign(self, variable: Variable, tensor: Tensor) -> None:
        """Binds a value of the variable's shape and dtype to it.

        Raises:
            ValueError: another shape or dtype.
        """
        slot = self._slot(variable)
        if tensor.shape != variable.shape or tensor.dtype != variable._core.dtype:
            raise ValueError(
                f"assign: requires shape {variable.shape} and dtype {variable._core.dtype} for {variable.path}, "
                f"got {tensor.shape} and {tensor.dtype}"
            )
        if tensor._trace is not self:
            raise TypeError(f"assign: the value for {variable.path} belongs to another trace")
        self._bound[slot].append(tensor)

    def was_assigned(self, variable: Variable) -> bool:
        """Whether this trace has bound a value to the variable."""
        slot = self._slot_of.get(id(variable))
        return slot is not None and len(self._bound[slot]) > 1

    def constant(self, value: Any, dtype: str | None = None) -> Tensor:
        """A constant: numbers are written into the graph, arrays are kept beside it.

        Args:
            value: a number or array.
            dtype: core dtype; from the value when None.
        """
        if not isinstance(value, np.ndarray):
            value = np.asarray(value)
            known = None
        else:
            known = self._constants.get(id(value))
            if known is not None and (dtype is None or known[1].dtype == dtype):
                return known[1]
        name = dtype or dtypes.fed_dtype(value.dtype)
        if value.ndim == 0 and (name != "int64" or abs(int(value)) < 2**53):
            value_id = self.graph.constant(float(value), name)
            return Tensor(self, value_id, (), name)
        hidden = _Constant(np.asarray(value, dtypes.numpy_dtype(name), order="C"))
        tensor = self._bound[self._slot(hidden)][-1]
        if known is None:
            self._constants[id(value)] = (value, tensor)
        return tensor

    def gradients(
        self, ys: Tensor | Sequence[Tensor], xs: Sequence[Variable | Tensor], upstream: Sequence[Tensor] | None = None
    ) -> list[Tensor | None]:
        """Derivatives of the sum of `ys` (scalars, unless `upstream` gives one factor of each one's shape).

        Args:
            ys: float tensors of this trace.
            xs: variables (the value they last had that `ys` depend on) or tensors.
            upstream: what flows into each of `ys`.

        Returns:
            For each of `xs` a tensor of its shape, or None where `ys` do not depend on it.
        """
        targets = [ys] if isinstance(ys, Tensor) else list(ys)
        wanted = [[x] if isinstance(x, Tensor) else self._bound[self._slot(x)][::-1] for x in xs]
        flat = [value._id for values in wanted for value in values]
        flow = None if upstream is None else [tensor._id for tensor in upstream]
        found = iter(self._flow([y._id for y in targets], flat, flow))
        grads: list[Tensor | None] = []
        for values in wanted:
            ids = [i for i in [next(found) for _ in values] if i >= 0]
            grads.append(self._wrap(ids[0]) if ids else None)
        return grads

    def _flow(self, ys: list[int], xs: list[int], upstream: list[int] | None) -> list[int]:
        """The core's gradients, interrupted where a call brings a gradient of its own; -1 where nothing flows.

        Such a call's outputs are cut from its inputs. What flows into them is found first, from the last call to the
        first, and what the call's own function makes of it then flows on from the inputs.
        """
        calls = list(self._own_gradients)
        ends = [i for call in calls for i in call.outputs]
        total = self.graph.gradients(ys, xs + ends, upstream)
        for at in reversed(range(len(calls))):
            call = calls[at]
            reached = len(xs) + sum(len(other.outputs) for other in calls[:at])
            flowing = total[reached : reached + len(call.outputs)]
            if all(i < 0 for i in flowing):
                continue
            filled = [
                self._zeros(end) if i < 0 else self._wrap(i) for end, i in zip(call.outputs, flowing, strict=True)
            ]
            made = call.flow(filled)
            pairs = [(x, g) for x, g in zip(call.inputs, made, strict=True) if g is not None]
            if not pairs:
                continue
            sources = xs + ends[: reached - len(xs)]
            for i, more in enumerate(self.graph.gradients([x for x, _ in pairs], sources, [g._id for _, g in pairs])):
                if more >= 0:
                    total[i] = more if total[i] < 0 else self.graph.add("add", [total[i], more], {})[0]
        return total[: len(xs)]

    def _zeros(self, value_id: int) -> Tensor:
        dtype, shape = self.graph.type(value_id)
        zero = self.graph.constant(0.0, dtype)
        return self._wrap(self.graph.add("broadcast_to", [zero], {"shape": list(shape)})[0] if shape else zero)

    def with_gradient(
        self,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        flow: Callable[[list[Tensor]], list[Tensor | None]],
    ) -> list[Tensor]:
        """The outputs of a call whose gradient is not that of its ops.

        Args:
            inputs, outputs: of the call.
            flow: from what flows into the (float) outputs to what flows into each of the inputs.
        """
        number = len(self._own_gradients) + 1
        ends = [self._wrap(self.graph.add("stop_gradient", [y._id], {"call": number})[0]) for y in outputs]
        floats = [i for i, y in enumerate(outputs) if dtypes.is_float(y.dtype)]

        def all_flow(upstream: list[Tensor]) -> list[Tensor | None]:
            filled = [self._zeros(end._id) for end in ends]
            for i, tensor in zip(floats, upstream, strict=True):
                filled[i] = tensor
            return flow(filled)

        own = _OwnGradient([x._id for x in inputs], [ends[i]._id for i in floats], all_flow)
        self._own_gradients.append(own)
        return ends

    def bindings(self) -> dict[int, Tensor]:
        """The current value of each slot, for `rebind`."""
        return {slot: values[-1] for slot, values in enumerate(self._bound)}

    def initial(self, slot: int) -> Tensor:
        """The value that a slot has at the start of a run."""
        return self._bound[slot][0]

    def rebind(self, before: dict[int, Tensor]) -> dict[int, Tensor]:
        """Goes back to earlier values; returns, by slot, those that were assigned since."""
        found: dict[int, Tensor] = {}
        for slot, values in enumerate(self._bound):
            start = before.get(slot, values[0])
            if values[-1]._id != start._id:
                found[slot] = values[-1]
                values.append(start)
        return found

    def bind_slot(self, slot: int, tensor: Tensor) -> None:
        """Binds a value to the variable of a slot."""
        self._bound[slot].append(tensor)

    def set_layer(self, name: str) -> None:
        """Names the layer whose nodes follow, for messages of the core."""
        self.graph.set_layer(name)

    def compile(self, outputs: Sequence[Tensor], arena: _core.Arena | None = None) -> _core.Program:
        """The program that computes `outputs` and writes the assigned variables back.

        Args:
            outputs: what a run returns, in order.
            arena: working memory shared with other programs that never run at the same time.
        """
        self.graph.set_outputs([tensor._id for tensor in outputs])
        for slot, values in enumerate(self._bound):
            if values[-1]._id != values[0]._id:
                self.graph.set_update(slot, values[-1]._id)
        return _core.Program(self.graph, [slot._core for slot in self._slots], arena)


class _OwnGradient(NamedTuple):
    """A call whose gradient a function of Python gives: ids of its inputs and float outputs, and that function."""

    inputs: list[int]
    outputs: list[int]
    flow: Callable[[list[Tensor]], list[Tensor | None]]


class _Constant:
    """An array that a graph uses: a variable that nobody sees or writes."""

    __slots__ = ("_core",)

    def __init__(self, value: np.ndarray[Any, Any]) -> None:
        self._core = new_variable(value)


def emit(op: str, *tensors: Tensor, **attrs: Any) -> Any:
    """Adds a node to the current trace: the only way from Python into a graph.

    Returns:
        A Tensor, or a tuple of them for an op with several outputs.
    """
    trace = tensors[0]._trace if tensors else current.trace
    if trace is None:
        raise RuntimeError(f"{op}: no program is being traced")
    if trace is not current.trace:
        raise TypeError(
            f"{op}: a tensor of shape {tensors[0].shape} was used outside of the traced call that made it. "
            "Return it from that call instead of keeping it, or keep its value in a nabi.Variable."
        )
    found = trace.emit(op, tensors, attrs)
    return found[0] if len(found) == 1 else tuple(found)


def to_tensor(x: Any, dtype: str | None = None) -> Tensor:
    """A value of the current trace from a tensor, variable, number, array or nested list of them.

    Args:
        x: the value.
        dtype: core dtype to cast to; None keeps it, with 64-bit arrays entering as 32-bit ones and Python numbers as
            int32, bool or `floatx()`.

    Raises:
        TypeError: not a value, or a symbolic tensor.
    """
    if type(x) is Tensor:
        found: Tensor = x if dtype is None or x.dtype == dtype else emit("cast", x, dtype=dtype)
        return found
    trace = current.trace
    if trace is None:
        raise RuntimeError("to_tensor: no program is being traced")
    if isinstance(x, bool):
        return trace.constant(x, dtype or "bool")
    if isinstance(x, (int, np.integer)):
        return trace.constant(x, dtype or "int32")
    if isinstance(x, (float, np.floating)):
        return trace.constant(float(x), dtype or config.floatx())
    if isinstance(getattr(x, "_core", None), _core.Variable):
        return to_tensor(trace.read(x), dtype)
    if hasattr(x, "_keras_history"):
        raise TypeError(
            "A KerasTensor is symbolic: it stands for a shape and a dtype and has no value, so it cannot be used "
            "inside a traced call. Pass it to the layer or model as an input."
        )
    if isinstance(x, (list, tuple)) and any(isinstance(item, Tensor) for item in _leaves(x)):
        parts = [to_tensor(item, dtype) for item in x]
        common = dtype or dtypes.promote(tuple(part.dtype for part in parts))
        rows = [emit("reshape", to_tensor(part, common), shape=[1, *part.shape]) for part in parts]
        joined: Tensor = emit("concat", *rows, axis=0) if len(rows) > 1 else rows[0]
        return joined
    from nabi.trace.eager import admit

    array = x if isinstance(x, np.ndarray) else np.asarray(x)
    if dtype is None:
        array_dtype = dtypes.NUM_TO_NAME[admit(array).dtype.num] if array.size else dtypes.fed_dtype(array.dtype)
        return trace.constant(array, array_dtype)
    return trace.constant(array, dtype)


def _leaves(x: Any) -> Iterator[Any]:
    if isinstance(x, (list, tuple)):
        for item in x:
            yield from _leaves(item)
    else:
        yield x
