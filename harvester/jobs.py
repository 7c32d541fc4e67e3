"""Run a function for many arguments in parallel, with joblib.

Owns all use of joblib, whose import takes 0.3 s: a single job does not import it. Threads are for arithmetic that numpy
does outside the interpreter's lock, processes for other work, and a Dask cluster for either. No data is mapped into
temporary files, and no process is left behind. The results do not depend on who does the work.
"""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from harvester.errors import HarvesterError, SettingsError
from harvester.open_files import OWN_FILES, allow_open_files

if TYPE_CHECKING:
    from harvester.cluster import Cluster, TaskEnd

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


class Team(Protocol):
    """Who does the work: threads, processes, or the workers of a cluster.

    `size`: how many tasks it does at once. `is_remote`: its workers have neither this machine's memory nor its files,
    so what they return is checked.
    """

    size: int
    is_remote: bool

    def each(self, function: Callable[..., R], arguments: Iterable[Any], *shared: Any) -> Iterator[R]:
        """Yield `function(*shared, argument)` of each argument, in order.

        A cluster gets each shared value once, however often it is named. The function is of a module, and its
        arguments and results are plain data.
        """
        ...


class Threads:
    """`jobs` threads of this process."""

    is_remote = False

    def __init__(self, jobs: int = 1) -> None:
        self.size = jobs

    def each(self, function: Callable[..., R], arguments: Iterable[Any], *shared: Any) -> Iterator[R]:
        """Yield the results as `Team.each` says."""
        return each_in_threads(partial(function, *shared), arguments, self.size)


class Processes:
    """`jobs` processes, which live as long as one call of `each`."""

    is_remote = False

    def __init__(self, jobs: int = 1) -> None:
        self.size = jobs

    def each(self, function: Callable[..., R], arguments: Iterable[Any], *shared: Any) -> Iterator[R]:
        """Yield the results as `Team.each` says."""
        return each_in_processes(partial(function, *shared), arguments, self.size)


class _ClusterTeam:
    """The workers of a Dask cluster."""

    is_remote = True

    def __init__(self, cluster: Cluster) -> None:
        self.size = cluster.cores
        self._cluster = cluster
        self._shared: dict[int, tuple[Any, Any]] = {}

    def each(self, function: Callable[..., R], arguments: Iterable[Any], *shared: Any) -> Iterator[R]:
        """Yield the results as `Team.each` says."""
        from joblib import Parallel, delayed

        stand_ins = [self._share(value) for value in shared]
        parallel = Parallel(n_jobs=self.size, backend=_cluster_backend(self._cluster), return_as="generator")
        with closing(parallel(delayed(function)(*stand_ins, argument) for argument in arguments)) as results:
            yield from results

    def _share(self, value: Any) -> Any:
        if id(value) not in self._shared:
            # The value is kept, so that no other one gets its id.
            self._shared[id(value)] = value, self._cluster.scatter(value)
        return self._shared[id(value)][1]


@contextmanager
def hired(local: Threads | Processes, scheduler: str | None, packages: Iterable[str] = ()) -> Iterator[Team]:
    """Give the team for the block: a cluster's workers, else `local`.

    The workers must have the `packages` that their tasks use, in the versions here. Raises the errors of
    `harvester.cluster.connected`; `each` of a cluster raises `ClusterFailed`.
    """
    if scheduler is None:
        yield local
        return
    from harvester.cluster import connected

    with connected(scheduler, packages) as cluster:
        yield _ClusterTeam(cluster)


def _cluster_backend(cluster: Cluster) -> Any:
    """Return a backend for joblib whose jobs are tasks of a cluster.

    joblib's own for Dask (1.6) waits for ever for a task whose workers were killed, opens a client in each worker,
    and scatters arguments, which are lost with the worker that has them.
    """
    from joblib.parallel import ParallelBackendBase

    class Backend(ParallelBackendBase):  # type: ignore[misc]
        supports_retrieve_callback = True

        def __init__(self) -> None:
            super().__init__(nesting_level=0)
            self._running: dict[str, Any] = {}

        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(n_jobs, 2)  # what is for one, joblib would do here

        def submit(self, func: Any, callback: Callable[[Any], None]) -> Any:
            ((function, arguments, _),) = func.items
            future = cluster.submit(_run_task, (function, *arguments), callback)
            self._running[future.key] = future
            return future

        def retrieve_result_callback(self, out: TaskEnd) -> list[Any]:
            self._running.pop(out.future.key, None)
            if out.failure is not None:
                raise out.failure
            result, error = out.result
            if error is not None:
                raise error
            return [result]

        def abort_everything(self, **_ensure_ready: bool) -> None:
            cluster.cancel(list(self._running.values()))
            self._running = {}

    return Backend()


def _run_task(function: Callable[..., R], *arguments: Any) -> tuple[R | None, BaseException | None]:
    """Return the result of a function, or its error; a worker calls it."""
    try:
        return function(*arguments), None
    except Exception as error:
        if not isinstance(error, HarvesterError):
            error.add_note("".join(traceback.format_exception(error)))  # a traceback does not travel
        return None, error


def each_in_threads(function: Callable[[A], R], arguments: Iterable[A], jobs: int) -> Iterator[R]:
    """Yield `function` of each argument, in order, by `jobs` threads."""
    if jobs == 1 or _are_few(arguments):
        yield from map(function, arguments)
        return
    from joblib import Parallel, delayed

    parallel = Parallel(n_jobs=jobs, backend="threading", return_as="generator")
    yield from parallel(delayed(function)(argument) for argument in arguments)


def each_in_processes(function: Callable[[A], R], arguments: Iterable[A], jobs: int) -> Iterator[R]:
    """Yield `function` of each argument, in order, by `jobs` processes.

    An error of `function` is raised here. Raises `SettingsError` if the system kills one of the processes, and if it
    allows too few open files. All processes have ended after the last result, also after an error or an interrupt.
    """
    if jobs == 1 or _are_few(arguments):
        yield from map(function, arguments)
        return
    jobs = min(jobs, len(arguments)) if isinstance(arguments, Sized) else jobs
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
                yield from started
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


def _are_few(arguments: Iterable[Any]) -> bool:
    return isinstance(arguments, Sized) and len(arguments) < 2


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
