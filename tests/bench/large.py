"""What commands cost on a library of 250,000 sounds: CPU time and memory, each as a process of its own.

Beside them `joblib.load` of the same file, which verifies nothing, and DuckDB on the exported Parquet file. The library
is made once in a temporary folder, in about a minute. `BENCH_SOUNDS` sets another size.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from harvester.checkpoint.format import encode_checkpoint
from harvester.clock import SystemClock
from harvester.graph import SoundGraph
from harvester.library.store import Store
from harvester.model import Event, Linked, Seeded, Seen
from harvester.storage import CHECKPOINT
from tests.bench.beside.libraries import SOURCE, START_US, list_of, record_of
from tests.bench.beside.measuring import forget_peak, in_fresh_process, peak_bytes
from tests.bench.table import Table
from tests.support.processes import environment

SOUNDS = int(os.environ.get("BENCH_SOUNDS", "250_000"))
LISTED, EDGES, NEW, NEW_LISTS = 8, 25, 1_000, 100
"""Every eighth sound has a similar list of 25."""

_STARTER = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(code)
"""
_SQL = "SELECT count(*) FROM sounds WHERE name ILIKE '%rain%'"
_OPEN = "import harvester; print(harvester.Library.open('lib')[{}].name)"
_LOAD = "import joblib; joblib.load('lib/freesound_library.pkl')"
_DUCKDB = "import duckdb; print(duckdb.sql(\"select count(*) from 'sounds.parquet' where name ilike '%rain%'\"))"


def make(folder: Path) -> tuple[int, int]:
    """Write the library; return its counts of sounds and edges."""
    state, random, ids = SoundGraph(SOURCE), Random(7), []
    for place in range(SOUNDS):
        record = record_of(place)
        ids.append(record["id"])
        state.apply(Seen(record["id"], record, START_US + place))
    state.apply(Seeded((ids[0],)))
    for place in range(0, SOUNDS, LISTED):
        state.apply(Linked(ids[place], list_of(ids, place, EDGES, random)))
    folder.mkdir(parents=True)
    (folder / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(state)))
    with Store.open(folder, clock=SystemClock()) as store:
        store.checkpoint(backup=True)  # the journal knows the file now, as after a harvest
    return len(state), state.edge_count


def harvest(folder: Path) -> None:
    """Add sounds and lists to the journal alone, as a harvest does between two checkpoints."""
    random, ids = Random(8), [record_of(place)["id"] for place in range(SOUNDS)]
    records = list(map(record_of, range(2 * SOUNDS, 2 * SOUNDS + NEW)))
    events: list[Event] = [Seen(record["id"], record, START_US + 2 * SOUNDS) for record in records]
    for place in range(1, SOUNDS, SOUNDS // NEW_LISTS):
        events.append(Linked(ids[place], list_of(ids, place, EDGES, random)))
    with Store.open(folder, clock=SystemClock()) as store:
        for start in range(0, len(events), 10):
            store.append(events[start : start + 10])


def grow(folder: Path) -> list[tuple[str, float, int]]:
    """Add sounds, write checkpoint and backup; return what each step took in CPU s and peak bytes."""
    steps = []

    def note(what: str, began_s: float) -> None:
        steps.append((what, time.process_time() - began_s, peak_bytes()))
        forget_peak()

    began_s = time.process_time()
    with Store.open(folder, clock=SystemClock()) as store:
        note("open for writing", began_s)
        began_s = time.process_time()
        records = list(map(record_of, range(SOUNDS, SOUNDS + NEW)))
        events = [Seen(record["id"], record, START_US + SOUNDS + place) for place, record in enumerate(records)]
        store.append(events)
        for event in events:
            store.state.apply(event)
        note(f"{NEW:,} new sounds into the journal", began_s)
        began_s = time.process_time()
        store.checkpoint(backup=True)
        note("checkpoint and verified backup of these", began_s)
    return steps


def process(arguments: Sequence[object], folder: Path) -> tuple[float, int]:
    """Run Python with these arguments; return its CPU seconds and its peak memory in bytes."""
    # Linux counts the memory of the process that starts another as its peak, so a small one starts it.
    command = [sys.executable, "-c", _STARTER, sys.executable, *map(str, arguments)]
    ended = subprocess.run(
        command, cwd=folder, env=environment(folder / "state"), capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise RuntimeError(ended.stderr)
    used_s, peak_kib = ended.stdout.splitlines()[-1].split()
    return float(used_s), int(peak_kib) * 1024


def run() -> Table:
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sounds, edges = in_fresh_process(make, folder / "lib")
        table = Table(f"A library of {sounds:,} sounds and {edges:,} edges", ("what", "CPU s", "peak MB"))
        sound_id = record_of(SOUNDS // 2)["id"]
        commands = (
            ("show", sound_id), ("show", sound_id), ("find", "rain"), ("find", "e"), ("status",), ("check",),
            ("export", "csv", "--output", "sounds.csv"),
            ("export", "parquet", "--output", "sounds.parquet"),
            ("sql", _SQL), ("sql", _SQL),
        )  # fmt: skip
        for command in commands:
            name = " ".join(map(str, command[: 2 if command[0] in ("export", "find") else 1]))
            name += "" if table.rows else ", which loads the library and builds its index"
            used_s, peak = process(["-m", "harvester", *command, "--library", "lib"], folder)
            table.rows.append((f"harvester {name}", used_s, peak / 1e6))
        programs = (
            ("Library.open and one sound", _OPEN.format(sound_id)),
            ("joblib.load, nothing verified", _LOAD),
            ("DuckDB: names with rain, Parquet", _DUCKDB),
        )
        for name, program in programs:
            used_s, peak = process(["-c", program], folder)
            table.rows.append((name, used_s, peak / 1e6))
        for what, used_s, peak in in_fresh_process(grow, folder / "lib"):
            table.rows.append((what, used_s, peak / 1e6))
        process(["-m", "harvester", "status", "--library", "lib"], folder)  # builds the index of the new checkpoint
        in_fresh_process(harvest, folder / "lib")
        for command in (("show", sound_id), ("find", "rain"), ("status",)):
            used_s, peak = process(["-m", "harvester", *command, "--library", "lib"], folder)
            name = f"harvester {command[0]}, beside {NEW:,} new sounds and {NEW_LISTS} lists in the journal"
            table.rows.append((name, used_s, peak / 1e6))
    table.notes.append("goals: show 0.4 s, find and status 0.8 s, each 100 MB; check 40 s, 400 MB; csv 35 s, 150 MB")
    table.notes.append("goals of a harvest: 1,000 new sounds 4 s, peak 1,400 MB")
    return table
