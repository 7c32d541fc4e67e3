"""Work that an answer need not wait for.

A program does it at once; the command line, after it has printed the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from harvester.interrupts import Interrupted

_waiting: ContextVar[list[Callable[[], str]] | None] = ContextVar("waiting", default=None)


def afterwards(work: Callable[[], str]) -> None:
    """Do `work`, which returns a line about it: now, or after the answer."""
    waiting = _waiting.get()
    if waiting is None:
        work()
    else:
        waiting.append(work)


@contextmanager
def answering(tell: Callable[[str], None]) -> Iterator[None]:
    """Put off what `afterwards` gets until the block has ended well.

    `tell` gets the lines about what was done.
    """
    waiting: list[Callable[[], str]] = []
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)
    try:
        for work in waiting:
            if line := work():
                tell(line)
    except Interrupted as interrupted:
        interrupted.state = "the answer is whole; what makes the next one faster was left undone"
        raise
