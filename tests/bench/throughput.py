"""Samples a second without limits, each durable, beside the same requests in a bare loop, 16 at a time.

(a) is a server of bodies encoded beforehand, in a process of its own; (b) is `harvester sandbox`. Goals: 0.5 of the
bare loop's speed in (a), 0.9 in (b).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from harvester.settings import SAMPLES_PER_COMMIT
from tests.bench.beside.bare import ask_all
from tests.bench.beside.bodies import bodies_process
from tests.bench.beside.harvesting import CONCURRENCY, Ran, RecordingTransport, harvest
from tests.bench.beside.measuring import figure, in_fresh_process
from tests.bench.table import Table
from tests.support.processes import sandbox_process

SOUNDS, SAMPLES, RUNS = 20_000, 2_000, 3
SETTINGS = {"harvester, a commit a sample": 1, "harvester, waiting samples share a commit": SAMPLES_PER_COMMIT}


def once(
    url: str, folder: str, samples_per_commit: int = SAMPLES_PER_COMMIT
) -> tuple[Ran, list[tuple[str, dict[str, str]]]]:
    async def main() -> tuple[Ran, list[tuple[str, dict[str, str]]]]:
        transport = RecordingTransport(url)
        ran = await harvest(url, Path(folder), SAMPLES, transport=transport, samples_per_commit=samples_per_commit)
        return ran, transport.asked

    return asyncio.run(main())


def bare(url: str, asked: list[tuple[str, dict[str, str]]]) -> tuple[float, float]:
    return asyncio.run(ask_all(url, asked, CONCURRENCY))


def measure(url: str, table: Table, name: str) -> None:
    ours: dict[str, list[Ran]] = {who: [] for who in SETTINGS}
    theirs = []
    with TemporaryDirectory() as scratch:
        once_warm, asked = in_fresh_process(once, url, f"{scratch}/warm")
        for turn in range(RUNS):
            for place, (who, samples_per_commit) in enumerate(SETTINGS.items()):
                ran, asked = in_fresh_process(once, url, f"{scratch}/{turn}-{place}", samples_per_commit)
                ours[who].append(ran)
            theirs.append(in_fresh_process(bare, url, asked))
    bare_speed = figure([once_warm.samples / wall_s for wall_s, _ in theirs])
    bare_cpu = figure([1000 * cpu_s / once_warm.samples for _, cpu_s in theirs])
    table.rows.append((name, "bare loop", bare_speed, bare_cpu, 1.0, "-"))
    for who, runs in ours.items():
        speed = figure([ran.samples_a_second for ran in runs])
        cpu = figure([ran.cpu_ms_a_sample for ran in runs])
        closing = figure([ran.closing_s for ran in runs])
        table.rows.append((name, who, speed, cpu, speed.median / bare_speed.median, closing))


def run() -> Table:
    columns = ("server", "who", "samples a second", "client CPU ms a sample", "of the bare loop", "closing s")
    table = Table(f"{SAMPLES:,} samples of a sandbox of {SOUNDS:,} sounds, {CONCURRENCY} at a time", columns)
    with bodies_process(SOUNDS) as url:
        measure(url, table, "(a) encoded bodies")
    with TemporaryDirectory() as scratch:
        options = ("--sounds", SOUNDS, "--no-throttle")
        with sandbox_process(Path(scratch), *options) as sandbox:
            measure(sandbox.url, table, "(b) harvester sandbox")
    table.notes.append(
        "goals: (a) 0.5, (b) 0.9; until the last sample is durable, with the backups on the way; closing: the "
        "last checkpoint with its verified backup"
    )
    return table
