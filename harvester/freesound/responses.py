"""From status, headers and bytes to what a request was sent for, or to the one way it failed. Pure.

Every answer becomes exactly one of these (freesound-api.md §1, §4, §7; each recorded exchange is tested):

    a page, a record, None    what was asked for; None is a sound that its own resource does not know
    Transient                 ask again later: 5xx, cut JSON, HTML for JSON, the search backend down (comes as 400)
    Refused                   429: a limit; its text is all there is to tell which
    FetchFailed               this request will not succeed: 4xx, redirects, another shape than promised
    WrongAddress              FetchFailed that smells of a mistyped API address: redirects, HTML 404
    AccessDenied              401, 403: the key

Oddities inside a good answer (null results, duplicates, missing or mistyped fields) are counted, never fatal.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import orjson

from harvester.errors import AccessDenied, FetchFailed, RequestRefused
from harvester.freesound.quota import Refusal, RefusalKind
from harvester.freesound.rows import SCORE, Rows, convert_row, read_rows
from harvester.freesound.tolerant_json import InvalidJson, read_tolerantly
from harvester.freesound.vectors import read_vectors, vector_field
from harvester.freesound.wire import KEPT_BODY_BYTES, QuotaRefused, RawResponse, Transient, Unreadable, WrongAddress
from harvester.model import Record, RecordsPage, SimilarPage
from harvester.records import OUT_OF_RANGE, convert
from harvester.settings import NEIGHBOURS

LONGEST_RETRY_AFTER_S = 3_600.0
UNKNOWN_SOUND = "No Sound matches the given query."
REPAIRED_JSON = "repaired JSON"
_LARGEST_COUNT = 2**40
_RATE = re.compile(r"\((\d+)/(minute|hour|day)\)")


def read_similar(raw: RawResponse, sound_id: int, limit: int, fields: tuple[str, ...], fetched_at: int) -> SimilarPage:
    """Read one sound's similar list: at most `limit` scored neighbours, best first, never the sound itself."""
    oddities = Counter[str]()
    body = read_body(raw, oddities)
    rows = _read_rows(raw, body, fields, oddities, limit=limit, beside=SCORE)
    scores: dict[int, float] = {}
    for neighbour, score in rows.beside.items():
        if neighbour == sound_id:
            oddities["itself"] += 1
        elif type(score) is float and 0.0 < score <= 1.0:
            scores[neighbour] = score
        else:
            # Rounded vectors can give a hair more than 1: what the library keeps is a score, between 0 and 1.
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
    """Read one page of a search; a page past the last (404 `Not found`) is empty, for a result may shrink.

    `limit` is how many rows were asked for; more are dropped. With `vectors`, the name of a similarity space, the
    sounds' vectors of that space too, apart from the records.
    """
    if page > 1 and raw.status == 404 and read_detail(raw) in {"Not found", "Invalid page."}:
        return RecordsPage((), 0, has_next=False, fetched_at=fetched_at, oddities={"page past the last": 1})
    oddities = Counter[str]()
    body = read_body(raw, oddities)
    rows = _read_rows(raw, body, fields, oddities, limit=limit, beside=vector_field(vectors) if vectors else "")
    found = read_vectors(rows.beside, vectors, oddities) if vectors else {}
    records = tuple(rows.records.values())
    count = _count(body, len(records), oddities)
    return RecordsPage(records, count, bool(body.get("next")), fetched_at, dict(oddities), found)


def read_sound(raw: RawResponse, sound_id: int, fields: tuple[str, ...]) -> Record | None:
    """Read a sound's own resource; None when the server does not know the sound (any more)."""
    if raw.status == 404 and read_detail(raw) == UNKNOWN_SOUND:
        return None
    oddities = Counter[str]()
    body = read_body(raw, oddities)
    if convert("id", body.get("id"))[0] != sound_id:
        raise FetchFailed(f"the answer is not the record of sound {sound_id}", raw.body[:KEPT_BODY_BYTES])
    return convert_row(body, sound_id, fields, oddities)


def read_body(raw: RawResponse, oddities: Counter[str] | None = None) -> dict[str, Any]:
    """Return the JSON object of a 200, or raise what the answer amounts to.

    A body that the strict parser refuses is read once more by the tolerant one, and counted as "repaired JSON".
    """
    if raw.status != 200:
        raise_for_status(raw)
    try:
        body = orjson.loads(raw.body)
    except orjson.JSONDecodeError:
        if _is_like_an_object(raw):
            return _read_tolerantly(raw, Counter() if oddities is None else oddities)
        if _is_html(raw):
            raise Transient("HTML where JSON was promised", raw.body, systemic=True) from None
        raise FetchFailed("the answer is not JSON", raw.body[:KEPT_BODY_BYTES]) from None
    if not isinstance(body, dict):
        raise FetchFailed("the answer is not a JSON object", raw.body[:KEPT_BODY_BYTES])
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


def _is_like_an_object(raw: RawResponse) -> bool:
    """Tell whether the body begins as a JSON object does, with or without a byte-order mark."""
    return raw.body[:64].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def raise_for_status(raw: RawResponse) -> None:
    """Raise what an answer other than 200 amounts to."""
    status, detail, kept = raw.status, read_detail(raw), raw.body[:KEPT_BODY_BYTES]
    said = f": {detail}" if detail else ""
    if status in {401, 403}:
        raise AccessDenied(_access_denied(status, detail))
    if status == 429:
        raise QuotaRefused(read_refusal(raw))
    if status == 400 and detail.startswith("Search server error:") and not _is_our_fault(detail):
        raise Transient("the search backend is down (400)", raw.body, systemic=True)
    if status in {408, 425} or status >= 500:
        page = _is_html(raw) and status == 500
        raise Transient(
            f"server error {status}{' (HTML)' if page else said}",
            raw.body,
            systemic=status in {502, 503, 504} or "overloaded" in detail,
            attempts=2 if page else 4,
            delay_s=read_retry_after(raw),
            late=status == 504,
        )
    if 300 <= status < 400:
        target = raw.headers.get("location", "an unnamed place")
        raise WrongAddress(f"redirected ({status}) to {target}, which is never followed", kept)
    if status == 404 and _is_html(raw):
        raise WrongAddress("no such resource (404, HTML)", kept)
    if status == 400:
        raise RequestRefused(f"the API refuses the request{said}", kept)
    raise FetchFailed(f"the API answered {status}{said}", kept)


def read_detail(raw: RawResponse) -> str:
    """Return the `detail` sentence of an error body, empty when there is none."""
    try:
        body = orjson.loads(raw.body)
    except orjson.JSONDecodeError:
        return ""
    detail = body.get("detail") if isinstance(body, dict) else None
    return detail[:500] if isinstance(detail, str) else ""


def read_refusal(raw: RawResponse) -> Refusal:
    """Read a 429: only its text tells the minute from the day from a suspended key."""
    detail = read_detail(raw)
    found = _RATE.search(detail)
    limit = int(found[1]) if found else None
    kind: RefusalKind = "unknown"
    if "suspended" in detail or limit == 0:
        kind = "suspended"
    elif "ip limit" in detail:
        kind = "ip"
    elif found:
        kind = {"minute": "burst", "hour": "ip", "day": "day"}[found[2]]  # type: ignore[assignment]
    return Refusal(kind, limit, read_retry_after(raw), detail)


def read_retry_after(raw: RawResponse) -> float | None:
    """Return a Retry-After in seconds, at most an hour; the API has not sent one so far, and no date form is read."""
    text = raw.headers.get("retry-after", "").strip()
    return min(float(text), LONGEST_RETRY_AFTER_S) if text.isascii() and text.isdigit() else None


def _is_our_fault(detail: str) -> bool:
    return "(HTTP 4" in detail or "Error processing sorting target" in detail


def _is_html(raw: RawResponse) -> bool:
    kind = raw.headers.get("content-type", "").lower()
    return "html" in kind if kind else raw.body.lstrip()[:1] == b"<"


def _access_denied(status: int, detail: str) -> str:
    said = f"the API refuses the key ({status}: {detail or 'no reason given'})"
    if "ending" in detail:
        return f"{said}; see its state at https://freesound.org/apiv2/apply/"
    if status == 403:
        return f"{said}; check --api-url, or ask Freesound whether this address is blocked"
    return f"{said}; check FREESOUND_API_KEY against https://freesound.org/apiv2/apply/"


def _results(raw: RawResponse, body: dict[str, Any]) -> list[Any]:
    results = body.get("results")
    if not isinstance(results, list):
        raise FetchFailed("the answer has no list of results", raw.body[:KEPT_BODY_BYTES])
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
    beside: str = "",
) -> Rows:
    strict_json = REPAIRED_JSON not in oddities
    return read_rows(_results(raw, body), fields, oddities, limit=limit, beside=beside, strict_json=strict_json)
