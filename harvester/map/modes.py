"""Colourings of a map: groups, their legend and their colours.

Owns which colouring a map opens with: that of category and community which tells more about a sound, in bits (the
entropy of the colours, grey being one); if neither tells one bit, that of all four.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harvester.graph import Sound
from harvester.map.colors import COUNT, UNCOLORED, color_islands
from harvester.map.grouping import Communities

REST = 255
"""The number of the group of all small groups."""

_MOST_COMMUNITIES = 60
_ENOUGH_BITS = 1.0


@dataclass(frozen=True, slots=True)
class Mode:
    """A colouring: the group of each sound, the largest first.

    Groups are numbered from 0. `labels` are the lines of the legend: number of the group, text, number of sounds.
    `colors` has the colour of each numbered group; those past its end are grey.
    """

    key: str
    name: str
    groups: list[int]
    labels: list[tuple[int, str, int]]
    colors: list[int]

    def bits(self) -> float:
        """Return the entropy of the colours of the dots."""
        colors = [self.colors[group] if group < len(self.colors) else UNCOLORED for group in self.groups]
        shares = [size / len(colors) for _, size in sorted(Counter(colors).items())]
        return -sum(share * math.log2(share) for share in shares)


def find_modes(known: Sequence[Sound], communities: Communities, places: npt.NDArray[np.uint16]) -> list[Mode]:
    """Return the colourings of a map: category, community, license, user."""
    return [
        by_value("category", "Category", [one.category or "none" for one in known]),
        _by_community(communities, places),
        by_value("license", "License", [one.license_name for one in known]),
        by_value("user", "User", [one.username or "unknown" for one in known]),
    ]


def by_value(key: str, name: str, values: Iterable[str], most: int = COUNT) -> Mode:
    """Return a colouring by value; the rarest values share one group."""
    values = list(values)
    sizes = sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))
    group_of = {value: min(place, REST) if place < most else REST for place, (value, _) in enumerate(sizes)}
    labels = [(place, value, size) for place, (value, size) in enumerate(sizes[:most])]
    rest = sum(size for _, size in sizes[most:])
    if rest:
        labels.append((REST, f"{len(sizes) - most:,} others", rest))
    return Mode(key, name, [group_of[value] for value in values], labels, list(range(min(len(sizes), COUNT))))


def _by_community(communities: Communities, places: npt.NDArray[np.uint16]) -> Mode:
    """Return the colouring by community, neighbours in different colours."""
    members = communities.members()[:_MOST_COMMUNITIES]
    colors = color_islands(places, members)
    texts = communities.labels()
    sizes = Counter(texts)
    shown = [texts[int(one[0])] for one in members]
    # Sounds in no named community are grey, in a group for each reason.
    others = [text for text in sizes if text not in set(shown)]
    group_of: dict[str, int] = {text: group for group, text in enumerate(shown)}
    group_of |= {text: min(len(shown) + place, REST) for place, text in enumerate(others)}
    labels = [(group_of[text], text, sizes[text]) for text in (*shown, *others)]
    colors += [UNCOLORED] * len(others)
    return Mode("community", "Community", [group_of[text] for text in texts], labels, colors)


def most_telling(modes: Sequence[Mode]) -> int:
    """Return the place of the colouring that a map opens with."""
    bits = [round(mode.bits(), 6) for mode in modes]
    telling = [place for place, mode in enumerate(modes) if mode.key in ("category", "community")]
    if max((bits[place] for place in telling), default=0.0) < _ENOUGH_BITS:
        telling = list(range(len(modes)))
    return max(telling, key=lambda place: (bits[place], -place))


def as_head(mode: Mode) -> dict[str, Any]:
    """Return what the page needs of a colouring, but for the groups."""
    return {
        "key": mode.key,
        "name": mode.name,
        "labels": [list(label) for label in mode.labels],
        "colors": mode.colors,
    }
