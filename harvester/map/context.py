"""Place the sounds around a selection, which a map draws as faint dots.

Invariant: they change no place of a selected sound. Each lies at the middle of the selected sounds that it has an edge
with; those that share their nearest one fan out around it, so that no dot hides another.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from harvester.graph import Selected, Surroundings
from harvester.map.force import GOLDEN_ANGLE
from harvester.map.layout import SPAN

_SPACING = 0.6
"""The distance of dots by the side of the square that each has for itself, as the page has it."""


class ContextDots:
    """The dots around a selection.

    `places` has shape (number, 2). `near` are the places of their selected neighbours in the selection, `degrees` how
    many each has, and `texts` their names and users.
    """

    def __init__(self, selected: Selected, around: Surroundings, places: npt.NDArray[np.uint16]) -> None:
        index = {sound_id: place for place, sound_id in enumerate(selected.sound_ids)}
        near = [[index[one] for one in ids] for ids in around.near.values()]
        self.places = _place(near, places.astype(np.float64))
        self.degrees = [len(one) for one in near]
        self.near = [place for one in near for place in one]
        sounds = map(selected.state.sound, around.near)
        self.texts = [[one.name or f"sound {one.id}", one.username or ""] for one in sounds]

    def __len__(self) -> int:
        return len(self.degrees)


def _place(near: list[list[int]], places: npt.NDArray[np.float64]) -> npt.NDArray[np.uint16]:
    step = SPAN * _SPACING / np.sqrt(max(len(places) + len(near), 1))
    found = np.zeros((len(near), 2))
    fans: Counter[int] = Counter()
    for number, members in enumerate(near):
        turn = fans[members[0]]
        fans[members[0]] += 1
        angle, distance = GOLDEN_ANGLE * (turn + members[0]), step * (0.8 + 0.35 * np.sqrt(turn))
        found[number] = places[members].mean(axis=0) + distance * np.array([np.cos(angle), np.sin(angle)])
    return np.rint(np.clip(found, 0, SPAN)).astype(np.uint16)
