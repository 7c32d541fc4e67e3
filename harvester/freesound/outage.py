"""Circuit breaker: in an outage, allow probes at growing intervals.

It decides when failures are an outage, and when an outage ends the run. It neither waits nor sends.
"""

from __future__ import annotations

from dataclasses import dataclass

from harvester.clock import SECOND_US
from harvester.errors import ApiUnreachable, Doubt
from harvester.freesound.wire import Transient

FAILURES_TO_OPEN = 4
FIRST_INTERVAL_S = 5
LONGEST_INTERVAL_S = 30 * 60
LONGEST_OUTAGE_S = 10 * 60
"""An outage this long ends a run without `--forever`."""
FIRST_CONTACT_S = 6
"""A run that never reached a server ends after this: the address is wrong, or there is no network."""
REFUSED_IN_A_ROW = 10
"""Different requests in a row, without a useful answer between them, whose refusal is an outage."""


@dataclass(frozen=True, slots=True)
class OutageWords:
    """What the error at the end of an outage says besides the facts.

    `what` the server should be, `advice` for an answer of another server, and `waits`: how to wait longer.
    """

    what: str = "a Freesound API"
    advice: str = "check --api-url, whether the network requires a login, and whether this address is blocked"
    waits: str = "--forever waits longer"


class Outage:
    """Counts failures in a row over all fetchers; opens at the fourth."""

    def __init__(self, address: str, *, forever: bool, words: OutageWords = OutageWords()) -> None:
        self._words = words
        self._address = address
        self._forever = forever
        self._ever_reached = False
        self._failures = 0
        self._since_us = 0
        self._interval_s = 0
        self.reason = ""
        self.probe_at_us = 0

    @property
    def is_open(self) -> bool:
        """Whether there is an outage: only probes may be sent."""
        return self._interval_s > 0

    def succeeded(self) -> None:
        """Note an answer of the API: it ends an outage."""
        self._ever_reached = True
        self._failures = self._interval_s = 0

    def failed(self, now_us: int, failure: Transient, *, probe: bool, probe_in_s: int | None = None) -> None:
        """Note a failure; raise `ApiUnreachable` after too long an outage.

        In an outage only a failed `probe` lengthens the interval: other failures are of requests sent before it.
        `probe_in_s` opens the breaker at once and sets the interval.
        """
        self._ever_reached = self._ever_reached or failure.reached
        self.reason = failure.reason
        self._since_us = self._since_us if self._failures else now_us
        self._failures += 1
        longest_s = LONGEST_OUTAGE_S if self._ever_reached else 0 if failure.foreign else FIRST_CONTACT_S
        ends_us = self._since_us + longest_s * SECOND_US
        if not self._forever and now_us >= ends_us:
            raise ApiUnreachable(self._final_message(failure))
        if self.is_open and not probe:
            return
        if probe_in_s is not None:
            self._interval_s = probe_in_s
        elif self.is_open:
            self._interval_s = min(2 * self._interval_s, LONGEST_INTERVAL_S)
        elif self._failures >= FAILURES_TO_OPEN:
            self._interval_s = FIRST_INTERVAL_S if self._ever_reached else 1
        self.probe_at_us = now_us + self._interval_s * SECOND_US
        if not self._forever:
            self.probe_at_us = min(self.probe_at_us, ends_us)

    def _final_message(self, failure: Transient) -> str:
        where, words = f"{self._address} ({failure.reason})", self._words
        if self._ever_reached:
            parts = (words.waits, words.advice if failure.foreign else "")
            advice = "".join(f"; {part}" for part in parts if part)
            minutes = LONGEST_OUTAGE_S // 60
            return f"no useful answer from {where} for {minutes} minutes; everything fetched is kept{advice}"
        if failure.foreign:
            return f"{self._address} is not {words.what}: {failure.reason}; {words.advice}"
        return f"no answer from {where}: check the address and the network"


class Refusals:
    """Counts different requests that the API refused in a row (400, 404).

    One refusal concerns one sound; ten in a row without a useful answer are an outage.
    """

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self.doubt = Doubt()

    def refused(self, key: str) -> bool:
        """Note a refused request; tell whether the API refuses all requests."""
        self._keys.add(key)
        if len(self._keys) < REFUSED_IN_A_ROW:
            return False
        self.doubt.close(concerns_all=True)
        return True

    def answered(self) -> None:
        """Note a useful answer: the refusals before it concern single sounds."""
        if self._keys:
            self._keys.clear()
            self.doubt.close(concerns_all=False)
            self.doubt = Doubt()
