"""A clock that goes faster than it does, for what waits by `SystemClock`: it waits as often, and a part of the time."""

from __future__ import annotations

from collections.abc import Callable

from harvester.clock import SystemClock

QUICK = "from tests.support.quick_clock import hasten; hasten()"
"""The code that a process runs first (`processes.run`), to have such a clock to its end."""

QUICKER = QUICK.replace("hasten()", "hasten(times=2)")
"""The same for what has to be done within a time limit, also on a busy machine."""


def hasten(put: Callable[[object, str, object], None] = setattr, *, times: int = 20) -> None:
    """Let the clock of this process go so many times as fast; `put` may be a `monkeypatch.setattr`.

    Limits of sockets stay as they are.
    """
    real = SystemClock()
    began_us, began_s = real.time_us(), real.monotonic_s()
    time_us, monotonic_s, sleep = SystemClock.time_us, SystemClock.monotonic_s, SystemClock.sleep
    put(SystemClock, "time_us", lambda clock: began_us + (time_us(clock) - began_us) * times)
    put(SystemClock, "monotonic_s", lambda clock: began_s + (monotonic_s(clock) - began_s) * times)
    put(SystemClock, "sleep", lambda clock, delay_s: sleep(clock, delay_s / times))
