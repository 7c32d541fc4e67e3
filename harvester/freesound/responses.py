"""Read an answer into data, or raise its failure.

Each answer becomes one of these (API.md §1, §4, §7; a test reads each recorded exchange):

    a page, a record, None    the requested data; None: the server does not know the sound
    Transient                 retry: 5xx, cut JSON, redirects, answers of a gateway, the search index down
    QuotaRefused              429: a limit, which only the text names
    FetchFailed               this request will not succeed: the API answered 4xx
    Unusable                  FetchFailed: JSON of another shape, perhaps a changed API
    AccessDenied              401, 403: the key

Oddities in a usable answer (null rows, duplicates, missing or mistyped fields) are counted and cost no other row.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from harvester.errors import FetchFailed
from harvester.freesound.http_status import foreign, raise_for_status, read_detail
from harvester.freesound.rows import SCORE, Rows, convert_row, read_rows
from harvester.freesound.shape import Evidence, Unusable
from harvester.freesound.tolerant_json import BYTE_ORDER_MARK, InvalidJson, read_tolerantly
from harvester.freesound.vectors import read_vectors, vector_field
from harvester.freesound.wire import KEPT_BODY_BYTES, RawResponse, Unreadable
from harvester.model import Record, RecordsPage, SimilarPage
from harvester.records import OUT_OF_RANGE, convert
from harvester.settings import NEIGHBOURS

UNKNOWN_SOUND = "No Sound matches the given query."
REPAIRED_JSON = "repaired JSON"
_LARGEST_COUNT = 2**40


def read_similar(raw: RawResponse, sound_id: int, limit: int, fields: tuple[str, ...], fetched_at: int) -> SimilarPage:
    """Read a similar list: at most `limit` other sounds, best first."""
    oddities = Counter[str]()
    body = read_body(raw, oddities)
    rows = _read_rows(raw, body, fields, oddities, limit=limit, side_field=SCORE)
    scores: dict[int, float] = {}
    for neighbour, score in rows.side_values.items():
        if neighbour == sound_id:
            oddities["itself"] += 1
        elif type(score) is float and 0.0 < score <= 1.0:
            scores[neighbour] = score
        else:
            # The server rounds vectors, so that a score can exceed 1 slightly; the library keeps scores from 0 to 1.
            value, odd = convert(SCORE, score)
            if value is None:
                oddities["no score"] += 1
                continue
            if odd:
                oddities["score out of range" if odd == OUT_OF_RANGE else "converted score"] += 1
            scores[neighbour] = value + 0.0
    best = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
    records = tuple(rows.records.values())
    count = _count(body, len(records), oddities)
    return SimilarPage(sound_id, tuple(best), records, count, fetched_at, dict(oddities))


def read_records(
    raw: RawResponse,
    fields: tuple[str, ...],
    fetched_at: int,
    *,
    limit: int = NEIGHBOURS.most,
    page: int = 1,
    vectors: str = "",
) -> RecordsPage:
    """Read one page of a search; a page past the last is empty.

    More than `limit` rows are dropped. `vectors` names the similarity space whose vectors the rows hold.
    """
    if page > 1 and raw.status == 404 and read_detail(raw) in {"Not found", "Invalid page."}:
        return RecordsPage((), 0, has_next=False, fetched_at=fetched_at, oddities={"page past the last": 1})
    oddities = Counter[str]()
    body = read_body(raw, oddities)
    rows = _read_rows(raw, body, fields, oddities, limit=limit, side_field=vector_field(vectors) if vectors else "")
    found = read_vectors(rows.side_values, vectors, oddities) if vectors else {}
    records = tuple(rows.records.values())
    count = _count(body, len(records), oddities)
    return RecordsPage(records, count, bool(body.get("next")), fetched_at, dict(oddities), found)


def read_sound(raw: RawResponse, sound_id: int, fields: tuple[str, ...]) -> Record | None:
    """Read one sound's record; None if the server does not know it."""
    if raw.status == 404 and read_detail(raw) == UNKNOWN_SOUND:
        return None
    oddities = Counter[str]()
    body = read_body(raw, oddities)
    if convert("id", body.get("id"))[0] != sound_id:
        raise FetchFailed(f"the answer is not the record of sound {sound_id}", raw.body[:KEPT_BODY_BYTES])
    return convert_row(body, sound_id, fields, oddities)


def read_body(raw: RawResponse, oddities: Counter[str] | None = None) -> dict[str, Any]:
    """Return the JSON object of a 200, or raise the answer's failure.

    A body that the strict parser refuses is read by the tolerant one, and counted as "repaired JSON".
    """
    if raw.status != 200:
        raise_for_status(raw)
    try:
        body = orjson.loads(raw.body)
    except orjson.JSONDecodeError:
        if begins_as_object(raw):
            return _read_tolerantly(raw, Counter() if oddities is None else oddities)
        raise foreign(raw) from None
    if not isinstance(body, dict):
        raise Unusable(Evidence.NOT_OBJECT, raw.body)
    return body


def _read_tolerantly(raw: RawResponse, oddities: Counter[str]) -> dict[str, Any]:
    try:
        body, repeated = read_tolerantly(raw.body)
    except InvalidJson as error:
        raise Unreadable(str(error), raw.body, cut_short=error.at_end) from None
    oddities[REPAIRED_JSON] += 1
    if repeated:
        oddities["repeated key"] += repeated
    found: dict[str, Any] = body
    return found


def begins_as_object(raw: RawResponse) -> bool:
    """Tell whether the body begins with `{`, after any byte-order mark."""
    return raw.body[:64].removeprefix(BYTE_ORDER_MARK).lstrip()[:1] == b"{"


def _results(raw: RawResponse, body: dict[str, Any]) -> list[Any]:
    results = body.get("results")
    if not isinstance(results, list):
        raise Unusable(Evidence.NO_RESULTS, raw.body)
    return results


def _count(body: dict[str, Any], seen: int, oddities: Counter[str]) -> int:
    count = body.get("count")
    if type(count) is int and 0 <= count <= _LARGEST_COUNT:
        return count
    oddities["no count"] += 1
    return seen


def _read_rows(
    raw: RawResponse,
    body: dict[str, Any],
    fields: tuple[str, ...],
    oddities: Counter[str],
    *,
    limit: int,
    side_field: str = "",
) -> Rows:
    strict_json = REPAIRED_JSON not in oddities
    return read_rows(_results(raw, body), fields, oddities, limit=limit, side_field=side_field, strict_json=strict_json)
