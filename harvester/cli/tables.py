"""Lay out rows as a table that fits the terminal.

Owns the two layouts: columns side by side, cut where the terminal is too narrow, and a block a row where it is too
narrow for that. Elsewhere than on a terminal nothing is cut.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from shutil import get_terminal_size
from typing import Any

from rich.cells import cell_len, set_cell_size

from harvester.terminal_text import escape_line

_GAP = "  "
_NARROWEST = 10
"""A column is not cut below this width: then each row is a block of lines."""

_PLANS = ("explain_key", "explain_value")
_SIGNIFICANT = 12


def table_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]], most_rows: int) -> list[str]:
    """Return the first rows as lines, which `print_lines` escapes."""
    first = list(islice(rows, most_rows))
    if tuple(columns) == _PLANS:
        return [line for _, plan in first for line in str(plan).splitlines()]
    width = get_terminal_size().columns if sys.stdout.isatty() else None
    header = list(map(escape_line, columns))
    cells = [list(map(_text, row)) for row in first]
    widths = [max(map(cell_len, column)) for column in zip(header, *cells, strict=True)]
    if width is not None:
        fitting = _fit(widths, width)
        if fitting is None:
            return list(_blocks(header, cells, width))
        widths = fitting
    right = [all(_is_number(row[place]) for row in first) and bool(first) for place in range(len(header))]
    return [
        _row(header, widths, right),
        _GAP.join("─" * one for one in widths),
        *(_row(one, widths, right) for one in cells),
    ]


def _fit(widths: Sequence[int], width: int) -> list[int] | None:
    """Return widths that fit, the widest cut first; None if none do."""
    space = width - len(_GAP) * (len(widths) - 1)
    if sum(min(one, _NARROWEST) for one in widths) > space:
        return None
    fitting = list(widths)
    while (excess := sum(fitting) - space) > 0:
        widest = max(fitting)
        wide = [place for place, one in enumerate(fitting) if one == widest]
        next_width = max([_NARROWEST, *(one for one in fitting if one < widest)])
        cut = max(1, min(widest - next_width, -(-excess // len(wide))))
        for place in wide:
            fitting[place] -= cut
    return fitting


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    shown = (_sized(cell, width, is_right) for cell, width, is_right in zip(cells, widths, right, strict=True))
    return _GAP.join(shown).rstrip()


def _sized(text: str, width: int, is_right: bool = False) -> str:
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - length) + text if is_right else text + " " * (width - length)


def _blocks(header: Sequence[str], cells: Iterable[Sequence[str]], width: int) -> Iterator[str]:
    named = min(max(map(cell_len, header)), width // 3)
    for number, row in enumerate(cells, 1):
        yield f"── row {number}"
        for name, cell in zip(header, row, strict=True):
            yield _sized(f"{_sized(name, named)}{_GAP}{cell}", width).rstrip()


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _text(value: Any) -> str:
    return escape_line(_inner(value) if isinstance(value, list | Mapping) else _plain(value))


def _plain(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.{_SIGNIFICANT}g}"
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        return moment.isoformat(" ").replace("+00:00", "Z")
    return value.hex() if isinstance(value, bytes) else str(value)


def _inner(value: Any) -> str:
    """Return a list or a struct in DuckDB's own form."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_inner(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inner, value)) + "]"
    return _plain(value)
