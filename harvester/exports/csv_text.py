"""CSV that every reader parses alike and no spreadsheet executes.

Owns quoting, because the `csv` module does not quote a carriage return in some versions of Python, and the apostrophe
before a text that a spreadsheet would run as a formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_QUOTED, _ODD = re.compile('[",\r\n]'), re.compile('["\r\n]')
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_line(cells: Iterable[str]) -> str:
    """Return the cells as one row of CSV, with its newline."""
    kept = list(cells)
    line = ",".join(kept)
    if line.count(",") == len(kept) - 1 and not _ODD.search(line):
        return line + "\n"
    return ",".join(map(quoted, kept)) + "\n"


def disarmed(text: str) -> str:
    """Return the text, with an apostrophe before a possible formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def quoted(cell: str) -> str:
    """Return a cell in quotes, if it needs them."""
    return '"' + cell.replace('"', '""') + '"' if _QUOTED.search(cell) else cell
