"""Downloads in virtual time: pace, pauses, retries, lost files and outages."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from harvester.clock import Stop
from harvester.errors import ApiUnreachable, FetchFailed, HarvesterError
from harvester.freesound.downloads import Downloads, FileLost
from harvester.freesound.http_status import foreign
from harvester.freesound.wire import RawResponse, Transient, TransportFailure
from tests.support.virtual_time import VirtualClock, run_virtual

Answer = Callable[[int], RawResponse | Exception]


class Sink:
    """Counts how often a body began."""

    begun = 0

    def begin(self, length: int | None) -> None:
        self.begun += 1

    def write(self, piece: bytes) -> None: ...


class Scripted:
    """Answers each request by its number, from 1 on, and notes when it came."""

    def __init__(self, clock: VirtualClock, answer: Answer) -> None:
        self._clock, self._answer = clock, answer
        self.times_s: list[float] = []

    async def fetch(self, address: str, sink: Sink) -> RawResponse:
        self.times_s.append(self._clock.monotonic_s())
        answer = self._answer(len(self.times_s))
        if isinstance(answer, Exception):
            raise answer
        if answer.status == 200:
            sink.begin(1)
        return answer


def reply(status: int, **headers: str) -> RawResponse:
    return RawResponse(status, {name.replace("_", "-"): text for name, text in headers.items()}, b"")


def cut() -> TransportFailure:
    return TransportFailure("the answer was cut short", sent=True, late=True)


def download(count: int, answer: Answer, *, per_minute: int | None = None) -> tuple[list[object], list[float]]:
    """Download files one after another; return what became of each, and when the requests came."""

    async def go() -> tuple[list[object], list[float]]:
        clock = VirtualClock()
        server = Scripted(clock, answer)
        downloads = Downloads(
            server,  # type: ignore[arg-type]  # a stand-in for the transport
            "cdn.freesound.org", clock=clock, stop=Stop(), per_minute=per_minute, rng=random.Random(1),
            on_event=lambda _: None,
        )  # fmt: skip
        became: list[object] = []
        for number in range(count):
            try:
                became.append((await downloads.fetch(f"https://freesound.org/{number}", Sink())).status)
            except (FetchFailed, HarvesterError) as error:
                became.append(error)
        assert downloads.sent == len(server.times_s)
        return became, server.times_s

    return run_virtual(go())


def test_requests_keep_the_pace_from_the_first_on() -> None:
    became, times_s = download(10, lambda _: reply(200), per_minute=60)
    assert became == [200] * 10
    gaps = [later - earlier for earlier, later in pairwise(times_s)]
    assert min(gaps) >= 0.99


def test_a_lost_file_is_not_retried_and_a_cut_one_is() -> None:
    became, times_s = download(2, lambda number: reply(404) if number == 1 else cut() if number == 2 else reply(200))
    assert isinstance(became[0], FileLost)
    assert became[1] == 200
    assert len(times_s) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_that_the_server_asks_for_is_kept(status: int) -> None:
    became, times_s = download(2, lambda number: reply(status, retry_after="120") if number == 1 else reply(200))
    assert became == [200, 200]
    assert times_s[1] - times_s[0] >= 120


def test_a_file_that_is_always_cut_fails_and_the_next_one_comes() -> None:
    became, times_s = download(2, lambda number: cut() if number <= 4 else reply(200))
    assert isinstance(became[0], FetchFailed)
    assert (became[1], len(times_s)) == (200, 5)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda _: reply(502), "no useful answer from cdn.freesound.org (HTTP 502) for 10 minutes"),
        (lambda _: reply(429), "has refused every file for ten minutes (HTTP 429)"),
        (lambda _: reply(403), "refuses every file (HTTP 403)"),
        (lambda _: TransportFailure("unknown host", sent=False), "no answer from cdn.freesound.org (unknown host)"),
    ],
    ids=["502", "429", "403", "no host"],
)
def test_a_server_that_gives_nothing_ends_the_run_with_a_sentence(answer: Answer, told: str) -> None:
    became, times_s = download(12, answer)
    [error] = {str(one): one for one in became if isinstance(one, ApiUnreachable)}.values()
    assert told in str(error)
    assert "--forever" not in str(error), "no such option"
    assert len(times_s) < 60


def test_a_refused_file_among_others_is_that_files_failure() -> None:
    became, _ = download(30, lambda number: reply(403) if number % 3 else reply(200))
    assert not [one for one in became if isinstance(one, ApiUnreachable)]


def test_a_stop_ends_the_open_download_at_once() -> None:
    async def go() -> None:
        clock, stop = VirtualClock(), Stop()

        class Silent(Scripted):
            async def fetch(self, address: str, sink: Sink) -> RawResponse:
                await asyncio.Event().wait()
                raise AssertionError

        downloads = Downloads(
            Silent(clock, lambda _: reply(200)),  # type: ignore[arg-type]  # a stand-in for the transport
            "cdn.freesound.org", clock=clock, stop=stop, per_minute=None, rng=random.Random(1), on_event=lambda _: None,
        )  # fmt: skip
        task = asyncio.ensure_future(downloads.fetch("https://freesound.org/1", Sink()))
        await clock.sleep(5)
        stop.close("enough")
        with pytest.raises(Exception, match="enough"):
            await task
        assert clock.monotonic_s() < 6

    run_virtual(go())


def page() -> Transient:
    return foreign(RawResponse(200, {"content-type": "text/html"}, b"<html>"))


def test_one_web_page_is_a_failed_file_and_two_at_first_are_another_host() -> None:
    became, times_s = download(3, lambda number: page() if number == 1 else reply(200))
    assert isinstance(became[0], FetchFailed)
    assert became[1:] == [200, 200]
    became, times_s = download(2, lambda _: page())
    assert isinstance(became[0], FetchFailed)
    assert str(became[1]) == (
        "cdn.freesound.org is not Freesound's host of files: HTTP 200 with a web page; check the network, and whether "
        "it requires a login"
    )
    assert len(times_s) == 2
