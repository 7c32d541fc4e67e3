"""Find the sounds with the most alike tags.

Two sounds are as alike as the share of their tags that both have, of all that either has (Jaccard's index, 0 to 1). An
inverted index gives the candidates, the rarest tag first, so that no two sounds without a common tag are compared. The
result is exact, unless a sound has more than MOST_VISITED candidates: then its rarest tags decide which are compared,
and of an equally rare one the sounds with the nearest ids.

A set of rows is an integer with a bit for each row: common tags are counted for 30 rows at once, not one by one. A
sound takes 0.4 ms in a library of 25,000 sounds and 2 ms in one of 200,000.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from itertools import accumulate, chain

from harvester.relations.groups import nearest

MOST_VISITED = 10_000
"""How many entries of the index are visited for one sound; a usual sound has some thousand in a large library."""

Alike = list[tuple[int, float | None]]

_CACHE_BYTES = 64 * 1024**2
_OCCUPIED = re.compile(rb"[^\0]")
_BITS_OF = [[place for place in range(8) if byte >> place & 1] for byte in range(256)]


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
        self._tags = [sorted(map(number_of.__getitem__, row)) for row in rows]
        self._postings: list[list[int]] = [[] for _ in number_of]
        of_size: dict[int, list[int]] = {}
        for row, numbers in enumerate(self._tags):
            of_size.setdefault(len(numbers), []).append(row)
            for number in numbers:
                self._postings[number].append(row)
        self._row_bytes = len(rows) // 8 + 1
        self._of_size = {size: self._set_of(of_size[size]) for size in sorted(of_size)}
        self._up_to_size = dict(zip(self._of_size, accumulate(self._of_size.values(), int.__or__), strict=True))
        self._having = lru_cache(max(1, _CACHE_BYTES // self._row_bytes))(
            lambda number: self._set_of(self._postings[number])
        )
        self._levels = cache(self._all_levels)

    def most_alike(self, least: float, most: int) -> Iterator[tuple[int, Alike, bool]]:
        """Yield each sound with the most alike ones, and whether more are.

        Those are at most `most`, alike by `least` at least, the most alike first; of equally alike ones those with the
        nearest ids.
        """
        for row, members in enumerate(self._members):
            found = same = len(members) - 1
            levels = []
            if same <= most:
                for jaccard, rows in self._alike_rows(row, least):
                    ids = sorted(chain.from_iterable(map(self._members.__getitem__, rows)))
                    levels.append((jaccard, ids))
                    found += len(ids)
                    if found > most:
                        break
            for sound_id in members:
                alike: Alike = [(one, 1.0) for one in nearest(members, sound_id, most)]
                for jaccard, ids in levels:
                    alike += [(one, jaccard) for one in nearest(ids, sound_id, most - len(alike))]
                yield sound_id, alike, found > most

    def _alike_rows(self, row: int, least: float) -> Iterator[tuple[float, list[int]]]:
        """Yield the other rows that are alike enough, the most alike first.

        Equally alike rows come together.
        """
        own = self._tags[row]
        size = len(own)
        # A row that is alike enough has at least this many of the tags, so at least one of all but the last few.
        needed = max(1, math.ceil(least * size - 1e-9))
        unseen = needed - 1
        visited, all_visited = self._visited(own[: size - unseen], row)
        candidates = _union(visited) if all_visited else self._large_enough(visited, size, unseen, least)
        candidates &= ~(1 << row)
        by_common = _by_count(candidates, map(self._having, own))
        for jaccard, pairs in self._levels(size):
            if jaccard < least:
                return
            level = 0
            for common, other_size in pairs:
                if common in by_common:
                    level |= by_common[common] & self._of_size[other_size]
            if level:
                yield jaccard, self._rows_in(level)

    def _large_enough(self, visited: list[int], size: int, unseen: int, least: float) -> int:
        """Return the candidates that can be alike enough by what was visited.

        The largest such row follows from the number of common tags so far and of those that are not visited by rule.
        """
        share = least / (1 + least)
        enough = 0
        for common, rows in _by_count(_union(visited), visited).items():
            largest = (common + unseen) / share - size + 1e-9
            fitting = [other for other in self._up_to_size if other <= largest]
            if fitting:
                enough |= rows & self._up_to_size[fitting[-1]]
        return enough

    def _visited(self, rarest: list[int], row: int) -> tuple[list[int], bool]:
        """Return the rows that have each tag, and whether they are all of them."""
        room = MOST_VISITED
        visited: list[int] = []
        for number in rarest:
            rows = self._postings[number]
            if len(rows) > room:
                first = max(0, min(bisect_left(rows, row) - room // 2, len(rows) - room))
                near = rows[first : first + room]
                if near:
                    visited.append(self._having(number) & ((2 << near[-1]) - (1 << near[0])))
                return visited, False
            visited.append(self._having(number))
            room -= len(rows)
        return visited, True

    def _all_levels(self, size: int) -> list[tuple[float, list[tuple[int, int]]]]:
        """Return each possible index of a row of `size`, the highest first.

        With each are the numbers of common tags, and the sizes of the other row, that give it.
        """
        levels: dict[float, list[tuple[int, int]]] = {}
        for other in self._of_size:
            for common in range(1, min(size, other) + 1):
                levels.setdefault(common / (size + other - common), []).append((common, other))
        return sorted(levels.items(), reverse=True)

    def _set_of(self, rows: Iterable[int]) -> int:
        places = bytearray(self._row_bytes)
        for row in rows:
            places[row >> 3] |= 1 << (row & 7)
        return int.from_bytes(places, "little")

    def _rows_in(self, rows: int) -> list[int]:
        places = rows.to_bytes(self._row_bytes, "little")
        return [match.start() * 8 + place for match in _OCCUPIED.finditer(places) for place in _BITS_OF[match[0][0]]]


def _union(sets: Iterable[int]) -> int:
    joined = 0
    for one in sets:
        joined |= one
    return joined


def _by_count(rows: int, sets: Iterable[int]) -> dict[int, int]:
    """Return `rows` by the number of the sets that hold them."""
    # The binary digits of all numbers at once: a set of rows for each digit, as in an adder of a processor.
    digits: list[int] = []
    for carry in sets:
        for place, digit in enumerate(digits):
            digits[place], carry = digit ^ carry, digit & carry
            if not carry:
                break
        else:
            if carry:
                digits.append(carry)
    counted = {0: rows}
    for place in reversed(range(len(digits))):
        split: dict[int, int] = {}
        for number, those in counted.items():
            one = those & digits[place]
            if one:
                split[number | 1 << place] = one
            if one != those:
                split[number] = those ^ one
        counted = split
    return counted
