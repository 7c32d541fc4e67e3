"""Translate an answer whose status is not 200 into an exception.

The API's own errors are JSON objects with a `detail` sentence. Any other error comes from a gateway, a firewall or the
login page of a network: it says nothing about a sound or the key, and counts as an outage.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

import orjson

from harvester.clock import SECOND_US
from harvester.errors import AccessDenied, FetchFailed, RequestRefused
from harvester.freesound.quota import Refusal, RefusalKind
from harvester.freesound.tolerant_json import BYTE_ORDER_MARK
from harvester.freesound.wire import FEW_ATTEMPTS, KEPT_BODY_BYTES, MOST_ATTEMPTS, QuotaRefused, RawResponse, Transient

LONGEST_RETRY_AFTER_S = 3_600.0
LEAST_LIMIT = {"minute": 6, "hour": 6, "day": 200}
"""A tenth of the API's lowest limits: a smaller number in a 429 is ignored."""
LARGEST_LIMIT = 10_000_000
_LONGEST_NUMBER = 9
"""Ignore a number with more digits, in a header or a sentence."""
_RATE = re.compile(r"\(([^()/]*)/(minute|hour|day)\)")
_KINDS: dict[str, RefusalKind] = {"minute": "burst", "hour": "ip", "day": "day"}
_ABOUT_THE_KEY = re.compile(r"token|\bkey\b|credential|authenticat|permission|suspend|pending|inactive", re.IGNORECASE)


def raise_for_status(raw: RawResponse) -> None:
    """Raise the failure of an answer whose status is not 200."""
    status, detail, kept = raw.status, read_detail(raw), raw.body[:KEPT_BODY_BYTES]
    said = f": {detail}" if detail else ""
    if status == 429:
        raise QuotaRefused(read_refusal(raw))
    if status in {401, 403} and detail and (status == 401 or _ABOUT_THE_KEY.search(detail)):
        raise AccessDenied(_access_denied(status, detail))
    if status == 400 and detail.startswith("Search server error:") and not _is_our_fault(detail):
        raise Transient("HTTP 400: the search index is down", raw.body, systemic=True)
    if status in {408, 425} or status >= 500:
        page = is_html(raw) and status == 500
        raise Transient(
            f"HTTP {status}{' with a web page' if page else said}",
            raw.body,
            systemic=status in {502, 503, 504} or "overloaded" in detail,
            attempts=FEW_ATTEMPTS if page else MOST_ATTEMPTS,
            delay_s=read_retry_after(raw),
            late=status == 504,
        )
    if not detail or not 400 <= status < 500 or status == 403:
        raise foreign(raw)
    if status == 400:
        raise RequestRefused(f"the API refuses the request{said}", kept)
    raise FetchFailed(f"the API answered {status}{said}", kept)


def foreign(raw: RawResponse) -> Transient:
    """Return the failure of an answer that does not come from the API."""
    if 300 <= raw.status < 400:
        target = raw.headers.get("location", "an unknown address")[:200]
        reason = f"HTTP {raw.status}: redirects are not followed (to {target})"
    else:
        detail = read_detail(raw)
        other = "a body of another server" if raw.body.strip() else "an empty body"
        what = "a web page" if is_html(raw) else detail or other
        reason = f"HTTP {raw.status} with {what}" if what != detail else f"HTTP {raw.status}: {detail}"
    return Transient(reason, raw.body, systemic=True, foreign=True, delay_s=read_retry_after(raw))


def read_detail(raw: RawResponse) -> str:
    """Return the `detail` of an error of the API; empty for any other body."""
    try:
        body = orjson.loads(raw.body.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError:
        return ""
    # Gateways describe their own errors in JSON too (RFC 9457), with a title or a type beside the detail.
    if not isinstance(body, dict) or not body.keys().isdisjoint({"title", "type"}):
        return ""
    detail = body.get("detail")
    return detail[:500] if isinstance(detail, str) else ""


def read_refusal(raw: RawResponse) -> Refusal:
    """Read a 429: only its text says which limit it is.

    An invalid number is ignored: the limit is None then.
    """
    detail = read_detail(raw)
    found = _RATE.search(detail)
    limit = _read_number(found[1]) if found else None
    kind: RefusalKind = "unknown"
    if "suspended" in detail or limit == 0:
        kind = "suspended"
    elif "ip limit" in detail:
        kind = "ip"
    elif found:
        kind = _KINDS[found[2]]
    if found and limit is not None and not LEAST_LIMIT[found[2]] <= limit <= LARGEST_LIMIT:
        limit = None
    return Refusal(kind, limit, read_retry_after(raw), detail)


def read_retry_after(raw: RawResponse) -> float | None:
    """Return the Retry-After in seconds, at most an hour; None if invalid.

    A date is compared with the answer's `Date`, not with our clock.
    """
    text = raw.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        seconds = _read_number(text)
        return LONGEST_RETRY_AFTER_S if seconds is None else min(float(seconds), LONGEST_RETRY_AFTER_S)
    asked, sent = _read_date(text), _read_date(raw.headers.get("date", ""))
    if asked is None or sent is None:
        return None
    return min(max(0.0, (asked - sent).total_seconds()), LONGEST_RETRY_AFTER_S)


def with_date(raw: RawResponse, now_us: int) -> RawResponse:
    """Return the answer with its arrival as `Date`, unless it has one."""
    if "date" in raw.headers:
        return raw
    now = datetime.fromtimestamp(now_us // SECOND_US, UTC)
    return raw._replace(headers={**raw.headers, "date": format_datetime(now, usegmt=True)})


def is_html(raw: RawResponse) -> bool:
    """Tell whether the answer is a web page."""
    kind = raw.headers.get("content-type", "").lower()
    return "html" in kind if kind else raw.body.lstrip()[:1] == b"<"


def _read_number(text: str) -> int | None:
    """Return a number of up to nine ASCII digits; None for any other text."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER else None


def _read_date(text: str) -> datetime | None:
    if not text or len(text) > 40:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _is_our_fault(detail: str) -> bool:
    return "(HTTP 4" in detail or "Error processing sorting target" in detail


def _access_denied(status: int, detail: str) -> str:
    said = f"the API refuses the key ({status}: {detail})"
    if "ending" in detail:
        return f"{said}; see its state at https://freesound.org/apiv2/apply/"
    return f"{said}; check FREESOUND_API_KEY against https://freesound.org/apiv2/apply/"
