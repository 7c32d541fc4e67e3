"""Requests through real proxies: they arrive, and what goes wrong at a proxy is told with its address."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest

from harvester.freesound.key import ApiKey
from harvester.freesound.proxy import Proxy
from harvester.freesound.transport import AiohttpTransport
from harvester.freesound.wire import TransportFailure
from tests.integration.test_client_on_sockets import answering, raw_peer

KEY, PASSWORD = "s3cr3tk3y", "hunter2"


class SocksServer:
    """A SOCKS5 proxy that leads to one port of this machine, whatever it is asked for."""

    def __init__(self, target_port: int, *, refusal: int = 0) -> None:
        self.asked: list[tuple[str, int]] = []
        self.users: list[bytes] = []
        self._target_port, self._refusal = target_port, refusal

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        methods = (await reader.readexactly(2))[1]
        wants_user = 2 in await reader.readexactly(methods)
        writer.write(bytes([5, 2 if wants_user else 0]))
        if wants_user:
            _, length = await reader.readexactly(2)
            user = await reader.readexactly(length)
            self.users += [user, await reader.readexactly((await reader.readexactly(1))[0])]
            writer.write(b"\x01\x00")
        *_, kind = await reader.readexactly(4)
        assert kind == 3, "the proxy looks the name up"
        name = await reader.readexactly((await reader.readexactly(1))[0])
        self.asked.append((name.decode(), int.from_bytes(await reader.readexactly(2))))
        writer.write(bytes([5, self._refusal, 0, 1, 0, 0, 0, 0, 0, 0]))
        if self._refusal:
            writer.close()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
        await asyncio.gather(_pump(reader, back), _pump(there, writer))


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(1 << 16):
        target.write(piece)
    target.close()


@asynccontextmanager
async def transport(proxy: Proxy, api_url: str = "https://freesound.org/apiv2/") -> AsyncIterator[AiohttpTransport]:
    one = AiohttpTransport(api_url, ApiKey(KEY), proxy=proxy)
    try:
        yield one
    finally:
        await one.close()


def port_of(url: str) -> int:
    return int(url.split(":")[2].split("/")[0])


def test_a_socks_proxy_gets_the_name_and_passes_the_answer_on() -> None:
    from aiohttp import web

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=f"{request.headers['Host']} {request.headers['Authorization']}")

    async def main() -> None:
        async with answering(answer) as api:
            server = SocksServer(port_of(api))
            async with raw_peer(server.serve) as peer:
                proxy = Proxy("socks5", "127.0.0.1", port_of(peer), "me", PASSWORD)
                async with transport(proxy, "http://localhost:9999/apiv2/") as sent:
                    assert (await sent.get("", {})).body == f"localhost:9999 Token {KEY}".encode()
            assert (server.asked, server.users) == ([("localhost", 9999)], [b"me", PASSWORD.encode()])

    asyncio.run(main())


def test_a_socks_proxy_that_refuses_is_named() -> None:
    async def main() -> str:
        async with raw_peer(SocksServer(0, refusal=2).serve) as peer:
            proxy = Proxy("socks5", "127.0.0.1", port_of(peer), "me", PASSWORD)
            async with transport(proxy) as sent:
                with pytest.raises(TransportFailure) as failed:
                    await sent.get("", {})
        return failed.value.reason.replace(str(port_of(peer)), "PORT")

    assert asyncio.run(main()) == "the proxy socks5://127.0.0.1:PORT refuses"


@pytest.mark.parametrize(
    ("status", "told"), [(407, "wants a user and a password (HTTP 407)"), (403, "refuses (HTTP 403)")]
)
def test_an_http_proxy_that_refuses_is_named(status: int, told: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()

    async def main() -> str:
        async with (
            raw_peer(refuse) as peer,
            transport(Proxy("http", "127.0.0.1", port_of(peer), "me", PASSWORD)) as sent,
        ):
            with pytest.raises(TransportFailure) as failed:
                await sent.get("", {})
        assert not failed.value.sent
        return failed.value.reason.replace(str(port_of(peer)), "PORT")

    assert asyncio.run(main()) == f"the proxy http://127.0.0.1:PORT {told}"


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks4"])
@pytest.mark.parametrize("host", ["127.0.0.1", "nowhere.invalid"])
def test_a_proxy_that_cannot_be_reached_is_named(scheme: Literal["http", "socks5"], host: str) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]

    async def main() -> str:
        async with transport(Proxy(scheme, host, port, "me", PASSWORD)) as sent:
            with pytest.raises(TransportFailure) as failed:
                await sent.get("", {})
        return failed.value.reason

    assert asyncio.run(main()) == f"the proxy {scheme}://{host}:{port} cannot be reached"
