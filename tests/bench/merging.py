"""Merging two libraries of 50,000 sounds, half of them in both, beside loading the two. Goal: at most twice that."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from harvester.checkpoint.format import decode_checkpoint
from harvester.clock import SystemClock
from harvester.library.merge import merge_libraries
from tests.bench.beside.libraries import saved
from tests.bench.beside.measuring import in_fresh_process, seconds_of
from tests.bench.table import Figure, Table

SOUNDS, RUNS = 50_000, 3


def load(paths: list[str]) -> Figure:
    return seconds_of(lambda: [decode_checkpoint(Path(path).read_bytes()) for path in paths], RUNS)


def join(paths: list[str]) -> Figure:
    def act() -> None:
        first, second = (decode_checkpoint(Path(path).read_bytes()).state for path in paths)
        first.join(second)

    return seconds_of(act, RUNS)


def merge(paths: list[str], target: str) -> Figure:
    turn = iter(range(RUNS))
    return seconds_of(
        lambda: merge_libraries(
            [Path(path).parent for path in paths], Path(target) / str(next(turn)), clock=SystemClock()
        ),
        RUNS,
    )


def run() -> Table:
    table = Table(f"Merging two libraries of {SOUNDS:,} sounds, half of them in both", ("what", "seconds", "ratio"))
    with TemporaryDirectory() as scratch:
        paths = [f"{scratch}/{name}/freesound_library.pkl" for name in ("one", "other")]
        for place, path in enumerate(paths):
            in_fresh_process(saved, SOUNDS, Path(path), place * SOUNDS // 2)
        both = in_fresh_process(load, paths)
        joined = in_fresh_process(join, paths)
        merged = in_fresh_process(merge, paths, scratch)
    table.rows.append(("load both", both, 1.0))
    table.rows.append(("load and join both", joined, joined.median / both.median))
    table.rows.append(("harvester merge: and write, back up, verify", merged, merged.median / both.median))
    table.notes.append("goal: at most 2 for the merge")
    return table
