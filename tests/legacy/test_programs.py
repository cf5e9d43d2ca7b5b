"""Programs of every year, run as a student runs them, with `nabi run`; those of the course where they are at hand."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
YEARS = ROOT / "examples" / "years"
COURSE = ROOT.parent / "shared" / "course"


def run(path: pathlib.Path, folder: pathlib.Path, text: str | None = None) -> str:
    """What a program prints; it must end well."""
    if text is not None:
        path = folder / path.name
        path.write_text(text)
    environment = {**os.environ, "MPLBACKEND": "Agg", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-m", "nabi", "run", str(path)], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def last(pattern: str, text: str) -> float:
    return float(re.findall(pattern, text)[-1])


@pytest.mark.parametrize(
    ("name", "pattern", "least"),
    [
        ("2016_lenet_keras1", r"Test accuracy: ([\d.]+)", 0.85),
        ("2018_generator_keras2", r"Test accuracy: ([\d.]+)", 0.9),
        ("2020_tf_keras", r"Own model: ([\d.]+)", 0.8),
        ("2022_sklearn_tf28", r"cross validation: ([\d.]+)", 0.9),
        ("2024_keras3", r"'acc': ([\d.]+)", 0.85),
        ("korean_textbook", r"정확도: ([\d.]+)", 0.9),
    ],
)
def test_programs_of_six_years(name, pattern, least, tmp_path):
    for extra in ("sklearn", "matplotlib", "h5py"):
        pytest.importorskip(extra)
    if name.startswith("2018"):
        pytest.importorskip("PIL")
    text = run(YEARS / f"{name}.py", tmp_path)
    assert last(pattern, text) >= least
    if name.startswith("2018"):
        assert text.count("Epoch ") == 12
        assert "features: (3, 256)" in text
    if name.startswith("2024"):
        assert "same: True" in text


def course(name: str) -> str:
    if not (COURSE / name).exists():
        pytest.skip("the course's programs are not beside the checkout")
    return (COURSE / name).read_text()


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("mlp_summary.py", ["401,920", "262,656", "5,130", "Total params: 669,706"]),
        ("cnn_summary.py", ["320", "18,496", "200,768", "650", "Total params: 220,234"]),
        ("cnn_dropout_summary.py", ["Total params: 220,234", "dropout"]),
        ("conv_by_hand.py", ["6.  9. 11.", "3.0 -3.0"]),
        ("losses_by_hand.py", ["1.20397", "0.69314"]),
    ],
)
def test_short_programs_of_the_course(name, counts, tmp_path):
    text = run(COURSE / name, tmp_path, course(name))
    for count in counts:
        assert count in text


def test_blobs_of_the_course(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    text = run(COURSE / "blobs.py", tmp_path, course("blobs.py"))
    assert "Total params: 153" in text
    train, test = map(float, re.findall(r"Train: ([\d.]+), Test: ([\d.]+)", text)[0])
    assert 0.81 < train < 0.86
    assert 0.82 < test < 0.87


def exact_cifar() -> bool:
    home = pathlib.Path(os.environ.get("NABI_HOME", "~/.nabi")).expanduser()
    return (home / "datasets" / "cifar-10-batches-py").exists()


@pytest.mark.parametrize(
    ("name", "epochs"), [("cifar10_cnn.py", "epochs=100"), ("cifar10_improved.py", "epochs = 125")]
)
def test_long_programs_of_the_course_begin(name, epochs, tmp_path):
    """One epoch of each, of a part of the data: what they print, and the checkpoint they read back."""
    text = course(name)
    if not exact_cifar():
        pytest.skip("CIFAR-10 is not in the cache")
    pytest.importorskip("h5py")
    assert epochs in text
    text = text.replace(epochs, epochs.split("=")[0] + "=1")
    text = text.replace("x_train[5000:], x_train[:5000]", "x_train[5000:6280], x_train[:500]")
    text = text.replace("y_train[5000:], y_train[:5000]", "y_train[5000:6280], y_train[:500]")
    text = text.replace("load_data()", "load_data(); x_test, y_test = x_test[:500], y_test[:500]", 1)
    out = run(COURSE / name, tmp_path, text)
    assert "val_loss improved from None to" in out
    if name == "cifar10_cnn.py":
        assert "Total params: 528,054" in out
        assert re.search(r"Test accuracy: 0\.\d+", out)
    else:
        assert re.search(r"Test result: \d+\.\d+ loss: \d", out)
