"""Which sounds a link has to look at, and how: against all vectors, or only against those that came since.

Owns what makes a list out of date. Invariant: doing these tasks gives the same lists as linking everything again. A
sound whose list came from the server has no task; a sound that is gone is in no list that is made here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harvester.graph import SoundGraph, is_gone
from harvester.model import COMPUTED
from harvester.similarity.last_run import Trail, computed_lists, digest_of_lists
from harvester.vectors import VectorContents

if TYPE_CHECKING:
    from harvester.similarity.vector_table import Ids

SEARCHES_AT_ONCE, MERGES_AT_ONCE = 2048, 32_768
"""Tasks of a step: what is done between two looks at the clock and at Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """What a link does: `searched` sounds are compared with all, `merged` ones with `entering` only, which their
    lists cannot hold yet. `places` are the rows of all sounds that can be in a list; ids are ascending.
    """

    neighbours: int
    min_score: float
    places: dict[int, int]
    searched: Ids
    merged: Ids
    entering: Ids
    left_out: tuple[int, ...]
    kept: int

    def steps(self) -> Iterator[tuple[Ids, Ids]]:
        """Give (searched, merged) in parts by ascending id: all sounds up to the last of a part are done with it."""
        start_searched = start_merged = 0
        while start_searched < len(self.searched) or start_merged < len(self.merged):
            end_searched = min(start_searched + SEARCHES_AT_ONCE, len(self.searched))
            end_merged = min(start_merged + MERGES_AT_ONCE, len(self.merged))
            last_searched = self.searched[end_searched - 1] if end_searched < len(self.searched) else None
            last_merged = self.merged[end_merged - 1] if end_merged < len(self.merged) else None
            bounds = [last for last in (last_searched, last_merged) if last is not None]
            if bounds:
                end_searched = int(np.searchsorted(self.searched, min(bounds), side="right"))
                end_merged = int(np.searchsorted(self.merged, min(bounds), side="right"))
            yield self.searched[start_searched:end_searched], self.merged[start_merged:end_merged]
            start_searched, start_merged = end_searched, end_merged


def plan_tasks(
    state: SoundGraph, contents: VectorContents, trail: Trail | None, neighbours: int, min_score: float
) -> Tasks:
    """Return what is to be done so that every sound with a vector and no list from the server has its nearest.

    Lists that are longer than asked stay as long, for the join keeps the longer one.
    """
    neighbours = max(neighbours, *(limit for _, _, limit in computed_lists(state)), 1)
    places, left_out, kept = {}, [], 0
    for sound_id, (row, _) in contents.places.items():
        if sound_id in state and not is_gone(state.attributes(sound_id)):
            places[sound_id] = row
        else:
            left_out.append(sound_id)
    holds = trail is not None and _holds(state, contents, trail, neighbours, min_score)
    fresh = _fresh(places, trail) if trail is not None and holds else None
    searched, merged = [], []
    for sound_id in sorted(places):
        origin = state.attributes(sound_id).get("link_origin")
        if origin not in (None, COMPUTED):
            kept += 1
        elif fresh is None or trail is None or origin is None or _is_out_of_date(state, sound_id, trail, places, fresh):
            searched.append(sound_id)
        elif fresh:
            merged.append(sound_id)
    return Tasks(
        neighbours,
        min_score,
        places,
        np.array(searched, dtype=np.int64),
        np.array(merged, dtype=np.int64),
        np.array(sorted(fresh or ()), dtype=np.int64),
        tuple(sorted(left_out)),
        kept,
    )


def _holds(state: SoundGraph, contents: VectorContents, trail: Trail, neighbours: int, min_score: float) -> bool:
    """Tell whether the lists here are still those of the last link, and it asked for the same."""
    return (
        contents.header is not None
        and (trail.neighbours, trail.min_score, trail.made_at) == (neighbours, min_score, contents.header.made_at)
        and trail.rows <= contents.rows
        # A row that rots may bring an older vector of its sound back, which has stood there all the time.
        and trail.rotten == contents.corrupt
        and trail.lists == digest_of_lists(state)
    )


def _fresh(places: dict[int, int], trail: Trail) -> set[int]:
    """Return the sounds that no list of the last link can rightly hold: new ones, and those with another vector now."""
    before = set(trail.left_out)
    return {sound_id for sound_id, row in places.items() if row >= trail.rows or sound_id in before}


def _is_out_of_date(state: SoundGraph, sound_id: int, trail: Trail, places: dict[int, int], fresh: set[int]) -> bool:
    """Tell whether a sound must be compared with all: it is new itself, or its list names one that is gone or has
    another vector now, and who stood behind that one is not known.
    """
    if sound_id in fresh or (trail.done_to is not None and sound_id > trail.done_to):
        return True
    edges = state.graph._adj[sound_id]
    # Whole sets at once: a hundred thousand lists are looked at whenever one sound is new.
    if edges.keys() <= places.keys() and edges.keys().isdisjoint(fresh):
        return False
    return any("score" in edge and (other not in places or other in fresh) for other, edge in edges.items())
