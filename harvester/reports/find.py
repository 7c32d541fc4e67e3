"""Find sounds by words in names, tags and users; read no file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harvester.graph import SoundGraph, is_gone
from harvester.records import license_name, value_of


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
        for sound_id, attributes in state.graph.nodes.items():
            rank = _rank(sound_id, attributes, words)
            if rank:
                found.append((-rank, -(value_of(attributes, "num_downloads") or 0), sound_id))
    found.sort()
    best = found if limit is None else found[:limit]
    return Hits(len(found), tuple(_describe(state, sound_id) for _, _, sound_id in best))


def _rank(sound_id: int, attributes: dict[str, Any], words: list[str]) -> int:
    """Return a sound's rank, higher if better; 0 if a word is missing."""
    name = (value_of(attributes, "name") or "").casefold()
    user = (value_of(attributes, "username") or "").casefold()
    tags = [tag.casefold() for tag in value_of(attributes, "tags") or ()]
    everything = "\n".join((name, user, str(sound_id), *tags))
    if not all(word in everything for word in words) or is_gone(attributes):
        return 0
    tokens = {*tags, *name.replace("_", " ").replace("-", " ").replace(".", " ").split(), user, str(sound_id)}
    return sum(3 if word in tokens else 2 if any(token.startswith(word) for token in tokens) else 1 for word in words)


def _describe(state: SoundGraph, sound_id: int) -> dict[str, Any]:
    attributes = state.attributes(sound_id)
    kept = ("name", "username", "tags", "duration", "num_downloads", "url")
    return {
        "id": sound_id,
        **{name: value_of(attributes, name) for name in kept},
        "license": value_of(attributes, "license"),
        "license_name": license_name(value_of(attributes, "license")),
        "processed": sound_id in state.processed,
    }
