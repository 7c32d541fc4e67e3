"""Assign groups of sounds to the parts of a split.

A group is never divided. Two methods: `greedy` keeps the sizes and the classes of the parts in proportion, and keeps an
earlier assignment; `hash` looks at the group's key alone, so that it needs no file to be stable. Both depend on the set
of groups only: ties are broken by a digest of the key. Knows no file and no graph.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from harvester.errors import SettingsError

METHODS = ("greedy", "hash")
DEFAULT_SPLIT = "80/10/10"
_NAMES = {1: ("train",), 2: ("train", "test"), 3: ("train", "validation", "test")}
WHOLE = 100


@dataclass(frozen=True, slots=True)
class SoundGroup:
    """Sounds that must be in one part.

    `key` names the author or the pack. `classes` counts the sounds of each class, in order of its name; each sound has
    one.
    """

    key: str
    sound_ids: tuple[int, ...]
    classes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """The part of each group, and of each sound.

    `shares` has the percentage of each part by its name, in order.
    """

    group_by: str
    method: str
    shares: Mapping[str, int]
    groups: Mapping[str, str] = field(default_factory=dict)
    sounds: Mapping[int, str] = field(default_factory=dict)

    def sound_ids(self, part: str) -> list[int]:
        """Return the sounds of a part, by ascending id."""
        return sorted(sound_id for sound_id, name in self.sounds.items() if name == part)

    def group_keys(self, part: str) -> list[str]:
        """Return the groups of a part, sorted."""
        return sorted(key for key, name in self.groups.items() if name == part)


def read_shares(text: str) -> dict[str, int]:
    """Return the percentages of `80/10/10` by the name of the part.

    Raises `SettingsError` unless they are one to three whole numbers above 0 whose sum is 100.
    """
    pieces = text.split("/")
    numbers = [int(piece) for piece in pieces if piece.strip().isascii() and piece.strip().isdigit() and len(piece) < 5]
    if len(numbers) != len(pieces) or len(pieces) not in _NAMES or 0 in numbers or sum(numbers) != WHOLE:
        raise SettingsError(
            f"--split '{text[:40]}' is no split; write percentages of train, validation and test that add up to 100, "
            "such as 80/10/10, 90/10 (train and test) or 100"
        )
    return dict(zip(_NAMES[len(numbers)], numbers, strict=True))


def assign(
    groups: Iterable[SoundGroup],
    shares: Mapping[str, int],
    *,
    group_by: str,
    method: str = METHODS[0],
    earlier: Assignment | None = None,
) -> Assignment:
    """Return the part of each group; the order of `groups` does not matter.

    With `earlier`, a group of which that assignment knows a sound or the key stays in its part. If it knows sounds of
    one group in several parts (two authors that turned out to be one), the part with most of them gets the group.
    """
    ordered = sorted(groups, key=lambda group: (-len(group.sound_ids), _digest(group.key)))
    if method == "hash":
        parts = {group.key: _hashed(group.key, shares) for group in ordered}
    else:
        parts = _greedy(ordered, shares, earlier)
    sounds = {sound_id: parts[group.key] for group in ordered for sound_id in group.sound_ids}
    return Assignment(group_by, method, dict(shares), parts, sounds)


def _greedy(ordered: Sequence[SoundGroup], shares: Mapping[str, int], earlier: Assignment | None) -> dict[str, str]:
    filling = _Filling(ordered, shares)
    kept = {group.key: part for group in ordered if (part := _earlier_part(group, earlier)) is not None}
    for group in ordered:
        if group.key in kept:
            filling.add(group, kept[group.key])
    return {group.key: kept.get(group.key) or filling.add(group, filling.choose(group)) for group in ordered}


def _earlier_part(group: SoundGroup, earlier: Assignment | None) -> str | None:
    if earlier is None:
        return None
    known = Counter(earlier.sounds[one] for one in group.sound_ids if one in earlier.sounds)
    if not known:
        return earlier.groups.get(group.key)
    return max(earlier.shares, key=lambda part: known[part])


class _Filling:
    """How full each part is, as a whole and in each class.

    Sizes are compared as whole numbers (hundredths of a sound), so that no rounding decides.
    """

    def __init__(self, groups: Iterable[SoundGroup], shares: Mapping[str, int]) -> None:
        total = 0
        of_class: Counter[str] = Counter()
        for group in groups:
            total += len(group.sound_ids)
            of_class.update(dict(group.classes))
        self._shares = shares
        self._wanted = {part: share * total for part, share in shares.items()}
        self._have = dict.fromkeys(shares, 0)
        self._of_class = of_class
        self._have_of_class: dict[str, Counter[str]] = {part: Counter() for part in shares}

    def add(self, group: SoundGroup, part: str) -> str:
        """Put a group into a part; return the part."""
        self._have[part] += WHOLE * len(group.sound_ids)
        self._have_of_class[part].update(dict(group.classes))
        return part

    def choose(self, group: SoundGroup) -> str:
        """Return the best part for a group.

        Of the parts with room for it, that is the one whose size and classes come closest to what they should be. If
        none has room, it is the one that lacks most. So no part ends further from its size than the largest group is
        large.
        """
        size = WHOLE * len(group.sound_ids)
        with_room = [part for part in self._shares if self._have[part] + size <= self._wanted[part]]
        if with_room:
            return min(with_room, key=lambda part: self._cost(group, part))
        return max(self._shares, key=lambda part: self._wanted[part] - self._have[part])

    def _cost(self, group: SoundGroup, part: str) -> float:
        """Return by how much the squared errors of a part's classes would grow.

        The errors are relative. They settle its size too, because each sound has one class.
        """
        cost = 0.0
        for name, count in group.classes:
            wanted = self._shares[part] * self._of_class[name] / WHOLE
            cost += count * (count + 2 * (self._have_of_class[part][name] - wanted)) / wanted
        return cost


def _hashed(key: str, shares: Mapping[str, int]) -> str:
    """Return the part in whose share of all digests the key's digest is."""
    place = int(_digest(key)[:16], 16) * WHOLE
    upper = 0
    for part, share in shares.items():
        upper += share
        if place < upper << 64:
            return part
    raise AssertionError("the shares add up to less than the whole")


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
