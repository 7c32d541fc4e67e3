"""Transports with behaviour and without sockets: a sandbox behind a delay, and one that answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harvester.clock import Clock
from harvester.freesound.address import encode_query
from harvester.freesound.wire import RawResponse, TransportFailure
from harvester.sandbox.reply import Delivery
from harvester.sandbox.service import Sandbox


@dataclass(frozen=True)
class Sent:
    """One request as it was sent, and how it ended (0: no answer)."""

    at_us: int
    path: str
    params: Mapping[str, str]
    status: int


@dataclass
class SandboxTransport:
    """Carries requests to a sandbox: `latency_s` to it and as long back, so that an answer is always late."""

    sandbox: Sandbox
    clock: Clock
    latency_s: float = 0.1
    token: str = "sandbox"
    sent: list[Sent] = field(default_factory=list)

    async def get(self, path: str, params: Mapping[str, str], *, anonymous: bool = False) -> RawResponse:
        await asyncio.sleep(self.latency_s)
        at_us = self.clock.time_us()
        headers = {} if anonymous else {"Authorization": f"Token {self.token}"}
        reply = self.sandbox.respond("GET", f"/apiv2/{path}?{encode_query(params)}", headers)
        whole = reply.delivery is Delivery.WHOLE
        self.sent.append(Sent(at_us, path, params, reply.status if whole else 0))
        await asyncio.sleep(self.latency_s)
        if not whole:
            raise TransportFailure(str(reply.delivery.value), sent=True)
        return RawResponse(reply.status, {name.lower(): text for name, text in reply.headers.items()}, reply.body)

    def statuses(self) -> list[int]:
        return [one.status for one in self.sent]


@dataclass
class Scripted:
    """Answers each request with what `answer(number, path)` gives, a response or an exception, after `latency_s`."""

    answer: Callable[[int, str], RawResponse | Exception]
    clock: Clock
    latency_s: float = 0.1
    sent: list[Sent] = field(default_factory=list)

    async def get(self, path: str, params: Mapping[str, str], *, anonymous: bool = False) -> RawResponse:
        at_us = self.clock.time_us()
        answer = self.answer(len(self.sent) + 1, path)
        status = answer.status if isinstance(answer, RawResponse) else 0
        self.sent.append(Sent(at_us, path, params, status))
        await asyncio.sleep(self.latency_s)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def statuses(self) -> list[int]:
        return [one.status for one in self.sent]


def reply(status: int, body: str, content_type: str = "application/json", **headers: str) -> RawResponse:
    """Return an answer as the server would give it."""
    return RawResponse(status, {"content-type": content_type} | headers, body.encode())


OVERLOADED = reply(500, '{"detail":"Search is overloaded, please try again later."}')
HTML_500 = reply(500, "<!doctype html><title>page</title>", "text/html; charset=utf-8")
EMPTY_LIST = reply(200, '{"count":0,"previous":null,"next":null,"results":[]}')
DAY_429 = reply(429, '{"detail":"Request was throttled because of exceeding a request limit rate (2000/day)"}')
BURST_429 = reply(429, '{"detail":"Request was throttled because of exceeding a request limit rate (60/minute)"}')


def rows_of(*rows: object) -> RawResponse:
    return reply(200, json.dumps({"count": 9, "next": None, "results": rows}))
