"""Sweep a search: read every hit, in windows over `created`.

Owns which page comes next and where a crash resumes. Invariants: no page lies deeper than `DEEPEST`, except in a window
of one second; each window starts at the second where the last one ended, so no hit is skipped; a window whose pages
brought too few sounds is read a second time, never a third; a page that is too large is divided without gap or overlap;
each window starts later than the one before, or the sweep is stuck. Pure: knows neither network nor disk.
"""

from __future__ import annotations

import json
from copy import copy
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec
from msgspec import Meta

from harvester.clock import SECOND_US, iso
from harvester.counts import counted
from harvester.errors import AnswerChanged, SettingsError
from harvester.model import API_PAGE, LARGEST_ID, RecordsPage
from harvester.pipeline.messages import SweepClaim
from harvester.records import created_us
from harvester.settings import COUNT_FROM_ZERO

DEEPEST = 10
"""Pages of a window: the server's search backend may time out (1 s) at deeper offsets."""

SMALLER = {API_PAGE: 75, 75: 25, 25: 5}
"""The size to try after a page of a size timed out; each divides the one before."""
_LARGER = {small: large for large, small in SMALLER.items()}

MOST_IN_A_SECOND = 1_000_000
"""More sounds than Freesound has: a larger count is wrong."""

MOST_WITHOUT_PERMISSION = 50_000
"""The most hits that a sweep may have without permission: 7 % of all sounds."""

Slice = tuple[int, int]
"""A page: its number, from 1, in pages of its size; and that size."""

_Count = Annotated[int, Meta(ge=0, le=COUNT_FROM_ZERO.most)]
_Ids = tuple[Annotated[int, Meta(ge=1, le=LARGEST_ID)], ...]


def sweep_topic(query: str, filter: str, space: str = "") -> str:
    """Return the topic of the notes on a search's hits and sweep place.

    A sweep that brings the vectors of a `space` has its own topic.
    """
    return f"sweep {json.dumps([query, filter, space] if space else [query, filter])}"


def check_sweep(sweep: Sweep, *, permitted: bool) -> None:
    """Raise `AnswerChanged` if stuck, `SettingsError` if not permitted."""
    if sweep.stuck:
        raise AnswerChanged(f"{sweep.stuck}; what was read is kept; the next run reads this window again")
    if not permitted:
        refuse_large(sweep.hits)


def refuse_large(hits: int) -> None:
    """Raise `SettingsError` for more hits than need no permission."""
    if hits > MOST_WITHOUT_PERMISSION:
        raise SettingsError(
            f"this sweep finds {hits:,} sounds, and the API's terms forbid copies of the whole database: narrow the "
            f"search to {MOST_WITHOUT_PERMISSION:,}, or ask Freesound and add --i-have-permission; "
            "what was read is kept"
        )


@dataclass(frozen=True, slots=True)
class _Window:
    """One window: from `start` or the beginning, or all of one `second`.

    `again`: it is read for the second time. `left`: pages not read yet. `ids`: sounds of the pages read. `end`: when
    the latest of them was created.
    """

    start: str = ""
    second: bool = False
    again: bool = False
    count: _Count | None = None
    left: tuple[Slice, ...] = ((1, API_PAGE),)
    ids: _Ids = ()
    end: str = ""

    @property
    def filter(self) -> str:
        if not self.start:
            return ""
        return f"created:[{self.start} TO {self.start if self.second else '*'}]"

    @property
    def expected(self) -> int:
        """How many hits it covers; 0 before its first page is read."""
        count = self.count or 0
        return min(count, MOST_IN_A_SECOND if self.second else DEEPEST * API_PAGE)

    @property
    def is_last(self) -> bool:
        return not self.second and (self.count or 0) <= DEEPEST * API_PAGE

    def slices(self, size: int) -> tuple[Slice, ...]:
        """Return all its pages of one size."""
        return tuple((page, size) for page in range(1, max(1, -(-self.expected // size)) + 1))


@dataclass(frozen=True, slots=True)
class _Place:
    """A place as journalled; `before`: the ids of the last window."""

    done: bool
    total: _Count | None
    found: _Count
    before: _Ids
    window: _Window


class Sweep:
    """A sweep and its place.

    `total`: the search's first count. `found`: distinct hits read. `stuck`: why no later window exists, or empty; the
    next run reads the window again. `restarted`: the place given could not be read.
    """

    def __init__(self, place: str = "") -> None:
        """Start, or resume at a `place()`; start again if it is corrupt."""
        self.total: int | None = None
        self.found = 0
        self.done = False
        self.requests = 0
        self.stuck = ""
        self.restarted = False
        self._size = API_PAGE
        self._window = _Window()
        self._before: frozenset[int] = frozenset()
        self._in_flight: set[Slice] = set()
        self._in_time = True
        if place:
            self._read(place)

    def place(self) -> str:
        """Return the place as text; pages in flight count as not read."""
        place = _Place(self.done, self.total, self.found, tuple(sorted(self._before)), self._window)
        return msgspec.json.encode(place).decode()

    def _read(self, place: str) -> None:
        try:
            kept = _read_place(place)
        except _UNREADABLE:
            self.restarted = True
            return
        self.done, self.total, self.found = kept.done, kept.total, kept.found
        self._before, self._window = frozenset(kept.before), kept.window
        self._size = min((size for _, size in kept.window.left), default=API_PAGE)

    @property
    def hits(self) -> int:
        """How many hits there are: counted by the search, or read if more."""
        came = self.found + len(frozenset(self._window.ids) - self._before)
        return max(self.total or 0, came, self._window.expected)

    @property
    def missing(self) -> int:
        """How many hits the search counted that were on no page."""
        return max(0, (self.total or 0) - self.found)

    def describe(self) -> str:
        """Return the result of the sweep, in one line."""
        line = f"sweep done: {counted(self.found, 'sound')}"
        if self.missing:
            line += (
                f" of the {self.total:,} that the search counts; {self.missing:,} were on no page, even when read twice"
            )
        return line

    def next(self) -> SweepClaim | None:
        """Return the next page to fetch; None while pages are awaited or done."""
        if self.done:
            return None
        part = next((part for part in self._window.left if part not in self._in_flight), None)
        if part is None:
            return None
        self._in_flight.add(part)
        return SweepClaim(self._window.filter, *part)

    def release(self, claim: SweepClaim) -> None:
        """Undo the claim of a page."""
        self._in_flight.discard((claim.page, claim.size))

    def split(self, claim: SweepClaim) -> bool:
        """Divide a page that timed out; return False if it is the smallest.

        Pages of this window that are not in flight are divided too; the next window tries a larger size again.
        """
        smaller = SMALLER.get(claim.size)
        if smaller is None:
            return False
        self.release(claim)
        self._size, self._in_time = min(self._size, smaller), False
        left: list[Slice] = []
        for page, size in self._window.left:
            parts = 1 if (page, size) in self._in_flight or size <= self._size else size // self._size
            left += [(part, size // parts) for part in range((page - 1) * parts + 1, page * parts + 1)]
        # Before the first page is read the count is unknown; there is nothing to read beyond the last hit.
        within = max(1, self._window.expected)
        self._window = replace(self._window, left=tuple(part for part in left if (part[0] - 1) * part[1] < within))
        return True

    def after(self, claim: SweepClaim, page: RecordsPage) -> Sweep:
        """Return a copy of the sweep that has read this page."""
        ahead = copy(self)
        ahead._in_flight = set(self._in_flight)
        ahead.read(claim, page)
        return ahead

    def read(self, claim: SweepClaim, page: RecordsPage) -> None:
        """Add a page's hits; after the last page, move to the next window."""
        self.release(claim)
        self.requests += 1
        window = self._window
        if window.count is None:
            window = replace(window, count=min(page.count, COUNT_FROM_ZERO.most))
            window = replace(window, left=window.slices(claim.size))
            if self.total is None:
                self.total = window.count
        left = tuple(other for other in window.left if other != (claim.page, claim.size))
        ids = tuple(dict.fromkeys((*window.ids, *(record["id"] for record in page.records))))
        self._window = window = replace(window, left=left, ids=ids, end=max(window.end, _latest(page)))
        if not left:
            self._close(window)

    def _close(self, window: _Window) -> None:
        if not window.again and (window.second or len(window.ids) < window.expected):
            # Pages shift while the server writes its index, and ties have no order: a second read fills most gaps.
            self._window = replace(window, again=True, left=window.slices(self._size))
            return
        if self._in_time:
            self._size = _LARGER.get(self._size, API_PAGE)
        self._in_time = True
        first = ((1, self._size),)
        if not window.second and not window.is_last and not window.start <= window.end != "":
            self.stuck = (
                f"the sweep cannot continue after {len(window.ids):,} of {counted(window.count or 0, 'sound')}"
                f"{f' created since {window.start}' if window.start else ''}: "
                + ("none has a valid `created`" if not window.end else "all were created earlier than requested")
            )
            self._window = replace(window, again=False, count=None, left=first, ids=(), end="")
            return
        self.found += len(set(window.ids) - self._before)
        self._before = frozenset(window.ids)
        following = _next_second(window.start) if window.second else "" if window.is_last else window.end
        if not following:
            self.done = True
        else:
            # A window that ends where it starts would repeat: read that second alone, then start after it.
            self._window = _Window(start=following, second=following == window.start, left=first)


def _latest(page: RecordsPage) -> str:
    """Return the latest `created` of a page, in seconds, or an empty text."""
    stamps = [stamp for record in page.records if (stamp := created_us(record)) is not None]
    return iso(max(stamps)) if stamps else ""


def _next_second(moment: str) -> str:
    """Return the next second, or an empty text after the last possible."""
    following = iso((created_us({"created": moment}) or 0) + SECOND_US)
    return following if created_us({"created": following}) is not None else ""


_UNREADABLE = (ValueError, TypeError, KeyError, RecursionError)


def _read_place(text: str) -> _Place:
    """Parse a place; raise one of `_UNREADABLE` for an invalid one."""
    kept = json.loads(text)
    # Older versions wrote pages of 150 as a number without a size.
    kept["window"]["left"] = [(one, API_PAGE) if type(one) is int else one for one in kept["window"]["left"]]
    place = msgspec.convert(kept, _Place)
    window = place.window
    window = replace(window, start=_read_moment(window.start), end=_read_moment(window.end))
    if window.second and not window.start:
        raise ValueError("a window of one second has no start")
    if not window.left and not place.done:
        raise ValueError("no page is left but the sweep is not done")
    within = max(1, window.expected)
    if not all(size in (API_PAGE, *_LARGER) and 0 <= (page - 1) * size < within for page, size in window.left):
        raise ValueError("a page is outside its window")
    return replace(place, window=window)


def _read_moment(text: str) -> str:
    """Return a time in whole seconds UTC; older places have other forms."""
    stamp = created_us({"created": text}) if text else None
    if text and stamp is None:
        raise ValueError("not a time")
    return "" if stamp is None else iso(stamp)
