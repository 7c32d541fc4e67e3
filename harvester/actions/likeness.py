"""Rank the sounds of a library by how alike they are to given sounds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsIndex

from harvester.actions.options import check_sounds
from harvester.counts import counted
from harvester.errors import HarvesterError, SettingsError
from harvester.extras import missing
from harvester.graph import Selected
from harvester.library import LibraryView
from harvester.map import MOST_NEAREST, MOST_WITH_NEAREST, NearestLists
from harvester.reports import matching_sounds
from harvester.terminal_text import escape_line

Like = SupportsIndex | str | Iterable[SupportsIndex | str]
"""Sounds: an id, a text that names some (ids, links, file names), or several of these."""


@dataclass(frozen=True, slots=True)
class LikeRanking:
    """The sounds like those in `like`: (id, score), best first."""

    like: tuple[int, ...] = ()
    ranked: tuple[tuple[int, float], ...] = ()
    notices: tuple[str, ...] = ()


def rank_like(view: LibraryView, like: Any, text: str = "") -> LikeRanking:
    """Rank the sounds with all words of `text` by their likeness to `like`.

    Without words, all sounds are ranked. Raises `SettingsError` for what names no sound, for sounds that are not here
    or have no vector, for a library without vectors, and without numpy.
    """
    try:
        from harvester.similarity import find_like
    except ImportError as error:
        raise SettingsError(missing("find --like", "numpy", "link")) from error
    given = read_like("--like", like)
    check_known(view, given)
    found = matching_sounds(view.state, text) if text.strip() else None
    nearest = find_like(view.folder, view.state, given, found)
    notices: tuple[str, ...] = ()
    if found is not None and nearest.without_vector:
        some = counted(nearest.without_vector, "sound")
        notices = (f"{some} with these words cannot be ranked: the vector is not here",)
    return LikeRanking(given, nearest.ranked, notices)


def read_like(option: str, like: Any) -> tuple[int, ...]:
    """Return the sounds that an id, a text or several of them name.

    A text is one name, or several with commas or spaces between them. Raises `SettingsError` for what names no sound.
    """
    several = [like] if isinstance(like, str) or not isinstance(like, Iterable) else like
    found: list[int] = []
    for one in several:
        found += _named_in(option, one) if isinstance(one, str) else check_sounds(option, [one])
    if not found:
        raise SettingsError(f"{option} names no sound; give an id or the address of a sound")
    return tuple(dict.fromkeys(found))


def _named_in(option: str, text: str) -> list[int]:
    from harvester.importing import read_name  # a tenth of the start of `show`, which needs no names

    # A link or a file name may hold commas and spaces itself.
    whole = read_name(text)
    if whole is not None:
        return [whole[0]]
    found = []
    for part in filter(None, re.split(r"[,;\s]+", text)):
        named = read_name(part)
        if named is None:
            raise SettingsError(
                f"{option}: '{escape_line(part)[:60]}' names no sound; give its id, its address at freesound.org or "
                "the name of its file"
            )
        found.append(named[0])
    return found


def check_known(view: LibraryView, sound_ids: Iterable[int]) -> None:
    """Raise `SettingsError` unless all these sounds are in the library."""
    unknown = next((one for one in sound_ids if one not in view.state), None)
    if unknown is not None:
        raise SettingsError(f"sound {unknown} is not in {view.folder}; `harvester harvest --seed {unknown}` fetches it")


def nearest_for_cards(folder: Path, selected: Selected) -> tuple[NearestLists, tuple[str, ...]]:
    """Return what the cards of a map list as nearest, and notices.

    There is nothing without vectors, and for a large map, which would take minutes. A notice names vectors that cannot
    be used.
    """
    try:
        from harvester.similarity import nearest_within
    except ImportError:
        return {}, ()  # the map itself needs numpy too, and says so
    if len(selected) > MOST_WITH_NEAREST:
        return {}, ()
    try:
        return nearest_within(folder, selected.state, selected.sound_ids, MOST_NEAREST), ()
    except HarvesterError as error:
        return {}, (f"{error}; the cards of the map list no nearest sounds",)
