"""What the status of an answer means when it is not 200. Pure.

The texts of the API's own errors are in the `detail` of a JSON object.
"""

from __future__ import annotations

import re

import orjson

from harvester.errors import AccessDenied, FetchFailed, RequestRefused
from harvester.freesound.quota import Refusal, RefusalKind
from harvester.freesound.wire import KEPT_BODY_BYTES, QuotaRefused, RawResponse, Transient, WrongAddress

LONGEST_RETRY_AFTER_S = 3_600.0
_RATE = re.compile(r"\((\d+)/(minute|hour|day)\)")


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
        page = is_html(raw) and status == 500
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
    if status == 404 and is_html(raw):
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


def is_html(raw: RawResponse) -> bool:
    kind = raw.headers.get("content-type", "").lower()
    return "html" in kind if kind else raw.body.lstrip()[:1] == b"<"


def _is_our_fault(detail: str) -> bool:
    return "(HTTP 4" in detail or "Error processing sorting target" in detail


def _access_denied(status: int, detail: str) -> str:
    said = f"the API refuses the key ({status}: {detail or 'no reason given'})"
    if "ending" in detail:
        return f"{said}; see its state at https://freesound.org/apiv2/apply/"
    if status == 403:
        return f"{said}; check --api-url, or ask Freesound whether this address is blocked"
    return f"{said}; check FREESOUND_API_KEY against https://freesound.org/apiv2/apply/"
