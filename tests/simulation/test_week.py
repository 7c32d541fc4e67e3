"""A week at a key's limits in virtual time: real client, real ring, real store on disk, the sandbox's throttle,
crashes, an outage and faults. The ordinary run has fewer and shorter days; the whole week is for `make chaos`."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from harvester.clock import DAY_US, Stop
from harvester.freesound.client import FreesoundClient
from harvester.freesound.ledger import FileLedger
from harvester.freesound.quota import Ledger, Limits, MemoryLedger
from harvester.freesound.wire import RawResponse
from harvester.graph import SoundGraph
from harvester.library.reader import load_view
from harvester.library.store import Store
from harvester.model import RECORD_FIELDS
from harvester.pipeline.harvest import Harvest
from harvester.pipeline.plan import Plan
from harvester.pipeline.progress import Progress
from harvester.sandbox.catalogue import Catalogue
from harvester.sandbox.faults import Fault
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.service import Sandbox
from tests.support.fake_transport import SandboxTransport
from tests.support.virtual_time import START_US, VirtualClock, run_virtual

HOUR_S = 3_600
NEIGHBOURS = 10
"""Shorter lists than usual: what is looked at here is the same, for less of the machine."""
FAULTS = ("500@rate=0.003", "reset@rate=0.002", "truncate@rate=0.002", "null@rate=0.003")
"""1 % of all requests in sum."""


@dataclass
class Wire(SandboxTransport):
    """Notes which lists came with a hole, and tells when a request is sent that the process will not survive."""

    holes: Counter[int] = field(default_factory=Counter)
    fatal_at: int = 0
    fatal: asyncio.Event = field(default_factory=asyncio.Event)

    async def get(self, path: str, params: Mapping[str, str], *, anonymous: bool = False) -> RawResponse:
        if self.fatal_at and len(self.sent) + 1 >= self.fatal_at:
            self.fatal.set()
        raw = await super().get(path, params, anonymous=anonymous)
        if raw.status == 200 and path.endswith("/similar/"):
            results = orjson.loads(raw.body)["results"]
            self.holes[int(path.split("/")[1])] = sum(row is None for row in results)
        return raw


@dataclass
class Week:
    """What came of it."""

    wire: Wire
    state: SoundGraph
    crashes: int
    reason: str

    def samples_of_day(self, day: int) -> int:
        """Return how many lists were fetched in the day after `day` days: each is one request's new knowledge."""
        begin = START_US + day * DAY_US
        stamps = (attributes.get("linked_at", 0) for _, attributes in self.state.graph.nodes.items())
        return sum(begin <= stamp < begin + DAY_US for stamp in stamps)


def live(
    folder: Path,
    catalogue: Catalogue,
    open_ledger: Callable[[], Ledger],
    *,
    daily: int,
    crashes: int,
    fatal_requests: int,
    outage_day: int,
    seed: int = 1,
) -> Week:
    """Harvest until nothing is left, dying at `fatal_requests` random requests and else at random times."""
    chance = random.Random(seed)
    faults = [Fault.parse(rule) for rule in FAULTS]
    begin_s = outage_day * 24 * HOUR_S - 600  # the quota of that day frees up while nobody answers
    faults.append(Fault("502", after_s=begin_s, until_s=begin_s + 6 * HOUR_S))
    needed = len(catalogue)
    requests = sorted(chance.sample(range(5, needed), fatal_requests))
    days = max(1, needed // daily)
    times = sorted(chance.uniform(60, days * 24 * HOUR_S) for _ in range(crashes - fatal_requests))

    async def run(client: FreesoundClient, store: Store, ring: Harvest) -> str:
        # As every run of the command line begins: a process that starts in an outage waits here, where no quota counts.
        store.set_source(await client.identify())
        return await ring.run()

    async def one_life(wire: Wire, clock: VirtualClock) -> str:
        """Run one process to its end; returns the reason, or nothing when it was killed."""
        with Store.open(folder, clock=clock, backup_every=1_000) as store:
            stop, ledger = Stop(), open_ledger()
            client = FreesoundClient(
                wire, clock=clock, stop=stop, ledger=ledger, limits=Limits(60, daily),
                rng=random.Random(seed), forever=True,
            )  # fmt: skip
            progress = Progress(clock, None)
            plan = Plan(target=None, forever=True, neighbours=NEIGHBOURS)
            ring = Harvest(plan, store, client, clock=clock, stop=stop, progress=progress)
            task = asyncio.ensure_future(run(client, store, ring))
            dies: list[asyncio.Future[Any]] = []
            if requests:
                wire.fatal, wire.fatal_at = asyncio.Event(), requests[0]
                dies.append(asyncio.ensure_future(wire.fatal.wait()))
            if times:
                dies.append(asyncio.ensure_future(clock.sleep(times[0] - clock.monotonic_s())))
            work: list[asyncio.Future[Any]] = [task, *dies]
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            died_of_request = bool(requests) and dies[0].done()
            if not task.done():
                (requests if died_of_request else times).pop(0)
                # On the wire at that moment, in any state of it: nothing of the process survives.
                await asyncio.sleep(chance.uniform(0, 0.2))
            for other in work:
                other.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            if isinstance(ledger, FileLedger):
                ledger.close()
            return task.result() if not task.cancelled() else ""

    async def main() -> Week:
        clock = VirtualClock()
        wire = Wire(Sandbox(catalogue, clock=clock, daily=daily, faults=faults, random_seed=seed), clock)
        died, reason = 0, ""
        while not reason:
            reason = await one_life(wire, clock)
            died += not reason
        return Week(wire, load_view(folder).state, died, reason)

    return run_virtual(main())


def neighbours_of(catalogue: Catalogue, sound_id: int) -> tuple[tuple[int, float], ...]:
    """Return what the catalogue itself says: the list that a harvest with nothing in the way brings home."""
    best = sorted(catalogue.neighbours(sound_id, "laion_clap"), key=lambda one: (-one[1], one[0]))
    return tuple((one[0], one[1]) for one in best[:NEIGHBOURS])


def check(week: Week, catalogue: Catalogue, *, daily: int, full_days: int, outage_day: int, crashes: int) -> None:
    assert week.crashes >= crashes
    assert week.reason == "exhausted"
    assert 429 not in week.wire.statuses()
    for day in range(full_days):
        share = week.samples_of_day(day) / daily
        print(
            f"day {day + 1}: {share:.2%} of the quota became samples{' (6 h of outage)' if day == outage_day else ''}"
        )
        assert share >= (0.95 if day == outage_day else 0.98), (day, share)
    assert len(week.state) == len(week.state.processed) == len(catalogue)
    with_holes = 0
    for sound_id in week.state.processed:
        record, theirs = catalogue.record(sound_id), dict(neighbours_of(catalogue, sound_id))
        assert record is not None
        assert week.state.record(sound_id) == {name: record[name] for name in RECORD_FIELDS if name in record}
        mine = week.state.similar(sound_id)
        assert mine is not None
        holes = week.wire.holes[sound_id]
        with_holes += bool(holes)
        assert all(theirs[other] == pytest.approx(score, abs=1e-6) for other, score in mine.neighbours)
        assert len(mine.neighbours) == len(theirs) - holes
    print(f"{week.crashes} crashes, {len(week.wire.sent)} requests, {len(week.state.processed)} samples, "
          f"{with_holes} lists with a null in the answer")  # fmt: skip


def test_days_of_crashes_outage_and_faults_waste_no_quota_and_lose_nothing(memory_path: Path) -> None:
    catalogue = GeneratedCatalogue(2_100, 7, without_vector=0.0)
    ledger = MemoryLedger()  # outlives the crashes as the file does; the file itself is in the whole week
    week = live(
        memory_path / "library", catalogue, lambda: ledger, daily=1000, crashes=22, fatal_requests=6, outage_day=1
    )
    check(week, catalogue, daily=1000, full_days=2, outage_day=1, crashes=20)


@pytest.mark.chaos
def test_a_whole_week_at_level_1(memory_path: Path) -> None:
    catalogue = GeneratedCatalogue(13_000, 7, without_vector=0.0)
    week = live(
        memory_path / "library",
        catalogue,
        lambda: FileLedger("https://sandbox.invalid/", "week", memory_path / "state"),
        daily=2000,
        crashes=24,
        fatal_requests=12,
        outage_day=3,
    )
    check(week, catalogue, daily=2000, full_days=6, outage_day=3, crashes=20)
