"""Search sounds by words: in names, tags, users and ids.

Owns when a sound has a word, and which of two sounds has the words better.
"""

from __future__ import annotations

from collections.abc import Iterable

from harvester.graph.sound import Sound


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of a search, in folded case."""
    return tuple(text.casefold().split())


def has_words(sound: Sound, words: Iterable[str]) -> bool:
    """Tell whether every word is in the sound's name, a tag, user or id."""
    everything = "\n".join((_name(sound), _user(sound), str(sound.id), *map(str.casefold, sound.tags)))
    return all(word in everything for word in words)


def rank_words(sound: Sound, words: Iterable[str]) -> int:
    """Return how well a sound has all of these words, higher if better.

    Whole tags and words of the name count most, then beginnings, then any other occurrence.
    """
    tokens = tokens_of(sound)
    return sum(3 if word in tokens else 2 if any(token.startswith(word) for token in tokens) else 1 for word in words)


def tokens_of(sound: Sound) -> set[str]:
    """Return the words of a sound that a search ranks highest."""
    name = _name(sound).replace("_", " ").replace("-", " ").replace(".", " ")
    return {*map(str.casefold, sound.tags), *name.split(), _user(sound), str(sound.id)}


def _name(sound: Sound) -> str:
    return (sound.name or "").casefold()


def _user(sound: Sound) -> str:
    return (sound.username or "").casefold()
