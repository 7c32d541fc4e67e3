"""Virtual time for tests: an event loop that jumps to the next timer instead of waiting for it.

Everything that waits through asyncio (sleep, timeouts, aiolimiter) is instantaneous and exact. Only for
tests without sockets: a loop that is waiting for the outside world has no next timer.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_TICK_S = 1e-7
START_US = 1_790_000_000_000_000  # 2026-09-21, a fixed "now" so that runs repeat


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("virtual time: every task waits for something that no timer will ever bring")
        self.now_s += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock moves only when all tasks wait."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s

    def call_at(
        self, when: float, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Set a timer; one that is due already rings a tick later, because on a real clock time passes until then.

        A limiter whose bucket still holds a rounding error sets such timers until it is empty.
        """
        return super().call_at(max(when, self.time() + _TICK_S), callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> asyncio.Future[T]:
        """Do a thread's work at once: it takes no virtual time, and the order of things repeats."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done


class VirtualClock:
    """A `Clock` on the running virtual loop. `jump_us` moves the wall clock alone, as an operator would."""

    def __init__(self, start_us: int = START_US) -> None:
        self._start_us = start_us

    def time_us(self) -> int:
        return self._start_us + round(self.monotonic_s() * 1_000_000)

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(max(0.0, delay_s))

    def jump_us(self, by_us: int) -> None:
        self._start_us += by_us


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in virtual time and return its result."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
