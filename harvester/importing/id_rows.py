"""Find the rows of a list of sounds in a text, a table or JSON.

Owns how each of these is recognised and taken apart; which of its values name a sound is decided elsewhere.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any, Literal

from harvester.errors import SettingsError
from harvester.importing.id_columns import (
    LISTS,
    NamingRow,
    NamingRows,
    choose_column,
    link_columns,
    plain_name,
    unknown_columns,
)
from harvester.importing.sound_names import is_made_up, read_name
from harvester.model import LARGEST_ID
from harvester.terminal_text import escape_line

_LONGEST_LINE = 1 << 20
_DELIMITERS = ",\t;|"
_UNREADABLE = re.compile("[\udc80-\udcff]")
"""A byte that is not UTF-8, as Python holds it."""


def read_lines(text: str, column: str) -> NamingRows:
    """Return the rows of a table, else the lines of a text.

    Raises `SettingsError` for a table of which no column is known to hold ids, and `csv.Error` for a malformed one.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    numbered = [(number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    if any(len(line) > _LONGEST_LINE for _, line in numbered):
        raise SettingsError(f"it has a line of more than {_LONGEST_LINE:,} characters; write one id a line")
    first = next((line for _, line in numbered if line), "")
    for delimiter in _DELIMITERS:
        cells = _cells(first, delimiter)
        if (column and plain_name(column) in map(plain_name, cells)) or choose_column(cells, ""):
            return _read_table(text, delimiter, column)
    lines = [(number, line) for number, line in numbered if line and not line.startswith("#")]
    if not lines:
        raise SettingsError("it names no sound; write one id, link or file name a line")
    if column or (len(lines) > 1 and read_name(first) is None and any(one in first for one in _DELIMITERS)):
        columns = _cells(first, max(_DELIMITERS, key=first.count))
        choose_column(columns, column)
        raise unknown_columns(columns)
    _refuse_encoding(text)
    if len(lines) == 1 and read_name(lines[0][1]) is None:
        # Only a single line may hold several: many lines of numbers may be a table without a header.
        return NamingRows(
            "its line", [NamingRow(place, one) for place, one in enumerate(re.split(r"[,;\s]+", lines[0][1]), 1)]
        )
    return NamingRows("its lines", [NamingRow(number, line) for number, line in lines])


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip().strip('"').strip() for cell in line.split(delimiter)]


def _read_table(text: str, delimiter: str, column: str) -> NamingRows:
    reader = _records(text.lstrip("\n"), delimiter)
    header = [cell.strip() for cell in next(reader)]
    chosen = choose_column(header, column)
    place, links = header.index(chosen), [header.index(one) for one in link_columns(header, chosen, column)]
    rows = [
        NamingRow(
            number,
            cells[place] if place < len(cells) else "(no such cell)",
            tuple(cells[link] for link in links if link < len(cells)),
        )
        for number, cells in enumerate(reader, 1)
        if any(cells)
    ]
    return NamingRows(f"the column {escape_line(chosen)[:40]}", rows, tuple(header))


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    """Return a reader of a table's rows.

    In a table by tabs a quote is an ordinary character if every line has as many tabs as the header.
    """
    plain = delimiter == "\t" and len({line.count("\t") for line in text.split("\n") if line}) == 1
    quoting: Literal[0, 3] = csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True)


def _refuse_encoding(text: str) -> None:
    if found := _UNREADABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise SettingsError(f"line {line} is not UTF-8; save the list as UTF-8")


# --- JSON ------------------------------------------------------------------------------------------------------------


def read_json(text: str, column: str) -> NamingRows:
    """Return the rows of a JSON text, or of JSON lines.

    Raises `SettingsError` for a text that is not JSON, and for objects without a field that is known to hold ids.
    """
    _refuse_encoding(text)
    try:
        content = _loaded(text)
    except ValueError as error:
        return _read_json_lines(text, column, error)
    if isinstance(content, list):
        return _items(content, column)
    inner = next((content[name] for name in LISTS if isinstance(content.get(name), list)), None)
    if inner is not None:
        return _items(inner, column)
    if not column and any(read_name(key) or is_made_up(key) for key in content):
        return NamingRows(
            "the keys of its JSON object", [NamingRow(place, key) for place, key in enumerate(content, 1)]
        )
    values = list(content.values())
    return _items(values if all(isinstance(one, dict) for one in values) else [content], column)


def _read_json_lines(text: str, column: str, error: ValueError) -> NamingRows:
    items: list[Any] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            items.append(_loaded(line))
        except ValueError as bad:
            # Without one whole line before it, the file is one JSON text and not JSON lines.
            raise SettingsError(
                f"line {number} is not JSON ({bad})" if items else f"it is not JSON ({error})"
            ) from None
    return _items(items, column)


def _loaded(text: str) -> Any:
    return json.loads(text, parse_int=_whole)


def _whole(digits: str) -> int | str:
    """Return an integer, as a text if it is too large for an id."""
    return int(digits) if len(digits) <= len(str(LARGEST_ID)) else digits


def _items(items: list[Any], column: str) -> NamingRows:
    """Return the rows of a list of numbers and texts, or of objects."""
    columns = tuple(dict.fromkeys(name for one in items if isinstance(one, dict) for name in one))
    if not columns:
        if column:
            raise SettingsError("--column is for a table, and its JSON is a list without fields")
        return NamingRows("the items of its JSON list", [NamingRow(place, one) for place, one in enumerate(items, 1)])
    chosen = choose_column(columns, column)
    if not chosen:
        raise unknown_columns(columns)
    links = link_columns(columns, chosen, column)
    trusted = bool(column) or plain_name(chosen) != "id"
    rows = [
        NamingRow(
            place,
            one.get(chosen),
            tuple(text for link in links if isinstance(text := one.get(link), str)),
            trusted,
        )
        if isinstance(one, dict)
        else NamingRow(place, one)
        for place, one in enumerate(items, 1)
    ]
    return NamingRows(f"the field {escape_line(chosen)[:40]}", rows, columns)
