"""How the client learns the source, and what it says of an address that is not Freesound's."""

from __future__ import annotations

import pytest

from harvester.errors import ApiUnreachable, WrongSource
from harvester.freesound.quota import MemoryLedger
from harvester.freesound.wire import RawResponse, TransportFailure
from tests.support.client import make_client, sandbox_at
from tests.support.fake_transport import (
    BURST_429,
    EMPTY_LIST,
    SandboxTransport,
    Scripted,
    reply,
)
from tests.support.virtual_time import VirtualClock, run_virtual


def test_an_address_where_nothing_ever_answered_fails_within_seconds() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda *_: TransportFailure("connection refused", sent=False), clock)
        with pytest.raises(ApiUnreachable, match=r"https://freesound\.org/apiv2/ \(connection refused\)"):
            await make_client(transport, clock).fetch_similar(1, 25)
        assert clock.monotonic_s() < 20

    run_virtual(main())


def test_a_first_answer_that_redirects_says_that_the_address_is_wrong() -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda *_: reply(301, "", location="https://elsewhere/"), clock)
        with pytest.raises(ApiUnreachable, match=r"redirects are not followed.*--api-url"):
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
def test_an_address_that_answers_as_no_api_does_is_reported_at_once_with_exit_11(answer: RawResponse) -> None:
    async def main() -> None:
        clock = VirtualClock()
        transport = Scripted(lambda *_: answer, clock)
        with pytest.raises(ApiUnreachable, match=r"is not a Freesound API: .*; check --api-url") as ended:
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
