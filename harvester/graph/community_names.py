"""Name communities by their telling tags."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence, Set

_LEAST_SHARE = 50
"""A tag names a community if at least one of this many of its sounds has it."""


class TellingTags:
    """The tags of all sounds, to find what is distinctive in some of them."""

    def __init__(self, tags: Collection[Set[str]]) -> None:
        """Count the tags of all sounds; `tags` are each sound's."""
        self._total = len(tags)
        self._overall = Counter(tag for of_sound in tags for tag in of_sound)

    def of(self, members: Iterable[Set[str]]) -> list[str]:
        """Return the distinctive tags of some sounds, most telling first.

        They are commoner in them than among all sounds. A tag tells by the share of sounds that have it, times how
        surprising that is (Kullback and Leibler's summand).
        """
        size, within = 0, Counter[str]()
        for of_sound in members:
            size += 1
            within.update(of_sound)
        enough = min(size, max(3, size / _LEAST_SHARE))
        surprise = {
            tag: here / size * math.log(here / size * self._total / self._overall[tag])
            for tag, here in within.items()
            if here >= enough and here * self._total > self._overall[tag] * size
        }
        return sorted(surprise, key=lambda tag: (-surprise[tag], tag))


def name_communities(communities: Sequence[int], tags: Sequence[Set[str]]) -> list[str]:
    """Return a distinct name for each community: its telling tags.

    `communities` are numbered from 0, and `tags` are each sound's. A community without a tag that tells is called by
    its number.
    """
    tags_of: dict[int, list[Set[str]]] = {}
    for one, of_sound in zip(communities, tags, strict=True):
        tags_of.setdefault(int(one), []).append(of_sound)
    telling_tags = TellingTags(tags)
    names: dict[frozenset[str], str] = {}
    for one in range(len(tags_of)):
        telling = telling_tags.of(tags_of[one])
        others = ([first, other] for first in telling[:4] for other in telling[2:6] if first != other)
        fitting = (pair for pair in (telling[:2], *others) if pair and frozenset(pair) not in names)
        words = next(fitting, [f"group {one + 1}"])
        names[frozenset(words)] = ", ".join(words)
    return list(names.values())
