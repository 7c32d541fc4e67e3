"""The browser that all walks through a map share: each start of one costs more than most walks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.map_walks import Visit, one_browser


@pytest.fixture(scope="session")
def in_browser() -> Iterator[Visit]:
    """Open a map and walk through it: see `one_browser`."""
    with one_browser() as visit:
        yield visit
