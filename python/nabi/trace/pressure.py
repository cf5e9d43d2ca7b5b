"""Memory of the engine that Python's garbage collector cannot see.

A model holds reference cycles (layers know their nodes, nodes their layers), so a dropped one lives until the collector
runs; and the collector counts objects, of which a model has few, not their bytes, of which it may have many.
"""

from __future__ import annotations

import gc
from typing import Any

import numpy as np

from nabi import _core, dtypes

_LIMIT = 128 << 20  # bytes allocated between two collections

_since = 0


def note(size: int) -> None:
    """Counts bytes that the engine allocates; runs the collector when there have been many since the last time."""
    global _since
    _since += size
    if _since > _LIMIT:
        _since = 0
        gc.collect()


def new_variable(value: np.ndarray[Any, Any]) -> _core.Variable:
    """A variable of the core that holds `value`, an array of a core dtype.

    The memory of dropped models is given back first where it is in the way.

    Raises:
        MemoryError: there is no room even then; says how much was asked for.
    """
    note(value.nbytes)
    dtype = dtypes.NUM_TO_NAME[value.dtype.num]
    try:
        variable = _core.Variable(dtype, value.shape)
    except MemoryError:
        gc.collect()
        variable = _core.Variable(dtype, value.shape)
    variable.write(value)
    return variable
