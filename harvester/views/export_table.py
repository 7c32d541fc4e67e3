"""Sounds as rows of a table: which columns there are, of which type, and the values of one sound.

Invariant: the columns and their order are a function of the selected sounds; nulls are absent from a row. Nested
objects become columns of their own (`preview_hq_mp3`, `image_waveform_m`), lists of texts stay lists for those who can
keep them, any other container becomes JSON text. Knows no file format.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from harvester.graph import in_order
from harvester.views.selection import Selected

Kind = Literal["bool", "int", "float", "text", "texts"]

SEPARATOR = "|"
"""What joins a list of texts where a format has no lists. Tags on Freesound hold neither spaces nor bars."""

_PREFIXES = {"previews": "", "images": "image_"}
_FLOATS = frozenset({"duration", "samplerate", "avg_rating"})
_INT64 = 1 << 63


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, the record's field it comes from, and the type that all its values have."""

    name: str
    field: str
    kind: Kind


def plan_columns(selected: Selected) -> list[Column]:
    """Return the columns that the selected sounds need, in canonical order; one pass over all of them."""
    fields: dict[str, str] = {}
    kinds: dict[str, Kind] = {}
    for sound_id in selected.sound_ids:
        for name, field, value in _cells(selected, sound_id):
            kind = _kind(name, value)
            known = kinds.get(name)
            fields.setdefault(name, field)
            kinds[name] = kind if known is None or known == kind else _wider(known, kind)
    rank = {field: place for place, field in enumerate(in_order(set(fields.values())))}
    names = sorted(fields, key=lambda name: (rank[fields[name]], name))
    return [Column(name, fields[name], kinds[name]) for name in names]


def row_of(selected: Selected, sound_id: int, kinds: dict[str, Kind]) -> dict[str, Any]:
    """Return a sound's values by column name, each of its column's type; nulls are left out."""
    return {name: _as_kind(value, kinds[name]) for name, _, value in _cells(selected, sound_id)}


def rows(selected: Selected, columns: list[Column]) -> Iterator[dict[str, Any]]:
    """Give the rows of all selected sounds, in the order of their ids."""
    kinds = {column.name: column.kind for column in columns}
    return (row_of(selected, sound_id, kinds) for sound_id in selected.sound_ids)


def joined(value: Any) -> Any:
    """Return a list of texts as one text, and every other value as it is."""
    return SEPARATOR.join(value) if isinstance(value, list) else value


def _cells(selected: Selected, sound_id: int) -> Iterator[tuple[str, str, Any]]:
    yield "id", "id", sound_id
    for field, value in selected.state.attributes(sound_id).items():
        if field == "id" or value is None:
            continue
        if isinstance(value, dict):
            prefix = _PREFIXES.get(field, f"{field}_")
            for key, inner in value.items():
                if inner is not None:
                    yield _column_name(f"{prefix}{key.replace('-', '_')}"), field, _plain(inner)
        else:
            yield _column_name(field), field, _plain(value)
    yield "processed", "processed", sound_id in selected.state.processed


def _column_name(name: str) -> str:
    """Return a field's name without halves of surrogate pairs, which no file can carry."""
    return name.encode("utf-8", "ignore").decode()


def _plain(value: Any) -> Any:
    if isinstance(value, list) and all(type(one) is str for one in value):
        return value
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return value


def _kind(name: str, value: Any) -> Kind:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, float):
        return "float"
    if isinstance(value, int):
        if name in _FLOATS:
            return "float"
        return "int" if -_INT64 <= value < _INT64 else "text"
    return "texts" if isinstance(value, list) else "text"


def _wider(one: Kind, other: Kind) -> Kind:
    return "float" if {one, other} == {"int", "float"} else "text"


def _as_kind(value: Any, kind: Kind) -> Any:
    if kind == "float":
        return float(value)
    if kind == "text" and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return value
