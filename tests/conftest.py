"""What every test gets: a state folder of its own, no key from the environment, no settings from outside."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def _isolated_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_STATE", str(tmp_path_factory.mktemp("state")))
    monkeypatch.delenv("FREESOUND_API_KEY", raising=False)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recorded responses and real records; tests that need it are skipped where it is absent."""
    if not (SHARED / "recorded").is_dir():
        pytest.skip("the folder of recorded responses and real records is not here")
    return SHARED
