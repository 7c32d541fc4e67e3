"""Make a client over a fake transport in virtual time, and fetch with it."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from harvester.clock import Clock, Stop
from harvester.errors import FetchFailed, Stopped
from harvester.freesound.client import FreesoundClient
from harvester.freesound.quota import LEVELS, Ledger, Limits, MemoryLedger
from harvester.freesound.wire import Transport
from harvester.sandbox.faults import Fault
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.service import Sandbox
from harvester.told import OnTold
from tests.support.virtual_time import VirtualClock

CATALOGUE = GeneratedCatalogue(300)


def make_client(
    transport: Transport,
    clock: Clock,
    *,
    stop: Stop | None = None,
    ledger: Ledger | None = None,
    limits: Limits = LEVELS[1],
    forever: bool = False,
    on_event: OnTold = lambda _: None,
) -> FreesoundClient:
    return FreesoundClient(
        transport,
        clock=clock,
        stop=stop or Stop(),
        ledger=ledger if ledger is not None else MemoryLedger(),
        limits=limits,
        rng=Random(3),
        forever=forever,
        on_event=on_event,
    )


async def fetch_many(client: FreesoundClient, wanted: int, fetchers: int = 8) -> int:
    """Fetch lists until `wanted` are answered or the run stops; a failed one counts as done. Returns the answered."""
    todo = iter(range(1, wanted + 1))
    answered = 0

    async def fetcher() -> None:
        nonlocal answered
        for sound_id in todo:
            try:
                await client.fetch_similar(sound_id, 25)
                answered += 1
            except FetchFailed:
                continue
            except Stopped:
                return

    await asyncio.gather(*(fetcher() for _ in range(fetchers)))
    return answered


def sandbox_at(clock: VirtualClock, *faults: str, **limits: Any) -> Sandbox:
    return Sandbox(CATALOGUE, clock=clock, faults=[Fault.parse(rule) for rule in faults], **limits)
