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
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from harvester.errors import SettingsError
from harvester.open_files import OWN_FILES, allow_open_files

ALL_CORES = -1
_WATCH_S = 0.5
_OF_JOBLIB = ("_ExecutorManagerThread",)
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
    from multiprocessing import resource_tracker

    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.backend import resource_tracker as loky_tracker
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    results: Generator[R, None, None] | None = None
    with _quiet_when_cut_off():
        try:
            with _terminated_in_order():
                for tracker in (resource_tracker, loky_tracker):
                    tracker.ensure_running()  # started later, it would unblock the signal
                with (
                    parallel_config("loky", initializer=_end_with, initargs=(os.getpid(),)),
                    _interrupts_are_ours(),
                    _without_streams(),
                ):
                    parallel = Parallel(n_jobs=jobs, return_as="generator", max_nbytes=None)
                    results = started = parallel(delayed(function)(argument) for argument in arguments)
                return list(started)
        except TerminatedWorkerError as error:
            raise SettingsError(
                f"a process of --jobs {jobs} was killed, probably because memory ran out; nothing was changed: "
                f"use fewer jobs"
            ) from error
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns of cancelled tasks
                if results is not None:
                    results.close()
                get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)


@contextmanager
def _terminated_in_order() -> Iterator[None]:
    """Turn SIGTERM into an exception: this process ends its children first."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    # The command line, and other programs that handle the signal, do this already.
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def _interrupts_are_ours() -> Iterator[None]:
    """Let children ignore Ctrl-C, sent to all: this process ends them.

    They inherit that signals are blocked. One that comes meanwhile reaches this process after the block: half-started
    processes could not be ended.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _quiet_when_cut_off() -> Iterator[None]:
    """Hide what joblib's thread prints if the block ends with an exception.

    An interrupt cuts off its work, and the thread that hands out tasks may then miss one, also before the interrupt has
    reached this block.
    """
    before, kept = threading.excepthook, list[threading.ExceptHookArgs]()

    def keep(found: threading.ExceptHookArgs) -> None:
        (kept.append if type(found.thread).__name__ in _OF_JOBLIB else before)(found)

    threading.excepthook = keep
    try:
        yield
    except BaseException:
        kept.clear()
        raise
    finally:
        threading.excepthook = before
        for found in kept:
            before(found)


@contextmanager
def _without_streams() -> Iterator[None]:
    """Give children that start in the block no output streams.

    One whose start is cut off by an interrupt would print where it was. An error of its work is raised here.
    """
    kept: dict[int, int] = {}
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        for descriptor in (1, 2):
            with suppress(OSError):  # it is closed
                kept[descriptor] = os.dup(descriptor)
                os.dup2(nothing, descriptor)
        yield
    finally:
        for descriptor, copy in kept.items():
            os.dup2(copy, descriptor)
            os.close(copy)
        os.close(nothing)


def _end_with(parent: int) -> None:
    """End with `parent`: joblib would keep this process for five minutes."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
