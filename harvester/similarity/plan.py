"""Plan a link: compare with all vectors, or with new ones only.

The result equals that of a link from the beginning. A sound with a list from the server has no task; a deleted sound
enters no list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harvester.graph import SoundGraph
from harvester.model import COMPUTED
from harvester.similarity.last_run import LastRun, computed_lists, digest_of_lists
from harvester.vectors import VectorContents

if TYPE_CHECKING:
    from harvester.similarity.vector_table import Ids

SEARCHES_AT_ONCE, MERGES_AT_ONCE = 2048, 32_768
"""Tasks of a step, between two checks of the clock and of Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Tasks:
    """The tasks of a link, by ascending id.

    `searched` sounds are compared with all, `merged` ones with `entering` only: new and changed vectors. `places` has
    the row of each sound that may be in a list, `kept` the number of lists from the server.
    """

    neighbours: int
    min_score: float
    places: dict[int, int]
    searched: Ids
    merged: Ids
    entering: Ids
    left_out: tuple[int, ...]
    kept: int

    def steps(self, machines: int = 1) -> Iterator[tuple[Ids, Ids]]:
        """Yield (searched, merged) in parts; each part ends at one id.

        A part is enough for so many `machines`.
        """
        searches_at_once, merges_at_once = SEARCHES_AT_ONCE * machines, MERGES_AT_ONCE * machines
        start_searched = start_merged = 0
        while start_searched < len(self.searched) or start_merged < len(self.merged):
            end_searched = min(start_searched + searches_at_once, len(self.searched))
            end_merged = min(start_merged + merges_at_once, len(self.merged))
            last_searched = self.searched[end_searched - 1] if end_searched < len(self.searched) else None
            last_merged = self.merged[end_merged - 1] if end_merged < len(self.merged) else None
            bounds = [last for last in (last_searched, last_merged) if last is not None]
            if bounds:
                end_searched = int(np.searchsorted(self.searched, min(bounds), side="right"))
                end_merged = int(np.searchsorted(self.merged, min(bounds), side="right"))
            yield self.searched[start_searched:end_searched], self.merged[start_merged:end_merged]
            start_searched, start_merged = end_searched, end_merged


def plan_tasks(
    state: SoundGraph, contents: VectorContents, last_run: LastRun | None, neighbours: int, min_score: float
) -> Tasks:
    """Return the tasks of a link.

    They give each sound with a vector and no list from the server its list. `neighbours` is raised to the longest
    computed list, because a merge keeps the longer list.
    """
    neighbours = max(neighbours, *(limit for _, _, limit in computed_lists(state)), 1)
    places, left_out, kept = {}, [], 0
    for sound_id, (row, _) in contents.places.items():
        if sound_id in state and not state.is_gone(sound_id):
            places[sound_id] = row
        else:
            left_out.append(sound_id)
    if last_run is not None and not _is_valid(state, contents, last_run, neighbours, min_score):
        last_run = None
    entering = set() if last_run is None else _new_or_changed(places, last_run)
    searched, merged = [], []
    for sound_id in sorted(places):
        origin = state.attributes(sound_id).get("link_origin")
        if origin not in (None, COMPUTED):
            kept += 1
        elif last_run is None or origin is None or _is_out_of_date(state, sound_id, last_run, places, entering):
            searched.append(sound_id)
        elif entering:
            merged.append(sound_id)
    return Tasks(
        neighbours,
        min_score,
        places,
        np.array(searched, dtype=np.int64),
        np.array(merged, dtype=np.int64),
        np.array(sorted(entering), dtype=np.int64),
        tuple(sorted(left_out)),
        kept,
    )


def _is_valid(
    state: SoundGraph, contents: VectorContents, last_run: LastRun, neighbours: int, min_score: float
) -> bool:
    """Tell whether lists and options are those of the last link."""
    return (
        contents.header is not None
        and last_run.made_at == contents.header.made_at
        and (last_run.neighbours, last_run.min_score) == (neighbours, min_score)
        and last_run.rows <= contents.rows
        # When a row becomes corrupt, an older row may be its sound's vector again.
        and last_run.corrupt == contents.corrupt
        and last_run.lists == digest_of_lists(state)
    )


def _new_or_changed(places: dict[int, int], last_run: LastRun) -> set[int]:
    """Return the sounds with a new or another vector since the last link."""
    before = set(last_run.left_out)
    return {sound_id for sound_id, row in places.items() if row >= last_run.rows or sound_id in before}


def _is_out_of_date(
    state: SoundGraph, sound_id: int, last_run: LastRun, places: dict[int, int], entering: set[int]
) -> bool:
    """Tell whether a sound must be compared with all.

    It must if its vector is new, or if its list names a sound that was deleted or has another vector now: the next
    best sound is not known then.
    """
    if sound_id in entering or (last_run.done_to is not None and sound_id > last_run.done_to):
        return True
    edges = state.graph._adj[sound_id]
    # By sets, for speed: one new sound makes a link check all lists.
    if edges.keys() <= places.keys() and edges.keys().isdisjoint(entering):
        return False
    return any("score" in edge and (other not in places or other in entering) for other, edge in edges.items())
