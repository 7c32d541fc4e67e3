"""A Dask cluster on this machine: its scheduler and workers in one process, and workers in processes of their own."""

from __future__ import annotations

import asyncio
import atexit
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


class ClusterProcess:
    """A process of a cluster; `address` is its scheduler's, or of the only worker in it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.address = process.stdout.readline().strip()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


@cache
def shared_cluster() -> str:
    """Return the scheduler of a cluster with two workers, which ends with this process."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(dask_scheduler(2)).address


@contextmanager
def dask_scheduler(workers: int) -> Iterator[ClusterProcess]:
    """Start a scheduler with so many workers of one thread, which end with the block."""
    yield from _started("scheduler", str(workers))


@contextmanager
def dask_worker(scheduler: str, *, without: str = "") -> Iterator[ClusterProcess]:
    """Start a worker of one thread in a process of its own, that has no package `without`."""
    yield from _started("worker", scheduler, without)


def _started(*arguments: str) -> Iterator[ClusterProcess]:
    command = [sys.executable, str(Path(__file__)), *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    started = ClusterProcess(process)
    try:
        assert started.address, "the cluster did not start"
        yield started
    finally:
        started.end()


async def _serve(kind: str, argument: str, without: str = "") -> None:
    from distributed import Scheduler, Worker

    settings: dict[str, Any] = {"nthreads": 1, "host": "127.0.0.1", "dashboard": False, "nanny": None}
    async with AsyncExitStack() as stack:
        if kind == "scheduler":
            scheduler = await stack.enter_async_context(
                Scheduler(host="127.0.0.1", port=0, dashboard=False, dashboard_address="127.0.0.1:0")
            )
            for number in range(int(argument)):
                await stack.enter_async_context(Worker(scheduler.address, name=str(number), **settings))
            print(scheduler.address, flush=True)
        else:
            if without:
                sys.modules[without] = None  # type: ignore[assignment]
            worker = await stack.enter_async_context(Worker(argument, **settings))
            print(worker.address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


def _main() -> None:
    import logging

    import dask

    folder = Path(__file__).resolve().parent
    # The script's folder would hide packages; what a worker finds is what the repository has.
    sys.path[:] = [str(ROOT), *(one for one in sys.path if Path(one or ".").resolve() != folder)]
    dask.config.set({"distributed.worker.use-file-locking": False, "distributed.worker.memory.terminate": False})
    logging.disable(logging.CRITICAL)
    asyncio.run(_serve(*sys.argv[1:]))


if __name__ == "__main__":
    _main()
