"""What surrounds a layer's `call`: its arguments, shapes for `build`, the context of nested calls, its errors."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from nabi import _core, config, tree
from nabi.trace import Array, KerasTensor, Tensor, Variable, current_trace
from nabi.trace.eager import admit

if TYPE_CHECKING:
    from nabi.layers.layer import Layer


def is_tensor(x: Any) -> bool:
    """Whether a value can be a layer's input: traced, symbolic, an array or a Variable."""
    return isinstance(x, (Tensor, np.ndarray, KerasTensor, Variable))


class CallSpec:
    """The arguments of one call, by name.

    Attributes:
        user: arguments that the caller gave, by name.
        arguments: all of them, defaults included.
        tensors: those that are tensors or nested tensors.
        nested: names of those in `tensors` that are nested.
        first: the first argument.

    Raises:
        ValueError: an argument mixes tensors and other values. TypeError: the arguments do not fit the signature.
    """

    def __init__(
        self, signature: inspect.Signature, context_args: Iterable[str], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        unknown = [name for name in context_args if name in kwargs and name not in signature.parameters]
        foreign = {name: kwargs.pop(name) for name in unknown}
        bound = signature.bind(*args, **kwargs)
        self.user: dict[str, Any] = {**foreign, **bound.arguments}
        bound.apply_defaults()
        self.arguments: dict[str, Any] = dict(bound.arguments)
        self.tensors: dict[str, Any] = {}
        self.nested: list[str] = []
        for name, value in self.arguments.items():
            if is_tensor(value):
                self.tensors[name] = value
            elif tree.is_nested(value) and len(value) > 0:
                leaves = tree.flatten(value)
                if all(x is None or is_tensor(x) for x in leaves):
                    self.tensors[name] = value
                    self.nested.append(name)
                elif any(is_tensor(x) for x in leaves):
                    raise ValueError(
                        "In a nested call() argument, you cannot mix tensors and non-tensors. Received invalid mixed "
                        f"argument: {name}={value}"
                    )
        self.first: Any = next(iter(self.arguments.values())) if self.arguments else None

    def shapes(self) -> dict[str, Any]:
        """`{"inputs_shape": (None, 4)}` for each tensor argument but masks and catch-alls."""
        found: dict[str, Any] = {}
        for name, value in self.tensors.items():
            if name in ("mask", "args", "kwargs"):
                continue
            if name in self.nested:
                found[f"{name}_shape"] = tree.map_structure(lambda x: None if x is None else tuple(x.shape), value)
            else:
                found[f"{name}_shape"] = tuple(value.shape)
        return found


def shapes_for(method: Callable[..., Any], shapes: dict[str, Any], spec: CallSpec, class_name: str) -> dict[str, Any]:
    """The keyword arguments to call `build` or `compute_output_shape` with.

    A method of one argument gets the first shape; one of several gets, by name, `foo_shape` for call's `foo`.

    Raises:
        ValueError: an argument of the method names no argument of `call`.
    """
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.KEYWORD_ONLY)
    expected = [name for name, p in inspect.signature(method).parameters.items() if p.kind in kinds]
    if len(expected) == 1:
        return {expected[0]: next(iter(shapes.values()), None)}
    found: dict[str, Any] = {}
    for name in expected:
        start = (
            f"For a `{method.__name__}()` method with more than one argument, all arguments should have a `_shape` "
            f"suffix and match an argument from `call()`. E.g. `{method.__name__}(self, foo_shape, bar_shape)` "
        )
        if not name.endswith("_shape"):
            raise ValueError(
                f"{start} For layer '{class_name}', Received `{method.__name__}()` argument `{name}`, which does not "
                "end in `_shape`."
            )
        argument = name.removesuffix("_shape")
        if argument not in spec.arguments:
            raise ValueError(
                f"{start} For layer '{class_name}', received `{method.__name__}()` argument `{name}`, but `call()` "
                f"does not have argument `{argument}`."
            )
        if name in shapes:
            found[name] = shapes[name]
    return found


def recorded_shapes(shapes: Any) -> Any:
    """Shapes as a build config keeps them: None again where a scratch graph has a number in its place."""
    trace = current_trace()
    size = trace.free_size if trace is not None else None
    if trace is None or size is None:
        return shapes
    axes = -1 if trace.free_axes else 1  # the last axis is a number of features

    def restored(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        open_axes = len(shape[:axes]) or 1
        return tuple(None if i < open_axes and dim == size else dim for i, dim in enumerate(shape))

    try:
        return tree.map_shape_structure(restored, shapes)
    except ValueError:
        return shapes  # something else than shapes


def build_by_call(layer: Layer, shapes: dict[str, Any]) -> None:
    """Builds a layer without a `build` of its own, and those inside it, by a symbolic call that is not recorded.

    Args:
        layer: not built.
        shapes: of the arguments of `call`: `{"x_shape": (None, 4)}`, or one shape of any name for the first.
    """
    inputs = {name: tree.map_shape_structure(KerasTensor, shape) for name, shape in shapes.items()}
    recorded = len(layer._inbound_nodes)
    try:
        if len(inputs) == 1:
            layer(*inputs.values())
        else:
            layer(**{name.removesuffix("_shape"): x for name, x in inputs.items()})
    finally:
        del layer._inbound_nodes[recorded:]  # the calls of a functional model are counted


class CallContext:
    """What nested calls share: the outermost layer, and the values of arguments such as `training`."""

    def __init__(self, entry: Layer) -> None:
        self.entry = entry
        self.values: dict[str, Any] = {}


class _Local(threading.local):
    context: CallContext | None = None
    layer: str = ""  # the name that nodes of the current trace carry


_local = _Local()


class Losses:
    """How many losses layers have been given so far: a layer that saw none since it was last cleared has none."""

    added = 0


class QuickCall:
    """The program of a call on one array that gives one array, without masks and losses.

    Attributes:
        program: the core's program.
        spec: the layer's `input_spec`, which the array was checked against.
        cleared: `Losses.added` when the losses of the layers were last cleared.
    """

    __slots__ = ("cleared", "program", "spec")

    def __init__(self, program: _core.Program, spec: Any) -> None:
        self.program = program
        self.spec = spec
        self.cleared = -1


def array_key(layer: Layer, x: np.ndarray[Any, Any]) -> Any:
    """All that the program of a call on one array depends on."""
    return (layer.version, config.generation, type(x), x.dtype, x.shape)


def quick_call(layer: Layer, key: Any) -> _core.Program | None:
    """The program for a call that is like an earlier one; the layers' losses are cleared, as by every call."""
    quick = layer._eager.quick.get(key) if layer._eager is not None else None
    if quick is None or quick.spec is not layer._input_spec:
        return None
    if quick.cleared != Losses.added:
        quick.cleared = Losses.added
        layer._clear_losses()
    program: _core.Program = quick.program
    return program


def note_quick_call(layer: Layer, key: Any, given: Any, outputs: Any, arguments: tuple[Any, ...]) -> None:
    """Lets later calls with this key run the program at once, if its array goes in and comes out as it is.

    Args:
        layer: the layer that was called.
        key: of the call.
        given: the array that the user gave.
        outputs: what the call returned.
        arguments: of the layer's cached call, the array as the program took it first.
    """
    taken = arguments[0][0]
    plain = type(outputs) is Array and outputs._keras_mask is None and not layer._losses
    if layer._eager is None or not plain or not admit(given).dtype == given.dtype == taken.dtype:
        return
    program = layer._eager.program(*arguments)
    if program is not None:
        layer._eager.quick[key] = QuickCall(program, layer._input_spec)


def outside() -> bool:
    """Whether neither a trace nor the call of a layer is going on in this thread."""
    return _local.context is None and current_trace() is None


def enter_context(layer: Layer) -> tuple[CallContext, bool]:
    """The open call context, and whether it was opened now, with `layer` as the outermost one."""
    context = _local.context
    if context is not None:
        return context, False
    context = _local.context = CallContext(layer)
    return context, True


def leave_context() -> None:
    """Closes the call context; called by the layer that opened it."""
    _local.context = None


class naming:
    """`with naming("dense"):` nodes added to the current trace carry this layer's name."""

    __slots__ = ("_before", "_name")

    def __init__(self, name: str) -> None:
        self._name = name
        self._before = ""

    def __enter__(self) -> None:
        trace = current_trace()
        self._before = _local.layer
        if trace is not None:
            _local.layer = self._name
            trace.set_layer(self._name)

    def __exit__(self, *_: object) -> None:
        trace = current_trace()
        _local.layer = self._before
        if trace is not None:
            trace.set_layer(self._before)


def explained(error: Exception, call: Callable[..., Any], owner: str, args: Any, kwargs: Any) -> Exception | None:
    """The error with the call's arguments added to its message, as Keras words it; None to raise the original."""
    if not config.is_traceback_filtering_enabled() or hasattr(error, "_keras_call_info_injected"):
        return None
    signature = inspect.signature(call)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return None
    lines = []
    for parameter in signature.parameters.values():
        if parameter.name in bound.arguments:
            value = tree.map_structure(_described, bound.arguments[parameter.name])
        else:
            value = parameter.default
        lines.append(f"  • {parameter.name}={value}")
    if not lines:
        return None
    message = error.args[0] if error.args else ""
    name = f"{owner}.call()"
    listing = "\n".join(lines)
    text = (
        f"Exception encountered when calling {name}.\n\n\x1b[1m{message}\x1b[0m\n\n"
        f"Arguments received by {name}:\n{listing}"
    )
    try:
        wrapped: Exception = type(error)(text)
    except TypeError:
        wrapped = RuntimeError(text)
    wrapped._keras_call_info_injected = True  # type: ignore[attr-defined]
    return wrapped


def _described(value: Any) -> str:
    if is_tensor(value):
        dtype = value.dtype if isinstance(value.dtype, str) else value.dtype.name
        return f"{type(value).__name__}(shape={tuple(value.shape)}, dtype={dtype})"
    return repr(value)
