"""Old spellings are on within a test of this folder and off after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nabi import legacy

legacy.disable()  # modules of this folder import it when they are collected, long before their tests run


@pytest.fixture(autouse=True)
def _old_spellings() -> Iterator[None]:
    import nabi

    nabi.utils.clear_session()
    legacy.install_as_keras()
    yield
    legacy.disable()
