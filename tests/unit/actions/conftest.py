"""A library on disk, as a harvest leaves it, for the functions that a program calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.samples import SOURCE, grow, make_events, open_store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve sounds with records, each with a list of the two that follow it; one backup."""
    path = tmp_path / "library"
    with open_store(path) as store:
        store.set_source(SOURCE)
        grow(store, make_events(12))
        store.checkpoint(backup=True)
    return path
