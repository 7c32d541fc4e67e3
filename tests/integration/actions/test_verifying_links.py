"""`harvester.verify_links` as programs call it: over real sockets, with no more requests than it names."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import harvester
from harvester import Level, RunEvent, Told
from tests.support.processes import KEY, sandbox_process

SWEEP: dict[str, Any] = {"sweep": True, "filter": "duration:[0 TO *]", "vectors": "laion_clap"}


def test_computed_lists_are_compared_with_the_server_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 300) as sandbox:
        server: dict[str, Any] = {"api_url": sandbox.url, "key": KEY, "level": 99}
        swept = harvester.run_harvest("library", **SWEEP, **server)
        linked = harvester.link("library")
        assert linked.new == linked.vectors == swept.vectors > 200
        before, told = sandbox.counted(), list[RunEvent]()
        result = harvester.verify_links(5, library="library", verbose=True, on_progress=told.append, **server)
        assert sandbox.counted() - before == 5
        assert (result.sounds, result.found, result.notices) == (5, result.expected, ())
        assert result.recall == 1.0
        assert result.largest_difference < 1e-3
        assert sum(isinstance(event, Told) and event.level is Level.REQUEST for event in told) >= 5

        async def in_a_loop() -> harvester.VerifyResult:
            return harvester.verify_links(5, library="library", **server)

        assert asyncio.run(in_a_loop()) == result
        with pytest.raises(harvester.SettingsError, match=r"^verify must be a whole number from 1"):
            harvester.verify_links(0, library="library", **server)
        with pytest.raises(harvester.WrongSource, match="no list was requested"):
            harvester.verify_links(1, library="library", sandbox=True)
