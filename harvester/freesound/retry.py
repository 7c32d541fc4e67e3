"""Retry failed requests: exponential backoff with full jitter.

A `Transient` failure uses up one of the request's attempts. A refusal by a limit, or a gate that closed before the
request was sent, uses up none: the gate decides how long to wait. Other failures are not retried.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeAlias, TypeVar, TypeVarTuple, Unpack

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from harvester.clock import Clock, Stop
from harvester.freesound.gate import GateClosed
from harvester.freesound.wire import QuotaRefused, Transient, Unreadable

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
FIRST_CEILING_S = 1.0
HIGHEST_CEILING_S = 60.0
OnRetry: TypeAlias = Callable[[Transient, int, float], None]
"""Takes the failure, the number of the next attempt, and the wait before it in seconds."""

_IS_RETRIED = retry_if_exception_type((Transient, QuotaRefused, GateClosed))


class Retry:
    """The retry policy of one run."""

    def __init__(self, clock: Clock, stop: Stop, rng: Random, on_retry: OnRetry) -> None:
        self._clock = clock
        self._stop = stop
        self._rng = rng
        self._on_retry = on_retry

    async def call(self, attempt: Callable[[Unpack[Ts]], Awaitable[T]], *args: *Ts) -> T:
        """Await `attempt` until it succeeds or has no attempts left.

        Raises its last `Transient`, or `Stopped` when the run closes during a wait. A failure with `counted` false uses
        up no attempt.
        """
        attempts = _Attempts(self._rng, self._on_retry)
        retrying = AsyncRetrying(
            retry=_IS_RETRIED,
            after=attempts.note,
            stop=attempts.is_over,
            wait=attempts.backoff_s,
            before_sleep=attempts.announce,
            sleep=self._sleep,
            reraise=True,
        )
        return await retrying(attempt, *args)

    async def _sleep(self, delay_s: float) -> None:
        await self._stop.unless_closed(self._clock.sleep(delay_s))


class _Attempts:
    """The failures of one request, and tenacity's strategies after them."""

    def __init__(self, rng: Random, on_retry: OnRetry) -> None:
        self._rng = rng
        self._on_retry = on_retry
        self._failures = self._used = 0
        self._digests: set[bytes] = set()

    def note(self, state: RetryCallState) -> None:
        """Count a failure; tenacity calls this before the other methods."""
        failure = _transient(state)
        if failure is None:
            return
        self._failures += 1
        self._used += failure.counted
        if isinstance(failure, Unreadable):
            if failure.digest in self._digests:
                failure.make_final()
            self._digests.add(failure.digest)

    def is_over(self, state: RetryCallState) -> bool:
        """Tell whether the last failure allows no further attempt."""
        failure = _transient(state)
        return failure is not None and self._used >= failure.attempts

    def backoff_s(self, state: RetryCallState) -> float:
        """Return the wait before the next attempt, in seconds."""
        failure = _transient(state)
        if failure is None or failure.idle:
            return 0.0
        ceiling_s: float = min(HIGHEST_CEILING_S, FIRST_CEILING_S * 2.0 ** min(self._failures - 1, 10))
        return self._rng.uniform(0.0, ceiling_s)

    def announce(self, state: RetryCallState) -> None:
        """Report that a failed request is retried."""
        failure = _transient(state)
        if failure is not None and not failure.idle:
            wait_s = state.next_action.sleep if state.next_action is not None else 0.0
            self._on_retry(failure, state.attempt_number + 1, wait_s)


def _transient(state: RetryCallState) -> Transient | None:
    failure = state.outcome.exception() if state.outcome is not None else None
    return failure if isinstance(failure, Transient) else None
