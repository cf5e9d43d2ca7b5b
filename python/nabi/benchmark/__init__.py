"""`nabi bench`: every family of kernels over the shapes of the course's models and a sweep of sizes.

A case is a program of the engine that loops over its steps natively, so that no call from Python enters a figure.
Times are put beside what the machine can do, measured in the same run: the multiply-add peak of a core, and a copy of
as many bytes as the case touches.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from nabi import _core
from nabi.benchmark.cases import Case, every_case
from nabi.benchmark.sampling import measure

__all__ = ["Case", "every_case", "measure", "run"]

_HEAD = f"{'family':<10} {'case':<38}"
_COLUMNS = f"{'us':>10} {'flop/cyc':>8} {'peak':>5} {'B/cyc':>6} {'copy':>5}"


def _cells(row: dict[str, Any]) -> str:
    """The figures of one case on one number of threads."""
    flop = "" if row["flop_per_cycle"] is None else f"{row['flop_per_cycle']:.1f}"
    peak = "" if row["peak"] is None else f"{row['peak']:.0%}"
    bytes_ = "" if row["bytes_per_cycle"] is None else f"{row['bytes_per_cycle']:.1f}"
    return f"{row['microseconds']:>10.2f} {flop:>8} {peak:>5} {bytes_:>6} {row['copy']:>5.0%}"


def _heading(isa: str, threads: Sequence[int]) -> list[str]:
    """What the figures below it are put beside."""
    yard = _core.measure()
    lines = []
    for count in threads:
        _core.set_num_threads(count)
        hop = f", {_core.measure_hop() * 1e9:.0f} ns for a cache line to hop" if count > 1 else ""
        copies = ", ".join(
            f"{size}: {_core.measure_copy(size_bytes) / 1e9:.0f}"
            for size, size_bytes in (("256 KB", 1 << 18), ("8 MB", 1 << 23), ("256 MB", 1 << 28))
        )
        lines.append(f"{count} thread(s){hop}; a copy, GB/s: {copies}")
    if yard["clock"]:
        peak = f"{yard['clock'] / 1e9:.2f} GHz, peak {yard['flops'] / yard['clock']:.1f} flop a cycle of a core"
    else:
        peak = f"peak {yard['flops'] / 1e9:.0f} Gflop/s a core"
    return [f"{isa}: {peak}", *lines]


def run(
    filters: Sequence[str] = (),
    isas: Sequence[str] = (),
    threads: Sequence[int] = (),
    seconds: float = 0.1,
    output: str | None = None,
    cases: Iterable[Case] | None = None,
) -> list[dict[str, Any]]:
    """Measures and prints; returns the rows.

    Args:
        filters: only cases whose family and name contain one of these.
        isas: instruction sets; by default the one in use.
        threads: numbers of threads; by default 1 and as many as a run may use.
        seconds: spent on a case for each instruction set and number of threads.
        output: also writes the rows to this file, as JSON.
        cases: what to measure; by default every case of this package.

    Raises:
        ValueError: no case fits, or an instruction set that this machine does not have.
    """
    before, own = _core.get_num_threads(), _core.isa()
    chosen = [
        case
        for case in (every_case() if cases is None else cases)
        if not filters or any(part in f"{case.family} {case.name}" for part in filters)
    ]
    if not chosen:
        raise ValueError(f"no case fits {', '.join(filters)}; leave --filter out to see all of them")
    threads = list(threads) or sorted({1, before})
    rows = []
    try:
        for isa in isas or [own]:
            _core.set_isa(isa)
            print("\n".join(_heading(isa, threads)))
            print(_HEAD + "".join(f" | {f'{count} thread(s)':<{len(_COLUMNS)}}" for count in threads))
            print(" " * len(_HEAD) + f" | {_COLUMNS}" * len(threads), flush=True)
            for case in chosen:
                found = []
                for count in threads:
                    _core.set_num_threads(count)
                    found.append(measure(case, seconds))
                rows += found
                cells = "".join(f" | {_cells(row)}" for row in found)
                print(f"{case.family:<10} {case.name:<38}{cells}", flush=True)
    finally:
        _core.set_isa(own)
        _core.set_num_threads(before)
    if output is not None:
        pathlib.Path(output).write_text(json.dumps({"build": _core.build_info(), "rows": rows}, indent=1))
    return rows
