"""What a library costs: the promises of the guide in requests, counted at the sandbox's door."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harvester.clock import DAY_US
from harvester.model import Known
from harvester.pipeline.plan import Plan
from harvester.sandbox.generated import GeneratedCatalogue
from tests.bench.economy import harvest, naive_script, sweep_plan
from tests.support.processes import run, sandbox_process, start, wait_until
from tests.support.virtual_time import START_US, VirtualClock
from tests.support.world import MemoryStore


def test_a_first_run_of_fifty_costs_at_most_a_tenth_of_a_request_a_record() -> None:
    catalogue = GeneratedCatalogue(5_000, 7)
    spent = harvest(catalogue, Plan())
    assert spent.samples == 50
    assert spent.per_record <= 0.1
    assert spent.requests <= 51
    naive = naive_script(catalogue, 50)
    assert naive.per_record > 20 * spent.per_record


@pytest.mark.parametrize("order", ["popular", "breadth", "random"])
def test_up_to_exhaustion_a_sample_costs_at_most_1_02_requests_plus_hydration(order: str) -> None:
    spent = harvest(GeneratedCatalogue(400, 7), Plan(target=None, order=order))
    assert spent.samples >= 396
    assert spent.requests - spent.hydration <= 1.02 * spent.samples
    assert spent.hydration <= math.ceil(spent.records / 150)


def test_a_sweep_costs_one_request_per_150_sounds_and_one_a_window() -> None:
    spent = harvest(GeneratedCatalogue(4_000, 7), sweep_plan())
    assert spent.records == 4_000
    assert spent.requests <= math.ceil((4_000 + 4) / 150)


ABSENT = range(900_001, 901_651)
"""1,650 ids that an old library knows and the catalogue does not."""


def test_300_samples_beside_1650_absent_ids_cost_312_requests_and_one_line() -> None:
    store, told = MemoryStore(), list[str]()
    for sound_id in ABSENT:
        store.state.apply(Known(sound_id, 1))
    catalogue = GeneratedCatalogue(700, 7)
    spent = harvest(catalogue, Plan(target=300, new_seeds=True), store, told=told.append)
    # One search for seeds, 11 batches of 150 and 300 lists. Each absent id had cost a request of its own: 1,962.
    assert (spent.samples, spent.hydration, spent.requests) == (300, 11, 312)
    [line] = [line for line in told if "absent" in line or "deleted" in line or "deferred" in line]
    assert line.startswith("1,650 known ids absent from the search")
    assert store.deferrals.keys() == set(ABSENT)
    again = harvest(catalogue, Plan(target=5), store)
    assert (again.samples, again.hydration, again.requests) == (305, 0, 5)  # none is looked for on the same day


def test_until_they_count_as_deleted_1650_absent_ids_cost_66_requests_in_eight_weeks() -> None:
    store, spent, days = MemoryStore(), 0, list[int]()
    for sound_id in ABSENT:
        store.state.apply(Known(sound_id, 1))
    catalogue = GeneratedCatalogue(50, 7)
    for day in (0, 1, 2, 3, 4, 5, 10, 11, 12, 24, 25, 26, 52, 53, 54):
        # A target of 0 stops once the records are read: a night of a library that has other things to do.
        night = harvest(catalogue, Plan(target=0), store, clock=VirtualClock(START_US + day * DAY_US))
        spent += night.hydration
        days += [day] * bool(night.hydration)
    assert days == [0, 1, 4, 11, 25, 53]
    assert spent == 6 * 11
    assert store.state.gone_count == len(ABSENT)
    assert store.deferrals == {}


@pytest.mark.chaos
def test_after_a_kill_at_request_1990_the_next_run_sends_at_most_10_and_says_until_when(memory_path: Path) -> None:
    concurrency = 4
    # So the kill meets exactly this request: those on the wire are never answered.
    stuck = f"no-answer@from=1991@to={1990 + concurrency}"
    with sandbox_process(memory_path, "--burst", 100_000, "--sounds", 4_000, "--fault", stuck) as sandbox:
        options = ("harvest", "--api-url", sandbox.url, "--limits", "100000/2000", "--samples", 5_000,
                   "--neighbours", 3, "--concurrency", concurrency, "--checkpoint-interval", 64)  # fmt: skip
        process = start(*options, cwd=memory_path)
        wait_until(lambda: sandbox.counted() >= 1990 + concurrency, timeout_s=240, what="request 1994")
        process.kill()
        process.communicate()
        ended = run(*options, cwd=memory_path)
        assert ended.code == 0, ended.err
        # Each fetcher may have counted a request that the kill kept from being sent.
        spent = sandbox.counted()
        assert 2_000 - concurrency <= spent <= 2_000, ended.err
        until = re.search(r"quota used up, next request possible at (\S+ \S+) UTC", ended.err)
        assert until, ended.err
        free_in = datetime.fromisoformat(f"{until[1]}Z") - datetime.now(UTC)
        assert timedelta(hours=23) < free_in <= timedelta(hours=24, seconds=1)
        # Once more: nothing at all is sent.
        assert "quota used up" in run(*options, cwd=memory_path).err
        assert sandbox.counted() == spent
        assert not [request for request in sandbox.requests() if request["status"] == 429]


def test_after_a_kill_the_next_run_sends_only_what_the_day_still_holds(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--burst", 10_000, "--daily", 60, "--latency-ms", 10) as sandbox:
        options = ("harvest", "--api-url", sandbox.url, "--limits", "10000/60", "--samples", 500)
        process = start(*options, cwd=tmp_path)
        wait_until(lambda: sandbox.counted() >= 50, what="request 50")
        process.kill()
        process.communicate()
        sent = sandbox.counted()
        ended = run(*options, cwd=tmp_path)
        assert ended.code == 0, ended.err
        assert "quota used up, next request possible at" in ended.err
        assert sandbox.counted() - sent <= 60 - sent
        assert "0 left of today's quota" in ended.err
        assert re.search(r"sounds wait; run it again from .*\d\d:\d\d UTC to continue", ended.err)
        planned = json.loads(run("plan", *options[1:], "--json", cwd=tmp_path).out)
        assert planned["quota_left"] == 0
        assert not [request for request in sandbox.requests() if request["status"] == 429]
