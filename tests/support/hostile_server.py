"""A server on loopback that answers as no honest API does: a sandbox whose answers a table of functions replaces.

    with HostileServer({"similar": html(403)}) as server:
        run("harvest", "--api-url", server.url, …)
    server.asked["similar"], server.paths

Kinds of requests: `identity` (without a key), `search`, `similar`, `sound`; `*` stands for all of them but `identity`,
and `**` for all. A responder takes what was asked and the honest answer, and returns the answer to send.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from aiohttp import web

from harvester.clock import SystemClock
from harvester.sandbox.faults import Fault
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.service import Sandbox
from tests.support.processes import KEY

_SIMILAR = re.compile(r"/apiv2/sounds/\d+/similar/")
_SOUND = re.compile(r"/apiv2/sounds/\d+/")


@dataclass(frozen=True)
class Asked:
    """One request: its kind, its number among those of the kind from 1 on, and its path with the query."""

    kind: str
    number: int
    target: str


@dataclass(frozen=True)
class Answer:
    """What travels back."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})

    def rows(self, change: Callable[[list[Any]], list[Any]]) -> Answer:
        """Return this answer with its list of results changed."""
        content = json.loads(self.body)
        return replace(self, body=json.dumps({**content, "results": change(content["results"])}).encode())


Responder = Callable[[Asked, Answer], Answer]


class HostileServer:
    """Serves in a thread of its own while the `with` block lasts, so that the block may run real processes."""

    def __init__(self, table: Mapping[str, Responder], *, sounds: int = 400, faults: Iterable[str] = ()) -> None:
        self.table = dict(table)
        self._sandbox = Sandbox(
            GeneratedCatalogue(sounds), clock=SystemClock(), tokens=(KEY,), burst=None, daily=None,
            faults=[Fault.parse(rule) for rule in faults],
        )  # fmt: skip
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.asked: Counter[str] = Counter()
        self.targets: list[str] = []
        self.agents: set[str] = set()
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._await(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._await(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def counted(self) -> int:
        """How many requests came with the key."""
        return self.asked.total() - self.asked["identity"]

    def _await(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._serve, access_log=None), shutdown_timeout=0.05)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/apiv2/"

    async def _serve(self, request: web.BaseRequest) -> web.Response:
        target = request.raw_path
        kind = _kind_of(request)
        self.asked[kind] += 1
        self.targets.append(target)
        self.agents.add(request.headers.get("User-Agent", ""))
        reply = self._sandbox.respond(request.method, target, dict(request.headers))
        answer = Answer(reply.status, reply.body, reply.headers)
        every = "**" if kind == "identity" else "*" if "*" in self.table else "**"
        responder = self.table.get(kind) or self.table.get(every)
        if responder is not None:
            answer = responder(Asked(kind, self.asked[kind], target), answer)
        return web.Response(status=answer.status, body=answer.body, headers=dict(answer.headers))


def _kind_of(request: web.BaseRequest) -> str:
    if "Authorization" not in request.headers:
        return "identity"
    if _SIMILAR.fullmatch(request.path) or "similar_to" in request.query:
        return "similar"
    return "sound" if _SOUND.fullmatch(request.path) else "search"


def always(status: int, body: str | bytes = b"", content_type: str = "application/json", **headers: str) -> Responder:
    """Answer with these bytes, whatever was asked; `retry_after="5"` becomes the header `retry-after`."""
    sent = {"Content-Type": content_type} | {name.replace("_", "-"): text for name, text in headers.items()}
    answer = Answer(status, body.encode() if isinstance(body, str) else body, sent)
    return lambda _asked, _honest: answer


def html(status: int, **headers: str) -> Responder:
    """Answer with a web page."""
    return always(status, "<!doctype html><title>page</title>", "text/html; charset=utf-8", **headers)


def detail(status: int, text: str, **headers: str) -> Responder:
    """Answer with an error in the API's own form."""
    return always(status, json.dumps({"detail": text}), **headers)


def as_freesound(_asked: Asked, honest: Answer) -> Answer:
    """Answer without the header by which a sandbox says what it is."""
    return replace(honest, headers={name: text for name, text in honest.headers.items() if "andbox" not in name})


def each_row(change: Callable[[Any], Any]) -> Responder:
    """Answer honestly, but for each row."""
    return lambda _asked, honest: honest.rows(lambda rows: [change(row) for row in rows])


def body(change: Callable[[Any], Any]) -> Responder:
    """Answer honestly, but for the JSON as a whole."""
    return lambda _asked, honest: replace(honest, body=json.dumps(change(json.loads(honest.body))).encode())


def from_number(first: int, responder: Responder) -> Responder:
    """Answer honestly to the requests of a kind before the one numbered `first`."""
    return lambda asked, honest: responder(asked, honest) if asked.number >= first else honest


def renamed(old: str, new: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return a change of a JSON object that renames a key."""
    return lambda content: {new if name == old else name: value for name, value in content.items()}
