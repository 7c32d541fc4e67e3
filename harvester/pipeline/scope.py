"""Decide which known sounds a run may fetch under filter and sweep.

Derived from the plan, the graph and the notes of earlier runs. It returns changes and never changes the frontier. Under
a filter it admits only sounds that match, and sounds that the user named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from harvester.clock import Clock
from harvester.graph import is_gone
from harvester.model import is_sound_id
from harvester.pipeline.deferral import holds_back
from harvester.pipeline.messages import AwaitJudgement, Defer, Enqueue, FrontierChange, Reread
from harvester.pipeline.plan import Plan
from harvester.pipeline.ports import SoundStore
from harvester.pipeline.stale import Refresh, find_stale
from harvester.pipeline.sweep import Sweep, sweep_topic

PLACE = 0
"""The key of a sweep's place among the notes of its topic; the other keys are its hits."""
MATCHES, DIFFERS = "1", "0"
NO_VECTOR_YET = "2"
"""A hit of a sweep for vectors that came without one: a later sweep fetches it again."""


class Scope:
    """The scope of a harvest.

    `sweep`: read to its end before the first similar list, or None. `vectorless`: hits whose vector was lost since an
    earlier run. `searches_seeds`: this run searches for seeds; with `seeds_first` before anything else. `rereads`: this
    run fetches known records again. `confirms`: it may spend requests on sounds that the search lacks.
    """

    rereads = False
    confirms = True

    def __init__(self, plan: Plan, store: SoundStore, clock: Clock) -> None:
        self.plan = plan
        self.filter = plan.filter
        self.sweep: Sweep | None = None
        self.vectorless: tuple[int, ...] = ()
        self._store = store
        self._state = store.state
        self._clock = clock
        self._lengths: Mapping[int, int] = {}
        self._asked: set[int] = set()
        self._hits: dict[int, str] | None = None
        # Explicit seed ids restrict the start to them; otherwise a search can always find more.
        named = plan.seed_ids or plan.listed_ids
        self.searches_seeds = not (plan.sweep or plan.refresh) and (not named or plan.new_seeds)
        self.seeds_first = plan.new_seeds or next(self._state.pending(), None) is None
        if plan.sweep:
            self._hits = store.notes.setdefault(self.topic, {})
            self._resume_sweep(self._hits)

    @property
    def topic(self) -> str:
        """The topic of the notes on the hits of the search."""
        return sweep_topic(self.plan.query, self.filter, self.plan.vectors)

    @property
    def filter_topic(self) -> str:
        """The topic of the notes on which sounds match the filter."""
        return sweep_topic("", self.filter)

    def length_of(self, sound_id: int) -> int:
        """Return the length of similar list to request for a sound."""
        return self._lengths.get(sound_id, self.plan.neighbours)

    def wants(self, sound_id: int) -> bool:
        """Tell whether to fetch a sound's similar list, or its record first."""
        if not self._is_open(sound_id):
            return False
        # Every run completes records; a sweep fetches the similar lists of hits only.
        hits = self._hits
        return hits is None or hits.get(sound_id) in (MATCHES, NO_VECTOR_YET) or not self._state.has_record(sound_id)

    def mark_asked(self, sound_id: int) -> None:
        """Note that this run fetched a list; call it after the commit."""
        self._asked.add(sound_id)

    def begin(self) -> Iterator[FrontierChange]:
        """Yield the changes that the run starts with."""
        yield from self.admit()
        # Fetching their records again brings the lost vectors.
        yield from map(Reread, self.vectorless)

    def admit(self) -> Iterator[FrontierChange]:
        """Yield a change for each known sound that the run wants.

        Call it again when a merged checkpoint brought sounds: waiting sounds keep their rank.
        """
        matches, now_us = self._known_matches(), self._clock.time_us()
        for sound_id in self._state.graph:
            if not self.wants(sound_id):
                continue
            named = sound_id in self.plan.seed_ids
            matching = matches is None or named or matches.get(sound_id) == MATCHES
            if not matching and matches is not None and sound_id in matches:
                continue
            deferral = self._store.deferrals.get(sound_id)
            if deferral is not None and not named and self._is_held_back(sound_id, now_us):
                yield Defer(sound_id, deferral.next_try_at, judged=matching)
            elif matching:
                yield Enqueue(sound_id, has_record=self._state.has_record(sound_id))
            else:
                yield AwaitJudgement(sound_id)

    def _known_matches(self) -> dict[int, str] | None:
        """Return known judgements by sound; None when none is needed."""
        if not self.filter or self.sweep is not None:
            return None
        noted = self._store.notes.get(self.filter_topic, {})
        return {**noted, **dict.fromkeys(self._state.matching(self.filter), MATCHES)}

    def _is_open(self, sound_id: int) -> bool:
        # A run fetches a list at most once.
        return self._state.is_pending(sound_id) and sound_id not in self._asked

    def _is_held_back(self, sound_id: int, now_us: int) -> bool:
        return holds_back(self._store.deferrals.get(sound_id), self._state.attributes(sound_id), now_us)

    def _resume_sweep(self, hits: dict[int, str]) -> None:
        now_us = self._clock.time_us()
        known = [sound_id for sound_id, text in hits.items() if is_sound_id(sound_id) and text == MATCHES]
        sweep = Sweep(hits.get(PLACE, ""))
        rolled_back = any(sound_id not in self._state for sound_id in known)
        self.vectorless = () if rolled_back or not self.plan.vectors else tuple(self._without_vector(known))
        # Hits with vectors wait for `harvester link`; hits of a run that only collects wait for nothing.
        waits = self.plan.target != 0 or self.plan.vectors
        open_hits = (hit for hit in known if waits and self._is_due(hit, now_us))
        if rolled_back or (sweep.done and not self.vectorless and next(open_hits, None) is None):
            # Every hit has what this run fetches: the user sweeps again to find new hits.
            sweep = Sweep()
        self.sweep = sweep

    def _is_due(self, sound_id: int, now_us: int) -> bool:
        return self._is_open(sound_id) and not self._is_held_back(sound_id, now_us)

    def _without_vector(self, hits: Iterable[int]) -> Iterator[int]:
        """Yield the hits whose vector was lost: its file is corrupt or absent."""
        for sound_id in hits:
            if not self._store.has_vector(sound_id) and not self._state.is_gone(sound_id):
                yield sound_id


class ListScope(Scope):
    """The scope of a list of sounds: records, then similar lists.

    It fetches nothing about any other sound and asks about none twice, so that the list costs what its plan says.
    """

    confirms = False

    def __init__(self, plan: Plan, store: SoundStore, clock: Clock) -> None:
        super().__init__(plan, store, clock)
        self._listed = frozenset(plan.listed_ids)

    def wants(self, sound_id: int) -> bool:
        """Tell whether the list has the sound, and its record or list lacks."""
        if sound_id not in self._listed:
            return False
        if sound_id not in self._state:
            return True
        return self._is_open(sound_id) and (self.plan.target != 0 or not self._state.has_record(sound_id))

    def admit(self) -> Iterator[FrontierChange]:
        """Yield a change for each sound of the list that the run wants."""
        yield from super().admit()
        for sound_id in self.plan.listed_ids:
            if sound_id not in self._state:
                yield Enqueue(sound_id, has_record=False)


class RefreshScope(Scope):
    """The scope of a refresh: stale records, then stale similar lists."""

    rereads = True

    def __init__(self, plan: Plan, refresh: Refresh, store: SoundStore, clock: Clock) -> None:
        super().__init__(plan, store, clock)
        self._stale = find_stale(self._state, store.deferrals, refresh, clock.time_us())
        self._lengths = self._stale.lists
        self._read_at = {one: self._state.attributes(one)["fetched_at"] for one in self._stale.records}

    def wants(self, sound_id: int) -> bool:
        """Tell whether to fetch a sound's similar list now.

        Its record comes first: a deleted sound needs no list.
        """
        if sound_id not in self._stale.lists or sound_id in self._asked:
            return False
        attributes = self._state.attributes(sound_id)
        return not is_gone(attributes) and attributes.get("fetched_at") != self._read_at.get(sound_id)

    def begin(self) -> Iterator[FrontierChange]:
        """Yield the stale records, then the lists of sounds with fresh records."""
        for sound_id in self._stale.records:
            yield Enqueue(sound_id, has_record=False)
        for sound_id in filter(self.wants, self._stale.lists):
            yield Enqueue(sound_id, has_record=True)


def scope_of(plan: Plan, store: SoundStore, clock: Clock) -> Scope:
    """Return the scope of a run; it resumes the sweep of earlier runs."""
    if plan.refresh is not None:
        return RefreshScope(plan, plan.refresh, store, clock)
    if plan.listed_ids:
        return ListScope(plan, store, clock)
    return Scope(plan, store, clock)
