"""How often and how long after a failed request is retried."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from random import Random

import pytest

from harvester.clock import SECOND_US, Stop
from harvester.errors import FetchFailed
from harvester.freesound.client import FreesoundClient
from harvester.freesound.quota import LEVELS, MemoryLedger
from harvester.freesound.wire import RawResponse, TransportFailure
from harvester.told import Told
from tests.support.client import fetch_many, make_client
from tests.support.fake_transport import (
    EMPTY_LIST,
    HTML_500,
    OVERLOADED,
    Scripted,
    reply,
)
from tests.support.virtual_time import VirtualClock, run_virtual


def test_a_503_that_names_its_delay_is_retried_after_it() -> None:
    async def main() -> None:
        clock = VirtualClock()
        busy = reply(503, "<html>", "text/html", **{"retry-after": "90"})
        transport = Scripted(lambda number, _: busy if number == 1 else EMPTY_LIST, clock)
        await make_client(transport, clock).fetch_similar(1, 25)
        assert 90 <= clock.monotonic_s() < 92

    run_virtual(main())


@pytest.mark.parametrize(("answer", "sends"), [(OVERLOADED, 4), (HTML_500, 2)])
def test_a_sound_that_always_fails_is_deferred_after_bounded_attempts(answer: RawResponse, sends: int) -> None:
    async def main() -> None:
        clock = VirtualClock()
        bad = "sounds/13/similar/"
        transport = Scripted(lambda _, path: answer if path == bad else EMPTY_LIST, clock)
        client = make_client(transport, clock)

        async def others() -> None:
            while True:
                await client.fetch_similar(1, 25)

        busy = asyncio.ensure_future(others())
        with pytest.raises(FetchFailed, match="500"):
            await client.fetch_similar(13, 25)
        busy.cancel()
        assert sum(one.path == bad for one in transport.sent) == sends

    run_virtual(main())


def test_the_longest_waits_between_attempts_double_from_one_second() -> None:
    class Highest(Random):
        def uniform(self, a: float, b: float) -> float:
            return b

    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda *_: reply(500, '{"detail":"odd"}'), clock, latency_s=0.0)
        client = FreesoundClient(
            transport, clock=clock, stop=Stop(), ledger=MemoryLedger(), limits=LEVELS[99], rng=Highest()
        )
        with pytest.raises(FetchFailed, match="odd"):
            await client.fetch_similar(13, 25)
        times_s = [one.at_us / SECOND_US for one in transport.sent]
        assert [later - earlier for earlier, later in pairwise(times_s)] == pytest.approx([1, 2, 4], abs=0.01)
        assert client.activity.retried == 3

    run_virtual(main())


def test_a_503_that_names_its_delay_pauses_all_fetchers() -> None:
    async def main() -> None:
        clock = VirtualClock()
        dates = {"retry-after": "Mon, 21 Sep 2026 14:23:20 GMT", "date": "Mon, 21 Sep 2026 14:21:50 GMT"}
        busy = reply(503, "<html>", "text/html", **dates)
        transport = Scripted(lambda number, _: busy if number == 1 else EMPTY_LIST, clock)
        assert await fetch_many(make_client(transport, clock, limits=LEVELS[99]), 40, 4) == 40
        later_s = [one.at_us / SECOND_US - transport.sent[0].at_us / SECOND_US for one in transport.sent]
        assert sum(0 < one < 90 for one in later_s) <= 3  # those that were on the wire with it

    run_virtual(main())


def test_a_request_on_a_connection_that_the_server_had_closed_is_sent_again_and_nothing_is_told() -> None:
    idle = TransportFailure("the server had closed this idle connection", sent=True)
    idle.idle = True

    async def main() -> None:
        clock, told = VirtualClock(), list[Told]()
        # The pool may hold more such connections than a request has attempts.
        closed = (1, 2, 3, 4, 5, 6, 7, 9, 11, 13)
        transport = Scripted(lambda number, _: idle if number in closed else EMPTY_LIST, clock, latency_s=0)
        client = make_client(transport, clock, limits=LEVELS[99], on_event=told.append)
        began_s = clock.monotonic_s()
        assert await fetch_many(client, 4, fetchers=1) == 4
        assert clock.monotonic_s() == began_s, "there is nothing to wait for"
        assert [one for one in told if not one.level.verbosity] == []
        assert [one.kind for one in told] == ["connection"] * 10
        assert client.activity.counted == len(transport.sent) == 14, "the server may have counted each"
        assert not client.in_outage

    run_virtual(main())
