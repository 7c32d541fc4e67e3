"""When a served library is read again: after a change, for a page that asks, and not more than half of the time."""

from __future__ import annotations

import base64
import json
import threading
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harvester.actions import live_library
from harvester.actions.live_library import FORGOTTEN_S, LOOK_S, LiveLibrary
from harvester.graph import Selection
from harvester.library import load_view
from harvester.model import Linked, Seen, SimilarList
from harvester.storage import ANALYSIS
from harvester.vectors import format as vector_format
from harvester.vectors.store import Vectors
from tests.support.samples import NOW_US, SOURCE, FixedClock, grow, make_record, open_store


class Turns(threading.Event):
    """An end that comes after so many turns; `rests` are the pauses before them, which are not waited."""

    def __init__(self, turns: int, between: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.rests: list[float] = []
        self._turns = turns
        self._between = between

    def wait(self, timeout: float | None = None) -> bool:
        self.rests.append(timeout or 0)
        if len(self.rests) > 1:
            self._between()
        return len(self.rests) > self._turns


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    add(tmp_path / "shelf", 1, 2, 3)
    return tmp_path / "shelf"


def add(folder: Path, *sound_ids: int) -> None:
    with open_store(folder) as store:
        store.set_source(SOURCE)
        grow(store, [Seen(one, make_record(one), NOW_US) for one in sound_ids])
        grow(store, [Linked(one, SimilarList(((1, 0.9),), NOW_US, 25)) for one in sound_ids if one > 1])
        store.checkpoint(backup=False)


def live(folder: Path, told: list[str]) -> LiveLibrary:
    return LiveLibrary(folder, Selection(), middle=None, steps=2, context=False, title=None, tell=told.append)


def asked(library: LiveLibrary) -> dict[str, Any]:
    news: dict[str, Any] = json.loads(library.changes(0))
    return news


def test_it_is_read_again_after_a_change_only(shelf: Path) -> None:
    library = live(shelf, [])
    library.follow(Turns(3))
    assert asked(library)["version"] == 1
    add(shelf, 4)
    library.follow(Turns(3))
    news = asked(library)
    # A new version shows the sound, and a layout is due for it: three sounds have become four.
    assert (news["version"], news["data"]["sounds"]["ids"]) == (3, [1, 2, 3, 4])
    assert json.loads(library.changes(3))["data"] is None


def test_without_a_page_nothing_is_read_until_one_asks(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr(live_library, "monotonic_s", lambda: now_s)
    library = live(shelf, [])
    now_s += FORGOTTEN_S
    add(shelf, 4)
    library.follow(Turns(3))
    assert asked(library)["data"]["sounds"]["ids"] == [1, 2, 3]
    library.follow(Turns(1))
    assert asked(library)["data"]["sounds"]["ids"] == [1, 2, 3, 4]


def test_it_rests_as_long_as_a_reading_took(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1000.0
    monkeypatch.setattr(live_library, "monotonic_s", lambda: now_s)
    library = live(shelf, [])

    def load_slowly(folder: Path, **asked: Any) -> Any:
        nonlocal now_s
        now_s += 7
        return load_view(folder, **asked)

    monkeypatch.setattr(live_library, "load_view", load_slowly)
    add(shelf, 4)
    turns = Turns(2)
    library.follow(turns)
    assert turns.rests == [LOOK_S, 7, LOOK_S]


def test_a_problem_is_told_once_and_so_is_its_end(shelf: Path) -> None:
    told: list[str] = []
    library, away = live(shelf, told), shelf.with_name("away")
    shelf.rename(away)
    shelf.mkdir()
    other = shelf / ANALYSIS
    library.follow(Turns(4, between=lambda: other.write_text(f"{other.exists() and other.read_text()} ")))
    problem = asked(library)["problem"]
    assert problem.startswith(f"{shelf}: there is no library here")
    assert told == [f"{problem}; the page shows what was read before"]
    other.unlink()
    shelf.rmdir()
    away.rename(shelf)
    library.follow(Turns(3))
    assert asked(library)["problem"] == ""
    assert told[1:] == [f"{shelf}: the library can be read again"]


def test_a_bug_is_raised_and_the_page_says_that_it_is_old(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    library = live(shelf, told)
    monkeypatch.setattr(live_library, "load_view", lambda _folder, **_asked: [].pop())
    add(shelf, 4)
    with pytest.raises(IndexError):
        library.follow(Turns(3))
    assert asked(library)["problem"] == "the page no longer follows the library: a part of it is missing"
    assert asked(library)["data"]["sounds"]["ids"] == [1, 2, 3]


def test_cards_list_the_nearest_by_sound_once_their_vectors_come(shelf: Path) -> None:
    told: list[str] = []
    library = live(shelf, told)
    assert "nearest" not in asked(library)["data"]["arrays"]
    alike = {one: array("f", [1.0, one / 10, *[0.0] * 98]) for one in (1, 2, 3)}
    Vectors(shelf, FixedClock()).keep(alike, space="freesound_classic", source=SOURCE)
    library.follow(Turns(1))
    news = asked(library)
    assert (news["version"], news["data"]["sounds"]["ids"]) == (2, [1, 2, 3])
    arrays = news["data"]["arrays"]
    # Sounds 2 and 3 list sound 1 as similar, so their cards add one sound each.
    assert list(base64.b64decode(arrays["nearestCounts"])) == [2, 1, 1]
    assert list(base64.b64decode(arrays["nearest"])) == [1, 0, 2, 0, 2, 0, 1, 0]
    assert told == []


def test_vectors_of_a_newer_version_are_told_and_the_map_goes_on(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    library = live(shelf, told)
    with monkeypatch.context() as newer:
        newer.setattr(vector_format, "VERSION", vector_format.VERSION + 1)
        Vectors(shelf, FixedClock()).keep({1: array("f", [1.0] * 100)}, space="freesound_classic", source=SOURCE)
    add(shelf, 4)
    library.follow(Turns(2))
    assert asked(library)["data"]["sounds"]["ids"] == [1, 2, 3, 4]
    assert [line.endswith("the cards of the map list no nearest sounds") for line in told] == [True]
