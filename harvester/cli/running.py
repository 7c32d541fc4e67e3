"""Run a harvest or refresh for the command line, and end it in one way.

Owns its signals, the garbage collector, who shows the run, and what follows every ending: the summary, the commit to
Git, and only then the error and the exit code.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from harvester.actions import Ended, RunEvent, RunResult, Started
from harvester.cli.committing import commit_after
from harvester.cli.console import Console, note, say
from harvester.cli.display import Display
from harvester.cli.options import RunOptions
from harvester.clock import Stop
from harvester.interrupts import end_at_once, taking
from harvester.terminal_text import escape_line


def run_with_display(
    action: Callable[..., Coroutine[Any, Any, RunResult]],
    options: RunOptions,
    summarise: Callable[[RunResult], None],
    **keywords: Any,
) -> None:
    """Run `action` and show it; at its end print the summary and commit.

    That is the same however the run ends: also after an error, which is raised afterwards. A second signal ends the
    process at once: what was counted is in the journal, and the next run commits it.
    """
    with Display(panel=_shows_panel(options)) as display:
        run = _Run(display)
        with taking(run.asked):
            try:
                asyncio.run(run.until_its_end(action, keywords | options.keywords()))
            finally:
                result = run.result
                if result is not None:
                    summarise(result)
                    if result.began and result.total.size_bytes:
                        # Commit after the lock is released: a hook of the user may read the library.
                        commit_after(
                            result.folder,
                            result.source,
                            result.message,
                            options.commit,
                            with_backups=options.commit_backups,
                        )


def _shows_panel(options: RunOptions) -> bool:
    # A program reads the JSON lines: a panel between them is for a person who asks for it.
    return options.shows_panel and not Console.quiet and not (Console.log_json and options.progress is None)


class _Run:
    """One run with its stop and its signals."""

    def __init__(self, display: Display) -> None:
        self.result: RunResult | None = None
        self._display = display
        self._stop = Stop()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._signals = 0
        self._asked_by = ""
        # Asked now: once its window is closed, a terminal is no terminal any more.
        self._on_terminal = sys.stderr.isatty()

    async def until_its_end(
        self, action: Callable[..., Coroutine[Any, Any, RunResult]], keywords: dict[str, Any]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        if self._asked_by:  # before there was a loop
            self._stop_in_order()
        await action(
            **keywords,
            stop=self._stop,
            on_progress=self._take,
            verbose=Console.verbose,
            log_json=Console.log_json,
        )

    def asked(self, number: int) -> None:
        """Stop the run at the first signal, and the process at the second.

        SIGINT and SIGTERM do that. With a terminal, SIGHUP (the terminal closes) does it too. In the background it does
        nothing: the log notices by itself that logrotate has moved its file.
        """
        if number == signal.SIGHUP and not self._on_terminal:
            return
        self._signals += 1
        if self._signals > 1:
            # All processed sounds that were counted are in the journal, so the process can end without cleaning up.
            lines = self._display.aborted()
            try:
                note(*lines)
            except RuntimeError:  # the signal came in the middle of another line
                with suppress(OSError):
                    os.write(2, "".join(f"{escape_line(line)}\n" for line in lines).encode())
            end_at_once(number)
        self._asked_by = signal.Signals(number).name
        # The handler may have interrupted anything: let the loop close the run in a turn of its own.
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop_in_order)

    def _stop_in_order(self) -> None:
        self._stop.close(f"asked to stop ({self._asked_by})", by_person=True)
        say("stopping cleanly: finishing open requests; Ctrl-C or SIGTERM again aborts")

    def _take(self, event: RunEvent) -> None:
        if isinstance(event, Started):
            # A full collection over a large library stalls the loop for half a second: freeze the loaded objects.
            gc.collect()
            gc.freeze()
        self._display.show(event)
        if isinstance(event, Ended):
            self.result = event.result
