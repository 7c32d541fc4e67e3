"""Failures in doubt: held back until it is known whom they blame, then deferred or released, each once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from harvester.clock import Stop
from harvester.errors import AnswerChanged, Doubt, FetchFailed
from harvester.model import SimilarPage
from harvester.pipeline.harvest import Harvest
from harvester.pipeline.plan import Plan
from harvester.pipeline.progress import Progress
from tests.support.virtual_time import VirtualClock, run_virtual
from tests.support.world import MemoryStore, World

CLOCK = VirtualClock()


@dataclass
class Doubting(World):
    """A world whose lists fail by a script: `?` in doubt, `+` usable (closes the doubt), `!` all have changed."""

    script: str = ""
    doubt: Doubt = field(default_factory=Doubt)

    async def fetch_similar(self, sound_id: int, limit: int, *, filter: str = "") -> SimilarPage:
        lists = sum(n for (kind, _), n in self.asked.items() if kind == "similar")
        step = self.script[lists] if lists < len(self.script) else "+"
        page = await super().fetch_similar(sound_id, limit, filter=filter)
        if step == "?":
            failure = FetchFailed("no list of results")
            failure.doubt = self.doubt
            raise failure
        if step == "!":
            self.doubt.close(concerns_all=True)
            raise AnswerChanged("the API has changed")
        self.doubt.close(concerns_all=False)
        self.doubt = Doubt()
        return page


def harvest(world: Doubting, store: MemoryStore, **plan: Any) -> Harvest:
    options: dict[str, Any] = {"target": None, "seed_ids": (1,)} | plan

    async def main() -> Harvest:
        ring = Harvest(
            Plan(**options),
            store,
            world,
            clock=CLOCK,
            stop=Stop(),
            progress=Progress(CLOCK, None),
        )
        await asyncio.wait_for(ring.run(), 100_000)
        return ring

    return run_virtual(main())


@pytest.mark.parametrize("concurrency", [1, 2, 4, 8])
def test_answers_that_have_changed_defer_no_sound_and_keep_every_sound_waiting(concurrency: int) -> None:
    world, store = Doubting(CLOCK, size=20, reach=8, script="+??!??????????"), MemoryStore()
    with pytest.raises(AnswerChanged):
        harvest(world, store, concurrency=concurrency)
    assert store.kept_deferrals == {}
    assert store.deferrals == {}
    assert len(store.state.processed) == 1
    assert len(set(store.state.pending())) >= 8


@pytest.mark.parametrize("concurrency", [1, 2, 4, 8])
def test_a_usable_list_defers_the_sounds_that_failed_before_it(concurrency: int) -> None:
    world, store = Doubting(CLOCK, size=12, reach=8, script="+??+"), MemoryStore()
    ring = harvest(world, store, concurrency=concurrency)
    assert len(store.kept_deferrals) == 2
    assert store.state.processed == set(range(1, 13)) - store.kept_deferrals.keys()
    assert ring.frontier.in_flight == 0


@pytest.mark.parametrize("concurrency", [1, 3])
def test_when_nothing_is_left_that_could_tell_the_sounds_are_deferred_and_the_run_ends(concurrency: int) -> None:
    world, store = Doubting(CLOCK, size=3, reach=2, script="+??"), MemoryStore()
    ring = harvest(world, store, concurrency=concurrency)
    assert set(store.kept_deferrals) == {2, 3}
    assert ring.frontier.deferred == 2


def test_a_run_for_ever_tries_them_again_when_their_time_comes() -> None:
    world, store = Doubting(CLOCK, size=3, reach=2, script="+??"), MemoryStore()
    harvest(world, store, target=3, forever=True)
    assert store.state.processed == {1, 2, 3}
    assert store.kept_deferrals == {}


def test_a_failure_that_was_decided_for_all_meanwhile_puts_its_sound_back_and_it_is_asked_again() -> None:
    world, store = Doubting(CLOCK, size=6, reach=5, script="+??"), MemoryStore()

    async def main() -> None:
        ring = Harvest(
            Plan(target=None, seed_ids=(1,), concurrency=1), store, world,
            clock=CLOCK, stop=Stop(), progress=Progress(CLOCK, None),
        )  # fmt: skip
        running = asyncio.ensure_future(ring.run())
        while sum(n for (kind, _), n in world.asked.items() if kind == "similar") < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        world.doubt.close(concerns_all=True)  # as the client of a run for ever does before it waits
        await running

    run_virtual(main())
    assert store.kept_deferrals == {}
    assert store.state.processed == set(range(1, 7))
