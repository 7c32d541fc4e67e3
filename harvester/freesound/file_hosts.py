"""Decide to which addresses a request for a file may be sent.

Records of a library may be hostile: an address leads to Freesound's own hosts over https, or to the sandbox that the
caller names, and nowhere else. A redirect is judged as an address is.
"""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

from harvester.library_source import MADE_UP_SITE

FREESOUND = "freesound.org"
LONGEST_ADDRESS = 500
_PLAIN = re.compile(r"[!-~]+")
_PORTS = {"http": 80, "https": 443}


class AddressRefused(ValueError):
    """No request is sent to this address; the text says why."""


class FileHosts:
    """The hosts that files come from: Freesound's, or one sandbox.

    `sandbox_url` is the normal form of the address of a sandbox's API, or None. Addresses of made-up sounds then lead
    there.
    """

    def __init__(self, sandbox_url: str | None = None) -> None:
        self._sandbox = ""
        if sandbox_url is not None:
            parts = urlsplit(sandbox_url)
            self._sandbox = f"{parts.scheme}://{parts.netloc}"

    def read(self, address: str) -> str:
        """Return the address to send a request to; always https elsewhere.

        Raises `AddressRefused`.
        """
        if len(address) > LONGEST_ADDRESS or not _PLAIN.fullmatch(address) or "\\" in address:
            raise AddressRefused("it is no address of a file")
        try:
            parts = urlsplit(address)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise AddressRefused("it is no address of a file") from None
        if parts.scheme not in _PORTS:
            raise AddressRefused("it is neither http nor https")
        where = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        if self._sandbox and f"{parts.scheme}://{parts.netloc}" in (MADE_UP_SITE, self._sandbox):
            return self._sandbox + where
        if f"https://{host}" == MADE_UP_SITE:
            raise AddressRefused("the sound is made up")
        if parts.username is not None or parts.password is not None or port not in (None, _PORTS[parts.scheme]):
            raise AddressRefused("it holds a user or a port")
        if host != FREESOUND and not host.endswith(f".{FREESOUND}"):
            raise AddressRefused("its host is not Freesound's")
        return f"https://{host}{where}"

    def redirected(self, address: str, location: str) -> str:
        """Return where a redirect from `address` leads.

        Raises `AddressRefused`.
        """
        try:
            target = urljoin(address, location)
        except ValueError:
            raise AddressRefused("it is no address of a file") from None
        return self.read(target)
