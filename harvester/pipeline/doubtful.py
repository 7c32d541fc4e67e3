"""Failures that wait: whether one sound is to blame or all answers of its kind is not known yet.

Keeps: a failed claim is parked until its doubt is closed, then its sounds are deferred or released, never both; nothing
of it is in the journal before. A run that ends with open doubts defers, as if there had been none.
"""

from __future__ import annotations

from collections.abc import Iterable

from harvester.pipeline.frontier import Frontier
from harvester.pipeline.messages import Decided, Failed, Outcome


class Doubtful:
    """Holds failures back for the writer."""

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier
        self._held: list[Failed] = []

    def sift(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Return the outcomes to be recorded now: without doubtful failures, with those that were decided."""
        ready: list[Outcome] = []
        for outcome in outcomes:
            if isinstance(outcome, Failed) and outcome.doubt is not None and outcome.doubt.is_open:
                self._frontier.park(outcome.claim)
                self._held.append(outcome)
            elif self._is_to_blame(outcome):
                ready += self._take(including_open=isinstance(outcome, Decided))
                ready.append(outcome)
        return ready

    def rest(self) -> list[Outcome]:
        """Return what is still to be recorded when no further answer will come."""
        return list(self._take(including_open=True))

    def _take(self, *, including_open: bool) -> list[Failed]:
        decided = [one for one in self._held if including_open or (one.doubt is not None and not one.doubt.is_open)]
        self._held = [one for one in self._held if one not in decided]
        return [one for one in decided if self._is_to_blame(one)]

    def _is_to_blame(self, outcome: Outcome) -> bool:
        """Tell whether an outcome is to be recorded; the sounds of one that blames all answers wait again."""
        if isinstance(outcome, Failed) and outcome.doubt is not None and outcome.doubt.concerns_all:
            self._frontier.release(outcome.claim)
            return False
        return True
