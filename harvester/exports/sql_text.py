"""Encode rows of a SQL result as CSV or JSON.

Owns how a value of DuckDB is a text: times and intervals in ISO 8601, bytes in hexadecimal, a null in CSV an empty
cell.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Literal

from harvester.exports.csv_text import csv_line, disarmed
from harvester.exports.table import joined
from harvester.json_text import json_text

ResultFormat = Literal["csv", "json"]
RESULT_FORMATS = ("csv", "json")

Row = Sequence[Any]


def encode_csv(columns: Row, rows: Iterable[Row]) -> Iterator[str]:
    """Yield a header and a line for each row."""
    yield csv_line(map(disarmed, columns))
    for row in rows:
        yield csv_line(map(_cell, row))


def encode_json(columns: Row, rows: Iterable[Row]) -> Iterator[str]:
    """Yield a JSON list with an object for each row."""
    yield "["
    for place, row in enumerate(rows):
        yield (",\n" if place else "\n") + json_text(dict(zip(columns, map(plain_value, row), strict=True)))
    yield "\n]\n"


def plain_value(value: Any) -> Any:
    """Return a value as JSON has it."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, datetime):
        # A timestamp without a zone stays one.
        moment = value.astimezone(UTC) if value.tzinfo else value
        return moment.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(name): plain_value(inner) for name, inner in value.items()}
    if hasattr(value, "nanoseconds"):
        return _interval(value)
    if isinstance(value, list | tuple):
        return [plain_value(inner) for inner in value]
    return str(value)


def _interval(value: Any) -> str:
    """Return an interval of Arrow, which has three parts, in ISO 8601."""
    parts = [f"{value.months}M" if value.months else "", f"{value.days}D" if value.days else ""]
    seconds = f"T{Decimal(value.nanoseconds).scaleb(-9).normalize():f}S" if value.nanoseconds or not any(parts) else ""
    return f"P{''.join(parts)}{seconds}"


def _cell(value: Any) -> str:
    plain = plain_value(value)
    if plain is None:
        return ""
    if isinstance(plain, list) and all(isinstance(one, str) for one in plain):
        plain = joined(plain)
    if isinstance(plain, str):
        return disarmed(plain.replace("\0", ""))
    if isinstance(plain, float) and not math.isfinite(plain):
        return ""
    return repr(plain) if isinstance(plain, int | float) and not isinstance(plain, bool) else json_text(plain)
