"""What a library costs in requests: the harvester beside the script that everybody writes first, on one sandbox.

The script takes a search, then for each sound its own resource and its similar list with the default fields: two
requests a sound, and the neighbours' records come too poor to keep. Nothing but the number of requests is measured,
so time is virtual and nothing is throttled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

from harvester.clock import Stop
from harvester.freesound.client import FreesoundClient
from harvester.freesound.quota import LEVELS, Limits, MemoryLedger
from harvester.graph import SoundGraph
from harvester.pipeline.harvest import Harvest
from harvester.pipeline.plan import Plan
from harvester.pipeline.progress import Progress
from harvester.sandbox.catalogue import Catalogue
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.service import Sandbox
from tests.bench.table import Table
from tests.support.fake_transport import SandboxTransport
from tests.support.listening import lines_to
from tests.support.virtual_time import VirtualClock, run_virtual
from tests.support.world import MemoryStore

SOUNDS = 5_000
EVERYTHING = "duration:[0 TO *]"


@dataclass(frozen=True)
class Spent:
    """What a run cost and what it brought."""

    requests: int
    hydration: int
    samples: int
    records: int
    state: SoundGraph

    @property
    def per_record(self) -> float:
        return self.requests / max(1, self.records)

    @property
    def per_sample(self) -> float:
        return self.requests / max(1, self.samples)


def harvest(
    catalogue: Catalogue,
    plan: Plan,
    store: MemoryStore | None = None,
    *,
    clock: VirtualClock | None = None,
    limits: Limits = LEVELS[99],
    told: Callable[[str], None] | None = None,
) -> Spent:
    """Run the real client and ring against the catalogue and count."""
    clock, store = clock or VirtualClock(), store or MemoryStore()

    async def main() -> Spent:
        stop = Stop()
        transport = SandboxTransport(Sandbox(catalogue, clock=clock, burst=None, daily=None), clock, latency_s=0.001)
        client = FreesoundClient(transport, clock=clock, stop=stop, ledger=MemoryLedger(), limits=limits, rng=Random(0))
        progress = Progress(clock, plan.target, None if told is None else lines_to(told))
        await Harvest(plan, store, client, clock=clock, stop=stop, progress=progress).run()
        state = store.state
        records = sum(state.has_record(sound_id) for sound_id in state.graph)
        hydration = sum("id:(" in sent.params.get("filter", "") for sent in transport.sent)
        return Spent(len(transport.sent), hydration, len(state.processed), records, state)

    return run_virtual(main())


def naive_script(catalogue: Catalogue, samples: int) -> Spent:
    """Do what the script does, until so many sounds have their record and their list."""

    async def main() -> Spent:
        clock = VirtualClock()
        transport = SandboxTransport(Sandbox(catalogue, clock=clock, burst=None, daily=None), clock, latency_s=0.001)

        async def ask(path: str, **params: str) -> dict[str, Any]:
            answer: dict[str, Any] = orjson.loads((await transport.get(path, params)).body)
            return answer

        hits = await ask("search/", sort="downloads_desc")
        queue = deque(sound["id"] for sound in hits["results"])
        done: set[int] = set()
        seen = set(queue)
        while queue and len(done) < samples:
            sound_id = queue.popleft()
            await ask(f"sounds/{sound_id}/")
            for other in (await ask(f"sounds/{sound_id}/similar/"))["results"]:
                if other["id"] not in seen:
                    seen.add(other["id"])
                    queue.append(other["id"])
            done.add(sound_id)
        return Spent(len(transport.sent), 0, len(done), len(done), SoundGraph())

    return run_virtual(main())


def sweep_plan() -> Plan:
    return Plan(target=0, sweep=True, filter=EVERYTHING)


def run() -> Table:
    catalogue = GeneratedCatalogue(SOUNDS, 7)
    table = Table(
        f"Requests on a sandbox of {SOUNDS:,} sounds",
        ("what", "who", "requests", "samples", "full records", "requests a sample", "requests a record"),
    )

    def row(what: str, who: str, spent: Spent) -> None:
        a_sample = spent.per_sample if spent.samples else "-"
        table.rows.append((what, who, spent.requests, spent.samples, spent.records, a_sample, spent.per_record))

    row("first run of 50", "harvester", harvest(catalogue, Plan()))
    row("first run of 50", "two-request script", naive_script(catalogue, 50))
    row("500 samples", "harvester", harvest(catalogue, Plan(target=500)))
    row("500 samples", "two-request script", naive_script(catalogue, 500))
    row("to exhaustion", "harvester", harvest(catalogue, Plan(target=None)))
    row("to exhaustion", "two-request script", naive_script(catalogue, SOUNDS))
    row("sweep of everything", "harvester", harvest(catalogue, sweep_plan()))
    table.notes.append("A free key sends 2,000 requests a day.")
    return table
