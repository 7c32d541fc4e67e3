"""Find sounds by words in names, tags and users; read no file."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from harvester.graph import Sound, SoundGraph

_SHOWN = 40


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


def explain_no_hits(state: SoundGraph, text: str) -> str:
    """Return one line about the words that are in no sound, with like ones.

    The line is empty if each word is in some sound.
    """
    sounds = [sound for sound in map(state.sound, state.graph) if not sound.is_gone]
    told = []
    for word in dict.fromkeys(text.casefold().split()):
        if not any(_rank(sound, [word]) for sound in sounds):
            near = get_close_matches(word, set().union(*map(_tokens, sounds)), n=2)
            shown = " or ".join(f"'{one[:_SHOWN]}'" for one in near)
            meant = f"; did you mean {shown}?" if near else ""
            told.append(f"no sound has the word '{word[:_SHOWN]}'{meant}")
    return "; ".join(told)


def _rank(sound: Sound, words: list[str]) -> int:
    """Return a sound's rank, higher if better; 0 if a word is missing."""
    name, user = (sound.name or "").casefold(), (sound.username or "").casefold()
    everything = "\n".join((name, user, str(sound.id), *map(str.casefold, sound.tags)))
    if not all(word in everything for word in words) or sound.is_gone:
        return 0
    tokens = _tokens(sound)
    return sum(3 if word in tokens else 2 if any(token.startswith(word) for token in tokens) else 1 for word in words)


def _tokens(sound: Sound) -> set[str]:
    """Return the words of a sound that a search ranks highest."""
    name = (sound.name or "").casefold().replace("_", " ").replace("-", " ").replace(".", " ")
    return {*map(str.casefold, sound.tags), *name.split(), (sound.username or "").casefold(), str(sound.id)}


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
