"""The transport against real sockets: everything that can go wrong on a wire, and where the key goes."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp import web

from harvester.clock import Stop, SystemClock
from harvester.errors import AccessDenied, SettingsError
from harvester.freesound.client import FreesoundClient
from harvester.freesound.key import ApiKey
from harvester.freesound.quota import LEVELS, MemoryLedger
from harvester.freesound.transport import AiohttpTransport
from harvester.freesound.wire import RawResponse, TransportFailure
from harvester.sandbox.faults import Fault
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.server import serving
from harvester.sandbox.service import Sandbox

KEY = "s3cr3tk3y"
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(handler, access_log=None, handler_cancellation=True), shutdown_timeout=0.05)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/apiv2/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_peer(peer: Peer) -> AsyncIterator[str]:
    talks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        talks.add(asyncio.ensure_future(peer(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/apiv2/"
    finally:
        server.close()
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0)


@asynccontextmanager
async def transport_to(url: str, **options: Any) -> AsyncIterator[AiohttpTransport]:
    transport = AiohttpTransport(url, ApiKey(KEY), **options)
    try:
        yield transport
    finally:
        await transport.close()


def make_client(transport: AiohttpTransport, ledger: MemoryLedger | None = None) -> FreesoundClient:
    return FreesoundClient(
        transport,
        clock=SystemClock(),
        stop=Stop(),
        ledger=ledger or MemoryLedger(),
        limits=LEVELS[99],
        rng=Random(1),
        address=transport.address,
    )


def traces_of(error: BaseException | None) -> str:
    """Return everything that an error and all it hangs on would show."""
    shown = ""
    while error is not None:
        shown += f"{error!r} {error} {error.args!r} {vars(error)!r}"
        error = error.__cause__ or error.__context__
    return shown


async def failure_of(url: str, **options: Any) -> TransportFailure:
    async with transport_to(url, **options) as transport:
        with pytest.raises(TransportFailure) as failed:
            await transport.get("sounds/1/", {"fields": "id"})
    assert KEY not in traces_of(failed.value)
    assert failed.value.__cause__ is None
    assert failed.value.__context__ is None
    return failed.value


async def read_request(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    peer: socket.socket = writer.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.close()


async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"id":')
    await writer.drain()
    writer.close()


async def gibberish(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"\x16\x03\x01 what?\r\n\r\n")
    await writer.drain()
    writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)
    writer.close()


async def dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not writer.is_closing():
        writer.write(b" ")
        await asyncio.sleep(0.02)


async def too_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b" " * 5000)
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("peer", "options", "reason"),
    [
        (reset, {}, "reset|closed"),
        (hang_up, {}, "closed the connection"),
        (cut, {}, "cut short"),
        (gibberish, {}, "not HTTP"),
        (silent, {"read_s": 0.1}, "no answer in time"),
        (silent, {"total_s": 0.1}, "no answer in time"),
        (dripping, {"total_s": 0.15}, "no answer in time"),
        (too_much, {"largest_body_bytes": 1000}, "larger"),
    ],
)
def test_a_failure_on_the_wire_is_typed_and_counts_as_sent(peer: Peer, options: dict[str, float], reason: str) -> None:
    async def main() -> None:
        async with raw_peer(peer) as url:
            failure = await failure_of(url, **options)
        assert any(part in failure.reason for part in reason.split("|")), failure.reason
        assert failure.sent

    asyncio.run(main())


def test_a_refused_connection_counts_as_never_sent() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            failure = await failure_of(f"http://127.0.0.1:{taken.getsockname()[1]}/")
        assert (failure.reason, failure.sent) == ("connection refused", False)

    asyncio.run(main())


def test_an_unknown_host_counts_as_never_sent() -> None:
    async def main() -> None:
        failure = await failure_of("https://no-such-host.invalid/apiv2/")
        assert (failure.reason, failure.sent) == ("unknown host", False)

    asyncio.run(main())


def test_a_server_without_tls_behind_https_counts_as_never_sent() -> None:
    async def main() -> None:
        async with raw_peer(gibberish_at_once) as url:
            failure = await failure_of(url.replace("http://", "https://"))
        assert (failure.reason, failure.sent) == ("no secure connection (TLS)", False)

    asyncio.run(main())


async def gibberish_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    await writer.drain()
    writer.close()


def test_a_request_is_never_sent_twice_behind_the_ledgers_back() -> None:
    """A kept-alive connection that the server drops is where HTTP libraries silently send again."""

    async def main() -> None:
        seen = 0

        async def once_then_drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal seen
            await read_request(reader)
            seen += 1
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
            await read_request(reader)
            seen += 1
            writer.close()

        async with raw_peer(once_then_drop) as url, transport_to(url) as transport:
            await transport.get("sounds/1/", {})
            with pytest.raises(TransportFailure) as caught:
                await transport.get("sounds/2/", {})
            assert seen == 2
            assert caught.value.idle

    asyncio.run(main())


def test_a_new_connection_that_the_server_closes_without_an_answer_is_a_failure() -> None:
    async def main() -> None:
        async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.close()

        async with raw_peer(drop) as url:
            failure = await failure_of(url)
        assert (failure.reason, failure.idle) == ("the server closed the connection", False)

    asyncio.run(main())


def test_the_key_is_in_the_authorization_header_and_nowhere_else() -> None:
    async def main() -> None:
        requests: list[web.BaseRequest] = []

        async def keep(request: web.BaseRequest) -> web.Response:
            requests.append(request)
            return web.json_response({})

        async with answering(keep) as url, transport_to(url) as transport:
            await transport.get("search/", {"query": "a b"})
            await transport.get("search/", {}, anonymous=True)
        told, untold = requests
        assert told.headers["Authorization"] == f"Token {KEY}"
        assert told.headers["Accept"] == "application/json"
        assert told.headers["User-Agent"].startswith("harvester/")
        assert "(contact: " in told.headers["User-Agent"]
        assert KEY not in told.raw_path + "".join(v for k, v in told.headers.items() if k != "Authorization")
        assert KEY not in str(untold.headers)

    asyncio.run(main())


def test_netrc_and_the_environments_proxy_do_not_touch_a_request_to_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")

    async def main() -> None:
        seen: list[str] = []

        async def keep(request: web.BaseRequest) -> web.Response:
            seen.append(request.headers["Authorization"])
            return web.json_response({})

        async with answering(keep) as url, transport_to(url) as transport:
            await transport.get("search/", {})
        assert seen == [f"Token {KEY}"]

    asyncio.run(main())


def test_redirects_are_not_followed_and_the_key_not_carried_on() -> None:
    async def main() -> None:
        paths: list[str] = []

        async def redirect(request: web.BaseRequest) -> web.Response:
            paths.append(request.path)
            return web.Response(status=302, headers={"Location": "/elsewhere/"})

        async with answering(redirect) as url, transport_to(url) as transport:
            raw = await transport.get("search/", {})
        assert (raw.status, paths) == (302, ["/apiv2/search/"])

    asyncio.run(main())


def test_the_key_is_not_sent_over_plain_http_to_another_machine() -> None:
    async def main() -> None:
        with pytest.raises(SettingsError, match="https only"):
            AiohttpTransport("http://freesound.org/apiv2/", ApiKey(KEY))

    asyncio.run(main())


def test_compressed_and_unicode_answers_arrive_as_they_were() -> None:
    async def main() -> None:
        async def packed(request: web.BaseRequest) -> web.Response:
            response = web.Response(text='{"name":"Kölner Dom ☂"}', content_type="application/json")
            response.enable_compression(web.ContentCoding.gzip)
            return response

        async with answering(packed) as url, transport_to(url) as transport:
            raw = await transport.get("sounds/1/", {})
        assert isinstance(raw, RawResponse)
        assert raw.body.decode() == '{"name":"Kölner Dom ☂"}'

    asyncio.run(main())


def test_the_whole_client_against_the_sandbox_on_a_socket() -> None:
    async def main() -> None:
        sandbox = Sandbox(GeneratedCatalogue(300), clock=SystemClock(), tokens=(KEY,), burst=None, daily=None)
        async with serving(sandbox) as url, transport_to(url) as transport, make_client(transport) as client:
            assert await client.identify() == f"sandbox:{sandbox.digest}"
            hits = await client.search(sort="downloads_desc", page_size=150)
            assert (len(hits.records), hits.count, hits.has_next, hits.oddities) == (150, 300, True, {})
            ids = [record["id"] for record in hits.records]
            pages = await asyncio.gather(*(client.fetch_similar(sound_id, 25) for sound_id in ids[:20]))
            assert all(0 < len(page.neighbours) <= 25 and not page.oddities for page in pages)
            again = await client.fetch_records(ids)
            assert {record["id"]: record for record in again.records} == {r["id"]: r for r in hits.records}
            assert await client.fetch_sound(ids[0]) == hits.records[0]
            assert await client.fetch_sound(999_999_999) is None
            by = await client.fetch_similar(ids[0], 150, filter='license:"Attribution"')
            assert by.records
            assert all("/licenses/by/" in record["license"] for record in by.records)
            past = await client.search(page=9)
            assert (past.records, past.has_next) == ((), False)

    asyncio.run(main())


@pytest.mark.parametrize(
    "rule", ["500@to=1", "502@to=1", "400-solr-down@to=1", "truncate@to=1", "reset@to=1", "no-answer@to=1", "drip@to=1"]
)
def test_a_fault_met_once_is_asked_again_and_every_attempt_is_in_the_ledger(rule: str) -> None:
    async def main() -> None:
        catalogue = GeneratedCatalogue(50)
        sandbox = Sandbox(
            catalogue, clock=SystemClock(), tokens=(KEY,), burst=None, daily=None, faults=[Fault.parse(rule)]
        )
        ledger = MemoryLedger()
        async with serving(sandbox) as url, transport_to(url, total_s=0.2) as transport:
            client = make_client(transport, ledger)
            page = await client.search(page_size=5)
        assert len(page.records) == 5
        assert len(ledger.spent(0)) == client.activity.sent == 2

    asyncio.run(main())


def test_a_wrong_key_is_told_in_one_line_without_the_key(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        sandbox = Sandbox(GeneratedCatalogue(50), clock=SystemClock(), burst=None, daily=None)
        ledger = MemoryLedger()
        async with serving(sandbox) as url, transport_to(url) as transport:
            with pytest.raises(AccessDenied, match="Invalid token") as denied:
                await make_client(transport, ledger).fetch_similar(1, 25)
        assert KEY not in traces_of(denied.value)
        assert "\n" not in str(denied.value)
        assert ledger.spent(0) == []

    with caplog.at_level(logging.DEBUG):
        asyncio.run(main(), debug=True)
    assert KEY not in caplog.text
