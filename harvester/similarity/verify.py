"""Compare a random sample of the computed lists with the server's.

The server ranks all its sounds, a library only those whose vectors it has. So sounds without a vector here are removed
from the server's list, and the rest is cut to the length of ours.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from harvester.graph import SoundGraph
from harvester.model import SimilarPage
from harvester.similarity.last_run import computed_lists


@dataclass(frozen=True, slots=True)
class Agreement:
    """Result of a comparison of `sounds` lists.

    `found` of the server's `expected` neighbours are in the computed lists. `largest_difference`: between two scores of
    a pair. `empty`: sounds without a list on the server.
    """

    sounds: int
    expected: int
    found: int
    largest_difference: float
    empty: int

    @property
    def recall(self) -> float:
        """Share of the server's neighbours that are in the computed lists."""
        return self.found / self.expected if self.expected else 1.0

    def as_dict(self) -> dict[str, Any]:
        """Return the agreement as plain data, for `--json`."""
        return {**asdict(self), "recall": round(self.recall, 6)}


def choose_sounds(state: SoundGraph, count: int, random_seed: int) -> list[int]:
    """Return up to `count` sounds with a computed list, by `random_seed`."""
    linked = sorted(
        sound_id
        for sound_id, _, _ in computed_lists(state)
        if not state.is_gone(sound_id) and state.graph.has_out_edges(sound_id)
    )
    return Random(random_seed).sample(linked, min(count, len(linked)))


def compare(state: SoundGraph, pages: Sequence[SimilarPage], with_vector: Collection[int]) -> Agreement:
    """Compare computed lists with the server's.

    `with_vector`: the sounds that can be in a computed list.
    """
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
