"""Serve one page on 127.0.0.1: its data, its previews, nothing else.

Invariant: only GET and HEAD of the few targets in `address`, with the token and our own Host, get an answer other than
a bare refusal. Every answer has the headers of `_HEADERS`, except the 400 by which aiohttp refuses what is no HTTP.
What is served comes from a `Served`; this module opens no file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from aiohttp import web

from harvester.local_server import listening
from harvester.page_server.address import PagePart, is_own_host, read_target

_HOST = "127.0.0.1"
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "harvester",
    "X-Content-Type-Options": "nosniff",
}
_MEDIA_TYPES = {"ogg": "audio/ogg", "mp3": "audio/mpeg"}


class Served(Protocol):
    """What a server shows. Its functions run in threads."""

    policy: str
    """The content security policy of the page."""

    def page(self) -> bytes:
        """Return the page as it is now."""

    def changes(self, after: int) -> bytes:
        """Return as JSON what is new after a version."""

    def preview(self, name: str) -> bytes | None:
        """Return the file of a preview, or None where there is none."""


@asynccontextmanager
async def serving(served: Served, token: str, *, port: int = 0) -> AsyncIterator[str]:
    """Serve while the block lasts, and yield the page's address.

    That is `http://127.0.0.1:PORT/TOKEN/`. Port 0 takes a free one. On exit, open connections are closed at once.
    Raises `SettingsError` for a port in use.
    """

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        wanted = read_target(request.raw_path, token) if is_own_host(request.headers.get("Host", ""), bound) else None
        response = await _answer(served, request, wanted)
        response.headers.update(_HEADERS)
        response.headers.setdefault("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        return response

    async with listening(handle, _HOST, port, "--port: the page cannot be served") as bound:
        yield f"http://{_HOST}:{bound}/{token}/"


async def _answer(served: Served, request: web.BaseRequest, wanted: PagePart | None) -> web.Response:
    if wanted is None:
        return web.Response(status=404)
    if request.method not in ("GET", "HEAD"):
        return web.Response(status=405, headers={"Allow": "GET, HEAD"})
    if wanted.part == "moved":
        return web.Response(status=308, headers={"Location": f"{request.raw_path}/"})
    if wanted.part == "page":
        page = await asyncio.to_thread(served.page)
        policy = {"Content-Security-Policy": served.policy}
        return web.Response(body=page, content_type="text/html", charset="utf-8", headers=policy)
    if wanted.part == "changes":
        return web.Response(body=await asyncio.to_thread(served.changes, wanted.after), content_type="application/json")
    sound = await asyncio.to_thread(served.preview, wanted.name)
    return web.Response(status=404) if sound is None else _part(request, sound, wanted.name)


def _part(request: web.BaseRequest, sound: bytes, name: str) -> web.Response:
    """Return a preview, or the range of it that the player asks for."""
    media_type, whole = _MEDIA_TYPES[name.rpartition(".")[2]], len(sound)
    headers = {"Accept-Ranges": "bytes"}
    try:
        start, stop, _ = request.http_range.indices(whole)
    except ValueError:
        # An unknown unit or several ranges: a server may answer with the whole.
        return web.Response(body=sound, content_type=media_type, headers=headers)
    if (start, stop) == (0, whole):
        return web.Response(body=sound, content_type=media_type, headers=headers)
    if start >= stop:
        return web.Response(status=416, headers={"Content-Range": f"bytes */{whole}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{whole}"
    return web.Response(status=206, body=sound[start:stop], content_type=media_type, headers=headers)
