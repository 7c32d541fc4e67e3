"""Keep all processes within a key's limits for a minute and a day.

The server counts a request when it arrives. Our slot frees one window after the *answer*, because only the answer
proves that the request has arrived; the slot of an unanswered request frees one window after its timeout.

The contract of a `Ledger` (`ledger.FileLedger` shares one between processes):

- A row is one request: leased at `now_us`, over by `expires_us`, answered at some later time or never. Its *stamp* is
  the time of its answer, or else `expires_us`. In a window of W microseconds it counts while `stamp > now_us - W`.
  Rows older than a day may be deleted.
- `lease` counts and inserts in one exclusive transaction, so that two processes cannot both take the last slot.
- A request is leased right before it is sent. A crash costs at most the slots of the requests that were on the wire;
  these may have arrived.
- A clock that is set back leaves stamps in the future. `lease` restamps rows later than its own `expires_us` as
  answered at `now_us`: they free one window from now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from harvester.clock import DAY_US, SECOND_US
from harvester.errors import SettingsError
from harvester.settings import COUNT

MINUTE_US = 60 * SECOND_US
CLOCKS_APART_US = SECOND_US
"""Our clock and the server's may drift this far apart in a day; a day slot frees that much later."""
PROBE_EVERY_US = 6 * 3600 * SECOND_US
"""How often to try for more than our share of a key that another program uses too."""
BURST_SHARE_US = 3600 * SECOND_US
MOST_REFUSALS = 4
"""After more day refusals in a day, wait `PROBE_EVERY_US` instead of for the next slot."""

Window = tuple[int, int]
"""(limit, length in microseconds)."""
Span = Literal["minute", "day"]
RefusalKind = Literal["burst", "day", "ip", "suspended", "unknown"]


class Ledger(Protocol):
    """The requests of one key on one server, by all processes."""

    def lease(self, now_us: int, count: int, expires_us: int, windows: Sequence[Window]) -> list[int]:
        """Commit up to `count` requests that fit the windows; return rows.

        Durable on return. Without windows there is no limit. Restamps rows of a clock that was set back.
        """
        ...

    def answered(self, row: int, now_us: int) -> None:
        """Note the answer; if the note is lost, the slot frees a little later."""
        ...

    def give_back(self, rows: Sequence[int]) -> None:
        """Remove leases that were not sent, or that the server did not count."""
        ...

    def spent(self, since_us: int) -> list[int]:
        """Return the stamps later than `since_us`, ascending."""
        ...


class MemoryLedger:
    """A ledger in memory, for the sandbox and for tests."""

    def __init__(self) -> None:
        self._stamps: dict[int, int] = {}
        self._last_row = 0
        self._latest_us = 0
        self._most_rows = 50_000

    def lease(self, now_us: int, count: int, expires_us: int, windows: Sequence[Window]) -> list[int]:
        """See `Ledger`."""
        # Without a limit a scan of all rows costs more than a request: only when it can change something.
        if expires_us < self._latest_us:
            self._stamps = {row: now_us if stamp > expires_us else stamp for row, stamp in self._stamps.items()}
        self._latest_us = expires_us
        if len(self._stamps) > self._most_rows:
            self._stamps = {row: stamp for row, stamp in self._stamps.items() if stamp > now_us - 2 * DAY_US}
            self._most_rows = max(50_000, 2 * len(self._stamps))
        room = min((limit - self._counting(now_us - length_us) for limit, length_us in windows), default=count)
        rows = [self._last_row + step + 1 for step in range(max(0, min(room, count)))]
        self._stamps.update(dict.fromkeys(rows, expires_us))
        self._last_row += len(rows)
        return rows

    def answered(self, row: int, now_us: int) -> None:
        """See `Ledger`."""
        if row in self._stamps:
            self._stamps[row] = now_us

    def give_back(self, rows: Sequence[int]) -> None:
        """See `Ledger`."""
        for row in rows:
            self._stamps.pop(row, None)

    def spent(self, since_us: int) -> list[int]:
        """See `Ledger`."""
        return sorted(stamp for stamp in self._stamps.values() if stamp > since_us)

    def _counting(self, since_us: int) -> int:
        return sum(1 for stamp in self._stamps.values() if stamp > since_us)


class Refusal(NamedTuple):
    """What a 429 says: the limit, its number if known, and Retry-After."""

    kind: RefusalKind
    limit: int | None
    retry_after_s: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Limits:
    """A key's requests in any minute and any 24 hours; None: no limit."""

    burst: int | None
    daily: int | None

    def __post_init__(self) -> None:
        for limit in (self.burst, self.daily):
            if limit is not None and not COUNT.least <= limit <= COUNT.most:
                raise SettingsError(f"a limit is from {COUNT.least} to {COUNT.most} requests, or - for none")

    def corrected(self, refusal: Refusal) -> Limits:
        """Return the limits, corrected by the number in a 429's text."""
        if refusal.limit is None or not COUNT.least <= refusal.limit <= COUNT.most:
            return self  # invalid: no limit of a server
        if refusal.kind == "burst":
            level_one = refusal.limit == LEVELS[1].burst
            return Limits(refusal.limit, _lower(self.daily, LEVELS[1].daily) if level_one else self.daily)
        if refusal.kind == "day":
            level_one = refusal.limit == LEVELS[1].daily
            return Limits(_lower(self.burst, LEVELS[1].burst) if level_one else self.burst, refusal.limit)
        return self


def _lower(one: int | None, other: int | None) -> int | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)


LEVELS = {1: Limits(60, 2000), 2: Limits(300, 5000), 3: Limits(300, 15000), 99: Limits(None, None)}
"""Limits by throttling level, as in the server's settings (API.md §4)."""


def read_limits(text: str) -> Limits:
    """Read `BURST/DAY` as given to `--limits`; a `-` stands for no limit."""
    try:
        burst, daily = (None if part.strip() == "-" else int(part) for part in text.split("/"))
    except ValueError:
        raise SettingsError(f"limits are given as BURST/DAY, for example 60/2000, not {text[:40]!r}") from None
    return Limits(burst, daily)


class Lease(NamedTuple):
    """One counted request; `probing`: it goes beyond our share."""

    row: int
    probing: bool


class Quota:
    """The key's quota: the ledger, corrected by the server's refusals.

    `share` is set when the server refuses for the day although the ledger has room: another program uses the same key.
    It is the number of our requests in the last 24 hours, until a probe is answered.
    """

    def __init__(self, ledger: Ledger, limits: Limits, now_us: Callable[[], int], timeout_us: int) -> None:
        self._ledger = ledger
        self._now_us = now_us
        self._timeout_us = timeout_us
        self.limits = limits
        self.share: int | None = None
        self._probe_at_us = 0
        self._paused_until_us = 0
        self._burst_share: int | None = None
        self._burst_share_until_us = 0
        self._refused_at_us: list[int] = []
        self._read_at_us = 0
        self._spending: tuple[int, int | None] = (0, None)
        self.slot_frees_at: int | None = None
        """When the oldest request leaves the day's window, at the last `spending`; None without limit or requests."""

    def lease(self) -> Lease | None:
        """Count one request, durable on return; None if a window is full."""
        now_us = self._now_us()
        if now_us < self._paused_until_us:
            return None
        expires_us = now_us + self._timeout_us
        rows = self._ledger.lease(now_us, 1, expires_us, self._windows(self._day_limit()))
        probing = not rows and self.share is not None and now_us >= self._probe_at_us
        if probing and (rows := self._ledger.lease(now_us, 1, expires_us, self._windows(self.limits.daily))):
            self._probe_at_us = now_us + PROBE_EVERY_US
        return Lease(rows[0], probing) if rows else None

    def answered(self, lease: Lease) -> None:
        """Note an answer; the answer to a probe removes the share."""
        self._ledger.answered(lease.row, self._now_us())
        if lease.probing:
            self.share = None

    def give_back(self, lease: Lease) -> None:
        """Remove a lease that was not sent, or that the server did not count."""
        self._ledger.give_back([lease.row])

    def free_at(self) -> tuple[int, Span]:
        """Return when the next request can be leased, and for which window."""
        now_us = self._now_us()
        found: list[tuple[int, Span]] = [(now_us, "minute")]
        burst_limit = self.burst_limit()
        if burst_limit is not None:
            found.append((self._frees_at_us(now_us, burst_limit, MINUTE_US), "minute"))
        day_limit = self._day_limit()
        if day_limit is not None:
            day_us = self._frees_at_us(now_us, day_limit, DAY_US + CLOCKS_APART_US)
            if self.share is not None and self.limits.daily is not None:
                full_limit_us = self._frees_at_us(now_us, self.limits.daily, DAY_US + CLOCKS_APART_US)
                day_us = min(day_us, max(self._probe_at_us, full_limit_us))
            found.append((max(day_us, self._paused_until_us), "day"))
        return max(found)

    def refused(self, refusal: Refusal) -> None:
        """Note a refusal: correct the limits and our share, or pause."""
        self.limits = self.limits.corrected(refusal)
        now_us = self._now_us()
        if refusal.kind == "burst" and self.limits.burst is not None:
            own = len(self._ledger.spent(now_us - MINUTE_US))
            if own < self.limits.burst:
                self._burst_share = max(own, self.limits.burst // 4, 1)
                self._burst_share_until_us = now_us + BURST_SHARE_US
        if refusal.kind != "day":
            return
        own = len(self._ledger.spent(now_us - DAY_US))
        if self.limits.daily is None or own < self.limits.daily:
            self.share = own
            self._probe_at_us = now_us + PROBE_EVERY_US
        self._refused_at_us = [*(at for at in self._refused_at_us if at > now_us - DAY_US), now_us]
        if len(self._refused_at_us) > MOST_REFUSALS or own == 0:
            self._paused_until_us = now_us + PROBE_EVERY_US

    def spent_in(self, length_us: int) -> int:
        """Return the requests counted in the last `length_us` microseconds."""
        return len(self._ledger.spent(self._now_us() - length_us))

    def spending(self, *, fresh: bool = False) -> tuple[int, int | None]:
        """Return `spent_in` a day and `left`; a second old, unless `fresh`."""
        now_us = self._now_us()
        if fresh or now_us - self._read_at_us >= SECOND_US:
            stamps = self._ledger.spent(now_us - DAY_US - CLOCKS_APART_US)
            self._spending = sum(stamp > now_us - DAY_US for stamp in stamps), self._left_after(len(stamps))
            limited = stamps and self._day_limit() is not None
            self.slot_frees_at = stamps[0] + DAY_US + CLOCKS_APART_US if limited else None
            self._read_at_us = now_us
        return self._spending

    def left(self) -> int | None:
        """Return the requests left in the rolling day; None: no limit."""
        return self._left_after(self.spent_in(DAY_US + CLOCKS_APART_US))

    def possible_at(self, count: int) -> int:
        """Return when the last of `count` further requests may be sent.

        It is an estimate from the day's limit alone: each slot frees a day after its use.
        """
        now_us, limit = self._now_us(), self._day_limit()
        if limit is None or count < 1:
            return now_us
        stamps = self._ledger.spent(now_us - DAY_US - CLOCKS_APART_US)[-limit:] if limit else []
        frees_us = [now_us] * (limit - len(stamps)) + [stamp + DAY_US + CLOCKS_APART_US for stamp in stamps]
        days, place = divmod(count - 1, max(1, limit))
        return (frees_us[place] if limit else now_us + PROBE_EVERY_US) + days * (DAY_US + CLOCKS_APART_US)

    def _left_after(self, spent: int) -> int | None:
        day_limit = self._day_limit()
        return None if day_limit is None else max(0, day_limit - spent)

    def burst_limit(self) -> int | None:
        """Return the minute's limit, or our share of it."""
        return self._burst_share if self._now_us() < self._burst_share_until_us else self.limits.burst

    def _day_limit(self) -> int | None:
        return self.limits.daily if self.share is None else self.share

    def _windows(self, daily: int | None) -> list[Window]:
        both = [(self.burst_limit(), MINUTE_US), (daily, DAY_US + CLOCKS_APART_US)]
        return [(limit, length_us) for limit, length_us in both if limit is not None]

    def _frees_at_us(self, now_us: int, limit: int, length_us: int) -> int:
        stamps = self._ledger.spent(now_us - length_us)
        if len(stamps) < limit:
            return now_us
        return stamps[len(stamps) - limit] + length_us if limit else now_us + PROBE_EVERY_US
