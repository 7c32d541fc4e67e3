"""Send requests with aiohttp.

The key is sent in one header, only over https or to loopback; redirects are not followed. No exception of aiohttp
leaves this module: they hold the headers that were sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

from harvester.freesound.address import encode_query, proxy_for, read_api_url
from harvester.freesound.key import ApiKey
from harvester.freesound.wire import FEW_ATTEMPTS, RawResponse, TransportFailure
from harvester.version import __version__

CONTACT = "contact: the holder of this API key"
"""Freesound knows the owner of a key. `HARVESTER_CONTACT` replaces this by a URL or an address."""
LARGEST_BODY_BYTES = 8 * 1024 * 1024
"""150 rows with vectors and descriptions of 18 kB take 5 MB; a hostile body takes 30 times its size when parsed."""
CONNECT_S, READ_S, TOTAL_S = 10.0, 30.0, 60.0
_CLOSED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError)
"""Errors of a connection that the server closed before it answered. A failed connect is one too, but of no used one."""
_NOT_IN_TIME, _CUT_SHORT = "no answer in time", "the answer was cut short"


class AiohttpTransport:
    """One aiohttp session; make and close it in a running event loop."""

    def __init__(
        self,
        api_url: str,
        key: ApiKey,
        *,
        contact: str = "",
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
        total_s: float = TOTAL_S,
        largest_body_bytes: int = LARGEST_BODY_BYTES,
    ) -> None:
        """Open the session; raise `SettingsError` for an unsafe address."""
        self.address = read_api_url(api_url)
        self._key = key
        self._largest_body_bytes = largest_body_bytes
        self._proxy = proxy_for(self.address)
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=total_s, sock_connect=connect_s, sock_read=read_s),
            headers={"Accept": "application/json", "User-Agent": f"harvester/{__version__} ({contact or CONTACT})"},
            cookie_jar=aiohttp.DummyCookieJar(),
            # `proxy_for` reads the environment's proxies: trust_env would also read netrc.
            trust_env=False,
            trace_configs=[_noting_reuse()],
        )
        # aiohttp repeats a GET without notice when a kept-alive connection breaks; the server counts both.
        self._session._retry_connection = False

    async def get(self, path: str, params: Mapping[str, str], *, anonymous: bool = False) -> RawResponse:
        """Fetch `path`; see `Transport`."""
        url = URL(f"{self.address}{path}?{encode_query(params)}" if params else self.address + path, encoded=True)
        used_before: list[bool] = []
        headers = {} if anonymous else {"Authorization": f"Token {self._key.reveal()}"}
        try:
            async with self._session.get(
                url, headers=headers, allow_redirects=False, proxy=self._proxy, trace_request_ctx=used_before
            ) as response:
                body = await self._read(response)
                if body is not None:
                    named = {name.lower(): text for name, text in response.headers.items()}
                    return RawResponse(response.status, named, body)
                reason = f"the answer is larger than {self._largest_body_bytes:,} bytes"
                failure = TransportFailure(reason, sent=True, late=True)
                failure.attempts = FEW_ATTEMPTS
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _translate(error)
            if used_before and isinstance(error, _CLOSED):
                failure.idle, failure.reason = True, "the server had closed this idle connection"
        # Raised outside `except`: the context would be aiohttp's error, which holds the headers sent.
        raise failure

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()

    async def _read(self, response: aiohttp.ClientResponse) -> bytes | None:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self._largest_body_bytes:
                return None
        return bytes(body)


def _noting_reuse() -> aiohttp.TraceConfig:
    """Return a tracing that tells a request that its connection is not new.

    The request gives a list, which gets an entry then.
    """

    async def note(_session: aiohttp.ClientSession, context: Any, _connection: object) -> None:
        context.trace_request_ctx.append(True)

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(note)
    return tracing


def _translate(error: Exception) -> TransportFailure:
    """Return a foreign error as ours, without headers and URL."""
    unsent: list[tuple[type[Exception], str]] = [
        (aiohttp.ClientConnectorDNSError, "unknown host"),
        (aiohttp.ClientSSLError, "no secure connection (TLS)"),
        (aiohttp.ClientProxyConnectionError, "the proxy cannot be reached"),
        (aiohttp.ClientHttpProxyError, "the proxy refuses"),
        (aiohttp.ConnectionTimeoutError, "no connection in time"),
    ]
    sent: list[tuple[type[Exception], str]] = [
        (TimeoutError, _NOT_IN_TIME),
        (aiohttp.ClientPayloadError, _CUT_SHORT),
        (aiohttp.ServerDisconnectedError, "the server closed the connection"),
        (aiohttp.ClientOSError, "the connection was reset"),
        (ConnectionError, "the connection was reset"),
        (aiohttp.ClientResponseError, "the answer is not HTTP"),
    ]
    for kind, reason in unsent:
        if isinstance(error, kind):
            return TransportFailure(reason, sent=False)
    if isinstance(error, aiohttp.ClientConnectorError):
        refused = isinstance(error.os_error, ConnectionRefusedError)
        return TransportFailure("connection refused" if refused else "no connection", sent=False)
    for kind, reason in sent:
        if isinstance(error, kind):
            return TransportFailure(reason, sent=True, late=reason in (_NOT_IN_TIME, _CUT_SHORT))
    return TransportFailure(f"transport error ({type(error).__name__})", sent=True)
