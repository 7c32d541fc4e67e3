"""Find the sounds with the most alike tags.

Two sounds are as alike as the share of their tags that both have, of all that either has (Jaccard's index, 0 to 1). An
inverted index gives the candidates, the rarest tag first, so that no two sounds without a common tag are compared. The
result is exact, unless a sound has more than MOST_VISITED candidates: then its rarest tags decide which are compared,
and of an equally rare one the sounds with the nearest ids. So the time grows with the number of sounds, not its square.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import chain, groupby
from operator import itemgetter

from harvester.relations.groups import nearest

MOST_VISITED = 10_000
"""How many entries of the index are visited for one sound; a usual sound has some thousand in a large library."""

Alike = list[tuple[int, float | None]]


class TagIndex:
    """An inverted index of tags, the rarest tag first.

    Sounds with the same set of tags share a row. `tags` has each sound's, by ascending id.
    """

    def __init__(self, tags: Mapping[int, frozenset[str]]) -> None:
        rows: dict[frozenset[str], list[int]] = {}
        for sound_id, own in tags.items():
            if own:
                rows.setdefault(own, []).append(sound_id)
        self._members = list(rows.values())
        frequency = Counter(chain.from_iterable(rows))
        number_of = {tag: number for number, tag in enumerate(sorted(frequency, key=lambda tag: (frequency[tag], tag)))}
        self._tags = [frozenset(map(number_of.__getitem__, row)) for row in rows]
        self._sizes = list(map(len, self._tags))
        self._postings: list[list[int]] = [[] for _ in number_of]
        for row, numbers in enumerate(self._tags):
            for number in numbers:
                self._postings[number].append(row)

    def most_alike(self, least: float, most: int) -> Iterator[tuple[int, Alike, bool]]:
        """Yield each sound with the most alike ones, and whether more are.

        Those are at most `most`, alike by `least` at least, the most alike first; of equally alike ones those with the
        nearest ids.
        """
        for row, members in enumerate(self._members):
            same = len(members) - 1
            others = self._alike_rows(row, least) if same <= most else []
            levels = [
                (jaccard, sorted(chain.from_iterable(self._members[other] for _, other in level)))
                for jaccard, level in groupby(others, key=itemgetter(0))
            ]
            has_more = same + sum(len(ids) for _, ids in levels) > most
            for sound_id in members:
                alike: Alike = [(one, 1.0) for one in nearest(members, sound_id, most)]
                for jaccard, ids in levels:
                    if len(alike) == most:
                        break
                    alike += [(one, jaccard) for one in nearest(ids, sound_id, most - len(alike))]
                yield sound_id, alike, has_more

    def _alike_rows(self, row: int, least: float) -> list[tuple[float, int]]:
        """Return the other rows that are alike enough, the most alike first."""
        own, size = self._tags[row], self._sizes[row]
        # A row that is alike enough has at least this many of the tags, so at least one of all but the last few.
        needed = max(1, math.ceil(least * size - 1e-9))
        unseen = needed - 1
        rarest = sorted(own)[: size - unseen]
        counts = Counter(chain.from_iterable(self._visited(rarest, row)))
        del counts[row]
        # The largest row that can be alike enough, by the number of common tags so far.
        share = least / (1 + least)
        largest = [(common + unseen) / share - size + 1e-9 for common in range(size + 1)]
        tags, sizes = self._tags, self._sizes
        alike = []
        for other in [other for other, common in counts.items() if sizes[other] <= largest[common]]:
            common = len(own & tags[other])
            jaccard = common / (size + sizes[other] - common)
            if jaccard >= least:
                alike.append((jaccard, other))
        alike.sort(key=lambda pair: (-pair[0], pair[1]))
        return alike

    def _visited(self, rarest: list[int], row: int) -> Iterator[list[int]]:
        room = MOST_VISITED
        for number in rarest:
            rows = self._postings[number]
            if len(rows) > room:
                first = max(0, min(bisect_left(rows, row) - room // 2, len(rows) - room))
                yield rows[first : first + room]
                return
            yield rows
            room -= len(rows)
