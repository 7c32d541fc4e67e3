"""Shorten the interpreter's switch interval around a checkpoint.

Owns `sys.setswitchinterval` for that time and restores it afterwards. Python lets a thread run for 5 ms before another
thread gets the GIL. That is too long for the event loop, which runs beside the checkpoint, and for the thread that
compresses one block while the next is encoded: it needs the GIL twice a block, and a block is encoded in 4 ms.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SHORT_INTERVAL_S = 0.0002
"""At 0.2 ms a checkpoint takes a quarter less time than at Python's 5 ms; a shorter interval is slower again
(measured)."""


class _SwitchInterval:
    """Count of blocks that need the short interval, for the whole process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._usual_s = 0.0

    @contextmanager
    def short(self) -> Iterator[None]:
        with self._lock:
            if not self._inside:
                self._usual_s = sys.getswitchinterval()
                sys.setswitchinterval(min(SHORT_INTERVAL_S, self._usual_s))
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    sys.setswitchinterval(self._usual_s)


short_switch_interval = _SwitchInterval().short
"""Context manager for long work beside other threads; may be nested and used from any number of threads."""
