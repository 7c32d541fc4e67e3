"""A real harvest for the benches: client, ring and store as the command joins them, against a server beside."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from harvester.clock import Stop, SystemClock
from harvester.freesound.client import FreesoundClient
from harvester.freesound.key import ApiKey
from harvester.freesound.quota import LEVELS, MemoryLedger
from harvester.freesound.transport import AiohttpTransport
from harvester.freesound.wire import RawResponse
from harvester.library.store import Store
from harvester.pipeline.harvest import Harvest
from harvester.pipeline.plan import Plan
from harvester.pipeline.progress import Progress
from harvester.settings import SAMPLES_PER_COMMIT
from tests.support.processes import KEY

CONCURRENCY = 16


@dataclass(frozen=True)
class Ran:
    """What a run brought and what it took of this process until the last sample was durable.

    `closing_s`: the last checkpoint with its verified backup, after that.
    """

    samples: int
    nodes: int
    wall_s: float
    cpu_s: float
    closing_s: float

    @property
    def samples_a_second(self) -> float:
        return self.samples / self.wall_s

    @property
    def cpu_ms_a_sample(self) -> float:
        return 1000 * self.cpu_s / self.samples


class RecordingTransport(AiohttpTransport):
    """Keeps what was asked, so that others can ask the same."""

    def __init__(self, url: str) -> None:
        super().__init__(url, ApiKey(KEY))
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def get(self, path: str, params: Mapping[str, str], *, anonymous: bool = False) -> RawResponse:
        self.asked.append((path, dict(params)))
        return await super().get(path, params, anonymous=anonymous)


async def harvest(
    url: str,
    folder: Path,
    samples: int | None,
    *,
    watch: Callable[[Store], bool] = lambda _: False,
    transport: AiohttpTransport | None = None,
    samples_per_commit: int = SAMPLES_PER_COMMIT,
) -> Ran:
    """Grow the library in `folder` without limits, each sample durable; `watch` sees it ten times a second.

    The run ends in order with its checkpoint once `watch` says so.
    """
    clock, stop = SystemClock(), Stop()
    transport = transport or RecordingTransport(url)
    with Store.open(folder, clock=clock) as store:
        gc.collect()
        gc.freeze()
        async with FreesoundClient(
            transport, clock=clock, stop=stop, ledger=MemoryLedger(), limits=LEVELS[99], rng=Random(0), address=url
        ) as client:
            before = len(store.state.processed)
            began_s, began_cpu_s = time.perf_counter(), time.process_time()
            store.set_source(await client.identify())
            plan = Plan(target=samples, concurrency=CONCURRENCY, samples_per_commit=samples_per_commit)
            ring = Harvest(plan, store, client, clock=clock, stop=stop, progress=Progress(clock, samples))

            async def look() -> None:
                while not watch(store):
                    await clock.sleep(0.1)
                stop.close("the bench has seen enough")

            durable = [began_s, began_cpu_s]
            append = store.append

            def append_timed(*arguments: Any) -> None:
                append(*arguments)
                durable[:] = time.perf_counter(), time.process_time()

            store.append = append_timed  # type: ignore[method-assign, assignment]  # to time it
            watching = asyncio.create_task(look())
            await ring.run()
            watching.cancel()
            wall_s, cpu_s = durable[0] - began_s, durable[1] - began_cpu_s
            state = store.state
            samples = len(state.processed) - before
            return Ran(samples, len(state), wall_s, cpu_s, time.perf_counter() - durable[0])
