"""Linking with more workers: threads of this machine, and a Dask cluster of processes on it.

The library is that of `linking`: 100,000 made-up vectors of 512 dimensions. Each row links a copy of it in a process of
its own, with the same clock, so that the bytes can be compared. A worker computes with one thread.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from harvester.jobs import Threads, hired
from harvester.similarity.link import link_library
from harvester.storage.paths import CHECKPOINT
from tests.bench.linking import MANY, NEIGHBOURS, _grow, made_up
from tests.bench.table import Table
from tests.support.dask_cluster import dask_scheduler, dask_worker
from tests.support.samples import FixedClock

HOW = ("1 thread", "2 threads", "a Dask cluster with 2 workers")
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def run() -> Table:
    table = Table(
        f"`harvester link` of {MANY:,} sounds with vectors of 512 dimensions",
        ("with", "seconds", "CPU seconds", "times as fast", "peak MB", "bytes"),
    )
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        with TemporaryDirectory() as folder:
            subprocess.run([sys.executable, "-m", __name__, folder, "grow"], check=True)
            measured = [_measure(Path(folder), how) for how in HOW]
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    first_s, first_digest = measured[0][0], measured[0][3]
    for how, (seconds, cpu_s, peak_mb, digest) in zip(HOW, measured, strict=True):
        same = "the same" if digest == first_digest else "DIFFERENT"
        table.rows.append((how, round(seconds, 1), round(cpu_s, 1), round(first_s / seconds, 2), peak_mb, same))
    table.notes.append(
        "All of the command: reading, linking, a checkpoint and its verified backup. CPU seconds are those"
    )
    table.notes.append("of all processes, the cluster's with their start; the peak is that of the command's process.")
    return table


def _measure(folder: Path, how: str) -> tuple[float, float, int, str]:
    """Return (seconds, CPU seconds, peak MB, digest of the checkpoint) of a link."""
    library = folder / "copy"
    shutil.copytree(folder / "lib", library)
    before_s = _children_cpu_s()
    with ExitStack() as stack:
        address = ""
        if how == HOW[2]:
            address = stack.enter_context(dask_scheduler(0)).address
            for _ in range(2):
                stack.enter_context(dask_worker(address))
        started_s = time.perf_counter()
        command = [sys.executable, "-m", __name__, str(library), how, address]
        ended = subprocess.run(command, check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - started_s
    digest = hashlib.sha256((library / CHECKPOINT).read_bytes()).hexdigest()
    shutil.rmtree(library)
    return seconds, _children_cpu_s() - before_s, int(ended.stdout), digest


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _main(folder: Path, how: str, address: str = "") -> None:
    if how == "grow":
        _grow(folder / "lib", made_up(MANY, 2), 1)
        return
    with hired(Threads(2 if how == HOW[1] else 1), address or None, packages=["numpy"]) as team:
        link_library(folder, clock=FixedClock(), neighbours=NEIGHBOURS, part_s=1e9, team=team)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), *sys.argv[2:])
