"""The course's models in nabi and in its peers, side by side: python bench/peers.py [--models mlp] [--batch 1,128]

Each library runs in a process of its own, at the settings that docs/performance.md lists, on data in memory. Samples
are interleaved (one of each library, then again), and a ratio is taken between samples of one round, so that what else
the machine does meets both. Prints milliseconds a training step and, beside each peer, how many times as long as nabi
it takes: the median of the rounds and their range. Libraries that are not installed are left out.

    --calls    a row at a time: predict, model(x), train_on_batch
    --memory   what training cifar_improved adds to a process
    --imports  seconds to import
    --check    that the libraries train the same model: parameters, and losses from the same weights
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from contestants import COURSE, LIBRARIES  # noqa: E402

IMPORTS = {"nabi": "nabi", "torch": "torch", "keras-tf": "keras", "keras-jax": "keras"}
MODULES = {"nabi": ["nabi"], "torch": ["torch"], "keras-tf": ["keras", "tensorflow"], "keras-jax": ["keras", "jax"]}
IMAGES = {"mnist_cnn", "cifar_cnn", "cifar_improved"}


class Contestant:
    """A library in its own process. An answer that is an error is kept and printed in place of figures."""

    def __init__(self, library: str, threads: int, cpu_time: bool = False) -> None:
        script = str(pathlib.Path(__file__).resolve().parent / "contestants.py")
        self.library, self.error = library, ""
        self._process = subprocess.Popen(
            [sys.executable, script, library, "--threads", str(threads), *(["--cpu-time"] * cpu_time)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        )

    def ask(self, **command: Any) -> Any:
        """The answer, or None when the library could not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps(command), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        found = json.loads(line) if line else {"error": f"{self.library}: the process ended"}
        self.error = found.get("error", "")
        if self.error:
            print(f"  {self.library}: {self.error}", file=sys.stderr)
        return found.get("answer")

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        self._process.wait()


@contextlib.contextmanager
def contestants(libraries: list[str], threads: int, cpu_time: bool = False) -> Iterator[list[Contestant]]:
    out: list[Contestant] = []
    try:
        for library in libraries:
            out.append(Contestant(library, threads, cpu_time))
        yield out
    finally:
        for one in out:
            one.close()


def installed() -> list[str]:
    """The libraries that can be imported here."""
    return [
        name
        for name in LIBRARIES
        if all(importlib.util.find_spec(m) for m in MODULES["torch" if name.startswith("torch") else name])
    ]


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    from nabi import _core

    yard = _core.measure()
    model = platform.processor()
    with contextlib.suppress(OSError, StopIteration), open("/proc/cpuinfo") as file:
        model = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    return {
        "cpu": model,
        "cpus": os.cpu_count(),
        "GHz": round(yard["clock"] / 1e9, 2),
        "flop_per_cycle": round(yard["flops"] / yard["clock"], 1) if yard["clock"] else None,
        "isa": _core.isa(),
        "python": platform.python_version(),
    }


def rounds(players: list[Contestant], count: int, command: dict[str, Any]) -> dict[str, list[float]]:
    """Interleaved samples: one of each, and again; every other round backwards."""
    out: dict[str, list[float]] = {player.library: [] for player in players}
    for number in range(count):
        for player in players if number % 2 == 0 else reversed(players):
            time.sleep(0.02)  # threads of the one before stop spinning
            found = player.ask(**command)
            if found is not None:
                out[player.library].append(found)
    return out


def compared(samples: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Per library: shortest and median seconds, and the ratios to nabi of each round."""
    ours = samples.get("nabi", [])
    out = {}
    for library, times in samples.items():
        if not times:
            continue
        row = {"least": min(times), "median": statistics.median(times)}
        if library != "nabi" and len(ours) == len(times):
            ratios = sorted(b / a for a, b in zip(ours, times, strict=True))
            row |= {"ratio": statistics.median(ratios), "ratio_least": ratios[0], "ratio_most": ratios[-1]}
            row["ratio_of_least"] = min(times) / min(ours)
        out[library] = row
    return out


def show(title: str, unit: float, found: dict[str, dict[str, float]]) -> None:
    cells = []
    for library, row in found.items():
        text = f"{library} {row['median'] * unit:.3f}"
        if "ratio" in row:
            text += f" x{row['ratio']:.2f} ({row['ratio_least']:.2f}-{row['ratio_most']:.2f})"
        cells.append(text)
    print(f"{title:<28} " + " | ".join(cells), flush=True)


def training(args: argparse.Namespace, threads: int) -> Iterator[dict[str, Any]]:
    """Milliseconds a training step."""
    with contestants(args.libraries, threads, args.cpu_time) as everyone:
        for name in args.models:
            for batch in args.batch or [COURSE[name].batch]:
                players = []
                for player in everyone:
                    if player.library == "torch-cl" and name not in IMAGES:
                        continue  # the same as torch
                    if player.ask(do="prepare", model=name, batch=batch, seconds=args.seconds) is not None:
                        players.append(player)
                found = compared(rounds(players, args.rounds, {"do": "sample"}))
                show(f"{name} b{batch} {threads}t ms/step", 1e3, found)
                yield {"what": "training", "model": name, "batch": batch, "threads": threads, "libraries": found}


def calls(args: argparse.Namespace, threads: int) -> list[dict[str, Any]]:
    """Microseconds of one call on one row: the median of a thousand, fewer where a call takes milliseconds."""
    out = []
    with contestants([name for name in args.libraries if name != "torch-cl"], threads, args.cpu_time) as everyone:
        for name in args.models:
            ways = {}
            for player in everyone:
                ways[player] = player.ask(do="calls", model=name) or {}
            times: dict[str, list[float]] = {}
            for _ in range(10):
                for player, found in ways.items():
                    for way, about in found.items():
                        count = max(3, min(100, int(0.1 / about)))
                        got = player.ask(do="time", way=way, count=count)
                        times.setdefault(f"{player.library} {way}", []).extend(got or [])
            medians = {key: statistics.median(values) for key, values in times.items() if values}
            print(f"{name} {threads}t, us: " + " | ".join(f"{k} {v * 1e6:.0f}" for k, v in medians.items()), flush=True)
            out.append({"what": "calls", "model": name, "threads": threads, "seconds": medians})
    return out


def memory(args: argparse.Namespace, threads: int) -> list[dict[str, Any]]:
    """Megabytes by which training lifts a fresh process."""
    found = {}
    for library in args.libraries:
        with contestants([library], threads) as (player,):
            rise = player.ask(do="memory", model="cifar_improved", batch=128)
            if rise is not None:
                found[library] = rise
    print("memory of training cifar_improved b128, MB: " + " | ".join(f"{k} {v / 1e6:.0f}" for k, v in found.items()))
    return [{"what": "memory", "model": "cifar_improved", "batch": 128, "threads": threads, "bytes": found}]


def imports(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Seconds that a fresh interpreter takes longer with the import than without."""
    names = [name for name in IMPORTS if name in args.libraries]
    times: dict[str, list[float]] = {name: [] for name in ["bare", "numpy", *names]}
    backends = {"keras-tf": "tensorflow", "keras-jax": "jax"}
    for _ in range(4):
        for name, found in times.items():
            code = "pass" if name == "bare" else f"import {IMPORTS.get(name, name)}"
            env = {**os.environ, "KERAS_BACKEND": backends.get(name, ""), "TF_CPP_MIN_LOG_LEVEL": "3"}
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
            found.append(time.perf_counter() - start)
    seconds = {k: statistics.median(v[1:]) - statistics.median(times["bare"][1:]) for k, v in times.items()}
    print("import, s: " + " | ".join(f"{k} {v:.3f}" for k, v in seconds.items() if k != "bare"))
    return [{"what": "imports", "seconds": seconds}]


def check(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Whether all libraries have the same model before them."""
    out, wrong = [], []
    with contestants(args.libraries, args.threads[0]) as everyone:
        for name in args.models:
            for player in everyone:
                count = player.ask(do="parameters", model=name)
                losses = player.ask(do="losses", model=name, batch=64, steps=3)
                print(f"{name:<16} {player.library:<14} {count} parameters, first losses {losses}", flush=True)
                out.append({"what": "check", "model": name, "library": player.library, "losses": losses})
                if count != COURSE[name].parameters:
                    wrong.append(f"{player.library}: {name} has {count} parameters, not {COURSE[name].parameters}")
                ours = out[-1 - everyone.index(player)]["losses"]
                if losses is None or any(abs(a - b) > 1e-3 * abs(b) for a, b in zip(losses, ours, strict=True)):
                    wrong.append(f"{player.library}: {name} does not learn as {everyone[0].library} does")
    if wrong:
        sys.exit("\n".join(wrong))
    return out


def save(path: str | None, found: dict[str, Any]) -> None:
    if path:
        pathlib.Path(path).write_text(json.dumps(found, indent=1))


def plot(rows: list[dict[str, Any]], path: str) -> None:
    """A bar a library: how many times as long as nabi a step takes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    found = [row for row in rows if row["what"] == "training"]
    names = sorted({k for row in found for k, v in row["libraries"].items() if "ratio" in v}, key=LIBRARIES.index)
    figure, axes = pyplot.subplots(figsize=(max(8, len(found) * 1.2), 4.5))
    for number, name in enumerate(names):
        places = [i + number * 0.8 / len(names) for i in range(len(found))]
        axes.bar(
            places, [r["libraries"].get(name, {}).get("ratio", 0) for r in found], width=0.8 / len(names), label=name
        )
    axes.axhline(1, color="black", linewidth=1)
    axes.set_yscale("log")
    axes.set_ylabel("time of a training step / nabi's")
    labels = [f"{row['model']}\nb{row['batch']}, {row['threads']} thr." for row in found]
    axes.set_xticks([i + 0.4 for i in range(len(found))], labels, fontsize=8)
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def tables(paths: list[str]) -> str:
    """Files of --json as Markdown."""
    rows = [row for path in paths for row in json.loads(pathlib.Path(path).read_text())["rows"]]
    out = []
    found = [row for row in rows if row["what"] == "training"]
    names = sorted({k for row in found for k in row["libraries"]}, key=LIBRARIES.index)
    if found:
        out.append("| model, batch, threads | " + " | ".join(f"{name}, ms" for name in names) + " |")
        out.append("| --- |" + " ---: |" * len(names))
    for row in found:
        cells = []
        for name in names:
            one = row["libraries"].get(name, {})
            text = f"{one['median'] * 1e3:.3g}" if one else ""
            if "ratio" in one:
                text += f" (**{one['ratio']:.2f}**; {one['ratio_least']:.2f}-{one['ratio_most']:.2f})"
            cells.append(text)
        out.append(f"| {row['model']}, {row['batch']}, {row['threads']} | " + " | ".join(cells) + " |")
    for row in rows:
        if row["what"] == "calls":
            ways = [f"{k} {v * 1e6:.0f}" for k, v in row["seconds"].items()]
            out.append(f"\n{row['model']}, one row, {row['threads']} thread(s), microseconds: {'; '.join(ways)}")
        elif row["what"] == "memory":
            lifts = [f"{k} {v / 1e6:.0f}" for k, v in row["bytes"].items()]
            out.append(f"\n{row['model']}, batch {row['batch']}, megabytes: {'; '.join(lifts)}")
        elif row["what"] == "imports":
            waits = [f"{k} {v:.2f}" for k, v in row["seconds"].items() if k != "bare"]
            out.append(f"\nimport, seconds: {'; '.join(waits)}")
    return "\n".join(out)


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)

    def words(text: str) -> list[str]:
        return text.split(",")

    def numbers(text: str) -> list[int]:
        return [int(part) for part in text.split(",")]

    out.add_argument("--models", type=words, default=list(COURSE), help=f"of {','.join(COURSE)}")
    out.add_argument("--batch", type=numbers, default=None, help="such as 1,8,32,128,512; default: each model's own")
    out.add_argument("--threads", type=numbers, default=[len(os.sched_getaffinity(0))], help="such as 1,2")
    out.add_argument("--libraries", type=words, default=installed(), help=f"of {','.join(LIBRARIES)}")
    out.add_argument("--rounds", type=int, default=10, help="interleaved samples of each (default: %(default)s)")
    out.add_argument("--seconds", type=float, default=0.05, help="of a pass, about (default: %(default)s)")
    out.add_argument("--cpu-time", action="store_true", help="the processor's time, on a machine that is never quiet")
    out.add_argument("--json", default=None, help="also write the figures to this file")
    out.add_argument("--plot", default=None, help="also draw the ratios into this PNG (needs matplotlib)")
    out.add_argument("--tables", type=words, default=[], help="print files of --json as Markdown, and measure nothing")
    for what in ("calls", "memory", "imports", "check"):
        out.add_argument(f"--{what}", action="store_true", help="this instead of training")
    return out


def main() -> None:
    args = parser().parse_args()
    for given, known in ((args.models, COURSE), (args.libraries, LIBRARIES)):
        if unknown := set(given) - set(known):
            sys.exit(f"peers: unknown {', '.join(sorted(unknown))}; known are {', '.join(known)}")
    if args.tables:
        print(tables(args.tables))
        return
    rows: list[dict[str, Any]] = []
    if args.cpu_time and args.threads != [1]:
        sys.exit("peers: --cpu-time is for --threads 1: a thread that waits for another takes time too")
    here = machine()
    print(" ".join(f"{k}={v}" for k, v in here.items()), flush=True)
    if args.check:
        rows += check(args)
    if args.imports:
        rows += imports(args)
    for threads in args.threads:
        if args.calls:
            rows += calls(args, threads)
        if args.memory:
            rows += memory(args, threads)
        if not (args.check or args.imports or args.calls or args.memory):
            for row in training(args, threads):
                rows.append(row)
                save(args.json, {"machine": here, "rows": rows})  # a long run that is stopped leaves what it has
    if args.json:
        versions = {}
        for library in args.libraries:
            with contestants([library], 1) as (player,):
                versions[library] = player.ask(do="versions")
        save(args.json, {"machine": here, "versions": versions, "rows": rows})
    if args.plot:
        plot(rows, args.plot)


if __name__ == "__main__":
    main()
