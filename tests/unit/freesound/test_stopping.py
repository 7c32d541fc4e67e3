"""What a stop or a cancellation ends, and what it leaves in order."""

from __future__ import annotations

import asyncio

import pytest

from harvester.clock import Stop, closing_in_time
from harvester.errors import Stopped
from harvester.freesound.pacing import Pacing
from harvester.freesound.quota import Limits, MemoryLedger
from harvester.freesound.wire import RawResponse
from tests.support.client import fetch_many, make_client
from tests.support.fake_transport import (
    EMPTY_LIST,
    OVERLOADED,
    Scripted,
)
from tests.support.virtual_time import VirtualClock, run_virtual


def test_a_closed_run_sends_nothing_more_without_limits_either() -> None:
    async def main() -> None:
        stop = Stop()
        turns = Pacing(stop, None)
        await turns.turn(None)
        stop.close("a signal")
        with pytest.raises(Stopped, match="a signal"):
            await turns.turn(None)

    run_virtual(main())


def test_a_stop_ends_the_wait_for_a_server_that_does_not_answer() -> None:
    async def main() -> None:
        clock, stop = VirtualClock(), Stop()
        ledger = MemoryLedger()
        transport = Scripted(lambda *_: EMPTY_LIST, clock, latency_s=3_600)
        client = make_client(transport, clock, stop=stop, ledger=ledger)
        async with closing_in_time(stop, clock, 7):
            with pytest.raises(Stopped, match="time limit reached"):
                await client.identify()
        assert clock.monotonic_s() == pytest.approx(7)
        assert ledger.spent(0) == []

    run_virtual(main())


def test_a_stop_interrupts_waits_but_no_request_on_the_wire() -> None:
    async def main() -> None:
        clock, stop = VirtualClock(), Stop()
        transport = Scripted(lambda *_: EMPTY_LIST, clock, latency_s=5.0)
        client = make_client(transport, clock, stop=stop)
        runs = [asyncio.ensure_future(client.fetch_similar(number, 25)) for number in range(1, 9)]
        await asyncio.sleep(3.5)
        stop.close("a signal")
        results = await asyncio.gather(*runs, return_exceptions=True)
        kinds = [type(result).__name__ for result in results]
        assert kinds.count("SimilarPage") == len(transport.sent) == 4
        assert kinds.count("Stopped") == 4
        assert clock.monotonic_s() < 9

    run_virtual(main())


def test_a_cancellation_at_any_await_leaves_ledger_gate_and_pace_usable() -> None:
    def answer(number: int, _: str) -> RawResponse | Exception:
        return OVERLOADED if number % 3 == 0 else EMPTY_LIST

    async def main(cancel_at_s: float) -> None:
        clock, ledger = VirtualClock(), MemoryLedger()
        transport = Scripted(answer, clock, latency_s=0.3)
        client = make_client(transport, clock, ledger=ledger, limits=Limits(4, 100), forever=True)
        doomed = [asyncio.ensure_future(client.fetch_similar(number, 25)) for number in range(1, 7)]
        await asyncio.sleep(cancel_at_s)
        for task in doomed:
            task.cancel()
        await asyncio.gather(*doomed, return_exceptions=True)
        assert len(ledger.spent(0)) == len(transport.sent)
        assert client.activity.on_the_wire == 0
        assert await fetch_many(client, 5, 3) == 5
        assert len(ledger.spent(0)) == len(transport.sent)

    for tenths in range(0, 800, 13):
        run_virtual(main(tenths / 10))
