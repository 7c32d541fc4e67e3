"""Define the transport's interface and the failures of a request.

    Transient            the answer says nothing about the sound: retry
    ├── TransportFailure no complete answer: refused, unknown host, reset, timeout, cut body, TLS
    └── Unreadable       the body of a 200 is not JSON
    QuotaRefused         429: a limit

The transport raises no other exception. No message holds a header that was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple, Protocol

from harvester.freesound.quota import Refusal

KEPT_BODY_BYTES = 2_000
"""Keep so much of an unexpected answer for inspection."""

SANDBOX_HEADER = "x-freesound-sandbox"
"""In each answer of a sandbox: the digest of its catalogue."""

MOST_ATTEMPTS = 4
FEW_ATTEMPTS = 2
"""The attempts of a request after a failure that a retry rarely cures."""


class RawResponse(NamedTuple):
    """An answer as it was received; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Sends one GET and returns the answer; no retry, no redirect."""

    async def get(self, path: str, params: Mapping[str, str], *, anonymous: bool = False) -> RawResponse:
        """Fetch `path`; raise `TransportFailure`. `anonymous`: without key."""
        ...


class Transient(Exception):
    """The answer says nothing about the sound: the request is retried.

    `systemic`: all requests would fail. `foreign`: the answer does not come from the API. `attempts`: the most
    attempts a request has with this failure. `delay_s`: the server's Retry-After. `counted`: it uses up an attempt.
    `late`: the answer was not complete in time; a smaller one may be. `idle`: the server had closed the connection,
    which was kept open after an earlier request. That is no failure of the server: the request is sent again, and
    nothing is told.
    """

    def __init__(
        self,
        reason: str,
        body: bytes = b"",
        *,
        systemic: bool = False,
        foreign: bool = False,
        attempts: int = MOST_ATTEMPTS,
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
        self.idle = False

    @property
    def reached(self) -> bool:
        """Whether the request reached the API."""
        return not self.foreign


class TransportFailure(Transient):
    """No complete answer; `sent`: the request may have reached the server."""

    def __init__(self, reason: str, *, sent: bool, late: bool = False) -> None:
        super().__init__(reason, systemic=not sent, late=late)
        self.sent = sent

    @property
    def reached(self) -> bool:
        """Whether the request may have reached the API."""
        return self.sent


class Unreadable(Transient):
    """The body of a 200 is not JSON; the same bytes twice are final."""

    def __init__(self, fault: str, body: bytes, *, cut_short: bool) -> None:
        super().__init__("the answer was cut short" if cut_short else fault, body, late=cut_short)
        self.digest = blake2b(body, digest_size=16).digest()
        self._fault = fault

    def make_final(self) -> None:
        """Allow no further attempt: the same bytes came before."""
        self.reason = f"{self._fault} (the same bytes came twice)"
        self.late = False
        self.attempts = 0


class QuotaRefused(Exception):
    """The server answered 429."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal
