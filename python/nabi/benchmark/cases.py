"""The cases of `nabi bench`: an op of the core's table, or a few that fuse into one step, on variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nabi import _core

Shape = tuple[int, ...]
Build = Callable[[Any, list[int]], list[int]]


@dataclass(frozen=True)
class Case:
    """One program.

    Args:
        family: kernels that are measured together: "gemm", "conv", ...
        name: what is done, and to which shapes.
        shapes: of the operands, which are variables.
        build: adds ops to a graph; returns what they make.
        updates: the operands that the results overwrite, as an optimizer's do; otherwise results are new.
        fill: the operands' values, by number; the others are standard normal numbers.
        dtypes: the operands' dtypes, by number; the others are float32.
    """

    family: str
    name: str
    shapes: Sequence[Shape]
    build: Build
    updates: Sequence[int] = ()
    fill: dict[int, Any] | None = None
    dtypes: dict[int, str] | None = None

    def program(self) -> tuple[Any, int]:
        """The program, and how many bytes its operands and results have."""
        rng = np.random.default_rng(0)
        graph, slots, ids, touched = _core.Graph(), [], [], 0
        for number, shape in enumerate(self.shapes):
            dtype = (self.dtypes or {}).get(number, "float32")
            value = (self.fill or {}).get(number)
            array = rng.standard_normal(shape, "float32") if value is None else np.broadcast_to(value, shape)
            slots.append(_core.Variable(dtype, shape))
            slots[-1].write(np.ascontiguousarray(array, dtype).reshape(shape))
            ids.append(graph.variable(number, dtype, shape))
            touched += array.size * np.dtype(dtype).itemsize
        made = self.build(graph, ids)
        for i in made:
            dtype, shape = graph.type(i)
            touched += int(np.prod(shape)) * np.dtype(dtype).itemsize
        if self.updates:
            for slot, i in zip(self.updates, made, strict=True):
                graph.set_update(slot, i)
        else:
            graph.set_outputs(made)
        return _core.Program(graph, slots), touched


def _op(name: str, **attrs: Any) -> Build:
    return lambda graph, ids: list(graph.add(name, ids, attrs))


def _relu_of(name: str, **attrs: Any) -> Build:
    """A product, a bias and a ReLU: one step after fusion."""

    def build(graph: Any, ids: list[int]) -> list[int]:
        product = graph.add(name, ids[:2], attrs)
        return list(graph.add("relu", graph.add("add", [*product, ids[2]])))

    return build


def gemm() -> Iterator[Case]:
    """Square products: powers of two and their odd neighbours."""
    for n in (64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 2048):
        yield Case("gemm", f"{n}", [(n, n), (n, n)], _op("matmul"))


def dense() -> Iterator[Case]:
    """The three products of a dense layer."""
    for k, n in ((784, 512), (512, 512), (3136, 64), (1024, 500), (512, 10)):
        for m in (32, 64, 128, 256, 512):
            name = f"{m}x{k}x{n}"
            yield Case("dense", f"forward+bias+relu {name}", [(m, k), (k, n), (n,)], _relu_of("matmul"))
            yield Case("dense", f"backward-data {name}", [(m, n), (k, n)], _op("matmul", transpose_b=True))
            yield Case("dense", f"backward-weights {name}", [(m, k), (m, n)], _op("matmul", transpose_a=True))


def _convolution(
    family: str, batch: int, size: int, c: int, f: int, kernel: int, stride: int = 1, first: bool = False
) -> Iterator[Case]:
    """Forward with bias and ReLU, and both gradients; a first layer needs none for its input."""
    out = -(-size // stride)
    total = max((out - 1) * stride + kernel - size, 0)
    attrs: dict[str, Any] = {
        "strides": [stride, stride],
        "padding": [total // 2, total - total // 2, total // 2, total - total // 2],
    }
    x, w, y = (batch, size, size, c), (kernel, kernel, c, f), (batch, out, out, f)
    name = f"{batch}x{size}x{size} {c}->{f}" + (f" {kernel}x{kernel}/{stride}" if stride > 1 else "")
    yield Case(family, f"forward+bias+relu {name}", [x, w, (f,)], _relu_of("conv2d", **attrs))
    if not first:
        yield Case(family, f"backward-data {name}", [y, w], _op("conv2d_grad_input", **attrs, input_shape=list(x)))
    yield Case(family, f"backward-weights {name}", [x, y], _op("conv2d_grad_filter", **attrs, filter_shape=list(w)))


def convolutions() -> Iterator[Case]:
    """The convolutions of the course's models, and others of their kind."""
    for size, c, f in ((28, 1, 32), (32, 3, 32)):
        yield from _convolution("conv3x3", 128, size, c, f, 3, first=True)
    for size, c, f in (
        (14, 32, 64),
        (32, 32, 32),
        (16, 32, 64),
        (16, 64, 64),
        (8, 64, 128),
        (8, 128, 128),
        (28, 96, 96),
    ):
        yield from _convolution("conv3x3", 32, size, c, f, 3)
    yield from _convolution("conv3x3", 128, 14, 32, 64, 3)
    yield from _convolution("conv3x3", 1, 32, 32, 32, 3)
    yield from _convolution("conv2x2", 32, 32, 3, 16, 2, first=True)
    for size, c, f in ((16, 16, 32), (8, 32, 64)):
        yield from _convolution("conv2x2", 32, size, c, f, 2)
    for size, c, f in ((32, 64, 64), (16, 128, 32), (8, 64, 256)):
        yield from _convolution("conv1x1", 32, size, c, f, 1)
    yield from _convolution("conv5x5", 128, 28, 1, 32, 5, first=True)
    yield from _convolution("conv5x5", 32, 14, 32, 64, 5)
    for size, c, f, kernel in ((32, 32, 64, 3), (16, 64, 128, 3), (16, 64, 128, 1), (32, 3, 32, 5)):
        yield from _convolution("strided", 32, size, c, f, kernel, 2, first=c == 3)


def pooling() -> Iterator[Case]:
    """Both kinds, forward and back."""
    for size, c, window, stride in ((28, 32, 2, 2), (14, 64, 2, 2), (32, 32, 2, 2), (16, 64, 3, 2)):
        out = (size - window) // stride + 1
        attrs: dict[str, Any] = {"size": [window, window], "strides": [stride, stride], "padding": [0, 0, 0, 0]}
        x, y = (128, size, size, c), (128, out, out, c)
        name = f"{window}x{window}/{stride} 128x{size}x{size}x{c}"
        yield Case("pool", f"max {name}", [x], _op("max_pool2d", **attrs))
        yield Case("pool", f"average {name}", [x], _op("avg_pool2d", **attrs))
        yield Case("pool", f"average back {name}", [y], _op("avg_pool2d_grad", **attrs, input_shape=list(x)))

        def back(graph: Any, ids: list[int], x: Shape = x, attrs: dict[str, Any] = attrs) -> list[int]:
            pooled = graph.add("max_pool2d", ids[:1], attrs)[0]
            return list(graph.gradients([pooled], ids[:1], [ids[1]]))

        yield Case("pool", f"max and back {name}", [x, y], back)


def normalization() -> Iterator[Case]:
    """Batch norm of a training step, softmax and the cross-entropies."""
    for shape in ((128, 32, 32, 32), (128, 16, 16, 64), (128, 8, 8, 128), (128, 512)):
        c, name = shape[-1], "x".join(map(str, shape))
        norm = {"epsilon": 1e-3}
        yield Case("norm", f"batch norm {name}", [shape, (c,), (c,)], _op("batch_norm", **norm))
        yield Case(
            "norm",
            f"batch norm back {name}",
            [shape, shape, (c,), (c,), (c,)],
            _op("batch_norm_grad", **norm),
            fill={4: 1.0},
        )
    for rows, classes in ((32, 3), (128, 10), (4096, 10), (128, 1000)):
        shape, name = (rows, classes), f"{rows}x{classes}"
        eye = np.eye(classes, dtype="float32")[np.arange(rows) % classes]
        loss = _op("softmax_cross_entropy")
        back = _op("softmax_cross_entropy_grad")
        yield Case("softmax", f"softmax {name}", [shape], _op("softmax"))
        yield Case("softmax", f"cross-entropy {name}", [shape, shape], loss, fill={1: eye})
        yield Case("softmax", f"cross-entropy back {name}", [shape, shape, (rows,)], back, fill={1: eye})
        yield Case(
            "softmax",
            f"sparse cross-entropy {name}",
            [shape, (rows,)],
            _op("sparse_softmax_cross_entropy"),
            fill={1: np.arange(rows) % classes},
            dtypes={1: "int32"},
        )


def updates() -> Iterator[Case]:
    """Optimizer steps, from what stays in a core to what comes from memory."""
    rules: tuple[tuple[str, int, dict[str, Any]], ...] = (
        ("sgd", 0, {}),
        ("sgd_momentum", 1, {"momentum": 0.9}),
        ("rmsprop", 1, {"rho": 0.9, "epsilon": 1e-7}),
        ("adam", 2, {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}),
    )
    for name, slots, attrs in rules:
        for count in (1_000, 50_000, 400_000, 10_000_000):
            shapes: list[Shape] = [(count,)] * (2 + slots) + [()]
            values: dict[int, Any] = {2 + i: 1.0 for i in range(slots)} | {2 + slots: 1e-3}
            overwritten = [0, *range(2, 2 + slots)]
            build = _op(f"{name}_update", **attrs)
            yield Case("update", f"{name} {count:,}", shapes, build, updates=overwritten, fill=values)


def elementwise() -> Iterator[Case]:
    """Activations and their like, dropout, random numbers, sums and moves."""
    for count in (10_000, 1_000_000):
        shape: Shape = (count,)
        for name in ("relu", "exp", "tanh", "sigmoid", "silu"):
            yield Case("pointwise", f"{name} {count:,}", [shape], _op(name))
        yield Case("pointwise", f"add {count:,}", [shape, shape], _op("add"))
        state: dict[str, Any] = {"fill": {1: 7}, "dtypes": {1: "int64"}}
        yield Case("random", f"dropout {count:,}", [shape, (2,)], _op("dropout", rate=0.5), **state)
        only: dict[str, Any] = {"fill": {0: 7}, "dtypes": {0: "int64"}}
        yield Case("random", f"uniform {count:,}", [(2,)], _op("random_uniform", shape=[count]), **only)
        yield Case("random", f"normal {count:,}", [(2,)], _op("random_normal", shape=[count]), **only)
    for rows, columns in ((128, 512), (32768, 64), (1024, 1024)):
        shape, name = (rows, columns), f"{rows}x{columns}"
        yield Case("reduce", f"sum of columns {name}", [shape], _op("reduce_sum", axes=[0]))
        yield Case("reduce", f"sum of rows {name}", [shape], _op("reduce_sum", axes=[1]))
        yield Case("reduce", f"sum of all {name}", [shape], _op("reduce_sum", axes=[0, 1]))
        yield Case("reduce", f"argmax of rows {name}", [shape], _op("argmax", axis=1))
        yield Case("layout", f"transpose {name}", [shape], _op("transpose", perm=[1, 0]))
    image = (128, 32, 32, 3)
    yield Case("layout", "channels first 128x32x32x3", [image], _op("transpose", perm=[0, 3, 1, 2]))
    pad = {"low": [0, 1, 1, 0], "high": [0, 1, 1, 0]}
    yield Case("layout", "pad 128x32x32x3", [image], _op("pad", **pad))
    index: dict[str, Any] = {"fill": {1: np.arange(4096) * 7 % 10_000}, "dtypes": {1: "int32"}}
    yield Case("layout", "gather 4,096 of 10,000 rows of 64", [(10_000, 64), (4096,)], _op("gather", axis=0), **index)
    yield Case("layout", "concat 2 x 128x16x16x64", [(128, 16, 16, 64)] * 2, _op("concat", axis=3))


def every_case() -> Iterator[Case]:
    """All cases, family by family."""
    for family in (gemm, dense, convolutions, pooling, normalization, updates, elementwise):
        yield from family()
