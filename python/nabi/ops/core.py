"""The basic functions of `nabi.ops`: conversion, casting, shapes, gradients, control flow."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from nabi import dtypes, tree
from nabi.ops import elementwise as e
from nabi.ops._dispatch import Value, op, to_dtype
from nabi.ops.layout import sliced
from nabi.ops.layout import stack as _stack
from nabi.trace import Array, KerasTensor, Tensor, Variable, admit, emit, to_tensor
from nabi.trace.graph import current


def _kept_in(x: Any, dtype: Any) -> Any:
    """Numbers as an Array of a dtype that the core lacks but NumPy has; None for other dtypes and traced values."""
    name = dtypes.standardize_dtype(dtype)
    if name in dtypes.CORE_DTYPES or current.trace is not None or isinstance(x, (Tensor, KerasTensor)):
        return None
    return np.asarray(convert_to_numpy(x)).astype(dtypes.storage_dtype(name)).view(Array)


def _at_the_edge(traced: Callable[..., Any]) -> Callable[..., Any]:
    """A cast that, outside of a trace, also gives arrays of dtypes that the core lacks."""

    @functools.wraps(traced)
    def call(x: Any, dtype: Any) -> Any:
        kept = _kept_in(x, dtype)
        return traced(x, dtype) if kept is None else kept

    return call


@_at_the_edge
@op
def cast(x: Value, dtype: Any) -> Value:
    """x in another dtype; floats lose their fraction when they become integers, what is not 0 becomes True.

    Outside of a trace float16, bfloat16 (with the package ml_dtypes) and the narrow integers are kept too, though
    everything is computed in the core's dtypes.
    """
    return to_dtype(x, dtype)


@op
def saturate_cast(x: Value, dtype: Any) -> Value:
    """`cast`, with numbers beyond the dtype's range set to its ends."""
    name = dtypes.core_dtype(dtype)
    tensor = to_tensor(x)
    if name in ("uint8", "int32", "int64") and dtypes.RANK[tensor.dtype] > dtypes.RANK[name]:
        info = np.iinfo(name)
        low, high = float(info.min), float(info.max)
        if tensor.dtype == "float32" and name != "uint8":
            high = float(np.nextafter(np.float32(high), np.float32(0)))
        return to_dtype(e.clip(tensor, low if dtypes.is_float(tensor.dtype) else info.min, high), name)
    return to_dtype(tensor, name)


def convert_to_tensor(x: Value, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None) -> Any:
    """x as a tensor: a Tensor inside a trace, an Array outside; symbolic tensors stay symbolic.

    Args:
        x: number, array, variable, tensor or nested list.
        dtype: Keras name; None keeps it, with 64-bit data of NumPy and Python becoming 32-bit.
        sparse, ragged: must not be True.

    Raises:
        NotImplementedError: inside a trace a dtype the core does not have; a sparse or ragged tensor.
    """
    if sparse or ragged:
        raise NotImplementedError("Nabi has dense tensors only: `sparse` and `ragged` must not be True.")
    kept = None if dtype is None else _kept_in(x, dtype)
    if kept is not None:
        return kept
    name = None if dtype is None else dtypes.core_dtype(dtype)
    if isinstance(x, KerasTensor):
        return x if name is None or name == x.dtype else cast(x, name)
    if isinstance(x, Tensor) or current.trace is not None:
        tensor = to_tensor(x)
        return tensor if name is None else to_dtype(tensor, name)
    array = x._core.read().view(Array) if isinstance(x, Variable) else np.asarray(x)
    if name is not None:
        return np.asarray(array, dtypes.numpy_dtype(name)).view(Array)
    if isinstance(x, (bool, int, float, np.generic, list, tuple)):
        return array.astype(dtypes.fed_dtype(array.dtype)).view(Array)
    return admit(array if isinstance(x, (np.ndarray, Variable)) else np.array(array)).view(Array)


def convert_to_numpy(x: Value) -> Any:
    """The numbers as a plain ndarray; a copy of a variable's.

    Raises:
        TypeError: a traced tensor, which has none yet.
    """
    if isinstance(x, Variable):
        return x.numpy()
    return np.array(x) if not isinstance(x, np.ndarray) else x.view(np.ndarray)


def is_tensor(x: Any) -> bool:
    """Whether x is a tensor: traced, or the result of an op."""
    return isinstance(x, (Tensor, Array))


def shape(x: Value) -> tuple[Any, ...]:
    """The shape as a tuple: ints inside a trace and of arrays, None for what a symbolic tensor does not know."""
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def dtype(x: Value) -> str:
    """The Keras name of the dtype."""
    return dtypes.standardize_dtype(x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype)


@op
def stop_gradient(variable: Value) -> Value:
    """The same numbers, as a constant for `gradients`."""
    return emit("stop_gradient", to_tensor(variable))


def gradients(ys: Any, xs: Any, upstream: Any = None) -> list[Any]:
    """Derivatives of the sum of `ys` by each of `xs`, inside a trace (`train_step`, a layer's `call`).

    Args:
        ys: a scalar float tensor, or several.
        xs: variables or tensors that `ys` were computed from.
        upstream: for `ys` that are not scalars, one factor of each one's shape.

    Returns:
        A tensor for each of `xs`, None where `ys` do not depend on it. It may be differentiated again.

    Raises:
        RuntimeError: outside of a trace.
        ValueError: `ys` that are not scalars, without `upstream`.
    """
    trace = current.trace
    if trace is None:
        raise RuntimeError(
            "`gradients` works inside a traced function: in `train_step`, in a layer's `call`, or in a function "
            "decorated with `nabi.trace.eager`."
        )
    targets = [to_tensor(y) for y in (ys if isinstance(ys, (list, tuple)) else [ys])]
    sources = list(xs) if isinstance(xs, (list, tuple)) else [xs]
    flow = None
    if upstream is not None:
        given = upstream if isinstance(upstream, (list, tuple)) else [upstream]
        flow = [to_tensor(g, y.dtype) for g, y in zip(given, targets, strict=False)]
    else:
        for y in targets:
            if y.ndim:
                raise ValueError(f"gradients: requires a scalar, got shape {y.shape}; reduce it or pass `upstream`")
    found: list[Any] = list(trace.gradients(targets, sources, flow))
    return found


def _constant(x: Any) -> Any:
    """The number behind a value known in Python, else None."""
    if isinstance(x, (bool, int, float, np.generic)):
        return x
    if isinstance(x, np.ndarray) and x.ndim == 0:
        return x[()]
    if isinstance(x, Variable) and current.trace is None:
        return x.numpy()[()]
    return None


def cond(pred: Value, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """`true_fn()` if `pred` holds, else `false_fn()`.

    Of a traced `pred` both are computed and one is chosen, so both must give tensors of the same shapes, and what they
    assign to variables happens in any case.
    """
    known = _constant(pred)
    if known is not None:
        return true_fn() if known else false_fn()
    first, second = true_fn(), false_fn()
    return tree.map_structure(lambda a, b: None if a is None else e.where(pred, a, b), first, second)


def switch(index: Value, branches: Any, *operands: Any) -> Any:
    """`branches[index](*operands)`, the index kept within range. Of a traced index all are computed."""
    known = _constant(index)
    if known is not None:
        return branches[min(max(int(known), 0), len(branches) - 1)](*operands)
    results = [branch(*operands) for branch in branches]
    found = results[-1]
    for i in reversed(range(len(results) - 1)):
        found = tree.map_structure(lambda a, b, i=i: e.where(e.less_equal(index, i), a, b), results[i], found)
    return found


def fori_loop(lower: int, upper: int, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """`val = body_fun(i, val)` for i from `lower` to `upper - 1`; inside a trace the loop is unrolled."""
    val = init_val
    for i in range(int(lower), int(upper)):
        val = body_fun(i, val)
    return val


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """`loop_vars = body(*loop_vars)` while `cond(*loop_vars)` holds; returns them.

    Inside a trace the number of rounds must be known: either `cond` depends on Python numbers only, or
    `maximum_iterations` is given, and that many rounds are unrolled, those after the end changing nothing.

    Raises:
        NotImplementedError: a traced condition without `maximum_iterations`.
    """
    single = not isinstance(loop_vars, (list, tuple))
    state = (loop_vars,) if single else tuple(loop_vars)
    count = 0
    while maximum_iterations is None or count < maximum_iterations:
        holds = cond(*state)
        known = _constant(holds)
        if known is None and maximum_iterations is None:
            raise NotImplementedError(
                "`while_loop` inside a traced function requires `maximum_iterations` or a condition on Python numbers."
            )
        if known is not None and not known:
            break
        after = body(*state)
        after = tuple(after) if isinstance(after, (list, tuple)) else (after,)
        if known is None:
            after = tree.map_structure(lambda a, b, h=holds: e.where(h, a, b), after, state)
        state, count = after, count + 1
    return state[0] if single else (list(state) if isinstance(loop_vars, list) else state)


def _rows(xs: Any, i: int) -> Any:
    return tree.map_structure(lambda x: x[i], xs)


def _leading(xs: Any) -> int:
    return int(shape(tree.flatten(xs)[0])[0])


def map(f: Callable[..., Any], xs: Any) -> Any:  # noqa: A001 - Keras's name
    """`f` of each slice along axis 0, stacked; unrolled."""
    results = [f(_rows(xs, i)) for i in range(_leading(xs))]
    return tree.map_structure(lambda *rows: _stack(list(rows), axis=0), *results)


def vectorized_map(function: Callable[..., Any], elements: Any) -> Any:
    """The same as `map`."""
    return map(function, elements)


def scan(
    f: Callable[..., Any], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False, unroll: Any = 1
) -> tuple[Any, Any]:
    """`carry, y = f(carry, x)` over the slices of axis 0; returns the last carry and the ys stacked. Unrolled."""
    if xs is None and length is None:
        raise ValueError("Got no `xs` to scan over and `length` not provided.")
    count = int(length) if xs is None or length is not None else _leading(xs)  # type: ignore[arg-type]
    carry, outputs = init, []
    for i in reversed(range(count)) if reverse else range(count):
        carry, y = f(carry, None if xs is None else _rows(xs, i))
        outputs.append(y)
    outputs = outputs[::-1] if reverse else outputs
    if not outputs or outputs[0] is None:
        return carry, None
    return carry, tree.map_structure(lambda *rows: _stack(list(rows), axis=0), *outputs)


def associative_scan(f: Callable[..., Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Running results of an associative `f(a, b)` along an axis; unrolled."""
    flat = tree.flatten(elems)
    count = int(shape(flat[0])[axis])

    def part(x: Any, i: int) -> Any:
        return _part(x, i, axis)

    order = list(reversed(range(count))) if reverse else list(range(count))
    carry = tree.map_structure(lambda x: part(x, order[0]), elems)
    results = [carry]
    for i in order[1:]:
        carry = f(carry, tree.map_structure(lambda x, i=i: part(x, i), elems))
        results.append(carry)
    results = results[::-1] if reverse else results
    return tree.map_structure(lambda *rows: _joined(list(rows), axis=axis), *results)


@op
def _part(x: Value, i: int, axis: int) -> Value:
    tensor = to_tensor(x)
    at = axis % tensor.ndim
    return sliced(tensor, at, i, i + 1)


@op
def _joined(xs: Any, axis: int) -> Value:
    from nabi.ops.layout import concatenate

    return concatenate(xs, axis=axis)


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Not available: `f` must return a value and the function of its gradient.

    Raises:
        NotImplementedError: always; write the value with ops that have the wanted gradient, for example
            `x + stop_gradient(f(x) - x)` for a gradient of 1.
    """
    raise NotImplementedError(
        "`custom_gradient` is not available. Compose the value from ops with the wanted gradient, for example "
        "x + stop_gradient(f(x) - x) for the gradient of x."
    )
