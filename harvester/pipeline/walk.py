"""Where a run goes: which of the known sounds are its business, under which filter, after which sweep.

Derived from the graph and the notes of earlier runs, so it cannot disagree with them. Changes nothing but what it was
told is done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from harvester.graph import SoundGraph, is_gone
from harvester.pipeline.fetcher import Search
from harvester.pipeline.messages import Store
from harvester.pipeline.stale import Stale
from harvester.pipeline.sweep import Sweep, sweep_topic

PLACE = 0
"""The key under which a sweep's topic holds where it stands; the others are its hits."""
MATCHES, DIFFERS = "1", "0"
NO_VECTOR_YET = "2"
"""A hit of a sweep for vectors that has none: it matches, and a later sweep asks again."""
ASKED = "1"


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a run goes: under which filter, which pending sounds are its business, and the sweep that goes before.

    `wants(sound_id)` tells of a known sound whether its list is to be fetched; `listed(sound_id)` is called when that
    has been done. `rereads`: records are asked for that are here. `vectors` names the similarity space whose vectors
    the sweep brings; `vectorless` are hits whose vector an earlier run brought and that is not here any more.
    `permitted`: the sweep may be of any size.
    """

    wants: Callable[[int], bool]
    listed: Callable[[int], None] = lambda _: None
    query: str = ""
    filter: str = ""
    sweep: Sweep | None = None
    rereads: bool = False
    vectors: str = ""
    vectorless: tuple[int, ...] = ()
    permitted: bool = False

    @property
    def topic(self) -> str:
        """The topic of the notes on which sounds the search finds."""
        return sweep_topic(self.query, self.filter, self.vectors)

    @property
    def asked_topic(self) -> str:
        """The topic of the notes on whose list was asked for under the filter: a sound keeps one list, so that of
        another walk may stand in its place, now or later."""
        return f"asked {json.dumps(self.filter)}"

    @property
    def filter_topic(self) -> str:
        """The topic of the notes on which sounds match the filter."""
        return sweep_topic("", self.filter)


def walk_for(search: Search, store: Store, now_us: int, *, sweeping: bool) -> Walk:
    """Return where a harvest goes, and how far the sweep before it has come in earlier runs."""
    state = store.state
    asked: set[int] = set()

    def is_open(sound_id: int) -> bool:
        # Whatever a list was worth: nobody is asked twice in one run, nor in a later one while a list of it is here.
        if not state.is_pending(sound_id, search.filter) or sound_id in asked:
            return False
        return sound_id not in asked_before or sound_id not in state.processed

    walk = Walk(
        is_open,
        listed=asked.add,
        query=search.query,
        filter=search.filter,
        vectors=search.vectors if sweeping else "",
        permitted=search.permitted,
    )
    asked_before = store.notes.setdefault(walk.asked_topic, {})
    if not sweeping:
        return walk
    hits = store.notes.setdefault(walk.topic, {})

    def is_mine(sound_id: int) -> bool:
        # What came along without a complete record is completed, as in any run; only hits are linked.
        return is_open(sound_id) and (hits.get(sound_id) in (MATCHES, NO_VECTOR_YET) or not state.has_record(sound_id))

    def is_left(sound_id: int) -> bool:
        deferral = store.deferrals.get(sound_id)
        return is_open(sound_id) and (deferral is None or deferral.next_try_at <= now_us)

    known = [sound_id for sound_id, text in hits.items() if sound_id != PLACE and text == MATCHES]
    sweep = Sweep(hits.get(PLACE, ""))
    rolled_back = any(sound_id not in state for sound_id in known)
    vectorless = () if rolled_back or not walk.vectors else tuple(_vectorless(known, store))
    if rolled_back or (sweep.done and not vectorless and not any(map(is_left, known))):
        # All its hits are linked: whoever asks again wants to know what is new.
        sweep = Sweep()
    return replace(walk, wants=is_mine, sweep=sweep, vectorless=vectorless)


def _vectorless(hits: Iterable[int], store: Store) -> Iterator[int]:
    """Give the hits whose vector was brought once and is lost since: the file was damaged, or is not here."""
    for sound_id in hits:
        if not store.has_vector(sound_id) and not is_gone(store.state.attributes(sound_id)):
            yield sound_id


def walk_again(stale: Stale, state: SoundGraph) -> Walk:
    """Return where a refresh goes: to the stale lists, each after its sound's record."""
    left = set(stale.lists)
    read_at = {sound_id: state.attributes(sound_id)["fetched_at"] for sound_id in stale.records}

    def is_due(sound_id: int) -> bool:
        # Its record first: that of a sound that is gone spares the list, and a list must not displace it.
        attributes = state.attributes(sound_id)
        return sound_id in left and not is_gone(attributes) and attributes.get("fetched_at") != read_at.get(sound_id)

    return Walk(is_due, listed=left.discard, rereads=True)
