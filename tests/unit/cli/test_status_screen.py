"""The screen of `status`: everything on one screen, whatever the library holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harvester.actions.status_facts import library_facts
from harvester.cli.status_screen import screen
from harvester.clock import DAY_US
from harvester.graph import SoundGraph
from harvester.library.reader import LibraryView
from harvester.model import Gone, Known, Linked, Seen, SimilarList
from tests.support.view_samples import HOSTILE, NOW_US, make_record

RUN = {
    "target": 500,
    "samples": 45,
    "requests": 46,
    "waiting_for": "quota used up",
    "waiting_until": NOW_US + 3_600_000_000,
}


def facts_of(state: SoundGraph, **more: Any) -> dict[str, Any]:
    idle = {"requests_24h": 12, "quota_left": 1988, "running": None, "running_host": None, "run": None}
    return library_facts(LibraryView(Path("library"), state=state), NOW_US) | idle | more


def grown_over(days: int) -> SoundGraph:
    """Return a state that grew by one sound on the first day, by two on the second, and so on."""
    state = SoundGraph("https://freesound.org/apiv2/")
    for day in range(days):
        stamp = NOW_US - (days - 1 - day) * DAY_US
        for number in range(day + 1):
            sound_id = day * 1000 + number + 1
            state.apply(Seen(sound_id, make_record(sound_id, category=f"a category of {sound_id % 9}"), stamp))
    return state


@pytest.mark.usefixtures("utc")
def test_everything_is_on_one_screen_while_a_harvest_waits() -> None:
    busy = {"running": 4711, "running_host": "atlas", "run": RUN, "size_bytes": 60_000_000}
    backups = {"count": 6, "newest_at": NOW_US - 5_000_000, "newest_nodes": 465, "size_bytes": 1_000_000}
    lines = screen(facts_of(grown_over(30), **busy, backups=backups, unsaved=3), NOW_US)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    shown = "\n".join(lines)
    for part in (
        "0 of 465 sounds",
        "465 waiting, 0 deferred, 0 gone",
        "12 in the last 24 h, 1,988 left",
        "60.0 MB, and 3 events after it",
        "6, the newest 5 s ago with 465 sounds",
        "record fetched 29 d 0 h ago: sound 1",
        "pid 4711 on atlas: 45 of 500 processed, 46 requests",
        "  waiting     quota used up until 15:13, 1 h 0 min more",
        "BY-NC 3.0",
        "a category of 1",
        "rain 465",
    ):
        assert part in shown, part


@pytest.mark.parametrize(("days", "a_bar"), [(1, "a day"), (14, "a day"), (66, "a day"), (67, "in 2 days")])
def test_the_chart_grows_to_the_right_and_its_best_day_is_its_highest(days: int, a_bar: str) -> None:
    lines = screen(facts_of(grown_over(days)), NOW_US)
    start = next(place for place, line in enumerate(lines) if line.startswith("  growth"))
    title, upper, lower, axis = lines[start : start + 4]
    assert title == f"  growth      new sounds {a_bar}; the best day was 2026-09-21 with {days}"
    assert upper[-1] == lower[-1] == "█"
    assert list(lower[14:]) == sorted(lower[14:])
    assert axis.endswith("2026-09-21")
    assert len(axis) == len(lower) <= 80


def test_users_have_a_line_where_there_is_room() -> None:
    assert screen(facts_of(grown_over(3)), NOW_US)[-1] == "  users       user0 2, user1 2, user2 2"


def test_a_day_and_a_sample_count_where_they_belong() -> None:
    state = SoundGraph()
    state.apply(Seen(1, make_record(1), NOW_US - DAY_US))
    state.apply(Known(2, NOW_US))
    state.apply(Linked(1, SimilarList(((2, 0.9),), NOW_US, 25)))
    state.apply(Seen(3, make_record(3), NOW_US - 2 * DAY_US))
    state.apply(Gone(3, NOW_US))
    facts = facts_of(state)
    assert facts["growth"] == [
        {"day": "2026-09-19", "sounds": 1, "samples": 0},
        {"day": "2026-09-20", "sounds": 1, "samples": 0},
        {"day": "2026-09-21", "sounds": 1, "samples": 1},
    ]
    assert facts["oldest_record"] == {"id": 1, "fetched_at": NOW_US - DAY_US, "fetched": "2026-09-20T14:13:20Z"}
    assert facts["licenses"] == {"BY 4.0": 1}


def test_hostile_words_and_a_terminal_without_unicode_leave_plain_lines() -> None:
    state = SoundGraph("https://freesound.org/apiv2/")
    state.apply(Seen(1, make_record(1, category="\u202e red", tags=[HOSTILE], username="\x1b[2J"), NOW_US))
    lines = screen(facts_of(state), NOW_US, unicode=False)
    assert all(line.isascii() and line.isprintable() for line in lines)
    assert max(map(len, lines)) <= 80


def test_an_empty_library_says_how_to_begin() -> None:
    assert screen(facts_of(SoundGraph()), NOW_US) == ["library: no library yet; `harvester harvest` starts one"]
    begun = screen(facts_of(SoundGraph("sandbox:")), NOW_US)
    assert begun == ["library: a library without a sound; `harvester harvest` fills it"]
