"""The progress bar's text, character by character."""

import io
import sys
import types

import pytest

from nabi.utils import progbar
from nabi.utils.progbar import Progbar, print_msg

DONE, REST = "\x1b[32m", "\x1b[37m"


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    state = types.SimpleNamespace(now=1000.0)
    monkeypatch.setattr(progbar.time, "time", lambda: state.now)
    return state


def bar(current, target, done):
    green = f"{DONE}{'━' * done}\x1b[0m" if done else ""
    return f"\x1b[1m{current}/{target}\x1b[0m {green}{REST}{'━' * (20 - done)}\x1b[0m"


def test_first_and_last_line(clock, capsys):
    progress = Progbar(3, stateless_metrics=[])
    clock.now += 3
    progress.update(1, [("accuracy", 0.09375), ("loss", 3.1858)], finalize=False)
    first = f"\r{bar(1, 3, 6)} \x1b[1m6s\x1b[0m 3s/step - accuracy: 0.0938 - loss: 3.1858"
    assert capsys.readouterr().out == first
    clock.now += 3
    progress.update(3, [("accuracy", 0.05), ("loss", 3.3398), ("val_loss", 2.3173)], finalize=True)
    width = len("1/3 " + "━" * 20 + " 6s 3s/step - accuracy: 0.0938 - loss: 3.1858")
    last = f"{bar(3, 3, 20)} \x1b[1m6s\x1b[0m 2s/step - accuracy: 0.0500 - loss: 3.3398 - val_loss: 2.3173\n"
    assert capsys.readouterr().out == "\b" * width + "\r" + last


def test_verbose_2_is_one_line(clock, capsys):
    progress = Progbar(3, verbose=2, stateless_metrics=[])
    for step in (1, 2, 3):
        clock.now += 0.014
        progress.update(step, [("loss", 9.0)], finalize=False)
    values = [("accuracy", 0.3125), ("loss", 2.1974), ("tiny", 0.0005), ("worse", -2.0)]
    progress.update(3, values, finalize=True)
    expected = "3/3 - 0s - 14ms/step - loss: 2.1974 - accuracy: 0.3125 - tiny: 5.0000e-04 - worse: -2.0000e+00\n"
    assert capsys.readouterr().out == expected


def test_number_is_padded_to_the_target(clock, capsys):
    Progbar(938, stateless_metrics=[]).update(7, finalize=False)
    assert "\x1b[1m  7/938\x1b[0m " in capsys.readouterr().out


def test_unknown_length(clock, capsys):
    Progbar(None, stateless_metrics=[]).update(7, [("loss", 1e-4)], finalize=False)
    assert capsys.readouterr().out == "\r      7/Unknown \x1b[1m0s\x1b[0m 0s/step - loss: 1.0000e-04"


@pytest.mark.parametrize(
    ("seconds", "text"), [(59.4, "59s"), (61.0, "1:01"), (3600.5, "1:00:00"), (7325.0, "2:02:05"), (60.0, "60s")]
)
def test_time_left(clock, capsys, seconds, text):
    progress = Progbar(2)
    clock.now += seconds
    progress.update(1, finalize=False)
    assert f"\x1b[1m{text}\x1b[0m" in capsys.readouterr().out


@pytest.mark.parametrize(("seconds", "text"), [(2.0, "2s"), (0.25, "250ms"), (2.5e-5, "25us")])
def test_time_per_step(clock, capsys, seconds, text):
    progress = Progbar(10)
    clock.now += 5  # the first step is left out
    progress.update(1, finalize=False)
    clock.now += seconds * 9
    progress.update(10)
    assert f" {text}/step" in capsys.readouterr().out


def test_not_drawn_more_often_than_the_interval(clock, capsys):
    progress = Progbar(100)
    progress.update(1)
    capsys.readouterr()
    clock.now += 0.04
    progress.update(2)
    assert capsys.readouterr().out == ""
    clock.now += 0.02
    progress.update(3)
    assert capsys.readouterr().out != ""


def test_averages_of_stateless_metrics(clock, capsys):
    progress = Progbar(4, interval=0.0)
    clock.now += 1
    progress.update(1, [("loss", 1.0)])
    progress.update(3, [("loss", 4.0)])
    assert capsys.readouterr().out.rstrip().endswith("loss: 3.0000")


def test_both_kinds_of_metrics():
    with pytest.raises(ValueError, match="Only one of `stateful_metrics` or `stateless_metrics`"):
        Progbar(3, stateful_metrics=[], stateless_metrics=[])


def test_ascii_stream(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    print_msg("━━ 나비")
    assert stream.buffer.getvalue() == b"== ??\n"


def test_no_stream(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    print_msg("lost")
