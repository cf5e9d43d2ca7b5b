"""The measuring programs run and say what they should; no time is asserted."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

BENCH = pathlib.Path(__file__).resolve().parent.parent / "bench"
sys.path.insert(0, str(BENCH))

import contestants  # noqa: E402
import peers  # noqa: E402
from nabi import _core, benchmark, cli  # noqa: E402


@pytest.mark.parametrize("name", contestants.COURSE)
def test_the_course_models_have_the_course_parameters(name):
    library = contestants.make("nabi", 1)
    assert library.parameters(name) == contestants.COURSE[name].parameters


def test_training_learns_from_the_shared_weights():
    library = contestants.make("nabi", 1)
    first = library.losses("mnist_cnn", 8, 3)
    assert first == library.losses("mnist_cnn", 8, 3)
    assert np.isfinite(first).all()
    assert first[0] > first[-1]


@pytest.mark.parametrize("library", [name for name in contestants.LIBRARIES if name != "nabi"])
def test_peers_learn_what_nabi_learns(library):
    if library not in peers.installed():
        pytest.skip(f"{library} is not installed")
    if library == "torch-compile":
        pytest.skip("compiling takes a minute: bench/peers.py --check does it")
    with peers.contestants([library], 1) as (player,):
        for name, course in contestants.COURSE.items():
            assert player.ask(do="parameters", model=name) == course.parameters
            ours = contestants.make("nabi", 1).losses(name, 16, 3)
            np.testing.assert_allclose(player.ask(do="losses", model=name, batch=16, steps=3), ours, rtol=1e-3)


def run(script, *arguments):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(BENCH / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=True).stdout


def test_the_comparison_runs_on_nabi_alone(tmp_path):
    common = ("--libraries", "nabi", "--models", "blobs", "--threads", "1")
    run("peers.py", *common, "--rounds", "2", "--seconds", "0.01", "--batch", "8,32", "--json", str(tmp_path / "t"))
    found = json.loads((tmp_path / "t").read_text())
    assert found["machine"]["cpus"] >= 1
    assert found["versions"]["nabi"].startswith("nabi ")
    assert [(row["model"], row["batch"]) for row in found["rows"]] == [("blobs", 8), ("blobs", 32)]
    for row in found["rows"]:
        assert 0 < row["libraries"]["nabi"]["least"] <= row["libraries"]["nabi"]["median"] < 1
    assert "| blobs, 32, 1 | " in run("peers.py", "--tables", str(tmp_path / "t"))
    assert "nabi train_on_batch" in run("peers.py", *common, "--calls")
    assert "nabi" in run("peers.py", *common, "--imports").splitlines()[-1]


def test_ratios_are_taken_within_a_round():
    found = peers.compared({"nabi": [1.0, 2.0, 4.0], "torch": [2.0, 6.0, 8.0], "gone": []})
    assert set(found) == {"nabi", "torch"}
    assert found["torch"]["ratio"] == 2
    assert (found["torch"]["ratio_least"], found["torch"]["ratio_most"]) == (2, 3)
    assert found["torch"]["ratio_of_least"] == 2


def test_a_picture_of_the_ratios(tmp_path):
    pytest.importorskip("matplotlib")
    libraries = peers.compared({"nabi": [1.0], "torch": [2.0]})
    row = {"what": "training", "model": "mlp", "batch": 1, "threads": 1, "libraries": libraries}
    peers.plot([row], str(tmp_path / "ratios.png"))
    assert (tmp_path / "ratios.png").stat().st_size > 1000


def test_an_unknown_name_is_refused():
    with pytest.raises(subprocess.CalledProcessError) as error:
        run("peers.py", "--models", "resnet")
    assert "peers: unknown resnet; known are blobs, mlp" in error.value.stderr


def test_every_case_is_a_program():
    names = set()
    for case in benchmark.every_case():
        assert (case.family, case.name) not in names
        names.add((case.family, case.name))
    families = {family for family, _ in names}
    assert families >= {
        "gemm",
        "dense",
        "conv3x3",
        "conv2x2",
        "conv1x1",
        "conv5x5",
        "strided",
        "pool",
        "norm",
        "update",
    }
    small = [c for c in benchmark.every_case() if sum(int(np.prod(s)) for s in c.shapes) < 300_000]
    assert len(small) > 60
    for case in small:
        program, touched = case.program()
        program.run([], None, 1, [], 0, 2)
        assert touched > 0
        assert (case.family in ("gemm", "dense") or "conv" in case.family or case.family == "strided") == (
            sum(step["flops"] for step in program.steps) > 0
        )


def test_flops_are_those_of_the_products():
    found = {f"{c.family} {c.name}": c for c in benchmark.every_case()}

    def flops(name):
        return sum(step["flops"] for step in found[name].program()[0].steps)

    assert flops("gemm 64") == 2 * 64**3
    for direction in ("forward+bias+relu", "backward-data", "backward-weights"):
        assert flops(f"dense {direction} 32x784x512") == 2 * 32 * 784 * 512
        assert flops(f"conv3x3 {direction} 1x32x32 32->32") == 2 * 32 * 32 * 9 * 32 * 32
        assert flops(f"strided {direction} 32x16x16 64->128 3x3/2") == 2 * 32 * 8 * 8 * 9 * 64 * 128


def test_the_command_prints_and_writes_figures(tmp_path, capsys):
    before = _core.get_num_threads(), _core.isa()
    path = str(tmp_path / "rows")
    isas = _core.isas()[-2:]
    arguments = ["bench", "--filter", "gemm 64,softmax 32x3", "--isa", ",".join(isas), "--threads", "1,2"]
    assert cli.main([*arguments, "--seconds", "0.001", "--json", path]) == 0
    rows = json.loads(pathlib.Path(path).read_text())["rows"]
    assert [(r["isa"], r["case"], r["threads"]) for r in rows] == [
        (isa, case, threads) for isa in isas for case in ("64", "softmax 32x3") for threads in (1, 2)
    ]
    for row in rows:
        assert 0 < row["microseconds"] <= row["median"] < 1e6
        assert row["copy"] > 0
        assert (row["peak"] is None) == (row["family"] == "softmax")
        assert row["samples"] + row["dropped"] >= 1
    out = capsys.readouterr().out
    assert "for a cache line to hop" in out
    assert sum(line.startswith("gemm       64 ") for line in out.splitlines()) == len(isas)
    assert (_core.get_num_threads(), _core.isa()) == before


def test_the_command_says_what_it_cannot_do(capsys):
    assert cli.main(["bench", "--filter", "lstm"]) == 1
    assert "nabi bench: no case fits lstm; leave --filter out to see all of them" in capsys.readouterr().err
    assert cli.main(["bench", "--isa", "sse9"]) == 1
    assert "sse9" in capsys.readouterr().err


def test_every_op_of_the_table_can_be_measured(tmp_path):
    shown = run("ops.py", "--filter", "reduce_", "--seconds", "0", "--json", str(tmp_path / "rows"))
    rows = json.loads((tmp_path / "rows").read_text())["rows"]
    assert {row["case"].split()[0] for row in rows} >= {"reduce_sum", "reduce_max", "reduce_any"}
    assert "reduce_prod" in shown


def test_the_machine_is_measured():
    assert _core.measure_clock() >= 0
    for size in (1, 1 << 16):
        assert _core.measure_copy(size) > 0
    _core.set_num_threads(1)
    assert _core.measure_hop() == 0
    _core.set_num_threads(2)
    assert 0 < _core.measure_hop() < 0.1
