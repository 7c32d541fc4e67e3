"""The rows of an answer as records that obey their rules, each once, and what was odd about them. Pure.

A page whose rows all obey is taken as it is. In any other, each row is judged for itself, and only the odd ones are
converted. Every oddity is counted by kind; none costs more than its own row.
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
    """The records of an answer by id, in the server's order, and what came beside each of them: score or vector."""

    records: dict[int, Record] = field(default_factory=dict)
    beside: dict[int, Any] = field(default_factory=dict)


def read_rows(
    results: list[Any],
    fields: tuple[str, ...],
    oddities: Counter[str],
    *,
    limit: int,
    beside: str = "",
    strict_json: bool = True,
) -> Rows:
    """Take at most `limit` rows as records with `fields`; the value of the field `beside` is kept apart.

    The rows become ours: they are changed in place. Not `strict_json`: a tolerant reader made them, so their texts
    may hold lone surrogates, which the judge does not see.
    """
    if len(results) > limit:
        oddities["more rows than asked for"] += len(results) - limit
        results = results[:limit]
    judge = judge_of(fields, (SCORE,)) if beside == SCORE else judge_of(fields, (), (beside, SCORE))
    odd_rows = judge.odd_rows(results) if strict_json else range(len(results))
    rows = Rows()
    for place, row in enumerate(results):
        if type(row) is not dict:
            oddities["null result" if row is None else "not an object"] += 1
            continue
        is_good = place not in odd_rows
        sound_id = row["id"] if is_good else _read_id(row, oddities)
        if sound_id is None:
            continue
        if sound_id in rows.records:
            oddities["duplicate"] += 1
            continue
        if beside:
            rows.beside[sound_id] = row.pop(beside, None)
        row.pop(SCORE, None)
        rows.records[sound_id] = row if is_good else convert_row(row, sound_id, fields, oddities)
    return rows


def convert_row(row: dict[str, Any], sound_id: int, fields: tuple[str, ...], oddities: Counter[str]) -> Record:
    """Return the fields of a row that were asked for, each as its rule wants it or null."""
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
