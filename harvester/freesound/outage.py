"""The circuit breaker: when the server as a whole fails, one probe at a time, at growing distances.

Owns the answer to "is this one bad request or an outage?" and to "how long do we put up with it?". A state machine
over given times; it neither waits nor sends.
"""

from __future__ import annotations

from harvester.clock import SECOND_US
from harvester.errors import ApiUnreachable

FAILURES_THAT_OPEN = 4
FIRST_DISTANCE_S = 5
FARTHEST_S = 30 * 60
PATIENCE_S = 10 * 60
"""An outage this long ends a run without `--forever`."""
FIRST_CONTACT_S = 6
"""So soon does a run end that has never reached anybody: the address is mistyped, or there is no network."""


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
        """Note a useful answer: the outage, if there was one, is over."""
        self._ever_reached = True
        self._failures = self._distance_s = 0

    def failed(self, now_us: int, reason: str, *, reached: bool, probe: bool) -> None:
        """Note a failure; raises `ApiUnreachable` when patience is at its end.

        `reached` tells that somebody was there. Late failures of requests sent before the breaker opened (`probe`
        false) say nothing new and do not lengthen the distance.
        """
        self._ever_reached = self._ever_reached or reached
        self.reason = reason
        self._since_us = self._since_us if self._failures else now_us
        self._failures += 1
        patience_s = PATIENCE_S if self._ever_reached else FIRST_CONTACT_S
        ends_us = self._since_us + patience_s * SECOND_US
        if not self._forever and now_us >= ends_us:
            raise ApiUnreachable(self._give_up(patience_s))
        if self.is_open and not probe:
            return
        if self.is_open:
            self._distance_s = min(2 * self._distance_s, FARTHEST_S)
        elif self._failures >= FAILURES_THAT_OPEN:
            self._distance_s = FIRST_DISTANCE_S if self._ever_reached else 1
        self.probe_at_us = now_us + self._distance_s * SECOND_US
        if not self._forever:
            self.probe_at_us = min(self.probe_at_us, ends_us)

    def _give_up(self, patience_s: int) -> str:
        if not self._ever_reached:
            return f"nothing answers at {self._address} ({self.reason}): check the address and the network"
        return (
            f"no useful answer from {self._address} for {patience_s // 60} minutes ({self.reason}); "
            "everything fetched so far is kept, --forever waits longer"
        )
