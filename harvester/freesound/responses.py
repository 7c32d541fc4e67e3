"""From status, headers and bytes to what a request was sent for, or to the one way it failed. Pure.

Every answer becomes exactly one of these (freesound-api.md §1, §4, §7; each recorded exchange is tested):

    a page, a record, None    what was asked for; None is a sound that its own resource does not know
    Transient                 ask again later: 5xx, cut JSON, redirects, what is not the API's, the search backend down
    Refused                   429: a limit; its text is all there is to tell which
    FetchFailed               this request will not succeed: 4xx in the API's own words
    Unusable                  FetchFailed that may mean a changed API: another shape than promised
    AccessDenied              401, 403: the key

Oddities inside a good answer (null results, duplicates, missing or mistyped fields) are counted, never fatal.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from harvester.errors import FetchFailed
from harvester.freesound.shape import Evidence, Unusable
from harvester.freesound.status import foreign, raise_for_status, read_detail
from harvester.freesound.vectors import read_vectors, vector_field
from harvester.freesound.wire import KEPT_BODY_BYTES, RawResponse, Transient
from harvester.model import CORE_FIELDS, Record, RecordsPage, SimilarPage, is_sound_id

UNKNOWN_SOUND = "No Sound matches the given query."
_DEEPEST = 20
"""Containers within containers: more than any field has, far less than the library could save."""
_NESTED = frozenset({dict, list})
_NUMBER = (int, float)
_TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("url", "name", "description", "created", "license", "type", "username", "md5"), str),
    **dict.fromkeys(("duration", "samplerate", "avg_rating"), _NUMBER),
    **dict.fromkeys(("channels", "filesize", "num_downloads", "num_ratings", "num_comments"), int),
    **dict.fromkeys(("previews", "images"), dict),
    "tags": list,
    "gen_ai_preference": str,
}
"""What the API promises, where it promises one type (fields that may be null are not judged)."""


def read_similar(raw: RawResponse, sound_id: int, limit: int, fields: tuple[str, ...], fetched_at: int) -> SimilarPage:
    """Read one sound's similar list: at most `limit` scored neighbours, best first, never the sound itself."""
    body = read_body(raw)
    scores: dict[int, float] = {}
    records, oddities = [], Counter[str]()
    for row, record in _read_rows(_results(raw, body), fields, oddities):
        records.append(record)
        score = row.get("score")
        if record["id"] == sound_id:
            oddities["itself"] += 1
        elif type(score) is float and 0.0 < score <= 1.0:
            scores[record["id"]] = score
        elif isinstance(score, (int, float)) and not isinstance(score, bool) and math.isfinite(score):
            # Rounded vectors can give a hair more than 1: what the library keeps is a score, between 0 and 1.
            scores[record["id"]] = min(1.0, max(0.0, float(score)))
            if not 0 <= score <= 1:
                oddities["score out of range"] += 1
        else:
            oddities["no score"] += 1
    best = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
    count = _count(body, len(records), oddities)
    return SimilarPage(sound_id, tuple(best), tuple(records), count, fetched_at, dict(oddities))


def read_records(
    raw: RawResponse, fields: tuple[str, ...], fetched_at: int, *, page: int = 1, vectors: str = ""
) -> RecordsPage:
    """Read one page of a search; a page past the last (404 `Not found`) is empty, for a result may shrink.

    With `vectors`, the name of a similarity space, the sounds' vectors of that space too, apart from the records.
    """
    if page > 1 and raw.status == 404 and read_detail(raw) in {"Not found", "Invalid page."}:
        return RecordsPage((), 0, has_next=False, fetched_at=fetched_at, oddities={"page past the last": 1})
    body = read_body(raw)
    oddities = Counter[str]()
    rows = _read_rows(_results(raw, body), fields, oddities, beside=(vector_field(vectors),) if vectors else ())
    found = read_vectors(rows, vectors, oddities) if vectors else {}
    records = tuple(record for _, record in rows)
    count = _count(body, len(records), oddities)
    return RecordsPage(records, count, bool(body.get("next")), fetched_at, dict(oddities), found)


def read_sound(raw: RawResponse, sound_id: int, fields: tuple[str, ...]) -> Record | None:
    """Read a sound's own resource; None when the server does not know the sound (any more)."""
    if raw.status == 404 and read_detail(raw) == UNKNOWN_SOUND:
        return None
    body = read_body(raw)
    if body.get("id") != sound_id or not is_sound_id(body.get("id")):
        raise FetchFailed(f"the answer is not the record of sound {sound_id}", raw.body[:KEPT_BODY_BYTES])
    return _keep(body, fields)


def read_body(raw: RawResponse) -> dict[str, Any]:
    """Return the JSON object of a 200, or raise what the answer amounts to."""
    if raw.status != 200:
        raise_for_status(raw)
    try:
        body = orjson.loads(raw.body)
    except orjson.JSONDecodeError:
        if raw.body.lstrip()[:1] == b"{":
            raise Transient("the answer was cut short", raw.body, late=True) from None
        raise foreign(raw) from None
    if not isinstance(body, dict):
        raise Unusable(Evidence.NOT_OBJECT, raw.body)
    return body


def _results(raw: RawResponse, body: dict[str, Any]) -> list[Any]:
    results = body.get("results")
    if not isinstance(results, list):
        raise Unusable(Evidence.NO_RESULTS, raw.body)
    return results


def _count(body: dict[str, Any], seen: int, oddities: Counter[str]) -> int:
    count = body.get("count")
    if type(count) is int and count >= 0:
        return count
    oddities["no count"] += 1
    return seen


def _read_rows(
    results: list[Any], fields: tuple[str, ...], oddities: Counter[str], beside: tuple[str, ...] = ()
) -> list[tuple[dict[str, Any], Record]]:
    rows: dict[int, tuple[dict[str, Any], Record]] = {}
    known = {*fields, *beside, "score"}
    for row in results:
        if not isinstance(row, dict):
            oddities["null result" if row is None else "not an object"] += 1
        elif not is_sound_id(row.get("id")):
            oddities["no id"] += 1
        elif row["id"] in rows:
            oddities["duplicate"] += 1
        else:
            # What nobody asked for is any server's choice, without bound: judgements of it are not kept.
            judge = _judge if row.keys() <= known else _judge.__wrapped__
            judged = judge(tuple(row), tuple(map(type, row.values())), fields, beside)
            if judged.oddities:
                oddities.update(judged.oddities)
            record = row.copy()
            for name in judged.dropped:
                del record[name]
            for name in judged.nested:
                if _is_deep(record[name]):
                    record[name] = None
                    oddities["endless field"] += 1
                    if name in _TYPES and not _is_mistyped(name, type(row[name])):
                        oddities["mistyped field"] += 1  # null, which stands in its place now, is not what was promised
            rows[row["id"]] = (row, record)
    return list(rows.values())


class _Judged(NamedTuple):
    """What the names in a row and the types of its values tell of it, whatever the values are."""

    dropped: tuple[str, ...]
    nested: tuple[str, ...]
    oddities: dict[str, int]


@lru_cache(maxsize=1024)
def _judge(
    names: tuple[str, ...], kinds: tuple[type, ...], fields: tuple[str, ...], beside: tuple[str, ...]
) -> _Judged:
    """Judge a row of these names and types; rows are alike, so the last judgements are kept."""
    kept = {name: kind for name, kind in zip(names, kinds, strict=True) if name in fields}
    oddities = {
        "missing field": len(frozenset(CORE_FIELDS).intersection(fields) - kept.keys()),
        "unknown field": len({*names} - {*fields, *beside, "score"}),
        "mistyped field": sum(_is_mistyped(name, kind) for name, kind in kept.items()),
    }
    return _Judged(
        dropped=tuple(name for name in names if name not in kept),
        nested=tuple(name for name, kind in kept.items() if kind in _NESTED),
        oddities={kind: times for kind, times in oddities.items() if times},
    )


def _is_mistyped(name: str, kind: type) -> bool:
    """Tell whether no honest answer gives a field this type."""
    return name in _TYPES and (kind is bool or not issubclass(kind, _TYPES[name]))


def _keep(row: dict[str, Any], fields: tuple[str, ...]) -> Record:
    return {name: None if _is_deep(row[name]) else row[name] for name in fields if name in row}


def _is_deep(value: Any, left: int = _DEEPEST) -> bool:
    """Tell whether containers lie in each other as in no field of a sound; the library could not save them."""
    if type(value) is dict:
        value = value.values()
    elif type(value) is not list:
        return False
    if left and _NESTED.isdisjoint(map(type, value)):
        return False
    return left == 0 or any(_is_deep(inner, left - 1) for inner in value if type(inner) in _NESTED)
