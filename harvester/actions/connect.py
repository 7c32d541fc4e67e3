"""Connect to the server with its key, limits and ledger.

It is Freesound or a sandbox; without a key, the embedded sandbox. The ledger of a real key is a file in the user's
state folder; the ledger of the embedded sandbox is in memory and ends with the process.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from harvester.actions.events import Reporter
from harvester.clock import Clock, Stop
from harvester.default_folders import real_library, sandbox_library
from harvester.errors import SettingsError
from harvester.freesound import (
    LEVELS,
    AiohttpTransport,
    ApiKey,
    FileLedger,
    FreesoundClient,
    Ledger,
    Limits,
    MemoryLedger,
    RawResponse,
    TransportFailure,
    is_loopback,
    read_api_url,
)
from harvester.key_file import KEY_VARIABLE
from harvester.sandbox import GeneratedCatalogue, Sandbox, serving
from harvester.settings import read_contact
from harvester.told import Level

SANDBOX_KEY = "sandbox"
SANDBOX_SOUNDS, SANDBOX_SEED = 5_000, 7


@dataclass(frozen=True, slots=True)
class Connection:
    """The server and its limits as the caller gives them.

    `api_url` None: the embedded sandbox. `sandbox`: the caller wants it, also where there is a key.
    """

    key: str | None = field(repr=False)
    api_url: str | None
    limits: Limits
    max_requests: int | None = None
    extra_fields: tuple[str, ...] = ()
    forever: bool = False
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """The server that a run sends requests to, with its key and limits."""

    url: str
    key: ApiKey
    limits: Limits
    embedded: bool

    @property
    def folder(self) -> Path:
        """The default folder of its library.

        Sounds from a loopback server never go into Freesound's.
        """
        return sandbox_library() if is_loopback(urlsplit(self.url).hostname or "") else real_library()


@asynccontextmanager
async def open_server(request: Connection, clock: Clock, reporter: Reporter) -> AsyncIterator[Server]:
    """Yield the server of the run.

    Without an address, start the sandbox in this process for as long as the run lasts. Raises `SettingsError` for a
    server on another machine without a key.
    """
    if request.api_url is not None:
        url = read_api_url(request.api_url)
        key = request.key
        if key is None and is_loopback(urlsplit(url).hostname or ""):
            key = SANDBOX_KEY
        if key is None:
            raise SettingsError(f"{url} needs an API key: set {KEY_VARIABLE} in the environment or in .env")
        _tell_host(url, reporter)
        yield Server(url, ApiKey(key), request.limits, embedded=False)
        return
    if request.key is None:
        reporter.tell(
            f"no {KEY_VARIABLE} set: using the embedded sandbox (made-up sounds, offline). "
            "A free key: https://freesound.org/apiv2/apply/"
        )
    else:
        reporter.tell("using the embedded sandbox (made-up sounds, offline)")
    # The sandbox shares the run's event loop; it has no throttle, because no request leaves the machine.
    sandbox = Sandbox(
        GeneratedCatalogue(SANDBOX_SOUNDS, SANDBOX_SEED), clock=clock, tokens=(SANDBOX_KEY,), burst=None, daily=None
    )
    async with serving(sandbox) as url:
        yield Server(url, ApiKey(SANDBOX_KEY), LEVELS[99], embedded=True)


def _tell_host(url: str, reporter: Reporter) -> None:
    """Tell where the key is sent, unless that is Freesound.

    It is a warning if that is another machine.
    """
    parts = urlsplit(url)
    if parts.hostname == "freesound.org":
        return
    level = Level.INFO if is_loopback(parts.hostname or "") else Level.WARNING
    reporter.tell(f"sending requests to {parts.netloc}", level)


class _ToldTransport(AiohttpTransport):
    """A transport that tells each request with its status.

    The path never holds the key.
    """

    def __init__(self, server: Server, reporter: Reporter, clock: Clock, *, contact: str) -> None:
        super().__init__(server.url, server.key, contact=contact)
        self._clock = clock
        self._reporter = reporter

    async def get(self, path: str, params: Mapping[str, str], *, anonymous: bool = False) -> RawResponse:
        """Fetch `path` and tell what came."""
        began_s, asked = (
            self._clock.monotonic_s(),
            f"GET {path}" + "".join(f" {name}={value}" for name, value in params.items() if name != "fields"),
        )
        try:
            response = await super().get(path, params, anonymous=anonymous)
        except TransportFailure as failure:
            self._reporter.tell(
                f"{asked}: {failure.reason}", Level.REQUEST, "request", path=path, reason=failure.reason
            )
            raise
        size_bytes, seconds = len(response.body), round(self._clock.monotonic_s() - began_s, 3)
        self._reporter.tell(
            f"{asked}: HTTP {response.status}, {size_bytes} bytes, {seconds:.2f} s",
            Level.REQUEST, "request", path=path, status=response.status, bytes=size_bytes, seconds=seconds,
        )  # fmt: skip
        return response


@asynccontextmanager
async def open_client(
    request: Connection,
    server: Server,
    clock: Clock,
    stop: Stop,
    reporter: Reporter,
    *,
    space: str,
    keep_body: Callable[[bytes], str] = lambda _: "",
) -> AsyncIterator[FreesoundClient]:
    """Yield a client for the server; at the end close it and its ledger."""
    contact = read_contact(os.environ)
    ledger: Ledger = MemoryLedger()
    async with AsyncExitStack() as stack:
        if not server.embedded:
            ledger = stack.enter_context(
                closing(FileLedger(server.url, server.key.fingerprint, on_notice=reporter.tell))
            )
        transport = (
            _ToldTransport(server, reporter, clock, contact=contact)
            if reporter.verbose
            else AiohttpTransport(server.url, server.key, contact=contact)
        )
        yield await stack.enter_async_context(
            FreesoundClient(
                transport,
                clock=clock,
                stop=stop,
                ledger=ledger,
                limits=server.limits,
                rng=random.Random(),
                address=server.url,
                space=space,
                extra_fields=request.extra_fields,
                forever=request.forever,
                max_requests=request.max_requests,
                on_event=reporter.pass_on,
                keep_body=keep_body,
            )
        )
