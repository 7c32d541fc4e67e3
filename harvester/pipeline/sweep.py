"""A sweep: every hit of a search, page by page, in windows over `created` where the result is deep.

Owns which page comes next and where a crash resumes. Invariants: no page deeper than `DEEPEST` but inside one second;
each window starts at the second where the last one ended, so all hits are covered; a window whose pages gave too few
sounds is read once more and united, never a third time. Pure: knows neither network nor disk.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from harvester.model import RecordsPage
from harvester.pipeline.work import SweepClaim

PAGE = 150
DEEPEST = 10
"""Pages of a window: deeper offsets may outlast the second that the server's search backend has."""


def sweep_topic(query: str, filter: str) -> str:
    """Return the topic under which a search's hits and the place of its sweep are noted."""
    return f"sweep {json.dumps([query, filter])}"


@dataclass(frozen=True, slots=True)
class _Window:
    """One window: from `start` (empty: from the beginning), all pages up to `DEEPEST`, or all of one `second`.

    `left` are the pages not read yet, `ids` what the others gave, `end` when the last hit of its last page was made.
    """

    start: str = ""
    second: bool = False
    again: bool = False
    count: int | None = None
    left: tuple[int, ...] = (1,)
    ids: tuple[int, ...] = ()
    end: str = ""

    @property
    def filter(self) -> str:
        if not self.start:
            return ""
        return f"created:[{self.start} TO {self.start if self.second else '*'}]"

    @property
    def depth(self) -> int:
        """How many pages it has; 1 while its first page has not told."""
        pages = max(1, -(-(self.count or 0) // PAGE))
        return pages if self.second else min(pages, DEEPEST)

    @property
    def expected(self) -> int:
        return min(self.count or 0, self.depth * PAGE)

    @property
    def is_last(self) -> bool:
        return not self.second and (self.count or 0) <= self.depth * PAGE


class Sweep:
    """Where a sweep stands. `total` is what the search counted at first, `found` how many distinct hits came."""

    def __init__(self, place: str = "") -> None:
        """Begin, or go on at a place that `place()` gave; a place that cannot be read is begun anew."""
        self.total: int | None = None
        self.found = 0
        self.done = False
        self.requests = 0
        self._window = _Window()
        self._before: frozenset[int] = frozenset()
        self._out: set[int] = set()
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
            self._window = _Window(**{**window, "left": tuple(window["left"]), "ids": tuple(window["ids"])})
            self._before = frozenset(kept["before"])
            self.done, self.total, self.found = kept["done"], kept["total"], kept["found"]
        except (ValueError, TypeError, KeyError):
            self._window = _Window()

    @property
    def missing(self) -> int:
        """How many hits the search counted that no page gave."""
        return max(0, (self.total or 0) - self.found)

    def next(self) -> SweepClaim | None:
        """Return the next page to fetch; None while the pages that are out must tell first, or when all is done."""
        if self.done:
            return None
        page = next((page for page in self._window.left if page not in self._out), None)
        if page is None:
            return None
        self._out.add(page)
        return SweepClaim(self._window.filter, page)

    def release(self, claim: SweepClaim) -> None:
        """Take a page back that was not fetched."""
        self._out.discard(claim.page)

    def read(self, claim: SweepClaim, page: RecordsPage) -> None:
        """Take in what a page brought; moves on to the next window when it was the last one."""
        self._out.discard(claim.page)
        self.requests += 1
        window = self._window
        if window.count is None:
            window = replace(window, count=page.count)
            window = replace(window, left=tuple(range(1, window.depth + 1)))
            if self.total is None:
                self.total = page.count
        left = tuple(other for other in window.left if other != claim.page)
        ids = tuple(dict.fromkeys((*window.ids, *(record["id"] for record in page.records))))
        end = _latest(page) if claim.page == window.depth else window.end
        self._window = window = replace(window, left=left, ids=ids, end=end or window.end)
        if not left:
            self._close(window)

    def _close(self, window: _Window) -> None:
        if not window.again and (window.second or len(window.ids) < window.expected):
            # Pages shift while an index is written to, and ties have no order: a second look fills most gaps.
            self._window = replace(window, again=True, left=tuple(range(1, window.depth + 1)))
            return
        self.found += len(set(window.ids) - self._before)
        self._before = frozenset(window.ids)
        if window.second:
            self._window = _Window(start=_next_second(window.start))
        elif window.is_last or not window.end:
            self.done = True
        else:
            # All of it made in one second: no later start would ever come.
            self._window = _Window(start=window.end, second=window.end == window.start)


def _latest(page: RecordsPage) -> str:
    return max(_moments(record.get("created") for record in page.records), default="")


def _moments(values: Iterable[object]) -> list[str]:
    found = []
    for value in values:
        try:
            datetime.fromisoformat(str(value))
        except ValueError:
            continue
        found.append(str(value))
    return found


def _next_second(moment: str) -> str:
    return (datetime.fromisoformat(moment) + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
