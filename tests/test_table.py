"""The op table and the tests' rows are the same list."""

from __future__ import annotations

import op_check as check
from op_cases import ROWS

TABLE = check.table()


def _tested(name: str) -> bool:
    """Ops that have a row: all but sources (test_sources) and those that only a pass makes (tests/passes)."""
    traits = {trait.lower() for trait in TABLE[name]["traits"]}
    return not traits & {"source", "opaque"}


def test_every_op_has_a_row() -> None:
    missing = sorted(name for name in TABLE if _tested(name) and name not in ROWS)
    assert not missing, f"ops without a row in op_cases.py: {missing}"


def test_every_row_has_an_op() -> None:
    unknown = sorted(op for op in ROWS if op not in TABLE)
    assert not unknown, f"rows in op_cases.py without an op: {unknown}"


def test_rows_of_the_table() -> None:
    for name, op in TABLE.items():
        assert op["family"], name
        assert op["min_inputs"] >= 0, name
        assert op["max_inputs"] == -1 or op["max_inputs"] >= op["min_inputs"], name
        assert name == name.lower() and name.replace("_", "").isalnum(), name
