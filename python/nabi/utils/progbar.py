"""The progress bar of `fit`, `evaluate` and `predict`, and the one door to the terminal."""

from __future__ import annotations

import logging
import math
import os
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from nabi import config

_BAR = "\N{BOX DRAWINGS HEAVY HORIZONTAL}"


def print_msg(message: str, line_break: bool = True) -> None:
    """Writes a message to standard output at once.

    A stream that cannot show the message (an ASCII terminal, say) gets it with `=` for the bar and `?` for every other
    character that it lacks. With interactive logging switched off the message goes to Python's logging instead.
    """
    if not config.is_interactive_logging_enabled():
        logging.getLogger("nabi").info(message)
        return
    text = message + "\n" if line_break else message
    stream = sys.stdout
    if stream is None:  # pythonw and some services have no standard output
        return
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = getattr(stream, "encoding", None) or "ascii"
        stream.write(text.replace(_BAR, "=").encode(encoding, errors="replace").decode(encoding))
    stream.flush()


class Progbar:
    """Shows how far a loop is, how fast it goes and what it measures.

    Args:
        target: number of steps expected, None if unknown.
        width: width of the bar in characters.
        verbose: 0 silent, 1 a bar that is redrawn in place, 2 one line at the end.
        interval: least time between two drawings, in seconds.
        stateful_metrics: names of the values that are shown as they are; all others are averaged over the steps.
        stateless_metrics: names of the values that are averaged; all others are shown as they are. Only one of the two
            may be given.
        unit_name: what a step is called.

    Raises:
        ValueError: both kinds of metrics are given.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError("Only one of `stateful_metrics` or `stateless_metrics` can be provided.")
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.stateful_metrics: set[str] | None = None if stateful_metrics is None else set(stateful_metrics)
        self.stateless_metrics: set[str] | None = None if stateless_metrics is None else set(stateless_metrics)
        if self.stateful_metrics is None and self.stateless_metrics is None:
            self.stateful_metrics = set()
        # Keras redraws in place on every POSIX system, into files too; elsewhere only on a terminal.
        self._dynamic_display = (
            (hasattr(sys.stdout, "isatty") and sys.stdout.isatty())
            or "ipykernel" in sys.modules
            or "posix" in sys.modules
            or "PYCHARM_HOSTED" in os.environ
        )
        self._seen_so_far = 0
        self._values: dict[str, tuple[float, int]] = {}  # sum and count, in the order of appearance
        self._start = time.time()
        self._last_update = 0.0
        self._time_after_first_step: float | None = None
        self._prev_total_width = 0

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """Moves the bar to step `current` (counted from 1) and shows (name, value) pairs; `finalize` ends the line."""
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        for key, value in values or ():
            self._take(key, value, current, finalize)
        self._seen_so_far = current

        now = time.time()
        time_per_unit = self._estimate_step_duration(current, now)
        if self.verbose == 1:
            if now - self._last_update < self.interval and not finalize:
                return
            self._draw(current, now, time_per_unit, finalize)
        elif self.verbose == 2 and finalize and self.target:
            digits = int(math.log10(self.target)) + 1
            line = f"{current:{digits}d}/{self.target} - {now - self._start:.0f}s -"
            line += self._format_time(time_per_unit, self.unit_name)
            for key in self._values:
                average = self._average(key)
                # Without abs(), as Keras writes it: negative values show as powers of ten on this line.
                line += f" - {key}: {average:.4f}" if average > 1e-3 else f" - {key}: {average:.4e}"
            print_msg(line)
        self._last_update = now

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Moves the bar by `n` steps."""
        self.update(self._seen_so_far + n, values)

    def _take(self, key: str, value: Any, current: int, finalize: bool) -> None:
        if self.stateful_metrics is not None:
            averaged = key not in self.stateful_metrics
        else:
            averaged = key in (self.stateless_metrics or ())
        value = value if isinstance(value, float) else float(np.mean(value))
        if not averaged or finalize:
            self._values[key] = (value, 1)
            return
        steps = max(current - self._seen_so_far, 1)
        total, count = self._values.get(key, (0.0, 0))
        self._values[key] = (total + value * steps, count + steps)

    def _average(self, key: str) -> float:
        total, count = self._values[key]
        return total / max(1, count)

    def _draw(self, current: int, now: float, time_per_unit: float, finalize: bool) -> None:
        message = "\b" * self._prev_total_width + "\r" if self._dynamic_display else "\n"
        invisible = 0
        if self.target:
            digits = int(math.log10(self.target)) + 1
            bar = f"\x1b[1m{current:{digits}d}/{self.target}\x1b[0m "
            invisible += 8
            done = int(self.width * (float(current) / self.target))
            if done > 0:
                bar += f"\33[32m{_BAR * done}\x1b[0m"
                invisible += 9
            bar += f"\33[37m{_BAR * (self.width - done)}\x1b[0m"
            invisible += 9
        else:
            bar = f"{current:7d}/Unknown"

        if self.target and not finalize:
            left = time_per_unit * (self.target - current)
            seconds = int(left)
            if left > 3600:
                clock = f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
            elif left > 60:
                clock = f"{seconds // 60}:{seconds % 60:02d}"
            else:
                clock = f"{seconds}s"
        else:
            clock = f"{now - self._start:.0f}s"
        info = f" \x1b[1m{clock}\x1b[0m"
        invisible += 8
        info += self._format_time(time_per_unit, self.unit_name)
        for key in self._values:
            average = self._average(key)
            info += f" - {key}: {average:.4f}" if abs(average) > 1e-3 else f" - {key}: {average:.4e}"

        width = len(bar) + len(info) - invisible
        message += bar + info + " " * max(0, self._prev_total_width - width)
        if finalize:
            message += "\n"
        print_msg(message, line_break=False)
        self._prev_total_width = width

    @staticmethod
    def _format_time(time_per_unit: float, unit_name: str) -> str:
        if time_per_unit >= 1 or time_per_unit == 0:
            return f" {time_per_unit:.0f}s/{unit_name}"
        if time_per_unit >= 1e-3:
            return f" {time_per_unit * 1e3:.0f}ms/{unit_name}"
        return f" {time_per_unit * 1e6:.0f}us/{unit_name}"

    def _estimate_step_duration(self, current: int, now: float) -> float:
        """Seconds per step; the first step, which pays for tracing, is left out once there are more."""
        if not current:
            return 0
        if self._time_after_first_step is not None and current > 1:
            duration = (now - self._time_after_first_step) / (current - 1)
        else:
            duration = (now - self._start) / current
        if current == 1:
            self._time_after_first_step = now
        return duration
