"""`harvester plan`: the price before anything is spent; and `status --deferred`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import harvester
from harvester import Library
from harvester.actions.scope_options import Wanted
from harvester.clock import DAY_US, SystemClock
from harvester.graph import SoundGraph
from harvester.library.store import Store
from harvester.model import Deferral, Known, Linked, Seen, SimilarList
from harvester.reports.plan import Allowance, Wish, describe_plan
from tests.support.processes import run, sandbox_process
from tests.support.world import make_record

LEVEL_1 = Allowance(60, 2000, 2000)


def wanted(*, sweep: bool = False, vectors: str = "") -> Wanted:
    return Wanted(seed_ids=(), query="", filter="type:wav", sweep=sweep, vectors=vectors, permitted=False)


def test_a_first_harvest_of_fifty_costs_fifty_one_requests_and_planning_it_one(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--sounds", 500) as sandbox:
        options = ("--api-url", sandbox.url, "--samples", 50)
        planned = json.loads(run("plan", *options, "--json", cwd=tmp_path).out)
        assert sandbox.counted() == 1
        assert (planned["requests"], planned["asked"], planned["catalogue"]) == (51, 1, 500)
        assert planned["quota_left"] == 1999
        assert planned["new_sounds_about"] == 500
        assert run("harvest", *options, "--level", 99, cwd=tmp_path).code == 0
        assert sandbox.counted() == 1 + planned["requests"]
        again = run("plan", *options, cwd=tmp_path)
        assert again.out.startswith("50 requests for 50 processed sounds")
        assert "1,947 of today's 2,000 requests are left: enough for the whole harvest" in again.out


def test_a_sweep_is_planned_with_one_request_and_costs_what_was_planned(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 3000) as sandbox:
        options = ("--api-url", sandbox.url, "--level", 99, "--sweep", "--filter", "duration:[0 TO 30]")
        planned = json.loads(run("plan", *options, "--json", cwd=tmp_path).out)
        assert sandbox.counted() == planned["asked"] == 1
        assert planned["hits"] > 1500
        assert run("harvest", *options, "--samples", 0, cwd=tmp_path).code == 0
        assert sandbox.counted() - 1 == planned["by_part"]["sweep"]
        assert planned["by_part"]["lists"] == planned["hits"]


def test_a_sweep_with_vectors_is_priced_at_its_pages() -> None:
    samples = wanted(sweep=True, vectors="laion_clap").target(None)
    wish = Wish(samples=samples, searched=True, filter="type:wav", sweep=True, hits=10_000)
    facts = describe_plan(SoundGraph(), wish, LEVEL_1)
    assert (facts["requests"], facts["by_part"]["lists"], facts["today"]["all"]) == (67, 0, True)


def test_a_run_without_a_number_of_samples_processes_what_its_options_imply() -> None:
    sweep, vectors = wanted(sweep=True), wanted(sweep=True, vectors="laion_clap")
    assert wanted().target(None) == 50
    assert wanted().target(None, forever=True) is None
    assert sweep.target(None) is None
    assert vectors.target(None, forever=True) == 0
    assert vectors.target(7) == sweep.target(7) == wanted().target(7, forever=True) == 7


def test_what_today_does_not_hold_takes_more_days() -> None:
    facts = describe_plan(SoundGraph(), Wish(samples=5000), Allowance(60, 2000, 700))
    assert (facts["requests"], facts["days"]) == (5001, 3)
    assert facts["today"] == {"requests": 700, "samples": 699, "all": False}
    assert facts["minutes"] == pytest.approx(5001 / 59, abs=0.1)


def test_sounds_known_by_id_cost_one_request_per_150() -> None:
    state = SoundGraph()
    state.apply(Seen(1, make_record(1), 1))
    facts = describe_plan(state, Wish(samples=1, seed_ids=range(1, 302)), LEVEL_1)
    assert facts["by_part"] == {"search": 0, "sweep": 0, "records": 2, "lists": 1}


@pytest.mark.parametrize(
    ("catalogue", "filter", "samples", "lists", "new"),
    [
        (5_000, "", 50, 50, 1_300), (None, "", 50, 50, 1_300), (120, "", 50, 50, 100), (120, "", 500, 110, 100),
        (20, "", 50, 10, 0), (5, "", 50, 0, 0), (40, "type:wav", 50, 30, 20), (10, "type:wav", 50, 0, 0),
        (100, "type:mp3", 200, 100, 100),
    ],
)  # fmt: skip
def test_a_plan_never_promises_more_than_the_catalogue_holds_and_the_library_lacks(
    catalogue: int | None, filter: str, samples: int, lists: int, new: int
) -> None:
    state = SoundGraph()  # 20 sounds, 10 of them processed
    for sound_id in range(1, 21):
        state.apply(Seen(sound_id, make_record(sound_id, type="wav"), 1))
    for sound_id in range(1, 11):
        state.apply(Linked(sound_id, SimilarList((), 1, 25)))
    for sound_id in range(900, 1_200):
        state.apply(Known(sound_id, 1))
    absent = set(range(900, 1_200))
    facts = describe_plan(
        state, Wish(samples=samples, filter=filter, catalogue=catalogue, hits=catalogue, deferred=absent), LEVEL_1
    )
    assert (facts["samples"], facts["new_sounds_about"]) == (lists, new)
    assert (facts["by_part"]["records"], facts["library"]["deferred"]) == (0, 300)


def test_the_plan_of_a_sandbox_without_a_key_knows_its_size_and_that_it_has_no_limits(tmp_path: Path) -> None:
    facts = harvester.run_plan(tmp_path, samples=5_000, sandbox=True)
    assert (facts.catalogue, facts.samples, facts.new_sounds_about) == (5_000, 5_000, 5_000)
    assert (facts.burst_limit, facts.daily_limit, facts.quota_left, facts.days, facts.minutes) == (None,) * 3 + (0, 0)


def test_a_filter_that_cannot_be_read_is_one_line_and_exit_2(tmp_path: Path) -> None:
    ended = run("plan", "--filter", "tag:(rain", cwd=tmp_path, key=None)
    assert ended.code == 2
    assert "Traceback" not in ended.err


def test_deferred_sounds_are_shown_with_reason_count_and_next_try(tmp_path: Path) -> None:
    now_us = SystemClock().time_us()
    with Store.open(tmp_path / "lib", clock=SystemClock()) as store:
        deferrals = [Deferral(7, "HTTP 500", 3, now_us + DAY_US), Deferral(8, "cut short", 1, now_us - 5)]
        store.append([Seen(7, make_record(7), now_us), Known(8, now_us)], deferrals)
    lines = run("status", "--deferred", "--library", "lib", cwd=tmp_path).out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["8", "1"], ["7", "3"]]
    assert "due now" in lines[1]
    assert lines[2].endswith("HTTP 500")
    rows = json.loads(run("status", "--deferred", "--library", "lib", "--json", cwd=tmp_path).out)
    assert [(row["id"], row["count"], row["next_try_at"]) for row in rows] == [
        (8, 1, now_us - 5),
        (7, 3, now_us + DAY_US),
    ]
    Library.open(tmp_path / "empty", create=True)
    assert "no sound is deferred" in run("status", "--deferred", "--library", "empty", cwd=tmp_path).out
