"""The first thousand samples on an unthrottled sandbox, beside the straightforward script: both keep every sample.

Goal: fifty times as fast. The script dumps its whole library after each sample, which is what keeps it safe.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.beside.harvesting import harvest
from tests.bench.beside.measuring import figure, in_fresh_process
from tests.bench.beside.script import grow
from tests.bench.table import Table
from tests.support.processes import sandbox_process

SAMPLES, RUNS = 1_000, 3


def ours(url: str, folder: str) -> float:
    ran = asyncio.run(harvest(url, Path(folder), SAMPLES))
    return ran.wall_s + ran.closing_s


def script(url: str, path: str) -> tuple[float, float]:
    began_s, written = time.perf_counter(), 0.0
    for samples, _, size_bytes in grow(url, Path(path)):
        written += size_bytes
        if samples == SAMPLES:
            break
    return time.perf_counter() - began_s, written


def run() -> Table:
    table = Table(f"Seconds to {SAMPLES:,} samples, checkpoint and backup included", ("who", "seconds", "MB written"))
    with (
        TemporaryDirectory() as scratch,
        sandbox_process(Path(scratch), "--sounds", 20_000, "--no-throttle") as sandbox,
    ):
        took = figure([in_fresh_process(ours, sandbox.url, f"{scratch}/{turn}") for turn in range(RUNS)])
        script_s, written = in_fresh_process(script, sandbox.url, f"{scratch}/script.pkl")
    table.rows.append(("harvester", took, "-"))
    table.rows.append(("details, similar, joblib.dump, for each", script_s, written / 1e6))
    table.notes.append(f"{script_s / took.median:.0f} times as fast (goal 50)")
    return table
