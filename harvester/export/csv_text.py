"""CSV that all readers parse alike, and whose cells no spreadsheet runs as formulas.

Owns quoting, because the `csv` module does not quote a carriage return in some versions of Python, and the apostrophe
before a text that a spreadsheet would run as a formula.
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
    """Return the text, with an apostrophe before it if a spreadsheet might run it as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _QUOTED.search(cell) else cell
