"""The functions of nabi.ops against NumPy: eager, inside a trace, and as shapes of symbolic tensors."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nabi import ops, trace

rng = np.random.default_rng(3)


def floats(*shape: int, low: float = -2.0, high: float = 2.0) -> np.ndarray:
    return rng.uniform(low, high, shape).astype(np.float32)


def ints(*shape: int, low: int = -5, high: int = 6) -> np.ndarray:
    return rng.integers(low, high, shape).astype(np.int32)


def bools(*shape: int) -> np.ndarray:
    return rng.random(shape) < 0.5


A = floats(3, 4)
B = floats(3, 4)
POS = floats(3, 4, low=0.2, high=3.0)
UNIT = floats(3, 4, low=-0.9, high=0.9)
V = floats(4)
K = ints(3, 4)
J = ints(3, 4, low=1, high=5)
T3 = floats(2, 3, 4)
M = bools(3, 4)
N = bools(3, 4)
HOLES = np.where(bools(3, 4), np.float32(np.nan), A)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray, axis: Any = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


# name, call on nabi.ops, the same in NumPy, arguments
Case = tuple[str, Callable[..., Any], Callable[..., Any], tuple[Any, ...]]
CASES: list[Case] = []


def case(name: str, call: Callable[..., Any], reference: Callable[..., Any], *args: Any) -> None:
    CASES.append((name, call, reference, args))


for plain in [
    "absolute",
    "abs",
    "negative",
    "sign",
    "square",
    "exp",
    "expm1",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "floor",
    "ceil",
    "trunc",
    "isnan",
    "isinf",
    "isfinite",
    "sum",
    "mean",
    "prod",
    "max",
    "min",
    "any",
    "all",
    "var",
    "std",
    "argmax",
    "argmin",
    "cumsum",
    "cumprod",
    "count_nonzero",
    "ravel",
    "flip",
    "transpose",
    "sinc",
    "sort",
    "argsort",
    "ptp",
    "deg2rad",
    "rad2deg",
    "ones_like",
    "zeros_like",
    "nan_to_num",
    "real",
    "imag",
    "conj",
]:
    case(plain, getattr(ops, plain), getattr(np, plain), A)
for plain in ["log", "log1p", "log2", "log10", "sqrt", "reciprocal", "exp2", "cbrt"]:
    case(plain, getattr(ops, plain), getattr(np, plain), POS)
case("arctanh", ops.arctanh, np.arctanh, UNIT)
case("arccosh", ops.arccosh, np.arccosh, POS + 1)
case("rsqrt", ops.rsqrt, lambda x: 1 / np.sqrt(x), POS)
case("erf", ops.erf, np.vectorize(math.erf), A)
case("erfc", ops.erfc, np.vectorize(math.erfc), A)
for plain in [
    "add",
    "subtract",
    "multiply",
    "divide",
    "true_divide",
    "maximum",
    "minimum",
    "logaddexp",
    "hypot",
    "heaviside",
    "fmax",
    "fmin",
]:
    case(plain, getattr(ops, plain), getattr(np, plain), A, B)
    case(plain + "_broadcast", getattr(ops, plain), getattr(np, plain), A, V)
for plain in [
    "equal",
    "not_equal",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "logical_and",
    "logical_or",
    "logical_xor",
    "isclose",
]:
    case(plain, getattr(ops, plain), getattr(np, plain), K, J)
for plain in ["floor_divide", "mod", "power", "gcd", "lcm"]:
    case(plain + "_int", getattr(ops, plain), getattr(np, plain), np.abs(K), J)
case("floor_divide_negative", ops.floor_divide, np.floor_divide, K, J)
case("mod_negative", ops.mod, np.mod, K, J)
case("mod_float", ops.mod, np.mod, A, POS)
case("power_float", ops.power, np.power, POS, B)
case("power_two", lambda x: ops.power(x, 2), lambda x: x**2, A)
case("power_three", lambda x: ops.power(x, 3), lambda x: x**3, A)
case("power_half", lambda x: ops.power(x, 0.5), np.sqrt, POS)
case("power_minus_one", lambda x: ops.power(x, -1), lambda x: 1 / x, POS)
case("scalar_left", lambda x: ops.subtract(1, x), lambda x: 1 - x, A)
case("divide_int", ops.divide, lambda a, b: (a / b).astype(np.float32), K, J)
case(
    "divide_no_nan",
    ops.divide_no_nan,
    lambda a, b: np.where(b == 0, 0, a / np.where(b == 0, 1, b)),
    K,
    K.T.reshape(3, 4),
)
case("logical_not", ops.logical_not, np.logical_not, K)
case("add_bool", ops.add, np.add, M, N)
case("multiply_bool", ops.multiply, np.multiply, M, N)
case("maximum_bool", ops.maximum, np.maximum, M, N)
case("sum_bool", ops.sum, lambda x: x.sum(dtype=np.int32), M)
case("mean_bool", ops.mean, lambda x: x.mean(dtype=np.float32), M)
case("clip", lambda x: ops.clip(x, -0.5, 1), lambda x: np.clip(x, -0.5, 1), A)
case("clip_int", lambda x: ops.clip(x, -1, 2), lambda x: np.clip(x, -1, 2), K)
case("round", ops.round, np.round, A)
case("round_digits", lambda x: ops.round(x, 2), lambda x: np.round(x, 2), A)
case("round_tens", lambda x: ops.round(x, -1), lambda x: np.round(x, -1), A * 30)
case("where", ops.where, np.where, M, A, B)
case("where_scalar", lambda m, x: ops.where(m, x, 0.0), lambda m, x: np.where(m, x, np.float32(0)), M, A)
case(
    "select",
    lambda x: ops.select([x < 0, x > 1], [-x, x * 2], 9.0),
    lambda x: np.select([x < 0, x > 1], [-x, x * 2], 9).astype(np.float32),
    A,
)

for plain in [
    "sum",
    "mean",
    "max",
    "min",
    "prod",
    "any",
    "all",
    "var",
    "std",
    "argmax",
    "argmin",
    "cumsum",
    "flip",
    "sort",
    "argsort",
    "ptp",
    "nansum",
    "nanmean",
    "nanmax",
    "nanmin",
]:
    where = HOLES if plain.startswith("nan") else A
    case(
        plain + "_axis0",
        lambda x, p=plain: getattr(ops, p)(x, axis=0),
        lambda x, p=plain: getattr(np, p)(x, axis=0),
        where,
    )
    case(
        plain + "_last",
        lambda x, p=plain: getattr(ops, p)(x, axis=-1),
        lambda x, p=plain: getattr(np, p)(x, axis=-1),
        where,
    )
for plain in ["sum", "mean", "max", "min", "prod", "any", "all", "var", "std"]:
    case(
        plain + "_two",
        lambda x, p=plain: getattr(ops, p)(x, axis=(0, -1), keepdims=True),
        lambda x, p=plain: getattr(np, p)(x, axis=(0, -1), keepdims=True),
        T3,
    )
case("argmax_flat_kept", lambda x: ops.argmax(x, keepdims=True), lambda x: np.argmax(x, keepdims=True), A)
case("max_initial", lambda x: ops.max(x, axis=1, initial=1.5), lambda x: np.max(x, axis=1, initial=1.5), A)
case(
    "average",
    lambda x, w: ops.average(x, axis=1, weights=w),
    lambda x, w: np.average(x, axis=1, weights=w).astype(np.float32),
    A,
    np.abs(V),
)
case("logsumexp", lambda x: ops.logsumexp(x, axis=1), lambda x: np.log(np.exp(x).sum(1)), A)
case("logsumexp_all", lambda x: ops.logsumexp(x, keepdims=True), lambda x: np.log(np.exp(x).sum(keepdims=True)), A)
for order in (None, 1, 2, 3, 0, np.inf, -np.inf):
    case(
        f"norm_{order}",
        lambda x, o=order: ops.norm(x, ord=o, axis=1),
        lambda x, o=order: np.linalg.norm(x, ord=o, axis=1),
        A,
    )
for order in ("fro", 1, -1, np.inf, -np.inf):
    case(
        f"matrix_norm_{order}",
        lambda x, o=order: ops.norm(x, ord=o, axis=(0, 1)),
        lambda x, o=order: np.linalg.norm(x, ord=o),
        A,
    )
case(
    "bincount",
    lambda x: ops.bincount(x, minlength=6),
    lambda x: np.bincount(x, minlength=6),
    np.array([1, 4, 1, 5], np.int32),
)
case(
    "bincount_weights",
    lambda x, w: ops.bincount(x, weights=w, minlength=6),
    lambda x, w: np.bincount(x, w, 6).astype(np.float32),
    np.array([1, 4, 1, 5], np.int32),
    V,
)

case("matmul", ops.matmul, np.matmul, A, B.T.copy())
case("matmul_vectors", ops.matmul, np.matmul, V, V)
case("matmul_left", ops.matmul, np.matmul, V, B.T.copy())
case("matmul_right", ops.matmul, np.matmul, A, V)
case("matmul_batch", ops.matmul, np.matmul, T3, floats(2, 4, 5))
case("matmul_broadcast", ops.matmul, np.matmul, T3, floats(4, 5))
case("matmul_int", ops.matmul, np.matmul, K, J.T.copy())
case("dot", ops.dot, np.dot, T3, floats(2, 4, 5))
case("dot_scalar", lambda x: ops.dot(x, 3.0), lambda x: x * 3, A)
case("tensordot", lambda a, b: ops.tensordot(a, b, axes=1), lambda a, b: np.tensordot(a, b, axes=1), T3, floats(4, 5))
case(
    "tensordot_lists",
    lambda a, b: ops.tensordot(a, b, axes=([0, 2], [1, 0])),
    lambda a, b: np.tensordot(a, b, axes=([0, 2], [1, 0])),
    T3,
    floats(4, 2, 5),
)
case("inner", ops.inner, np.inner, A, B)
case("outer", ops.outer, np.outer, V, V)
case("vdot", ops.vdot, np.vdot, A, B)
case("kron", ops.kron, np.kron, A, B)
case("cross", ops.cross, np.cross, floats(5, 3), floats(5, 3))
case("trace", ops.trace, np.trace, A)
for spec, shapes in (
    ("ij,jk->ik", ((3, 4), (4, 5))),
    ("bij,bjk->bik", ((2, 3, 4), (2, 4, 5))),
    ("ij->ji", ((3, 4),)),
    ("ij->", ((3, 4),)),
    ("ij,ij->i", ((3, 4), (3, 4))),
    ("i,j->ij", ((3,), (4,))),
    ("ij,jk,kl->il", ((2, 3), (3, 4), (4, 5))),
    ("...ij,jk->...ik", ((2, 2, 3), (3, 4))),
    ("abc,cd", ((2, 3, 4), (4, 5))),
    ("btnh,bsnh->bnts", ((2, 3, 2, 4), (2, 5, 2, 4))),
    ("ij,k->i", ((2, 3), (4,))),
):
    case(
        "einsum " + spec,
        lambda *x, s=spec: ops.einsum(s, *x),
        lambda *x, s=spec: np.einsum(s, *x),
        *(floats(*s) for s in shapes),
    )

case("reshape", lambda x: ops.reshape(x, (2, -1)), lambda x: x.reshape(2, -1), A)
case("transpose_axes", lambda x: ops.transpose(x, (1, 2, 0)), lambda x: x.transpose(1, 2, 0), T3)
case("swapaxes", lambda x: ops.swapaxes(x, 0, -1), lambda x: x.swapaxes(0, -1), T3)
case("moveaxis", lambda x: ops.moveaxis(x, 0, -1), lambda x: np.moveaxis(x, 0, -1), T3)
case("moveaxis_two", lambda x: ops.moveaxis(x, (0, 1), (2, 0)), lambda x: np.moveaxis(x, (0, 1), (2, 0)), T3)
case("squeeze", lambda x: ops.squeeze(x), np.squeeze, floats(1, 3, 1))
case("squeeze_axis", lambda x: ops.squeeze(x, axis=0), lambda x: x[0], floats(1, 3, 1))
case("expand_dims", lambda x: ops.expand_dims(x, (0, -1)), lambda x: np.expand_dims(x, (0, -1)), A)
case("broadcast_to", lambda x: ops.broadcast_to(x, (2, 3, 4)), lambda x: np.broadcast_to(x, (2, 3, 4)), A)
case("concatenate", lambda a, b: ops.concatenate([a, b], axis=-1), lambda a, b: np.concatenate([a, b], axis=-1), A, B)
case(
    "concatenate_mixed",
    lambda a, b: ops.concatenate([a, b]),
    lambda a, b: np.concatenate([a, b]).astype(np.float32),
    A,
    K,
)
case("concatenate_bool", lambda a, b: ops.concatenate([a, b]), lambda a, b: np.concatenate([a, b]), M, N)
case("stack", lambda a, b: ops.stack([a, b], axis=1), lambda a, b: np.stack([a, b], axis=1), A, B)
case("hstack", lambda a, b: ops.hstack([a, b]), lambda a, b: np.hstack([a, b]), V, V)
case("vstack", lambda a, b: ops.vstack([a, b]), lambda a, b: np.vstack([a, b]), V, V)
case("dstack", lambda a, b: ops.dstack([a, b]), lambda a, b: np.dstack([a, b]), V, V)
case("append", ops.append, np.append, A, V)
case("split", lambda x: ops.split(x, 2, axis=1), lambda x: np.split(x, 2, axis=1), A)
case("split_at", lambda x: ops.split(x, [1, 3], axis=1), lambda x: np.split(x, [1, 3], axis=1), A)
case("array_split", lambda x: ops.array_split(x, 3, axis=1), lambda x: np.array_split(x, 3, axis=1), A)
case("unstack", lambda x: ops.unstack(x, axis=1), lambda x: [x[:, i] for i in range(3)], T3)
case(
    "pad",
    lambda x: ops.pad(x, ((1, 2), (0, 1)), constant_values=7.0),
    lambda x: np.pad(x, ((1, 2), (0, 1)), constant_values=7),
    A,
)
case("pad_bool", lambda x: ops.pad(x, 1), lambda x: np.pad(x, 1), M)
for mode in ("reflect", "symmetric", "edge", "wrap"):
    case(
        "pad_" + mode,
        lambda x, m=mode: ops.pad(x, ((1, 2), (2, 1)), mode=m),
        lambda x, m=mode: np.pad(x, ((1, 2), (2, 1)), mode=m),
        A,
    )
case("flip_axis", lambda x: ops.flip(x, axis=1), lambda x: np.flip(x, 1), T3)
case("rot90", lambda x: ops.rot90(x, 1), np.rot90, A)
case("rot90_3", lambda x: ops.rot90(x, 3), lambda x: np.rot90(x, 3), A)
case("roll", lambda x: ops.roll(x, 2, axis=1), lambda x: np.roll(x, 2, axis=1), A)
case("roll_flat", lambda x: ops.roll(x, -5), lambda x: np.roll(x, -5), A)
case("repeat", lambda x: ops.repeat(x, 3, axis=1), lambda x: np.repeat(x, 3, axis=1), A)
case("repeat_flat", lambda x: ops.repeat(x, 2), lambda x: np.repeat(x, 2), A)
case("repeat_each", lambda x: ops.repeat(x, [1, 0, 2], axis=0), lambda x: np.repeat(x, [1, 0, 2], axis=0), A)
case("tile", lambda x: ops.tile(x, (2, 1, 3)), lambda x: np.tile(x, (2, 1, 3)), A)
case("diagonal", lambda x: ops.diagonal(x, offset=1), lambda x: np.diagonal(x, offset=1), A)
case("diagonal_axes", lambda x: ops.diagonal(x, offset=-1, axis1=0, axis2=2), lambda x: np.diagonal(x, -1, 0, 2), T3)
case("diag", lambda x: ops.diag(x, k=1), lambda x: np.diag(x, k=1), V)
case("diag_below", lambda x: ops.diag(x, k=-2), lambda x: np.diag(x, k=-2), V)
case("diag_matrix", ops.diag, np.diag, A)
case("tril", lambda x: ops.tril(x, k=-1), lambda x: np.tril(x, k=-1), T3)
case("triu", lambda x: ops.triu(x, k=1), lambda x: np.triu(x, k=1), T3)
case("diff", lambda x: ops.diff(x, n=2), lambda x: np.diff(x, n=2), A)
case("meshgrid", lambda a, b: ops.meshgrid(a, b), lambda a, b: list(np.meshgrid(a, b)), V, floats(3))
case(
    "meshgrid_ij",
    lambda a, b: ops.meshgrid(a, b, indexing="ij"),
    lambda a, b: list(np.meshgrid(a, b, indexing="ij")),
    V,
    floats(3),
)
case("vander", lambda x: ops.vander(x, 3), lambda x: np.vander(x, 3), V)

case(
    "take",
    lambda x, i: ops.take(x, i, axis=1),
    lambda x, i: np.take(x, i, axis=1),
    T3,
    np.array([[2, 0], [-1, 1]], np.int32),
)
case("take_flat", ops.take, np.take, A, np.array([5, 0, -1], np.int32))
case(
    "take_along_axis",
    lambda x, i: ops.take_along_axis(x, i, axis=1),
    lambda x, i: np.take_along_axis(x, i, 1),
    A,
    np.array([[0, -1], [1, 1], [3, 2]], np.int32),
)
case(
    "take_along_broadcast",
    lambda x, i: ops.take_along_axis(x, i, axis=0),
    lambda x, i: np.take_along_axis(x, i, 0),
    A,
    np.array([[0, 2, 1, 1]], np.int32),
)
case("searchsorted", ops.searchsorted, np.searchsorted, np.sort(V), A)
case("digitize", ops.digitize, np.digitize, A, np.sort(V))
case("slice", lambda x: ops.slice(x, (1, 0), (2, 3)), lambda x: x[1:3, 0:3], A)
case("slice_at", lambda x, s: ops.slice(x, s, (2, 3)), lambda x, s: x[1:3, 0:3], A, np.array([1, 0], np.int32))
for key in (
    (1,),
    (-1, 2),
    (slice(1, None), slice(None, None, 2)),
    (slice(None, None, -1), slice(3, 0, -2)),
    (None, 0),
    (Ellipsis, 1),
    (Ellipsis, None, slice(2)),
    (slice(5, 9),),
    (slice(None, None, -1), Ellipsis, -1),
):
    case(f"get_item {key}", lambda x, k=key: ops.get_item(x, k), lambda x, k=key: x[k], T3)
case(
    "get_item_tensor",
    lambda x, i: ops.get_item(x, (slice(None), i)),
    lambda x, i: x[:, i],
    T3,
    np.array([[2, 0], [1, 1]], np.int32),
)
case(
    "get_item_tensors",
    lambda x, i, j: ops.get_item(x, (i, j)),
    lambda x, i, j: x[i, j],
    T3,
    np.array([1, -1], np.int32),
    np.array([0, 2], np.int32),
)
case(
    "get_item_apart",
    lambda x, i, j: ops.get_item(x, (i, slice(None), j)),
    lambda x, i, j: x[i, :, j],
    T3,
    np.array([1, 0], np.int32),
    np.array([3, 2], np.int32),
)
case(
    "get_item_middle",
    lambda x, i, j: ops.get_item(x, (slice(None), i, j)),
    lambda x, i, j: x[:, i, j],
    T3,
    np.array([1, 0], np.int32),
    np.array([3, 2], np.int32),
)


def _scatter(i: np.ndarray, v: np.ndarray) -> np.ndarray:
    out = np.zeros((4, 3), np.float32)
    np.add.at(out, tuple(i.T), v)
    return out


def _placed(x: np.ndarray, i: np.ndarray, v: np.ndarray) -> np.ndarray:
    out = x.copy()
    out[tuple(i.T)] = v
    return out


ROWS = np.array([[0], [2], [0]], np.int32)
CELLS = np.array([[0, 1], [2, 3], [1, 0]], np.int32)
case("scatter", lambda i, v: ops.scatter(i, v, (4, 3)), _scatter, ROWS, floats(3, 3))
case("scatter_update", ops.scatter_update, _placed, A, CELLS, floats(3))
case("scatter_update_rows", ops.scatter_update, _placed, A, np.array([[2], [0]], np.int32), floats(2, 4))
case(
    "slice_update",
    lambda x, u: ops.slice_update(x, (1, 2), u),
    lambda x, u: np.block([[x[:1]], [np.block([x[1:, :2], u])]]),
    A,
    floats(2, 2),
)
case(
    "slice_update_at",
    ops.slice_update,
    lambda x, s, u: np.block([[x[:1]], [np.block([x[1:, :2], u])]]),
    A,
    np.array([1, 2], np.int32),
    floats(2, 2),
)
case("one_hot", lambda i: ops.one_hot(i, 5), lambda i: (i[..., None] == np.arange(5)).astype(np.float32), K)
case(
    "one_hot_axis",
    lambda i: ops.one_hot(i, 5, axis=0, dtype="int32"),
    lambda i: (i == np.arange(5)[:, None, None]).astype(np.int32),
    K,
)
case(
    "multi_hot",
    lambda i: ops.multi_hot(i, 6),
    lambda i: (i[..., None] == np.arange(6)).any(1).astype(np.float32),
    np.abs(K),
)
case(
    "in_top_k",
    lambda t, p: ops.in_top_k(t, p, 2),
    lambda t, p: np.array([(p[n] > p[n, c]).sum() < 2 for n, c in enumerate(t)]),
    np.array([0, 1, 3], np.int32),
    A,
)
case(
    "top_k",
    lambda x: ops.top_k(x, 3),
    lambda x: (-np.sort(-x)[..., :3], np.argsort(-x, kind="stable")[..., :3].astype(np.int32)),
    A,
)
case(
    "top_k_ties",
    lambda x: ops.top_k(x, 4),
    lambda x: (-np.sort(-x)[..., :4], np.argsort(-x, kind="stable")[..., :4].astype(np.int32)),
    np.array([[1, -np.inf, 1, -np.inf]], np.float32),
)
case(
    "segment_sum",
    lambda d, i: ops.segment_sum(d, i, num_segments=3),
    lambda d, i: np.stack([d[i == s].sum(0) for s in range(3)]),
    A,
    np.array([0, 2, 0], np.int32),
)

case("relu", ops.relu, lambda x: np.maximum(x, 0), A)
case("relu6", ops.relu6, lambda x: np.clip(x, 0, 6), A * 5)
case("leaky_relu", ops.leaky_relu, lambda x: np.where(x > 0, x, 0.2 * x), A)
case("elu", ops.elu, lambda x: np.where(x > 0, x, np.expm1(x)), A)
case("selu", ops.selu, lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x)), A)
case("celu", lambda x: ops.celu(x, 0.7), lambda x: np.where(x > 0, x, 0.7 * np.expm1(x / 0.7)), A)
case("gelu", ops.gelu, lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))), A)
case(
    "gelu_exact",
    lambda x: ops.gelu(x, approximate=False),
    lambda x: 0.5 * x * (1 + np.vectorize(math.erf)(x / np.sqrt(2))),
    A,
)
case("sigmoid", ops.sigmoid, sigmoid, A)
case("log_sigmoid", ops.log_sigmoid, lambda x: np.log(sigmoid(x)), A)
case("hard_sigmoid", ops.hard_sigmoid, lambda x: np.clip(x / 6 + 0.5, 0, 1), A * 3)
case("silu", ops.silu, lambda x: x * sigmoid(x), A)
case("hard_silu", ops.hard_silu, lambda x: x * np.clip(x / 6 + 0.5, 0, 1), A * 3)
case("softplus", ops.softplus, lambda x: np.log1p(np.exp(x)), A)
case("softsign", ops.softsign, lambda x: x / (1 + np.abs(x)), A)
case("tanh_shrink", ops.tanh_shrink, lambda x: x - np.tanh(x), A)
case("hard_tanh", ops.hard_tanh, lambda x: np.clip(x, -1, 1), A)
case("hard_shrink", ops.hard_shrink, lambda x: np.where(np.abs(x) > 0.5, x, 0), A)
case("soft_shrink", ops.soft_shrink, lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0), A)
case("squareplus", ops.squareplus, lambda x: (x + np.sqrt(x * x + 4)) / 2, A)
case("sparse_plus", ops.sparse_plus, lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)), A)
case("sparse_sigmoid", ops.sparse_sigmoid, lambda x: np.clip((x + 1) / 2, 0, 1), A)
case("threshold", lambda x: ops.threshold(x, 0.3, 5.0), lambda x: np.where(x > 0.3, x, 5), A)
case("glu", ops.glu, lambda x: x[:, :2] * sigmoid(x[:, 2:]), A)
case("softmax", ops.softmax, softmax, A)
case("softmax_axis0", lambda x: ops.softmax(x, axis=0), lambda x: softmax(x, 0), A)
case("softmax_two", lambda x: ops.softmax(x, axis=(0, 2)), lambda x: softmax(x, (0, 2)), T3)
case("softmax_all", lambda x: ops.softmax(x, axis=None), lambda x: softmax(x, None), A)
case("log_softmax", ops.log_softmax, lambda x: np.log(softmax(x)), A)
case("sparsemax", lambda x: ops.sum(ops.sparsemax(x), axis=-1), lambda x: np.ones(3), A)
case("moments", lambda x: ops.moments(x, axes=[0]), lambda x: (x.mean(0), x.var(0)), A)
case(
    "batch_normalization",
    lambda x, m, v: ops.batch_normalization(x, m, v, axis=-1, offset=m, scale=v),
    lambda x, m, v: (x - m) / np.sqrt(v + 1e-3) * v + m,
    A,
    V,
    np.abs(V),
)
case(
    "layer_normalization",
    lambda x, g: ops.layer_normalization(x, g, g, epsilon=1e-3),
    lambda x, g: (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3) * g + g,
    A,
    V,
)
case(
    "rms_normalization",
    lambda x, g: ops.rms_normalization(x, g),
    lambda x, g: x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-7) * g,
    A,
    V,
)
case("normalize", ops.normalize, lambda x: x / np.linalg.norm(x, axis=-1, keepdims=True), A)
case("normalize_1", lambda x: ops.normalize(x, order=1), lambda x: x / np.abs(x).sum(-1, keepdims=True), A)
case("depth_to_space", lambda x: ops.depth_to_space(ops.space_to_depth(x, 2), 2), lambda x: x, floats(2, 4, 6, 3))

P, Q = softmax(A), softmax(B)
CLASSES = np.array([2, 0, 3], np.int32)
case("categorical_crossentropy", ops.categorical_crossentropy, lambda t, p: -(t * np.log(p)).sum(-1), P, Q)
case(
    "categorical_unnormalised",
    lambda t, p: ops.categorical_crossentropy(t, p * 2),
    lambda t, p: -(t * np.log(p)).sum(-1),
    P,
    Q,
)
case(
    "categorical_logits",
    lambda t, x: ops.categorical_crossentropy(t, x, from_logits=True),
    lambda t, x: -(t * np.log(softmax(x))).sum(-1),
    P,
    B,
)
case(
    "categorical_axis",
    lambda t, x: ops.categorical_crossentropy(t, x, from_logits=True, axis=0),
    lambda t, x: -(t * np.log(softmax(x, 0))).sum(0),
    P,
    B,
)
case("sparse_crossentropy", ops.sparse_categorical_crossentropy, lambda t, p: -np.log(p[np.arange(3), t]), CLASSES, Q)
case(
    "sparse_logits",
    lambda t, x: ops.sparse_categorical_crossentropy(t, x, from_logits=True),
    lambda t, x: -np.log(softmax(x)[np.arange(3), t]),
    CLASSES,
    B,
)
case(
    "sparse_column",
    lambda t, x: ops.sparse_categorical_crossentropy(t[:, None], x, from_logits=True),
    lambda t, x: -np.log(softmax(x)[np.arange(3), t]),
    CLASSES,
    B,
)
case("binary_crossentropy", ops.binary_crossentropy, lambda t, p: -t * np.log(p) - (1 - t) * np.log(1 - p), P, Q)
case(
    "binary_logits",
    lambda t, x: ops.binary_crossentropy(t, x, from_logits=True),
    lambda t, x: -t * np.log(sigmoid(x)) - (1 - t) * np.log(1 - sigmoid(x)),
    P,
    B,
)


def _attention(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    scores = np.einsum("btnh,bsnh->bnts", q, k) / np.sqrt(q.shape[-1])
    scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -1e30)
    return np.einsum("bnts,bsnh->btnh", softmax(scores), v)


case(
    "attention",
    lambda *x: ops.dot_product_attention(*x, is_causal=True),
    _attention,
    *(floats(2, 5, 3, 4) for _ in range(3)),
)


def _tolerances(want: np.ndarray) -> dict[str, float]:
    return {"rtol": 2e-5, "atol": 2e-5} if want.dtype.kind == "f" else {"rtol": 0, "atol": 0}


def _compare(got: Any, want: Any, name: str) -> None:
    if isinstance(want, (list, tuple)):
        assert len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            _compare(g, w, name)
        return
    want = np.asarray(want)
    assert tuple(got.shape) == want.shape, name
    assert got.dtype.kind == want.dtype.kind, f"{name}: {got.dtype} for {want.dtype}"
    assert got.dtype in (np.float32, np.int32, np.bool_), name
    np.testing.assert_allclose(np.asarray(got), want, err_msg=name, **_tolerances(want))


@pytest.mark.parametrize(("name", "call", "reference", "args"), CASES, ids=[c[0] for c in CASES])
def test_against_numpy(
    name: str, call: Callable[..., Any], reference: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = reference(*args)
    _compare(call(*args), want, name)  # op by op, at once

    _compare(trace.run_eagerly_cached(call, args), want, name)  # all in one program

    # The shape of a symbolic call agrees with that of the run.
    symbolic = trace.infer_output(call, *(trace.KerasTensor(a.shape, a.dtype) for a in args))
    for got, one in zip(trace_flat(symbolic), trace_flat(want), strict=True):
        assert got.shape == np.shape(one)


def trace_flat(x: Any) -> list[Any]:
    return [y for item in x for y in trace_flat(item)] if isinstance(x, (list, tuple)) else [x]
