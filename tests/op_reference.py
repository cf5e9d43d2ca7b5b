"""What the structured ops mean, written plainly in NumPy: the oracle of ``op_cases.py``.

Every function takes arrays as the core does (NHWC images, HWIO filters) and computes in the dtype of its inputs, which
the tests choose to be float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Ints = Sequence[int]


def erf(x: Array) -> Array:
    """The error function, element by element."""
    return np.vectorize(math.erf, otypes=[np.float64])(x) if x.size else np.zeros(x.shape)


def sigmoid(x: Array) -> Array:
    """The logistic function without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(np.isnan(x), x, np.where(x >= 0, 1 / (1 + e), e / (1 + e)))


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def matmul(a: Array, b: Array, transpose_a: bool = False, transpose_b: bool = False) -> Array:
    """Matrix product of the last two axes, the others broadcast."""
    left = np.swapaxes(a, -1, -2) if transpose_a else a
    right = np.swapaxes(b, -1, -2) if transpose_b else b
    return np.asarray(left @ right)


# Convolution and pooling. A cell (i, j) of the window meets the input at rows i * dilation + stride * (0, 1, ...).


def _cells(size: Ints, strides: Ints, dilation: Ints, out: Ints) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
    """The cells of a window and, for each, the part of the padded image that it meets."""
    for i in range(size[0]):
        for j in range(size[1]):
            top, left = i * dilation[0], j * dilation[1]
            rows = slice(top, top + strides[0] * (out[0] - 1) + 1, strides[0])
            cols = slice(left, left + strides[1] * (out[1] - 1) + 1, strides[1])
            yield i, j, (rows, cols)


def window_out(shape: Ints, size: Ints, strides: Ints, dilation: Ints, padding: Ints) -> tuple[int, int]:
    """Height and width of what a window sliding over images of ``shape`` makes."""
    height = (shape[1] + padding[0] + padding[1] - dilation[0] * (size[0] - 1) - 1) // strides[0] + 1
    width = (shape[2] + padding[2] + padding[3] - dilation[1] * (size[1] - 1) - 1) // strides[1] + 1
    return height, width


def _padded(x: Array, padding: Ints, value: float = 0.0) -> Array:
    return np.pad(x, ((0, 0), tuple(padding[:2]), tuple(padding[2:]), (0, 0)), constant_values=value)


def _unpadded(x: Array, padding: Ints) -> Array:
    top, bottom, left, right = padding
    return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]


def conv2d(x: Array, w: Array, strides: Ints, dilation: Ints, padding: Ints, groups: int) -> Array:
    """Cross-correlation of images with filters."""
    out = window_out(x.shape, w.shape, strides, dilation, padding)
    image = _padded(x, padding)
    y = np.zeros((x.shape[0], *out, w.shape[3]), x.dtype)
    step_in, step_out = w.shape[2], w.shape[3] // groups
    for i, j, (rows, cols) in _cells(w.shape, strides, dilation, out):
        for g in range(groups):
            c, f = slice(g * step_in, (g + 1) * step_in), slice(g * step_out, (g + 1) * step_out)
            y[..., f] += image[:, rows, cols, c] @ w[i, j, :, f]
    return y


def conv2d_grad_input(
    dy: Array, w: Array, strides: Ints, dilation: Ints, padding: Ints, groups: int, input_shape: Ints
) -> Array:
    """The gradient of conv2d with respect to its images."""
    image = _padded(np.zeros(tuple(input_shape), dy.dtype), padding)
    step_in, step_out = w.shape[2], w.shape[3] // groups
    for i, j, (rows, cols) in _cells(w.shape, strides, dilation, dy.shape[1:3]):
        for g in range(groups):
            c, f = slice(g * step_in, (g + 1) * step_in), slice(g * step_out, (g + 1) * step_out)
            image[:, rows, cols, c] += dy[..., f] @ w[i, j, :, f].T
    return _unpadded(image, padding)


def conv2d_grad_filter(
    x: Array, dy: Array, strides: Ints, dilation: Ints, padding: Ints, groups: int, filter_shape: Ints
) -> Array:
    """The gradient of conv2d with respect to its filters."""
    image = _padded(x, padding)
    dw = np.zeros(tuple(filter_shape), x.dtype)
    step_in, step_out = dw.shape[2], dw.shape[3] // groups
    for i, j, (rows, cols) in _cells(dw.shape, strides, dilation, dy.shape[1:3]):
        for g in range(groups):
            c, f = slice(g * step_in, (g + 1) * step_in), slice(g * step_out, (g + 1) * step_out)
            dw[i, j, :, f] = np.tensordot(image[:, rows, cols, c], dy[..., f], ((0, 1, 2), (0, 1, 2)))
    return dw


def max_pool2d(x: Array, size: Ints, strides: Ints, padding: Ints) -> tuple[Array, Array]:
    """Maxima of windows and which cell of the window held each: the first of equals, a NaN before all."""
    out = window_out(x.shape, size, strides, (1, 1), padding)
    image = _padded(x, padding, -np.inf)
    inside = _padded(np.ones_like(x), padding)
    y = np.full((x.shape[0], *out, x.shape[3]), -np.inf, x.dtype)
    index = np.full(y.shape, -1, np.int64)
    for i, j, (rows, cols) in _cells(size, strides, (1, 1), out):
        cell, there = image[:, rows, cols], inside[:, rows, cols] > 0
        better = there & ((index < 0) | (cell > y) | (np.isnan(cell) & ~np.isnan(y)))
        y = np.where(better, cell, y)
        index = np.where(better, i * size[1] + j, index)
    return y, index.astype(np.uint8 if size[0] * size[1] <= 256 else np.int32)


def max_pool2d_grad(g: Array, index: Array, size: Ints, strides: Ints, padding: Ints, input_shape: Ints) -> Array:
    """Each gradient added to the cell its window's maximum came from."""
    image = _padded(np.zeros(tuple(input_shape), g.dtype), padding)
    for i, j, (rows, cols) in _cells(size, strides, (1, 1), g.shape[1:3]):
        image[:, rows, cols] += np.where(index == i * size[1] + j, g, 0)
    return _unpadded(image, padding)


def _valid_cells(shape: Ints, size: Ints, strides: Ints, padding: Ints, dtype: Any) -> Array:
    out = window_out(shape, size, strides, (1, 1), padding)
    inside = _padded(np.ones((1, shape[1], shape[2], 1), dtype), padding)
    cells = [inside[:, rows, cols] for _, _, (rows, cols) in _cells(size, strides, (1, 1), out)]
    return np.asarray(sum(cells))


def avg_pool2d(x: Array, size: Ints, strides: Ints, padding: Ints) -> Array:
    """Means of windows over the cells that lie in the image."""
    out = window_out(x.shape, size, strides, (1, 1), padding)
    image = _padded(x, padding)
    total = sum(image[:, rows, cols] for _, _, (rows, cols) in _cells(size, strides, (1, 1), out))
    return np.asarray(total / _valid_cells(x.shape, size, strides, padding, x.dtype))


def avg_pool2d_grad(g: Array, size: Ints, strides: Ints, padding: Ints, input_shape: Ints) -> Array:
    """Each gradient shared by the cells of its window."""
    image = _padded(np.zeros(tuple(input_shape), g.dtype), padding)
    share = g / _valid_cells(input_shape, size, strides, padding, g.dtype)
    for _, _, (rows, cols) in _cells(size, strides, (1, 1), g.shape[1:3]):
        image[:, rows, cols] += share
    return _unpadded(image, padding)


# Normalisation and cross-entropies


def batch_norm(x: Array, gamma: Array, beta: Array, epsilon: float) -> tuple[Array, Array, Array]:
    """Normalised over all axes but the last, with the biased variance."""
    rows = x.reshape(-1, x.shape[-1])
    mean = rows.sum(0) / rows.shape[0]
    variance = np.square(rows - mean).sum(0) / rows.shape[0]
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta, mean, variance


def batch_norm_grad(
    g: Array, x: Array, gamma: Array, mean: Array, variance: Array, epsilon: float
) -> tuple[Array, Array, Array]:
    """Gradients of the normalised values, through the statistics too."""
    axes = tuple(range(x.ndim - 1))
    n = max(math.prod(x.shape[:-1]), 1)
    scale = 1 / np.sqrt(variance + epsilon)
    normal = (x - mean) * scale
    dbeta, dgamma = g.sum(axes), (g * normal).sum(axes)
    return gamma * scale * (g - dbeta / n - normal * dgamma / n), dgamma, dbeta


def log_softmax(x: Array) -> Array:
    """Over the last axis."""
    if x.size == 0:
        return x
    shifted = x - x.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def softmax(x: Array) -> Array:
    """Over the last axis."""
    return np.exp(log_softmax(x))


def one_hot(index: Array, depth: int) -> Array:
    """Rows with a 1 at each index; an index out of range leaves its row at 0."""
    return np.asarray(index[..., None] == np.arange(depth), np.float64)


# Random numbers


def philox4x32(counter: Array, key: tuple[int, int]) -> Array:
    """Philox4x32-10 of Salmon, Moraes, Dror and Shaw (SC 2011).

    Args:
        counter: uint64 array of shape (n, 4) of 32-bit words.
        key: two 32-bit words.

    Returns:
        uint64 array of shape (n, 4) of 32-bit words.
    """
    mask = np.uint64(0xFFFFFFFF)
    c0, c1, c2, c3 = (counter[:, i].astype(np.uint64) for i in range(4))
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (
            (p1 >> np.uint64(32)) ^ c1 ^ np.uint64(k0),
            p1 & mask,
            (p0 >> np.uint64(32)) ^ c3 ^ np.uint64(k1),
            p0 & mask,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], 1)


def random_words(state: Array, draws: int) -> Array:
    """The words of ``draws`` draws: shape (draws, 4, 16), lane l of draw d being block 16 d + l."""
    seed, counter = (int(v) & 0xFFFFFFFFFFFFFFFF for v in state)
    blocks = np.arange(draws * 16, dtype=np.uint64)
    counters = np.empty((draws * 16, 4), np.uint64)
    counters[:, 0], counters[:, 1] = blocks & np.uint64(0xFFFFFFFF), blocks >> np.uint64(32)
    counters[:, 2], counters[:, 3] = counter & 0xFFFFFFFF, counter >> 32
    words = philox4x32(counters, (seed & 0xFFFFFFFF, seed >> 32))
    return words.reshape(draws, 16, 4).transpose(0, 2, 1)


def random_bits(state: Array, shape: Ints) -> Array:
    """32 random bits for each element."""
    n = math.prod(shape)
    return random_words(state, -(-n // 64)).reshape(-1)[:n].reshape(tuple(shape))


def random_uniform(state: Array, shape: Ints, low: float, high: float) -> Array:
    """24 bits between low and high, high excluded."""
    low32, high32 = np.float32(low), np.float32(high)
    unit = (random_bits(state, shape) >> np.uint64(8)) * 2.0**-24
    drawn = (unit * np.float64(high32 - low32) + np.float64(low32)).astype(np.float32)
    return np.minimum(drawn, np.nextafter(high32, low32))


def random_normal(state: Array, shape: Ints, mean: float, stddev: float, edge: float = 1.0) -> Array:
    """The inverse of the normal distribution function at the middle of one of 2^24 cells.

    The cells divide its values between (1 - edge) / 2 and (1 + edge) / 2.
    """
    cell = ((random_bits(state, shape) >> np.uint64(7)) | np.uint64(1)).astype(np.float64) * 2.0**-24 - 1
    inverse = np.vectorize(NormalDist().inv_cdf, otypes=[np.float64])
    unit = 0.5 + 0.5 * edge * cell
    # Near 1 the probability itself has lost the digits that the tail needs: use symmetry.
    z = np.where(unit < 0.5, 1.0, -1.0) * inverse(np.minimum(unit, 0.5 - 0.5 * edge * cell)) if cell.size else cell
    return z * float(np.float32(stddev)) + float(np.float32(mean))


def dropout_keeps(state: Array, shape: Ints, rate: float) -> Array:
    """Which elements dropout keeps: those whose 16 bits reach rate * 2^16."""
    n = math.prod(shape)
    words = random_words(state, -(-n // 128))
    halves = np.stack([words & np.uint64(0xFFFF), words >> np.uint64(16)], 2)  # (draws, 4, 2, 16)
    return (halves.reshape(-1)[:n] >= round(rate * 65536)).reshape(tuple(shape))


def image_affine(x: Array, matrices: Array, size: list[int], interpolation: str, fill: str, value: float) -> Array:
    """Images at the places that the matrices give; pixels beyond the edge as in scipy.ndimage."""

    def settled(a: Array, n: int) -> Array:
        if fill == "nearest":
            return np.clip(a, 0, n - 1)
        if fill == "wrap" and n > 1:
            below, above = a + (n - 1) * (np.trunc(-a / (n - 1)) + 1), a - (n - 1) * np.trunc(a / (n - 1))
            return np.where(a < 0, below, np.where(a > n - 1, above, a))
        return np.zeros_like(a) if fill == "wrap" else a

    def pixel(i: Array, n: int) -> Array:
        if fill in ("constant", "grid-constant"):
            return np.where((i >= 0) & (i < n), i, -1)
        if n == 1:
            return np.zeros_like(i)
        if fill == "reflect":
            i = i % (2 * n)
            return np.where(i < n, i, 2 * n - 1 - i)
        if fill == "mirror":
            i = i % (2 * n - 2)
            return np.where(i < n, i, 2 * n - 2 - i)
        return i % n if fill == "grid-wrap" else np.clip(i, 0, n - 1)

    n, h, w, _ = x.shape
    rows, columns = np.meshgrid(*(np.arange(s, dtype="float64") for s in size), indexing="ij")
    out = np.empty((n, *size, x.shape[3]))
    for image, m, target in zip(x.astype("float64"), matrices.astype("float64"), out, strict=True):
        a, b = (m[k, 0] * rows + m[k, 1] * columns + m[k, 2] for k in range(2))
        outside = (a < 0) | (a > h - 1) | (b < 0) | (b > w - 1) if fill == "constant" else np.zeros_like(a, bool)
        a, b = settled(a, h), settled(b, w)
        whole = (lambda v: np.floor(v + 0.5)) if interpolation == "nearest" else np.floor
        total = np.zeros_like(target)
        for da in (0, 1):
            for db in (0, 1):
                i, j = whole(a).astype(int) + da, whole(b).astype(int) + db
                if interpolation == "nearest":
                    weight = np.full_like(a, float(da == db == 0))
                else:
                    weight = (1 - np.abs(a - i)) * (1 - np.abs(b - j))
                i, j = pixel(i, h), pixel(j, w)
                found = np.where(((i < 0) | (j < 0))[..., None], value, image[i, j])
                total += np.where(weight[..., None] != 0, weight[..., None] * found, 0)
        target[:] = np.where(outside[..., None], value, total)
    return out.astype(x.dtype)
