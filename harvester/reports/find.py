"""Find sounds by words in names, tags and users; read no file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

from harvester.graph import Sound, SoundGraph, has_words, rank_words, split_words
from harvester.index import IndexedState


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
    ranked = _Ranked(_search(state, split_words(text)))
    best = ranked.best(limit)
    described = {sound.id: describe_hit(sound) for sound in state.sounds(best)}
    return Hits(ranked.total, tuple(described[sound_id] for sound_id in best))


def _search(state: SoundGraph, words: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Yield rank, downloads and id of each sound with every word."""
    if isinstance(state, IndexedState):
        yield from state.search(words)
        return
    for sound in map(state.sound, state.graph if words else ()):
        if not sound.is_gone and has_words(sound, words):
            yield rank_words(sound, words), sound.num_downloads or 0, sound.id


class _Ranked:
    """Sounds that were found, counted while they are put in order.

    `found` yields rank, downloads and id.
    """

    def __init__(self, found: Iterable[tuple[int, int, int]]) -> None:
        self._found = found
        self.total = 0

    def best(self, limit: int | None) -> list[int]:
        """Return the ids of the best sounds; then `total` is the count."""
        ordered = sorted(self._keys()) if limit is None else nsmallest(limit, self._keys())
        return [sound_id for _, _, sound_id in ordered]

    def _keys(self) -> Iterator[tuple[int, int, int]]:
        for rank, downloads, sound_id in self._found:
            self.total += 1
            yield -rank, -downloads, sound_id


def matching_sounds(state: SoundGraph, text: str) -> list[int]:
    """Return the sounds with every word of `text`; none without a word.

    Sounds that are gone are left out.
    """
    return [sound_id for _, _, sound_id in _search(state, split_words(text))]


def describe_hit(sound: Sound) -> dict[str, Any]:
    """Return what a search shows of a sound."""
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
