"""Send requests to the API.

The key is sent in one header, only over https or to loopback; redirects are not followed.
"""

from __future__ import annotations

from collections.abc import Mapping

from harvester.freesound.address import encode_query, read_api_url
from harvester.freesound.http_session import CONNECT_S, READ_S, TOTAL_S, HttpSession, read_at_most
from harvester.freesound.key import ApiKey
from harvester.freesound.proxy import Proxy, proxy_for
from harvester.freesound.wire import FEW_ATTEMPTS, RawResponse, TransportFailure

CONTACT = "contact: the holder of this API key"
"""Freesound knows the owner of a key. `HARVESTER_CONTACT` replaces this by a URL or an address."""
LARGEST_BODY_BYTES = 8 * 1024 * 1024
"""150 rows with vectors and descriptions of 18 kB take 5 MB; a hostile body takes 30 times its size when parsed."""


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
        self._http = HttpSession(
            proxy if proxy is not None else proxy_for(self.address),
            accept="application/json",
            contact=contact or CONTACT,
            connect_s=connect_s,
            read_s=read_s,
            total_s=total_s,
        )

    async def get(self, path: str, params: Mapping[str, str], *, anonymous: bool = False) -> RawResponse:
        """Fetch `path`; see `Transport`."""
        address = f"{self.address}{path}?{encode_query(params)}" if params else self.address + path
        used_before: list[bool] = []
        headers = {} if anonymous else {"Authorization": f"Token {self._key.reveal()}"}
        try:
            async with self._http.get(address, headers, used_before) as response:
                body = await read_at_most(response, self._largest_body_bytes)
                if body is not None:
                    named = {name.lower(): text for name, text in response.headers.items()}
                    return RawResponse(response.status, named, body)
                reason = f"the answer is larger than {self._largest_body_bytes:,} bytes"
                failure = TransportFailure(reason, sent=True, late=True)
                failure.attempts = FEW_ATTEMPTS
        except self._http.errors as error:
            failure = self._http.failure_of(error, used_before)
        # Raised outside `except`: the context would be aiohttp's error, which holds the headers sent.
        raise failure

    async def close(self) -> None:
        """Close the session."""
        await self._http.close()
