"""Short turns: how soon a thread that wants the interpreter gets it while a checkpoint is written or read.

Owns the interpreter's switch interval, and only for as long as somebody is in here. Python lets a thread run for 5 ms
before another one gets its turn: too long for the event loop beside a checkpoint, and for the thread that compresses
one block while the next is being made: it wants the interpreter twice a block, and a block is made in 4 ms.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

TURN_S = 0.0002
"""At 0.2 ms a checkpoint takes a quarter less than at Python's 5 ms; shorter turns cost more than they bring
(measured)."""


class _Turns:
    """Counts who is in here, for the interval belongs to the whole process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._usual_s = 0.0

    @contextmanager
    def short(self) -> Iterator[None]:
        with self._lock:
            if not self._inside:
                self._usual_s = sys.getswitchinterval()
                sys.setswitchinterval(min(TURN_S, self._usual_s))
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    sys.setswitchinterval(self._usual_s)


short_turns = _Turns().short
"""The context of whoever works long beside others; nested and in any number of threads."""
