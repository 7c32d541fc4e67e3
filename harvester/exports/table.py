"""Sounds as rows of a table with typed columns.

Invariant: the columns and their order are a function of the selected sounds, with the measures of an analysis as the
last columns where there is one; nulls are absent from a row. Every value
is read through the rules of records, so the column of a field with a rule has the rule's type in every library. Nested
objects become separate columns (`preview_hq_mp3`, `image_waveform_m`), lists of texts stay lists, and any other
container becomes JSON text. Knows no file format.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from harvester import records
from harvester.graph import MEASURES, OWN_FIELDS, STAMPS, UNKNOWN_TIME, Selected, in_order
from harvester.json_text import without_lone_surrogates
from harvester.records import RULES, value_of

Kind = Literal["bool", "int", "float", "text", "texts"]

SEPARATOR = "|"
"""The separator of a joined list, for formats without lists. Tags on Freesound hold neither spaces nor bars."""

_PREFIXES = {"previews": "", "images": "image_"}
_RULED: dict[records.FieldKind, Kind] = {
    records.FieldKind.BOOL: "bool",
    records.FieldKind.INT: "int",
    records.FieldKind.FLOAT: "float",
    records.FieldKind.TEXT: "text",
    records.FieldKind.TEXTS: "texts",
    records.FieldKind.NUMBERS: "text",
    records.FieldKind.OBJECTS: "text",
}
_KINDS: dict[str, Kind] = {name: _RULED[rule.kind] for name, rule in RULES.items() if rule.kind in _RULED}
"""The kind of the column of each field whose rule determines it."""

_OWN = frozenset(OWN_FIELDS)
_OURS: dict[str, Kind] = {"id": "int", "processed": "bool"}
_KIND_OF_TYPE: dict[type, Kind] = {bool: "bool", int: "int", float: "float", list: "texts"}
_TEXT = frozenset({str})
_AS_THEY_ARE = frozenset({"bool", "int", "texts"})
_TAKEN = _OURS.keys() | RULES.keys() | _OWN
"""Names that the column of a nested value must not have."""


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MEASURED: dict[type, Kind] = {int: "int", float: "float"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, its record field and the type of its values.

    `measured`: it has a measure of an analysis, whose name is its field.
    """

    name: str
    field: str
    kind: Kind
    measured: bool = False


def plan_columns(selected: Selected) -> list[Column]:
    """Return the selection's columns in order; read all sounds once."""
    fields = {name: name for name in _OURS}
    kinds = dict(_OURS)
    # A field with a rule has the rule's type in every sound: its first value settles the column.
    settled = set(_OURS)
    for sound_id in selected.sound_ids:
        for name, field, value in _cells(selected.state.attributes(sound_id), settled):
            kind = _KINDS.get(field) or _kind(value)
            known = kinds.get(name)
            fields.setdefault(name, field)
            kinds[name] = kind if known is None or known == kind else _wider(known, kind)
            if field in _KINDS:
                settled.add(field)
    rank = {field: place for place, field in enumerate(in_order(set(fields.values())))}
    names = sorted(fields, key=lambda name: (rank[fields[name]], name))
    columns = [Column(name, fields[name], kinds[name]) for name in names]
    measured = MEASURES.items() if selected.state.measures else ()
    # A field of a record keeps its name; the measure of this name is then left out.
    return columns + [Column(name, name, _MEASURED[kind], True) for name, kind in measured if name not in fields]


def ruled_column(name: str) -> Column:
    """Return the column of a field with a rule, or of a preview.

    It has this name and type in every library, also where no sound has a value.
    """
    if name in _OURS:
        return Column(name, name, _OURS[name])
    if name in _OWN:
        return Column(name, name, "int")
    return Column(name, name, _KINDS[name]) if name in _KINDS else Column(name, "previews", "text")


def row_of(selected: Selected, sound_id: int, kinds: dict[str, Kind]) -> dict[str, Any]:
    """Return a sound's non-null values by the names in `kinds`.

    Each value has its column's type.
    """
    row: dict[str, Any] = {"id": sound_id, "processed": sound_id in selected.state.processed}
    for name, _, value in _cells(selected.state.attributes(sound_id), _OURS):
        if kind := kinds.get(name):
            row[name] = value if kind in _AS_THEY_ARE else _as_kind(value, kind)
    return row if row.keys() <= kinds.keys() else {name: row[name] for name in row if name in kinds}


def rows(selected: Selected, columns: Iterable[Column]) -> Iterator[dict[str, Any]]:
    """Yield the rows of all selected sounds, in order of id.

    They have the values of these columns, which may be some of the selection's.
    """
    kinds = {column.name: column.kind for column in columns}
    measured = {column.name for column in columns if column.measured}
    for sound_id in selected.sound_ids:
        row = row_of(selected, sound_id, kinds)
        if measured:
            measures = selected.state.measures_of(sound_id)
            row |= {name: value for name, value in measures.items() if name in measured}
        yield row


def is_time(column: Column) -> bool:
    """Tell whether a column has times: stamps in µs UTC, or ISO texts."""
    return column.name in STAMPS or column.name == "created"


def moment_of(value: int | str) -> datetime:
    """Return a value of such a column in UTC, as a text without zone is."""
    if isinstance(value, int):
        return _EPOCH + timedelta(microseconds=value)
    read = datetime.fromisoformat(value)
    return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


def joined(value: Any) -> Any:
    """Return a list of texts as one text, and every other value as it is."""
    return SEPARATOR.join(value) if type(value) is list else value


def _cells(attributes: dict[str, Any], but: Container[str]) -> Iterator[tuple[str, str, Any]]:
    """Yield (column name, field, value) for each cell of a sound.

    Fields in `but` are left out.
    """
    for field, raw in attributes.items():
        if raw is None or field in but or (raw == UNKNOWN_TIME and field in STAMPS):
            continue
        value = raw if field in _OWN else value_of(attributes, field)
        if type(value) is dict:
            for key, inner in value.items():
                if inner is not None:
                    yield _nested_name(field, key), field, _plain(inner)
        elif value is not None:
            yield without_lone_surrogates(field), field, _plain(value)


@lru_cache(maxsize=4096)
def _nested_name(field: str, key: str) -> str:
    key = key.replace("-", "_")
    name = f"{_PREFIXES.get(field, f'{field}_')}{key}"
    return without_lone_surrogates(f"{field}_{key}" if name in _TAKEN else name)


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return value if value.isascii() else without_lone_surrogates(value)
    if kind is list and _TEXT.issuperset(map(type, value)):
        return value
    if kind is list or kind is dict:
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return value


def _kind(value: Any) -> Kind:
    return _KIND_OF_TYPE.get(type(value), "text")


def _wider(one: Kind, other: Kind) -> Kind:
    return "float" if {one, other} == {"int", "float"} else "text"


def _as_kind(value: Any, kind: Kind) -> Any:
    if kind == "float":
        return float(value)
    if kind == "text" and type(value) is not str:
        return json.dumps(value, ensure_ascii=False)
    return value
