"""Hold back failures until it is clear whether one sound is to blame.

A failed claim is parked until its doubt is closed. Then its sounds are deferred or the claim is released; the journal
holds nothing of it before. A run that ends with open doubts defers their sounds. Changes no other state: the writer
applies what it returns.
"""

from __future__ import annotations

from collections.abc import Iterable

from harvester.pipeline.messages import Decided, Failed, FrontierChange, Outcome, Park, Release


class Doubtful:
    """The failures whose cause is not clear yet."""

    def __init__(self) -> None:
        self._held: list[Failed] = []

    def separate(self, outcomes: Iterable[Outcome]) -> tuple[list[FrontierChange], list[Outcome]]:
        """Return the claims to park or release, and the outcomes to record.

        An earlier failure is recorded once its doubt is closed.
        """
        changes: list[FrontierChange] = []
        ready: list[Outcome] = []
        for outcome in outcomes:
            if isinstance(outcome, Failed) and outcome.doubt is not None and outcome.doubt.is_open:
                changes.append(Park(outcome.claim))
                self._held.append(outcome)
                continue
            decided: list[Outcome] = []
            if not _concerns_all(outcome):
                decided = [*self._take(including_open=isinstance(outcome, Decided))]
            for one in (*decided, outcome):
                if _concerns_all(one):
                    changes.append(Release(one.claim))
                else:
                    ready.append(one)
        return changes, ready

    def drain(self) -> tuple[list[FrontierChange], list[Outcome]]:
        """Return the claims to release and the outcomes to record at the end."""
        held = self._take(including_open=True)
        return [Release(one.claim) for one in held if _concerns_all(one)], [
            one for one in held if not _concerns_all(one)
        ]

    def _take(self, *, including_open: bool) -> list[Failed]:
        decided = [one for one in self._held if including_open or (one.doubt is not None and not one.doubt.is_open)]
        self._held = [one for one in self._held if one not in decided]
        return decided


def _concerns_all(outcome: Outcome) -> bool:
    """Tell whether the failure concerns all answers, not one sound."""
    return isinstance(outcome, Failed) and outcome.doubt is not None and outcome.doubt.concerns_all
