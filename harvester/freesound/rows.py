"""Read the rows of an answer into valid records, without duplicates.

A valid row is kept as it is; only an odd one is converted. Oddities are counted by kind and cost no other row.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from harvester.model import CORE_FIELDS, Record
from harvester.records import convert, judge_of

SCORE = "score"


@dataclass(slots=True)
class Rows:
    """The records of an answer by id, and the score or vector of each."""

    records: dict[int, Record] = field(default_factory=dict)
    side_values: dict[int, Any] = field(default_factory=dict)


def read_rows(
    results: list[Any],
    fields: tuple[str, ...],
    oddities: Counter[str],
    *,
    limit: int,
    side_field: str = "",
    strict_json: bool = True,
) -> Rows:
    """Read at most `limit` rows into records and their `side_field`.

    Changes the rows in place. Not `strict_json`: the tolerant parser read them, so that texts may hold lone surrogates,
    which `judge_of` does not find.
    """
    if len(results) > limit:
        oddities["more rows than requested"] += len(results) - limit
        results = results[:limit]
    judge = judge_of(fields, (SCORE,)) if side_field == SCORE else judge_of(fields, (), (side_field, SCORE))
    odd_rows = judge.odd_rows(results) if strict_json else range(len(results))
    rows = Rows()
    for place, row in enumerate(results):
        if type(row) is not dict:
            oddities["null result" if row is None else "not an object"] += 1
            continue
        is_valid = place not in odd_rows
        sound_id = row["id"] if is_valid else _read_id(row, oddities)
        if sound_id is None:
            continue
        if sound_id in rows.records:
            oddities["duplicate"] += 1
            continue
        if side_field:
            rows.side_values[sound_id] = row.pop(side_field, None)
        row.pop(SCORE, None)
        rows.records[sound_id] = row if is_valid else convert_row(row, sound_id, fields, oddities)
    return rows


def convert_row(row: dict[str, Any], sound_id: int, fields: tuple[str, ...], oddities: Counter[str]) -> Record:
    """Return the requested fields of a row, each converted or null."""
    record: Record = {"id": sound_id}
    missing = 0
    for name in fields:
        if name == "id":
            continue
        if name not in row:
            missing += name in CORE_FIELDS
            continue
        record[name], odd = convert(name, row[name])
        if odd:
            oddities[odd] += 1
    if missing:
        oddities["missing field"] += missing
    unknown = len(row.keys() - record.keys())
    if unknown:
        oddities["unknown field"] += unknown
    return record


def _read_id(row: dict[str, Any], oddities: Counter[str]) -> int | None:
    sound_id, odd = convert("id", row.get("id"))
    if sound_id is None:
        oddities["no id"] += 1
        return None
    if odd:
        oddities["converted id"] += 1
    return int(sound_id)
