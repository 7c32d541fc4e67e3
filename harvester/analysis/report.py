"""Describe the largest communities and the leading sounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harvester.analysis.figures import rounded
from harvester.graph import Measures, Selected, TellingWords

LARGEST, TOP, TAGS = 5, 10, 5


@dataclass(frozen=True, slots=True)
class NamedCommunity:
    """A community, and the words that tell it.

    `community` is its number, `sounds` how many it has, and `share` their part of all analysed sounds. The `tags` are
    tags and words of names that are commoner in it than elsewhere, the most telling first.
    """

    community: int
    sounds: int
    share: float
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leading:
    """A sound with one of the largest values of a measure.

    `id` is the sound's number, `value` that of the measure. `name` and `username` are None where the library has no
    record.
    """

    id: int
    name: str | None
    username: str | None
    value: float


def largest_communities(selected: Selected, measures: Mapping[int, Measures]) -> tuple[NamedCommunity, ...]:
    """Return the largest communities, the largest first."""
    telling, place = TellingWords(selected.sounds()), {one: at for at, one in enumerate(selected.sound_ids)}
    members: dict[int, list[int]] = {}
    for sound_id, one in measures.items():
        if one.community <= LARGEST:
            members.setdefault(one.community, []).append(sound_id)
    return tuple(
        NamedCommunity(
            number,
            len(members[number]),
            rounded(len(members[number]) / len(measures)),
            tuple(telling.of(place[sound_id] for sound_id in members[number])[:TAGS]),
        )
        for number in sorted(members)
    )


def find_leading(selected: Selected, measures: Mapping[int, Measures], name: str) -> tuple[Leading, ...]:
    """Return the sounds with the largest values of a measure, then by id.

    Empty where the measure was left out or is zero for every sound.
    """
    values = {sound_id: getattr(one, name) or 0.0 for sound_id, one in measures.items()}
    best = sorted((sound_id for sound_id in values if values[sound_id]), key=lambda one: (-values[one], one))[:TOP]
    sounds = map(selected.state.sound, best)
    return tuple(Leading(sound.id, sound.name, sound.username, values[sound.id]) for sound in sounds)
