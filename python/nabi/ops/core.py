"""The basic functions of `nabi.ops`: conversion, casting, shapes, gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from nabi import dtypes
from nabi.ops import elementwise as e
from nabi.ops._dispatch import Value, op_of, to_dtype
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
@op_of("core")
def cast(x: Value, dtype: Any) -> Value:
    """x in another dtype; floats lose their fraction when they become integers, what is not 0 becomes True.

    Outside of a trace float16, bfloat16 (with the package ml_dtypes) and the narrow integers are kept too, though
    everything is computed in the core's dtypes.
    """
    return to_dtype(x, dtype)


@op_of("core")
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


@op_of("core")
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
