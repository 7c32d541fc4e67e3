"""Find sounds by words in names, tags and users; read no file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harvester.graph import Sound, SoundGraph


@dataclass(frozen=True, slots=True)
class Hits:
    """A search result: how many sounds were found, and the best."""

    total: int
    best: tuple[dict[str, Any], ...]


def find_sounds(state: SoundGraph, text: str, *, limit: int | None = 20) -> Hits:
    """Find sounds with every word of `text` in name, tag, user or id.

    Case is ignored. Whole tags and words of the name rank highest, then beginnings, then any other occurrence; equally
    good sounds are ordered by downloads. Sounds that are gone are left out.
    """
    words = text.casefold().split()
    found: list[tuple[int, int, int]] = []
    if words:
        for sound in map(state.sound, state.graph):
            rank = _rank(sound, words)
            if rank:
                found.append((-rank, -(sound.num_downloads or 0), sound.id))
    found.sort()
    best = found if limit is None else found[:limit]
    return Hits(len(found), tuple(_describe(state.sound(sound_id)) for _, _, sound_id in best))


def _rank(sound: Sound, words: list[str]) -> int:
    """Return a sound's rank, higher if better; 0 if a word is missing."""
    name, user, own_id = (sound.name or "").casefold(), (sound.username or "").casefold(), str(sound.id)
    tags = [tag.casefold() for tag in sound.tags]
    everything = "\n".join((name, user, own_id, *tags))
    if not all(word in everything for word in words) or sound.is_gone:
        return 0
    tokens = {*tags, *name.replace("_", " ").replace("-", " ").replace(".", " ").split(), user, own_id}
    return sum(3 if word in tokens else 2 if any(token.startswith(word) for token in tokens) else 1 for word in words)


def _describe(sound: Sound) -> dict[str, Any]:
    return {
        "id": sound.id,
        "name": sound.name,
        "username": sound.username,
        "tags": sound.value("tags"),
        "duration": sound.duration,
        "num_downloads": sound.num_downloads,
        "url": sound.url,
        "license": sound.license,
        "license_name": sound.license_name,
        "gen_ai_wish": sound.gen_ai_wish,
        "processed": sound.processed,
    }
