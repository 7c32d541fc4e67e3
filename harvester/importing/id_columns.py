"""Choose the column of a table that holds ids of Freesound.

Owns the names of the columns of known data sets, in the order in which they count, and the names of lists in JSON. It
guesses nothing: a column that it does not know must be named.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from harvester.errors import SettingsError
from harvester.terminal_text import escape_line

_COLUMNS = ("freesound_id", "fsid", "freesound_sound_id", "sound_id", "src_file", "fname", "id")
_OWN_COLUMNS = _COLUMNS[:3]
"""Columns whose name says Freesound; any other one must not contradict the links of its row."""
_LINKS = ("freesound_url", "freesound_link", "sound_link", "sound_url", "href", "url", "link", "download_link")
LISTS = ("data", "results", "sounds", "nodes", "ids")
"""Names under which JSON files keep their list: WavCaps, answers of the API, exports of graphs."""


@dataclass(frozen=True, slots=True)
class NamingRow:
    """One row: the value that should name a sound, and the row's links.

    `number`: of its line or place in the file. `trusted`: the value needs no link beside it.
    """

    number: int
    value: Any
    links: tuple[str, ...] = ()
    trusted: bool = True


@dataclass(frozen=True, slots=True)
class NamingRows:
    """The rows of a file: where the values are, in words, and columns."""

    place: str
    rows: Iterable[NamingRow]
    columns: tuple[str, ...] = ()


def choose_column(columns: Iterable[str], column: str) -> str:
    """Return the column that holds ids, an empty text if none is known.

    Raises `SettingsError` if `column` is not there.
    """
    given = list(columns)
    if column:
        found = [one for one in given if one == column] or [
            one for one in given if plain_name(one) == plain_name(column)
        ]
        if len(found) != 1:
            problem = "there is no column" if not found else "several columns have the name"
            raise SettingsError(f"{problem} {shown(column)} for --column; its columns are {listed(given)}")
        return found[0]
    plain = {plain_name(one): one for one in reversed(given)}
    return next((plain[name] for name in (*_COLUMNS, *_LINKS) if name in plain), "")


def unknown_columns(columns: Iterable[str]) -> SettingsError:
    """Return the error for a table whose columns are all unknown."""
    return SettingsError(
        f"no column is known to hold ids of Freesound; name it with --column: {listed(columns) or '(it has none)'}"
    )


def plain_name(column: str) -> str:
    """Return the name of a column without case and outer blanks."""
    return column.strip().lower()


def link_columns(columns: Iterable[str], chosen: str, column: str) -> list[str]:
    """Return the columns whose links must not contradict the chosen one."""
    return [] if column or plain_name(chosen) in _OWN_COLUMNS else [one for one in columns if plain_name(one) in _LINKS]


def listed(columns: Iterable[str]) -> str:
    """Return names of columns for a message, at most twelve."""
    names = [escape_line(name)[:40] for name in columns if name]
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")


def shown(value: Any) -> str:
    """Return a value for a message, at most 60 characters."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
