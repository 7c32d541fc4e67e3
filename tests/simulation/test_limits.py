"""Whole harvests in virtual time: the real client and ring against the sandbox's own throttle, no socket, no disk."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from harvester.clock import DAY_US, SECOND_US, Clock, Stop
from harvester.errors import ApiUnreachable
from harvester.freesound.client import FreesoundClient
from harvester.freesound.quota import LEVELS, Limits, MemoryLedger
from harvester.pipeline.harvest import Harvest
from harvester.pipeline.plan import Plan
from harvester.pipeline.progress import Progress
from harvester.sandbox.faults import Fault
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.service import Sandbox
from tests.support.fake_transport import SandboxTransport, Sent
from tests.support.virtual_time import VirtualClock, run_virtual
from tests.support.world import MemoryStore

CATALOGUE = GeneratedCatalogue(2_000, 7)
HOUR_S = 3_600


def make_ring(
    plan: Plan, transport: SandboxTransport, clock: Clock, stop: Stop, limits: Limits = LEVELS[1]
) -> tuple[Harvest, MemoryStore]:
    store = MemoryStore()
    client = FreesoundClient(
        transport, clock=clock, stop=stop, ledger=MemoryLedger(), limits=limits, rng=Random(1), forever=plan.forever
    )
    return Harvest(plan, store, client, clock=clock, stop=stop, progress=Progress(clock, plan.target)), store


@pytest.mark.parametrize("latency_s", [0.02, 0.4, 2.0])
def test_two_hundred_samples_at_the_default_limits_see_not_one_429(latency_s: float) -> None:
    async def main() -> tuple[list[int], float, int]:
        clock, stop = VirtualClock(), Stop()
        transport = SandboxTransport(Sandbox(CATALOGUE, clock=clock), clock, latency_s=latency_s)
        ring, store = make_ring(Plan(target=200, concurrency=8), transport, clock, stop)
        assert await ring.run() == "target reached"
        return transport.statuses(), clock.monotonic_s(), len(store.state.processed)

    statuses, took_s, samples = run_virtual(main())
    assert samples == 200
    assert statuses == [200] * 201
    # 59 a minute; a slot frees only when its answer came, so each window lasts a round trip longer.
    windows = 201 / 59
    assert took_s < windows * (60 + 2 * latency_s) + 4 * latency_s + 5


@pytest.mark.parametrize("limits", [LEVELS[1], LEVELS[99]], ids=["level 1", "level 99"])
@pytest.mark.parametrize("kind", ["500", "500-html", "400-solr-down", "no-answer", "reset", "503"])
def test_eight_fetchers_send_at_most_30_requests_while_everything_fails_for_ten_minutes(
    limits: Limits, kind: str
) -> None:
    async def main() -> None:
        clock, stop = VirtualClock(), Stop()
        fault = Fault(kind, after_s=10, until_s=10 + 600)
        sandbox = Sandbox(CATALOGUE, clock=clock, burst=limits.burst, daily=limits.daily, faults=[fault])
        transport = SandboxTransport(sandbox, clock, latency_s=0.5)
        plan = Plan(target=None, concurrency=8, forever=True, neighbours=3)
        ring, store = make_ring(plan, transport, clock, stop, limits)
        run = asyncio.ensure_future(ring.run())
        await asyncio.sleep(10 + 600)
        began_us = transport.sent[0].at_us
        failed = [one for one in transport.sent if one.at_us - began_us >= 10 * SECOND_US]
        assert {one.status for one in failed} & {200} == set()
        print(f"{len(failed)} requests of 8 fetchers in ten minutes of {kind}")
        assert 5 <= len(failed) <= 30
        lists = len(store.state.processed)
        # The outage is over, and no probe is farther than half an hour.
        while len(store.state.processed) == lists:
            assert clock.monotonic_s() < 610 + 30 * 60
            await asyncio.sleep(10)
        stop.close("enough")
        await run

    run_virtual(main())


def test_without_forever_ten_minutes_of_failures_end_the_run_with_everything_kept() -> None:
    async def main() -> None:
        clock, stop = VirtualClock(), Stop()
        sandbox = Sandbox(CATALOGUE, clock=clock, faults=[Fault("500", after_s=10)])
        transport = SandboxTransport(sandbox, clock)
        ring, store = make_ring(Plan(target=500, concurrency=8, neighbours=3), transport, clock, stop)
        with pytest.raises(ApiUnreachable) as ended:
            await ring.run()
        assert ended.value.exit_code == 11
        assert 600 <= clock.monotonic_s() < 700
        assert len(store.state.processed) == transport.statuses().count(200) - 1
        assert transport.statuses().count(500) <= 30

    run_virtual(main())


def lateness_s(ours: Sequence[Sent], daily_share: int) -> list[float]:
    """Return for each granted request how long after the day it came the slot it held was used again.

    One for one: the request that takes the slot is the one `daily_share` later.
    """
    granted = [one.at_us for one in ours if one.status == 200]
    pairs = zip(granted, granted[daily_share:], strict=False)
    return [(later - at - DAY_US) / SECOND_US for at, later in pairs]


def live_beside_another(daily: int, days: int, bursts: bool) -> tuple[Counter[int], list[float], int]:
    """Harvest for `days` with a key of which another program spends half: evenly, or half a day's share at once.

    Returns our refusals by day, how late our slots were used, and our granted requests.
    """
    share = daily // 2

    async def main() -> tuple[Counter[int], list[float], int]:
        clock, stop = VirtualClock(), Stop()
        sandbox = Sandbox(GeneratedCatalogue(5 * daily, 7), clock=clock, burst=60, daily=daily)
        theirs, ours = SandboxTransport(sandbox, clock, 0.05), SandboxTransport(sandbox, clock, 0.1)

        async def spend_half() -> None:
            while True:
                if bursts:
                    for _ in range(share // 2):
                        await theirs.get("sounds/1/", {})
                        await asyncio.sleep(2)
                    # A minute more than half a day from the first: their windows never touch.
                    await asyncio.sleep(12 * HOUR_S + 60 - share // 2 * 2)
                else:
                    await theirs.get("sounds/1/", {})
                    await asyncio.sleep(24 * HOUR_S / share)

        other = asyncio.ensure_future(spend_half())
        await asyncio.sleep(1.3 * 24 * HOUR_S)
        began_us = clock.time_us()
        plan = Plan(target=None, concurrency=4, forever=True, neighbours=3)
        ring, _ = make_ring(plan, ours, clock, stop, Limits(60, daily))
        run = asyncio.ensure_future(ring.run())
        await asyncio.sleep(days * 24 * HOUR_S)
        stop.close("enough")
        await run
        other.cancel()
        refused = Counter((one.at_us - began_us) // DAY_US for one in ours.sent if one.status == 429)
        return refused, lateness_s(ours.sent, share), ours.statuses().count(200)

    return run_virtual(main())


@pytest.mark.parametrize("bursts", [False, True], ids=["evenly", "in bursts"])
@pytest.mark.parametrize("daily", [120, pytest.param(2_000, marks=pytest.mark.chaos)])
def test_beside_another_program_few_are_refused_and_each_slot_of_ours_is_used_within_a_minute(
    daily: int, bursts: bool
) -> None:
    days = 3
    refused, late_s, granted = live_beside_another(daily, days, bursts)
    print(f"{daily} a day, half of it spent by another: {dict(refused)} refused by day, {granted} granted to us, "
          f"a slot used after {max(late_s):.1f} s at most")  # fmt: skip
    assert all(refused[day] < 10 for day in range(days))
    assert max(late_s) < 60
    assert granted >= 0.98 * days * daily / 2
