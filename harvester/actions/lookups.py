"""Look up sounds in a library, offline."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, SupportsIndex

from harvester.actions.default_library import LibraryLike
from harvester.actions.indexing import ask
from harvester.actions.keywords import naming_keywords
from harvester.actions.likeness import Like, LikeRanking, check_known, rank_like
from harvester.actions.options import check_sounds, check_whole
from harvester.graph import MissingValue, Selection, SoundGraph, find_missing, missing_words, split_words
from harvester.index import IndexedState
from harvester.library import LibraryView
from harvester.reports import describe_hit, describe_sound, find_sounds
from harvester.settings import COUNT_FROM_ZERO


@dataclass(frozen=True, slots=True)
class FindReport:
    """Result of a search: the best sounds, and how many were found.

    `total` sounds were found for `query` among the `searched` sounds of the library in the folder `library`. `notices`:
    lines that need attention. Each of `sounds` has the keys id, name, username, tags, duration, num_downloads, url,
    license, license_name, gen_ai_wish and processed; where they are ranked by their likeness to the sounds `like`, also
    score.
    """

    query: str
    total: int
    sounds: tuple[dict[str, Any], ...]
    searched: int
    library: Path
    notices: tuple[str, ...] = ()
    like: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return query, like, total and sounds as plain data, for `--json`."""
        return {"query": self.query, "like": list(self.like), "total": self.total, "sounds": list(self.sounds)}


@dataclass(frozen=True, slots=True)
class SoundReport:
    """A sound with its record, its neighbours and its related sounds.

    `id`: the sound's number. `processed`: it has a record and a similar list; `gone`: it was deleted or withdrawn.
    `record` is None before it was fetched. `gen_ai_wish` is the uploader's wish about generative AI, or `unknown`.
    `similar_list` has the origin, time, limit, space and filter of its similar list; None: it has none yet. `stamps`
    are texts in ISO 8601, UTC. Each of `neighbours`, the sounds of its similar list, has the keys id, score and name; a
    sound in `listed_by` id and score; both best first. Each of `related` has the keys id, relations (the weight, or
    None, by kind) and name; a sound in `related_by` id and relations. Other sounds that are gone are left out.
    """

    id: int
    processed: bool
    gone: bool
    record: dict[str, Any] | None
    gen_ai_wish: str
    similar_list: dict[str, Any] | None
    stamps: dict[str, str]
    neighbours: tuple[dict[str, Any], ...]
    listed_by: tuple[dict[str, Any], ...]
    related: tuple[dict[str, Any], ...] = ()
    related_by: tuple[dict[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the sound as plain data, for `--json`."""
        return {"list" if name == "similar_list" else name: value for name, value in asdict(self).items()}


@naming_keywords
def find(
    text: str | Iterable[str] = "", *, like: Like | None = None, limit: int = 20, library: LibraryLike = None
) -> FindReport:
    """Find sounds with every word of `text` in name, tag, user or id.

    `library` is a folder or an opened `Library`; None: the default folder. `limit`: the most sounds, 0 for all.
    Whole words rank before beginnings, then by downloads. With `like`, all sounds that have a vector and these words,
    if any, are ranked by their likeness to one sound, or to the mean of several: ids, links or file names. Equal scores
    are ordered by id. Raises `SettingsError` for a wrong `limit`, for neither words nor `like`, for a `like` that names
    no sound with a vector here, and without numpy; `LibraryNotFound`, `LibraryCorrupt`, `NewerFormat` or
    `LibraryUnwritable`.
    """
    most = check_whole("--limit", limit, COUNT_FROM_ZERO) or None
    query = text if isinstance(text, str) else " ".join(text)
    if like is not None:
        return ask(library, lambda view: _find_like(view, query, like, most))
    return ask(library, lambda view: _find(view, query, most))


def _find(view: LibraryView, query: str, most: int | None) -> FindReport:
    state = view.state
    hits = find_sounds(state, query, limit=most)
    missing = () if hits.total else _missing(state, query)
    return _found(view, query, hits.total, hits.best, len(state), missing)


def _find_like(view: LibraryView, query: str, like: Like, most: int | None) -> FindReport:
    state, ranking = view.state, rank_like(view, like, query)
    total = len(ranking.ranked)
    best = tuple({**describe_hit(state.sound(one)), "score": score} for one, score in ranking.ranked[:most])
    missing = () if total else _missing(state, query)
    return _found(view, query, total, best, len(state), missing, ranking)


def _missing(state: SoundGraph, query: str) -> Iterable[MissingValue]:
    words = split_words(query)
    if isinstance(state, IndexedState) and not state.has_lost_words():
        return missing_words(words, lambda word: any(state.search([word])), state.tokens_near)
    return find_missing(state, Selection(words=words))


def _found(
    view: LibraryView,
    query: str,
    total: int,
    best: tuple[dict[str, Any], ...],
    searched: int,
    missing: Iterable[MissingValue],
    ranking: LikeRanking | None = None,
) -> FindReport:
    ranking = ranking or LikeRanking()
    notices = (*view.notices, *ranking.notices, *filter(None, ["; ".join(map(str, missing))]))
    return FindReport(query, total, best, searched, view.folder, notices, ranking.like)


@naming_keywords
def show(sound_id: SupportsIndex, *, library: LibraryLike = None) -> SoundReport:
    """Return one sound with its record, neighbours and related sounds.

    `library` is a folder or an opened `Library`; None: the default folder. Raises `SettingsError` for a `sound_id` that
    is no sound's id and a sound that is not in the library; `LibraryNotFound`, `LibraryCorrupt`, `NewerFormat` or
    `LibraryUnwritable`.
    """
    (wanted,) = check_sounds("sound_id", sound_id)
    return ask(library, lambda view: _report(view, wanted))


def _report(view: LibraryView, wanted: int) -> SoundReport:
    check_known(view, [wanted])
    facts = describe_sound(view.state, wanted)
    assert facts is not None
    return SoundReport(
        id=wanted,
        processed=facts["processed"],
        gone=facts["gone"],
        record=deepcopy(facts["record"]),  # an opened library keeps its own
        gen_ai_wish=facts["gen_ai_wish"],
        similar_list=facts["list"],
        stamps=facts["stamps"],
        neighbours=tuple(facts["neighbours"]),
        listed_by=tuple(facts["listed_by"]),
        related=tuple(facts["related"]),
        related_by=tuple(facts["related_by"]),
    )
