"""Control flow of `nabi.ops`: choices, loops, scans, and functions with a gradient of their own.

A program has no jumps: inside a trace a loop is unrolled (about 30 microseconds and a few nodes a round for a small
body), so its number of rounds must be known then, and of a choice both sides are computed.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from nabi import dtypes, tree
from nabi.ops import elementwise as e
from nabi.ops._dispatch import Value, Values, symbolic, symbolic_of, to_dtype
from nabi.ops.core import convert_to_tensor, shape
from nabi.ops.indexing import get_item
from nabi.ops.layout import concatenate, flip, reshape, stack, unstack
from nabi.trace import Tensor, Variable, to_tensor
from nabi.trace.graph import current


def _constant(x: Any) -> Any:
    """The number behind a value known in Python, else None."""
    if isinstance(x, (bool, int, float, np.generic)):
        return x
    if isinstance(x, np.ndarray) and x.size == 1:
        return x.reshape(())[()]
    if isinstance(x, Variable) and current.trace is None:
        return x.numpy().reshape(())[()]
    return None


def _count(x: Any, argument: str, name: str) -> int:
    """A number of rounds.

    Raises:
        NotImplementedError: it is known only when the program runs.
    """
    known = _constant(x)
    if known is None:
        raise NotImplementedError(
            f"`{name}` inside a traced function is unrolled, so `{argument}` must be a number, an array or a dimension "
            f"that is known when the function is traced. Received: {argument}={x}"
        )
    return int(known)


def _functions(name: str, **functions: Any) -> None:
    for argument, function in functions.items():
        if not callable(function):
            raise TypeError(f"`{name}` requires `{argument}` to be callable. Received: {argument}={function}")


# ---------------------------------------------------------------------------------------------------------------------
# Choices
# ---------------------------------------------------------------------------------------------------------------------
def _chosen(holds: Any, first: Callable[[], Any], second: Callable[[], Any], name: str) -> Any:
    """Both results, one of them selected leaf by leaf; so are the values they assign to variables."""
    trace = current.trace
    if trace is None:
        one, other = first(), second()
    else:
        before = trace.bindings()
        one = first()
        after_one = trace.rebind(before)
        other = second()
        after_other = trace.rebind(before)
        for slot in {**after_one, **after_other}:
            start = before.get(slot) or trace.initial(slot)
            trace.bind_slot(slot, e.where(holds, after_one.get(slot, start), after_other.get(slot, start)))
    try:
        tree.assert_same_structure(one, other)
    except (ValueError, TypeError) as error:
        raise TypeError(f"`{name}`: the functions must return the same structure. {error}") from None

    def select(a: Any, b: Any) -> Any:
        if a is None and b is None:
            return None
        if a is None or b is None or shape(a) != shape(b):
            raise TypeError(f"`{name}`: the functions must return values of the same shapes. Received: {a} and {b}")
        return e.where(holds, a, b)

    return tree.map_structure(select, one, other)


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """`true_fn()` if `pred` holds, else `false_fn()`.

    Of a traced `pred` both are computed and one is chosen, of the results and of what they assign to variables. Both
    must give tensors of the same shapes; a NaN in the gradient of the side that is not chosen reaches the sum, as it
    does with `where`.

    Raises:
        TypeError: a function is not callable, or they return different structures or shapes.
    """
    _functions("cond", true_fn=true_fn, false_fn=false_fn)
    known = _constant(pred)
    if known is not None:
        return true_fn() if known else false_fn()
    return _chosen(pred, true_fn, false_fn, "cond")


def switch(index: Any, branches: Any, *operands: Any) -> Any:
    """`branches[index](*operands)`, the index kept within range. Of a traced index all are computed, as in `cond`.

    Raises:
        ValueError: no branches. TypeError: as for `cond`.
    """
    if not branches:
        raise ValueError(f"`switch` requires at least one branch. Received: branches={branches}")
    _functions("switch", **{f"branches[{i}]": branch for i, branch in enumerate(branches)})
    known = _constant(index)
    if known is not None:
        return branches[min(max(int(known), 0), len(branches) - 1)](*operands)

    def of(i: int) -> Any:
        if i == len(branches) - 1:
            return branches[i](*operands)
        return _chosen(e.less_equal(index, i), lambda: branches[i](*operands), lambda: of(i + 1), "switch")

    return of(0)


# ---------------------------------------------------------------------------------------------------------------------
# Loops
# ---------------------------------------------------------------------------------------------------------------------
def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """`val = body_fun(i, val)` for i from `lower` to `upper - 1`; inside a trace the loop is unrolled.

    Raises:
        NotImplementedError: bounds that are known only when the program runs.
    """
    _functions("fori_loop", body_fun=body_fun)
    val = init_val
    for i in range(_count(lower, "lower", "fori_loop"), _count(upper, "upper", "fori_loop")):
        val = body_fun(i, val)
    return val


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """`loop_vars = body(*loop_vars)` while `cond(*loop_vars)` holds; returns them.

    Inside a trace the number of rounds must be known: either `cond` depends on Python numbers and NumPy arrays only,
    or `maximum_iterations` is given, and that many rounds are unrolled, those after the end changing nothing.

    Raises:
        NotImplementedError: a traced condition without `maximum_iterations`.
    """
    _functions("while_loop", cond=cond, body=body)
    single = not isinstance(loop_vars, (list, tuple))
    state = (loop_vars,) if single else tuple(loop_vars)
    limit = None if maximum_iterations is None else _count(maximum_iterations, "maximum_iterations", "while_loop")
    count = 0
    while limit is None or count < limit:
        holds = cond(*state)
        known = _constant(holds)
        if known is not None and not known:
            break
        if known is None and limit is None:
            raise NotImplementedError(
                "`while_loop` inside a traced function requires `maximum_iterations` or a condition on Python numbers."
            )

        def once(state: tuple[Any, ...] = state) -> tuple[Any, ...]:
            after = body(*state)
            after = tuple(after) if isinstance(after, (list, tuple)) and not single else (after,)
            if len(after) != len(state):
                raise ValueError(
                    f"`while_loop`: `body` must return as many values as `loop_vars` has, {len(state)}. "
                    f"Received: {len(after)}"
                )
            return after

        def stay(state: tuple[Any, ...] = state) -> tuple[Any, ...]:
            return state

        state = once() if known is not None else tuple(_chosen(holds, once, stay, "while_loop"))
        count += 1
    return state[0] if single else (list(state) if isinstance(loop_vars, list) else state)


def _leading(xs: Any, name: str) -> int:
    """Length of the first axis of all leaves."""
    leaves = tree.flatten(xs)
    if not leaves:
        raise ValueError(f"`{name}` requires at least one tensor to go over. Received: {xs}")
    shapes = [shape(x) for x in leaves]
    if any(not dims for dims in shapes):
        raise ValueError(f"`{name}` goes over the first axis, but received a scalar. Received shapes: {shapes}")
    if len({dims[0] for dims in shapes}) > 1:
        raise ValueError(f"`{name}` requires first axes of the same length. Received shapes: {shapes}")
    return int(_count(shapes[0][0], "the first dimension", name))


def _rows(xs: Any, count: int) -> list[Any]:
    """The slices along axis 0."""
    columns = [unstack(x, count) for x in tree.flatten(xs)]
    return [tree.pack_sequence_as(xs, [column[i] for column in columns]) for i in range(count)]


def _stacked(results: list[Any]) -> Any:
    return tree.map_structure(lambda *rows: None if rows[0] is None else stack(list(rows), axis=0), *results)


@symbolic_of("core")
def map(f: Value, xs: Values) -> Any:  # noqa: A001 - Keras's name
    """`f` of each slice along axis 0, stacked; unrolled inside a trace.

    Raises:
        ValueError: `xs` has no slices, or its parts have different numbers of them.
    """
    _functions("map", f=f)
    count = _leading(xs, "map")
    if count == 0:
        raise ValueError("`map` requires at least one slice along axis 0, to know what `f` returns. Received none.")
    return _stacked([f(row) for row in _rows(xs, count)])


@symbolic_of("core")
def vectorized_map(function: Callable[..., Any], elements: Values) -> Any:
    """`map` under another name: the slices are computed one after another."""
    _functions("vectorized_map", function=function)
    return map(function, elements)


@symbolic_of("core")
def scan(
    f: Value, init: Value, xs: Values = None, length: int | None = None, reverse: bool = False, unroll: Any = 1
) -> tuple[Any, Any]:
    """`carry, y = f(carry, x)` over the slices of axis 0; returns the last carry and the ys stacked.

    Args:
        f: takes the carry and a slice (None without `xs`).
        init: the first carry.
        xs: tensors whose first axes have the same length.
        length: number of rounds; that length by default.
        reverse: from the last slice to the first.
        unroll: no effect: inside a trace the loop is always unrolled.

    Raises:
        ValueError: neither `xs` nor `length`, or a `length` that is not that of `xs`. TypeError: arguments of
            other types.
    """
    _functions("scan", f=f)
    if not isinstance(unroll, (bool, int)) or (not isinstance(unroll, bool) and unroll < 1):
        raise ValueError(f"`unroll` must be a positive integer or boolean. Received: unroll={unroll}")
    if xs is None and length is None:
        raise ValueError("Got no `xs` to scan over and `length` not provided.")
    count = _count(length, "length", "scan") if xs is None else _leading(xs, "scan")
    if length is not None and int(length) != count:
        raise ValueError(
            f"Got `length` argument of {length} which disagrees with the length of the first axis of `xs`, {count}."
        )
    rows = [None] * count if xs is None else _rows(xs, count)
    carry, outputs = init, []
    for row in reversed(rows) if reverse else rows:
        carry, y = f(carry, row)
        outputs.append(y)
    outputs = outputs[::-1] if reverse else outputs
    return carry, _stacked(outputs) if outputs else None


def associative_scan(f: Callable[..., Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Running results of an associative `f(a, b)` along an axis.

    `f` gets parts of any length along the axis, so that n elements take about 2 log2(n) calls. Source: G. E. Blelloch,
    Prefix Sums and Their Applications (1990), in the even and odd form of `jax.lax.associative_scan`.

    Raises:
        ValueError: axes of different lengths.
    """
    _functions("associative_scan", f=f)
    flat = tree.flatten(elems)
    ranks = [len(shape(x)) for x in flat]
    if any(not -rank <= axis < rank for rank in ranks):
        raise ValueError(f"`axis` {axis} is out of range for tensors of shapes {[shape(x) for x in flat]}")
    at = [axis % rank for rank in ranks]
    lengths = {shape(x)[i] for x, i in zip(flat, at, strict=True)}
    if len(lengths) > 1:
        raise ValueError(
            f"Array inputs to associative_scan must have the same first dimension. (saw: {[shape(x) for x in flat]})"
        )
    count = _count(next(iter(lengths)), "the length of the axis", "associative_scan")

    def part(xs: list[Any], *bounds: Any) -> list[Any]:
        return [get_item(x, (slice(None),) * i + (slice(*bounds),)) for x, i in zip(xs, at, strict=True)]

    def combined(a: list[Any], b: list[Any]) -> list[Any]:
        return tree.flatten(f(tree.pack_sequence_as(elems, a), tree.pack_sequence_as(elems, b)))

    def joined(*parts: list[Any]) -> list[Any]:
        return [concatenate(list(xs), axis=i) for xs, i in zip(zip(*parts, strict=True), at, strict=True)]

    def scanned(xs: list[Any], n: int) -> list[Any]:
        if n < 2:
            return xs
        odd = scanned(combined(part(xs, 0, n - 1, 2), part(xs, 1, None, 2)), n // 2)
        if n == 2:
            return joined(part(xs, 0, 1), odd)
        even = joined(part(xs, 0, 1), combined(odd if n % 2 else part(odd, 0, -1), part(xs, 2, None, 2)))
        pairs = part(even, 0, n // 2)
        mixed = []
        for a, b, i in zip(pairs, odd, at, strict=True):
            dims = list(shape(a))
            dims[i] = 2 * dims[i]
            mixed.append(reshape(stack([a, b], axis=i + 1), dims))
        return joined(mixed, part(even, n // 2, None)) if n % 2 else mixed

    flat = [flip(x, i) for x, i in zip(flat, at, strict=True)] if reverse else flat
    flat = scanned(flat, count)
    flat = [flip(x, i) for x, i in zip(flat, at, strict=True)] if reverse else flat
    return tree.pack_sequence_as(elems, flat)


# ---------------------------------------------------------------------------------------------------------------------
# Gradients
# ---------------------------------------------------------------------------------------------------------------------
def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: the function's gradient is the one it returns itself.

    Args:
        f: `f(*args)` returns its output (a tensor or nested ones) and `grad`. `grad(upstream)` gets what flows into the
            output, in the output's structure, and returns what flows into `args`, one tensor (or None) for each tensor
            in them; a `grad(*args, upstream)` with `upstream` by keyword only gets the arguments too, as Keras passes
            them on torch.

    Returns:
        A function of the same arguments that gives the output. Gradients of gradients differentiate `grad`; variables
        that `f` reads without getting them as arguments get no gradient through it.
    """
    _functions("custom_gradient", f=f)

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        trace = current.trace
        if trace is None:
            return f(*tree.map_structure(_as_tensor, args), **kwargs)[0]
        args = tree.map_structure(lambda x: to_tensor(x) if _is_value(x) else x, args)
        output, grad = _two(f(*args, **kwargs))
        _functions("custom_gradient", grad=grad)
        inputs = [x for x in tree.flatten(args) if isinstance(x, Tensor)]
        output = tree.map_structure(to_tensor, output)

        def flow(upstream: list[Tensor]) -> list[Tensor | None]:
            flowing = tree.pack_sequence_as(output, upstream)
            keyword = inspect.signature(grad).parameters.get("upstream")
            if keyword is not None and keyword.kind is keyword.KEYWORD_ONLY and keyword.default is keyword.empty:
                found = grad(*args, upstream=flowing)
            else:
                found = grad(flowing)
            grads = _flat_with_none(found)
            if len(grads) != len(inputs):
                raise ValueError(
                    f"`custom_gradient`: the gradient function of {f.__name__} must return one value for each of "
                    f"{len(inputs)} inputs. Received: {len(grads)}"
                )
            return [_checked(g, x, f.__name__) for g, x in zip(grads, inputs, strict=True)]

        ends = trace.with_gradient(inputs, tree.flatten(output), flow)
        return tree.pack_sequence_as(output, ends)

    return symbolic(call)


def _is_value(x: Any) -> bool:
    return isinstance(x, (Tensor, Variable, np.ndarray, float, np.floating))


def _as_tensor(x: Any) -> Any:
    return convert_to_tensor(x) if _is_value(x) else x


def _two(result: Any) -> tuple[Any, Any]:
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise TypeError(
            "`custom_gradient` requires a function that returns its output and the function of its gradient. "
            f"Received: {result}"
        )
    return result[0], result[1]


def _flat_with_none(x: Any) -> list[Any]:
    if isinstance(x, (list, tuple)):
        return [leaf for item in x for leaf in _flat_with_none(item)]
    return [leaf for key in sorted(x) for leaf in _flat_with_none(x[key])] if isinstance(x, dict) else [x]


def _checked(grad: Any, x: Tensor, name: str) -> Tensor | None:
    if grad is None or not dtypes.is_float(x.dtype):
        return None
    tensor = to_dtype(grad, x.dtype)
    if tensor.shape != x.shape:
        raise ValueError(
            f"`custom_gradient`: the gradient function of {name} must return values of the shapes of the inputs. "
            f"Received: shape {tensor.shape} for an input of shape {x.shape}"
        )
    return tensor
