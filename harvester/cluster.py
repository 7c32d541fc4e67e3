"""Reach a Dask cluster, judge its workers, and leave nothing behind.

Owns all use of `distributed`, which the extra `dask` installs and which takes a second to import. Whoever reaches a
scheduler can run code on its workers, and on the machines of those who use it: only the user names it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from uuid import uuid4

from harvester.errors import ClusterFailed, SettingsError, words_of
from harvester.extras import missing
from harvester.version import __version__

CONNECT_S = 10.0
"""Give up on a scheduler that has not answered for so long, or that has no worker."""
SILENCE_S = 30.0
"""The same once work has begun: a worker that ended may come back."""
_ASKED_EVERY_S, _ANSWER_S, _CLOSE_S = 1.0, 5.0, 2.0
_LARGEST_TASK = "1 TiB"
"""Files travel in tasks, so that a worker which ends takes none with it; Dask warns from 10 MB on."""
_TALKATIVE = ("distributed", "distributed.client", "distributed.comm", "distributed.core", "tornado.application")
_MUST_AGREE = ("dask", "distributed")


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """How a task ended: a `result`, or a `failure` of the cluster."""

    future: Any
    result: Any
    failure: ClusterFailed | None


class Cluster:
    """A connected cluster; `cores` is how many tasks it does at once."""

    def __init__(self, scheduler: str, client: Any, packages: Iterable[str]) -> None:
        self.scheduler = scheduler
        self._client = client
        self._problem = ""
        self._ended = threading.Event()
        self._told = ThreadPoolExecutor(1, "harvester-cluster")
        self.cores = _check_workers(scheduler, client, (*_MUST_AGREE, *packages))
        self._watcher = threading.Thread(target=self._watch, name="harvester-cluster", daemon=True)
        self._watcher.start()

    def scatter(self, value: Any) -> Any:
        """Send a value to every worker; return its stand-in for `submit`."""
        with self._failures():
            return self._client.scatter(value, broadcast=True, hash=False)

    def submit(self, function: Callable[..., Any], arguments: tuple[Any, ...], done: Callable[[TaskEnd], None]) -> Any:
        """Let a worker call `function`, and return the task's future.

        `done` is called once in a thread, however the task ends.
        """
        with self._failures():
            future = self._client.submit(function, *arguments, key=f"harvester-{uuid4().hex}", pure=False)

        async def follow() -> None:
            # Fetched in the client's loop: a thread that asks for a result waits for ever once the client is closed.
            try:
                end = TaskEnd(future, await self._client.gather(future, asynchronous=True), None)
            except (Exception, asyncio.CancelledError) as error:
                end = TaskEnd(future, None, self._failed(error))
            with suppress(RuntimeError):  # closed: no task is waited for any more
                self._told.submit(done, end)

        self._client.loop.add_callback(follow)
        return future

    def cancel(self, futures: list[Any]) -> None:
        """Let the scheduler forget tasks; one that runs ends first."""
        if futures and self._client.status == "running":
            self._client.cancel(futures, force=True)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (Exception, asyncio.CancelledError) as error:  # what a closed client raises differs by version
            raise self._failed(error) from error

    def _failed(self, error: BaseException) -> ClusterFailed:
        """Return the error for a failure of the cluster, not of our code."""
        if not self._problem and type(error).__name__ == "KilledWorker":
            self._problem = "workers that did the same task ended several times, probably because memory ran out"
        if not self._problem and "deserialization" in str(error):
            self._problem = "a worker that came later could not read its task: its packages are not those here"
        if not self._problem and self._client.status != "running":
            self._problem = "the connection to the scheduler was lost"
        return ClusterFailed(f"{self.scheduler}: {self._problem or 'the last worker with the data of a task ended'}")

    def close(self) -> None:
        """Release everything on the cluster, and disconnect."""
        self._ended.set()
        self._watcher.join(_ANSWER_S + _CLOSE_S)
        self._client.close(timeout=_CLOSE_S)
        self._told.shutdown(wait=False, cancel_futures=True)

    def _watch(self) -> None:
        """Close the client, which ends all waiting, once no worker is left."""
        heard_s, answers = time.monotonic(), True
        while not self._ended.wait(_ASKED_EVERY_S):
            try:
                workers = self._client.sync(self._client.scheduler.ncores, callback_timeout=_ANSWER_S)
                answers = True
            except Exception:  # whatever a broken connection raises: what counts is for how long
                workers, answers = None, False
            if workers:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s >= SILENCE_S:
                self._problem = (
                    f"no worker is left, for {SILENCE_S:g} s"
                    if answers
                    else f"the scheduler has not answered for {SILENCE_S:g} s"
                )
                self._client.close(timeout=_CLOSE_S)
                return


@contextmanager
def connected(scheduler: str, packages: Iterable[str] = ()) -> Iterator[Cluster]:
    """Connect to a cluster for the block, whose workers use `packages`.

    Raises `SettingsError` if the package is missing, and `ClusterFailed` if the scheduler does not answer, has no
    worker, or has one whose versions differ. Afterwards, also after an error or an interrupt, the cluster holds
    nothing of ours; a task that a worker has begun ends on its own.
    """
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise SettingsError(missing("--scheduler", "distributed", "dask")) from error
    with _quiet(), dask.config.set({"distributed.admin.large-graph-warning-threshold": _LARGEST_TASK}):
        try:
            with ThreadPoolExecutor(1) as thread:  # a notebook has a loop of its own in this one
                thread.submit(asyncio.run, _greet(scheduler)).result()
            client = Client(scheduler, timeout=CONNECT_S, set_as_default=False)
        except Exception as error:  # what another server says can make the client raise anything
            raise ClusterFailed(_unanswered(scheduler, error)) from error
        cluster = None
        try:
            cluster = Cluster(scheduler, client, packages)
            yield cluster
        finally:
            if cluster is None:
                client.close(timeout=_CLOSE_S)
            else:
                cluster.close()


def _unanswered(scheduler: str, error: Exception) -> str:
    if isinstance(error, OSError | TypeError | ValueError | RuntimeError):
        # Of TLS it says which setting is missing; of a connection only that it took too long.
        why = f" ({error})" if isinstance(error, TypeError) else ""
        return (
            f"{scheduler}: no Dask scheduler answered within {CONNECT_S:g} s{why}; nothing was changed: start it, or "
            f"leave --scheduler out"
        )
    # The first bytes of another server are read as numbers of frames and sizes: there may be no memory for these.
    return f"{scheduler}: what answers there is no Dask scheduler; nothing was changed: correct the address"


async def _greet(scheduler: str) -> None:
    """Raise an error unless a scheduler answers in time.

    A client waits for ever for the first words of a server that says nothing.
    """
    from distributed.comm import connect
    from distributed.security import Security

    connecting = connect(scheduler, timeout=CONNECT_S, **Security().get_connection_args("client"))
    comm = await asyncio.wait_for(connecting, CONNECT_S)
    await comm.close()


def versions_here(packages: Sequence[str]) -> dict[str, str | None]:
    """Return the versions of this process; a worker is asked for its own."""
    found: dict[str, str | None] = {"Python": "{}.{}".format(*sys.version_info), "harvester": __version__}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _check_workers(scheduler: str, client: Any, packages: Sequence[str]) -> int:
    """Return how many tasks the workers do at once.

    Raises `ClusterFailed` unless each of them can do ours.
    """
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
        told = client.run(versions_here, packages, on_error="return")
        cores: int = sum(client.nthreads().values())
    except (OSError, ValueError, RuntimeError) as error:
        why = "it has no worker" if isinstance(error, TimeoutError) else words_of(error)
        raise ClusterFailed(f"{scheduler}: {why}; nothing was changed: start workers with `dask worker`") from error
    ours = versions_here(packages)
    for place, theirs in sorted(told.items()):
        if not isinstance(theirs, dict):
            why = f" ({words_of(theirs)})" if isinstance(theirs, ImportError) else ""
            raise ClusterFailed(
                f"{scheduler}: the worker {place} cannot run harvester {__version__}{why}; nothing was changed: "
                f"install it where the worker runs"
            )
        for name, ours_is in ours.items():
            if theirs.get(name) != ours_is:
                raise ClusterFailed(
                    f"{scheduler}: the worker {place} has {name} {theirs.get(name)}, and this program {ours_is}; "
                    f"nothing was changed: install the same versions"
                )
    return cores


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what `distributed` logs off stderr: its errors are raised."""
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    before = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="distributed")
            warnings.filterwarnings("ignore", message="(?s).*Mismatched versions found")
            yield
    finally:
        for one, level in zip(loggers, before, strict=True):
            one.setLevel(level)
