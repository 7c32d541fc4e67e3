"""A sandbox without sockets, a clock that stands still until it is moved, and a way to ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harvester.sandbox.catalogue import Catalogue
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.reply import Reply
from harvester.sandbox.service import Sandbox

NOW_US = 1_790_000_000_000_000


class StillClock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.now_us = NOW_US

    def time_us(self) -> int:
        return self.now_us

    def monotonic_s(self) -> float:
        return self.now_us / 1_000_000

    async def sleep(self, delay_s: float) -> None:
        self.now_us += round(delay_s * 1_000_000)

    def pass_s(self, seconds: float) -> None:
        self.now_us += round(seconds * 1_000_000)


class Asker:
    """Asks one sandbox with the key it accepts."""

    def __init__(self, catalogue: Catalogue, **options: Any) -> None:
        self.clock = StillClock()
        options.setdefault("burst", None)
        options.setdefault("daily", None)
        self.sandbox = Sandbox(catalogue, clock=self.clock, **options)

    def ask(self, target: str, *, method: str = "GET", authorization: str | None = "Token sandbox") -> Reply:
        headers = {} if authorization is None else {"Authorization": authorization}
        return self.sandbox.respond(method, target, headers)

    def get(self, target: str) -> Any:
        reply = self.ask(target)
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    def ids(self, target: str) -> list[int]:
        return [row["id"] for row in self.get(target)["results"]]


@pytest.fixture(scope="session")
def five_thousand() -> GeneratedCatalogue:
    return GeneratedCatalogue(5_000, 7)


@pytest.fixture
def asker(five_thousand: GeneratedCatalogue) -> Asker:
    return Asker(five_thousand)


@pytest.fixture(scope="session")
def new_asker() -> Callable[..., Asker]:
    return Asker
