"""Every op of the table on the large example of its row in tests/op_cases.py: python bench/ops.py [--filter conv]

An op is measured on the day it appears; `nabi bench` has the shapes that matter. The columns are the same.
"""

from __future__ import annotations

import argparse
import functools
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests"))

from nabi import _core, benchmark  # noqa: E402
from nabi.benchmark import Case  # noqa: E402
from op_cases import ROWS  # noqa: E402
from op_check import cast  # noqa: E402
from op_draw import Draw  # noqa: E402


def _build(op: str, attrs: dict[str, Any], graph: Any, ids: list[int]) -> list[int]:
    return list(graph.add(op, ids, attrs))


def table_cases() -> Iterator[Case]:
    """The large example of every row."""
    family = {op["name"]: op["family"] for op in _core.op_table()}
    for op, row in ROWS.items():
        inputs, attrs = row.sample(Draw.seeded(1))
        arrays = [cast(x, row.dtypes[0]) for x in inputs]
        shapes = " ".join("x".join(map(str, x.shape)) or "scalar" for x in arrays)
        yield Case(
            family[op],
            f"{op} {shapes}"[:38],
            [x.shape for x in arrays],
            functools.partial(_build, op, attrs),
            fill=dict(enumerate(arrays)),
            dtypes={number: str(x.dtype) for number, x in enumerate(arrays)},
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filter", default=None, help="only ops whose family and name contain this")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--isa", default=None)
    parser.add_argument("--seconds", type=float, default=0.1, help="per op")
    parser.add_argument("--json", default=None, help="also write the rows to this file")
    args = parser.parse_args()
    benchmark.run(
        [args.filter] if args.filter else [],
        [args.isa] if args.isa else [],
        [args.threads],
        args.seconds,
        args.json,
        cases=table_cases(),
    )


if __name__ == "__main__":
    main()
