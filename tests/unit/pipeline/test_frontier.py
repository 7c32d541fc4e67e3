"""Laws of the frontier: what claim, settle, release and defer may do to it, in any order."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.clock import Stop
from harvester.errors import Stopped
from harvester.pipeline.frontier import Frontier
from harvester.pipeline.messages import Claim, ConfirmClaim, DetailsClaim, SeedClaim, SimilarClaim
from harvester.pipeline.plan import Plan
from harvester.pipeline.scope import Scope
from harvester.settings import CONCURRENCY
from tests.support.virtual_time import VirtualClock, run_virtual
from tests.support.world import MemoryStore

CLOCK = VirtualClock()


class Anything(Scope):
    """A scope that wants every sound but those in `done`."""

    def __init__(self, plan: Plan, done: set[int], *, searches_seeds: bool) -> None:
        super().__init__(plan, MemoryStore(), CLOCK)
        self.done = done
        self.searches_seeds = self.seeds_first = searches_seeds

    def wants(self, sound_id: int) -> bool:
        return sound_id not in self.done


def make(
    target: int | None = None,
    *,
    stop: Stop | None = None,
    done: set[int] | None = None,
    searches_seeds: bool = False,
    quota_left: int | None = None,
    **plan: Any,
) -> Frontier:
    options: dict[str, Any] = {"concurrency": CONCURRENCY.most} | plan
    scope = Anything(Plan(target=target, **options), set() if done is None else done, searches_seeds=searches_seeds)
    return Frontier(
        scope, lambda sound_id: (1, float(sound_id)), clock=CLOCK, stop=stop or Stop(), quota_left=lambda: quota_left
    )


def harvest(frontier: Frontier, claim: Claim) -> None:
    """Settle a claim that made a sample, as `Changes` does."""
    assert isinstance(claim, SimilarClaim)
    frontier.count_harvested(1)
    frontier.end_deferral(claim.sound_id)
    frontier.settle(claim)


def worlds() -> st.SearchStrategy[dict[int, list[int]]]:
    """Directed graphs of up to 12 sounds."""
    ids = st.integers(1, 12)
    return st.dictionaries(ids, st.lists(ids, max_size=4), min_size=1, max_size=12)


def reachable(world: dict[int, list[int]], start: int) -> set[int]:
    seen, queue = {start}, [start]
    while queue:
        for other in world.get(queue.pop(), []):
            if other not in seen:
                seen.add(other)
                queue.append(other)
    return seen


@given(worlds(), st.integers(0, 2**32), st.integers(1, 5))
def test_any_interleaving_of_claim_settle_and_release_visits_each_reachable_sound_once(
    world: dict[int, list[int]], choices: int, fetchers: int
) -> None:
    start = min(world)

    async def main() -> list[int]:
        chance, stop, visited = random.Random(choices), Stop(), []
        frontier = make(stop=stop)
        known = {start}
        frontier.discover(start, has_record=True)

        async def fetch() -> None:
            while True:
                try:
                    claim = await frontier.claim()
                except Stopped:
                    return
                assert isinstance(claim, SimilarClaim)
                await asyncio.sleep(chance.random())
                if chance.random() < 0.3:
                    frontier.release(claim)
                    continue
                visited.append(claim.sound_id)
                for other in world.get(claim.sound_id, []):
                    if other not in known:
                        known.add(other)
                        frontier.discover(other, has_record=True)
                harvest(frontier, claim)

        await asyncio.gather(*(fetch() for _ in range(fetchers)))
        assert stop.reason == "exhausted"
        return visited

    visited = run_virtual(main())
    assert sorted(visited) == sorted(reachable(world, start))


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 2**32))
def test_claims_out_never_exceed_what_is_missing_to_the_target(target: int, sounds: int, choices: int) -> None:
    async def main() -> None:
        chance, frontier, out = random.Random(choices), make(target), list[Claim]()
        for sound_id in range(1, sounds + 1):
            frontier.discover(sound_id, has_record=True)
        harvested = 0
        while harvested < min(target, sounds):
            room = target - harvested - len(out)
            assert room >= 0
            if room and frontier.waiting and chance.random() < 0.6:
                out.append(await frontier.claim())
            elif out:
                claim = out.pop(chance.randrange(len(out)))
                if chance.random() < 0.8:
                    harvest(frontier, claim)
                    harvested += 1
                else:
                    frontier.release(claim)
        assert frontier.harvested == harvested

    run_virtual(main())


def test_a_claim_waits_until_the_last_sample_in_flight_is_settled() -> None:
    async def main() -> None:
        frontier = make(target=1)
        frontier.discover(1, has_record=True)
        frontier.discover(2, has_record=True)
        first = await frontier.claim()
        second = asyncio.create_task(frontier.claim())
        await asyncio.sleep(1)
        assert not second.done()
        harvest(frontier, first)
        with pytest.raises(Stopped, match="target"):
            await second

    run_virtual(main())


def test_what_a_crash_would_cost_is_bounded_by_the_claims_out_until_they_are_settled() -> None:
    async def main() -> None:
        frontier = make(concurrency=2)
        for sound_id in (1, 2, 3):
            frontier.discover(sound_id, has_record=True)
        first, _ = await frontier.claim(), await frontier.claim()
        third = asyncio.create_task(frontier.claim())
        await asyncio.sleep(1)
        assert not third.done()
        harvest(frontier, first)
        assert await third == SimilarClaim(3)

    run_virtual(main())


def test_smaller_numbers_come_first_and_seeds_before_them_in_their_own_order() -> None:
    async def main() -> list[Claim | None]:
        frontier = make()
        frontier.add_seeds([9, 4])
        for sound_id in (7, 9, 3, 4):
            frontier.discover(sound_id, has_record=True)
        return [await frontier.claim() for _ in range(4)]

    assert run_virtual(main()) == [SimilarClaim(sound_id) for sound_id in (9, 4, 3, 7)]


def test_records_are_read_in_batches_of_150_or_when_a_fetcher_would_idle() -> None:
    async def main() -> None:
        frontier = make()
        frontier.discover(1000, has_record=True)
        for sound_id in range(1, 150):
            frontier.discover(sound_id, has_record=False)
        assert await frontier.claim() == SimilarClaim(1000)
        frontier.discover(2000, has_record=True)
        frontier.discover(150, has_record=False)
        batch = await frontier.claim()
        assert isinstance(batch, DetailsClaim)
        assert len(batch.sound_ids) == 150
        assert await frontier.claim() == SimilarClaim(2000)
        frontier.discover(151, has_record=False)
        assert await frontier.claim() == DetailsClaim((151,))

    run_virtual(main())


def test_an_absent_sound_is_confirmed_once_and_only_when_nothing_else_is_left_to_claim() -> None:
    async def main() -> None:
        frontier = make()
        for sound_id in (1, 2, 3):
            frontier.discover(sound_id, has_record=False)
        batch = await frontier.claim()
        frontier.discover(1, has_record=True)
        for sound_id in (2, 3):
            frontier.defer(sound_id, CLOCK.time_us() + 10**12, has_record=False)
        frontier.await_confirmation([2, 3])
        frontier.settle(batch)
        claim = await frontier.claim()
        assert claim == SimilarClaim(1)
        second = asyncio.create_task(frontier.claim())
        await asyncio.sleep(1)
        assert not second.done()  # the list may bring sounds
        harvest(frontier, claim)
        assert [await second, await frontier.claim()] == [ConfirmClaim(2), ConfirmClaim(3)]
        for sound_id in (2, 3):
            frontier.end_deferral(sound_id)
            frontier.settle(ConfirmClaim(sound_id))
        with pytest.raises(Stopped, match="exhausted"):
            await frontier.claim()

    run_virtual(main())


@pytest.mark.parametrize(
    ("quota_left", "confirmed"), [(0, 0), (99, 0), (100, 1), (250, 2), (2_000, 20), (15_000, 40), (None, 40)]
)
def test_absent_sounds_are_confirmed_with_a_hundredth_of_the_quota_that_is_left(
    quota_left: int | None, confirmed: int
) -> None:
    async def main() -> int:
        stop = Stop()
        frontier = make(stop=stop, quota_left=quota_left)
        frontier.discover(1, has_record=False)
        batch = await frontier.claim()
        frontier.await_confirmation(range(2, 42))
        frontier.settle(batch)
        claims = 0
        with suppress(Stopped):
            while True:
                claim = await frontier.claim()
                assert isinstance(claim, ConfirmClaim)
                claims += 1
                frontier.settle(claim)
        assert stop.reason == "exhausted"
        return claims

    assert run_virtual(main()) == confirmed


def test_no_sound_overtakes_a_seed_whose_record_is_still_missing() -> None:
    async def main() -> None:
        frontier = make()
        frontier.add_seeds([5])
        frontier.discover(1, has_record=True)
        frontier.discover(5, has_record=False)
        batch = await frontier.claim()
        assert batch == DetailsClaim((5,))
        following = asyncio.create_task(frontier.claim())
        await asyncio.sleep(1)
        assert not following.done()
        frontier.discover(5, has_record=True)
        frontier.settle(batch)
        assert await following == SimilarClaim(5)

    run_virtual(main())


def test_a_released_seed_page_is_claimed_again() -> None:
    async def main() -> None:
        frontier = make(searches_seeds=True)
        page = await frontier.claim()
        frontier.release(page)
        assert await frontier.claim() == SeedClaim(1)

    run_virtual(main())


def test_a_cancelled_wait_claims_nothing() -> None:
    async def main() -> None:
        frontier = make()
        frontier.discover(1, has_record=True)
        held = await frontier.claim()
        waiting = asyncio.create_task(frontier.claim())
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        frontier.release(held)
        assert frontier.in_flight == 0
        assert await frontier.claim() == held

    run_virtual(main())


def test_a_deferred_sound_comes_back_when_it_is_due_even_while_everyone_waits() -> None:
    async def main() -> float:
        frontier = make(forever=True)
        frontier.defer(1, CLOCK.time_us() + 3_600_000_000, has_record=True)
        frontier.discover(1, has_record=True)
        assert frontier.waiting == 0
        assert await frontier.claim() == SimilarClaim(1)
        return CLOCK.monotonic_s()

    assert run_virtual(main()) == pytest.approx(3600, abs=1)


def test_a_sample_is_not_asked_for_again_because_its_record_could_not_be_read() -> None:
    async def main() -> None:
        frontier = make()
        frontier.discover(7, has_record=False)
        details = await frontier.claim()
        frontier.discover(7, has_record=True)
        similar = await frontier.claim()
        frontier.defer(7, CLOCK.time_us() + 3_600_000_000, has_record=True)
        frontier.settle(details)
        harvest(frontier, similar)
        assert frontier.deferred == 0
        with pytest.raises(Stopped, match="exhausted"):
            await frontier.claim()

    run_virtual(main())


def test_a_sound_deferred_twice_comes_back_once_at_the_later_word() -> None:
    async def main() -> None:
        frontier = make(forever=True)
        for hours in (1, 3):
            frontier.defer(1, CLOCK.time_us() + hours * 3_600_000_000, has_record=True)
        assert frontier.deferred == 1
        harvest(frontier, await frontier.claim())
        assert CLOCK.monotonic_s() == pytest.approx(3 * 3600, abs=1)
        with pytest.raises(Stopped, match="exhausted"):
            await frontier.claim()

    run_virtual(main())


def test_a_waiting_sound_that_is_not_wanted_any_more_is_passed_over() -> None:
    async def main() -> None:
        done: set[int] = set()
        frontier = make(done=done)
        for sound_id in (1, 2):
            frontier.discover(sound_id, has_record=True)
        done.add(1)
        assert await frontier.claim() == SimilarClaim(2)

    run_virtual(main())
