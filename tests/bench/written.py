"""Bytes written from nothing to 5,000 samples at one commit a sample, backups and all, beside the last checkpoint.

Goal: at most 20 times its size. Time is virtual and slow, as with a real key, so that no backup is put off; the
script's bytes are the sum of its dumps, each as large as joblib makes that many sounds.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import joblib

from harvester.clock import Stop
from harvester.freesound.client import FreesoundClient
from harvester.freesound.quota import LEVELS, MemoryLedger
from harvester.library.store import Store
from harvester.pipeline.harvest import Harvest
from harvester.pipeline.plan import Plan
from harvester.pipeline.progress import Progress
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.service import Sandbox
from harvester.storage.atomic import Files
from tests.bench.beside.libraries import as_others_keep_it, grown
from tests.bench.beside.measuring import in_fresh_process
from tests.bench.table import Table
from tests.support.fake_transport import SandboxTransport
from tests.support.virtual_time import VirtualClock, run_virtual

SAMPLES = 5_000


def _written_bytes() -> int:
    return next(
        int(line.split()[1]) for line in Path("/proc/self/io").read_text().splitlines() if line.startswith("wchar")
    )


class CountedFiles(Files):
    """The file system, with the bytes written by kind of file."""

    def __init__(self) -> None:
        self.written: Counter[str] = Counter()
        self.files: Counter[str] = Counter()
        self._kinds: dict[int, str] = {}

    def create(self, path: Path) -> int:
        descriptor = super().create(path)
        self._kinds[descriptor] = "backups" if "backup" in path.name else "checkpoints"
        self.files[self._kinds[descriptor]] += 1
        return descriptor

    def write(self, descriptor: int, chunk: bytes) -> int:
        size_bytes = super().write(descriptor, chunk)
        self.written[self._kinds[descriptor]] += size_bytes
        return size_bytes


def harvest(folder: str) -> tuple[int, int, int, int, str]:
    """Return bytes written, bytes of the last checkpoint, samples, sounds, and what went where."""
    catalogue, files = GeneratedCatalogue(SAMPLES + 100), CountedFiles()

    async def main() -> tuple[int, int]:
        clock, stop = VirtualClock(), Stop()
        transport = SandboxTransport(Sandbox(catalogue, clock=clock, burst=None, daily=None), clock, latency_s=1.0)
        client = FreesoundClient(
            transport, clock=clock, stop=stop, ledger=MemoryLedger(), limits=LEVELS[99], rng=Random(0)
        )
        with Store.open(Path(folder), clock=clock, files=files) as store:
            plan = Plan(target=SAMPLES, concurrency=4, samples_per_commit=1)
            await Harvest(plan, store, client, clock=clock, stop=stop, progress=Progress(clock, SAMPLES)).run()
            return len(store.state.processed), len(store.state)

    before = _written_bytes()
    samples, sounds = run_virtual(main())
    written = _written_bytes() - before
    last = (Path(folder) / "freesound_library.pkl").stat().st_size
    split = [f"{files.files[kind]} {kind} {files.written[kind] / last:.1f}" for kind in sorted(files.written)]
    split.append(f"the journal {(written - files.written.total()) / last:.1f}")
    return written, last, samples, sounds, ", ".join(split)


def run() -> Table:
    columns = ("who", "samples", "last file MB", "written MB", "times the last file")
    table = Table("Bytes written, one commit a sample, journal, checkpoints and backups", columns)
    with TemporaryDirectory() as scratch:
        written, last, samples, sounds, split = in_fresh_process(harvest, scratch)
        table.rows.append(("harvester", samples, last / 1e6, written / 1e6, written / last))
        path = f"{scratch}/dump"
        joblib.dump(as_others_keep_it(grown(500)), path, compress=3)
        a_sound = Path(path).stat().st_size / 500
    dumped = a_sound * SAMPLES * (SAMPLES + 1) / 2
    last_dump = a_sound * SAMPLES
    table.rows.append(("joblib.dump for each sample", SAMPLES, last_dump / 1e6, dumped / 1e6, dumped / last_dump))
    table.notes.append(f"{sounds:,} sounds in the end; goal: at most 20. In times the last file: {split}")
    table.notes.append("the second row is reckoned from a dump of 500")
    return table
