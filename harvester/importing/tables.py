"""Read tables in text: records, edges, pairs of ids.

Owns how columns are found: a table with `source` and `target` has edges, one with `id` has records. A list of edges
may lack a header: then its columns are source, target, weight and kind.
"""

from __future__ import annotations

import ast
import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager

from harvester.errors import LibraryCorrupt, words_of
from harvester.importing.cells import Columns
from harvester.importing.file_content import FileContent
from harvester.importing.records import ImportTally

RECORDS, EDGES, PAIRS = "a table of records in CSV", "a table of edges in CSV", "a list of edges"
_DELIMITERS = (",", "\t", ";")
_ENDS = (("source", "target"), ("from", "to"))
_HEADERLESS = ("source", "target", "weight", "relation")
_LONGEST_CELL = 1 << 24
_LONGEST_DICT = 1_000
_DISARMED = re.compile(r"'(?=[=+\-@\t\r])")
"""The apostrophe that `export csv` puts before a text which a spreadsheet would run."""


def read_table(content: bytes, tally: ImportTally, relation: str) -> FileContent | None:
    """Return what a text brings, or None for a text of another kind.

    Raises `LibraryCorrupt` with the number of the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    first = next((line for line in text[: 1 << 20].split("\n") if line.strip() and not line.startswith("#")), "")
    delimiter = next((one for one in _DELIMITERS if one in first), "")
    if not delimiter:
        return (
            _read_pairs(text, tally, relation) if len(first.split()) >= 2 else _read_ids(text, first, tally, relation)
        )
    with _long_cells():
        try:
            return _read_rows(text, delimiter, tally, relation)
        except csv.Error as error:
            raise LibraryCorrupt(f"its table cannot be read ({words_of(error)})") from error


@contextmanager
def _long_cells() -> Iterator[None]:
    """Allow cells as long as the longest description."""
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _read_rows(text: str, delimiter: str, tally: ImportTally, relation: str) -> FileContent | None:
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [name.strip() for name in next(rows, [])]
    lower = [name.lower() for name in header]
    ends = next((pair for pair in _ENDS if set(pair) <= set(lower)), None)
    if ends is not None:
        found = FileContent(EDGES, tally, relation)
        _read_edges(rows, lower, ends, found)
        return found
    if len(header) >= 2 and all(cell.isdigit() for cell in header[:2]):
        found = FileContent(EDGES, tally, relation)
        every = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        _read_edges(every, list(_HEADERLESS), ("source", "target"), found)
        return found
    columns = Columns(header, tally)
    if not columns.id_name:
        return None
    found = FileContent(RECORDS, tally, relation)
    found.takes_edges = True
    _read_records(rows, header, columns, found)
    return found


def _read_records(rows: Iterator[list[str]], header: list[str], columns: Columns, found: FileContent) -> None:
    line = 2
    for row in rows:
        place, line = f"line {line}", _next_line(rows)
        if not any(row):
            continue
        if len(row) != len(header):
            found.add_bad(place, "rows with another number of cells than the header")
            continue
        cells = dict(zip(header, (_armed(cell) for cell in row), strict=True))
        found.tally.spend(len(cells))
        found.add_record(place, cells[columns.id_name], columns.record(cells))


def _armed(cell: str) -> str:
    return cell[1:] if _DISARMED.match(cell) else cell


def _next_line(rows: object) -> int:
    """Return the number of the line on which the next row begins."""
    return int(getattr(rows, "line_num", 0)) + 1


def _read_edges(rows: Iterator[list[str]], names: list[str], ends: tuple[str, str], found: FileContent) -> None:
    line = _next_line(rows)
    for row in rows:
        place, line = f"line {line}", _next_line(rows)
        if not any(row):
            continue
        cells = dict(zip(names, (_armed(cell) for cell in row), strict=False))
        found.tally.spend(len(cells))
        source, target = (cells.pop(end, None) for end in ends)
        found.add_edge(place, source, target, {name: cell for name, cell in cells.items() if cell != ""})


def _read_ids(text: str, first: str, tally: ImportTally, relation: str) -> FileContent | None:
    """Return the sounds of a table with one column, `id`."""
    if first.strip() != "id":
        return None
    found = FileContent(RECORDS, tally, relation)
    _read_records(csv.reader(io.StringIO(text, newline="")), ["id"], Columns(["id"], tally), found)
    return found


def _read_pairs(text: str, tally: ImportTally, relation: str) -> FileContent | None:
    """Return the edges of lines `source target [weight] [kind]`.

    networkx writes the attributes of an edge as a Python dict in place of the weight.
    """
    found = FileContent(PAIRS, tally, relation)
    for number, line in enumerate(text.split("\n"), 1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        parts = line.split(None, 2)
        rest = parts[2] if len(parts) > 2 else ""
        if number == 1 and [part.lower() for part in parts[:2]] == ["source", "target"]:
            continue
        if not all(part.lstrip("-").isdigit() for part in parts[:2]) or len(parts) < 2:
            if found.is_empty:
                return None
            found.add_bad(f"line {number}", "edges without two sounds")
            continue
        found.tally.spend(2)
        found.add_edge(f"line {number}", parts[0], parts[1], _attributes(rest))
    return found


def _attributes(rest: str) -> dict[str, object]:
    if rest.startswith("{"):
        try:
            value = ast.literal_eval(rest) if len(rest) <= _LONGEST_DICT else {"weight": "too long"}
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            value = {"weight": "no dict"}
        return {str(name): one for name, one in value.items()} if isinstance(value, dict) else {}
    weight, _, kind = rest.partition(" ")
    return {name: one for name, one in (("weight", weight), ("relation", kind.strip())) if one}
