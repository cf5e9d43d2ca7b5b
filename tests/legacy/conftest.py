"""Old spellings are on within a test of this folder and off after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _old_spellings() -> Iterator[None]:
    import nabi
    from nabi import legacy

    nabi.utils.clear_session()
    legacy.install_as_keras()
    yield
    legacy.disable()
