"""Show a run from its events: panel or plain lines, and a summary.

Tells systemd about it too. All figures come from the events; nothing here changes the run.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from rich.live import Live

from harvester.actions import (
    EXHAUSTED,
    Advanced,
    Ended,
    Level,
    ListedSounds,
    RunEvent,
    RunResult,
    Snapshot,
    Started,
    Told,
    progress_line,
    size_notice,
)
from harvester.cli.console import Console, clock_text, duration_text, note, print_event, say, size_text
from harvester.cli.panel import draw
from harvester.cli.rich_text import stderr_console
from harvester.cli.systemd import Notifier
from harvester.clock import SECOND_US, SystemClock, local
from harvester.counts import counted

EVENTS_SHOWN = 4
_IN_PANEL = (Level.INFO, Level.PROGRESS)
"""What the panel shows itself; with `--verbose`, messages also go above it, in order with the others."""


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


class Display:
    """Shows one run from its events; a context manager.

    Tells systemd about it. With `panel`, the panel's last picture stays on the terminal.
    """

    def __init__(self, *, panel: bool, notifier: Notifier | None = None) -> None:
        self._wants_panel = panel
        self._panel: _LivePanel | None = None
        self._notifier = notifier or Notifier()
        self._alive_at_s = 0.0
        self._started = False
        self._folder = ""
        self._latest: Snapshot | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def show(self, event: RunEvent) -> None:
        """Show one event."""
        match event:
            case Told():
                self._tell(event)
            case Started(folder=folder, snapshot=snapshot):
                self._started = True
                self._folder, self._latest = str(folder), snapshot
                self._notifier.ready()
                self._alive_at_s = time.monotonic()
                if self._wants_panel:
                    self._panel = _LivePanel(f"harvester · {folder}", snapshot)
            case Advanced(snapshot=snapshot):
                self._latest = snapshot
                if self._panel is not None:
                    self._panel.draw(snapshot)
                self._keep_alive(snapshot)
            case Ended():
                self._close()

    def aborted(self) -> list[str]:
        """Close the panel; return the lines about a run that is aborted now."""
        latest = self._latest
        self._close()
        if latest is None:
            return ["aborted before the run began"]
        return [
            f"aborted: +{latest.samples:,} processed ({latest.processed:,}), +{counted(latest.new_nodes, 'sound')} "
            f"({latest.nodes:,}), {counted(latest.requests, 'request')}",
            f"library: {self._folder}; its journal has all of that: run it again to continue",
        ]

    def _tell(self, told: Told) -> None:
        if told.level is Level.PROGRESS and not Console.log_json:
            told = replace(told, line=f"{local(SystemClock().time_us())} {told.line}")
        if self._panel is not None and told.level is Level.INFO:
            self._panel.events.add(told.line)
        if self._panel is None or told.level not in _IN_PANEL or (told.level is Level.INFO and Console.verbose):
            print_event(told)

    def _keep_alive(self, snapshot: Snapshot) -> None:
        """Tell systemd regularly that the event loop is alive."""
        pause_s, now_s = self._notifier.watchdog_s, time.monotonic()
        if pause_s is not None and now_s - self._alive_at_s >= pause_s:
            self._alive_at_s = now_s
            self._notifier.alive(progress_line(snapshot))

    def _close(self) -> None:
        if self._panel is not None:
            self._panel.close()
            self._panel = None
        if self._started:
            self._started = False
            self._notifier.stopping()


class _LivePanel:
    """The panel of a run, redrawn in place.

    The terminal may close at any time; the harvest goes on without it.
    """

    def __init__(self, title: str, snapshot: Snapshot) -> None:
        self.events = Events()
        self._title = title
        self._console = stderr_console()
        # `draw` refreshes it: rich's own thread would draw while the writer changes what it reads.
        self._live = Live(self._picture(snapshot), console=self._console, auto_refresh=False)  # type: ignore[arg-type]
        with suppress(OSError):
            self._live.start()

    def draw(self, snapshot: Snapshot) -> None:
        with suppress(OSError):
            self._live.update(self._picture(snapshot), refresh=True)  # type: ignore[arg-type]

    def close(self) -> None:
        with suppress(OSError):
            self._live.stop()

    def _picture(self, snapshot: Snapshot) -> object:
        return draw(snapshot.as_dict(), title=self._title, events=self.events.lines(), width=self._console.width)


def summarise(result: RunResult) -> None:
    """Print why a harvest ended, what it added, what it cost, what to do."""
    total, relisted = result.total, result.relisted
    again = f", {relisted:,} list{'' if relisted == 1 else 's'} read again" if relisted else ""
    processed = f"+{result.samples:,} processed ({total.processed:,})"
    sounds = f"+{counted(result.sounds, 'sound')} ({total.sounds:,})"
    grown = f"{processed}, {sounds}, +{counted(result.edges, 'edge')} ({total.edges:,}){again}"
    listed = result.listed
    done = listed is not None and not (listed.waiting or total.frontier or result.failed)
    _summarise(result, "every sound of the list was looked for" if done else result.reason, grown)
    if result.listed is not None:
        _tell_listed(result.listed)


def _tell_listed(listed: ListedSounds) -> None:
    """Print how many sounds of a list are here, and where the others are."""
    whys = Counter(listed.missing.values())
    missing = f", {len(listed.missing):,} missing ({', '.join(f'{whys[why]:,} {why}' for why in sorted(whys))})"
    waiting = f", {listed.waiting:,} not asked about yet" if listed.waiting else ""
    where = f": {listed.path}" if listed.path is not None else ""
    have = counted(listed.ids, "sound has its", "sounds have their")
    say(f"list: {listed.here:,} of {have} record{missing if whys else ''}{waiting}{where}")


def summarise_refresh(result: RunResult) -> None:
    """Print the same about a refresh."""
    ended = result.reason
    if ended == EXHAUSTED:
        ended = "everything stale is refreshed" if result.requests else "nothing was stale"
    renewed = f"{counted(result.renewed, 'record')} and {counted(result.relisted, 'list')} refreshed"
    found = f"{counted(result.gone, 'sound')} found deleted, {result.deferred:,} deferred"
    new = f"+{counted(result.sounds, 'sound')} ({result.total.sounds:,})"
    _summarise(result, ended, f"{renewed}, {found}, {new}")


def _summarise(result: RunResult, ended: str, what: str) -> None:
    total = result.total
    if not result.began:
        unchanged = f"nothing came, and the library in {result.folder} is unchanged"
        say(f"{ended}: {unchanged if result.kept else _no_library(result)}")
        return
    left = "" if result.quota_left is None else f", {result.quota_left:,} left of today's quota"
    requests = f"{result.requests:,} request{'' if result.requests == 1 else 's'}"
    say(f"{ended}: {what}")
    say(f"cost: {requests} in {duration_text(result.seconds)}{left}")
    if result.vectors:
        say(f"vectors: +{result.vectors:,} ({total.vectors:,})")
    if not result.kept:
        say(_no_library(result))
        return
    unsaved = f", {counted(result.unsaved, 'change')} in the journal only" if result.unsaved else ""
    say(f"library: {result.folder} ({size_text(total.size_bytes)}{unsaved}); {_next(result)}")
    if size_notice(total.size_bytes):
        note(size_notice(total.size_bytes))
    if result.oddities:
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(result.oddities.items()))
        note(f"tolerated in the answers: {kinds}")


def _no_library(result: RunResult) -> str:
    return f"no library was begun in {result.folder}: nothing came that it could hold"


def _next(result: RunResult) -> str:
    waiting = f"{counted(result.total.frontier, 'sound waits', 'sounds wait')}"
    if result.failed:
        return f"{waiting} for the next run"
    if result.vectors:
        return "`harvester link` makes the similar lists, without a request"
    from_then = ""
    if result.next_possible_at is not None:
        free_at = round(result.next_possible_at.timestamp() * SECOND_US)
        from_then = f" from {clock_text(free_at, SystemClock().time_us())}"
    if result.listed is not None and not (result.listed.waiting or result.total.frontier):
        return "nothing of the list waits; --samples all fetches the similar lists of its sounds"
    if not result.total.frontier and not from_then:
        return "no sound waits; another --query or --seed finds more"
    return f"{waiting}; run it again{from_then} to continue"
