"""Hypothesis profiles, and the core's settings put back after every test."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

_SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile("default", deadline=None, max_examples=20, suppress_health_check=_SLOW_TO_DRAW)
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, database=None, print_blob=True)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=300)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


@pytest.fixture(autouse=True)
def _core_settings() -> Iterator[None]:
    """Restores the instruction set, the number of threads and the sharing switch."""
    yield
    from nabi import _core

    _core.set_isa(None)
    _core.set_num_threads(None)
    _core.force_sharing(False)


@pytest.fixture(autouse=True, scope="session")
def _interrupts() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, as at a terminal: a shell starts background jobs with the signal ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
