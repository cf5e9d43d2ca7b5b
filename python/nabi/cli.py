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


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    args = parser().parse_args(arguments)
    if args.command == "info":
        info()
        return 0
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
