"""Run a function for many arguments in parallel, with joblib.

Owns all use of joblib, whose import takes 0.3 s: a single job does not import it. Threads are for arithmetic that numpy
does outside the interpreter's lock, processes for other work. No data is mapped into temporary files, and no process is
left behind. The results do not depend on the number of jobs.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from harvester.errors import SettingsError
from harvester.open_files import OWN_FILES, allow_open_files

ALL_CORES = -1
_WATCH_S = 0.5
_FILES_OF_A_PROCESS = 4

A = TypeVar("A")
R = TypeVar("R")


def count_jobs(jobs: int) -> int:
    """Return the number of jobs; `ALL_CORES`: this process's cores."""
    if jobs != ALL_CORES:
        return jobs
    from joblib import cpu_count

    cores: int = cpu_count()
    return cores


def each_in_threads(function: Callable[[A], R], arguments: Sequence[A], jobs: int) -> Iterator[R]:
    """Yield `function` of each argument, in order, by `jobs` threads."""
    if jobs == 1 or len(arguments) < 2:
        yield from map(function, arguments)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=jobs, backend="threading", return_as="generator")
    yield from parallel(delayed(function)(argument) for argument in arguments)


def each_in_processes(function: Callable[[A], R], arguments: Sequence[A], jobs: int) -> list[R]:
    """Return `function` of each argument, in order, by `jobs` processes.

    An error of `function` is raised here. Raises `SettingsError` if the system kills one of the processes, and if it
    allows too few open files. All processes have ended on return, also after an error or an interrupt.
    """
    if jobs == 1 or len(arguments) < 2:
        return [function(argument) for argument in arguments]
    jobs = min(jobs, len(arguments))
    allow_open_files(f"--jobs {jobs}", OWN_FILES + _FILES_OF_A_PROCESS * jobs, "use fewer jobs")
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        with _terminated_in_order():
            with parallel_config("loky", initializer=_end_with, initargs=(os.getpid(),)), _interrupts_are_ours():
                parallel = Parallel(n_jobs=jobs, return_as="generator", max_nbytes=None)
                results = parallel(delayed(function)(argument) for argument in arguments)
            return list(results)
    except TerminatedWorkerError as error:
        raise SettingsError(
            f"a process of --jobs {jobs} was killed, probably because memory ran out; nothing was changed: "
            f"use fewer jobs"
        ) from error
    finally:
        get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


def _terminated_in_order() -> AbstractContextManager[None]:
    """Turn SIGTERM into an exception: this process ends its children first."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    return _handling(signal.SIGTERM, end)


def _interrupts_are_ours() -> AbstractContextManager[None]:
    """Let children ignore Ctrl-C, sent to all: this process ends them."""
    return _handling(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _handling(number: signal.Signals, handler: Callable[[int, object], None] | signal.Handlers) -> Iterator[None]:
    """Replace a signal's handler in the block, in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


def _end_with(parent: int) -> None:
    """End with `parent`: joblib would keep this process for five minutes."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
