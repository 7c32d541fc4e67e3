"""The live panel: everything an operator asks for, on the smallest terminal."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from harvester.actions import IDLE
from harvester.cli.display import EVENTS_SHOWN, Events
from harvester.cli.panel import draw
from tests.support.samples import NOW_US

RUN: dict[str, Any] = {
    "updated_at": NOW_US,
    "samples": 1_234,
    "target": 15_000,
    "processed": 51_234,
    "nodes": 123_456,
    "edges": 1_234_567,
    "new_nodes": 23_456,
    "new_edges": 34_567,
    "rereads": False,
    "renewed": 0,
    "relisted": 0,
    "frontier": 72_222,
    "deferred": 12,
    "gone": 34,
    "requests": 1_260,
    "requests_24h": 1_999,
    "quota_left": 13_001,
    "quota_next_at": NOW_US + 3_600_000_000,
    "samples_per_minute": 58.7,
    "eta_s": 14_000.0,
    "waiting_for": None,
    "waiting_until": None,
    "activity": {number: f"similar list of sound {number}" for number in range(16)},
    "last_checkpoint_at": NOW_US - 90_000_000,
    "last_backup_at": NOW_US - 3_600_000_000,
}
WAITING = {
    "quota_left": 0,
    "eta_s": 200 * 3_600.0,
    "waiting_for": "quota used up",
    "waiting_until": NOW_US + 30 * 3_600_000_000,
}
IDLE_HALF = {number: IDLE if number % 2 else f"similar list of sound {number}" for number in range(16)}


def drawn(run: dict[str, Any], events: list[str] | None = None, width: int = 80) -> list[str]:
    console = Console(width=width, file=StringIO(), record=True)
    console.print(draw(run, title="harvester · data/freesound_library", events=events or [], width=width))
    return console.export_text().splitlines()


@pytest.mark.usefixtures("utc")
def test_a_panel_of_a_large_busy_run_fits_80_by_24_and_cuts_nothing() -> None:
    assert len(drawn(RUN, ["sound 7: " + "x" * 200] * EVENTS_SHOWN)) <= 24
    lines = drawn(RUN | WAITING | {"activity": IDLE_HALF}, ["sound 7: " + "x" * 200] * EVENTS_SHOWN)
    assert len(lines) <= 24
    assert all(len(line) == 78 for line in lines), "the terminal echoes `^C` after it"
    shown = "\n".join(lines)
    for part in (
        "1,234 of 15,000 processed this run",
        "59 a minute",
        "51,234 processed",
        "1,260 this run, 1,999 in 24 h",
        "123,456 (+23,456)",
        "0 left, next 15:13 UTC",
        "1,234,567 (+34,567)",
        "72,222",
        "1 min ago",
        "1 h 0 min ago",
        "and 5 more",
        "fetchers   8 idle",
        "waiting: quota used up until Tue 20:13 UTC, 1 d 6 h more",
        "15,000 processed sounds about 2026-09-29 22:13 UTC",
    ):
        assert part in shown, part


def test_a_wide_terminal_gives_a_panel_that_is_still_read_at_a_glance() -> None:
    assert max(map(len, drawn(RUN, width=200))) == 100


def test_the_last_picture_has_no_room_for_what_is_over() -> None:
    ended = RUN | WAITING | {"activity": {}, "samples": 15_000}
    assert not any(line.strip("│ ") == "" for line in drawn(ended))
    assert not any("fetcher" in line or "waiting" in line for line in drawn(ended))


def test_without_a_target_or_a_limit_nothing_is_promised() -> None:
    shown = "\n".join(drawn(RUN | {"target": None, "quota_left": None, "quota_next_at": None, "eta_s": None}))
    assert "no limit" in shown
    assert "to go" not in shown


def test_what_happens_again_and_again_takes_one_line() -> None:
    events = Events()
    for line in ("one", "again", "again", "again", "two"):
        events.add(line)
    assert events.lines() == ["one", "again (3 times)", "two"]
    for number in range(9):
        events.add(str(number))
    assert events.lines() == ["5", "6", "7", "8"]
