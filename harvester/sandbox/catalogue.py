"""What the sandbox serves from: the `Catalogue` protocol that generated and recorded catalogues keep.

Invariant: a catalogue is immutable, and everything it says is a function of its content alone, so equal
catalogues have equal digests and equal answers in every process. Knows nothing of HTTP, keys or faults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from harvester.model import Record

DIMENSIONS: dict[str, int] = {"laion_clap": 512, "freesound_classic": 100}
"""The similarity spaces and how long their vectors are (API.md §2.4)."""

MIN_SCORE = 0.7
"""Only neighbours with at least this score are listed (SIMILARITY_MIN_THRESHOLD in freesound/settings.py)."""

SORTS = (
    "score",
    "duration_desc",
    "duration_asc",
    "created_desc",
    "created_asc",
    "downloads_desc",
    "downloads_asc",
    "rating_desc",
    "rating_asc",
)

Neighbour = tuple[int, float]
"""A sound id and its score, (1 + cosine) / 2."""


class Catalogue(Protocol):
    """The sounds of a sandbox, their records, their vectors, and who is similar to whom."""

    @property
    def digest(self) -> str:
        """The identity of the content: equal catalogues have equal digests."""
        ...

    def __len__(self) -> int: ...

    def record(self, sound_id: int) -> Record | None:
        """Return the record (without descriptors and vectors), or None when there is no such sound."""
        ...

    def descriptors(self, sound_id: int) -> dict[str, Any]:
        """Return the descriptors of a sound that exists; a descriptor that is absent is null."""
        ...

    def vector(self, sound_id: int, space: str) -> list[float] | None:
        """Return the L2-normalised vector, or None when the sound has none."""
        ...

    def neighbours(self, sound_id: int, space: str) -> list[Neighbour]:
        """Return every other sound with a score of at least `MIN_SCORE`, best first, then by id.

        Empty for an unknown sound, a sound without a vector, and an unknown space.
        """
        ...

    def nearest(self, vector: Sequence[float], space: str) -> list[Neighbour]:
        """Return every sound with a score of at least `MIN_SCORE` against a vector of any length but zero."""
        ...

    def ordered(self, sort: str) -> Sequence[int]:
        """Return all sound ids in the order of one of `SORTS`; `score` is newest first."""
        ...
