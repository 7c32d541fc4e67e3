"""Run one harvest or refresh: connect client, store and pipeline, show the run, handle signals.

Only this module connects the network with the disk. A clean stop leaves a checkpoint; after any other end, the next run
resumes from the journal.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from pathlib import Path

from harvester.actions import RunLog
from harvester.cli.connect import open_client, open_server
from harvester.cli.console import Console, note, say
from harvester.cli.display import showing, status_file, summarise, supervised
from harvester.cli.options import RunOptions
from harvester.cli.run import Run
from harvester.cli.systemd import Notifier
from harvester.clock import Clock, Stop, SystemClock, closing_in_time
from harvester.errors import SettingsError, Stopped
from harvester.graph import SoundGraph
from harvester.library import Store, keep_answer
from harvester.pipeline import Harvest, Plan, Progress
from harvester.vectors import load_header


async def run_session(
    plan: Plan,
    options: RunOptions,
    library: str | None,
    *,
    space: str | None = None,
    summary: Callable[[Run, str], None] = summarise,
) -> Run | None:
    """Run `plan`, print a summary and return the run, or None if it was stopped before it began.

    A `HarvesterError` is raised after the same clean stop. `library` None: the default folder; `space` None: the
    library's similarity space.
    """
    clock, stop, connection = SystemClock(), Stop(), options.connection()
    panel = options.shows_panel and not Console.quiet
    async with AsyncExitStack() as stack:
        stack.enter_context(_signals(stop))
        await stack.enter_async_context(closing_in_time(stop, clock, options.time_limit_s))
        server = await stack.enter_async_context(open_server(connection, clock))
        folder = Path(library) if library else server.folder
        store = stack.enter_context(
            Store.open(folder, clock=clock, backup_every=options.backup_every, keep_backups=options.keep_backups)
        )
        log = stack.enter_context(closing(RunLog(folder, clock, note)))
        for line in store.notices:
            note(line)
            log.write(line)
        store.notices.clear()
        _settle_space(store.state, space, folder)
        # A full collection over a large library stalls the loop for half a second: freeze the loaded objects.
        gc.collect()
        gc.freeze()
        # Until the panel is shown, events are printed as lines, for example that the server does not answer.
        progress = Progress(clock, plan.target, on_event=say)
        client = await stack.enter_async_context(
            open_client(
                connection,
                server,
                clock,
                stop,
                space=store.state.space,
                on_event=lambda line: progress.tell(line),
                keep_body=lambda body: _keep(folder, body, clock),
            )
        )
        try:
            store.set_source(await client.identify())
        except Stopped:
            say(f"{stop.reason}: the server had not identified itself; the library is unchanged")
            if not stop.by_person:
                client.raise_if_all_failed()
            return None
        ring = Harvest(plan, store, client, clock=clock, stop=stop, progress=progress)
        run = Run(ring, client, store, folder, server, clock, started_at=clock.time_us())
        log.write(f"start: {len(store.state.processed)} processed sounds so far, server {server.url}")
        notifier = Notifier()
        stack.callback(notifier.stopping)
        async with showing(run, log, panel=panel), status_file(run), supervised(run, notifier):
            reason = await ring.run()
        log.write(f"end: {reason}")
        summary(run, reason)
        if not stop.by_person:
            client.raise_if_all_failed()
        _note_unknown_fields(connection.extra_fields, store.state)
        return run


def _keep(folder: Path, body: bytes, clock: Clock) -> str:
    """Save an answer that cannot be parsed and return its path; empty if it was not saved."""
    try:
        path = keep_answer(folder, body, clock.time_us())
    except OSError as error:
        note(f"{folder}: the answer could not be saved for inspection ({error.strerror}); the run goes on")
        return ""
    return "" if path is None else str(path)


def _note_unknown_fields(extra_fields: tuple[str, ...], state: SoundGraph) -> None:
    """Print the extra fields that no record has: the API ignores a name that it does not know."""
    records = [attributes for _, attributes in state.graph.nodes.items() if extra_fields and "fetched_at" in attributes]
    for name in extra_fields:
        if records and not any(name in attributes for attributes in records):
            note(f"no record has the extra field '{name}': check that the API has a field of this name")


def _settle_space(state: SoundGraph, wanted: str | None, folder: Path) -> None:
    """Set the library's similarity space; raises `SettingsError` if its lists or vectors have another one."""
    known = next(
        (attributes["link_space"] for _, attributes in state.graph.nodes.items() if "linked_at" in attributes), None
    )
    if known is None and (vectors := load_header(folder)) is not None:
        known = vectors[0].space
    if wanted is not None and known is not None and wanted != known:
        raise SettingsError(f"{folder} holds similar lists of the space {known}; for {wanted} use another --library")
    state.space = known or wanted or state.space


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    """Stop the run cleanly at the first SIGINT or SIGTERM, and the process at once at the second.

    With a terminal, SIGHUP (the terminal closes) also stops the run cleanly. In the background it does nothing: the log
    notices by itself that logrotate has moved its file.
    """
    loop = asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        if stop.closed:
            # All processed sounds that were counted are in the journal, so the process can end without cleaning up.
            os._exit(128 + number)
        stop.close(f"asked to stop ({number.name})", by_person=True)
        say("stopping cleanly: finishing the open requests (a second Ctrl-C or SIGTERM aborts at once)")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked, number)
    loop.add_signal_handler(signal.SIGHUP, *((asked, signal.SIGHUP) if sys.stderr.isatty() else (int,)))
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
