"""Apply frontier changes to frontier, scope, sweep and distances.

The writer calls it after the journal has committed an entry and the graph has applied its events. So the graph decides
what a sound lacks, and whether a similar list made a sample. State changes in short steps without `await`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from harvester.clock import Stop
from harvester.errors import AnswerChanged
from harvester.graph import SoundGraph
from harvester.pipeline.frontier import Frontier
from harvester.pipeline.messages import (
    AdvanceSweep,
    AwaitConfirmation,
    AwaitJudgement,
    CheckSweep,
    Close,
    CountHits,
    Defer,
    Discover,
    EndDeferral,
    Enqueue,
    FrontierChange,
    MarkAsked,
    Park,
    Release,
    Reread,
    Settle,
    SettleList,
    SettleSeeds,
    SimilarClaim,
    Start,
)
from harvester.pipeline.order import Distances
from harvester.pipeline.progress import Progress
from harvester.pipeline.scope import Scope
from harvester.pipeline.sweep import check_sweep

MOST_CONTRADICTIONS = 20
"""Sounds that contradict the filter, while none matches, before the run ends: a few may be newer than the index."""


class Changes:
    """Applies the changes of a run; `distances` is for breadth order only."""

    def __init__(
        self,
        frontier: Frontier,
        scope: Scope,
        state: SoundGraph,
        *,
        stop: Stop,
        progress: Progress,
        distances: Distances | None,
    ) -> None:
        self._frontier = frontier
        self._scope = scope
        self._state = state
        self._stop = stop
        self._progress = progress
        self._distances = distances
        self._matching = Counter[str]()
        self._contradicting = Counter[str]()

    def apply(self, changes: Iterable[FrontierChange]) -> None:
        """Apply changes in their order.

        Raises `SettingsError` when a sweep is too large, and `AnswerChanged` when it cannot continue or the server
        ignores the filter.
        """
        for change in changes:
            self._apply(change)

    def count_processed(self, sounds: int) -> None:
        """Count sounds that a commit made processed; before its changes."""
        self._progress.count_samples(sounds)
        self._frontier.count_harvested(sounds)

    def _apply(self, change: FrontierChange) -> None:  # noqa: C901 (one arm for each change)
        frontier = self._frontier
        match change:
            case Discover(sound_ids, unchanged):
                for sound_id in sound_ids:
                    # Only a new record can change the rank of a waiting sound, except in breadth order.
                    if sound_id not in unchanged or not frontier.awaits_list(sound_id):
                        self._discover(sound_id)
            case Settle(claim):
                frontier.settle(claim)
            case SettleList(claim, relisted):
                self._settle_list(claim, relisted=relisted)
            case MarkAsked(sound_id):
                self._scope.mark_asked(sound_id)
            case Enqueue(sound_id, has_record):
                frontier.discover(sound_id, has_record=has_record)
            case Defer(sound_id, next_try_at, judged):
                if self._scope.wants(sound_id):
                    has_record = self._state.has_record(sound_id)
                    frontier.defer(sound_id, next_try_at, has_record=has_record, judged=judged)
            case EndDeferral(sound_ids):
                for sound_id in sound_ids:
                    frontier.end_deferral(sound_id)
                self._progress.absent.difference_update(sound_ids)
            case AwaitConfirmation(sound_ids, next_try_at):
                if self._scope.confirms:
                    frontier.await_confirmation(sound_ids)
                self._progress.count_absent(sound_ids, next_try_at)
            case AwaitJudgement(sound_id):
                frontier.await_judgement(sound_id)
            case Reread(sound_id):
                frontier.reread(sound_id)
            case Start(sound_ids, first):
                self._start(sound_ids, first=first)
            case SettleSeeds(claim, has_next):
                frontier.settle_seeds(claim, has_next=has_next)
            case AdvanceSweep(claim, page):
                assert self._scope.sweep is not None
                self._scope.sweep.read(claim, page)
            case CheckSweep():
                assert self._scope.sweep is not None
                check_sweep(self._scope.sweep, permitted=self._scope.plan.permitted)
            case CountHits(kind, matching, contradicting):
                self._count_hits(kind, matching, contradicting)
            case Park(claim):
                frontier.park(claim)
            case Release(claim):
                frontier.release(claim)
            case Close(reason):
                self._stop.close(reason)

    def _discover(self, sound_id: int) -> None:
        if self._scope.wants(sound_id):
            self._frontier.discover(sound_id, has_record=self._state.has_record(sound_id))

    def _start(self, sound_ids: tuple[int, ...], *, first: bool) -> None:
        if first:
            self._frontier.add_seeds(sound_ids)
        if self._distances is not None:
            self._distances.start(sound_ids)
        for sound_id in sound_ids:
            self._discover(sound_id)

    def _count_hits(self, kind: str, matching: int, contradicting: int) -> None:
        self._matching[kind] += matching
        self._contradicting[kind] += contradicting
        found = self._contradicting[kind]
        if found >= MOST_CONTRADICTIONS and not self._matching[kind]:
            raise AnswerChanged(
                f"none of {found} sounds in {kind} matches the filter {self._scope.filter}: the server ignores it; "
                "what was read is kept; try again later, or use another filter"
            )

    def _settle_list(self, claim: SimilarClaim, *, relisted: bool) -> None:
        if self._distances is not None:
            for sound_id in self._distances.follow_list(claim.sound_id):
                self._discover(sound_id)
        if relisted:
            self._progress.count_relisted()
        if claim.sound_id in self._state.processed:
            # A fetch of its record may have failed meanwhile: there is nothing left to retry.
            self._frontier.end_deferral(claim.sound_id)
        self._frontier.settle(claim)
