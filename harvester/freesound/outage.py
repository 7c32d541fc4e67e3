"""The circuit breaker: when the server as a whole fails, one probe at a time, at growing distances.

Owns the answer to "is this one bad request or an outage?" and to "how long do we put up with it?". State machines over
given times and failures; they neither wait nor send.
"""

from __future__ import annotations

from harvester.clock import SECOND_US
from harvester.errors import ApiUnreachable, Doubt
from harvester.freesound.wire import Transient

FAILURES_THAT_OPEN = 4
FIRST_DISTANCE_S = 5
FARTHEST_S = 30 * 60
PATIENCE_S = 10 * 60
"""An outage this long ends a run without `--forever`."""
FIRST_CONTACT_S = 6
"""So soon does a run end that has never reached anybody: the address is mistyped, or there is no network."""
REFUSED_IN_A_ROW = 10
"""Different requests that the API refuses in its own words, with no useful answer between, until it is an outage."""


class Outage:
    """Counts failures in a row over all fetchers; `is_open` from the fourth on, until anything useful is answered."""

    def __init__(self, address: str, *, forever: bool) -> None:
        self._address = address
        self._forever = forever
        self._ever_reached = False
        self._failures = 0
        self._since_us = 0
        self._distance_s = 0
        self.reason = ""
        self.probe_at_us = 0

    @property
    def is_open(self) -> bool:
        return self._distance_s > 0

    def succeeded(self) -> None:
        """Note an answer of the API: the outage, if there was one, is over."""
        self._ever_reached = True
        self._failures = self._distance_s = 0

    def failed(self, now_us: int, failure: Transient, *, probe: bool, distance_s: int | None = None) -> None:
        """Note a failure; raises `ApiUnreachable` when patience is at its end.

        Late failures of requests sent before the breaker opened (`probe` false) say nothing new and do not lengthen
        the distance. With `distance_s` the breaker is open from now on, and the next probe that far away.
        """
        self._ever_reached = self._ever_reached or failure.reached
        self.reason = failure.reason
        self._since_us = self._since_us if self._failures else now_us
        self._failures += 1
        patience_s = PATIENCE_S if self._ever_reached else 0 if failure.foreign else FIRST_CONTACT_S
        ends_us = self._since_us + patience_s * SECOND_US
        if not self._forever and now_us >= ends_us:
            raise ApiUnreachable(self._give_up(failure))
        if self.is_open and not probe:
            return
        if distance_s is not None:
            self._distance_s = distance_s
        elif self.is_open:
            self._distance_s = min(2 * self._distance_s, FARTHEST_S)
        elif self._failures >= FAILURES_THAT_OPEN:
            self._distance_s = FIRST_DISTANCE_S if self._ever_reached else 1
        self.probe_at_us = now_us + self._distance_s * SECOND_US
        if not self._forever:
            self.probe_at_us = min(self.probe_at_us, ends_us)

    def _give_up(self, failure: Transient) -> str:
        came = f"{self._address} ({failure.reason})"
        if self._ever_reached:
            advice = f"; {_FOREIGN_ADVICE}" if failure.foreign else ""
            return (
                f"no useful answer from {came} for {PATIENCE_S // 60} minutes; everything fetched so far is kept, "
                f"--forever waits longer{advice}"
            )
        if failure.foreign:
            return f"{self._address} is no Freesound API: {failure.reason}; {_FOREIGN_ADVICE}"
        return f"nothing answers at {came}: check the address and the network"


_FOREIGN_ADVICE = "check --api-url, whether the network wants a login, and whether this address is blocked"


class Refusals:
    """Counts different requests in a row that the API refused in its own words (400, 404, unreadable answers).

    One of them says something about one sound. Many in a row without a useful answer are an outage.
    """

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self.doubt = Doubt()

    def refused(self, key: str) -> bool:
        """Note a refusal of the request `key`; tell whether all requests are refused by now."""
        self._keys.add(key)
        if len(self._keys) < REFUSED_IN_A_ROW:
            return False
        self.doubt.close(concerns_all=True)
        return True

    def answered(self) -> None:
        """Note a useful answer: earlier refusals concern single sounds."""
        if self._keys:
            self._keys.clear()
            self.doubt.close(concerns_all=False)
            self.doubt = Doubt()
