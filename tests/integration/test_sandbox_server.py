"""The sandbox on real sockets: addresses, the access log, and faults of delivery as a client meets them."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from harvester.clock import SystemClock
from harvester.errors import SettingsError
from harvester.sandbox.faults import Fault
from harvester.sandbox.fields import DESCRIPTORS
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.server import serving
from harvester.sandbox.service import Sandbox

KEY = "sandbox"
SERVED = GeneratedCatalogue(200)
Get = Callable[..., Awaitable[tuple[int, Any, bytes]]]


def _serve(
    use: Callable[[str, Get], Awaitable[None]],
    *rules: str,
    timeout_s: float = 0.15,
    log: Path | None = None,
    **options: Any,
) -> None:
    """Serve a small catalogue, and use it through one client that gives up after `timeout_s`."""

    async def run() -> None:
        sandbox = Sandbox(
            SERVED,
            clock=SystemClock(),
            burst=None,
            daily=None,
            tokens=(KEY, "second"),
            faults=[Fault.parse(rule) for rule in rules],
        )
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        async with (
            serving(sandbox, access_log=log, **options) as address,
            aiohttp.ClientSession(headers={"Authorization": f"Token {KEY}"}, timeout=timeout) as session,
        ):

            async def get(path: str | URL, **more: Any) -> tuple[int, Any, bytes]:
                url = path if isinstance(path, URL) else address + path
                async with session.get(url, allow_redirects=False, **more) as response:
                    return response.status, response.headers, await response.read()

            await use(address, get)

    asyncio.run(run())


def test_it_listens_on_loopback_and_gives_its_address() -> None:
    async def use(address: str, get: Get) -> None:
        assert address.startswith("http://127.0.0.1:")
        assert address.endswith("/apiv2/")
        status, headers, body = await get("search/?page_size=2&fields=id", timeout=aiohttp.ClientTimeout(5))
        assert status == 200
        assert headers["X-Freesound-Sandbox"] == SERVED.digest
        assert headers["Content-Type"] == "application/json"
        assert headers["Vary"] == "Accept, Cookie, origin"
        assert json.loads(body)["count"] == 200
        status, headers, _ = await get("sounds/1")
        assert (status, headers["Location"]) == (301, "/apiv2/sounds/1/")

    _serve(use, timeout_s=5)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "freesound.org", "", "10.0.0.1"])
def test_any_other_host_is_refused(host: str) -> None:
    async def use(address: str, get: Get) -> None:
        raise AssertionError("it listens")

    with pytest.raises(SettingsError, match="loopback only"):
        _serve(use, host=host)


def test_a_taken_port_and_an_unwritable_log_are_clear(tmp_path: Path) -> None:
    async def use(address: str, get: Get) -> None:
        port = int(address.split(":")[2].split("/")[0])
        with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serving(Sandbox(SERVED, clock=SystemClock()), port=port):
                raise AssertionError("it listens")

    _serve(use)
    with pytest.raises(SettingsError, match="access log"):
        _serve(use, log=tmp_path / "missing" / "log.jsonl")


def test_150_ids_with_all_descriptors_fit_into_one_address_and_a_vector_does_not() -> None:
    async def use(address: str, get: Get) -> None:
        sound_id = SERVED.ordered("downloads_desc")[0]
        ids = "+OR+".join(str(one + 5_000_000) for one in SERVED.ordered("created_asc")[:149])
        fields = ",".join(("id", *DESCRIPTORS))
        path = f"search/?filter=id:({sound_id}+OR+{ids})&fields={fields}&page_size=150"
        status, _, body = await get(path)
        assert (status, json.loads(body)["results"][0]["id"]) == (200, sound_id)
        vector = json.dumps(SERVED.vector(sound_id, "laion_clap"))
        status, headers, body = await get(f"search/?similar_to={vector}")
        assert (status, headers["Content-Type"]) == (400, "text/html")
        assert b"Request Line is too large" in body

    _serve(use, timeout_s=5)


def test_head_is_answered_without_a_body() -> None:
    async def use(address: str, get: Get) -> None:
        async with (
            aiohttp.ClientSession(headers={"Authorization": f"Token {KEY}"}) as session,
            session.head(f"{address}search/?page_size=1") as response,
        ):
            assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
            assert await response.read() == b""

    _serve(use, timeout_s=5)


def test_previews_come_whole_over_a_socket_and_a_leaked_key_is_logged(tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    record = SERVED.record(SERVED.ordered("downloads_desc")[0]) or {}
    path = str(URL(record["previews"]["preview-hq-ogg"]).path)

    async def use(address: str, get: Get) -> None:
        url = URL(address).with_path(path)
        async with aiohttp.ClientSession() as session:
            async with session.get(url) as response:
                content = await response.read()
                assert (response.status, response.headers["Content-Type"]) == (200, "audio/ogg")
                assert content[:4] == b"OggS"
            for method in ("HEAD", "GET"):
                async with session.request(method, url, headers={"Range": "bytes=4-9"}) as response:
                    assert (response.status, response.headers["Content-Length"]) == (206, "6")
                    assert await response.read() == (content[4:10] if method == "GET" else b"")
        assert (await get(url))[0] == 400  # this client sends a key
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        assert [line["status"] for line in lines] == [200, 206, 206, 400]
        assert [line["key"] is None for line in lines] == [True, True, True, False]

    _serve(use, timeout_s=5, log=log)


def test_a_preview_can_end_in_the_middle_or_come_in_drips() -> None:
    record = SERVED.record(SERVED.ordered("downloads_desc")[0]) or {}
    path = str(URL(record["previews"]["preview-lq-ogg"]).path)

    async def use(address: str, get: Get) -> None:
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientPayloadError):
                async with session.get(URL(address).with_path(path)) as response:
                    await response.read()
            async with session.get(URL(address).with_path(path)) as response:
                assert int(response.headers["Content-Length"]) > 500
                assert 0 < len(await response.content.readany()) < 50

    _serve(use, "truncate@to=1", "drip@from=2", drip_pause_s=0.02, timeout_s=5)


def test_the_access_log_has_a_flushed_line_a_request_and_no_key(tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    fingerprint = hashlib.sha256(KEY.encode()).hexdigest()[:12]

    async def use(address: str, get: Get) -> None:
        await get("search/?page_size=1&token=sandbox&fields=id")
        await get("search/?token=sandbox")
        await get("sounds/999999999/?fields=id")
        await get(URL(address + "nothing/?a=1&tok%65n=sandbox", encoded=True))
        encoded = URL(address + "search/?query=x&%74%6F%6B%65%6E=sandbox&page_size=1", encoded=True)
        await get(encoded, headers={"Authorization": "Token second"})
        # Read while the sandbox still runs: every line is flushed before its answer goes out.
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        assert [(line["path"], line["status"]) for line in lines] == [
            ("/apiv2/search/?page_size=1&fields=id", 200),
            ("/apiv2/search/", 200),
            ("/apiv2/sounds/999999999/?fields=id", 404),
            ("/apiv2/nothing/?a=1", 404),
            ("/apiv2/search/?query=x&page_size=1", 200),
        ]
        assert [line["key"] for line in lines[:4]] == [fingerprint] * 4
        assert lines[4]["key"] == hashlib.sha256(b"second").hexdigest()[:12]
        assert all(list(line) == ["t", "path", "status", "key"] for line in lines)
        assert all(abs(line["t"] - SystemClock().time_us() / 1e6) < 60 for line in lines)

    _serve(use, log=log, timeout_s=5)
    assert KEY not in log.read_text(encoding="utf-8")

    async def use_without_key(address: str, get: Get) -> None:
        await get("sounds/1/", headers={"Authorization": ""})

    _serve(use_without_key, log=log, timeout_s=5)
    last = json.loads(log.read_text(encoding="utf-8").splitlines()[-1])
    assert (last["status"], last["key"]) == (401, None)


def test_a_reset_is_a_reset(tmp_path: Path) -> None:
    async def use(address: str, get: Get) -> None:
        with pytest.raises(aiohttp.ClientConnectionError):
            await get("search/?page_size=1")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.split(":")[2].split("/")[0]))
        writer.write(b"GET /apiv2/search/ HTTP/1.1\r\nHost: x\r\nAuthorization: Token sandbox\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()

    _serve(use, "reset", timeout_s=5)


def test_a_truncated_body_ends_in_the_middle() -> None:
    async def use(address: str, get: Get) -> None:
        with pytest.raises(aiohttp.ClientPayloadError):
            await get("search/?page_size=50")

    _serve(use, "truncate", timeout_s=5)


def test_no_answer_lasts_until_the_client_gives_up() -> None:
    # The client waits 0.15 s for nothing.
    async def use(address: str, get: Get) -> None:
        with pytest.raises(TimeoutError):
            await get("search/?page_size=1")

    _serve(use, "no-answer")


def test_a_slow_drip_gives_something_but_not_in_time() -> None:
    # The client waits 0.15 s, in which about seven bytes come.
    got = b""

    async def use(address: str, get: Get) -> None:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{address}search/?page_size=50&token=sandbox") as response,
        ):
            assert response.status == 200

            async def read() -> None:
                nonlocal got
                while chunk := await response.content.readany():
                    got += chunk

            with pytest.raises(TimeoutError):
                await asyncio.wait_for(read(), 0.15)

    _serve(use, "drip", drip_pause_s=0.02)
    assert b'{"' in got
    assert len(got) < 50


def test_latency_is_waited_before_the_answer_and_after_the_count(tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"

    async def use(address: str, get: Get) -> None:
        with pytest.raises(TimeoutError):
            await get("search/?page_size=1")
        assert len(log.read_text(encoding="utf-8").splitlines()) == 1

    _serve(use, log=log, latency_s=5.0)


def test_what_is_no_http_is_refused_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    malformed = (
        b"GET /apiv2/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /apiv2/\x1b[31m HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    )

    async def use(address: str, get: Get) -> None:
        for request in malformed:
            reader, writer = await asyncio.open_connection("127.0.0.1", URL(address).port)
            writer.write(request)
            assert (await reader.read(100)).startswith(b"HTTP/1.0 400 Bad Request")
            writer.close()
        assert (await get(""))[0] == 404

    _serve(use, timeout_s=10)
    assert caplog.records == []
