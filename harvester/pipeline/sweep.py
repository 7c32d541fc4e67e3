"""A sweep: every hit of a search, page by page, in windows over `created` where the result is deep.

Owns which page comes next and where a crash resumes. Invariants: no hit deeper than `DEEPEST` pages but inside one
second; each window starts at the second where the last one ended, so all hits are covered; a window whose pages gave
too few sounds is read once more and united, never a third time; a page that is too large is read in parts that divide
it, so that no position is left out or read twice; each window starts later than the one before, or the sweep is stuck.
Pure: knows neither network nor disk.
"""

from __future__ import annotations

import json
from copy import copy
from dataclasses import asdict, dataclass, replace
from typing import Annotated

import msgspec
from msgspec import Meta

from harvester.clock import SECOND_US, iso
from harvester.errors import AnswerChanged, SettingsError
from harvester.model import LARGEST_ID, RecordsPage
from harvester.pipeline.messages import SweepClaim
from harvester.records import created_us
from harvester.settings import COUNT_FROM_ZERO

PAGE = 150
DEEPEST = 10
"""Pages of a window: deeper offsets may outlast the second that the server's search backend has."""

SMALLER = {150: 75, 75: 25, 25: 5}
"""The size to try when pages of a size do not come in time; each divides the one before."""
_LARGER = {small: large for large, small in SMALLER.items()}

MOST_IN_A_SECOND = 1_000_000
"""More than Freesound has sounds: a larger count is not true."""

MOST_WITHOUT_PERMISSION = 50_000
"""Hits of a sweep that needs no permission: 7 in 100 of all sounds."""

Slice = tuple[int, int]
"""A page's number, counted in pages of its size, and that size."""

_Count = Annotated[int, Meta(ge=0, le=COUNT_FROM_ZERO.most)]
_Ids = tuple[Annotated[int, Meta(ge=1, le=LARGEST_ID)], ...]


def sweep_topic(query: str, filter: str, space: str = "") -> str:
    """Return the topic under which a search's hits and the place of its sweep are noted.

    With a `space`, of the sweep that brings its vectors: that a hit was seen without one says nothing of them.
    """
    return f"sweep {json.dumps([query, filter, space] if space else [query, filter])}"


def check_sweep(sweep: Sweep, *, permitted: bool) -> None:
    """Raise `AnswerChanged` for a sweep that is stuck, and `SettingsError` for a large one that is not permitted."""
    if sweep.stuck:
        raise AnswerChanged(f"{sweep.stuck}; what was read is kept, the next run asks for this window again")
    if not permitted:
        refuse_large(sweep.hits)


def refuse_large(hits: int) -> None:
    """Raise `SettingsError` for a sweep with more hits than the API's terms allow without permission."""
    if hits > MOST_WITHOUT_PERMISSION:
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
    count: _Count | None = None
    left: tuple[Slice, ...] = ((1, PAGE),)
    ids: _Ids = ()
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
        return min(count, MOST_IN_A_SECOND if self.second else DEEPEST * PAGE)

    @property
    def is_last(self) -> bool:
        return not self.second and (self.count or 0) <= DEEPEST * PAGE

    def slices(self, size: int) -> tuple[Slice, ...]:
        """Return all its pages in one size."""
        return tuple((page, size) for page in range(1, max(1, -(-self.expected // size)) + 1))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a sweep stands, as the journal keeps it; `before` are the ids that the last window gave."""

    done: bool
    total: _Count | None
    found: _Count
    before: _Ids
    window: _Window


class Sweep:
    """Where a sweep stands. `total` is what the search counted at first, `found` how many distinct hits came.

    `stuck` says why no later window can be asked for: the window is begun again when the sweep goes on. `restarted`:
    the place given could not be read.
    """

    def __init__(self, place: str = "") -> None:
        """Begin, or go on at a place that `place()` gave; begin again where that cannot be read."""
        self.total: int | None = None
        self.found = 0
        self.done = False
        self.requests = 0
        self.stuck = ""
        self.restarted = False
        self._size = PAGE
        self._window = _Window()
        self._before: frozenset[int] = frozenset()
        self._out: set[Slice] = set()
        self._is_calm = True
        if place:
            self._read(place)

    def place(self) -> str:
        """Return where the sweep stands, as text: pages that are out count as not read."""
        place = _Place(self.done, self.total, self.found, tuple(sorted(self._before)), self._window)
        return json.dumps(asdict(place), separators=(",", ":"))

    def _read(self, place: str) -> None:
        try:
            kept = _read_place(place)
        except _UNREADABLE:
            self.restarted = True
            return
        self.done, self.total, self.found = kept.done, kept.total, kept.found
        self._before, self._window = frozenset(kept.before), kept.window
        self._size = min((size for _, size in kept.window.left), default=PAGE)

    @property
    def hits(self) -> int:
        """How many hits the sweep has at least: what the search counted, or what came if that is more."""
        came = self.found + len(frozenset(self._window.ids) - self._before)
        return max(self.total or 0, came, self._window.expected)

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

        Pages of this window that no fetcher has in hand are split alike; the next window tries a larger size again.
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
        within = max(1, self._window.expected)
        self._window = replace(self._window, left=tuple(part for part in left if (part[0] - 1) * part[1] < within))
        return True

    def after(self, claim: SweepClaim, page: RecordsPage) -> Sweep:
        """Return where the sweep will stand once it has read a page; this one stays as it is."""
        ahead = copy(self)
        ahead._out = set(self._out)
        ahead.read(claim, page)
        return ahead

    def read(self, claim: SweepClaim, page: RecordsPage) -> None:
        """Take in what a page brought; moves on to the next window when it was the last one."""
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
            # Pages shift while an index is written to, and ties have no order: a second look fills most gaps.
            self._window = replace(window, again=True, left=window.slices(self._size))
            return
        if self._is_calm:
            self._size = _LARGER.get(self._size, PAGE)
        self._is_calm = True
        first = ((1, self._size),)
        if not window.second and not window.is_last and not window.start <= window.end != "":
            self.stuck = (
                f"the sweep cannot go on after {len(window.ids)} sounds of {window.count}"
                f"{f' created since {window.start}' if window.start else ''}: "
                + ("none says when it was created" if not window.end else "all were created earlier than asked for")
            )
            self._window = replace(window, again=False, count=None, left=first, ids=(), end="")
            return
        self.found += len(set(window.ids) - self._before)
        self._before = frozenset(window.ids)
        following = _next_second(window.start) if window.second else "" if window.is_last else window.end
        if not following:
            self.done = True
        else:
            # All of it made in one second: no later start would ever come.
            self._window = _Window(start=following, second=following == window.start, left=first)


def _latest(page: RecordsPage) -> str:
    """Return the last second in which a sound of a page was created, or nothing when none says so."""
    stamps = [stamp for record in page.records if (stamp := created_us(record)) is not None]
    return iso(max(stamps)) if stamps else ""


def _next_second(moment: str) -> str:
    """Return the second after one, or nothing after the last that `created` can name."""
    following = iso((created_us({"created": moment}) or 0) + SECOND_US)
    return following if created_us({"created": following}) is not None else ""


_UNREADABLE = (ValueError, TypeError, KeyError, RecursionError)


def _read_place(text: str) -> _Place:
    """Return the place that a text holds; raises one of `_UNREADABLE` for what no sweep has written."""
    kept = json.loads(text)
    # The number of a page of 150 once stood alone.
    kept["window"]["left"] = [(one, PAGE) if type(one) is int else one for one in kept["window"]["left"]]
    place = msgspec.convert(kept, _Place)
    window = place.window
    window = replace(window, start=_read_moment(window.start), end=_read_moment(window.end))
    if window.second and not window.start:
        raise ValueError("a window of one second without the second")
    if not window.left and not place.done:
        raise ValueError("no page is left, and the sweep is not done")
    within = max(1, window.expected)
    if not all(size in (PAGE, *_LARGER) and 0 <= (page - 1) * size < within for page, size in window.left):
        raise ValueError("a page that the window does not have")
    return replace(place, window=window)


def _read_moment(text: str) -> str:
    """Return a time as `created` in whole seconds, UTC: a place may hold one in the form that a record had."""
    stamp = created_us({"created": text}) if text else None
    if text and stamp is None:
        raise ValueError("not a time")
    return "" if stamp is None else iso(stamp)
