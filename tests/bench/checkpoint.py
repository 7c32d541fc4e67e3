"""Writing and loading a checkpoint beside `joblib.dump(compress=3)` and `joblib.load`, time and peak memory.

Goals: writing five times as fast with half the memory, loading four times as fast although every value is checked.
Neither side syncs its file here: that is the disk's speed, not the format's.
"""

from __future__ import annotations

import gc
import tempfile
from pathlib import Path

import joblib

from harvester.checkpoint.format import decode_checkpoint, encode_checkpoint
from tests.bench.beside.libraries import as_others_keep_it, grown
from tests.bench.beside.measuring import forget_peak, in_fresh_process, peak_bytes, resident_bytes, seconds_of
from tests.bench.table import Figure, Table

SIZES = (5_000, 50_000)


def write(sounds: int, path: str, ours: bool, runs: int) -> tuple[Figure, float]:
    """Return seconds and peak memory (MB above the library's own) of writing a library of so many sounds."""
    state = grown(sounds)
    content = None if ours else as_others_keep_it(state)
    if not ours:
        del state
    gc.collect()

    def act() -> None:
        if ours:
            with Path(path).open("wb") as out:
                out.writelines(encode_checkpoint(state))
        else:
            joblib.dump(content, path, compress=3)

    held = resident_bytes()
    forget_peak()
    act()
    peak_mb = (peak_bytes() - held) / 1e6
    return seconds_of(act, runs), peak_mb


def load(path: str, ours: bool, runs: int) -> Figure:
    return seconds_of(
        (lambda: decode_checkpoint(Path(path).read_bytes())) if ours else (lambda: joblib.load(path)), runs
    )


def run() -> Table:
    columns = ("sounds", "who", "write s", "peak MB", "file MB", "load s")
    table = Table("Writing and loading a checkpoint, 20 edges a sound", columns)
    with tempfile.TemporaryDirectory() as scratch:
        for sounds in SIZES:
            runs = 5 if sounds <= 5_000 else 3
            figures: dict[bool, tuple[Figure, float, Figure]] = {}
            for ours in (True, False):
                path = f"{scratch}/{sounds}-{ours}"
                write_s, peak_mb = in_fresh_process(write, sounds, path, ours, runs)
                load_s = in_fresh_process(load, path, ours, runs)
                figures[ours] = write_s, peak_mb, load_s
                who = "harvester" if ours else "joblib"
                table.rows.append((sounds, who, write_s, peak_mb, Path(path).stat().st_size / 1e6, load_s))
            same_s = in_fresh_process(load, f"{scratch}/{sounds}-True", False, runs)
            table.rows.append((sounds, "joblib.load of our file", "-", "-", "-", same_s))
            ours_s, our_mb, our_load_s = figures[True]
            theirs_s, their_mb, their_load_s = figures[False]
            faster = theirs_s.median / ours_s.median
            load_faster, same_faster = (one.median / our_load_s.median for one in (their_load_s, same_s))
            table.notes.append(
                f"{sounds:,} sounds: writing {faster:.1f} times as fast (goal 5) with {our_mb / their_mb:.2f} of the "
                f"memory (goal 0.5); loading {load_faster:.1f} times as fast as joblib its own file, "
                f"{same_faster:.1f} times as joblib ours (goal 4)"
            )
    return table
