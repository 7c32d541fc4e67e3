"""The client keeps a key's limits, against the server's real windows in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from harvester.clock import DAY_US, SECOND_US, Stop
from harvester.freesound.quota import LEVELS, Limits, MemoryLedger
from tests.support.client import fetch_many, make_client, sandbox_at
from tests.support.fake_transport import (
    SandboxTransport,
)
from tests.support.virtual_time import VirtualClock, run_virtual

HOUR_US = 3600 * SECOND_US


@pytest.mark.parametrize("latency_s", [0.02, 0.4, 3.0])
def test_200_requests_of_8_fetchers_meet_no_refusal_under_the_real_windows(latency_s: float) -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = SandboxTransport(sandbox_at(clock), clock, latency_s)
        client = make_client(transport, clock)
        assert await fetch_many(client, 200) == 200
        assert transport.statuses() == [200] * 200
        assert clock.monotonic_s() < 240 + 10 * latency_s

    run_virtual(main())


def test_requests_leave_at_an_even_pace_and_never_in_a_burst() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = SandboxTransport(sandbox_at(clock), clock)
        await fetch_many(make_client(transport, clock), 40)
        times = [one.at_us for one in transport.sent]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert min(gaps) >= 60 / 59 * SECOND_US
        assert max(gaps) < 1.05 * SECOND_US

    run_virtual(main())


def test_a_key_of_level_99_is_not_paced() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = SandboxTransport(sandbox_at(clock, burst=None, daily=None), clock)
        assert await fetch_many(make_client(transport, clock, limits=LEVELS[99]), 200) == 200
        assert clock.monotonic_s() < 6

    run_virtual(main())


def test_after_a_crash_at_request_1990_the_next_run_sends_at_most_10_and_says_until_when() -> None:
    async def main() -> None:
        clock, ledger, stop = VirtualClock(), MemoryLedger(), Stop()
        now = clock.time_us()
        rows = ledger.lease(now, 1990, now + 60 * SECOND_US, ())
        for row in rows[:1985]:
            ledger.answered(row, now)
        await asyncio.sleep(120)
        transport = SandboxTransport(sandbox_at(clock), clock)
        assert await fetch_many(make_client(transport, clock, ledger=ledger, stop=stop), 50) == 10
        assert stop.reason.startswith("quota used up, next request possible at 2026-09-22 ")

    run_virtual(main())


def test_with_forever_the_used_up_quota_is_waited_for_and_the_gate_tells_until_when() -> None:
    async def main() -> None:
        clock, ledger = VirtualClock(), MemoryLedger()
        now = clock.time_us()
        for row in ledger.lease(now, 2000, now, ()):
            ledger.answered(row, now)
        transport = SandboxTransport(sandbox_at(clock), clock)
        client = make_client(transport, clock, ledger=ledger, forever=True)
        run = asyncio.ensure_future(fetch_many(client, 20))
        await asyncio.sleep(3600)
        wait = client.waiting_for
        assert wait is not None
        assert wait.reason == "quota used up"
        assert DAY_US <= wait.until_us - now <= DAY_US + 2 * SECOND_US
        assert transport.sent == []
        assert await run == 20
        assert clock.time_us() - now < DAY_US + 40 * SECOND_US

    run_virtual(main())


def test_two_clients_with_one_ledger_do_not_overrun_the_minute_together() -> None:
    async def main() -> None:
        clock, ledger = VirtualClock(), MemoryLedger()
        transport = SandboxTransport(sandbox_at(clock), clock)
        clients = [make_client(transport, clock, ledger=ledger) for _ in range(2)]
        await asyncio.gather(*(fetch_many(client, 100, 4) for client in clients))
        assert transport.statuses() == [200] * 200

    run_virtual(main())


@pytest.mark.parametrize("jump_us", [-2 * HOUR_US, 30 * HOUR_US])
def test_a_jump_of_the_wall_clock_neither_unlocks_the_quota_nor_locks_it(jump_us: int) -> None:
    async def main() -> None:
        clock = VirtualClock()
        server_clock = VirtualClock()
        transport = SandboxTransport(sandbox_at(server_clock, daily=30), server_clock)
        client = make_client(transport, clock, limits=Limits(60, 30), forever=True)
        await fetch_many(client, 30)
        clock.jump_us(jump_us)
        began_s = clock.monotonic_s()
        assert await fetch_many(client, 30) == 30
        assert transport.statuses() == [200] * 60
        assert clock.monotonic_s() - began_s < 86_400 + 60

    run_virtual(main())


def test_stamps_of_a_clock_that_was_set_back_hold_the_quota_for_one_window_at_most() -> None:
    ledger = MemoryLedger()
    now = 10 * DAY_US
    ahead = ledger.lease(now + 5 * DAY_US, 10, now + 5 * DAY_US, ())
    windows = ((10, DAY_US),)
    assert ledger.lease(now, 1, now + SECOND_US, windows) == []
    assert ledger.lease(now + DAY_US - 1, 1, now + DAY_US, windows) == []
    assert len(ahead) == len(ledger.lease(now + DAY_US, 10, now + DAY_US + SECOND_US, windows))
