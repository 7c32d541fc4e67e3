"""Serve the sandbox on a loopback socket, with faults of delivery.

Invariant: every request has one line in the access log, flushed before the answer is sent, without the key.
Listens on loopback only. `service` makes the answers.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BufferedWriter
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote_plus

import orjson
from aiohttp import web

from harvester.clock import SECOND_US
from harvester.errors import SettingsError
from harvester.local_server import Handler, listening
from harvester.sandbox.access import fingerprint
from harvester.sandbox.reply import Delivery, Reply
from harvester.sandbox.service import Sandbox

_MAX_LINE = 32_768


@asynccontextmanager
async def serving(
    sandbox: Sandbox,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    latency_s: float = 0.0,
    access_log: Path | None = None,
    drip_pause_s: float = 0.2,
) -> AsyncIterator[str]:
    """Serve a sandbox and yield its address `http://127.0.0.1:PORT/apiv2/`.

    Port 0 takes a free one. Lines are appended to `access_log`. `drip_pause_s` is the pause between two bytes of a
    dripping answer. On exit, open connections are closed at once. Raises `SettingsError` for a host that is not
    loopback, a port in use and a log that cannot be written.
    """
    _require_loopback(host)
    log = _open_log(access_log)
    handle = _handler(sandbox, latency_s, drip_pause_s, log)
    try:
        async with listening(handle, host, port, "the sandbox cannot listen", max_line_size=_MAX_LINE) as bound:
            yield f"http://{f'[{host}]' if ':' in host else host}:{bound}/apiv2/"
    finally:
        if log is not None:
            log.close()


def _handler(sandbox: Sandbox, latency_s: float, drip_pause_s: float, log: BufferedWriter | None) -> Handler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        reply = sandbox.respond(request.method, request.raw_path, request.headers)
        if reply.media is not None:
            reply = await asyncio.to_thread(sandbox.load, reply)
        if log is not None:
            _log(log, sandbox, request, reply.status)
        if latency_s > 0:
            await sandbox.clock.sleep(latency_s)
        if reply.delivery is Delivery.WHOLE:
            return web.Response(status=reply.status, headers=reply.headers, body=reply.body)
        return await _deliver_badly(sandbox, request, reply, drip_pause_s)

    return handle


async def _deliver_badly(
    sandbox: Sandbox, request: web.BaseRequest, reply: Reply, drip_pause_s: float
) -> web.StreamResponse:
    transport = request.transport
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    if reply.delivery is Delivery.NO_ANSWER:
        # The wait is cancelled when the client disconnects or the sandbox stops.
        await asyncio.Event().wait()
    elif reply.delivery is Delivery.RESET:
        if transport is not None:
            peer = transport.get_extra_info("socket")
            # With a linger of zero, closing sends a reset instead of a FIN.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
    else:
        response.content_length = len(reply.body)
        await response.prepare(request)
        if reply.delivery is Delivery.TRUNCATE:
            await response.write(reply.body[: len(reply.body) // 2])
            if transport is not None:
                transport.close()
        else:
            for at in range(len(reply.body)):
                await response.write(reply.body[at : at + 1])
                await sandbox.clock.sleep(drip_pause_s)
    return response


def _log(log: BufferedWriter, sandbox: Sandbox, request: web.BaseRequest, status: int) -> None:
    token = sandbox.token_of(request.raw_path, request.headers)
    line = {
        "t": sandbox.clock.time_us() / SECOND_US,
        "path": _without_token(request.raw_path),
        "status": status,
        "key": fingerprint(token) if token else None,
    }
    log.write(orjson.dumps(line) + b"\n")
    log.flush()


def _without_token(target: str) -> str:
    path, mark, query = target.partition("?")
    kept = [part for part in query.split("&") if unquote_plus(part.partition("=")[0]) != "token"]
    return f"{path}?{'&'.join(kept)}" if mark and kept else path


def _open_log(path: Path | None) -> BufferedWriter | None:
    if path is None:
        return None
    try:
        return path.open("ab")
    except OSError as problem:
        raise SettingsError(f"the access log {path} cannot be written: {problem.strerror}") from problem


def _require_loopback(host: str) -> None:
    try:
        is_loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise SettingsError(f"the sandbox listens on loopback only, not on {host}")
