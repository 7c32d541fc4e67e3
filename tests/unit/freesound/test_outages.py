"""The circuit breaker in the client: when an outage begins, what is sent in it, how it ends."""

from __future__ import annotations

import asyncio

import pytest

from harvester.errors import ApiUnreachable, FetchFailed
from harvester.freesound.quota import LEVELS, Limits, MemoryLedger
from harvester.freesound.wire import RawResponse, TransportFailure
from tests.support.client import fetch_many, make_client
from tests.support.fake_transport import (
    EMPTY_LIST,
    HTML_500,
    OVERLOADED,
    Scripted,
    reply,
)
from tests.support.listening import lines_to
from tests.support.virtual_time import VirtualClock, run_virtual


def test_8_fetchers_send_at_most_30_requests_in_10_minutes_of_nothing_but_500() -> None:
    for limits, answer in [
        (LEVELS[1], OVERLOADED),
        (LEVELS[99], OVERLOADED),
        (LEVELS[1], HTML_500),
        (LEVELS[99], HTML_500),
    ]:

        async def main(limits: Limits = limits, answer: RawResponse = answer) -> None:
            clock = VirtualClock()
            transport = Scripted(lambda *_: answer, clock)
            client = make_client(transport, clock, limits=limits, forever=True)
            run = asyncio.ensure_future(fetch_many(client, 10_000))
            await asyncio.sleep(600)
            assert 5 <= len(transport.sent) <= 30
            assert client.waiting_for is not None
            run.cancel()

        run_virtual(main())


def test_without_forever_an_outage_of_ten_minutes_ends_the_run() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda number, _: EMPTY_LIST if number < 10 else OVERLOADED, clock)
        with pytest.raises(ApiUnreachable, match=r"10 minutes.*kept"):
            await fetch_many(make_client(transport, clock), 100)
        assert 600 < clock.monotonic_s() < 660
        assert len(transport.sent) < 30

    run_virtual(main())


def test_with_forever_an_outage_of_six_hours_is_outlived_and_no_quota_spent_on_a_refused_connection() -> None:
    async def main() -> None:
        clock, ledger = VirtualClock(), MemoryLedger()

        def answer(number: int, _: str) -> RawResponse | Exception:
            if 60 < clock.monotonic_s() < 60 + 6 * 3600:
                return TransportFailure("connection refused", sent=False)
            return EMPTY_LIST

        transport = Scripted(answer, clock)
        client = make_client(transport, clock, ledger=ledger, forever=True)
        assert await fetch_many(client, 200) == 200
        failed = transport.statuses().count(0)
        assert failed < 40
        assert clock.monotonic_s() < 60 + 6.5 * 3600 + 200
        assert len(ledger.spent(0)) == 200

    run_virtual(main())


def test_only_one_probe_is_on_the_wire_during_an_outage() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda *_: OVERLOADED, clock, latency_s=20.0)
        client = make_client(transport, clock, limits=LEVELS[99], forever=True)
        run = asyncio.ensure_future(fetch_many(client, 1000))
        await asyncio.sleep(30)
        for _ in range(500):
            await asyncio.sleep(1)
            assert client.activity.on_the_wire <= 1
        run.cancel()

    run_virtual(main())


def test_a_cancelled_probe_passes_its_turn_to_the_next() -> None:
    async def main() -> None:
        clock = VirtualClock()
        healthy = [False]
        transport = Scripted(lambda *_: EMPTY_LIST if healthy[0] else OVERLOADED, clock, latency_s=2.0)
        client = make_client(transport, clock, limits=LEVELS[99], forever=True)
        runs = [asyncio.ensure_future(client.fetch_similar(number, 25)) for number in range(1, 6)]
        for ready in (
            lambda: client.waiting_for and not client.activity.on_the_wire,
            lambda: client.activity.on_the_wire,
        ):
            while not ready():  # noqa: ASYNC110 - there is no event to wait for: the client is watched from outside
                await asyncio.sleep(0.1)
        healthy[0] = True
        for task in runs[:4]:
            task.cancel()
        assert (await runs[4]).sound_id == 5

    run_virtual(main())


def test_a_wait_of_more_than_a_minute_is_logged_once() -> None:
    async def main() -> None:
        clock = VirtualClock()
        told: list[str] = []
        transport = Scripted(lambda number, _: OVERLOADED if number < 12 else EMPTY_LIST, clock)
        await fetch_many(make_client(transport, clock, forever=True, on_event=lines_to(told.append)), 5)
        waits = [line for line in told if line.startswith("waiting until")]
        assert len(waits) == len(set(waits)) == 4  # 80, 160, 320 and 640 s
        assert told.count("the server answers again") == 1

    run_virtual(main())


NOT_FOUND = reply(404, '{"detail":"Not found"}')


def test_ten_different_requests_that_are_refused_in_a_row_are_an_outage_and_blame_no_sound() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda number, _: EMPTY_LIST if number == 1 else NOT_FOUND, clock)
        client = make_client(transport, clock)
        await client.fetch_similar(1, 25)
        doubts = []
        for sound_id in range(2, 11):
            with pytest.raises(FetchFailed, match="404") as failed:
                await client.fetch_similar(sound_id, 25)
            doubts.append(failed.value.doubt)
        with pytest.raises(ApiUnreachable, match=r"every request fails: the API answered 404: Not found.*10 minutes"):
            await client.fetch_similar(11, 25)
        assert all(doubt is not None and doubt.concerns_all for doubt in doubts)
        assert 600 <= clock.monotonic_s() < 660
        assert len(transport.sent) < 25

    run_virtual(main())


def test_with_forever_an_api_that_refuses_everything_is_probed_until_it_serves_again() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda *_: NOT_FOUND if 5 < clock.monotonic_s() < 9_000 else EMPTY_LIST, clock)
        client = make_client(transport, clock, forever=True)
        assert await fetch_many(client, 40, 4) > 20
        assert transport.statuses().count(404) < 35
        assert 9_000 < clock.monotonic_s() < 9_000 + 1_900

    run_virtual(main())


def test_refused_requests_among_useful_ones_concern_their_sounds() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda number, _: EMPTY_LIST if number % 9 == 0 else NOT_FOUND, clock)
        assert await fetch_many(make_client(transport, clock), 180, 1) == 20
        assert len(transport.sent) == 180

    run_virtual(main())


def test_the_same_request_that_is_refused_repeatedly_is_no_outage() -> None:
    async def main() -> None:
        clock = VirtualClock()
        client = make_client(Scripted(lambda *_: NOT_FOUND, clock), clock)
        for _ in range(30):
            with pytest.raises(FetchFailed):
                await client.fetch_similar(1, 25)

    run_virtual(main())


FOREIGN = [reply(403, "<html>", "text/html"), reply(302, "", location="https://login.example/"), reply(404, "")]


@pytest.mark.parametrize("answer", FOREIGN, ids=["403", "302", "404"])
def test_answers_of_something_in_front_of_the_api_are_an_outage_that_names_what_came(answer: RawResponse) -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda number, _: EMPTY_LIST if number < 10 else answer, clock)
        with pytest.raises(ApiUnreachable, match=rf"{answer.status}.*10 minutes.*blocked") as ended:
            await fetch_many(make_client(transport, clock), 100)
        assert ended.value.exit_code == 11
        assert 600 < clock.monotonic_s() < 660
        assert len(transport.sent) < 30

    run_virtual(main())


def test_a_search_without_words_that_is_refused_is_an_outage_and_one_with_a_filter_is_not() -> None:
    async def main() -> None:
        clock = VirtualClock()
        refused = reply(400, '{"detail":"Bad request"}')
        client = make_client(Scripted(lambda *_: refused, clock), clock)
        with pytest.raises(FetchFailed, match="refuses the request"):
            await client.search(filter="tag:rain")
        assert clock.monotonic_s() < 1
        with pytest.raises(ApiUnreachable, match="refuses the request: Bad request"):
            await client.search()

    run_virtual(main())


def test_an_outage_that_ends_the_run_blames_none_of_the_sounds_it_met() -> None:
    async def main() -> None:
        clock = VirtualClock()
        client = make_client(Scripted(lambda number, _: EMPTY_LIST if number == 1 else HTML_500, clock), clock)
        await client.fetch_similar(1, 25)
        with pytest.raises(FetchFailed, match="500") as failed:
            await client.fetch_similar(2, 25)
        assert failed.value.doubt is not None
        assert failed.value.doubt.is_open
        with pytest.raises(ApiUnreachable):
            await fetch_many(client, 100, 4)
        assert failed.value.doubt.concerns_all

    run_virtual(main())
