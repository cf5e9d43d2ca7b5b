"""Time of each op's kernel beside the core's peak in the same run: python bench/ops.py [--filter conv] [--threads 2]

Every op of the table is measured on the large example of its row in tests/op_cases.py, so an op is measured on the day
it appears; products and convolutions also on shapes of the course's models. Flop and bytes (inputs read once, outputs
written once) are per cycle of one core, from a clock measured beside each figure; `peak` is the fraction of the
multiply-add peak measured beside it, times the number of threads. The shortest of several runs counts: machines are
shared.
"""

from __future__ import annotations

import argparse
import json
import math
import pathlib
import sys
import time
from typing import Any

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))

from nabi import _core  # noqa: E402
from op_cases import ROWS  # noqa: E402
from op_check import cast, op_build, program_of  # noqa: E402
from op_draw import Draw  # noqa: E402

Case = tuple[str, str, list[Any], dict[str, Any]]


def flops(op: str, shapes: list[tuple[int, ...]], attrs: dict[str, Any]) -> float:
    """Multiplications and additions of products and convolutions; 0 for the others."""
    if op == "matmul":
        a, b = shapes[0], shapes[1]
        k = a[-2] if attrs.get("transpose_a") else a[-1]
        m = a[-1] if attrs.get("transpose_a") else a[-2]
        n = b[-2] if attrs.get("transpose_b") else b[-1]
        return 2.0 * m * k * n * math.prod(np.broadcast_shapes(a[:-2], b[:-2]))
    if op == "conv2d":
        x, w = shapes[0], shapes[1]
        out = [
            (x[i] + attrs["padding"][2 * (i - 1)] + attrs["padding"][2 * (i - 1) + 1] - w[i - 1])
            // attrs["strides"][i - 1]
            + 1
            for i in (1, 2)
        ]
        return 2.0 * x[0] * out[0] * out[1] * math.prod(w)
    if op == "conv2d_grad_input":
        return 2.0 * math.prod(shapes[0][:3]) * math.prod(shapes[1])
    if op == "conv2d_grad_filter":
        return 2.0 * math.prod(shapes[1][:3]) * math.prod(attrs["filter_shape"])
    return 0.0


def normal(*shape: int) -> Any:
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def course_cases() -> list[Case]:
    """Products and convolutions of the course's models."""
    cases: list[Case] = []
    for m, k, n in (
        (32, 784, 512),
        (128, 784, 512),
        (128, 512, 512),
        (128, 3136, 64),
        (256, 256, 256),
        (1024, 1024, 1024),
    ):
        name = f"{m}x{k}x{n}"
        cases.append(("matmul", f"forward {name}", [normal(m, k), normal(k, n)], {}))
        cases.append(("matmul", f"to input {name}", [normal(m, n), normal(k, n)], {"transpose_b": True}))
        cases.append(("matmul", f"to weights {name}", [normal(m, k), normal(m, n)], {"transpose_a": True}))
    for size, c, f in (
        (28, 1, 32),
        (14, 32, 64),
        (32, 3, 32),
        (32, 32, 32),
        (16, 32, 64),
        (16, 64, 64),
        (8, 64, 128),
        (8, 128, 128),
    ):
        x, w, dy = normal(64, size, size, c), normal(3, 3, c, f), normal(64, size, size, f)
        same = {"strides": [1, 1], "padding": [1, 1, 1, 1]}
        name = f"3x3 {size}x{size} {c}->{f}"
        cases.append(("conv2d", name, [x, w], same))
        cases.append(("conv2d_grad_input", name, [dy, w], {**same, "input_shape": list(x.shape)}))
        cases.append(("conv2d_grad_filter", name, [x, dy], {**same, "filter_shape": list(w.shape)}))
    return cases


def table_cases() -> list[Case]:
    """The large example of every row."""
    cases: list[Case] = []
    for op, row in ROWS.items():
        inputs, attrs = row.sample(Draw.seeded(1))
        cases.append(
            (
                op,
                " ".join("x".join(map(str, x.shape)) or "scalar" for x in inputs),
                [cast(x, row.dtypes[0]) for x in inputs],
                attrs,
            )
        )
    return cases


def measure(case: Case, seconds: float) -> dict[str, Any]:
    """The shortest time of a step that reads its operands where they lie."""
    op, name, inputs, attrs = case
    program = program_of(op_build(op, attrs), inputs)
    outputs = program.call(inputs)
    best, until, clock, peak = math.inf, time.perf_counter() + seconds, 0.0, 0.0
    repeats = 1
    while time.perf_counter() < until:
        start = time.perf_counter()
        for _ in range(repeats):
            program.call(inputs)
        taken = time.perf_counter() - start
        best = min(best, taken / repeats)
        repeats = max(1, min(1000, int(0.005 / max(taken / repeats, 1e-7))))
    yard = _core.measure()
    clock, peak = yard["clock"], yard["flops"]
    work = flops(op, [x.shape for x in inputs], attrs)
    traffic = sum(x.nbytes for x in inputs) + sum(x.nbytes for x in outputs)
    return {
        "op": op,
        "case": name,
        "microseconds": best * 1e6,
        "bytes_per_cycle": traffic / best / clock if clock else None,
        "flop_per_cycle": work / best / clock if clock and work else None,
        "peak": work / best / peak / _core.get_num_threads() if work else None,
        "peak_flop_per_cycle": peak / clock if clock else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filter", default="", help="only ops whose name contains this")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--isa", default=None)
    parser.add_argument("--seconds", type=float, default=0.1, help="per case")
    parser.add_argument("--json", default=None, help="also write the rows to this file")
    args = parser.parse_args()
    _core.set_num_threads(args.threads)
    _core.set_isa(args.isa)
    rows = []
    cost = overhead() * 1e6
    print(f"{_core.isa()}, {args.threads} thread(s); calling a program takes about {cost:.1f} us of the figures below")
    print(f"{'op':<32} {'case':<34} {'us':>10} {'B/cycle':>8} {'flop/cycle':>10} {'peak':>6}")
    for case in course_cases() + table_cases():
        if args.filter not in case[0]:
            continue
        row = measure(case, args.seconds)
        rows.append(row)
        bytes_, flop, peak = row["bytes_per_cycle"], row["flop_per_cycle"], row["peak"]
        print(
            f"{row['op']:<32} {row['case'][:34]:<34} {row['microseconds']:>10.1f} {bytes_ or 0:>8.2f} "
            f"{'' if flop is None else f'{flop:.1f}':>10} {'' if peak is None else f'{peak:.0%}':>6}"
        )
    if args.json:
        pathlib.Path(args.json).write_text(
            json.dumps({"isa": _core.isa(), "threads": args.threads, "rows": rows}, indent=1)
        )


def overhead() -> float:
    """What calling a program that does next to nothing takes."""
    x = [np.zeros(1, "float32")]
    program = program_of(op_build("negative", {}), x)
    times = []
    for _ in range(200):
        start = time.perf_counter()
        program.call(x)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
