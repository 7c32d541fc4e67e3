"""Asking again: which failures, how often, and how long between two attempts.

Only `Transient` is retried, so a retry is a matter of type, not of judgement. The wait grows to a cap with full jitter
(any time between nothing and the ceiling is as likely). A delay that the server names is the gate's business. Must not
know HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from harvester.clock import Clock, Stop
from harvester.freesound.wire import Transient, Unreadable

T = TypeVar("T")
FIRST_CEILING_S = 1.0
HIGHEST_CEILING_S = 60.0


class Retry:
    """The patience of one run: a clock to wait by, a stop that ends the waiting, and seeded dice."""

    def __init__(self, clock: Clock, stop: Stop, rng: Random, on_retry: Callable[[Transient], None]) -> None:
        self._clock = clock
        self._stop = stop
        self._rng = rng
        self._on_retry = on_retry

    async def until_settled(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Return what `attempt` gives; raises its last `Transient` once that has used up its attempts.

        A failure with `counted` false uses up nothing. Raises `Stopped` when the run closes during a wait.
        """
        try:
            return await attempt()
        except Transient as failure:
            failed = [failure]
        return await self._again(attempt, failed)

    async def _again(self, attempt: Callable[[], Awaitable[T]], failed: list[Transient]) -> T:
        """Go on after a first attempt that failed; nearly every request is spared this, and what it costs to begin."""
        used = 0
        digests: set[bytes] = set()

        async def counting() -> T:
            nonlocal used
            try:
                if failed:
                    raise failed.pop()
                return await attempt()
            except Transient as failure:
                used += failure.counted
                if isinstance(failure, Unreadable):
                    if failure.digest in digests:
                        failure.make_final()
                    digests.add(failure.digest)
                raise

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(Transient),
            stop=lambda state: used >= _failure(state).attempts,
            wait=self.backoff_s,
            sleep=self._sleep,
            before_sleep=lambda state: self._on_retry(_failure(state)),
            reraise=True,
        )
        return await retrying(counting)

    def backoff_s(self, state: RetryCallState) -> float:
        """Return how long to wait after this attempt, in seconds."""
        ceiling_s: float = min(HIGHEST_CEILING_S, FIRST_CEILING_S * 2.0 ** min(state.attempt_number - 1, 10))
        return self._rng.uniform(0.0, ceiling_s)

    async def _sleep(self, delay_s: float) -> None:
        await self._stop.unless_closed(self._clock.sleep(delay_s))


def _failure(state: RetryCallState) -> Transient:
    failure = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(failure, Transient)
    return failure
