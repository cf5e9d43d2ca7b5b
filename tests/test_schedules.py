"""Learning rate schedules, traced and at once, against their formulas; every error."""

import math

import numpy as np
import pytest

import nabi
from nabi.optimizers import schedules
from nabi.trace import Trace


def piecewise(step):
    return 1.0 if step <= 3 else 0.5 if step <= 6 else 0.1


def polynomial(step, n=6, end=0.01, power=2.0, cycle=False):
    n = n * max(math.ceil(step / n), 1) if cycle else n
    return (0.1 - end) * (1 - min(step, n) / n) ** power + end


def cosine(step, start=0.1, n=6, alpha=0.2):
    return start * ((1 - alpha) * 0.5 * (1 + math.cos(math.pi * min(step, n) / n)) + alpha)


def restarts(step, n=2, t=2.0, m=0.5, alpha=0.1):
    length, begin, height = n, 0, 1.0
    while step >= begin + length:
        begin, length, height = begin + length, length * t, height * m
    value = 0.5 * height * (1 + math.cos(math.pi * (step - begin) / length))
    return 0.1 * ((1 - alpha) * value + alpha)


SCHEDULES = {
    "exponential": (schedules.ExponentialDecay(0.1, 4, 0.5), lambda s: 0.1 * 0.5 ** (s / 4)),
    "exponential stairs": (schedules.ExponentialDecay(0.1, 4, 0.5, staircase=True), lambda s: 0.1 * 0.5 ** (s // 4)),
    "inverse": (schedules.InverseTimeDecay(0.1, 4, 0.5), lambda s: 0.1 / (1 + 0.5 * s / 4)),
    "inverse stairs": (schedules.InverseTimeDecay(0.1, 4, 0.5, staircase=True), lambda s: 0.1 / (1 + 0.5 * (s // 4))),
    "piecewise": (schedules.PiecewiseConstantDecay([3, 6], [1.0, 0.5, 0.1]), piecewise),
    "piecewise of one": (schedules.PiecewiseConstantDecay([3.7], [1, 2]), lambda s: 1 if s <= 3 else 2),
    "polynomial": (schedules.PolynomialDecay(0.1, 6, 0.01, 2.0), polynomial),
    "linear": (schedules.PolynomialDecay(0.1, 6, 0.01), lambda s: polynomial(s, power=1.0)),
    "polynomial cycle": (schedules.PolynomialDecay(0.1, 6, 0.01, 2.0, cycle=True), lambda s: polynomial(s, cycle=True)),
    "cosine": (schedules.CosineDecay(0.1, 6, alpha=0.2), cosine),
    "cosine warmup": (
        schedules.CosineDecay(0.1, 6, alpha=0.2, warmup_target=0.5, warmup_steps=4),
        lambda s: 0.1 + (0.5 - 0.1) * s / 4 if s < 4 else cosine(s - 4, start=0.5),
    ),
    "cosine warmup of no steps": (
        schedules.CosineDecay(0.1, 6, 0.2, warmup_target=0.5),
        lambda s: cosine(s, start=0.5),
    ),
    "restarts": (schedules.CosineDecayRestarts(0.1, 2, m_mul=0.5, alpha=0.1), restarts),
    "restarts of equal length": (
        schedules.CosineDecayRestarts(0.1, 3, t_mul=1.0, alpha=0.1),
        lambda s: restarts(s, n=3, t=1.0, m=1.0),
    ),
    "restarts of 1.5": (
        schedules.CosineDecayRestarts(0.1, 4, t_mul=1.5, m_mul=0.9),
        lambda s: restarts(s, 4, 1.5, 0.9, 0.0),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(name):
    schedule, expected = SCHEDULES[name]
    variable = nabi.Variable(0, dtype="int32")
    with Trace() as trace:
        program_output = schedule(variable)
        variable.assign_add(1)
        program = trace.compile([program_output])
    for step in range(40):
        (traced,) = program.call([])
        assert traced.dtype == np.float32
        np.testing.assert_allclose(traced, expected(step), rtol=2e-5, atol=2e-7, err_msg=f"step {step}")
        if step < 12:
            np.testing.assert_allclose(schedule(step), traced, rtol=1e-6)
            np.testing.assert_allclose(schedule(np.float32(step)), expected(step), rtol=2e-5, atol=2e-7)
    again = type(schedule).from_config(schedule.get_config())
    assert again.get_config() == schedule.get_config()
    serialized = schedules.serialize(schedule)
    assert serialized["module"] == "keras.optimizers.schedules"
    assert schedules.deserialize(serialized).get_config() == schedule.get_config()


@pytest.mark.parametrize(
    "make_schedule",
    [
        lambda: schedules.ExponentialDecay(0.1, 0, 0.5),
        lambda: schedules.InverseTimeDecay(0.1, -1, 0.5),
        lambda: schedules.PolynomialDecay(0.1, 0),
        lambda: schedules.CosineDecay(0.1, 0),
        lambda: schedules.CosineDecayRestarts(0.1, 0),
    ],
)
def test_schedule_errors(make_schedule):
    with pytest.raises(ValueError, match=r"Argument `(first_)?decay_steps` must be > 0. Received: "):
        make_schedule()


def test_other_schedule_errors():
    with pytest.raises(ValueError, match="The length of boundaries should be 1 less than the length of values"):
        schedules.PiecewiseConstantDecay([1, 2], [1.0, 2.0])
    with pytest.raises(NotImplementedError, match="'LearningRateSchedule' must override `__call__"):
        schedules.LearningRateSchedule()(0)
    with pytest.raises(NotImplementedError, match="'LearningRateSchedule' must override `get_config"):
        schedules.LearningRateSchedule().get_config()
