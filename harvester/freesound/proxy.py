"""Read the proxy that the environment names for an address.

Owns which variable counts, what an address of a proxy may look like, and how it is shown: never with its password.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from harvester.errors import SettingsError
from harvester.extras import missing
from harvester.freesound.address import is_loopback

if TYPE_CHECKING:
    from aiohttp_socks import ProxyConnector

_HTTP_PORTS = {"http": 80, "https": 443}
_SOCKS_PORT = 1080
_SOCKS = {"socks": 5, "socks4": 4, "socks4a": 4, "socks5": 5, "socks5h": 5}
"""The version of the protocol by scheme. Names are always looked up by the proxy."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy; `shown` is its address without user and password."""

    scheme: str
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def shown(self) -> str:
        """The address that may be printed."""
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def is_socks(self) -> bool:
        """Whether it is a SOCKS proxy."""
        return self.scheme in _SOCKS

    def socks_connector(self) -> ProxyConnector:
        """Return aiohttp's connector through a SOCKS proxy."""
        from aiohttp_socks import ProxyConnector, ProxyType

        kind = ProxyType.SOCKS4 if _SOCKS[self.scheme] == 4 else ProxyType.SOCKS5
        return ProxyConnector(
            host=self.host,
            port=self.port,
            proxy_type=kind,
            username=self.user or None,
            password=self.password or None,
            rdns=True,
        )

    def socks_errors(self) -> tuple[type[Exception], type[Exception], type[Exception]]:
        """Return the errors of that connector: no connection, refused, late."""
        from aiohttp_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

        return ProxyConnectionError, ProxyError, ProxyTimeoutError


def proxy_for(address: str) -> Proxy | None:
    """Return the environment's proxy for `address`; None for this machine.

    `NO_PROXY` is respected. Raises `SettingsError` for an address that no proxy has, and for a SOCKS proxy without the
    package that it needs.
    """
    parts = urlsplit(address)
    host = parts.hostname or ""
    if is_loopback(host) or proxy_bypass(f"{host}:{parts.port or _HTTP_PORTS[parts.scheme]}"):
        return None
    proxies = getproxies()
    for kind in (parts.scheme, "all"):
        if proxies.get(kind, "").strip():
            return _read(proxies[kind].strip(), _place(kind))
    return None


def _place(kind: str) -> str:
    """Return the variable that names the proxy for `kind`."""
    lower, upper = f"{kind}_proxy", f"{kind}_proxy".upper()
    return upper if upper in os.environ and not os.environ.get(lower) else lower


def _read(text: str, place: str) -> Proxy:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
    if not host or scheme not in {*_HTTP_PORTS, *_SOCKS} or any(ch.isspace() for ch in host):
        # The value is not shown: it may hold a password.
        raise SettingsError(f"{place}: it is not the address of a proxy; write http://HOST:PORT or socks5://HOST:PORT")
    proxy = Proxy(
        scheme,
        host,
        port or _HTTP_PORTS.get(scheme, _SOCKS_PORT),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )
    if proxy.is_socks and find_spec("aiohttp_socks") is None:
        raise SettingsError(f"{place}: {missing(f'the proxy {proxy.shown}', 'aiohttp-socks', 'socks')}")
    return proxy
