"""Track the frontier's claims: in flight or parked, never both.

Plain data, changed without `await`.
"""

from __future__ import annotations

from harvester.pipeline.messages import Claim, SimilarClaim


class InFlight:
    """Claims in flight, and parked ones; `len()` counts those in flight."""

    def __init__(self) -> None:
        self._lists: set[int] = set()
        self._others: set[Claim] = set()
        self._parked: set[Claim] = set()

    def __len__(self) -> int:
        return len(self._lists) + len(self._others)

    @property
    def lists(self) -> int:
        """How many similar lists are being fetched."""
        return len(self._lists)

    @property
    def others(self) -> int:
        """How many claims in flight are not for a similar list."""
        return len(self._others)

    @property
    def parked(self) -> int:
        """How many claims are parked."""
        return len(self._parked)

    def has_list_of(self, sound_id: int) -> bool:
        """Tell whether the sound's similar list is claimed or parked."""
        return sound_id in self._lists or (bool(self._parked) and SimilarClaim(sound_id) in self._parked)

    def add(self, claim: Claim) -> None:
        """Add a claim that a fetcher has taken."""
        if isinstance(claim, SimilarClaim):
            self._lists.add(claim.sound_id)
        else:
            self._others.add(claim)

    def remove(self, claim: Claim) -> None:
        """Remove a claim; raise `KeyError` for an unknown one."""
        if claim in self._parked:
            self._parked.remove(claim)
        elif isinstance(claim, SimilarClaim):
            self._lists.remove(claim.sound_id)
        else:
            self._others.remove(claim)

    def park(self, claim: Claim) -> None:
        """Park a claim; raise `KeyError` for an unknown one."""
        self.remove(claim)
        self._parked.add(claim)
