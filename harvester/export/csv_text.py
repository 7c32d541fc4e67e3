"""CSV that every reader reads alike, and whose cells no spreadsheet runs.

Owns quoting, which the `csv` module leaves out for a carriage return in some versions of Python, and the apostrophe
before a text that a spreadsheet would take for a formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_QUOTED = re.compile('[",\r\n]')
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_line(cells: Iterable[str]) -> str:
    """Return the cells as one row of CSV, with its newline."""
    return ",".join(map(_quoted, cells)) + "\n"


def disarmed(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: with an apostrophe before it where it might."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _QUOTED.search(cell) else cell
