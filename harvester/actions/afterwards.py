"""Work that an answer need not wait for.

A program does it at once; the command line, after it has printed the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from harvester.interrupts import Interrupted


@dataclass(frozen=True, slots=True)
class Work:
    """What can be done later; `do` returns a line about what was done.

    `announcement`: what a person should know who waits for it, empty if it takes no time.
    """

    do: Callable[[], str]
    announcement: str = ""


_waiting: ContextVar[list[Work] | None] = ContextVar("waiting", default=None)


def afterwards(work: Work) -> None:
    """Do the work: now, or after the answer."""
    waiting = _waiting.get()
    if waiting is None:
        work.do()
    else:
        waiting.append(work)


@contextmanager
def answering(announce: Callable[[str], None], tell: Callable[[str], None]) -> Iterator[None]:
    """Put off what `afterwards` gets until the block has ended well.

    `announce` gets the lines about what is done now, `tell` those about what was done.
    """
    waiting: list[Work] = []
    token = _waiting.set(waiting)
    try:
        yield
    finally:
        _waiting.reset(token)
    try:
        for work in waiting:
            if work.announcement:
                announce(work.announcement)
            if line := work.do():
                tell(line)
    except Interrupted as interrupted:
        interrupted.state = "the answer is whole; what makes the next one faster was left undone"
        raise
