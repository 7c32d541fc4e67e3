"""One harvest as a process: joins client, store and ring, shows it, and answers signals.

The only place where the network floor and the disk floor are wired together. An orderly end leaves a checkpoint; any
other end leaves the journal, from which the next run resumes.
"""

from __future__ import annotations

import asyncio
import gc
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from harvester.cli.console import Console, note, say
from harvester.cli.display import showing, status_file, summarise
from harvester.cli.run import Run
from harvester.clock import Clock, Stop, SystemClock
from harvester.errors import SettingsError
from harvester.freesound.address import is_loopback, read_api_url
from harvester.freesound.client import AiohttpTransport, FreesoundClient
from harvester.freesound.key import ApiKey
from harvester.freesound.quota import LEVELS, Ledger, Limits, MemoryLedger
from harvester.library.ledger import FileLedger
from harvester.library.store import Store
from harvester.pipeline.harvest import Harvest, Plan
from harvester.pipeline.progress import Progress
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.server import serving
from harvester.sandbox.service import Sandbox
from harvester.settings import KEY_VARIABLE, REAL_LIBRARY, SANDBOX_LIBRARY

SANDBOX_KEY = "sandbox"
SANDBOX_SOUNDS, SANDBOX_SEED = 5_000, 7


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asked for. `api_url` None: the embedded sandbox. `folder` None: the usual one."""

    plan: Plan
    key: str | None
    api_url: str | None
    folder: Path | None
    limits: Limits
    max_requests: int | None
    space: str
    extra_fields: tuple[str, ...]
    backup_every: int
    keep_backups: int
    panel: bool


@dataclass(frozen=True, slots=True)
class Server:
    """Whom the run asks, with which key and limits, and who keeps count of the requests."""

    url: str
    key: ApiKey
    limits: Limits
    embedded: bool

    @property
    def folder(self) -> Path:
        """Where its library lives by default: sounds from this machine are never Freesound's."""
        return SANDBOX_LIBRARY if is_loopback(urlsplit(self.url).hostname or "") else REAL_LIBRARY


async def run_session(request: Request) -> None:
    """Harvest as `request` says and print what grew. Raises a `HarvesterError` after the same orderly end."""
    clock, stop = SystemClock(), Stop()
    panel = request.panel and not Console.quiet
    async with AsyncExitStack() as stack:
        stack.enter_context(_signals(stop))
        server = await stack.enter_async_context(_server(request, clock))
        folder = request.folder or server.folder
        store = stack.enter_context(
            Store.open(folder, clock=clock, backup_every=request.backup_every, keep_backups=request.keep_backups)
        )
        for line in store.notices:
            note(line)
        store.notices.clear()
        # One full collection over a large library stalls the loop for half a second; what is loaded stays.
        gc.collect()
        gc.freeze()
        progress = Progress(clock, request.plan.target)
        client = await stack.enter_async_context(_client(request, server, store, clock, stop, progress))
        store.set_source(await client.identify())
        ring = Harvest(request.plan, store, client, clock=clock, stop=stop, progress=progress)
        run = Run(
            ring,
            client,
            store,
            folder,
            server.url,
            server.key.fingerprint,
            durable_ledger=not server.embedded,
            clock=clock,
            started_at=clock.time_us(),
        )
        async with showing(run, panel=panel), status_file(run):
            reason = await ring.run()
        summarise(run, reason)


@asynccontextmanager
async def _server(request: Request, clock: Clock) -> AsyncIterator[Server]:
    """Give the server to ask; without an address, start the sandbox in this process for as long as the run lasts."""
    if request.api_url is not None:
        url = read_api_url(request.api_url)
        key = request.key
        if key is None and is_loopback(urlsplit(url).hostname or ""):
            key = SANDBOX_KEY
        if key is None:
            raise SettingsError(f"{url} needs an API key: set {KEY_VARIABLE} in the environment or in .env")
        yield Server(url, ApiKey(key), request.limits, embedded=False)
        return
    if request.key is None:
        say(
            f"no {KEY_VARIABLE} set: harvesting the embedded sandbox (made-up sounds, offline). "
            "A free key: https://freesound.org/apiv2/apply/"
        )
    # In this process the server and the ring share one loop; nothing is throttled, nothing leaves the machine.
    sandbox = Sandbox(
        GeneratedCatalogue(SANDBOX_SOUNDS, SANDBOX_SEED), clock=clock, tokens=(SANDBOX_KEY,), burst=None, daily=None
    )
    async with serving(sandbox) as url:
        yield Server(url, ApiKey(SANDBOX_KEY), LEVELS[99], embedded=True)


@asynccontextmanager
async def _client(
    request: Request, server: Server, store: Store, clock: Clock, stop: Stop, progress: Progress
) -> AsyncIterator[FreesoundClient]:
    # The embedded sandbox forgets with the process, and so may the ledger; a real key's ledger outlives everything.
    ledger: Ledger = MemoryLedger() if server.embedded else FileLedger.open(server.url, server.key.fingerprint)
    transport = AiohttpTransport(server.url, server.key)
    async with FreesoundClient(
        transport,
        clock=clock,
        stop=stop,
        ledger=ledger,
        limits=server.limits,
        rng=random.Random(),
        address=server.url,
        space=store.state.space,
        extra_fields=request.extra_fields,
        forever=request.plan.forever,
        max_requests=request.max_requests,
        on_event=progress.tell,
    ) as client:
        yield client


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM end the run in order, and the second end the process at once."""
    loop = asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        if stop.closed:
            # Everything counted is in the journal; nothing of this process is needed any more.
            os._exit(128 + number)
        stop.close(f"asked to stop ({number.name})")
        say("stopping in order: finishing the requests on the wire (once more ends at once)")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked, number)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
