"""Show a run: panel or plain lines, `status.json`, and a summary.

All figures come from `run.describe`; nothing here changes the run.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any

from rich.live import Live

from harvester.actions import RunLog, save_status
from harvester.cli.console import clock_text, duration_text, note, say, size_text, waiting_text
from harvester.cli.panel import draw
from harvester.cli.rich_text import stderr_console
from harvester.cli.run import Run, describe
from harvester.cli.systemd import Notifier
from harvester.clock import iso
from harvester.errors import HarvesterError
from harvester.gitsync import size_notice

FRAMES_A_SECOND = 4
STATUS_EVERY_S = 2.0
LINE_EVERY_S = 60.0
EVENTS_SHOWN = 4


class Events:
    """The last few events; one that repeats takes one line."""

    def __init__(self) -> None:
        self._lines: deque[tuple[str, int]] = deque(maxlen=EVENTS_SHOWN)

    def add(self, line: str) -> None:
        """Add an event."""
        times = 1
        if self._lines and self._lines[-1][0] == line:
            times += self._lines.pop()[1]
        self._lines.append((line, times))

    def lines(self) -> list[str]:
        """Return the events as lines, the latest last."""
        return [line if times == 1 else f"{line} ({times} times)" for line, times in self._lines]


@asynccontextmanager
async def showing(run: Run, log: RunLog, *, panel: bool) -> AsyncIterator[None]:
    """Show and log the run in the block; the panel's last picture stays."""
    events = Events()
    show: Callable[[str], None] = events.add if panel else say

    def tell(line: str) -> None:
        log.write(line)
        show(line)

    def tell_progress() -> None:
        line = _line(run)
        log.write(line)
        if not panel:
            say(f"{iso(run.clock.time_us())} {line}")

    run.harvest.progress.on_event = tell
    async with _every(LINE_EVERY_S, tell_progress), _panel(run, events) if panel else nullcontext():
        yield


@asynccontextmanager
async def supervised(run: Run, notifier: Notifier) -> AsyncIterator[None]:
    """Tell systemd that the run is ready, and then that it is alive."""
    notifier.ready()
    if notifier.watchdog_s is None:
        yield
        return
    async with _every(notifier.watchdog_s, lambda: notifier.alive(_line(run))):
        yield


@asynccontextmanager
async def _panel(run: Run, events: Events) -> AsyncIterator[None]:
    console = stderr_console()

    def picture() -> object:
        return draw(describe(run), title=f"harvester · {run.folder}", events=events.lines(), width=console.width)

    # Refresh it here, four times a second: rich's own thread would read the state while the writer changes it.
    live = Live(picture(), console=console, auto_refresh=False)  # type: ignore[arg-type]

    # The terminal may close at any time; the harvest goes on without it.
    def refresh() -> None:
        with suppress(OSError):
            live.update(picture(), refresh=True)  # type: ignore[arg-type]

    with suppress(OSError):
        live.start()
    try:
        async with _every(1 / FRAMES_A_SECOND, refresh):
            yield
    finally:
        refresh()
        with suppress(OSError):
            live.stop()


@asynccontextmanager
async def status_file(run: Run) -> AsyncIterator[None]:
    """Keep `status.json` up to date in the block; report one failure."""
    told = False

    def save() -> None:
        nonlocal told
        try:
            save_status(run.folder, describe(run))
        except (OSError, TypeError, HarvesterError) as error:
            if not told:
                reason = getattr(error, "strerror", None) or error
                run.harvest.progress.tell(f"status.json cannot be written ({reason}); the harvest goes on")
            told = True

    save()
    try:
        async with _every(STATUS_EVERY_S, save):
            yield
    finally:
        save()


@asynccontextmanager
async def _every(pause_s: float, act: Callable[[], None]) -> AsyncIterator[None]:
    async def again() -> None:
        told = False
        while True:
            await asyncio.sleep(pause_s)
            try:
                act()
            except (HarvesterError, OSError) as error:
                # A failure to show the run must not end it; the next turn tries again.
                if not told:
                    note(f"the progress cannot be shown ({error}); the run goes on")
                told = True

    task = asyncio.create_task(again())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _line(run: Run) -> str:
    now = describe(run)
    goal = f"/{now['target']}" if now["target"] is not None else ""
    quota = "" if now["quota_left"] is None else f", {now['quota_left']} left today"
    text = (
        f"{now['samples']}{goal} processed this run ({now['processed']} in all), "
        f"{now['nodes']} sounds, {now['edges']} edges, {now['frontier']} waiting, {now['requests']} requests{quota}"
    )
    return f"{text}; {waiting_text(now, now['updated_at'])}" if now["waiting_for"] else text


def summarise(run: Run, reason: str) -> None:
    """Print what the run added, what it cost and what to do next."""
    now = describe(run, fresh=True)
    progress = run.harvest.progress
    size_bytes = run.store.checkpoint_size_bytes
    left = "" if now["quota_left"] is None else f", {now['quota_left']:,} left of today's quota"
    relisted = progress.relisted
    again = f", {relisted:,} list{'' if relisted == 1 else 's'} read again" if relisted else ""
    processed = f"+{now['samples'] - relisted:,} processed ({now['processed']:,})"
    grown = f"{processed}, +{now['new_nodes']:,} sounds ({now['nodes']:,})"
    say(f"{reason}: {grown}, +{now['new_edges']:,} edges ({now['edges']:,}){again}")
    say(f"cost: {now['requests']:,} requests in {duration_text(progress.elapsed_s)}{left}")
    following = _next(now, run.client.quota_free_at())
    if progress.vectors:
        following = "`harvester link` makes the similar lists, without a request"
        say(f"vectors: +{progress.vectors:,} ({len(run.store.vectors):,})")
    say(f"library: {run.folder} ({size_text(size_bytes)}); {following}")
    if size_notice(size_bytes):
        note(size_notice(size_bytes))
    if now["oddities"]:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(now["oddities"].items()))
        note(f"tolerated in the answers: {kinds}")


def _next(now: dict[str, Any], free_at: int) -> str:
    from_then = f" from {clock_text(free_at, now['updated_at'])}" if now["quota_left"] == 0 else ""
    if not now["frontier"] and not from_then:
        return "no sound waits; another --query or --seed finds more"
    return f"{now['frontier']:,} sounds wait; run it again{from_then} to continue"
