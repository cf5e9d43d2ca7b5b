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
