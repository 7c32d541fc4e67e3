"""Claims that are out: which sounds a fetcher has in hand, and which failed claims are parked.

The frontier's book of claims. A claim is either in flight or parked, never both. Plain data, changed without `await`.
"""

from __future__ import annotations

from harvester.pipeline.messages import Claim, SimilarClaim


class InFlight:
    """The claims that are neither settled nor released. Its length leaves parked claims out."""

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
        """How many claims are out that are not for a list."""
        return len(self._others)

    @property
    def parked(self) -> int:
        """How many claims are parked."""
        return len(self._parked)

    def has_list_of(self, sound_id: int) -> bool:
        """Tell whether a claim for the sound's list is out or parked."""
        return sound_id in self._lists or (bool(self._parked) and SimilarClaim(sound_id) in self._parked)

    def add(self, claim: Claim) -> None:
        """Note that a fetcher has the claim now."""
        if isinstance(claim, SimilarClaim):
            self._lists.add(claim.sound_id)
        else:
            self._others.add(claim)

    def remove(self, claim: Claim) -> None:
        """Take a claim back. Raises `KeyError` for one that is not out."""
        if claim in self._parked:
            self._parked.remove(claim)
        elif isinstance(claim, SimilarClaim):
            self._lists.remove(claim.sound_id)
        else:
            self._others.remove(claim)

    def park(self, claim: Claim) -> None:
        """Set a claim aside. Raises `KeyError` for one that is not out."""
        self.remove(claim)
        self._parked.add(claim)
