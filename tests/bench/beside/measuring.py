"""How the benches measure: repeated runs with their spread, fresh processes, peak memory."""

from __future__ import annotations

import gc
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from tests.bench.table import Figure

T = TypeVar("T")


def figure(values: Sequence[float]) -> Figure:
    """Return the median of several runs with the lowest and the highest."""
    return Figure(statistics.median(values), min(values), max(values), len(values))


def seconds_of(act: Callable[[], object], runs: int = 5) -> Figure:
    """Return the wall time of an act over several runs; garbage is collected between them, not within."""
    took: list[float] = []
    for _ in range(runs):
        gc.collect()
        began_s = time.perf_counter()
        kept = act()
        took.append(time.perf_counter() - began_s)
        del kept
    return figure(took)


def in_fresh_process(act: Callable[..., T], *arguments: Any) -> T:
    """Run a function of a module in a process of its own, so that nothing before it counts."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(act, *arguments).result()


def resident_bytes() -> int:
    """Return what this process holds in memory now."""
    return _status("VmRSS")


def peak_bytes() -> int:
    """Return the most this process held since `forget_peak`."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Let the peak start again from what is held now."""
    Path("/proc/self/clear_refs").write_text("5")


def _status(name: str) -> int:
    for line in Path(f"/proc/{os.getpid()}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"this kernel does not tell {name}")
