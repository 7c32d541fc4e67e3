"""Find the sounds of the same user or pack with the nearest ids.

Ids rise with time: the nearest ones were uploaded about when the sound was.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence


def same_group(groups: Mapping[int, str], most: int) -> Iterator[tuple[int, list[int], bool]]:
    """Yield each sound with others of its group, and whether it has more.

    `groups` has each sound's group, by ascending id. The others are at most `most`, those with the nearest ids: a sound
    is always related to the next one, so a group remains one connected part.
    """
    members: dict[str, list[int]] = {}
    for sound_id, group in groups.items():
        members.setdefault(group, []).append(sound_id)
    for ids in members.values():
        for sound_id in ids:
            yield sound_id, nearest(ids, sound_id, most), len(ids) - 1 > most


def nearest(ids: Sequence[int], sound_id: int, most: int) -> list[int]:
    """Return the ids that stand next to `sound_id`, in ascending order.

    Half of the `most` stand before it, the rest after it; at an end of `ids` they come from the other side.
    """
    place = bisect_left(ids, sound_id)
    own = place < len(ids) and ids[place] == sound_id
    first = max(0, min(place - most // 2, len(ids) - most - own))
    near = ids[first : first + most + own]
    return [one for one in near if one != sound_id]
