"""What a new sound costs in libraries of several sizes: CPU time for state, journal, checkpoints and verified backups.

Nothing is fetched. Records come as in a sweep, 150 a request; processed sounds each with a list of 25, five of it new.
The store decides itself what it writes when, by a clock that shows the CPU time of the process, so that other programs
do not count; the checkpoint and backup at the end are included, loading is not. Goal: at the largest size at most 1.3
times what it is at the smallest. `BENCH_SIZES` sets other sizes.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from harvester.clock import SystemClock
from harvester.library.store import Store
from harvester.model import API_PAGE, Event, Linked, Seen, SimilarList
from tests.bench import large
from tests.bench.beside.libraries import START_US, record_of
from tests.bench.beside.measuring import in_fresh_process, peak_bytes
from tests.bench.table import Table

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10_000 50_000 250_000").split()]
RECORDS, PROCESSED, LISTED, NEW_LISTED = 20_000, 4_000, 25, 5
_LATER_US = 100_000_000


class CpuClock(SystemClock):
    """The system's clock, but seconds pass as the process uses CPU time."""

    def monotonic_s(self) -> float:
        return time.process_time()


def records(size: int) -> Iterator[list[Event]]:
    """Yield the events of each request of a sweep."""
    for start in range(size, size + RECORDS, API_PAGE):
        found = map(record_of, range(start, min(start + API_PAGE, size + RECORDS)))
        yield [Seen(record["id"], record, START_US + _LATER_US + start) for record in found]


def processed(size: int) -> Iterator[list[Event]]:
    """Yield the events of each similar list, of the sounds without one."""
    random, known = Random(3), [record_of(place)["id"] for place in range(1, size, max(2, size // 20_000))]
    for place in range(PROCESSED):
        at_us = START_US + _LATER_US + place
        new = list(map(record_of, range(size + NEW_LISTED * place, size + NEW_LISTED * (place + 1))))
        ids = {record["id"] for record in new} | set(random.sample(known, LISTED - NEW_LISTED))
        scored = sorted(((one, random.random()) for one in ids), key=lambda pair: (-pair[1], pair[0]))
        own = known[place % len(known)]
        seen = [Seen(record["id"], record, at_us) for record in new]
        yield [*seen, Linked(own, SimilarList(tuple(scored), at_us, LISTED))]


def make(folder: Path, size: int) -> None:
    large.SOUNDS = size
    large.make(folder)


def grow(folder: Path, size: int, with_lists: bool) -> tuple[float, float, int]:
    """Return the CPU seconds of all new sounds, those of the end alone, and the peak in bytes."""
    store = Store.open(folder, clock=CpuClock())
    gc.collect()
    gc.freeze()  # as a run does after loading
    used_s = 0.0
    with store:
        for events in (processed if with_lists else records)(size):
            began_s = time.process_time()
            store.append(events)
            for event in events:
                store.state.apply(event)
            checkpoint, backup = store.checkpoint_due(), store.backup_due()
            if checkpoint:
                store.checkpoint(backup=bool(backup))
            elif backup:
                store.back_up()
            used_s += time.process_time() - began_s
        began_s = time.process_time()
        store.checkpoint(backup=True)
        end_s = time.process_time() - began_s
    return used_s + end_s, end_s, peak_bytes()


def run() -> Table:
    columns = ("new sounds", "sounds before", "CPU ms a sound", "of the first", "of it the end, ms", "peak MB")
    table = Table("What a new sound costs, nothing fetched", columns)
    for what, with_lists, count in (("records", False, RECORDS), ("processed sounds", True, PROCESSED)):
        smallest = 0.0
        for size in SIZES:
            with TemporaryDirectory() as scratch:
                in_fresh_process(make, Path(scratch) / "lib", size)
                used_s, end_s, peak = in_fresh_process(grow, Path(scratch) / "lib", size, with_lists)
            each_ms = 1000 * used_s / count
            smallest = smallest or each_ms
            table.rows.append((what, size, each_ms, each_ms / smallest, 1000 * end_s / count, peak / 1e6))
    table.notes.append(f"{RECORDS:,} records; {PROCESSED:,} lists of {LISTED}, {NEW_LISTED} of them new sounds")
    table.notes.append("goal: at most 1.3 of the first")
    return table
