"""How late the event loop is while a checkpoint of 50,000 sounds is written beside it, and when idle.

Goals during the checkpoint: p99 at most 10 ms, at worst 250 ms.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from harvester.clock import SystemClock
from harvester.library.store import Store
from harvester.model import Known
from tests.bench.beside.libraries import START_US, saved
from tests.bench.beside.measuring import in_fresh_process
from tests.bench.table import Table

SOUNDS, TICK_S, RUNS = 50_000, 0.001, 3


async def _late(awaitable: Awaitable[object]) -> list[float]:
    """Return how many seconds late each tick of the loop came while something was awaited."""
    task = asyncio.ensure_future(awaitable)
    late, clock = [], SystemClock()
    while not task.done():
        began_s = time.perf_counter()
        await clock.sleep(TICK_S)
        late.append(time.perf_counter() - began_s - TICK_S)
    await task
    return late


def measure(folder: str) -> tuple[list[float], list[float], float]:
    async def main() -> tuple[list[float], list[float], float]:
        with Store.open(Path(folder), clock=SystemClock()) as store:
            gc.collect()
            gc.freeze()
            idle = await _late(SystemClock().sleep(3))
            busy, began_s = [], time.perf_counter()
            for turn in range(RUNS):
                known = Known(turn + 1, START_US)
                store.append([known])
                store.state.apply(known)
                busy += await _late(asyncio.to_thread(store.checkpoint, backup=turn == 0))
            return idle, busy, (time.perf_counter() - began_s) / RUNS

    return asyncio.run(main())


def run() -> Table:
    columns = ("the loop", "ticks", "median ms", "p99 ms", "worst ms")
    table = Table(f"Lateness of the event loop, {SOUNDS:,} sounds with 20 edges each", columns)
    with TemporaryDirectory() as folder:
        in_fresh_process(saved, SOUNDS, Path(folder) / "freesound_library.pkl")
        idle, busy, took_s = in_fresh_process(measure, folder)
    for name, late in (("idle", idle), ("beside a checkpoint", busy)):
        cuts = quantiles(late, n=100)
        table.rows.append((name, len(late), 1000 * cuts[49], 1000 * cuts[98], 1000 * max(late)))
    table.notes.append(f"a checkpoint takes {took_s:.1f} s beside the ticks, the first with a verified backup")
    table.notes.append("goals: p99 10 ms, worst 250 ms")
    return table
