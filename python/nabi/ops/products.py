"""Products of `nabi.ops`: matmul, dot, tensordot, einsum and their kin."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from nabi.ops import elementwise as e
from nabi.ops import reduction as r
from nabi.ops._dispatch import Value, axis_of, broadcast, common, op, reshaped
from nabi.ops.layout import concatenated, permuted, sliced
from nabi.trace import Tensor, emit, to_tensor


def product(a: Tensor, b: Tensor, **attrs: bool) -> Tensor:
    """The core's matmul; booleans and uint8 are multiplied as int32."""
    if a.dtype in ("bool", "uint8"):
        a, b = to_tensor(a, "int32"), to_tensor(b, "int32")
    return cast(Tensor, emit("matmul", a, b, **attrs))


@op
def matmul(x1: Value, x2: Value) -> Value:
    """The matrix product of the last two axes; the axes before broadcast, vectors gain and lose one.

    Raises:
        ValueError: a scalar, or lengths that do not fit.
    """
    a, b = common(x1, x2)
    if a.ndim == 0 or b.ndim == 0:
        raise ValueError(f"matmul: requires tensors of rank 1 or more, got shapes {a.shape} and {b.shape}")
    left, right = a.ndim == 1, b.ndim == 1
    a = reshaped(a, [1, a.size]) if left else a
    b = reshaped(b, [b.size, 1]) if right else b
    if a.shape[-1] != b.shape[-2]:
        raise ValueError(
            f"matmul: requires the last dimension of x1 to equal the last but one of x2, got shapes "
            f"{a.shape[1:] if left else a.shape} and {b.shape[:-1] if right else b.shape}"
        )
    found = product(a, b)
    shape = list(found.shape)
    if right:
        del shape[-1]
    if left:
        del shape[-1 if right else -2]
    return reshaped(found, shape)


@op
def dot(x1: Value, x2: Value) -> Value:
    """The sum over the last axis of x1 and the last but one (or only) axis of x2; with a scalar, the product."""
    a, b = common(x1, x2)
    if a.ndim == 0 or b.ndim == 0:
        return e.multiply(a, b)
    if b.ndim <= 2:
        return matmul(a, b)
    return tensordot(a, b, axes=([-1], [-2]))


@op
def tensordot(x1: Value, x2: Value, axes: Any = 2) -> Value:
    """The sum over pairs of axes: the last `axes` of x1 with the first of x2, or those named in two lists."""
    a, b = common(x1, x2)
    if isinstance(axes, (int, np.integer)):
        left, right = list(range(a.ndim - int(axes), a.ndim)), list(range(int(axes)))
    else:
        first, second = axes
        left = [axis_of(i, a.ndim) for i in (first if isinstance(first, (list, tuple)) else [first])]
        right = [axis_of(i, b.ndim) for i in (second if isinstance(second, (list, tuple)) else [second])]
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ValueError(
            f"tensordot: requires equal lengths of the summed axes, got shapes {a.shape} and {b.shape} with axes={axes}"
        )
    keep_a = [i for i in range(a.ndim) if i not in left]
    keep_b = [i for i in range(b.ndim) if i not in right]
    inner = math.prod(a.shape[i] for i in left)
    rows, cols = [a.shape[i] for i in keep_a], [b.shape[i] for i in keep_b]
    flat_a = reshaped(permuted(a, keep_a + left), [math.prod(rows), inner])
    flat_b = reshaped(permuted(b, right + keep_b), [inner, math.prod(cols)])
    return reshaped(product(flat_a, flat_b), rows + cols)


@op
def vdot(x1: Value, x2: Value) -> Value:
    """The sum of the products of all elements."""
    a, b = common(x1, x2)
    return matmul(reshaped(a, [a.size]), reshaped(b, [b.size]))


@op
def inner(x1: Value, x2: Value) -> Value:
    """The sum over the last axis of both; with a scalar, the product."""
    a, b = common(x1, x2)
    if a.ndim == 0 or b.ndim == 0:
        return e.multiply(a, b)
    return tensordot(a, b, axes=([-1], [-1]))


@op
def outer(x1: Value, x2: Value) -> Value:
    """All products of an element of x1 (rows) and one of x2 (columns)."""
    a, b = common(x1, x2)
    return e.multiply(reshaped(a, [a.size, 1]), reshaped(b, [1, b.size]))


@op
def kron(x1: Value, x2: Value) -> Value:
    """The Kronecker product."""
    a, b = common(x1, x2)
    ndim = max(a.ndim, b.ndim)
    left, right = ([1] * (ndim - t.ndim) + list(t.shape) for t in (a, b))
    wide = e.multiply(
        reshaped(a, [d for dim in left for d in (dim, 1)]), reshaped(b, [d for dim in right for d in (1, dim)])
    )
    return reshaped(wide, [p * q for p, q in zip(left, right, strict=False)])


@op
def cross(x1: Value, x2: Value, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Value:
    """The cross product of vectors of length 3 (or 2: the scalar z part when both are)."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = common(x1, x2)

    def parts(x: Tensor, at: int) -> list[Tensor]:
        at = axis_of(at, x.ndim)
        kept = [d for i, d in enumerate(x.shape) if i != at]
        if x.shape[at] not in (2, 3):
            raise ValueError(f"`cross` requires vectors of length 2 or 3. Received: shape={x.shape}")
        return [reshaped(sliced(x, at, i, i + 1), kept) for i in range(x.shape[at])]

    u, v = parts(a, axisa), parts(b, axisb)
    z = e.subtract(e.multiply(u[0], v[1]), e.multiply(u[1], v[0]))
    if len(u) == len(v) == 2:
        return z
    zero = e.multiply(u[0], 0)
    u, v = (w if len(w) == 3 else [*w, zero] for w in (u, v))
    x = e.subtract(e.multiply(u[1], v[2]), e.multiply(u[2], v[1]))
    y = e.subtract(e.multiply(u[2], v[0]), e.multiply(u[0], v[2]))
    at = axis_of(axisc, z.ndim + 1)
    return concatenated([reshaped(broadcast(p, z.shape), [*z.shape[:at], 1, *z.shape[at:]]) for p in (x, y, z)], at)


def _parse(subscripts: str, tensors: list[Tensor]) -> tuple[list[str], str]:
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors):
        raise ValueError(f"einsum: {subscripts!r} names {len(terms)} operands, got {len(tensors)}")
    spare = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" if c not in text]
    longest = max(
        (t.ndim - len(term.replace("...", "")) for term, t in zip(terms, tensors, strict=False) if "..." in term),
        default=0,
    )
    dots = "".join(spare[: max(longest, 0)])
    full = []
    for term, tensor in zip(terms, tensors, strict=False):
        if "..." in term:
            count = tensor.ndim - len(term.replace("...", ""))
            term = term.replace("...", dots[len(dots) - count :] if count > 0 else "")
        if len(term) != tensor.ndim:
            raise ValueError(f"einsum: {subscripts!r} gives {len(term)} axes to an operand of shape {tensor.shape}")
        full.append(term)
    if arrow:
        out = right.replace("...", dots)
    else:
        letters = "".join(full)
        out = dots + "".join(sorted(c for c in set(letters) if letters.count(c) == 1 and c not in dots))
    return full, out


@op
def einsum(subscripts: str, *operands: Value, **kwargs: Any) -> Value:
    """Einstein's summation over tensors, pair by pair from the left.

    Args:
        subscripts: "ij,jk->ik"; an ellipsis stands for leading axes, which must be equal or 1.
        **kwargs: `optimize` is accepted.

    Raises:
        ValueError: subscripts that do not fit the operands.
        NotImplementedError: an index twice in one operand (a diagonal).
    """
    tensors = common(*operands)
    terms, out = _parse(subscripts, tensors)
    sizes: dict[str, int] = {}
    for term, tensor in zip(terms, tensors, strict=False):
        if len(set(term)) != len(term):
            raise NotImplementedError(
                f"einsum: an index twice in one operand ({term!r}) is not available; use nabi.ops.diagonal first."
            )
        for letter, dim in zip(term, tensor.shape, strict=False):
            if sizes.get(letter, 1) not in (1, dim) and dim != 1:
                raise ValueError(f"einsum: index {letter!r} has lengths {sizes[letter]} and {dim} in {subscripts!r}")
            sizes[letter] = max(sizes.get(letter, 1), dim) if dim != 0 else 0
    if any(letter not in sizes for letter in out):
        raise ValueError(f"einsum: an index of the result is in no operand: {subscripts!r}")
    term, found = terms[0], tensors[0]
    for i in range(1, len(tensors)):
        later = out + "".join(terms[i + 1 :])
        term, found = _contract(term, found, terms[i], tensors[i], later, sizes)
    term, found = _summed(term, found, out)
    return permuted(found, [term.index(letter) for letter in out])


def _summed(term: str, x: Tensor, needed: str) -> tuple[str, Tensor]:
    """Sums out the indices that nothing needs."""
    axes = [i for i, letter in enumerate(term) if letter not in needed]
    if not axes:
        return term, x
    return "".join(c for c in term if c in needed), cast(Tensor, r.sum(x, axis=tuple(axes)))


def _contract(s: str, a: Tensor, t: str, b: Tensor, later: str, sizes: dict[str, int]) -> tuple[str, Tensor]:
    s, a = _summed(s, a, t + later)
    t, b = _summed(t, b, s + later)
    a = broadcast(a, [sizes[c] if c in t else d for c, d in zip(s, a.shape, strict=False)])
    b = broadcast(b, [sizes[c] if c in s else d for c, d in zip(t, b.shape, strict=False)])
    batch = [c for c in s if c in t and c in later]
    inner = [c for c in s if c in t and c not in later]
    rows, cols = [c for c in s if c not in t], [c for c in t if c not in s]
    dims_a, dims_b = dict(zip(s, a.shape, strict=False)), dict(zip(t, b.shape, strict=False))
    if not inner:  # nothing to sum: an elementwise product
        names = batch + rows + cols
        flat_a = reshaped(permuted(a, [s.index(c) for c in batch + rows]), [dims_a.get(c, 1) for c in names])
        flat_b = reshaped(permuted(b, [t.index(c) for c in batch + cols]), [dims_b.get(c, 1) for c in names])
        return "".join(names), cast(Tensor, e.multiply(flat_a, flat_b))
    lead = [dims_a[c] for c in batch]
    summed = math.prod(dims_a[c] for c in inner)
    flat_a = reshaped(
        permuted(a, [s.index(c) for c in batch + rows + inner]), [*lead, math.prod(dims_a[c] for c in rows), summed]
    )
    flat_b = reshaped(
        permuted(b, [t.index(c) for c in batch + inner + cols]), [*lead, summed, math.prod(dims_b[c] for c in cols)]
    )
    found = product(flat_a, flat_b)
    shape = [*lead, *(dims_a[c] for c in rows), *(dims_b[c] for c in cols)]
    return "".join(batch + rows + cols), reshaped(found, shape)
