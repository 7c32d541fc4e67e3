"""Fetch files from Freesound's hosts, piece by piece, without a key.

These sessions know no key. A body is bounded by its receiver, is never unpacked, and counts only when it is complete:
the server must tell its length, or end it as HTTP does. A server that drips is given up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self

from aiohttp import ClientResponse

from harvester.clock import Clock
from harvester.errors import FetchFailed
from harvester.freesound.file_hosts import AddressRefused, FileHosts
from harvester.freesound.http_session import HttpSession
from harvester.freesound.http_status import foreign
from harvester.freesound.proxy import Proxy, proxy_for
from harvester.freesound.wire import FEW_ATTEMPTS, KEPT_BODY_BYTES, RawResponse, TransportFailure

MOST_REDIRECTS = 3
TOTAL_S = 3_600.0
SLOW_AFTER_S = 10.0
LEAST_BYTES_PER_S = 1_000
"""A file that arrives more slowly than this, after the first seconds, is given up."""
FILE_CONTACT = "metadata harvester"
_REDIRECTS = {301, 302, 303, 307, 308}
_NO_TYPE = {"", "application/octet-stream", "binary/octet-stream"}
_OGG = {"application/ogg", "video/ogg"}


class FileSink(Protocol):
    """Takes the body of an answer; what it raises ends the request."""

    def begin(self, length: int | None) -> None:
        """Drop what came before; a body of `length` bytes follows."""
        ...

    def write(self, piece: bytes) -> None:
        """Take the next bytes."""
        ...


class FileTransport:
    """Sends requests for files; open it in a running event loop."""

    def __init__(
        self,
        hosts: FileHosts,
        clock: Clock,
        *,
        contact: str = "",
        slow_after_s: float = SLOW_AFTER_S,
        proxy_of: Callable[[str], Proxy | None] = proxy_for,
    ) -> None:
        self._hosts = hosts
        self._clock = clock
        self._contact = contact or FILE_CONTACT
        self._slow_after_s = slow_after_s
        self._proxy_of = proxy_of
        self._sessions: dict[Proxy | None, HttpSession] = {}

    async def fetch(self, address: str, sink: FileSink) -> RawResponse:
        """Fetch a file into `sink`, over at most three redirects.

        `address` is one that `FileHosts` returned. The answer of a status other than 200 has the beginning of its body.
        Raises `TransportFailure`, `Transient` for a body that cannot be audio, and `FetchFailed` for a redirect that is
        refused, or a body of unknown length.
        """
        for _ in range(MOST_REDIRECTS + 1):
            response = await self._get(address, sink)
            if response.status not in _REDIRECTS:
                return response
            location = response.headers.get("location", "")
            try:
                address = self._hosts.redirected(address, location)
            except AddressRefused as refused:
                raise FetchFailed(f"a redirect leads to {location[:100]!a}: {refused}") from None
        raise FetchFailed(f"more than {MOST_REDIRECTS} redirects")

    async def __aenter__(self) -> Self:
        """Return the transport; its sessions are opened when needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all sessions."""
        for session in self._sessions.values():
            await session.close()

    async def _get(self, address: str, sink: FileSink) -> RawResponse:
        http, used_before = self._session_for(address), list[bool]()
        try:
            async with http.get(address, {}, used_before) as response:
                headers = {name.lower(): text for name, text in response.headers.items()}
                if response.status == 200 and may_be_audio(headers.get("content-type", "")):
                    await self._read(response, sink)
                    return RawResponse(200, headers, b"")
                answer = RawResponse(response.status, headers, await response.content.read(KEPT_BODY_BYTES))
                if answer.status == 200:
                    raise foreign(answer)
                return answer
        except http.errors as error:
            failure = http.failure_of(error, used_before)
        # Raised outside `except`: no error of aiohttp leaves this room.
        raise failure

    async def _read(self, response: ClientResponse, sink: FileSink) -> None:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise FetchFailed("the server sends it compressed")
        length = response.content_length
        if length is None and "chunked" not in response.headers.get("transfer-encoding", "").lower():
            raise FetchFailed("the server does not tell its length")
        sink.begin(length)
        began_s, size_bytes = self._clock.monotonic_s(), 0
        async for piece in response.content.iter_any():
            size_bytes += len(piece)
            sink.write(piece)
            lasted_s = self._clock.monotonic_s() - began_s
            if lasted_s > self._slow_after_s and size_bytes < lasted_s * LEAST_BYTES_PER_S:
                failure = TransportFailure("it arrives too slowly", sent=True, late=True)
                failure.attempts = FEW_ATTEMPTS
                raise failure
        if length is not None and size_bytes != length:
            raise TransportFailure("the answer was cut short", sent=True, late=True)

    def _session_for(self, address: str) -> HttpSession:
        proxy = self._proxy_of(address)
        if proxy not in self._sessions:
            self._sessions[proxy] = HttpSession(
                proxy, accept="audio/*, */*;q=0.1", contact=self._contact, total_s=TOTAL_S, unpacks=False
            )
        return self._sessions[proxy]


def may_be_audio(content_type: str) -> bool:
    """Tell whether an answer of this type may bring audio."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("audio/") or kind in _NO_TYPE or kind in _OGG
