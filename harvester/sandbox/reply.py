"""Make the sandbox's replies, with the real server's bodies verbatim.

Invariant: every error body of the API equals the one recorded from the server's own code; no reply of its own has a
Retry-After header, only a fault can add one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import quote_plus

from harvester.sandbox.fields import encode_json

IDENTITY_HEADER = "X-Freesound-Sandbox"
SUFFIX = " (please check that your filter syntax and field names are correct)"
ALLOW = "GET, HEAD, OPTIONS"
MAX_REQUEST_LINE = 4_094
"""Bytes of method, address and version together, without the line end: gunicorn's default."""


class Delivery(Enum):
    """How a reply is sent: whole, or in a way that a fault breaks."""

    WHOLE = "whole"
    TRUNCATE = "truncate"
    RESET = "reset"
    NO_ANSWER = "no-answer"
    DRIP = "drip"


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A preview or picture; `byte_range` is a Range header, or empty."""

    sound_id: int
    path: str
    byte_range: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, and how it is to be sent.

    With `media` the body is still to be made (`Media.load`), because that takes longer than an answer of the API.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delivery: Delivery = Delivery.WHOLE
    media: MediaFile | None = None


def json_reply(body: bytes, status: int = 200) -> Reply:
    """Return a JSON answer of the API framework."""
    headers = {"Content-Type": "application/json", "Vary": "Accept, Cookie, origin", "Allow": ALLOW}
    return Reply(status, headers, body)


def detail(status: int, text: str) -> Reply:
    """Return an error of the API framework: `{"detail": …}`."""
    return json_reply(encode_json({"detail": text}), status)


def unauthorised(text: str, challenge: str = 'Bearer realm="api"') -> Reply:
    """Return a 401 with its challenge."""
    reply = detail(401, text)
    reply.headers["WWW-Authenticate"] = challenge
    return reply


def html(status: int, body: bytes = b"<!doctype html><title>page</title>", **headers: str) -> Reply:
    """Return a web page, as for unmatched addresses and crashes."""
    return Reply(status, {"Content-Type": "text/html; charset=utf-8", "Vary": "Cookie, origin", **headers}, body)


def plain(status: int, text: str, **headers: str) -> Reply:
    """Return a line of text, as the host of previews and pictures does."""
    return Reply(status, {"Content-Type": "text/plain; charset=utf-8", **headers}, f"{text}\n".encode())


def gateway(status: int) -> Reply:
    """Return the page of a gateway that cannot reach the application."""
    title = {502: "502 Bad Gateway", 503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out"}[status]
    page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<h1>{title}</h1>\r\n</body>\r\n</html>\r\n"
    return Reply(status, {"Content-Type": "text/html"}, page.encode())


def throttled(limit: int, window: str) -> Reply:
    """Return the 429 of a limit; only its text names the limit."""
    return detail(429, f"Request was throttled because of exceeding a request limit rate ({limit}/{window})")


def solr_refused(reason: str, *, is_search: bool, code: int = 400) -> Reply:
    """Return the 400 for a query Solr answers with an error."""
    text = f"Search server error: Solr responded with an error (HTTP {code}): [Reason: {reason}]"
    return detail(400, text + (SUFFIX if is_search else ""))


def sorting_target_refused(sort: str, *, is_search: bool) -> Reply:
    """Return the 400 for a sorting target that the server cannot read."""
    text = f"Search server error: Error processing sorting target {sort}"
    return detail(400, text + (SUFFIX if is_search else ""))


def line_too_long(length: int) -> Reply:
    """Return the front server's 400 for a request line that is too long."""
    page = (
        "<html>\n  <head>\n    <title>Bad Request</title>\n  </head>\n  <body>\n    <h1><p>Bad Request</p></h1>\n"
        f"    Request Line is too large ({length} &gt; {MAX_REQUEST_LINE})\n  </body>\n</html>\n"
    )
    return Reply(400, {"Content-Type": "text/html", "Connection": "close"}, page.encode())


def solr_down(*, is_search: bool, query: str = "", drops: bool = False) -> Reply:
    """Return the 400 for a Solr that refuses or `drops` connections."""
    path = "/solr/freesound/select_similarity/"
    if is_search:
        path = f"/solr/freesound/select/?q={quote_plus(query)}{_SOLR_QUERY}"
    why = (
        "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))"
        if drops
        else f"HTTPConnectionPool(host='127.0.0.1', port=58983): Max retries exceeded with url: {path} "
        f"(Caused by NewConnectionError('<urllib3.connection.HTTPConnection object at 0x{_OBJECTS[is_search]}>: "
        "Failed to establish a new connection: [Errno 111] Connection refused'))"
    )
    text = f"Search server error: Failed to connect to server at http://127.0.0.1:8983{path}: {why}"
    return detail(400, text + (SUFFIX if is_search else ""))


def overloaded() -> Reply:
    """Return the 500 for a Solr that did not answer in time."""
    return detail(500, "Search is overloaded, please try again later.")


NO_CREDENTIALS = "Authentication credentials were not provided."
SUSPENDED = "Request was throttled because the ApiV2 credential has been suspended"
MALFORMED = "Malformed request."
PENDING = "Suspended token or token pending for approval"
_OBJECTS = {True: "7faf5deae110", False: "7faf5e785510"}
_SOLR_QUERY = (
    "&wt=json&indent=true&debugQuery=false&q.op=AND&echoParams=explicit&timeAllowed=1000&defType=dismax&q.alt=%2A%3A%2A"
    "&qf=id%5E4+tag%5E4+description%5E3+username%5E1+pack%5E2+name%5E2&ps=100&tie=0.01&sort=score+desc&start=0&rows=15"
    "&fq=&fq=content_type%3As&fl=id%2Cscore"
)
