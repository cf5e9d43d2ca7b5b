"""Runs a program with Nabi in the place of Keras: `nabi run script.py`."""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType

from nabi.legacy.standing_in import NotOffered, NotOfferedImport, install_as_keras


def run_script(script: str, arguments: Sequence[str] = ()) -> int:
    """Runs a program as `python script arguments` would; returns the exit status.

    A name that Nabi does not offer ends it with one line; any other error with its traceback, from the program on.
    """
    if not os.path.isfile(script):
        print(f"nabi run: there is no file {script!r}", file=sys.stderr)
        return 2
    install_as_keras()
    sys.argv = [script, *arguments]
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    try:
        runpy.run_path(script, run_name="__main__")
    except (NotOffered, NotOfferedImport) as error:
        print(f"{_place(error.__traceback__, script)}: {error}", file=sys.stderr)
        return 1
    except SystemExit:
        raise
    except BaseException as error:
        trace = _from_script(error.__traceback__, script) or error.__traceback__
        traceback.print_exception(type(error), error, trace)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _from_script(trace: TracebackType | None, script: str) -> TracebackType | None:
    """The part of a traceback that begins in the program."""
    while trace is not None and trace.tb_frame.f_code.co_filename != script:
        trace = trace.tb_next
    return trace


def _place(trace: TracebackType | None, script: str) -> str:
    """File and line of the program where an error came from."""
    trace = _from_script(trace, script)
    return script if trace is None else f"{script}:{trace.tb_lineno}"
