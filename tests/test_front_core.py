"""Conversion, control flow and the rarer functions of nabi.ops; what they refuse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nabi import KerasTensor, Variable, ops, trace

rng = np.random.default_rng(11)
A = rng.normal(size=(4, 5)).astype(np.float32)
U = rng.uniform(-1, 1, (4, 5)).astype(np.float32)


def near(got: Any, want: Any, tolerance: float = 1e-5) -> None:
    want = np.asarray(want)
    assert got.shape == want.shape
    np.testing.assert_allclose(np.asarray(got), want, rtol=tolerance, atol=tolerance)


# ---- conversion -----------------------------------------------------------------------------------------------------


def test_convert() -> None:
    assert isinstance(ops.convert_to_tensor([1, 2]), trace.Array) and ops.is_tensor(ops.convert_to_tensor(1.0))
    assert not ops.is_tensor(np.ones(2)) and not ops.is_tensor(1)
    assert type(ops.convert_to_numpy(ops.exp(A))) is np.ndarray
    v = Variable(A)
    copied = ops.convert_to_numpy(v)
    copied[:] = 0
    assert np.array_equal(v.numpy(), A)
    assert ops.shape(A) == (4, 5) and ops.shape(3) == () and ops.size(A) == 20 and ops.ndim(v) == 2
    assert ops.dtype(v) == "float32" and ops.dtype(np.ones(1, bool)) == "bool"
    assert ops.array([1, 2], dtype="float32").dtype == np.float32
    x = KerasTensor((None, 2))
    assert ops.convert_to_tensor(x) is x
    with pytest.raises(NotImplementedError, match="dense"):
        ops.convert_to_tensor(A, sparse=True)


def test_cast() -> None:
    assert ops.cast(np.array([1.9, -1.9], np.float32), "int32").tolist() == [1, -1]
    assert ops.cast(np.array([0.5, 0.0, np.nan], np.float32), "bool").tolist() == [True, False, True]
    assert ops.cast(np.array([True, False]), "float32").tolist() == [1, 0]
    assert ops.saturate_cast(np.array([-5.0, 3.7, 1e10], np.float32), "uint8").tolist() == [0, 3, 255]
    assert ops.saturate_cast(np.array([-1e10, 7.0, 1e10], np.float32), "int32").tolist() == [-(2**31), 7, 2**31 - 128]
    assert ops.saturate_cast(np.array([300, -1], np.int32), "uint8").tolist() == [255, 0]


def test_creation() -> None:
    assert ops.zeros((2, 3)).tolist() == [[0] * 3] * 2 and ops.ones(3, dtype="int32").tolist() == [1, 1, 1]
    assert ops.full((2,), 7, dtype="int32").tolist() == [7, 7] and ops.full_like(A, 2.0).shape == A.shape
    assert ops.empty((0, 3)).shape == (0, 3)
    for args in ((5,), (2, 7), (1, 10, 3), (10, 0, -3), (0, 1, 0.25), (0.5, 3), (3, 3)):
        want = np.arange(*args)
        got = ops.arange(*args)
        assert got.dtype == (np.int32 if want.dtype.kind == "i" else np.float32)
        near(got, want)
    assert ops.arange(3, dtype="float32").dtype == np.float32
    near(ops.linspace(-1, 2, 7), np.linspace(-1, 2, 7))
    near(ops.linspace(0, 1, 4, endpoint=False), np.linspace(0, 1, 4, endpoint=False))
    near(ops.linspace(A[0], A[1], 3, axis=-1), np.linspace(A[0], A[1], 3, axis=-1))
    assert ops.linspace(0, 1, 11)[-1] == 1.0 and ops.linspace(3, 4, 1).tolist() == [3]
    values, step = ops.linspace(0, 1, 5, retstep=True)
    assert float(step) == 0.25 and len(values) == 5
    near(ops.logspace(0, 2, 3), np.logspace(0, 2, 3), 1e-4)
    near(ops.geomspace(1, 8, 4), np.geomspace(1, 8, 4), 1e-4)
    for k in (-1, 0, 2):
        near(ops.eye(3, 4, k), np.eye(3, 4, k))
        near(ops.tri(3, 4, k), np.tri(3, 4, k))
    assert ops.identity(2, dtype="bool").tolist() == [[True, False], [False, True]]
    near(ops.hamming(5), np.hamming(5))
    near(ops.kaiser(5, 8.6), np.kaiser(5, 8.6))


# ---- special functions ----------------------------------------------------------------------------------------------


def test_inverse_trigonometry() -> None:
    x = np.array([-1e30, -3, -2.4, -1, -0.67, -0.5, -0.0, 1e-20, 0.3, 0.66, 1, 2.5, 1e9, np.inf], np.float32)
    near(ops.arctan(x), np.arctan(x), 1e-6)
    near(ops.arctan(ops.convert_to_tensor(x, dtype="float64")), np.arctan(x.astype(float)), 1e-14)
    near(ops.arcsin(U), np.arcsin(U), 1e-6)
    near(ops.arccos(U), np.arccos(U), 1e-6)
    near(ops.arctan2(A, U), np.arctan2(A, U), 1e-6)
    y, z = np.array([0, 1, -1, 0, 0], np.float32), np.array([0, 0, 0, 1, -1], np.float32)
    near(ops.arctan2(y, z), np.arctan2(y, z), 1e-6)
    assert np.isnan(ops.arcsin(np.float32([1.5]))).all()
    near(ops.angle(np.float32([2, -2])), [0, np.pi])


def test_erfinv() -> None:
    x = np.array([-2.5, -1.2, -0.1, 0.0, 0.4, 2.0], np.float32)
    near(ops.erfinv(np.vectorize(math.erf)(x).astype(np.float32)), x, 1e-4)
    assert ops.erfinv(np.float32([-1, 1])).tolist() == [-np.inf, np.inf] and np.isnan(ops.erfinv(np.float32([2])))[0]


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "midpoint", "nearest"])
def test_quantiles(method: str) -> None:
    near(
        ops.quantile(A, [0.1, 0.5, 0.93], axis=1, method=method),
        np.quantile(A, [0.1, 0.5, 0.93], axis=1, method=method),
    )
    near(
        ops.percentile(A, 30, axis=0, method=method, keepdims=True),
        np.percentile(A, 30, axis=0, method=method, keepdims=True),
    )


def test_order_statistics() -> None:
    near(ops.median(A), np.median(A))
    near(ops.median(A, axis=1, keepdims=True), np.median(A, axis=1, keepdims=True))
    counts, edges = ops.histogram(A, 5)
    want_counts, want_edges = np.histogram(A, 5)
    assert counts.tolist() == want_counts.tolist()
    near(edges, want_edges)
    assert ops.histogram(A, 4, range=(-1, 1))[0].tolist() == np.histogram(A, 4, range=(-1, 1))[0].tolist()
    holes = np.where(A > 1, np.nan, A).astype(np.float32)
    near(ops.nancumsum(holes, axis=0), np.nancumsum(holes, axis=0))
    near(ops.nancumprod(holes, axis=0), np.nancumprod(holes, axis=0))


@pytest.mark.parametrize("mode", ["valid", "same", "full"])
@pytest.mark.parametrize("lengths", [(7, 3), (3, 7), (6, 2), (2, 6), (4, 4)])
def test_correlate(mode: str, lengths: tuple[int, int]) -> None:
    a, b = (rng.normal(size=n).astype(np.float32) for n in lengths)
    near(ops.correlate(a, b, mode), np.correlate(a, b, mode))


def test_integers_and_distances() -> None:
    i = np.arange(-6, 6, dtype=np.int32)
    assert ops.isin(i, np.array([1, -3])).tolist() == np.isin(i, [1, -3]).tolist()
    assert ops.isin(i, np.array([1, -3]), invert=True).tolist() == np.isin(i, [1, -3], invert=True).tolist()
    assert ops.left_shift(i, 2).tolist() == (i << 2).tolist()
    assert ops.right_shift(i, 1).tolist() == (i >> 1).tolist()
    assert ops.bitwise_not(i).tolist() == (~i).tolist()
    assert [v.tolist() for v in ops.unravel_index(np.array([5, 11]), (3, 4))] == [[1, 2], [1, 3]]
    near(ops.fmod(A, 0.7), np.fmod(A, np.float32(0.7)))
    near(ops.fabs(i), np.fabs(i))
    near(ops.trapezoid(A, axis=0), np.trapezoid(A, axis=0))
    near(ops.trapezoid(A, x=np.float32([0, 1, 3, 4, 8])), np.trapezoid(A, x=[0, 1, 3, 4, 8]))
    near(ops.corrcoef(A), np.corrcoef(A))
    near(ops.cdist(A, A[:2]), np.linalg.norm(A[:, None] - A[None, :2], axis=-1), 1e-5)
    near(ops.segment_max(A, np.array([1, 1, 0, 2]), num_segments=3), [A[2], np.maximum(A[0], A[1]), A[3]])
    near(ops.segment_min(A, np.array([1, 1, 0, 2]), num_segments=3), [A[2], np.minimum(A[0], A[1]), A[3]])
    assert bool(ops.allclose(A, A + 1e-9)) and not bool(ops.allclose(A, A + 1))


def test_arrays_for_static_arguments() -> None:
    assert ops.repeat(A, np.array([1, 0, 2, 1]), axis=0).shape == (4, 5)
    assert ops.tile(A, np.array([2, 1])).shape == (8, 5) and ops.reshape(A, newshape=np.array([5, 4])).shape == (5, 4)
    assert ops.pad(A, np.array([[1, 0], [0, 2]])).shape == (5, 7)
    assert [v.shape for v in ops.split(A, np.array([1, 3]), axis=1)] == [(4, 1), (4, 2), (4, 2)]
    assert ops.bincount(np.array([1, 6, 1])).tolist() == [0, 2, 0, 0, 0, 0, 1]
    assert ops.hanning(np.array(4)).shape == (4,) and ops.pad(A, (1, 2)).shape == (7, 8)
    assert ops.signbit(np.float32([-0.0, 0.0, -1, 1])).tolist() == [True, False, True, False]
    assert not ops.isnan(np.ones(3, bool)).any() and ops.isfinite(np.arange(3)).all()


def test_unfold() -> None:
    x = A.reshape(1, 1, 4, 5)
    want = np.stack([A[i : i + 2, j : j + 2].ravel() for i in range(3) for j in range(4)], -1)[None]
    near(ops.unfold(x, 2), want)


# ---- what they refuse -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.sum(A, axis=2), ValueError, "axis 2 is out of bounds for a tensor of dimension 2"),
        (lambda: ops.sum(A, axis=(0, 0)), ValueError, "duplicate value in `axis`"),
        (lambda: ops.where(A > 0), NotImplementedError, "shape depends on the data"),
        (lambda: ops.where(A > 0, A), ValueError, "either both should be `None`"),
        (lambda: ops.get_item(A, A > 0), NotImplementedError, "boolean mask"),
        (lambda: ops.get_item(A, (0, 0, 0)), IndexError, "too many indices"),
        (lambda: ops.get_item(A, 7), IndexError, "index 7 is out of bounds for axis 0 with size 4"),
        (lambda: ops.get_item(A, (Ellipsis, Ellipsis)), IndexError, "single ellipsis"),
        (lambda: ops.take(A, np.array([9]), axis=0), ValueError, "9"),
        (lambda: ops.reshape(A, (3, -1)), ValueError, "Cannot reshape a tensor of shape"),
        (lambda: ops.transpose(A, (0, 0)), ValueError, "must be a valid permutation"),
        (lambda: ops.moveaxis(A, (0, 1), (0,)), ValueError, "as many axes"),
        (lambda: ops.squeeze(A, axis=0), ValueError, "Cannot squeeze axis=0"),
        (lambda: ops.stack([A, A[:2]]), ValueError, "same shape"),
        (lambda: ops.split(A, 3), ValueError, "dividible by"),
        (lambda: ops.unstack(A, num=3), ValueError, "must be the length 4"),
        (lambda: ops.pad(A, 1, mode="odd"), ValueError, "Invalid padding mode"),
        (lambda: ops.pad(A, 1, mode="reflect", constant_values=1), ValueError, "can only be provided"),
        (lambda: ops.pad(A, ((1, 1),) * 3), ValueError, "same length as `x.shape`"),
        (lambda: ops.rot90(A, axes=(0, 0)), ValueError, "must be different"),
        (lambda: ops.diagonal(A[0]), ValueError, "at least two dimensions"),
        (lambda: ops.diag(A[None]), ValueError, "1-D or 2-D"),
        (lambda: ops.matmul(A, A), ValueError, r"got shapes \(4, 5\) and \(4, 5\)"),
        (lambda: ops.matmul(A, 2.0), ValueError, "rank 1 or more"),
        (lambda: ops.tensordot(A, A, axes=1), ValueError, "equal lengths of the summed axes"),
        (lambda: ops.cross(A, A), ValueError, "length 2 or 3"),
        (lambda: ops.einsum("ii->i", A[:4, :4]), NotImplementedError, "index twice"),
        (lambda: ops.einsum("ij,jk->ik", A), ValueError, "names 2 operands, got 1"),
        (lambda: ops.einsum("ijk->i", A), ValueError, "gives 3 axes"),
        (lambda: ops.einsum("ij,jk->ik", A, A), ValueError, "has lengths 5 and 4"),
        (lambda: ops.einsum("ij->ik", A), ValueError, "no operand"),
        (lambda: ops.arange(0, 3, 0), ValueError, "step other than 0"),
        (lambda: ops.linspace(0, 1, -1), ValueError, "non-negative"),
        (lambda: ops.meshgrid(A[0], indexing="x"), ValueError, "indexing parameter"),
        (lambda: trace.run_eagerly_cached(ops.bincount, (np.array([1]),)), ValueError, "minlength"),
        (lambda: ops.average(A, axis=None, weights=A[0]), ValueError, "Axis must be specified"),
        (lambda: ops.norm(A, ord="nuc", axis=(0, 1)), NotImplementedError, "singular values"),
        (lambda: ops.norm(A, ord="fro", axis=0), ValueError, "Invalid `ord`"),
        (lambda: ops.norm(A[None], ord=1), ValueError, "Invalid axis"),
        (lambda: ops.max(A[:0]), ValueError, "reduce_max"),
        (lambda: ops.top_k(A, 6), ValueError, "k of at most 5"),
        (lambda: ops.slice(A, (3, 0), (2, 2)), ValueError, "start"),
        (lambda: ops.slice_update(A, (3, 0), A[:2]), ValueError, "slice_update"),
        (lambda: ops.scatter_update(A, np.array([[0]]), A[:1], reduction="max"), NotImplementedError, "reduce by"),
        (lambda: ops.take_along_axis(A, np.array([0]), axis=0), ValueError, "as many axes"),
        (lambda: ops.searchsorted(A, A), ValueError, "1-D"),
        (lambda: ops.segment_sum(A, np.zeros(4, int)), ValueError, "num_segments"),
        (lambda: ops.glu(A), ValueError, "divisible by 2"),
        (lambda: ops.normalize(A, order=0), ValueError, "must be an int >= 1"),
        (lambda: ops.psnr(A, A[:2], 1.0), ValueError, "must match for PSNR"),
        (lambda: ops.batch_normalization(A, A[0, :3], A[0], axis=-1), ValueError, "`mean` must be a vector of length"),
        (lambda: ops.categorical_crossentropy(A, A[:2]), ValueError, "must have the same shape"),
        (lambda: ops.binary_crossentropy(A, A[:2]), ValueError, "must have the same shape"),
        (lambda: ops.sparse_categorical_crossentropy(A[:2, 0], A), ValueError, "up until the last dimension"),
        (lambda: ops.sparse_categorical_crossentropy(np.array([0, 1, 2, 9]), A, from_logits=True), ValueError, "9"),
        (lambda: ops.dot_product_attention(A, A, A), ValueError, "4D inputs"),
        (lambda: ops.depth_to_space(A, 1), ValueError, "block_size"),
        (lambda: ops.repeat(A, 2, axis=5), ValueError, "axis 5"),
        (lambda: ops.quantile(A, 0.5, method="x"), ValueError, "Invalid method"),
        (lambda: ops.one_hot(np.array([1]), 3, sparse=True), NotImplementedError, "dense"),
        (lambda: ops.add(A, "x"), TypeError, "numbers or booleans"),
        (lambda: ops.add(A, A[:3]), ValueError, r"\(4, 5\) and \(3, 5\)"),
    ],
)
def test_errors(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_softmax_over_one_class_warns() -> None:
    with pytest.warns(UserWarning, match="This axis has size 1"):
        ops.softmax(A[:, :1])
