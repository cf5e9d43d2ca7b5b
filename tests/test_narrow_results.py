"""Products and convolutions with few outputs, which have forms of their own, on shapes that are cut into tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import op_check as check
from op_draw import Array


def near_float64(build: check.Build, arrays: list[Array]) -> None:
    """The same bits everywhere, and near those of the plain loops in float64."""
    exact = check.call(build, [x.astype("float64") for x in arrays])
    for i, (single, double) in enumerate(zip(check.everywhere(build, arrays), exact, strict=True)):
        allowed = 2000 * np.finfo(np.float32).eps * float(np.max(np.abs(double)))
        check.close(single, double, float(allowed), f"output {i}")


def normal(*shape: int) -> Array:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def same(before: int, after: int) -> dict[str, Any]:
    return {"padding": [before, after, before, after]}


@pytest.mark.parametrize(
    ("x", "w", "options"),
    [
        ((24, 19, 21, 32), (3, 3, 32, 1), same(1, 1)),  # one output, as a decoder ends
        ((9, 40, 37, 20), (3, 3, 20, 3), same(1, 1)),  # pictures of three colours
        ((3, 130, 90, 7), (1, 1, 7, 1), {}),
        ((30, 28, 28, 1), (5, 5, 1, 6), same(2, 2)),  # few inputs, few outputs: planes are copied without transposing
        ((16, 30, 30, 3), (4, 4, 3, 40), {**same(1, 1), "strides": [2, 2]}),  # the input gradient has four phases
        ((8, 30, 31, 2), (3, 2, 2, 24), {**same(0, 1), "strides": [3, 2]}),
        ((6, 33, 30, 16), (3, 3, 16, 5), {**same(2, 2), "dilation": [2, 2]}),
        ((12, 20, 20, 1), (3, 3, 1, 1), {}),
        ((40, 9, 9, 12), (9, 9, 12, 2), {}),  # one pixel an image
    ],
)
def test_convolution(x: tuple[int, ...], w: tuple[int, ...], options: dict[str, Any]) -> None:
    attrs = {"strides": [1, 1], "dilation": [1, 1], "padding": [0, 0, 0, 0], "groups": 1, **options}

    def forward(graph: Any, ids: list[int]) -> list[int]:
        u, v, b = ids
        (positive,) = graph.add("relu", [u])
        (y,) = graph.add("conv2d", [positive, v], attrs)
        (shifted,) = graph.add("add", [y, b])
        return list(graph.add("relu", [shifted]))

    arrays = [normal(*x), normal(*w), normal(w[3])]
    near_float64(forward, arrays)
    (y,) = check.call(forward, arrays)
    near_float64(check.gradient_build(forward, (0,), (0, 1, 2)), [*arrays, normal(*y.shape)])


@pytest.mark.parametrize("shape", [(500, 100, 1), (77, 2500, 1), (1000, 40, 4), (64, 16, 3), (300, 1100, 2)])
def test_product(shape: tuple[int, int, int]) -> None:
    m, k, n = shape

    def forward(graph: Any, ids: list[int]) -> list[int]:
        a, b, c = ids
        (y,) = graph.add("matmul", [a, b])
        (shifted,) = graph.add("add", [y, c])
        return [*graph.add("matmul", [a, b]), *graph.add("relu", [shifted])]

    near_float64(forward, [normal(m, k), normal(k, n), normal(n)])
