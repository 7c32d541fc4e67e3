"""Send requests with aiohttp.

The key is sent in one header, only over https or to loopback; redirects are not followed. No exception of aiohttp
leaves this module: they hold the headers that were sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

from harvester.freesound.address import encode_query, read_api_url
from harvester.freesound.key import ApiKey
from harvester.freesound.proxy import Proxy, proxy_for
from harvester.freesound.wire import FEW_ATTEMPTS, RawResponse, TransportFailure
from harvester.open_files import is_too_many, reason_of
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
        proxy: Proxy | None = None,
    ) -> None:
        """Open the session; `proxy` None: the one that the environment names.

        Raises `SettingsError` for an unsafe address, and for a proxy of the environment that cannot be used.
        """
        self.address = read_api_url(api_url)
        self._key = key
        self._largest_body_bytes = largest_body_bytes
        self._proxy = proxy if proxy is not None else proxy_for(self.address)
        socks = self._proxy if self._proxy is not None and self._proxy.is_socks else None
        self._socks_errors = socks.socks_errors() if socks is not None else ()
        self._http_proxy = None if self._proxy is None or socks is not None else _url_of(self._proxy)
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=total_s, sock_connect=connect_s, sock_read=read_s),
            headers={"Accept": "application/json", "User-Agent": f"harvester/{__version__} ({contact or CONTACT})"},
            cookie_jar=aiohttp.DummyCookieJar(),
            # `proxy_for` reads the environment's proxies: trust_env would also read netrc.
            trust_env=False,
            trace_configs=[_noting_reuse()],
            connector=None if socks is None else socks.socks_connector(),
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
                url, headers=headers, allow_redirects=False, proxy=self._http_proxy, trace_request_ctx=used_before
            ) as response:
                body = await self._read(response)
                if body is not None:
                    named = {name.lower(): text for name, text in response.headers.items()}
                    return RawResponse(response.status, named, body)
                reason = f"the answer is larger than {self._largest_body_bytes:,} bytes"
                failure = TransportFailure(reason, sent=True, late=True)
                failure.attempts = FEW_ATTEMPTS
        except (aiohttp.ClientError, OSError, ValueError, *self._socks_errors) as error:
            failure = self._of_proxy(error) or _translate(error)
            if used_before and isinstance(error, _CLOSED):
                failure.idle, failure.reason = True, "the server had closed this idle connection"
        # Raised outside `except`: the context would be aiohttp's error, which holds the headers sent.
        raise failure

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
