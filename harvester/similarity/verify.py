"""How well the lists that were made here agree with the server's own: a random choice, and what to make of it. Pure.

The server ranks all its sounds, a library only those whose vectors it has. So the server's list is compared after what
the library cannot know was taken out of it, best first, as far as it goes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from harvester.graph import SoundGraph, is_gone
from harvester.model import SimilarPage
from harvester.similarity.last_run import computed_lists

ASKED = 150
"""Neighbours a request brings at most: nothing is spared by asking for fewer."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """`sounds` were compared; of the neighbours the server names, `found` of `expected` are in the lists made here.

    `largest_difference` is between two scores of the same pair. `empty`: sounds for which the server has no list now.
    """

    sounds: int
    expected: int
    found: int
    largest_difference: float
    empty: int

    @property
    def recall(self) -> float:
        return self.found / self.expected if self.expected else 1.0

    def as_dict(self) -> dict[str, Any]:
        """Return the agreement as plain data, for `--json`."""
        return {**asdict(self), "recall": round(self.recall, 6)}


def choose_sounds(state: SoundGraph, count: int, random_seed: int) -> list[int]:
    """Return up to `count` sounds whose list was made here, the same ones for the same seed and library."""
    linked = sorted(
        sound_id
        for sound_id, _, _ in computed_lists(state)
        if not is_gone(state.attributes(sound_id)) and state.graph.out_degree(sound_id)
    )
    return Random(random_seed).sample(linked, min(count, len(linked)))


def compare(state: SoundGraph, pages: Sequence[SimilarPage], with_vector: Collection[int]) -> Agreement:
    """Return how the lists made here agree with the server's; `with_vector` are the sounds that could be in one."""
    expected = found = empty = 0
    difference = 0.0
    for page in pages:
        similar = state.similar(page.sound_id)
        assert similar is not None
        ours = dict(similar.neighbours)
        theirs = [pair for pair in page.neighbours if pair[0] in with_vector][: len(ours)]
        empty += not page.neighbours
        expected += len(theirs)
        found += sum(sound_id in ours for sound_id, _ in theirs)
        difference = max([difference, *(abs(ours[i] - score) for i, score in theirs if i in ours)])
    return Agreement(len(pages), expected, found, round(difference, 9), empty)
