"""How a case is timed: short native loops, the clock measured before and after each."""

from __future__ import annotations

import statistics
import time
from typing import Any

from nabi import _core
from nabi.benchmark.cases import Case

_SAMPLE = 2e-3  # seconds of one native loop, about
_DRIFT = 0.02  # a sample counts when the clocks before and after it are no further below the best one


def _copy_rate(size: int, known: dict[tuple[int, int], float]) -> float:
    """Bytes a second that a copy of about this size reads and writes; measured once for each power of two."""
    key = (_core.get_num_threads(), max(14, min(28, size.bit_length())))
    if key not in known:
        known[key] = _core.measure_copy(1 << key[1])
    return known[key]


_copies: dict[tuple[int, int], float] = {}


def measure(case: Case, seconds: float) -> dict[str, Any]:
    """Times a case on the threads and instruction set in use.

    Returns:
        A row: `microseconds` (the least of the samples) and `median`, `cycles`, `flop_per_cycle` and `bytes_per_cycle`
        of a core, `peak` and `copy`: the fractions of the multiply-add peak and of a copy's bandwidth. Bytes are those
        of operands and results, once each. What cannot be known is None.
    """
    program, touched = case.program()
    flops = sum(step["flops"] for step in program.steps)
    threads = _core.get_num_threads()
    program.run([], None, 1, [], 0, 1)  # memory is touched, tables are made
    start = time.perf_counter()
    program.run([], None, 1, [], 0, 1)
    once = time.perf_counter() - start
    samples: list[tuple[float, float]] = []  # seconds a step, the slower of the clocks before and after
    yard = _core.measure()
    steps = max(1, int(_SAMPLE / max(once, 1e-7)))
    before = _core.measure_clock()
    until = time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        program.run([], None, 1, [], 0, steps)
        taken = (time.perf_counter() - start) / steps
        after = _core.measure_clock()
        samples.append((taken, min(before, after)))
        before = after
        steps = max(1, int(_SAMPLE / max(taken, 1e-9)))
        if time.perf_counter() >= until:
            break
    # Who was interrupted, or ran while the clock was down, does not count: the others agree within the drift.
    clock = max(yard["clock"], *(slower for _, slower in samples))
    steady = [taken for taken, slower in samples if slower >= (1 - _DRIFT) * clock]
    kept = steady or [taken for taken, _ in samples]
    best = min(kept)
    return {
        "family": case.family,
        "case": case.name,
        "isa": _core.isa(),
        "threads": threads,
        "microseconds": best * 1e6,
        "median": statistics.median(kept) * 1e6,
        "samples": len(steady),
        "dropped": len(samples) - len(steady),
        "cycles": best * clock if clock else None,
        "flop_per_cycle": flops / best / clock / threads if clock and flops else None,
        "bytes_per_cycle": touched / best / clock / threads if clock else None,
        "peak": flops / best / (yard["flops"] * threads) if flops else None,
        "copy": touched / best / _copy_rate(touched, _copies),
        "peak_flop_per_cycle": yard["flops"] / yard["clock"] if yard["clock"] else None,
    }
