"""When a library is fresh: the rule over its whole range, and the command that scripts run."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harvester
from harvester.actions.freshness import judge_freshness
from harvester.actions.status_file import save_status
from harvester.clock import SECOND_US
from harvester.errors import SettingsError
from harvester.graph import SoundGraph
from harvester.model import Gone, Known, Linked, Seen, SimilarList
from harvester.reports import describe_content
from harvester.storage import WriterLock
from tests.support.command import call
from tests.support.samples import SOURCE, grow, make_events, make_record, open_store

HOUR_S = 3_600
NOW_US = 1_800_000_000 * SECOND_US
LONGEST_WAIT_S = 26 * HOUR_S


def waiting(*, quota_left: int | None = 0, until_s: float = 60, updated_s: float = 1) -> dict[str, Any]:
    """Return what `status.json` says of a harvest that waits."""
    return {
        "quota_left": quota_left,
        "waiting_until": NOW_US + int(until_s * SECOND_US),
        "updated_at": NOW_US - int(updated_s * SECOND_US),
    }


def fresh(age_s: float | None, max_age_s: float, run: dict[str, Any] | None) -> bool:
    last_us = None if age_s is None else NOW_US - int(age_s * SECOND_US)
    judged: bool = judge_freshness({"last_news_at": last_us, "run": run}, max_age_s, NOW_US)["fresh"]
    return judged


ages = st.floats(0, 1e7)
NOT_BY_PLAN = [
    None, waiting(quota_left=5), waiting(quota_left=None), waiting(until_s=-1), waiting(updated_s=61),
    waiting() | {"waiting_until": None}, waiting() | {"updated_at": "now"},
]  # fmt: skip


@given(ages, st.floats(0.001, 1e7), st.sampled_from(NOT_BY_PLAN))
def test_fresh_is_what_is_no_older_than_max_age(age_s: float, max_age_s: float, run: dict[str, Any] | None) -> None:
    whole_s = int(age_s * SECOND_US) / SECOND_US
    assert fresh(age_s, max_age_s, run) is (whole_s <= max_age_s)


@given(ages, st.floats(0.001, 1e7))
def test_a_harvest_that_waits_for_quota_may_go_a_day_without_news(age_s: float, max_age_s: float) -> None:
    whole_s = int(age_s * SECOND_US) / SECOND_US
    assert fresh(age_s, max_age_s, waiting()) is (whole_s <= max(max_age_s, LONGEST_WAIT_S))


@pytest.mark.parametrize("run", NOT_BY_PLAN)
def test_only_a_live_harvest_that_waits_for_quota_may_go_longer(run: dict[str, Any] | None) -> None:
    assert not fresh(2 * HOUR_S, HOUR_S, run)
    assert fresh(2 * HOUR_S, HOUR_S, waiting())


@pytest.mark.parametrize("run", [None, waiting()])
def test_a_library_into_which_nothing_was_fetched_is_stale(run: dict[str, Any] | None) -> None:
    assert not fresh(None, 1e9, run)


def test_a_time_ahead_of_the_clock_is_fresh() -> None:
    assert fresh(-5, 1, None)


@pytest.mark.parametrize(
    ("events", "at"),
    [
        ([], None),
        ([Known(1, 90)], None),
        ([Seen(1, make_record(1), 0)], None),
        ([Seen(1, make_record(1), 50)], 50),
        ([Seen(1, make_record(1), 50), Linked(1, SimilarList(((2, 0.5),), 70, 25))], 70),
        ([Seen(1, make_record(1), 50), Gone(2, 80), Known(3, 99)], 80),
    ],
)
def test_news_is_the_newest_record_list_or_tombstone(events: list[Any], at: int | None) -> None:
    state = SoundGraph(SOURCE)
    for event in events:
        state.apply(event)
    assert describe_content(state)["last_news_at"] == at


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library whose newest data is an hour and a half old, beside nothing else."""
    folder = tmp_path / "lib"
    at_us = time.time_ns() // 1000 - 5_400 * SECOND_US
    with open_store(folder) as store:
        store.set_source(SOURCE)
        grow(store, make_events(3, at=at_us))
        store.checkpoint()
    return folder


def test_the_command_exits_with_0_and_1(library: Path) -> None:
    cwd = library.parent
    assert call("status", "--exit-code", "--library", "lib", cwd=cwd).code == 0
    assert call("status", "--max-age", "1h", "--library", "lib", cwd=cwd).code == 0
    ended = call("status", "--exit-code", "--max-age", "1h", "--library", "lib", cwd=cwd)
    assert ended.code == 1
    assert ended.err == "harvester: lib is stale: the newest data is 1 h 30 min old, more than 1 h 0 min\n"
    assert "3 of 3 sounds" in ended.out
    ended = call("status", "--exit-code", "--json", "--max-age", "1h", "--library", "lib", cwd=cwd)
    assert ended.code == 1
    freshness = json.loads(ended.out)["freshness"]
    assert freshness == {
        "fresh": False, "max_age_s": 3600.0, "why": "the newest data is 1 h 30 min old, more than 1 h 0 min",
    }  # fmt: skip
    ended = call("status", "--exit-code", "--max-age", "1h", "--library", "none", cwd=cwd)
    assert (ended.code, ended.out) == (28, ""), "monitoring must not take a missing library for a stale one"


def test_a_copy_with_a_new_time_is_as_stale_as_the_library(library: Path) -> None:
    for path in library.iterdir():
        os.utime(path)
    assert not harvester.status(library, max_age="1h").facts["freshness"]["fresh"]


def test_a_harvest_that_waits_for_quota_is_at_work(library: Path) -> None:
    now_us = time.time_ns() // 1000
    run = {
        "source": SOURCE, "server": SOURCE, "key": "0" * 12, "samples": 5, "requests": 5, "durable_ledger": False,
        "quota_left": 0, "waiting_for": "quota used up", "waiting_until": now_us + 3_600 * SECOND_US,
        "updated_at": now_us,
    }  # fmt: skip
    save_status(library, run)
    assert not harvester.status(library, max_age="1h").facts["freshness"]["fresh"], "a run that has ended"
    lock = WriterLock(library)
    lock.acquire(started=now_us)
    try:
        freshness = harvester.status(library, max_age="1h").facts["freshness"]
    finally:
        lock.release()
    assert freshness["fresh"]
    assert freshness["why"] == "the newest data is 1 h 30 min old, and the harvest waits for quota"


@pytest.mark.parametrize("others", [("--watch",), ("--deferred",), ("--plot", "pictures")])
def test_what_is_shown_otherwise_is_not_judged(others: tuple[str, ...], library: Path) -> None:
    ended = call("status", "--exit-code", *others, "--library", "lib", cwd=library.parent)
    assert ended.code == 2
    assert ended.err == (
        "harvester: --exit-code judges the library once; use it without --watch, --deferred and --plot\n"
    )


@pytest.mark.parametrize("text", ["0", "-1h", "soon", "nan"])
def test_an_age_that_is_none_is_refused(text: str, library: Path) -> None:
    assert call("status", "--max-age", text, "--library", "lib", cwd=library.parent).code == 2
    with pytest.raises(SettingsError, match=r"max_age|--max-age"):
        harvester.status(library, max_age=text)
