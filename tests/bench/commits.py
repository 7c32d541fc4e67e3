"""The durable commit of one sample in libraries of any size, beside `write` and `fdatasync` of the same bytes.

Measured where a run of weeks lives: once the WAL has been filled and is written over from its begin. Before that, in
the first seconds without limits and the first half hour with a key, a commit takes a seventh longer: its file grows.

Goals: flat within 1.3 from the smallest library to the largest, the median within 1.3 of the floor, p99 within 3.
"""

from __future__ import annotations

import gc
import os
import time
from pathlib import Path
from random import Random
from statistics import quantiles
from tempfile import TemporaryDirectory

from harvester.clock import SystemClock
from harvester.library.store import Store
from harvester.model import Linked, Seen
from tests.bench.beside.libraries import START_US, grown, list_of, record_of
from tests.bench.beside.measuring import in_fresh_process
from tests.bench.table import Table

SIZES, WARM_UP, COMMITS, EDGES = (50, 5_000, 50_000, 200_000), 1_500, 600, 20


def commit(sounds: int, folder: str) -> tuple[list[float], list[float], float]:
    """Return seconds of each commit, of each write of as many bytes, and those bytes."""
    full = grown(sounds, EDGES)
    ids, random = list(full.graph), Random(1)
    with Store.open(Path(folder), clock=SystemClock()) as store, (Path(folder) / "floor").open("wb", 0) as floor:
        store.state.graph.adopt(full.graph._node, full.graph._adj)
        gc.collect()
        gc.freeze()
        wal = next(Path(folder).glob("*.journal-wal"))
        before = wal.stat().st_size
        events = []
        for place in range(WARM_UP + COMMITS):
            record = record_of(sounds + place)
            similar = list_of(ids, place, EDGES, random)
            events.append((Seen(record["id"], record, START_US), Linked(record["id"], similar)))
        ours: list[float] = []
        theirs: list[float] = []
        for both in events[: WARM_UP // 10]:
            store.append(both)
        size_bytes = (wal.stat().st_size - before) * 10 // WARM_UP
        for both in events[WARM_UP // 10 : WARM_UP]:
            store.append(both)
        block = os.urandom(size_bytes)
        for both in events[WARM_UP:]:
            began_s = time.perf_counter()
            store.append(both)
            ours.append(time.perf_counter() - began_s)
            for event in both:
                store.state.apply(event)
            began_s = time.perf_counter()
            floor.write(block)
            os.fdatasync(floor.fileno())
            theirs.append(time.perf_counter() - began_s)
    return ours, theirs, size_bytes


def run() -> Table:
    columns = ("nodes", "commit ms", "p99 ms", "write + fdatasync ms", "its p99 ms", "median ratio", "p99 ratio")
    table = Table(f"A durable commit of one sample ({COMMITS} of them, both in turn on one disk)", columns)
    medians = []
    for sounds in SIZES:
        # In the project's folder: a scratch folder may be a file system in memory, where syncing costs nothing.
        with TemporaryDirectory(dir=Path.cwd()) as folder:
            ours, theirs, size_bytes = in_fresh_process(commit, sounds, folder)
        (our_ms, our_p99), (floor_ms, floor_p99) = _median_and_p99(ours), _median_and_p99(theirs)
        medians.append(our_ms)
        ratios = our_ms / floor_ms, our_p99 / floor_p99
        table.rows.append((sounds, our_ms, our_p99, floor_ms, floor_p99, *ratios))
    table.notes.append(f"{size_bytes:,.0f} bytes a commit; medians within {max(medians) / min(medians):.2f}")
    table.notes.append("goals: medians within 1.3 of each other and of the floor's, p99 within 3 of its")
    return table


def _median_and_p99(values: list[float]) -> tuple[float, float]:
    cuts = quantiles(values, n=100)
    return 1000 * cuts[49], 1000 * cuts[98]
