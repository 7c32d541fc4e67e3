"""What travels between the client and a transport, and the typed ways in which that fails.

    Transient            nothing is said about the sound: ask again
    ├── TransportFailure no answer at all: refused, unknown host, reset, timeout, cut body, TLS
    └── Unreadable       the body of a 200 is not JSON
    QuotaRefused         429: a limit

Everything foreign (aiohttp's, the socket's) has become one of these before it leaves the transport. No message here
ever holds a header that was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple, Protocol

from harvester.freesound.quota import Refusal

KEPT_BODY_BYTES = 2_000
"""How much of an unexpected answer is kept for inspection."""


class RawResponse(NamedTuple):
    """An answer as it came from the wire. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Sends one GET and brings back the whole answer; no retry, no redirect, no judgement of the status."""

    async def get(self, path: str, params: Mapping[str, str], *, anonymous: bool = False) -> RawResponse:
        """Fetch `path` below the API's address; raises `TransportFailure` only. `anonymous`: without the key."""
        ...


class Transient(Exception):
    """The answer says nothing about the sound: ask again.

    `systemic`: the server as a whole is unwell, whatever is asked. `foreign`: the answer was not the API's own.
    `attempts`: how often one request may meet this. `delay_s`: how long the server asked to wait, when it did.
    `counted`: whether it uses up one of the attempts. `late`: the answer did not come in time, or only a part of it; a
    smaller one might.
    """

    def __init__(
        self,
        reason: str,
        body: bytes = b"",
        *,
        systemic: bool = False,
        foreign: bool = False,
        attempts: int = 4,
        delay_s: float | None = None,
        late: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.body = body[:KEPT_BODY_BYTES]
        self.systemic = systemic
        self.foreign = foreign
        self.attempts = attempts
        self.delay_s = delay_s
        self.late = late
        self.counted = True

    @property
    def reached(self) -> bool:
        """Whether the API itself answered, however badly."""
        return not self.foreign


class TransportFailure(Transient):
    """No answer came. `sent` is False when the request certainly never reached the server's application."""

    def __init__(self, reason: str, *, sent: bool, late: bool = False) -> None:
        super().__init__(reason, systemic=not sent, late=late)
        self.sent = sent

    @property
    def reached(self) -> bool:
        return self.sent


class Unreadable(Transient):
    """The body of a 200 is not JSON. The same bytes a second time will come a third time: then the fault is final."""

    def __init__(self, fault: str, body: bytes, *, cut_short: bool) -> None:
        super().__init__("the answer was cut short" if cut_short else fault, body, late=cut_short)
        self.digest = blake2b(body, digest_size=16).digest()
        self._fault = fault

    def make_final(self) -> None:
        """Take back that the answer was cut short and leave no attempt: the same bytes came before."""
        self.reason = f"{self._fault} (the same bytes came twice)"
        self.late = False
        self.attempts = 0


class QuotaRefused(Exception):
    """The server answered 429."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal
