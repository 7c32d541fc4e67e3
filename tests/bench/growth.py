"""A library grown to 100,000 sounds in one go, on the sandbox without limits: time, memory, and what a sample costs.

Goals: at most 10 minutes and 2.5 GiB, the last 10,000 sounds at 0.8 of the speed of the first. Beside it, what a sample
costs the script that dumps everything after each, as far as it gets in two minutes. `make pictures` draws both.
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from harvester.library.store import Store
from tests.bench.beside.harvesting import harvest
from tests.bench.beside.measuring import in_fresh_process
from tests.bench.beside.script import grow
from tests.bench.table import Table
from tests.support.processes import sandbox_process

SOUNDS = int(os.environ.get("BENCH_SOUNDS", "100_000"))
CATALOGUE, SCRIPT_S = 4 * SOUNDS, 120.0

Trace = list[tuple[float, int, int]]
"""Seconds since the start, samples, sounds."""


def ours(url: str, folder: str) -> tuple[Trace, float, int]:
    """Return the trace, seconds of the whole run with its closing checkpoint, and the peak memory in bytes."""
    trace: Trace = []
    began_s = time.perf_counter()

    def watch(store: Store) -> bool:
        trace.append((time.perf_counter() - began_s, len(store.state.processed), len(store.state)))
        return len(store.state) >= SOUNDS

    asyncio.run(harvest(url, Path(folder), None, watch=watch))
    took_s = time.perf_counter() - began_s
    return trace, took_s, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def script(url: str, path: str) -> Trace:
    trace: Trace = []
    began_s = time.perf_counter()
    for samples, nodes, _ in grow(url, Path(path)):
        trace.append((time.perf_counter() - began_s, samples, nodes))
        if trace[-1][0] > SCRIPT_S:
            break
    return trace


def steps(trace: Trace, least: int = 10) -> list[tuple[int, float]]:
    """Return sounds and milliseconds a sample, in steps that grow by a fifth."""
    kept = [trace[0]]
    for point in trace:
        if point[2] >= 1.2 * kept[-1][2] and point[1] - kept[-1][1] >= least:
            kept.append(point)
    return [(late[2], 1000 * (late[0] - early[0]) / (late[1] - early[1])) for early, late in pairwise(kept)]


def measure() -> tuple[Trace, float, int, Trace]:
    options = ("--sounds", CATALOGUE, "--no-throttle")
    with TemporaryDirectory() as scratch, sandbox_process(Path(scratch), *options) as sandbox:
        trace, took_s, peak = in_fresh_process(ours, sandbox.url, f"{scratch}/library")
        return trace, took_s, peak, in_fresh_process(script, sandbox.url, f"{scratch}/dump")


def run() -> Table:
    trace, took_s, peak, theirs = measure()
    table = Table(f"A library grown to {SOUNDS:,} sounds in one go", ("sounds", "samples", "seconds", "ms a sample"))
    tenth = SOUNDS // 10
    marks = [next(point for point in trace if point[2] >= at * tenth or point is trace[-1]) for at in range(1, 11)]
    speeds = []
    for early, late in pairwise([(0.0, 0, 0), *marks]):
        speeds.append((late[2] - early[2]) / (late[0] - early[0]))
        per_sample_ms = 1000 * (late[0] - early[0]) / max(1, late[1] - early[1])
        table.rows.append((late[2], late[1], late[0], per_sample_ms))
    of_samples = (marks[-1][1] - marks[-2][1]) / (marks[-1][0] - marks[-2][0]) * marks[0][0] / marks[0][1]
    table.notes.append(
        f"{took_s:.0f} s with the closing checkpoint and backup (goal 600), peak {peak / 1024**3:.2f} GiB (goal 2.5); "
        f"the last tenth at {speeds[-1] / speeds[0]:.2f} of the first in sounds, {of_samples:.2f} in samples "
        "(goal 0.8)"
    )
    seconds, samples, sounds = theirs[-1]
    table.notes.append(f"the script came to {samples:,} samples and {sounds:,} sounds in {seconds:.0f} s")
    return table


def draw(path: Path) -> None:
    """Write the picture: what a sample costs against the size of the library, both axes logarithmic."""
    from matplotlib import pyplot

    trace, _, _, theirs = measure()
    pyplot.rcParams["svg.hashsalt"] = "growth"
    figure, axes = pyplot.subplots(figsize=(7.2, 4.2))
    for name, points, colour in (
        ("harvester", steps(trace), "#2a6f97"),
        ("a dump after each", steps(theirs), "#c1440e"),
    ):
        axes.loglog(*zip(*points, strict=True), marker="o", markersize=3, color=colour, label=name)
    axes.set_xlabel("sounds in the library")
    axes.set_ylabel("milliseconds a sample")
    axes.grid(True, which="both", alpha=0.2)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})
