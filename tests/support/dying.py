"""A process that is killed at any moment of its work."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType


def die_at_call(number: int) -> None:
    """Kill this process when its `number`-th function from now on begins or ends."""
    left = number

    def count(_frame: FrameType, _event: str, _argument: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(count)  # of threads that begin from now on
    sys.setprofile(count)
