"""Run one harvest or refresh: join client, store and pipeline.

Only this module joins the network with the disk. Every ending but a cancellation leaves a checkpoint, where the disk
takes one, and gives a result; then an error is raised. After any other end, the next run resumes from the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harvester.actions.connect import Connection, Server, open_client, open_server
from harvester.actions.empty_search import explain_empty_search
from harvester.actions.events import Ended, Reporter, Started
from harvester.actions.id_lists import add_listed
from harvester.actions.log import RunLog
from harvester.actions.missing_key import refuse_without_key
from harvester.actions.past_runs import RunRecord, note_killed_run
from harvester.actions.reporting import reporting
from harvester.actions.result import RunResult
from harvester.actions.run import Run, take_snapshot
from harvester.actions.run_result import completed, make_result, totals_of
from harvester.clock import Clock, Stop, SystemClock, closing_in_time
from harvester.counts import counted
from harvester.errors import HarvesterError, SettingsError, Stopped, words_of
from harvester.graph import SoundGraph
from harvester.library import Store, keep_answer, require_library
from harvester.open_files import OWN_FILES, allow_open_files
from harvester.pipeline import NO_HITS, Harvest, Plan, Progress
from harvester.told import Told
from harvester.vectors import load_header

if TYPE_CHECKING:
    from harvester.freesound import FreesoundClient

T = TypeVar("T")
_EXPLAIN_S = 10
"""How long a run may take to say why its search found nothing: its own stop and time limit are over."""


async def run_session(
    plan: Plan,
    connection: Connection,
    library: Path | None,
    reporter: Reporter,
    stop: Stop,
    *,
    space: str | None = None,
    time_limit_s: float | None = None,
    backup_every: int,
    keep_backups: int,
    log_json: bool = False,
    missing: Path | None = None,
) -> RunResult:
    """Run `plan` until it ends or `stop` is closed.

    An error, or what the caller's function raised, is raised after the same end, with `Ended` before it. A cancellation
    ends the run at once: the journal holds everything counted, and the lock is released when this raises. `library`
    None: the server's default folder; `space` None: the library's similarity space; `missing` None: the missing sounds
    of a list are written into the library's folder.
    """
    with _raising_for_caller(reporter):
        result, failure = await _run(
            plan, connection, library, reporter, stop,
            space=space, time_limit_s=time_limit_s, backup_every=backup_every, keep_backups=keep_backups,
            log_json=log_json, missing=missing,
        )  # fmt: skip
        if failure is not None and not isinstance(failure, HarvesterError):
            result = completed(await _rescue(result, failure), plan, reporter)
        reporter.emit(Ended(result))
        if failure is not None:
            raise failure
        return result


async def _run(
    plan: Plan,
    connection: Connection,
    library: Path | None,
    reporter: Reporter,
    stop: Stop,
    *,
    space: str | None,
    time_limit_s: float | None,
    backup_every: int,
    keep_backups: int,
    log_json: bool,
    missing: Path | None,
) -> tuple[RunResult, Exception | None]:
    """Run `plan`; return what it did, and the error that ended it."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(closing_in_time(stop, clock, time_limit_s))
        await asyncio.to_thread(refuse_without_key, connection, library)
        server = await stack.enter_async_context(open_server(connection, clock, reporter))
        # The embedded sandbox has the other end of each connection open.
        needed = OWN_FILES + plan.concurrency * (2 if server.embedded else 1)
        allow_open_files("a run", needed, "lower --concurrency")
        folder = library if library is not None else server.folder
        if plan.refresh is not None:
            require_library(folder)  # before `Store.open` creates one
        store = await stack.enter_async_context(_opened(folder, clock, backup_every, keep_backups))
        reporter.log = stack.enter_context(closing(RunLog(folder, clock, reporter.warn, as_json=log_json)))
        stack.callback(setattr, reporter, "log", None)  # a line after the end begins no log where no library is
        record = RunRecord("harvest" if plan.refresh is None else "refresh", clock)
        for line in store.notices:
            reporter.warn(line)
        store.notices.clear()
        _settle_space(store.state, space, folder)
        progress = Progress(clock, plan.target, on_event=reporter.pass_on)
        client = await stack.enter_async_context(
            open_client(
                connection,
                server,
                clock,
                stop,
                reporter,
                space=store.state.space,
                keep_body=lambda body: _keep(folder, body, clock, reporter),
            )
        )
        ring: Harvest | None = None
        failure: Exception | None = None
        try:
            store.set_source(await client.identify())
            ring = Harvest(plan, store, client, clock=clock, stop=stop, progress=progress)
            run = Run(ring, client, store, folder, server, clock, started_at=clock.time_us(), record=record)
            reporter.log.write(
                Told(
                    f"start: {counted(len(store.state.processed), 'processed sound')} so far, server {server.url}",
                    kind="start",
                )
            )
            reporter.emit(Started(folder, take_snapshot(run)))
            note_killed_run(folder, reporter)
            async with reporting(run, reporter):
                await ring.run()
            for line in _unknown_fields(connection.extra_fields, store.state):
                reporter.warn(line)
            if stop.reason == NO_HITS:
                reporter.warn(await _explain_empty(plan, connection, server, clock, reporter, store.state, client))
        except Stopped:
            pass  # before the server had identified itself
        except Exception as error:  # also a bug: what came before it is reported and shared as after any other end
            failure = error
        if failure is None and not stop.by_person:
            failure = client.error_if_all_failed()
        reason = stop.reason if failure is None else _reason(failure)
        reporter.log.write(Told(f"end: {reason}", kind="end"))
        result = make_result(store, client, progress, server, reason, ring, failure)
        if plan.listed_ids and result.began:
            result, failure = add_listed(result, plan.listed_ids, store, missing, failure)
        if result.began and result.kept:
            record.add(result, client, reporter, failure)
        return completed(result, plan, reporter), failure


def _reason(failure: Exception) -> str:
    return failure.meaning if isinstance(failure, HarvesterError) else "a bug in harvester"


async def _rescue(result: RunResult, failure: Exception) -> RunResult:
    """Write the checkpoint after a bug; return the result as it is then.

    The state in memory may be wrong, so the library is loaded again, as the next run would do. If that fails too, the
    journal keeps everything, and `failure` gets a note.
    """

    def save() -> RunResult:
        with Store.open(result.folder, clock=SystemClock()) as store:
            store.checkpoint(backup=bool(store.backup_due(stopping=True)))
            return replace(result, total=totals_of(store, result.total.frontier), unsaved=store.unsaved)

    if not result.kept:
        return result
    try:
        return await _finish_in_thread(save)
    except Exception as error:
        failure.add_note(f"the checkpoint could not be written: {words_of(error)}")
        return result


@contextmanager
def _raising_for_caller(reporter: Reporter) -> Iterator[None]:
    """Raise what the caller's function raised once the block has ended."""
    try:
        yield
    except HarvesterError as error:
        if reporter.error is not None:
            error.add_note(f"on_progress had raised {reporter.error!r}")
        raise
    if reporter.error is not None:
        raise reporter.error


@asynccontextmanager
async def _opened(folder: Path, clock: Clock, backup_every: int, keep_backups: int) -> AsyncIterator[Store]:
    """Yield the library, opened and closed in a thread.

    A large one takes seconds, and other tasks run meanwhile.
    """
    store = await _finish_in_thread(
        lambda: Store.open(folder, clock=clock, backup_every=backup_every, keep_backups=keep_backups),
        lambda store: store.close(keep_nothing=False),
    )
    try:
        yield store
    finally:
        # It waits for a commit or a checkpoint that a cancelled task left running in its thread.
        await _finish_in_thread(lambda: store.close(keep_nothing=False))


async def _finish_in_thread(work: Callable[[], T], undo: Callable[[T], None] = lambda _: None) -> T:
    """Run `work` in a thread to its end, even if this is cancelled.

    A cancellation is raised after that, and after `undo` of the result: Python cannot stop a thread, and the caller may
    open the library again at once.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work))
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if task.exception() is None:
            undo(task.result())
        raise cancelled
    return task.result()


def _keep(folder: Path, body: bytes, clock: Clock, reporter: Reporter) -> str:
    """Save an answer that cannot be parsed; return its path or no text."""
    try:
        path = keep_answer(folder, body, clock.time_us())
    except OSError as error:
        reporter.warn(f"{folder}: the answer could not be saved for inspection ({error.strerror}); the run goes on")
        return ""
    return "" if path is None else str(path)


def _unknown_fields(extra_fields: tuple[str, ...], state: SoundGraph) -> Iterator[str]:
    """Yield a line for each extra field that no record has.

    The API ignores a name that it does not know.
    """
    records = [attributes for _, attributes in state.graph.nodes.items() if extra_fields and "fetched_at" in attributes]
    for name in extra_fields:
        if records and not any(name in attributes for attributes in records):
            yield f"no record has the extra field '{name}': check that the API has a field of this name"


async def _explain_empty(
    plan: Plan,
    connection: Connection,
    server: Server,
    clock: Clock,
    reporter: Reporter,
    state: SoundGraph,
    spent: FreesoundClient,
) -> str:
    """Return why the run's search found nothing, by at most one request.

    The request counts as one of `spent`, the run's client, which sends nothing any more: its stop is closed.
    """
    if connection.max_requests is not None:
        return await explain_empty_search(None, plan.query, plan.filter, state)
    single, stop = replace(connection, max_requests=1, forever=False), Stop()
    async with (
        closing_in_time(stop, clock, _EXPLAIN_S),
        open_client(single, server, clock, stop, reporter, space=state.space) as client,
    ):
        try:
            return await explain_empty_search(client, plan.query, plan.filter, state)
        finally:
            spent.activity.counted += client.activity.counted


def _settle_space(state: SoundGraph, wanted: str | None, folder: Path) -> None:
    """Set the library's similarity space.

    Raises `SettingsError` if its lists or vectors have another one.
    """
    known = next(
        (attributes["link_space"] for _, attributes in state.graph.nodes.items() if "linked_at" in attributes), None
    )
    if known is None and (vectors := load_header(folder)) is not None:
        known = vectors[0].space
    if wanted is not None and known is not None and wanted != known:
        raise SettingsError(f"{folder} holds similar lists of the space {known}; for {wanted} use another --library")
    state.space = known or wanted or state.space
