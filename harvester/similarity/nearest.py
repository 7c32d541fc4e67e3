"""Rank sounds by how alike their vectors are to those of given sounds.

Each sound is compared in double precision, in blocks of a memory-mapped file, so the answer is exact: the same in every
process, and for one given sound with the scores of `link`. Takes no lock and writes nothing, also beside a writer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harvester.errors import LibraryUnwritable, SettingsError, words_of
from harvester.graph import SoundGraph
from harvester.model import COMPUTED
from harvester.similarity.knn import find_nearest
from harvester.similarity.vector_table import MIN_SCORE, map_table, no_vectors
from harvester.storage import VECTORS
from harvester.vectors import HEADER_BYTES, VectorContents, encode_header, load_header, load_vectors

if TYPE_CHECKING:
    from harvester.similarity.vector_table import Doubles, Table, Truths

_ATTEMPTS = 5
_NO_DIRECTION = 1e-6
"""A mean of unit vectors that is shorter comes from rounding: float16 components are exact to 5e-4 of themselves."""
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Nearest:
    """The sounds that were compared: (id, score), best first, then by id.

    `without_vector` of those that should be compared have no vector.
    """

    ranked: tuple[tuple[int, float], ...]
    without_vector: int = 0


def find_like(folder: Path, state: SoundGraph, like: Iterable[int], among: Collection[int] | None = None) -> Nearest:
    """Rank sounds by their likeness to the sounds `like`, these left out.

    Several are taken by the mean of their normalised vectors. `among`: the sounds to rank; None: all. Sounds that are
    gone are left out. A score is (1 + cosine) / 2. Raises `SettingsError` if the library has no vectors that can be
    used, or none of a given sound, and `LibraryUnwritable` if they cannot be read.
    """
    given = sorted(set(like))
    wanted = {one for one in (state.graph if among is None else among) if not state.is_gone(one)}
    wanted.difference_update(given)
    table = open_table(folder, state, wanted.union(given))
    usable = table.are_vectors()
    rows = np.searchsorted(table.ids, given)
    here = [row < len(table) and table.ids[row] == one and usable[row] for row, one in zip(rows, given, strict=True)]
    lacking = [one for one, is_here in zip(given, here, strict=True) if not is_here]
    if lacking:
        raise SettingsError(
            f"{folder} has no vector of {_named(lacking)}; `harvester harvest --sweep --query TEXT --vectors "
            f"{_space(folder)}` fetches the vectors of all sounds that the search finds"
        )
    query = table.mean(rows)
    if len(given) > 1 and float(np.sqrt(np.einsum("i,i->", query, query))) < _NO_DIRECTION:
        raise SettingsError(f"the vectors of {_named(given)} are opposite, so their mean is like no sound; name fewer")
    usable[rows] = False
    return Nearest(_ranked(table, table.scores_with(query), usable), len(wanted) - int(usable.sum()))


def nearest_within(
    folder: Path, state: SoundGraph, sound_ids: Collection[int], count: int
) -> dict[int, tuple[tuple[int, float], ...]]:
    """Return for each sound its nearest of `sound_ids` that its list lacks.

    They are (id, score) with the scores that a link keeps, best first, at most `count`. Sounds without a vector and
    those whose list was computed from the vectors are left out. Empty without vectors; raises as `find_like` does.
    """
    asking = [one for one in sound_ids if state.attributes(one).get("link_origin") != COMPUTED]
    stored = load_header(folder)
    if not asking or not (folder / VECTORS).exists() or (stored is not None and not stored[1]):
        return {}
    table = open_table(folder, state, sound_ids)
    rows = np.flatnonzero(table.are_vectors())
    queries = rows[np.isin(table.ids[rows], asking)]
    listed = {one: {other for other, _ in similar.neighbours} for one in asking if (similar := state.similar(one))}
    most = count + max(map(len, listed.values()), default=0)
    found: dict[int, list[tuple[int, float]]] = {}
    for _, query, target, score in find_nearest(table, queries, rows, most, np.full(len(queries), MIN_SCORE)):
        for one, other, value in zip(
            table.ids[query].tolist(), table.ids[target].tolist(), score.tolist(), strict=True
        ):
            if other not in listed.get(one, ()):
                found.setdefault(one, []).append((other, value))
    return {one: tuple(near[:count]) for one, near in found.items()}


def _named(sound_ids: list[int]) -> str:
    shown = ", ".join(map(str, sound_ids[:_NAMED]))
    more = f" and {len(sound_ids) - _NAMED:,} more" if len(sound_ids) > _NAMED else ""
    return f"{'sound' if len(sound_ids) == 1 else 'sounds'} {shown}{more}"


def _space(folder: Path) -> str:
    found = load_header(folder)
    return found[0].space if found is not None else "laion_clap"


def open_table(folder: Path, state: SoundGraph, wanted: Collection[int]) -> Table:
    """Return the wanted sounds' vectors, from one version of the file."""
    path = folder / VECTORS
    for _ in range(_ATTEMPTS):
        contents = load_vectors(folder)
        _check_contents(folder, state, contents)
        header = contents.header
        assert header is not None
        places = {one: row for one, (row, _) in contents.places.items() if one in wanted}
        try:
            with path.open("rb") as file:
                # A writer may have replaced the file meanwhile: the rows have other numbers then.
                if file.read(HEADER_BYTES) == encode_header(header):
                    return map_table(file, header, places)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise LibraryUnwritable(f"{path}: it cannot be read ({words_of(error)}); nothing was changed") from error
    raise SettingsError(f"{path} was replaced {_ATTEMPTS} times while it was read; run the command again")


def _check_contents(folder: Path, state: SoundGraph, contents: VectorContents) -> None:
    path, header = folder / VECTORS, contents.header
    if contents.damage:
        raise SettingsError(
            f"{path} cannot be used ({contents.damage}); `harvester check --repair` moves it away, and the next sweep "
            "with --vectors fetches the vectors again"
        )
    if header is None or not contents.places:
        raise no_vectors(folder)
    if state.source and header.source != state.source:
        raise SettingsError(
            f"{path} holds vectors from {header.source}, not of this library's {state.source}, where the same ids are "
            "other sounds; move that file away"
        )


def _ranked(table: Table, scores: Doubles, chosen: Truths) -> tuple[tuple[int, float], ...]:
    ids, scores = table.ids[chosen], scores[chosen]
    order = np.lexsort((ids, -scores))
    return tuple(zip(ids[order].tolist(), scores[order].tolist(), strict=True))
