"""Turn the cells of a table into records, column by column.

Owns which column is which field, and how a text becomes a list or an object. The names are the API's own, those of
harvester's tables (`preview_hq_mp3`, `image_waveform_m`) and of older tools. A column of another name is left out and
counted. `records.convert` makes every other conversion, and counts it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from harvester.graph import STAMPS
from harvester.importing.names import RENAMED, is_housekeeping
from harvester.importing.names import STAMPS as TIMES
from harvester.importing.records import ImportTally, label
from harvester.model import CORE_FIELDS
from harvester.records import CONVERTED, RULES, FieldKind, convert

_ID_NAMES = ("id", "Id", "ID", "sound_id", "freesound_id")
_PREVIEW = re.compile(r"preview[-_](hq|lq)[-_](mp3|ogg)")
_IMAGE = re.compile(r"image_((?:waveform|spectral)_[a-z_]{1,20})")
_BETWEEN_TAGS = re.compile(r"[|,;\s]+")
_CORE = frozenset(CORE_FIELDS)
_DIGITS = re.compile("[0-9]{1,18}")
_NUMBERS = {FieldKind.BOOL, FieldKind.INT, FieldKind.FLOAT}
_PARSED = {FieldKind.NUMBERS, FieldKind.OBJECTS, FieldKind.TEXTS_BY_NAME, FieldKind.JSON}


class Columns:
    """The columns of one table, by their names."""

    def __init__(self, names: Iterable[str], tally: ImportTally) -> None:
        """Find the field of each column.

        `id_name` is the column of the ids, or empty.
        """
        known = list(names)
        self.id_name = next((name for name in _ID_NAMES if name in known), "")
        self._tally = tally
        self._fields = {name: place for name in known if name != self.id_name and (place := _field_of(name))}

    @property
    def fields(self) -> int:
        """The number of columns that are fields of a record."""
        return len(self._fields)

    def record(self, cells: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record in a row, without a field when no cell has one.

        An empty cell is null in a field of every record, and of any other field it says nothing.
        """
        record: dict[str, Any] = {}
        is_record = False
        for name, cell in cells.items():
            place = self._fields.get(name)
            is_blank = cell is None or cell == "" or cell != cell
            if place is None:
                if not is_blank and name != self.id_name:
                    self._tally.dropped[f"column {label(name)}"] += 1
                continue
            field, key = place
            if is_blank:
                if field in _CORE:
                    record.setdefault(field, None)
                continue
            is_record = is_record or not is_housekeeping(field, cell)
            record[field] = {**(record.get(field) or {}), key: cell} if key else _cast(field, cell)
        return record if is_record else {}


def _field_of(name: str) -> tuple[str, str] | None:
    """Return the field of a column, and the key in it for a nested value."""
    if name in RULES or name in RENAMED or is_housekeeping(name, None):
        return name, ""
    if found := _PREVIEW.fullmatch(name):
        return "previews", f"preview-{found[1]}-{found[2]}"
    if found := _IMAGE.fullmatch(name):
        return "images", found[1]
    return None


def _cast(field: str, cell: Any) -> Any:
    """Return a cell as JSON has its field's value, if its text says it."""
    if isinstance(cell, datetime):
        return _time(field, cell)
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, Decimal):
        return int(cell) if cell == cell.to_integral_value() else float(cell)
    if not isinstance(cell, str):
        return cell
    if field not in RULES:
        return int(cell) if field in TIMES and _DIGITS.fullmatch(cell) else cell
    kind = RULES[field].kind
    if kind in _NUMBERS:
        # A table in text has all values as texts: that a number was one is nothing to report.
        value, odd = convert(field, cell.strip().lower())
        return value if odd == CONVERTED else cell
    if kind is FieldKind.TEXTS:
        parsed = _parsed(cell)
        return parsed if isinstance(parsed, list) else [tag for tag in _BETWEEN_TAGS.split(cell) if tag]
    return _parsed(cell) if kind in _PARSED else cell


def _time(field: str, moment: datetime) -> Any:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if field in STAMPS:
        since = aware - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _parsed(text: str) -> Any:
    if text.lstrip()[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
