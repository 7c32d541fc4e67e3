"""In virtual time: pace, quota, gate, breaker and retry together, against the server's real windows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from harvester.clock import DAY_US, SECOND_US, Clock, Stop, closing_in_time
from harvester.errors import AccessDenied, ApiUnreachable, FetchFailed, Stopped, WrongSource
from harvester.freesound.client import FreesoundClient
from harvester.freesound.pacing import Pacing
from harvester.freesound.quota import LEVELS, Ledger, Limits, MemoryLedger
from harvester.freesound.wire import RawResponse, Transport, TransportFailure
from harvester.sandbox.faults import Fault
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.service import Sandbox
from tests.support.fake_transport import (
    BURST_429,
    DAY_429,
    EMPTY_LIST,
    HTML_500,
    OVERLOADED,
    SandboxTransport,
    Scripted,
    reply,
)
from tests.support.virtual_time import VirtualClock, run_virtual

CATALOGUE = GeneratedCatalogue(300)
HOUR_US = 3600 * SECOND_US


def make_client(
    transport: Transport,
    clock: Clock,
    *,
    stop: Stop | None = None,
    ledger: Ledger | None = None,
    limits: Limits = LEVELS[1],
    forever: bool = False,
    on_event: Callable[[str], None] = lambda _: None,
) -> FreesoundClient:
    return FreesoundClient(
        transport,
        clock=clock,
        stop=stop or Stop(),
        ledger=ledger if ledger is not None else MemoryLedger(),
        limits=limits,
        rng=Random(3),
        forever=forever,
        on_event=on_event,
    )


async def fetch_many(client: FreesoundClient, wanted: int, fetchers: int = 8) -> int:
    """Fetch lists until `wanted` are answered or the run stops; a failed one counts as done. Returns the answered."""
    todo = iter(range(1, wanted + 1))
    answered = 0

    async def fetcher() -> None:
        nonlocal answered
        for sound_id in todo:
            try:
                await client.fetch_similar(sound_id, 25)
                answered += 1
            except FetchFailed:
                continue
            except Stopped:
                return

    await asyncio.gather(*(fetcher() for _ in range(fetchers)))
    return answered


def sandbox_at(clock: VirtualClock, *faults: str, **limits: Any) -> Sandbox:
    return Sandbox(CATALOGUE, clock=clock, faults=[Fault.parse(rule) for rule in faults], **limits)


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
        assert stop.reason.startswith("quota used up, next request possible at 2026-09-22T")

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


def test_an_address_where_nothing_ever_answered_fails_within_seconds() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda *_: TransportFailure("connection refused", sent=False), clock)
        with pytest.raises(ApiUnreachable, match=r"https://freesound\.org/apiv2/ \(connection refused\)"):
            await make_client(transport, clock).fetch_similar(1, 25)
        assert clock.monotonic_s() < 20

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


def test_a_day_refusal_against_the_ledger_is_believed_and_tells_of_the_other_program() -> None:
    async def main() -> None:
        clock, stop = VirtualClock(), Stop()
        transport = Scripted(lambda number, _: EMPTY_LIST if number <= 5 else DAY_429, clock)
        client = make_client(transport, clock, stop=stop)
        assert await fetch_many(client, 50) == 5
        assert "another program uses this key too" in stop.reason
        assert len(transport.sent) == 6

    run_virtual(main())


def test_a_foreign_program_spending_half_the_quota_costs_few_refusals_and_no_slot_of_ours() -> None:
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


def test_a_burst_refusal_pauses_everybody_once_and_corrects_the_level() -> None:
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


def test_a_503_that_names_its_delay_is_asked_again_after_it() -> None:
    async def main() -> None:
        clock = VirtualClock()
        busy = reply(503, "<html>", "text/html", **{"retry-after": "90"})
        transport = Scripted(lambda number, _: busy if number == 1 else EMPTY_LIST, clock)
        await make_client(transport, clock).fetch_similar(1, 25)
        assert 90 <= clock.monotonic_s() < 92

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


def test_a_closed_run_sends_nothing_more_without_limits_either() -> None:
    async def main() -> None:
        stop = Stop()
        turns = Pacing(stop, None)
        await turns.turn(None)
        stop.close("a signal")
        with pytest.raises(Stopped, match="a signal"):
            await turns.turn(None)

    run_virtual(main())


def test_a_first_answer_that_redirects_says_that_the_address_is_wrong() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda *_: reply(301, "", location="https://elsewhere/"), clock)
        with pytest.raises(ApiUnreachable, match=r"redirected.*--api-url"):
            await make_client(transport, clock).fetch_similar(1, 25)

    run_virtual(main())


def test_another_catalogue_behind_the_same_address_ends_the_run() -> None:
    async def main() -> None:
        clock = VirtualClock()
        bodies = {1: EMPTY_LIST._replace(headers={"x-freesound-sandbox": "aa"})}
        transport = Scripted(lambda number, _: bodies.get(number, EMPTY_LIST), clock)
        client = make_client(transport, clock)
        await client.fetch_similar(1, 25)
        assert client.source == "sandbox:aa"
        with pytest.raises(WrongSource):
            await client.fetch_similar(2, 25)

    run_virtual(main())


def test_the_source_is_learned_without_a_counted_request() -> None:
    async def main() -> None:
        clock, ledger = VirtualClock(), MemoryLedger()
        sandbox = sandbox_at(clock, daily=1)
        client = make_client(SandboxTransport(sandbox, clock), clock, ledger=ledger)
        assert await client.identify() == f"sandbox:{sandbox.digest}"
        assert ledger.spent(0) == []
        await client.fetch_similar(1, 25)
        assert await client.identify() == f"sandbox:{sandbox.digest}"
        assert client.activity.sent == 2

    run_virtual(main())


NO_API = [
    reply(404, '{"detail":"Not found."}'),
    reply(400, '{"detail":"Bad request."}'),
    reply(404, "<!doctype html><title>Not Found</title>", "text/html"),
    reply(403, "<!doctype html><title>Forbidden</title>", "text/html"),
    reply(401, "<!doctype html><title>Log in</title>", "text/html"),
    reply(200, "<!doctype html><title>Welcome</title>", "text/html"),
    reply(200, "Success", "text/plain"),
    reply(301, "", location="https://elsewhere.invalid/"),
]
NO_API_NAMES = ["404 JSON", "400 JSON", "404 HTML", "403 HTML", "401 HTML", "200 HTML", "200 text", "301"]


@pytest.mark.parametrize("answer", NO_API, ids=NO_API_NAMES)
def test_an_address_that_answers_as_no_api_does_is_told_at_once_with_exit_11(answer: RawResponse) -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda *_: answer, clock)
        with pytest.raises(ApiUnreachable, match=r"is no Freesound API: .*; check --api-url") as ended:
            await make_client(transport, clock).identify()
        assert ended.value.exit_code == 11
        assert len(transport.sent) == 1
        assert clock.monotonic_s() < 5

    run_virtual(main())


@pytest.mark.parametrize("answer", [*NO_API, BURST_429], ids=[*NO_API_NAMES, "429"])
def test_a_run_for_ever_outlives_a_first_contact_that_is_no_api(answer: RawResponse) -> None:
    async def main() -> None:
        clock = VirtualClock()
        denied = reply(401, '{"detail":"Authentication credentials were not provided."}')
        transport = Scripted(lambda *_: denied if clock.monotonic_s() > 7_200 else answer, clock)
        source = await make_client(transport, clock, forever=True).identify()
        assert source == "https://freesound.org/apiv2/"
        assert 7_200 < clock.monotonic_s() < 7_200 + 1_900
        assert len(transport.sent) < 25

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


def test_a_wait_of_more_than_a_minute_is_told_once() -> None:
    async def main() -> None:
        clock = VirtualClock()
        told: list[str] = []
        transport = Scripted(lambda number, _: OVERLOADED if number < 12 else EMPTY_LIST, clock)
        await fetch_many(make_client(transport, clock, forever=True, on_event=told.append), 5)
        waits = [line for line in told if line.startswith("waiting until")]
        assert len(waits) == len(set(waits)) == 4  # 80, 160, 320 and 640 s
        assert told.count("the API answers again") == 1

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


def test_the_same_request_that_is_refused_again_and_again_is_no_outage() -> None:
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


def test_a_503_that_names_its_delay_pauses_everybody() -> None:
    async def main() -> None:
        clock = VirtualClock()
        dates = {"retry-after": "Mon, 21 Sep 2026 14:23:20 GMT", "date": "Mon, 21 Sep 2026 14:21:50 GMT"}
        busy = reply(503, "<html>", "text/html", **dates)
        transport = Scripted(lambda number, _: busy if number == 1 else EMPTY_LIST, clock)
        assert await fetch_many(make_client(transport, clock, limits=LEVELS[99]), 40, 4) == 40
        later_s = [one.at_us / SECOND_US - transport.sent[0].at_us / SECOND_US for one in transport.sent]
        assert sum(0 < one < 90 for one in later_s) <= 3  # those that were on the wire with it

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
