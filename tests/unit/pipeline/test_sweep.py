"""A sweep finds every hit, page by page, however deep the search is and wherever it is interrupted."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field

import pytest

from harvester.clock import SECOND_US, iso
from harvester.model import RecordsPage, Seen
from harvester.pipeline.fetcher import Search
from harvester.pipeline.harvest import Plan
from harvester.pipeline.messages import SweepClaim
from harvester.pipeline.sweep import DEEPEST, PAGE, Sweep, sweep_topic
from harvester.pipeline.walk import walk_for
from tests.support.world import MemoryStore, World, make_record
from tests.unit.pipeline.test_harvest import CLOCK, harvest

START_S = 1_500_000_000


class Hits:
    """A search's hits by the second they were made in; ties come in another order each time. `lost` ids come never."""

    def __init__(self, created: dict[int, int], lost: set[int] | None = None) -> None:
        self.created = {sound_id: iso(second * SECOND_US) for sound_id, second in created.items()}
        self.lost = lost or set()
        self.asked: list[SweepClaim] = []
        self._chance = random.Random(1)

    def answer(self, claim: SweepClaim) -> RecordsPage:
        self.asked.append(claim)
        bounds = re.fullmatch(r"created:\[(\S+) TO (\S+)\]|", claim.window)
        assert bounds
        low, high = bounds[1] or "", bounds[2] or "*"
        found = [i for i, at in self.created.items() if low <= at and (high == "*" or at <= high)]
        found.sort(key=lambda i: (self.created[i], self._chance.random() if self.lost else i))
        page = [i for i in found[(claim.page - 1) * PAGE : claim.page * PAGE] if i not in self.lost]
        records = tuple(make_record(i, created=self.created[i]) for i in page)
        return RecordsPage(records, len(found), claim.page * PAGE < len(found), 0)


def run(sweep: Sweep, hits: Hits, found: set[int], *, pages: int = 10_000, out: int = 1) -> Sweep:
    """Read up to `pages` pages, `out` at a time; what is out at the end is lost in a crash."""
    while not sweep.done and pages > 0:
        claims = [claim for claim in (sweep.next() for _ in range(out)) if claim]
        assert claims
        for claim in random.Random(pages).sample(claims, len(claims)):
            page = hits.answer(claim)
            sweep.read(claim, page)
            found.update(record["id"] for record in page.records)
            pages -= 1
            if pages == 0:
                break
    return sweep


def spread(count: int, apart_s: int = 7) -> dict[int, int]:
    return {sound_id: START_S + sound_id * apart_s for sound_id in range(1, count + 1)}


@pytest.mark.parametrize("count", [0, 1, 150, 151, 1_500, 1_501, 7_000])
def test_every_hit_is_found_for_one_request_per_150(count: int) -> None:
    hits, found = Hits(spread(count)), set[int]()
    sweep = run(Sweep(), hits, found, out=4)
    assert found == set(hits.created)
    assert (sweep.found, sweep.missing) == (count, 0)
    windows = count / (DEEPEST * PAGE)
    assert sweep.requests <= max(1, (count + 2 * windows) / PAGE + 1)
    assert max(claim.page for claim in hits.asked) <= DEEPEST


def test_a_search_of_one_window_needs_no_filter_of_its_own() -> None:
    hits = Hits(spread(700))
    run(Sweep(), hits, set())
    assert {claim.window for claim in hits.asked} == {""}


def test_a_second_with_too_many_hits_is_read_twice_and_united() -> None:
    created = {**spread(900), **dict.fromkeys(range(10_000, 13_000), START_S + 3_000), **{20_000: START_S + 3_001}}
    hits, found = Hits(created), set[int]()
    sweep = run(Sweep(), hits, found, out=3)
    assert found == set(created)
    assert sweep.missing == 0
    second = [claim.page for claim in hits.asked if len(set(re.findall(r"\dT\S+Z", claim.window))) == 1
              and "*" not in claim.window]  # fmt: skip
    pages = -(-sum(at == START_S + 3_000 for at in created.values()) // PAGE)
    assert sorted(second) == sorted([*range(1, pages + 1)] * 2)


def test_pages_that_lose_hits_to_shuffled_ties_are_read_once_more_and_the_rest_is_reported() -> None:
    created = dict.fromkeys(range(1, 700), START_S)
    hits, found = Hits(created, lost={5, 6}), set[int]()
    sweep = run(Sweep(), hits, found)
    assert len(hits.asked) == 5 + 5
    assert sweep.missing == 699 - len(found) > 0
    assert sweep.done


@pytest.mark.parametrize("seed", range(4))
def test_a_crash_anywhere_resumes_at_the_page(seed: int) -> None:
    chance = random.Random(seed)
    created = {i: START_S + chance.choice((chance.randrange(10**6), chance.randrange(40))) for i in range(1, 2_600)}
    hits, found = Hits(created), set[int]()
    sweep, crashes = Sweep(), 0
    while not sweep.done:
        sweep = run(Sweep(sweep.place()), hits, found, pages=chance.randrange(1, 6), out=3)
        crashes += 1
    undisturbed = Hits(created)
    run(Sweep(), undisturbed, set())
    assert found == set(created)
    assert sweep.found == len(created)
    assert len(hits.asked) == len(undisturbed.asked)
    assert crashes > 3


@pytest.mark.parametrize("place", ["", "{", "[]", "7", json.dumps({"window": {"left": "x"}})])
def test_a_place_that_cannot_be_read_is_begun_anew(place: str) -> None:
    assert Sweep(place).next() == SweepClaim("", 1)


@dataclass
class Searched(World):
    """A world whose search is answered by `Hits`; the walk's neighbours are the world's."""

    hits: Hits = field(default_factory=lambda: Hits({}))
    pages_before_a_list: set[int] = field(default_factory=set)

    async def fetch_similar(self, sound_id, limit, *, filter=""):  # type: ignore[no-untyped-def]
        self.pages_before_a_list.add(len(self.hits.asked))
        return await super().fetch_similar(sound_id, limit, filter=filter)

    async def search(self, *, query, filter, sort, page, page_size, vectors=False):  # type: ignore[no-untyped-def]
        assert (query, sort, page_size) == ("rain", "created_asc", PAGE)
        await self._answer("search", (filter, page))
        return self.hits.answer(SweepClaim(filter, page))


RAIN = Search(query="rain")


def test_a_sweep_links_its_hits_and_nothing_else() -> None:
    world, store = Searched(CLOCK, size=400, reach=3), MemoryStore()
    world.hits = Hits(spread(200))
    reason, ring = harvest(Plan(target=None, sweep=True, search=RAIN), world, store)
    assert reason == "exhausted"
    assert store.state.processed == set(range(1, 201))
    assert len(store.state) == 203
    assert sum(world.asked.values()) == 2 + 200
    assert ring.progress.samples == 200
    assert world.pages_before_a_list == {2}


def test_a_later_run_goes_on_with_linking_and_reads_no_page_again() -> None:
    world, store = Searched(CLOCK, size=400, reach=3), MemoryStore()
    world.hits = Hits(spread(200))
    harvest(Plan(target=0, sweep=True, search=RAIN), world, store)
    assert store.state.processed == set()
    assert len(store.state) == 200
    for _ in range(2):
        harvest(Plan(target=60, sweep=True, search=RAIN), world, store)
    assert len(store.state.processed) == 120
    assert len(world.hits.asked) == 2


def test_when_every_hit_is_linked_the_next_sweep_finds_what_is_new() -> None:
    world, store = Searched(CLOCK, size=400, reach=3), MemoryStore()
    world.hits = Hits(spread(20))
    harvest(Plan(target=None, sweep=True, search=RAIN), world, store)
    world.hits = Hits(spread(25))
    harvest(Plan(target=None, sweep=True, search=RAIN), world, store)
    assert store.state.processed == set(range(1, 26))
    assert sum(n for (kind, _), n in world.asked.items() if kind == "similar") == 25


def test_a_library_that_was_rolled_back_is_swept_anew() -> None:
    world, store = Searched(CLOCK, size=400, reach=3), MemoryStore()
    world.hits = Hits(spread(20))
    harvest(Plan(target=0, sweep=True, search=RAIN), world, store)
    older = MemoryStore()
    older.notes = store.notes
    harvest(Plan(target=0, sweep=True, search=RAIN), world, older)
    assert set(older.state.graph) == set(range(1, 21))


def test_a_sweep_without_hits_says_so_and_ends() -> None:
    world, store = Searched(CLOCK, size=400, reach=3), MemoryStore()
    world.hits = Hits({})
    assert harvest(Plan(target=None, sweep=True, search=RAIN), world, store)[0] == "the search found nothing"


def test_a_sound_known_not_to_match_is_no_hit_of_a_sweep_by_the_same_filter() -> None:
    store = MemoryStore()
    store.state.apply(Seen(300, make_record(300), 1))
    store.notes[sweep_topic("", "tag:rain")] = {300: "0"}
    walk = walk_for(Search(filter="tag:rain"), store, 2, sweeping=True)
    assert not walk.wants(300)
    store.notes[walk.topic][300] = "1"
    assert walk.wants(300)
