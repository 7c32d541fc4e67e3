"""Run a harvest or refresh for the command line.

Owns its signals, the garbage collector, and who shows the run.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from harvester.actions import Ended, RunEvent, RunResult, Started
from harvester.cli.console import Console, say
from harvester.cli.display import Display
from harvester.cli.options import RunOptions
from harvester.clock import Stop


def run_with_display(
    action: Callable[..., Coroutine[Any, Any, RunResult]],
    options: RunOptions,
    summary: Callable[[RunResult], None],
    **keywords: Any,
) -> RunResult:
    """Run `action`, show it, print its summary, and return its result."""
    return asyncio.run(_run(action, options, summary, keywords))


async def _run(
    action: Callable[..., Coroutine[Any, Any, RunResult]],
    options: RunOptions,
    summary: Callable[[RunResult], None],
    keywords: dict[str, Any],
) -> RunResult:
    stop = Stop()
    with _signals(stop), Display(panel=_shows_panel(options)) as display:

        def on_progress(event: RunEvent) -> None:
            if isinstance(event, Started):
                # A full collection over a large library stalls the loop for half a second: freeze the loaded objects.
                gc.collect()
                gc.freeze()
            display.show(event)
            if isinstance(event, Ended):
                summary(event.result)

        return await action(
            **keywords,
            **options.keywords(),
            stop=stop,
            on_progress=on_progress,
            verbose=Console.verbose,
            log_json=Console.log_json,
        )


def _shows_panel(options: RunOptions) -> bool:
    # A program reads the JSON lines: a panel between them is for a person who asks for it.
    return options.shows_panel and not Console.quiet and not (Console.log_json and options.progress is None)


@contextmanager
def _signals(stop: Stop) -> Iterator[None]:
    """Stop the run at the first signal, and the process at the second.

    SIGINT and SIGTERM do that. With a terminal, SIGHUP (the terminal closes) also stops the run cleanly. In the
    background it does nothing: the log notices by itself that logrotate has moved its file.
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
