"""One session of aiohttp, through one proxy or none.

Owns how connections are made, what is never sent (cookies, netrc, a second try without notice), and what each failure
is called. No exception of aiohttp may leave this room: they hold the headers that were sent.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
from yarl import URL

from harvester.freesound.proxy import Proxy
from harvester.freesound.wire import TransportFailure
from harvester.open_files import is_too_many, reason_of
from harvester.version import __version__

CONNECT_S, READ_S, TOTAL_S = 10.0, 30.0, 60.0
_CLOSED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError)
"""Errors of a connection that the server closed before it answered. A failed connect is one too, but of no used one."""
_NOT_IN_TIME, _CUT_SHORT = "no answer in time", "the answer was cut short"


class HttpSession:
    """A session for GET; make and close it in a running event loop."""

    def __init__(
        self,
        proxy: Proxy | None,
        *,
        accept: str,
        contact: str,
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
        total_s: float = TOTAL_S,
        unpacks: bool = True,
    ) -> None:
        """Open the session; `unpacks`: compressed bodies are unpacked."""
        self._proxy = proxy
        socks = proxy if proxy is not None and proxy.is_socks else None
        self._socks_errors = socks.socks_errors() if socks is not None else ()
        self._http_proxy = None if proxy is None or socks is not None else _url_of(proxy)
        headers = {"Accept": accept, "User-Agent": f"harvester/{__version__} ({contact})"}
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=total_s, sock_connect=connect_s, sock_read=read_s),
            headers=headers if unpacks else {**headers, "Accept-Encoding": "identity"},
            cookie_jar=aiohttp.DummyCookieJar(),
            # `proxy_for` reads the environment's proxies: trust_env would also read netrc.
            trust_env=False,
            trace_configs=[_noting_reuse()],
            connector=None if socks is None else socks.socks_connector(),
            auto_decompress=unpacks,
        )
        # aiohttp repeats a GET without notice when a kept-alive connection breaks; the server counts both.
        self._session._retry_connection = False
        self.errors: tuple[type[Exception], ...] = (aiohttp.ClientError, OSError, ValueError, *self._socks_errors)
        """What a request raises; `failure_of` says what it means."""

    def get(
        self, address: str, headers: dict[str, str], used_before: list[bool]
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Send a GET as it is written; redirects are not followed.

        `used_before` gets an entry when the connection is not new.
        """
        return self._session.get(
            URL(address, encoded=True),
            headers=headers,
            allow_redirects=False,
            proxy=self._http_proxy,
            trace_request_ctx=used_before,
        )

    def failure_of(self, error: Exception, used_before: list[bool]) -> TransportFailure:
        """Return the failure that one of `errors` means."""
        failure = self._of_proxy(error) or _translate(error)
        if used_before and isinstance(error, _CLOSED):
            failure.idle, failure.reason = True, "the server had closed this idle connection"
        return failure

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()

    def _of_proxy(self, error: Exception) -> TransportFailure | None:
        """Return a failure of the proxy, with its address, else None."""
        if self._proxy is None:
            return None
        unreachable: tuple[type[Exception], ...] = (aiohttp.ClientProxyConnectionError, aiohttp.ClientConnectorDNSError)
        problem = ""
        if isinstance(error, aiohttp.ClientHttpProxyError):
            problem = "wants a user and a password" if error.status == 407 else "refuses"
            problem = f"{problem} (HTTP {error.status})"
        elif isinstance(error, (*unreachable, *self._socks_errors[:1])):
            problem = "cannot be reached"
        elif isinstance(error, self._socks_errors[1:2]):
            problem = "refuses"
        elif isinstance(error, self._socks_errors[2:]):
            problem = "does not answer in time"
        return TransportFailure(f"the proxy {self._proxy.shown} {problem}", sent=False) if problem else None


async def read_at_most(response: aiohttp.ClientResponse, most_bytes: int) -> bytes | None:
    """Return the body of an answer, or None if it is larger."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most_bytes:
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


def _no_connection(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return reason_of(error).lower() if is_too_many(error) else "no connection"


def _url_of(proxy: Proxy) -> URL:
    """Return the address of an HTTP proxy, with user and password."""
    return URL.build(
        scheme=proxy.scheme,
        host=proxy.host,
        port=proxy.port,
        user=proxy.user or None,
        password=proxy.password or None,
    )


def _translate(error: Exception) -> TransportFailure:
    """Return a foreign error as ours, without headers and URL."""
    unsent: list[tuple[type[Exception], str]] = [
        (aiohttp.ClientConnectorDNSError, "unknown host"),
        (aiohttp.ClientSSLError, "no secure connection (TLS)"),
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
        return TransportFailure(_no_connection(error.os_error), sent=False)
    for kind, reason in sent:
        if isinstance(error, kind):
            return TransportFailure(reason, sent=True, late=reason in (_NOT_IN_TIME, _CUT_SHORT))
    return TransportFailure("the connection failed", sent=True)
