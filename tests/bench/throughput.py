"""Samples a second without limits, each durable, beside the same requests in a bare loop, 16 at a time.

(a) is a server of bodies encoded beforehand, in a process of its own; (b) is `harvester sandbox`. Goals: 0.5 of the
bare loop's speed in (a), 0.9 in (b).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.beside.bare import ask_all
from tests.bench.beside.bodies import bodies_process
from tests.bench.beside.harvesting import CONCURRENCY, Ran, RecordingTransport, harvest
from tests.bench.beside.measuring import figure, in_fresh_process
from tests.bench.table import Table
from tests.support.processes import sandbox_process

SOUNDS, SAMPLES, RUNS = 20_000, 2_000, 3


def once(url: str, folder: str) -> tuple[Ran, list[tuple[str, dict[str, str]]]]:
    async def main() -> tuple[Ran, list[tuple[str, dict[str, str]]]]:
        transport = RecordingTransport(url)
        return await harvest(url, Path(folder), SAMPLES, transport=transport), transport.asked

    return asyncio.run(main())


def bare(url: str, asked: list[tuple[str, dict[str, str]]]) -> tuple[float, float]:
    return asyncio.run(ask_all(url, asked, CONCURRENCY))


def measure(url: str, table: Table, name: str) -> None:
    ours, theirs = [], []
    with TemporaryDirectory() as scratch:
        once_warm, asked = in_fresh_process(once, url, f"{scratch}/warm")
        for turn in range(RUNS):
            ran, asked = in_fresh_process(once, url, f"{scratch}/{turn}")
            ours.append(ran)
            theirs.append(in_fresh_process(bare, url, asked))
    speed = figure([ran.samples_a_second for ran in ours])
    bare_speed = figure([once_warm.samples / wall_s for wall_s, _ in theirs])
    cpu = figure([ran.cpu_ms_a_sample for ran in ours])
    bare_cpu = figure([1000 * cpu_s / once_warm.samples for _, cpu_s in theirs])
    closing = figure([ran.closing_s for ran in ours])
    table.rows.append((name, "bare loop", bare_speed, bare_cpu, 1.0, "-"))
    table.rows.append((name, "harvester", speed, cpu, speed.median / bare_speed.median, closing))


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
