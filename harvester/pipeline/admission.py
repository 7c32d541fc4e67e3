"""Which known sounds a run takes up, and how: at its start, and when a checkpoint was pulled in under it.

Invariant: under a filter nobody gets past it, deferred or not, unless the user named the sound. Derived from graph,
deferrals and notes; changes the frontier alone.
"""

from __future__ import annotations

from collections.abc import Collection

from harvester.pipeline.frontier import Frontier
from harvester.pipeline.messages import Store
from harvester.pipeline.walk import MATCHES, Walk


def admit_known(store: Store, walk: Walk, frontier: Frontier, seeds: Collection[int], now_us: int) -> None:
    """Let every known sound that the walk wants wait for what it needs: its time, a judgement, its list or record.

    `seeds` are the sounds the user named. May be called again: what waits already keeps its place.
    """
    state = store.state
    matches = _known_matches(store, walk)
    for sound_id in state.graph:
        if not walk.wants(sound_id):
            continue
        named, has_record = sound_id in seeds, state.has_record(sound_id)
        matching = matches is None or named or matches.get(sound_id) == MATCHES
        if not matching and matches is not None and sound_id in matches:
            continue
        deferral = store.deferrals.get(sound_id)
        if deferral is not None and deferral.next_try_at > now_us and not named:
            frontier.defer(sound_id, deferral.next_try_at, has_record=has_record, judged=matching)
        elif matching:
            frontier.discover(sound_id, has_record=has_record)
        else:
            frontier.await_judgement(sound_id)


def _known_matches(store: Store, walk: Walk) -> dict[int, str] | None:
    """Return what is known of sounds and the walk's filter; None where every wanted sound matches anyway."""
    if not walk.filter or walk.sweep is not None:
        return None
    noted = store.notes.get(walk.filter_topic, {})
    return {**noted, **dict.fromkeys(store.state.matching(walk.filter), MATCHES)}
