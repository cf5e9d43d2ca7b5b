"""Convolutions and pooling of nabi.ops against loops over windows, in 1 to 3 dimensions and both data formats."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from nabi import ops, trace

rng = np.random.default_rng(5)


def normal(*shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def pads(n: int, k: int, s: int, padding: str) -> tuple[int, int]:
    total = max((-(-n // s) - 1) * s + k - n, 0) if padding == "same" else 0
    return total // 2, total - total // 2


def windows(x: np.ndarray, size: list[int], strides: list[int], padding: str, dilation: list[int], fill: float) -> Any:
    """Yields (output place, window [n, *size, c])."""
    reach = [(k - 1) * d + 1 for k, d in zip(size, dilation, strict=True)]
    around = [pads(n, k, s, padding) for n, k, s in zip(x.shape[1:-1], reach, strides, strict=True)]
    x = np.pad(x, [(0, 0), *around, (0, 0)], constant_values=fill)
    counts = [(n - k) // s + 1 for n, k, s in zip(x.shape[1:-1], reach, strides, strict=True)]
    for place in itertools.product(*(range(c) for c in counts)):
        cut = [slice(p * s, p * s + k, d) for p, s, k, d in zip(place, strides, reach, dilation, strict=True)]
        yield place, counts, x[(slice(None), *cut)]


def conv(x: np.ndarray, w: np.ndarray, strides: list[int], padding: str, dilation: list[int]) -> np.ndarray:
    groups = x.shape[-1] // w.shape[-2]
    out = None
    for place, counts, part in windows(x, list(w.shape[:-2]), strides, padding, dilation, 0.0):
        if out is None:
            out = np.zeros((x.shape[0], *counts, w.shape[-1]))
        for g in range(groups):
            channels = slice(g * w.shape[-2], (g + 1) * w.shape[-2])
            filters = slice(g * w.shape[-1] // groups, (g + 1) * w.shape[-1] // groups)
            axes = list(range(1, w.ndim))
            out[(slice(None), *place, filters)] = np.tensordot(
                part[..., channels], w[..., filters], (axes, range(w.ndim - 1))
            )
    assert out is not None
    return out


def pool(x: np.ndarray, size: list[int], strides: list[int], padding: str, reduce: Any) -> np.ndarray:
    out = None
    for place, counts, part in windows(x, size, strides, padding, [1] * len(size), np.nan):
        if out is None:
            out = np.zeros((x.shape[0], *counts, x.shape[-1]))
        out[(slice(None), *place)] = reduce(part, axis=tuple(range(1, part.ndim - 1)))
    assert out is not None
    return out


def first(x: Any) -> np.ndarray:
    """Channels moved to axis 1."""
    return np.moveaxis(np.asarray(x), -1, 1)


SHAPES = [(7,), (6, 5), (5, 4, 6)]


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("spatial", SHAPES, ids=["1d", "2d", "3d"])
@pytest.mark.parametrize(("strides", "dilation", "groups"), [(1, 1, 1), (2, 1, 1), (1, 2, 1), (2, 1, 2)])
def test_conv(spatial: tuple[int, ...], padding: str, strides: int, dilation: int, groups: int) -> None:
    rank = len(spatial)
    x, w = normal(2, *spatial, 4), normal(*[3, 2, 2][:rank], 4 // groups, 6)
    want = conv(x, w, [strides] * rank, padding, [dilation] * rank)
    got = ops.conv(x, w, strides=strides, padding=padding, dilation_rate=dilation)
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    got = ops.conv(first(x), w, strides=strides, padding=padding, dilation_rate=dilation, data_format="channels_first")
    np.testing.assert_allclose(got, first(want), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spatial", SHAPES[:2], ids=["1d", "2d"])
def test_depthwise_and_separable(spatial: tuple[int, ...]) -> None:
    rank = len(spatial)
    x, w, p = normal(2, *spatial, 3), normal(*[3, 2][:rank], 3, 2), normal(*[1] * rank, 6, 5)
    each = [conv(x[..., c : c + 1], w[..., c : c + 1, :], [2] * rank, "same", [1] * rank) for c in range(3)]
    want = np.concatenate(each, -1)
    got = ops.depthwise_conv(x, w, strides=2, padding="same")
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
    got = ops.separable_conv(x, w, p, strides=2, padding="same")
    np.testing.assert_allclose(got, want @ p.reshape(6, 5), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("kernel", "strides", "padding", "want"),
    [
        (3, 2, "same", [1, 2, 5, 4, 9, 6]),
        (4, 2, "same", [2, 5, 8, 9, 14, 9]),
        (3, 2, "valid", [1, 2, 5, 4, 9, 6, 9]),
        (2, 3, "valid", [1, 2, 0, 2, 4, 0, 3, 6, 0]),
    ],
)
def test_conv_transpose_follows_tensorflow(kernel: int, strides: int, padding: str, want: list[float]) -> None:
    x = np.array([1, 2, 3], np.float32).reshape(1, 3, 1)
    w = np.arange(1, kernel + 1, dtype=np.float32).reshape(kernel, 1, 1)
    assert ops.conv_transpose(x, w, strides=strides, padding=padding)[0, :, 0].tolist() == want
    flat = ops.conv_transpose(x[:, :, None], w[:, None], strides=(strides, 1), padding=padding)
    assert flat[0, :, 0, 0].tolist() == want


def test_conv_transpose_output_padding_and_channels() -> None:
    x, w = normal(2, 4, 5, 3), normal(3, 2, 6, 3)
    assert ops.conv_transpose(x, w, strides=2, output_padding=1).shape == (2, 10, 11, 6)
    assert ops.conv_transpose(x, w, strides=2, padding="same", output_padding=1).shape == (2, 8, 9, 6)
    got = ops.conv_transpose(first(x), w, strides=2, data_format="channels_first")
    np.testing.assert_allclose(got, first(ops.conv_transpose(x, w, strides=2)), rtol=1e-6)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("spatial", SHAPES, ids=["1d", "2d", "3d"])
@pytest.mark.parametrize(("size", "strides"), [(2, None), (3, 2), (3, 1)])
def test_pooling(spatial: tuple[int, ...], padding: str, size: int, strides: int | None) -> None:
    rank = len(spatial)
    x = normal(2, *spatial, 3)
    steps = [size if strides is None else strides] * rank
    for function, reduce in ((ops.max_pool, np.nanmax), (ops.average_pool, np.nanmean)):
        want = pool(x, [size] * rank, steps, padding, reduce)
        got = function(x, size, strides=strides, padding=padding)
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
        got = function(first(x), size, strides=strides, padding=padding, data_format="channels_first")
        np.testing.assert_allclose(got, first(want), rtol=1e-4, atol=1e-5)


def test_adaptive_pooling() -> None:
    x = normal(2, 5, 7, 3)
    got = ops.adaptive_average_pool(x, (2, None))
    want = np.stack([x[:, 0:3].mean(1), x[:, 2:5].mean(1)], 1)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    assert ops.adaptive_max_pool(x, 1).tolist() == x.max((1, 2), keepdims=True).tolist()


def test_symbolic_shapes() -> None:
    x = trace.KerasTensor((None, 28, 28, 1))
    w = np.zeros((3, 3, 1, 8), np.float32)
    assert ops.conv(x, w, strides=2, padding="same").shape == (None, 14, 14, 8)
    assert ops.max_pool(x, 2).shape == (None, 14, 14, 1)
    assert ops.conv(trace.KerasTensor((2, None, None, 1)), w).shape == (2, None, None, 8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ops.conv(normal(1, 4, 4, 3), normal(3, 3, 2, 4)), "input channels must match the kernel"),
        (lambda: ops.conv(normal(1, 2, 2, 3), normal(3, 3, 3, 4)), "would be zero or negative"),
        (lambda: ops.conv(normal(1, 4, 4, 3), normal(3, 3, 4)), "requires a kernel of rank 4"),
        (lambda: ops.conv(normal(1, 4, 4, 3), normal(3, 3, 3, 4), padding="full"), "must be one of"),
        (lambda: ops.max_pool(normal(1, 4, 4, 3), (2, 2, 2)), "must be a tuple of 2 integers"),
        (lambda: ops.depthwise_conv(normal(1, 4, 4, 3), normal(3, 3, 4, 1)), "input channels must match the kernel"),
        (lambda: ops.conv_transpose(normal(1, 4, 4, 3), normal(3, 3, 3, 4)), "input channels must match the kernel"),
        (lambda: ops.max_pool(normal(1, 4, 4, 3), 2, data_format="nchw"), "`data_format` argument must be one of"),
    ],
)
def test_errors(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
