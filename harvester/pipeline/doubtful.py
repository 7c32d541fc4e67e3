"""Failures that wait: it is not known yet whether one sound is to blame or all answers of its kind.

A failed claim is parked until its doubt is closed. Then its sounds are deferred or released, never both; the journal
holds nothing of it before. A run that ends with open doubts defers, as if there had been none. Decides only: the writer
applies the changes.
"""

from __future__ import annotations

from collections.abc import Iterable

from harvester.pipeline.messages import Decided, Failed, FrontierChange, Outcome, Park, Release


class Doubtful:
    """The failures that the writer holds back."""

    def __init__(self) -> None:
        self._held: list[Failed] = []

    def sift(self, outcomes: Iterable[Outcome]) -> tuple[list[FrontierChange], list[Outcome]]:
        """Return which claims are parked or released, and the outcomes to record now.

        Those are the outcomes without failures in doubt, and the failures that have been decided meanwhile.
        """
        changes: list[FrontierChange] = []
        ready: list[Outcome] = []
        for outcome in outcomes:
            if isinstance(outcome, Failed) and outcome.doubt is not None and outcome.doubt.is_open:
                changes.append(Park(outcome.claim))
                self._held.append(outcome)
                continue
            decided: list[Outcome] = []
            if not _blames_all(outcome):
                decided = [*self._take(including_open=isinstance(outcome, Decided))]
            for one in (*decided, outcome):
                if _blames_all(one):
                    changes.append(Release(one.claim))
                else:
                    ready.append(one)
        return changes, ready

    def rest(self) -> tuple[list[FrontierChange], list[Outcome]]:
        """Return what is left to release and to record when no further answer will come."""
        held = self._take(including_open=True)
        return [Release(one.claim) for one in held if _blames_all(one)], [one for one in held if not _blames_all(one)]

    def _take(self, *, including_open: bool) -> list[Failed]:
        decided = [one for one in self._held if including_open or (one.doubt is not None and not one.doubt.is_open)]
        self._held = [one for one in self._held if one not in decided]
        return decided


def _blames_all(outcome: Outcome) -> bool:
    """Tell whether all answers of a kind are to blame: then the sounds of this one wait again."""
    return isinstance(outcome, Failed) and outcome.doubt is not None and outcome.doubt.concerns_all
