"""The nearest sounds by vectors, for the cards of a page.

They are what the similar lists do not say: of a sound whose list is not here, or came from a server that ranks all its
sounds. Costs 4 bytes a neighbour: 5 of each of 5,000 sounds are 0.13 MB of the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MOST_NEAREST = 5
"""The most sounds that a card lists."""

MOST_WITH_NEAREST = 20_000
"""Larger maps have no such lists: computing them takes 0.4 s for 5,000 sounds, 3 s for these, minutes for 100,000."""

NearestLists = Mapping[int, Sequence[tuple[int, float]]]
"""The (id, score) of the nearest sounds of each sound, best first."""


def nearest_columns(lists: NearestLists, sound_ids: Sequence[int]) -> dict[str, list[int]]:
    """Return the lists as columns: lengths, places and scores.

    They are in the order of the page; a score of 1 is 65,535. Sounds that the page does not have are left out. Empty if
    none is left.
    """
    place = {sound_id: index for index, sound_id in enumerate(sound_ids)}
    lengths, targets, scores = [], [], []
    for sound_id in sound_ids:
        near = [(place[other], score) for other, score in lists.get(sound_id, ()) if other in place][:MOST_NEAREST]
        lengths.append(len(near))
        targets += [one for one, _ in near]
        scores += [round(score * 65_535) for _, score in near]
    if not targets:
        return {}
    return {"nearestCounts": lengths, "nearest": targets, "nearestScores": scores}
