"""One run as a process, harvest or refresh: joins client, store and ring, shows it, and answers signals.

The only place where the network floor and the disk floor are wired together. An orderly end leaves a checkpoint; any
other end leaves the journal, from which the next run resumes.
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

from harvester.cli.connect import open_client, open_server
from harvester.cli.console import Console, note, say
from harvester.cli.display import showing, status_file, summarise, supervised
from harvester.cli.log import RunLog
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
    """Run `plan`, print what came of it and return the run, or None when it was stopped before it began.

    Raises a `HarvesterError` after the same orderly end. `library` None: the usual folder; `space` None: the similarity
    space that the library has.
    """
    clock, stop, connection = SystemClock(), Stop(), options.connection()
    panel = options.shows_panel and not Console.quiet
    async with AsyncExitStack() as stack:
        hang_up = stack.enter_context(_signals(stop))
        await stack.enter_async_context(closing_in_time(stop, clock, options.time_limit_s))
        server = await stack.enter_async_context(open_server(connection, clock))
        folder = Path(library) if library else server.folder
        store = stack.enter_context(
            Store.open(folder, clock=clock, backup_every=options.backup_every, keep_backups=options.keep_backups)
        )
        log = stack.enter_context(closing(RunLog(folder, clock)))
        hang_up(log.reopen)
        for line in store.notices:
            note(line)
            log.write(line)
        store.notices.clear()
        _settle_space(store.state, space, folder)
        # One full collection over a large library stalls the loop for half a second; what is loaded stays.
        gc.collect()
        gc.freeze()
        # Until the panel stands, what happens is told line by line: a server that does not answer, for instance.
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
            say(f"{stop.reason}: the server has not told what it is, nothing has changed")
            if not stop.by_person:
                client.raise_if_fruitless()
            return None
        ring = Harvest(plan, store, client, clock=clock, stop=stop, progress=progress)
        run = Run(ring, client, store, folder, server, clock, started_at=clock.time_us())
        log.write(f"start: {len(store.state.processed)} samples so far, asking {server.url}")
        notifier = Notifier()
        stack.callback(notifier.stopping)
        async with showing(run, log, panel=panel), status_file(run), supervised(run, notifier):
            reason = await ring.run()
        log.write(f"end: {reason}")
        summary(run, reason)
        if not stop.by_person:
            client.raise_if_fruitless()
        _note_unknown_fields(connection.extra_fields, store.state)
        return run


def _keep(folder: Path, body: bytes, clock: Clock) -> str:
    """Keep an answer that cannot be read and return where; empty when it was not kept."""
    try:
        path = keep_answer(folder, body, clock.time_us())
    except OSError as error:
        note(f"{folder}: the answer could not be kept for inspection ({error.strerror}); the run goes on")
        return ""
    return "" if path is None else str(path)


def _note_unknown_fields(extra_fields: tuple[str, ...], state: SoundGraph) -> None:
    """Tell which extra fields no record has: the API passes over a name it does not know in silence."""
    records = [attributes for _, attributes in state.graph.nodes.items() if extra_fields and "fetched_at" in attributes]
    for name in extra_fields:
        if records and not any(name in attributes for attributes in records):
            note(f"no record came with the field '{name}': is it one of the API's?")


def _settle_space(state: SoundGraph, wanted: str | None, folder: Path) -> None:
    """Let a library without lists take the wanted similarity space; one with lists or vectors keeps its own."""
    known = next(
        (attributes["link_space"] for _, attributes in state.graph.nodes.items() if "linked_at" in attributes), None
    )
    if known is None and (vectors := load_header(folder)) is not None:
        known = vectors[0].space
    if wanted is not None and known is not None and wanted != known:
        raise SettingsError(f"{folder} holds lists of the space {known}; {wanted} needs another --library")
    state.space = known or wanted or state.space


@contextmanager
def _signals(stop: Stop) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Let the first SIGINT or SIGTERM end the run in order, and the second end the process at once.

    SIGHUP from a terminal that closes ends the run in order too; in the background it does what the function given here
    is told: reopen the log.
    """
    loop = asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        if stop.closed:
            # Everything counted is in the journal; nothing of this process is needed any more.
            os._exit(128 + number)
        stop.close(f"asked to stop ({number.name})", by_person=True)
        say("stopping in order: finishing the requests on the wire (once more ends at once)")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked, number)
    on_terminal = sys.stderr.isatty()
    loop.add_signal_handler(signal.SIGHUP, *((asked, signal.SIGHUP) if on_terminal else (int,)))

    def hang_up(act: Callable[[], None]) -> None:
        if not on_terminal:
            loop.add_signal_handler(signal.SIGHUP, act)

    try:
        yield hang_up
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
