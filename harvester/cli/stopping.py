"""Ask a function that keeps what it has done to stop, at a signal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from harvester.cli.console import say
from harvester.interrupts import end_at_once, taking


@contextmanager
def stopping(kept: str) -> Iterator[Callable[[], bool]]:
    """Yield whether a signal came; the second one ends the process.

    Only for work whose every step is durable when it is done. `kept` is what the line says.
    """
    asked: list[int] = []

    def take(number: int) -> None:
        if asked:
            # All commits are complete, so the process can end without cleaning up.
            end_at_once(number)
        asked.append(number)
        with suppress(RuntimeError):  # the signal came in the middle of another line
            say(f"stopping cleanly: {kept}; Ctrl-C or SIGTERM again aborts")

    with taking(take):
        yield lambda: bool(asked)
