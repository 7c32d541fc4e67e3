"""Read a list of sounds from a file of any data set.

Owns when a file is refused: one of which many rows name no sound is another kind of list, and its numbers are no ids.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harvester.errors import SettingsError
from harvester.importing.id_columns import NamingRow, NamingRows, listed, shown
from harvester.importing.id_rows import read_json, read_lines
from harvester.importing.sound_names import NameForm, is_foreign_link, is_made_up, read_name
from harvester.model import is_sound_id
from harvester.storage import HEAD_BYTES, describe_content, path_text, read_bounded, refuse_content

_LARGEST_BYTES = 512 << 20
_LEAST_PERCENT = 90
"""The least share of rows that must name a sound."""
_NONE = {"", "-", "not found", "none", "null", "nan", "na", "n/a"}
"""What a row says that has no sound of Freesound, such as Clotho's `Not found`."""


@dataclass(frozen=True, slots=True)
class IdList:
    """The sounds that a file names.

    `sound_ids`: ascending, each once. `rows`: how many rows were read. `form`: where the ids were and what they looked
    like, in words. `notices`: lines about rows that gave no id.
    """

    sound_ids: tuple[int, ...]
    rows: int
    form: str
    notices: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """Say how many rows gave how many ids, and from what."""
        rows = "row" if self.rows == 1 else "rows"
        ids = "id" if len(self.sound_ids) == 1 else "ids"
        return f"{self.rows:,} {rows} gave {len(self.sound_ids):,} {ids}: {self.form}"


def read_id_list(path: Path | Literal["-"], column: str = "") -> IdList:
    """Return the sounds that a file names; `-` reads standard input.

    The file is a text with one id, link or file name a line, a table with a header (CSV, TSV), JSON (a list, an object
    whose keys are ids, or one with a list in it) or JSON lines. `column` names the column of a table; otherwise it is
    the first known one. Raises `SettingsError` for a file that is none of these, whose columns are all unknown, or of
    which fewer than 90 % of the rows name a sound. Reads at most 512 MB.
    """
    name = "standard input" if path == "-" else path_text(path)
    content = _read(path, name)
    refuse_content(content[:HEAD_BYTES], name)
    if b"\0" in content or content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise SettingsError(f"{name}: it is {_kind(content)}, not a text in UTF-8; save the list as UTF-8")
    # A table may hold other encodings in the columns beside the ids; the bytes stay recognisable.
    text = content.decode("utf-8-sig", "surrogateescape")
    del content
    try:
        found = read_json(text, column) if text.lstrip()[:1] in ("{", "[") else read_lines(text, column)
        return _judged(found)
    except SettingsError as error:
        raise SettingsError(f"{name}: {error}") from None
    except (csv.Error, RecursionError) as error:
        problem = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise SettingsError(f"{name}: its table or JSON cannot be read ({problem}); save the file again") from None


def _read(path: Path | Literal["-"], name: str) -> bytes:
    try:
        if path == "-":
            content = sys.stdin.buffer.read(_LARGEST_BYTES + 1) if sys.stdin is not None else b""
        else:
            content = read_bounded(Path(path), _LARGEST_BYTES)
    except OSError as error:
        advice = "; pipe it into standard input, and give - as the file" if "FIFO" in str(error.strerror) else ""
        raise SettingsError(f"{name}: it cannot be read ({error.strerror}){advice}") from error
    if len(content) > _LARGEST_BYTES:
        raise SettingsError(f"{name}: it has more than {_LARGEST_BYTES} bytes; list the ids alone, one a line")
    return content


def _kind(content: bytes) -> str:
    return "a text in UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else describe_content(content)


def _judged(found: NamingRows) -> IdList:
    """Return the list, or raise `SettingsError` if too few rows name one."""
    sound_ids: set[int] = set()
    forms: set[NameForm] = set()
    rows = absent = unread = 0
    first_bad = made_up = ""
    for row in found.rows:
        rows += 1
        if _says_none(row.value):
            absent += 1
            continue
        named, problem = _id_in(row)
        if named is not None:
            sound_ids.add(named[0])
            forms.add(named[1])
            continue
        unread += 1
        first_bad = first_bad or f"row {row.number} {problem}"
        if isinstance(row.value, str) and is_made_up(row.value):
            made_up = made_up or shown(row.value)
    if made_up:
        raise SettingsError(
            f"{made_up} in {found.place} is a name that FSDKaggle made up, and no id of Freesound{_advice(found)}"
        )
    if not sound_ids or (rows - absent - unread) * 100 < _LEAST_PERCENT * (rows - absent):
        what = f"only {rows - absent - unread:,} of {rows:,} rows name a sound" if rows else "it holds no row"
        raise SettingsError(f"{what} in {found.place}{first_bad and f' ({first_bad})'}{_advice(found)}")
    notices = []
    if absent:
        notices.append(f"{absent:,} of {rows:,} rows say that they have no sound of Freesound")
    if unread:
        notices.append(f"{unread:,} of {rows:,} rows name no sound and were left out; the first is {first_bad}")
    return IdList(tuple(sorted(sound_ids)), rows, f"{' and '.join(sorted(forms))} in {found.place}", tuple(notices))


def _advice(found: NamingRows) -> str:
    if not found.columns:
        return "; write one id, link or file name a line"
    return f"; name the column of the ids with --column: {listed(found.columns)}"


def _says_none(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in _NONE
    return value is None or value != value  # pandas writes a missing number as NaN


def _id_in(row: NamingRow) -> tuple[tuple[int, NameForm] | None, str]:
    """Return a row's id and form; or None, and why it is none."""
    value = row.value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if is_sound_id(value):
        named: tuple[int, NameForm] | None = (value, NameForm.NUMBER)
    else:
        named = read_name(value) if isinstance(value, str) else None
    if named is None:
        return None, f"has {shown(value)}"
    linked = {link[0] for text in row.links if (link := read_name(text)) is not None}
    if linked and named[0] not in linked:
        return None, f"has {shown(value)}, but its link leads to sound {min(linked)}"
    if not linked and (foreign := next(filter(is_foreign_link, row.links), None)) is not None:
        return None, f"has {shown(value)}, but its link leads to {shown(foreign)}"
    if not linked and not row.trusted and isinstance(value, str):
        return None, f"has {shown(value)} as a text, without a link to Freesound that says whose id it is"
    return named, ""
