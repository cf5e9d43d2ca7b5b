"""Chooses Keras's backend before anything imports Keras, and puts both libraries' name counters back."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiling is most of the time


@pytest.fixture(autouse=True)
def _fresh_names() -> Iterator[None]:
    from parity.pair import keras, nabi

    keras.utils.clear_session(free_memory=False)
    nabi.utils.clear_session(free_memory=False)
    yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings of Keras and JAX are not ours to judge: here, and only here, they pass."""
    for item in items:
        if item.path.parent.name == "parity":
            item.add_marker(pytest.mark.filterwarnings("ignore"))
