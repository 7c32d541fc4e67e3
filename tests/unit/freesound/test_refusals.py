"""What the client does after a 429: whose quota, which limit, how long it waits."""

from __future__ import annotations

import asyncio

import pytest

from harvester.clock import DAY_US, SECOND_US, Stop
from harvester.errors import AccessDenied, ApiUnreachable
from harvester.freesound.quota import LEVELS, Limits
from tests.support.client import fetch_many, make_client, sandbox_at
from tests.support.fake_transport import (
    BURST_429,
    DAY_429,
    EMPTY_LIST,
    SandboxTransport,
    Scripted,
    reply,
)
from tests.support.virtual_time import VirtualClock, run_virtual


def test_a_day_refusal_against_the_ledger_is_noted_and_names_the_other_program() -> None:
    async def main() -> None:
        clock, stop = VirtualClock(), Stop()
        transport = Scripted(lambda number, _: EMPTY_LIST if number <= 5 else DAY_429, clock)
        client = make_client(transport, clock, stop=stop)
        assert await fetch_many(client, 50) == 5
        assert "another program uses this key too" in stop.reason
        assert len(transport.sent) == 6

    run_virtual(main())


def test_a_foreign_program_spending_half_the_quota_costs_few_refusals_and_none_of_our_slots() -> None:
    daily, days = 200, 3

    async def main() -> tuple[list[int], list[int]]:
        clock = VirtualClock()
        sandbox = sandbox_at(clock, burst=60, daily=daily)
        foreign = SandboxTransport(sandbox, clock, 0.05)
        ours = SandboxTransport(sandbox, clock, 0.1)

        async def spend_half() -> None:
            while True:
                await asyncio.sleep(86_400 / (daily / 2))
                await foreign.get("sounds/1/", {})

        other = asyncio.ensure_future(spend_half())
        await asyncio.sleep(2 * 86_400)
        client = make_client(ours, clock, limits=Limits(60, daily), forever=True)
        began_us = clock.time_us()
        run = asyncio.ensure_future(fetch_many(client, 100_000, 3))
        await asyncio.sleep(days * 86_400)
        run.cancel()
        other.cancel()
        refused, late = [0] * days, []
        granted = [one.at_us for one in ours.sent if one.status == 200]
        for one in ours.sent:
            refused[(one.at_us - began_us) // DAY_US] += one.status == 429
        for at_us in granted:
            if at_us + DAY_US < clock.time_us() - 60 * SECOND_US:
                late.append(
                    min((later - at_us - DAY_US for later in granted if later >= at_us + DAY_US), default=DAY_US)
                )
        return refused, late

    refused, late = run_virtual(main())
    assert max(refused) < 10
    assert max(late) < 60 * SECOND_US


def test_a_foreign_program_that_takes_everything_costs_fewer_than_10_refusals_a_day() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda number, _: EMPTY_LIST if number % 7 == 1 else DAY_429, clock)
        client = make_client(transport, clock, forever=True)
        run = asyncio.ensure_future(fetch_many(client, 100_000, 2))
        await asyncio.sleep(3 * 86_400)
        run.cancel()
        assert transport.statuses().count(429) < 3 * 10

    run_virtual(main())


def test_a_burst_refusal_pauses_all_fetchers_once_and_corrects_the_level() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = SandboxTransport(sandbox_at(clock), clock)
        client = make_client(transport, clock, limits=LEVELS[3])
        assert await fetch_many(client, 200) == 200
        assert transport.statuses().count(429) <= 8
        assert client.limits == LEVELS[1]

    run_virtual(main())


def test_a_server_that_only_refuses_is_given_up_after_ten_minutes() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda *_: BURST_429, clock)
        with pytest.raises(ApiUnreachable, match="refused every request"):
            await fetch_many(make_client(transport, clock), 100)
        assert len(transport.sent) < 15

    run_virtual(main())


def test_retry_after_is_waited_for() -> None:
    async def main() -> None:
        clock = VirtualClock()
        later = reply(429, BURST_429.body.decode(), **{"retry-after": "600"})
        transport = Scripted(lambda number, _: later if number == 1 else EMPTY_LIST, clock)
        await make_client(transport, clock).fetch_similar(1, 25)
        assert 600 <= clock.monotonic_s() < 610

    run_virtual(main())


def test_a_suspended_key_stops_the_run_at_once() -> None:
    async def main() -> None:
        clock = VirtualClock()
        text = "Request was throttled because the ApiV2 credential has been suspended"
        transport = Scripted(lambda *_: reply(429, f'{{"detail":"{text}"}}'), clock)
        with pytest.raises(AccessDenied, match="suspended"):
            await make_client(transport, clock).fetch_similar(1, 25)
        assert len(transport.sent) == 1

    run_virtual(main())


@pytest.mark.parametrize("rate", ["999999999999999999999/day", "1/minute", "-5/minute", f"{'9' * 400}/minute"])
def test_an_absurd_limit_in_a_429_ends_no_run_for_ever(rate: str) -> None:
    async def main() -> None:
        clock = VirtualClock()
        refused = reply(429, f'{{"detail":"exceeding a request limit rate ({rate})"}}')
        transport = Scripted(lambda number, _: refused if number == 5 else EMPTY_LIST, clock)
        client = make_client(transport, clock, forever=True)
        assert await fetch_many(client, 30) == 30
        assert client.limits == LEVELS[1]

    run_virtual(main())
