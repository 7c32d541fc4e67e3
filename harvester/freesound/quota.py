"""What the key may still send: the limits, the rolling windows, and who keeps count of them.

Owns the rule that the two rolling windows of a key are never overrun by our own requests, whichever of our
processes sends them. The server counts arrivals; a slot frees one window after its *answer* came, because only the
answer proves that the request has arrived; an unanswered one frees one window after its time ran out.
Must not know HTTP, waiting, or where a ledger keeps its rows.

The contract of a `Ledger` (floor 2 implements it over a file, shared by all processes with the same key and server):

- A row is one request: leased at `now_us`, to be over by `expires_us`, answered at some later time or never.
  Its *stamp* is the time of its answer, or else `expires_us`. In a window of W microseconds it counts while
  `stamp > now_us - W`. Nothing else counts, nothing counts twice; rows past a day may be forgotten.
- `lease` counts and inserts in ONE exclusive transaction, so two processes cannot both take the last slot.
- A row is leased right before it is sent. A crash therefore costs at most the requests that were on the wire, and
  these count in full, as they should: they may have arrived.
- A clock set back leaves stamps in the future. A stamp later than `expires_us` of the lease in hand cannot be true:
  `lease` restamps such rows as answered at `now_us`. So they free one window from now: not earlier, and not never.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from harvester.clock import DAY_US, SECOND_US, Clock
from harvester.errors import SettingsError
from harvester.settings import COUNT

MINUTE_US = 60 * SECOND_US
CLOCKS_APART_US = SECOND_US
"""Over a day our clock and the server's may run this far apart; a day slot rests that much longer."""
PROBE_EVERY_US = 6 * 3600 * SECOND_US
"""How often a key that another program spends too is asked for more than our share."""
BURST_SHARE_US = 3600 * SECOND_US
CALM_REFUSALS = 4
"""Day refusals within a day after which the client tries at the next slot; after more, only every six hours."""

Window = tuple[int, int]
"""(limit, length in microseconds)."""
Span = Literal["minute", "day"]
RefusalKind = Literal["burst", "day", "ip", "suspended", "unknown"]


class Ledger(Protocol):
    """When requests were spent, for one key on one server, over all processes and restarts."""

    def lease(self, now_us: int, count: int, expires_us: int, windows: Sequence[Window]) -> list[int]:
        """Commit up to `count` sends that fit into every window and return their rows, durable on return.

        Fewer rows, or none, where a window has no more room. No windows: no limit, the rows are only recorded.
        Restamps rows from a clock that was set back (see the module).
        """
        ...

    def answered(self, row: int, now_us: int) -> None:
        """Note that the answer came. Need not be durable: when lost, the slot only frees a little later."""
        ...

    def give_back(self, rows: Sequence[int]) -> None:
        """Remove leases that were never sent, or that the server says it did not count."""
        ...

    def spent(self, since_us: int) -> list[int]:
        """Return every row's stamp that is later than `since_us`, ascending: future ones included."""
        ...


class MemoryLedger:
    """A ledger that lives as long as the object: for the sandbox run, whose server forgets too, and for tests."""

    def __init__(self) -> None:
        self._stamps: dict[int, int] = {}
        self._last_row = 0
        self._latest_us = 0
        self._most_rows = 50_000

    def lease(self, now_us: int, count: int, expires_us: int, windows: Sequence[Window]) -> list[int]:
        # Looking at every row costs more than a request where nothing limits them: only where it can change something.
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
        if row in self._stamps:
            self._stamps[row] = now_us

    def give_back(self, rows: Sequence[int]) -> None:
        for row in rows:
            self._stamps.pop(row, None)

    def spent(self, since_us: int) -> list[int]:
        return sorted(stamp for stamp in self._stamps.values() if stamp > since_us)

    def _counting(self, since_us: int) -> int:
        return sum(1 for stamp in self._stamps.values() if stamp > since_us)


class Refusal(NamedTuple):
    """What a 429 said: which limit, its number where the text names one, and a Retry-After in seconds."""

    kind: RefusalKind
    limit: int | None
    retry_after_s: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Limits:
    """A key's limits: requests in any minute and in any 24 hours; None means without limit."""

    burst: int | None
    daily: int | None

    def __post_init__(self) -> None:
        for limit in (self.burst, self.daily):
            if limit is not None and not COUNT.least <= limit <= COUNT.most:
                raise SettingsError(f"a limit is from {COUNT.least} to {COUNT.most} requests, or - for none")

    def corrected(self, refusal: Refusal) -> Limits:
        """Return the limits as a 429 shows them: the number in its text is the only place the API names them."""
        if refusal.limit is None or not COUNT.least <= refusal.limit <= COUNT.most:
            return self  # no limit that a server has
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


class SteadyTime:
    """The quota's own time: the wall clock as it was at the start, carried on by the monotonic clock.

    A wall clock set forward under a running harvest must not free slots that the server still counts, and one set
    back must not hold them; what happens between two runs is the ledger's business (restamping).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_us = clock.time_us() - round(clock.monotonic_s() * SECOND_US)

    def now_us(self) -> int:
        return round(self._clock.monotonic_s() * SECOND_US) + self._offset_us


class Lease(NamedTuple):
    """One send that the ledger has counted; `probing` when it asks for more than our share."""

    row: int
    probing: bool


class Quota:
    """The key's quota as one run sees it: leases from the ledger, corrected by what the server refuses.

    `share` is set when the server refused for the day although the ledger had room: another program spends the same
    key. Our own requests of the last 24 hours are then our share, until a probe shows that there is more.
    """

    def __init__(self, ledger: Ledger, limits: Limits, now_us: Callable[[], int], timeout_us: int) -> None:
        self._ledger = ledger
        self._now_us = now_us
        self._timeout_us = timeout_us
        self.limits = limits
        self.share: int | None = None
        self._probe_at_us = 0
        self._rest_until_us = 0
        self._burst_share: int | None = None
        self._burst_share_until_us = 0
        self._refused_at_us: list[int] = []
        self._looked_at_us = 0
        self._spending: tuple[int, int | None] = (0, None)
        self.slot_frees_at: int | None = None
        """When the oldest request stops counting against the day, as of the last `spending`; None: no limit, none."""

    def lease(self) -> Lease | None:
        """Count one send in the ledger, durable on return; None when a window is full or the day rests."""
        now_us = self._now_us()
        if now_us < self._rest_until_us:
            return None
        expires_us = now_us + self._timeout_us
        rows = self._ledger.lease(now_us, 1, expires_us, self._windows(self._day_limit()))
        probing = False
        if not rows and self.share is not None and now_us >= self._probe_at_us:
            rows = self._ledger.lease(now_us, 1, expires_us, self._windows(self.limits.daily))
            if rows:
                probing, self._probe_at_us = True, now_us + PROBE_EVERY_US
        return Lease(rows[0], probing) if rows else None

    def answered(self, lease: Lease) -> None:
        """Note an answer that the server counted; a probe's answer lifts the share."""
        self._ledger.answered(lease.row, self._now_us())
        if lease.probing:
            self.share = None

    def give_back(self, lease: Lease) -> None:
        """Return a send that never left, or that was refused: the server does not count either."""
        self._ledger.give_back([lease.row])

    def free_at(self) -> tuple[int, Span]:
        """Return when the next request can be leased, and which window it waits for."""
        now_us = self._now_us()
        found: list[tuple[int, Span]] = [(now_us, "minute")]
        burst_limit = self.burst_limit()
        if burst_limit is not None:
            found.append((self._frees_at_us(now_us, burst_limit, MINUTE_US), "minute"))
        day_limit = self._day_limit()
        if day_limit is not None:
            day_us = self._frees_at_us(now_us, day_limit, DAY_US + CLOCKS_APART_US)
            if self.share is not None and self.limits.daily is not None:
                all_of_it_us = self._frees_at_us(now_us, self.limits.daily, DAY_US + CLOCKS_APART_US)
                day_us = min(day_us, max(self._probe_at_us, all_of_it_us))
            found.append((max(day_us, self._rest_until_us), "day"))
        return max(found)

    def refused(self, refusal: Refusal) -> None:
        """Take in a refusal: the limit it names, our share when the ledger had room, a rest when they pile up."""
        self.limits = self.limits.corrected(refusal)
        now_us = self._now_us()
        if refusal.kind == "burst" and self.limits.burst is not None:
            own = len(self._ledger.spent(now_us - MINUTE_US))
            if own < self.limits.burst:
                self._burst_share, self._burst_share_until_us = (
                    max(own, self.limits.burst // 4, 1),
                    now_us + BURST_SHARE_US,
                )
        if refusal.kind != "day":
            return
        own = len(self._ledger.spent(now_us - DAY_US))
        if self.limits.daily is None or own < self.limits.daily:
            self.share = own
            self._probe_at_us = now_us + PROBE_EVERY_US
        self._refused_at_us = [*(at for at in self._refused_at_us if at > now_us - DAY_US), now_us]
        if len(self._refused_at_us) > CALM_REFUSALS or own == 0:
            self._rest_until_us = now_us + PROBE_EVERY_US

    def spent_in(self, length_us: int) -> int:
        """Return how many requests of ours count in the last `length_us` microseconds."""
        return len(self._ledger.spent(self._now_us() - length_us))

    def spending(self, *, fresh: bool = False) -> tuple[int, int | None]:
        """Return `spent_in` a day and `left` from one look at the ledger, at most a second old, or `fresh`."""
        now_us = self._now_us()
        if fresh or now_us - self._looked_at_us >= SECOND_US:
            stamps = self._ledger.spent(now_us - DAY_US - CLOCKS_APART_US)
            self._spending = sum(stamp > now_us - DAY_US for stamp in stamps), self._left_after(len(stamps))
            limited = stamps and self._day_limit() is not None
            self.slot_frees_at = stamps[0] + DAY_US + CLOCKS_APART_US if limited else None
            self._looked_at_us = now_us
        return self._spending

    def left(self) -> int | None:
        """Return how many requests today's quota still holds by the ledger; None without a limit."""
        return self._left_after(self.spent_in(DAY_US + CLOCKS_APART_US))

    def _left_after(self, spent: int) -> int | None:
        day_limit = self._day_limit()
        return None if day_limit is None else max(0, day_limit - spent)

    def burst_limit(self) -> int | None:
        """Return the minute's limit, or our share of it for an hour after another program showed itself."""
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
