"""Sweeps that bring vectors: durable before their page counts, smaller pages where one is late, manners kept."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from harvester.errors import PageTooLarge, SettingsError
from harvester.model import API_PAGE, COMPUTED, Linked, Note, RecordsPage, SimilarList, Vector
from harvester.pipeline import sweep as sweep_module
from harvester.pipeline.messages import SweepClaim
from harvester.pipeline.plan import Plan
from harvester.pipeline.scope import MATCHES, NO_VECTOR_YET, PLACE
from harvester.pipeline.sweep import DEEPEST, SMALLER, Sweep, sweep_topic
from tests.support.world import MemoryStore, World, make_record
from tests.unit.pipeline.test_harvest import CLOCK, harvest

SPACE = "laion_clap"


class Analysed(World):
    """A world whose sounds have vectors, but for `bare`; pages of more than `most` with vectors are late."""

    bare: frozenset[int] = frozenset()
    most = 150
    counts = 0

    def _vectors(self, sound_ids: Sequence[int]) -> dict[int, Vector]:
        return {one: array("f", [one]) for one in sound_ids if one not in self.bare}

    async def fetch_records(
        self, sound_ids: tuple[int, ...], *, filter: str = "", vectors: bool = False
    ) -> RecordsPage:
        found = await super().fetch_records(sound_ids, filter=filter)
        if vectors and len(sound_ids) > self.most:
            raise PageTooLarge("no answer in time")
        ids = [record["id"] for record in found.records]
        return RecordsPage(found.records, found.count, False, found.fetched_at, {}, self._vectors(ids))

    async def search(
        self, *, query: str, filter: str, sort: str, page: int, page_size: int, vectors: bool = False
    ) -> RecordsPage:
        await self._answer("page", (page, page_size))
        if vectors and page_size > self.most:
            raise PageTooLarge("no answer in time")
        window = re.search(r"created:\[(\S+) TO \*\]", filter)
        all_records = (make_record(one, created=f"2020-01-01T{one // 3600:02}:{one // 60 % 60:02}:{one % 60:02}Z")
                       for one in range(1, self.size + 1))  # fmt: skip
        within = [record for record in all_records if not window or record["created"] >= window[1]]
        records = tuple(within[(page - 1) * page_size : page * page_size])
        ids = [record["id"] for record in records]
        count = self.counts or self.size
        found = self._vectors(ids) if vectors else {}
        return RecordsPage(records, count, page * page_size < self.size, self.clock.time_us(), {}, found)


def plan(target: int | None = 0, **search: Any) -> Plan:
    return Plan(target=target, sweep=True, filter="type:wav", vectors=SPACE, **search)


def world(size: int = 400) -> Analysed:
    return Analysed(CLOCK, size=size)


def topic(store: MemoryStore) -> dict[int, str]:
    return store.notes[sweep_topic("", "type:wav", SPACE)]


def test_a_sweep_with_vectors_costs_its_pages_and_no_list() -> None:
    sounds, store = world(), MemoryStore()
    sounds.bare = frozenset({7, 8})
    harvest(plan(), sounds, store)
    assert set(sounds.asked) == {("page", (1, 150)), ("page", (2, 150)), ("page", (3, 150))}
    assert set(store.vectors) == set(range(1, 401)) - {7, 8}
    assert {one for one, text in topic(store).items() if text == NO_VECTOR_YET and one != PLACE} == {7, 8}
    assert not store.state.list_count


def test_vectors_are_durable_before_the_journal_says_that_their_page_was_read() -> None:
    store = MemoryStore()
    harvest(plan(), world(), store)
    steps = [line.split()[0] for line in store.log if line.split()[0] in ("vectors", "append")]
    assert steps[:2] == ["vectors", "append"]
    assert steps == ["vectors", "append"] * (len(steps) // 2)


def test_the_vectors_that_are_counted_are_those_that_were_not_here() -> None:
    store = MemoryStore()
    store.vectors = {one: array("f", [one]) for one in (1, 2, 200)}
    _, ring = harvest(plan(), world(), store)
    assert ring.progress.vectors == 397


@pytest.mark.parametrize(("query", "vectors"), [("", SPACE), ("rain", ""), ("rain", SPACE)])
def test_no_run_asks_again_which_of_the_hits_match_the_filter(query: str, vectors: str) -> None:
    sounds, store = world(size=40), MemoryStore()
    swept = plan()
    harvest(replace(swept, query=query, vectors=vectors), sounds, store)
    sounds.asked.clear()
    sounds.reach = 0  # no list brings the next one
    harvest(Plan(target=30, seed_ids=(1,), filter="type:wav"), sounds, store)
    assert {kind for kind, _ in sounds.asked} == {"similar"}


def test_asked_for_samples_it_goes_on_to_lists() -> None:
    sounds, store = world(size=20), MemoryStore()
    harvest(plan(target=5), sounds, store)
    assert sum(count for (kind, _), count in sounds.asked.items() if kind == "similar") == 5


def test_a_page_that_is_late_is_asked_for_in_parts_and_no_position_twice() -> None:
    sounds, store = world(), MemoryStore()
    sounds.most = 30
    harvest(replace(plan(), concurrency=1), sounds, store)
    pages = [what for kind, what in sounds.asked if kind == "page"]
    assert [size for _, size in pages[:2]] == [150, 75]
    assert set(pages[2:]) == {(page, 25) for page in range(1, 17)}
    assert max(sounds.asked.values()) == 1
    assert set(store.vectors) == set(range(1, 401))


@pytest.mark.parametrize("seed", range(8))
def test_a_sweep_with_late_pages_and_crashes_covers_every_position_once(seed: int) -> None:
    dice, count = Random(seed), 9 * API_PAGE + 40
    sweep, read = Sweep(), list[int]()
    while not sweep.done:
        if dice.random() < 0.1:
            sweep = Sweep(sweep.place())
        claims = [claim for claim in (sweep.next() for _ in range(3)) if claim]
        for claim in dice.sample(claims, len(claims)):
            if claim.size > 5 and dice.random() < 0.3 and sweep.split(claim):
                continue
            start = (claim.page - 1) * claim.size
            ids = range(start + 1, min(start + claim.size, count) + 1)
            records = tuple(make_record(one, created="2020-01-01T00:00:00Z") for one in ids)
            sweep.read(claim, RecordsPage(records, count, True, 0))
            read.extend(ids)
    assert sorted(read) == list(range(1, count + 1))
    assert (sweep.found, sweep.missing) == (count, 0)


def test_the_smallest_page_is_never_split_and_the_next_window_dares_more() -> None:
    sweep = Sweep()
    claim = sweep.next()
    for size in SMALLER.values():
        assert claim is not None
        assert sweep.split(claim)
        claim = sweep.next()
        assert claim == SweepClaim("", 1, size)
    assert claim is not None
    assert not sweep.split(claim)
    deep = DEEPEST * API_PAGE + 1
    page, windows = claim, list[tuple[str, int]]()
    while len(windows) < 3:
        windows += [(page.window, page.size)] if (page.window, page.size) not in windows else []
        start = (page.page - 1) * page.size
        ids = range(start + 1, start + page.size + 1)
        hour = len(windows)
        records = tuple(
            make_record(hour * 10_000 + one, created=f"2020-01-01T{hour:02}:{one // 60:02}:{one % 60:02}Z")
            for one in ids
        )
        sweep.read(page, RecordsPage(records, deep, True, 0))
        following = sweep.next()
        assert following is not None
        page = following
    # The first window was the one with late pages; each that passes without dares the next size.
    assert [size for _, size in windows] == [5, 5, 25]


def test_a_place_noted_by_an_older_version_is_understood() -> None:
    window = {"start": "", "second": False, "again": False, "count": 400, "left": [2, 3], "ids": [1], "end": ""}
    place = {"done": False, "total": 400, "found": 0, "before": [], "window": window}
    assert Sweep(json.dumps(place)).next() == SweepClaim("", 2, 150)


def test_a_finished_sweep_asks_nothing_again_until_its_sounds_are_linked() -> None:
    sounds, store = world(size=300), MemoryStore()
    harvest(plan(), sounds, store)
    before = sounds.asked.total()
    harvest(plan(), sounds, store)
    assert sounds.asked.total() == before


def test_lost_vectors_are_fetched_again_by_their_ids_and_no_other() -> None:
    sounds, store = world(size=400), MemoryStore()
    sounds.bare = frozenset({9})
    harvest(plan(), sounds, store)
    for sound_id in range(1, 201):
        store.vectors.pop(sound_id, None)
    sounds.asked.clear()
    sounds.most = 80
    harvest(plan(), sounds, store)
    asked = [what for kind, what in sounds.asked if kind == "records"]
    assert {one for batch in asked for one in batch} == set(range(1, 201)) - {9}
    assert not any(kind == "page" for kind, _ in sounds.asked)
    assert set(store.vectors) == set(range(1, 401)) - {9}


def test_of_linked_sounds_too_a_lost_vector_alone_is_fetched() -> None:
    sounds, store = world(size=200), MemoryStore()
    harvest(plan(), sounds, store)
    for sound_id in range(1, 201):
        store.state.apply(Linked(sound_id, SimilarList((), 1, 25, origin=COMPUTED)))
    del store.vectors[17]
    sounds.asked.clear()
    harvest(plan(), sounds, store)
    assert dict(sounds.asked) == {("records", (17,)): 1}
    # With all of them here again, the next sweep looks for what is new.
    harvest(plan(), sounds, store)
    assert ("page", (1, 150)) in sounds.asked


def test_a_sweep_of_more_than_anybody_may_copy_stops_after_its_first_page_and_says_why() -> None:
    sounds, store = world(), MemoryStore()
    sounds.counts = 50_001
    with pytest.raises(SettingsError, match="--i-have-permission"):
        harvest(plan(), sounds, store)
    assert sounds.asked.total() == 1
    assert len(store.vectors) == 150  # what was read is kept
    with pytest.raises(SettingsError, match="terms"):
        harvest(plan(), sounds, store)
    assert sounds.asked.total() == 1
    sounds.counts = 0
    harvest(plan(permitted=True), sounds, store)
    assert len(store.vectors) == 400


def test_fifty_thousand_hits_need_no_permission() -> None:
    sweep_module.refuse_large(50_000)
    with pytest.raises(SettingsError):
        sweep_module.refuse_large(50_001)


def test_a_sweep_without_vectors_keeps_its_own_notes() -> None:
    sounds, store = world(size=20), MemoryStore()
    harvest(Plan(target=0, sweep=True, filter="type:wav"), sounds, store)
    assert not store.vectors
    assert Note(sweep_topic("", "type:wav"), 1, MATCHES) in store.kept_notes
    harvest(plan(), sounds, store)
    assert len(store.vectors) == 20
