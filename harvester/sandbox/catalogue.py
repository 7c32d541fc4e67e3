"""Define the `Catalogue` protocol: the sounds that a sandbox serves.

Invariant: a catalogue is immutable, and every value it returns is a function of its content alone, so equal
catalogues have equal digests and equal answers in every process. Knows nothing of HTTP, keys or faults.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from harvester.model import Record

DIMENSIONS: dict[str, int] = {"laion_clap": 512, "freesound_classic": 100}
"""The length of a vector in each similarity space (API.md §2.4)."""

MIN_SCORE = 0.7
"""The least score of a listed neighbour (SIMILARITY_MIN_THRESHOLD in freesound/settings.py of the server)."""

SORTS = (
    "score", "duration_desc", "duration_asc", "created_desc", "created_asc", "downloads_desc", "downloads_asc",
    "rating_desc", "rating_asc",
)  # fmt: skip

Neighbour = tuple[int, float]
"""A sound id and its score, (1 + cosine) / 2."""


class Catalogue(Protocol):
    """The sounds of a sandbox: records, vectors and similar lists."""

    digest: str
    """The identity of the content: equal catalogues have equal digests."""

    def __len__(self) -> int: ...

    def record(self, sound_id: int) -> Record | None:
        """Return a record without descriptors and vectors; None if unknown."""
        ...

    def descriptors(self, sound_id: int) -> dict[str, Any]:
        """Return a known sound's descriptors; one without a value is null."""
        ...

    def vector(self, sound_id: int, space: str) -> list[float] | None:
        """Return the sound's vector, L2-normalised, or None without one."""
        ...

    def neighbours(self, sound_id: int, space: str) -> list[Neighbour]:
        """Return the other sounds from `MIN_SCORE` up, best first, then by id.

        The list is empty for an unknown sound, a sound without a vector, and an unknown space.
        """
        ...

    def nearest(self, vector: Sequence[float], space: str) -> list[Neighbour]:
        """Return the sounds from `MIN_SCORE` up against `vector`, best first."""
        ...

    def ordered(self, sort: str) -> Sequence[int]:
        """Return all ids in an order of `SORTS`; `score` is newest first."""
        ...
