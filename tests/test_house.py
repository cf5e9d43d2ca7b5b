"""The rules of the house that a machine can check: floors, file sizes, the op table, weak symbols, imports."""

from __future__ import annotations

import ast
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
PYTHON = ROOT / "python" / "nabi"

# Each room and the rooms below it; "" is csrc/ itself.
FLOORS = {
    "": set(),
    "graph": {""},
    "ops": {"", "graph"},
    "passes": {"", "graph"},
    "cpu": {"", "graph", "runtime/backend.h", "ops/elementwise.def"},
    "cuda": {"", "graph", "runtime"},
    "runtime": {"", "graph", "passes", "cpu/lower.h", "cpu/yardstick.h"},
    "bind": {"", "graph", "passes", "runtime", "cpu/exact.h", "cpu/isa.h", "cpu/yardstick.h"},
}

# Python rooms, lowest first: a module imports from its own floor or from below.
PYTHON_FLOORS = [
    {"_core", "_version"},
    {"checks", "config", "dtypes", "hooks", "names", "tree"},
    {"trace"},
    {"objects", "dtype_policies", "mixed_precision"},
    {"ops", "random"},
    {"activations", "initializers", "regularizers", "constraints"},
    {"layers"},
    {"losses", "metrics", "optimizers"},
    {"saving", "callbacks", "training", "models", "utils"},
    {"datasets", "backend"},
    {"legacy"},
    {"cli", "demo", "benchmark"},
]


def sources(*suffixes: str) -> list[pathlib.Path]:
    folders = [CSRC, PYTHON, ROOT / "tests", ROOT / "bench"]
    return [p for folder in folders for p in folder.rglob("*") if p.suffix in suffixes]


def test_no_file_is_longer_than_800_lines():
    long = {
        str(p.relative_to(ROOT)): n
        for p in sources(".cpp", ".h", ".def", ".py", ".cu")
        if (n := len(p.read_text().splitlines())) > 800
    }
    assert not long


def test_build_files_stay_small():
    assert len((ROOT / "CMakeLists.txt").read_text().splitlines()) <= 150
    assert len((ROOT / "pyproject.toml").read_text().splitlines()) <= 200


@pytest.mark.parametrize("room", sorted(FLOORS))
def test_a_floor_of_the_engine_includes_only_what_is_below(room):
    folder = CSRC / room
    files = [p for p in folder.glob("*.*") if p.suffix in (".h", ".cpp", ".def", ".cu")]
    assert files
    for path in files:
        for included in re.findall(r'^#include "([^"]+)"', path.read_text(), re.MULTILINE):
            target = included.rsplit("/", 1)[0] if "/" in included else ""
            allowed = FLOORS[room] | {room}
            assert target in allowed or included in allowed, f"{path.relative_to(ROOT)} includes {included}"


def test_only_parallel_names_openmp():
    for path in CSRC.rglob("*.*"):
        if path.suffix in (".h", ".cpp", ".cu") and path.name != "parallel.cpp":
            assert not re.search(r"#pragma omp|omp\.h", path.read_text()), path


def test_kernel_files_include_only_the_contract():
    families = re.findall(r"^NABI_FAMILY\((\w+)\)", (CSRC / "cpu" / "families.def").read_text(), re.MULTILINE)
    assert len(families) >= 9
    for family in families:
        allowed = {"cpu/kernels.h", "cpu/vec.h", "cpu/math.h", "cpu/tile.h", f"cpu/{family}.h", "ops/elementwise.def"}
        text = (CSRC / "cpu" / f"{family}.cpp").read_text()
        quoted = set(re.findall(r'^#include "([^"]+)"', text, re.MULTILINE))
        system = set(re.findall(r"^#include <([^>]+)>", text, re.MULTILINE))
        # elementwise.def rows may be read through a header of the family's own
        assert quoted <= allowed | {p for p in quoted if p.startswith(f"cpu/{family}")}, family
        assert system <= {"stdint.h", "string.h", "stddef.h", "immintrin.h", "arm_neon.h"}, family


def floor_of(module: str) -> int:
    top = module.split(".")[0]
    for number, names in enumerate(PYTHON_FLOORS):
        if top in names:
            return number
    raise AssertionError(f"python/nabi/{top} stands on no floor: add it to PYTHON_FLOORS")


def imports_of(path: pathlib.Path) -> set[str]:
    """The nabi modules that a file imports when it is itself imported: nested imports are made when called."""
    out = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module and node.module.split(".")[0] == "nabi":
            rest = node.module.split(".")[1:]
            out |= {rest[0]} if rest else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            out |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("nabi.")}
    return out


def test_a_python_module_imports_only_from_its_floor_or_below():
    for path in PYTHON.rglob("*.py"):
        module = path.relative_to(PYTHON).with_suffix("").as_posix().replace("/", ".")
        if module == "__init__" or module == "__main__":
            continue
        own = floor_of(module)
        for name in imports_of(path):
            if (PYTHON / name).exists() or (PYTHON / f"{name}.py").exists() or name == "_core":
                assert floor_of(name) <= own, f"{module} imports {name}, which is above it"


def test_every_op_has_a_lowering_and_a_type_rule():
    from nabi import _core

    lowered = "".join(p.read_text() for p in (CSRC / "cpu").glob("lower_*.cpp"))
    for op in _core.op_table():
        if set(op["traits"]) & {"elementwise", "alias", "source"}:
            continue
        assert f'"{op["name"]}"' in lowered, f"{op['name']} has no lowering on the CPU"


def test_kernel_objects_leave_nothing_weak_behind():
    """A weak symbol compiled for AVX-512 may be the copy the linker keeps for machines without it."""
    objects = [
        p for p in ROOT.glob("build/**/nabi_*.dir/**/*.o") if re.search(r"nabi_(avx2|avx512|generic|neon)\.dir", str(p))
    ]
    if not objects:
        pytest.skip(
            "no object files of a build in build/ (they are there after pip install . with a kept build folder)"
        )
    for path in objects:
        isa = re.search(r"nabi_(\w+)\.dir", str(path)).group(1)
        own = f"_ZN4nabi3cpu{len(isa)}{isa}"
        for line in subprocess.run(["nm", str(path)], capture_output=True, text=True, check=True).stdout.splitlines():
            kind, name = line.split()[-2:]
            assert kind not in "WVu" or name.startswith(own), f"{path.name}: {line}"
            assert "_GLOBAL__sub_I" not in name, f"{path.name}: {line}"
        sections = subprocess.run(["readelf", "-SW", str(path)], capture_output=True, text=True, check=True).stdout
        assert ".init_array" not in sections, path.name


MEASURE = """
import sys, time
import numpy
def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096
before, start = resident(), time.perf_counter()
import nabi
for name in nabi.__all__:  # rooms load when first used: use them all
    getattr(nabi, name)
print(time.perf_counter() - start, (resident() - before) / 2**20)
print(" ".join(m for m in ("h5py", "matplotlib", "sklearn", "PIL", "pandas", "scipy") if m in sys.modules))
"""


def test_import_needs_numpy_alone_and_little_memory():
    best = []
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
        figures, modules = done.stdout.split("\n")[:2]
        assert modules == ""
        best.append([float(f) for f in figures.split()])
    assert min(memory for _, memory in best) <= 50
