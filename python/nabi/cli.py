"""The `nabi` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from nabi import _core

DATA = ("digits", "mnist", "fashion_mnist", "cifar10")


def positive(text: str) -> int:
    """An argument that counts something."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def words(text: str) -> list[str]:
    """An argument with commas."""
    return text.split(",")


def numbers(text: str) -> list[int]:
    """An argument of counts with commas."""
    return [positive(part) for part in words(text)]


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    out = argparse.ArgumentParser(prog="nabi", description="Deep learning in one small native wheel.")
    commands = out.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser("demo", help="train a small convolutional network and draw its learning curve")
    demo.add_argument("--data", choices=DATA, default="digits", help="data set (default: scikit-learn's 8x8 digits)")
    demo.add_argument(
        "--epochs", type=positive, default=None, help="passes over the data (default: 20, or 3 on the larger sets)"
    )
    demo.add_argument(
        "--output", default="nabi_demo", help="folder for the learning curve and the weights (default: %(default)s)"
    )
    demo.add_argument("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    bench = commands.add_parser("bench", help="measure the kernels beside what this machine can do")
    bench.add_argument(
        "--filter", type=words, default=[], help="only cases whose name contains one of these, such as conv3x3,gemm"
    )
    bench.add_argument("--isa", type=words, default=[], help="instruction sets, or all (default: the best)")
    bench.add_argument("--threads", type=numbers, default=[], help="such as 1,2 (default: 1 and as many as there are)")
    bench.add_argument("--seconds", type=float, default=0.1, help="spent on a case (default: %(default)s)")
    bench.add_argument("--json", default=None, help="also write the figures to this file")
    run = commands.add_parser(
        "run",
        help="run a Keras program, of any year, on Nabi",
        description="Runs a Python program in which `keras` and "
        "`tensorflow.keras` are Nabi and the spellings of Keras 1 and 2 mean what they meant.",
    )
    run.add_argument("script", help="the program")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    commands.add_parser("info", help="print version, instruction set, threads, devices and build flags")
    return out


def info() -> None:
    """Prints what runs here."""
    import numpy

    build = _core.build_info()
    rows = {
        "nabi": build["version"],
        "Python": sys.version.split()[0],
        "NumPy": numpy.__version__,
        "instruction set": f"{_core.isa()} (usable here: {', '.join(_core.isas())})",
        "threads": f"{_core.get_num_threads()} ({'OpenMP' if build['openmp'] else 'std::thread'})",
        "devices": "cpu, cuda" if build["cuda"] else "cpu (built without CUDA)",
        "compiler": build["compiler"],
        "build": build["flags"].strip(),
    }
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"{name:<{width}}  {value}")


def bench(args: argparse.Namespace) -> int:
    """Measures the kernels."""
    from nabi import benchmark

    isas = _core.isas() if args.isa == ["all"] else args.isa
    try:
        benchmark.run(args.filter, isas, args.threads, args.seconds, args.json)
    except ValueError as error:
        print(f"nabi bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    args = parser().parse_args(arguments)
    if args.command == "info":
        info()
        return 0
    if args.command == "bench":
        return bench(args)
    if args.command == "run":
        from nabi.legacy.running import run_script

        return run_script(args.script, args.arguments)
    from nabi import demo

    try:
        demo.run(data=args.data, epochs=args.epochs, output=args.output, seed=args.seed)
    except demo.Missing as error:
        print(f"nabi demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nnabi demo: stopped", file=sys.stderr)
        return 130
    return 0
