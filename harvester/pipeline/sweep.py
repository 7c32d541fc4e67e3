"""A sweep: every hit of a search, page by page, in windows over `created` where the result is deep.

Owns which page comes next and where a crash resumes. Invariants: no hit deeper than `DEEPEST` pages but inside one
second; each window starts at the second where the last one ended, so all hits are covered; a window whose pages gave
too few sounds is read once more and united, never a third time; a page that is too large is read in parts that divide
it, so that no position is left out or read twice. Pure: knows neither network nor disk.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from harvester.errors import SettingsError
from harvester.model import RecordsPage
from harvester.pipeline.messages import SweepClaim
from harvester.records import value_of

PAGE = 150
DEEPEST = 10
"""Pages of a window: deeper offsets may outlast the second that the server's search backend has."""

SMALLER = {150: 75, 75: 25, 25: 5}
"""The size to try when pages of a size do not come in time; each divides the one before."""
_LARGER = {small: large for large, small in SMALLER.items()}

MOST_WITHOUT_PERMISSION = 50_000
"""Hits of a sweep that nobody has to justify: 7 in 100 of all sounds."""

Slice = tuple[int, int]
"""A page's number, counted in pages of its size, and that size."""


def sweep_topic(query: str, filter: str, space: str = "") -> str:
    """Return the topic under which a search's hits and the place of its sweep are noted.

    With a `space`, of the sweep that brings its vectors: that a hit was seen without one says nothing of them.
    """
    return f"sweep {json.dumps([query, filter, space] if space else [query, filter])}"


def refuse_large(hits: int | None) -> None:
    """Raise `SettingsError` for a sweep of so many hits that its owner should have asked Freesound first."""
    if (hits or 0) > MOST_WITHOUT_PERMISSION:
        raise SettingsError(
            f"this sweep finds {hits} sounds, and the API's terms do not allow copies of the whole database: narrow it "
            f"to {MOST_WITHOUT_PERMISSION}, or ask Freesound and add --i-have-permission; what was read is kept"
        )


@dataclass(frozen=True, slots=True)
class _Window:
    """One window: from `start` (empty: from the beginning), all pages up to `DEEPEST`, or all of one `second`.

    `left` are the pages not read yet, `ids` what the others gave, `end` when the latest of those was made.
    """

    start: str = ""
    second: bool = False
    again: bool = False
    count: int | None = None
    left: tuple[Slice, ...] = ((1, PAGE),)
    ids: tuple[int, ...] = ()
    end: str = ""

    @property
    def filter(self) -> str:
        if not self.start:
            return ""
        return f"created:[{self.start} TO {self.start if self.second else '*'}]"

    @property
    def expected(self) -> int:
        """How many hits it covers; none while its first page has not told."""
        count = self.count or 0
        return count if self.second else min(count, DEEPEST * PAGE)

    @property
    def is_last(self) -> bool:
        return not self.second and (self.count or 0) <= DEEPEST * PAGE

    def slices(self, size: int) -> tuple[Slice, ...]:
        """Return all its pages in one size."""
        return tuple((page, size) for page in range(1, max(1, -(-self.expected // size)) + 1))


class Sweep:
    """Where a sweep stands. `total` is what the search counted at first, `found` how many distinct hits came."""

    def __init__(self, place: str = "") -> None:
        """Begin, or go on at a place that `place()` gave; a place that cannot be read is begun anew."""
        self.total: int | None = None
        self.found = 0
        self.done = False
        self.requests = 0
        self._size = PAGE
        self._window = _Window()
        self._before: frozenset[int] = frozenset()
        self._out: set[Slice] = set()
        self._is_calm = True
        if place:
            self._read(place)

    def place(self) -> str:
        """Return where the sweep stands, as text: pages that are out count as not read."""
        return json.dumps(
            {
                "done": self.done,
                "total": self.total,
                "found": self.found,
                "before": sorted(self._before),
                "window": asdict(self._window),
            },
            separators=(",", ":"),
        )

    def _read(self, place: str) -> None:
        try:
            kept = json.loads(place)
            window = kept["window"]
            left = tuple((one, PAGE) if isinstance(one, int) else (int(one[0]), int(one[1])) for one in window["left"])
            self._window = _Window(**{**window, "left": left, "ids": tuple(window["ids"])})
            self._size = min((size for _, size in left), default=PAGE)
            self._before = frozenset(kept["before"])
            self.done, self.total, self.found = kept["done"], kept["total"], kept["found"]
        except (ValueError, TypeError, KeyError):
            self._window = _Window()

    @property
    def missing(self) -> int:
        """How many hits the search counted that no page gave."""
        return max(0, (self.total or 0) - self.found)

    def describe(self) -> str:
        """Return how the sweep ended, in one line."""
        line = f"sweep done: {self.found} sounds"
        if self.missing:
            line += (
                f" of the {self.total} that the search counts; {self.missing} were on no page, not even a second time"
            )
        return line

    def next(self) -> SweepClaim | None:
        """Return the next page to fetch; None while the pages that are out must tell first, or when all is done."""
        if self.done:
            return None
        part = next((part for part in self._window.left if part not in self._out), None)
        if part is None:
            return None
        self._out.add(part)
        return SweepClaim(self._window.filter, *part)

    def release(self, claim: SweepClaim) -> None:
        """Take a page back that was not fetched."""
        self._out.discard((claim.page, claim.size))

    def split(self, claim: SweepClaim) -> bool:
        """Take a page back that did not come in time, to be read in parts; False when it cannot be smaller.

        Pages of this window that nobody has asked for yet are split alike; the next window dares a larger size again.
        """
        smaller = SMALLER.get(claim.size)
        if smaller is None:
            return False
        self.release(claim)
        self._size, self._is_calm = min(self._size, smaller), False
        left: list[Slice] = []
        for page, size in self._window.left:
            parts = 1 if (page, size) in self._out or size <= self._size else size // self._size
            left += [(part, size // parts) for part in range((page - 1) * parts + 1, page * parts + 1)]
        # How many there are is not known before the first one came; beyond the last there is nothing to read.
        within = self._window.expected if self._window.count is not None else 1
        self._window = replace(self._window, left=tuple(part for part in left if (part[0] - 1) * part[1] < within))
        return True

    def read(self, claim: SweepClaim, page: RecordsPage) -> None:
        """Take in what a page brought; moves on to the next window when it was the last one."""
        self.release(claim)
        self.requests += 1
        window = self._window
        if window.count is None:
            window = replace(window, count=page.count)
            window = replace(window, left=window.slices(claim.size))
            if self.total is None:
                self.total = page.count
        left = tuple(other for other in window.left if other != (claim.page, claim.size))
        ids = tuple(dict.fromkeys((*window.ids, *(record["id"] for record in page.records))))
        self._window = window = replace(window, left=left, ids=ids, end=max(window.end, _latest(page)))
        if not left:
            self._close(window)

    def _close(self, window: _Window) -> None:
        if not window.again and (window.second or len(window.ids) < window.expected):
            # Pages shift while an index is written to, and ties have no order: a second look fills most gaps.
            self._window = replace(window, again=True, left=window.slices(self._size))
            return
        if self._is_calm:
            self._size = _LARGER.get(self._size, PAGE)
        self._is_calm = True
        first = ((1, self._size),)
        self.found += len(set(window.ids) - self._before)
        self._before = frozenset(window.ids)
        if window.second:
            self._window = _Window(start=_next_second(window.start), left=first)
        elif window.is_last or not window.end:
            self.done = True
        else:
            # All of it made in one second: no later start would ever come.
            self._window = _Window(start=window.end, second=window.end == window.start, left=first)


def _latest(page: RecordsPage) -> str:
    return max((value_of(record, "created") or "" for record in page.records), default="")


def _next_second(moment: str) -> str:
    return (datetime.fromisoformat(moment) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
