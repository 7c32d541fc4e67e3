"""The pace of one process in virtual time: even, changed under way, and given back by those who leave."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from harvester.clock import Stop
from harvester.errors import Stopped
from harvester.freesound.pacing import Pacing
from tests.support.virtual_time import VirtualClock, run_virtual

LEVEL_ONE_S = 60 / 59


async def take_turns(turns: Pacing, bursts: list[int | None]) -> list[float]:
    """Take a turn at each of these paces and return when each came."""
    clock, came_s = VirtualClock(), []
    for burst in bursts:
        await turns.turn(burst)
        came_s.append(clock.monotonic_s())
    return came_s


def gaps(times_s: list[float]) -> list[float]:
    return [later - earlier for earlier, later in pairwise(times_s)]


def test_turns_are_still_even_after_a_week() -> None:
    async def main() -> list[float]:
        await asyncio.sleep(7 * 86_400)
        return await take_turns(Pacing(Stop(), 60), [60] * 10_000)

    found = gaps(run_virtual(main()))
    assert min(found) >= LEVEL_ONE_S
    assert max(found) < LEVEL_ONE_S + 0.002


def test_a_changed_pace_spaces_the_next_turn_from_the_last_one() -> None:
    found = gaps(run_virtual(take_turns(Pacing(Stop(), 60), [60, 60, 13, 13, 60, 60, None, None, 7])))
    assert found == pytest.approx([60 / 59, 5, 5, 60 / 59, 60 / 59, 0, 0, 10], abs=0.002)


def test_who_waits_when_the_pace_changes_waits_at_the_new_one() -> None:
    async def main() -> list[float]:
        turns, clock = Pacing(Stop(), 60), VirtualClock()
        await turns.turn(60)
        waiting = asyncio.ensure_future(take_turns(turns, [60]))
        await clock.sleep(0.5)
        await turns.turn(13)
        return [clock.monotonic_s(), *(await waiting)]

    assert run_virtual(main()) == pytest.approx([5.5, 10.5], abs=0.01)


def test_turns_are_handed_out_first_come_first_served() -> None:
    async def main() -> list[int]:
        turns, served = Pacing(Stop(), 60), list[int]()

        async def wait(number: int) -> None:
            await turns.turn(60)
            served.append(number)

        await asyncio.gather(*(wait(number) for number in range(20)))
        return served

    assert run_virtual(main()) == list(range(20))


def test_a_cancelled_wait_leaves_its_turn_to_the_next() -> None:
    async def main() -> float:
        turns, clock = Pacing(Stop(), 60), VirtualClock()
        await turns.turn(60)
        first, second = (asyncio.ensure_future(take_turns(turns, [60])) for _ in range(2))
        await clock.sleep(0.5)
        first.cancel()
        [came_s] = await second
        return came_s

    assert run_virtual(main()) == pytest.approx(LEVEL_ONE_S, abs=0.002)


def test_a_stop_ends_the_wait_for_a_turn_at_once() -> None:
    async def main() -> float:
        stop, clock = Stop(), VirtualClock()
        turns = Pacing(stop, 2)
        await turns.turn(2)
        waiting = asyncio.ensure_future(turns.turn(2))
        await clock.sleep(3)
        stop.close("a signal")
        with pytest.raises(Stopped, match="a signal"):
            await waiting
        return clock.monotonic_s()

    assert run_virtual(main()) == pytest.approx(3, abs=0.001)
