"""Where a harvest without limits spends its CPU time, and what each thing that is done for speed saves of it.

The server answers with bodies encoded beforehand, in a process of its own. Every two milliseconds of CPU time a signal
notes where each thread of the harvester is, weighted by what that thread has used since the last signal. Beside it, the
same harvest without one of the tricks of ARCHITECTURE's "What is done for speed"; CPU time with the last checkpoint and
its verified backup, since a paced user waits for the server and pays only that.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory
from types import FrameType, SimpleNamespace
from typing import Any

import harvester
from harvester.checkpoint import _record_block
from harvester.graph.state import SoundGraph
from harvester.journal import writer as journal_writer
from harvester.settings import SAMPLES_PER_COMMIT
from tests.bench.beside import harvesting
from tests.bench.beside.bodies import bodies_process
from tests.bench.beside.harvesting import harvest
from tests.bench.beside.measuring import figure, in_fresh_process
from tests.bench.table import Table

SOUNDS, SAMPLES, RUNS = 20_000, 2_000, 3
TICK_S = 0.002
HOUSE = str(Path(harvester.__file__).parent)
OF_PACKAGES = {
    "aiohttp": "HTTP", "multidict": "HTTP", "yarl": "HTTP", "asyncio": "event loop", "concurrent": "threads",
    "threading.py": "threads", "selectors.py": "event loop", "aiolimiter": "pacing and retries",
    "tenacity": "pacing and retries", "networkx": "graph",
}  # fmt: skip
"""What the innermost frame of a package counts as."""


class Profile:
    """CPU time of all threads of this process by what they were at."""

    def __init__(self) -> None:
        self.spent_s: dict[str, float] = defaultdict(float)
        self._used_s: dict[int, float] = {}

    def __enter__(self) -> Profile:
        self._note(None)
        self.spent_s.clear()
        signal.signal(signal.SIGPROF, lambda _, frame: self._note(frame))
        signal.siginterrupt(signal.SIGPROF, False)
        signal.setitimer(signal.ITIMER_PROF, TICK_S, TICK_S)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, signal.SIG_IGN)

    def _note(self, own: FrameType | None) -> None:
        frames = sys._current_frames()
        for thread in threading.enumerate():
            identity = thread.ident or 0
            with suppress(OSError):  # the thread has just ended
                used_s = time.clock_gettime(time.pthread_getcpuclockid(identity))
                since_s = used_s - self._used_s.get(identity, 0.0)
                self._used_s[identity] = used_s
                frame = own if thread is threading.main_thread() else frames.get(identity)
                self.spent_s[what_of(frame)] += since_s


def what_of(frame: FrameType | None) -> str:
    """Name the room, or the package beside it, that a frame works for."""
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(HOUSE):
            return path[len(HOUSE) + 1 :].split("/")[0].removesuffix(".py")
        for name, what in OF_PACKAGES.items():
            if f"/{name}" in path:
                return what
        frame = frame.f_back
    return "the rest"


def without_fast_pickler() -> None:
    vars(_record_block)["_FastPickler"] = _record_block._PlainPickler


def without_small_pages() -> None:
    vars(journal_writer)["_PAGE_BYTES"] = 4096


def without_late_predecessors() -> None:
    make = SoundGraph.__init__

    def make_at_once(state: SoundGraph, *arguments: Any, **named: Any) -> None:
        make(state, *arguments, **named)
        len(state.graph.pred)

    vars_of_class: Any = SoundGraph
    vars_of_class.__init__ = make_at_once


def without_frozen_objects() -> None:
    vars(harvesting)["gc"] = SimpleNamespace(collect=gc.collect, freeze=lambda: None)


def as_it_is() -> None: ...


TRICKS: dict[str, tuple[Callable[[], None], int]] = {
    "all": (as_it_is, SAMPLES_PER_COMMIT),
    "without the C pickler's fast mode": (without_fast_pickler, SAMPLES_PER_COMMIT),
    "journal pages of 4,096 bytes, not 512": (without_small_pages, SAMPLES_PER_COMMIT),
    "predecessors kept from the start": (without_late_predecessors, SAMPLES_PER_COMMIT),
    "loaded objects not frozen": (without_frozen_objects, SAMPLES_PER_COMMIT),
    "a commit for each list": (as_it_is, 1),
}


def ours(url: str, folder: str, samples: int, trick: str) -> tuple[float, float]:
    """Return CPU seconds and wall seconds of a run, to the end of its last backup."""
    leave_out, samples_per_commit = TRICKS[trick]
    leave_out()
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    asyncio.run(harvest(url, Path(folder), samples, samples_per_commit=samples_per_commit))
    return time.process_time() - began_cpu_s, time.perf_counter() - began_s


def profiled(url: str, folder: str, samples: int) -> dict[str, float]:
    with Profile() as profile:
        asyncio.run(harvest(url, Path(folder), samples))
    return dict(profile.spent_s)


def run() -> Table:
    columns = ("what", "CPU ms a processed sound", "of the whole", "wall ms")
    table = Table(f"{SAMPLES:,} processed sounds on top of {SAMPLES:,}, as fast as the server gives them", columns)
    with bodies_process(SOUNDS) as url, TemporaryDirectory() as scratch:
        first = Path(scratch) / "first"
        for name in ("warm", "first"):  # a harvest to start from; the server's bodies are made meanwhile
            in_fresh_process(ours, url, f"{scratch}/{name}", 2 * SAMPLES if name == "warm" else SAMPLES, "all")

        def copied(name: str) -> str:
            return str(copytree(first, Path(scratch) / name))

        spent_s = in_fresh_process(profiled, url, copied("profiled"), SAMPLES)
        whole_s = sum(spent_s.values())
        for what, used_s in sorted(spent_s.items(), key=lambda spent: -spent[1]):
            if used_s > 0.005 * whole_s:
                table.rows.append((what, 1000 * used_s / SAMPLES, used_s / whole_s, "-"))
        taken: dict[str, list[tuple[float, float]]] = {trick: [] for trick in TRICKS}
        for turn in range(RUNS):
            for place, trick in enumerate(TRICKS):
                taken[trick].append(in_fresh_process(ours, url, copied(f"{turn}-{place}"), SAMPLES, trick))
        usual = figure([cpu_s for cpu_s, _ in taken["all"]])
        for trick, runs in taken.items():
            cpu, wall = (figure([1000 * run[at] / SAMPLES for run in runs]) for at in (0, 1))
            table.rows.append((trick, cpu, cpu.median * SAMPLES / 1000 / usual.median, wall))
    table.notes.append("rows of rooms are of one run under the profile; the others are medians, with the last backup")
    return table
