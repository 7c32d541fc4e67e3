"""Turn a request line into the sandbox's answer, without sockets.

It checks in the server's order: length of the line → address → format → key → throttle → view.
Invariant: synchronous and repeatable. An answer depends only on the catalogue, the earlier requests and the clock,
so that tests can simulate months of harvesting in virtual time. Knows nothing of aiohttp.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from urllib.parse import parse_qsl, quote, unquote

from harvester.clock import SECOND_US, Clock
from harvester.errors import SettingsError
from harvester.library_source import MADE_UP_SITE
from harvester.sandbox.access import Access
from harvester.sandbox.catalogue import Catalogue
from harvester.sandbox.faults import Fault, FaultPlan, answer_in_front, spoil
from harvester.sandbox.fields import Encoder, UnknownSpace, encode_json, read_selection
from harvester.sandbox.media import Media
from harvester.sandbox.reply import (
    IDENTITY_HEADER,
    MAX_REQUEST_LINE,
    NO_CREDENTIALS,
    Reply,
    detail,
    html,
    json_reply,
    line_too_long,
    throttled,
    unauthorised,
)
from harvester.sandbox.search import Form, Hits, Refused, Search, page_of, read_form
from harvester.sandbox.throttle import Throttle

_SEARCH = re.compile(r"/apiv2/search/(?:text/)?")
_SOUND = re.compile(r"/apiv2/sounds/(\d{1,4000})/")
_SIMILAR = re.compile(r"/apiv2/sounds/(\d{1,4000})/similar/")
_OAUTH_ONLY = re.compile(r"/apiv2/(?:me/|sounds/\d+/download/(?:link/)?)")
_PATHS = (_SEARCH, _SOUND, _SIMILAR, _OAUTH_ONLY)


class Sandbox:
    """A server like Freesound: a catalogue, keys with limits, and faults.

    `burst` and `daily` are the requests a key may send in a minute and in 24 hours, None for no limit. `standings`
    maps keys to `suspended`, `revoked`, `pending` or `inactive`. `random_seed` decides to which requests a fault with
    a rate applies. `deleted_share` is the share of sounds, always the same ones, that the search index holds but the
    database does not: a search counts them, their rows are null, and their own resource is a 404.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        clock: Clock,
        tokens: Collection[str] = ("sandbox",),
        burst: int | None = 60,
        daily: int | None = 2000,
        faults: Sequence[Fault] = (),
        standings: Mapping[str, str] | None = None,
        random_seed: int = 0,
        deleted_share: float = 0.0,
    ) -> None:
        if not 0 <= deleted_share <= 1:
            raise SettingsError(f"the share of deleted sounds must be from 0 to 1, not {deleted_share}")
        self.catalogue = catalogue
        self.clock = clock
        self._access = Access(tokens, standings or {})
        self._throttle = Throttle(burst, daily)
        self._plan = FaultPlan(tuple(faults), random_seed)
        self._search = Search(catalogue)
        self._encoder = Encoder(catalogue)
        self._deleted_share = deleted_share
        self._media = Media(catalogue, self._is_deleted)
        self._started_us: int | None = None

    @property
    def digest(self) -> str:
        """The catalogue's digest, in each answer as `X-Freesound-Sandbox`."""
        return self.catalogue.digest

    def respond(self, method: str, target: str, headers: Mapping[str, str]) -> Reply:
        """Return the reply to one request; `target` is its path and query.

        The content of a preview or picture is still to be loaded: `load`.
        """
        now_us = self.clock.time_us()
        if self._started_us is None:
            self._started_us = now_us
        faults = self._plan.due(target, (now_us - self._started_us) / SECOND_US)
        reply = next((front for fault, _ in faults if (front := answer_in_front(fault))), None)
        if reply is None:
            reply = self._answer_media(method, target, headers) or self._answer(method, target, headers, now_us)
            is_search, query = _SEARCH.match(target) is not None, _params(target.partition("?")[2]).get("query", "")
            for fault, draw in faults:
                reply = spoil(reply, fault, draw, is_search=is_search, query=query)
        reply.headers[IDENTITY_HEADER] = self.digest
        return reply

    def load(self, reply: Reply) -> Reply:
        """Return a reply with its content; call it in a thread for media."""
        return self._media.load(reply)

    def token_of(self, target: str, headers: Mapping[str, str]) -> str | None:
        """Return a request's key, valid or not, for the log's fingerprint."""
        return self._access.token_in(
            _header(headers, "authorization"), _params(target.partition("?")[2]).get("token", "")
        )

    def _answer_media(self, method: str, target: str, headers: Mapping[str, str]) -> Reply | None:
        path = unquote(target.partition("?")[0])
        if not self._media.is_media(path):
            return None
        has_key = self.token_of(target, headers) is not None or _header(headers, "authorization") != ""
        wanted, if_range = _header(headers, "range"), _header(headers, "if-range")
        return self._media.answer(method, path, wanted, if_range, has_key=has_key)

    def _answer(self, method: str, target: str, headers: Mapping[str, str], now_us: int) -> Reply:
        length = len(f"{method} {target} HTTP/1.1".encode())
        if length > MAX_REQUEST_LINE:
            return line_too_long(length)
        path, _, query = target.partition("?")
        path = unquote(path)
        if not any(pattern.fullmatch(path) for pattern in _PATHS):
            return _unmatched(path, query)
        params = _params(query)
        # The framework checks the format before the key, so the throttle does not count these requests.
        if params.get("format") not in {None, "", "json", "api"}:
            return detail(404, "Not found.")
        if not _accepts_json(_header(headers, "accept")):
            return detail(406, "Could not satisfy the request Accept header.")
        token = self._access.authenticate(_header(headers, "authorization"), params.get("token", ""))
        if isinstance(token, Reply):
            return token
        if _OAUTH_ONLY.fullmatch(path):
            return unauthorised(NO_CREDENTIALS)
        broken = self._throttle.refuses(token, now_us)
        if broken:
            return throttled(*broken)
        if method == "OPTIONS":
            return json_reply(b'{"name":"Sandbox","renders":["application/json"]}')
        if method not in {"GET", "HEAD"}:
            return detail(405, f'Method "{method}" not allowed.')
        if params.get("format") == "api":
            return html(302, b"", Location=MADE_UP_SITE + target)
        try:
            return json_reply(self._view(path, params, now_us // SECOND_US))
        except Refused as refused:
            return refused.reply

    def _view(self, path: str, params: Mapping[str, str], now_s: int) -> bytes:
        similar, sound = _SIMILAR.fullmatch(path), _SOUND.fullmatch(path)
        if sound:
            return self._sound(int(sound[1]), params.get("fields", ""))
        form = read_form(params, similar_to=int(similar[1]) if similar else None)
        if form.similar_to.isdecimal() and self._is_deleted(int(form.similar_to)):
            form = replace(form, similar_to="0")
        if form.is_search and (form.page < 1 or form.page_size < 1):
            raise Refused(detail(404, "Not found"))
        hits = self._search.hits(form, now_s)
        groups: dict[int, tuple[str, int]] = {}
        if form.group_by_pack:
            hits, groups = self._search.grouped(hits)
        # Rows use the unstripped parameter: the server does not know a name with a blank before it.
        return self._list(form, path if similar else "/apiv2/search/", hits, groups, params.get("fields", ""))

    def _sound(self, sound_id: int, fields: str) -> bytes:
        try:
            body = self._encoder.encode_sound(sound_id, read_selection(fields, single=True), None)
        except UnknownSpace:
            raise Refused(html(500)) from None
        if body is None or self._is_deleted(sound_id):
            raise Refused(detail(404, "No Sound matches the given query."))
        return body

    def _list(self, form: Form, path: str, hits: Hits, groups: dict[int, tuple[str, int]], fields: str) -> bytes:
        page = page_of(form, hits)
        has_next = form.page * form.page_size < len(hits)
        links = {
            "count": len(hits),
            "previous": form.link(path, form.page - 1) if form.page > 1 and len(hits) else None,
            "next": form.link(path, form.page + 1) if has_next else None,
        }
        rows = []
        for hit in page:
            sound_id, score = (hit, 1.0) if isinstance(hit, int) else hit
            row = b"null" if self._is_deleted(sound_id) else self._row(sound_id, fields, score)
            if sound_id in groups and row != b"null":
                row = row[:-1] + _pack_note(form, *groups[sound_id])
            rows.append(row)
        return encode_json(links)[:-1] + b',"results":[' + b",".join(rows) + b"]}"

    def _is_deleted(self, sound_id: int) -> bool:
        if not self._deleted_share:
            return False
        drawn = blake2b(f"{self.digest}:{sound_id}".encode(), digest_size=8).digest()
        return int.from_bytes(drawn) < self._deleted_share * 2**64

    def _row(self, sound_id: int, fields: str, score: float) -> bytes:
        try:
            selection = read_selection(fields)
        except UnknownSpace:
            return b"null"
        return self._encoder.encode_sound(sound_id, selection, score) or b"null"


def _pack_note(form: Form, pack: str, size: int) -> bytes:
    weights, page_size = quote(form.weights), f"&page_size={form.page_size}" if form.page_size != 15 else ""
    fields = f"&fields={quote(form.fields, safe=',*')}" if form.fields else ""
    more = (
        f"{MADE_UP_SITE}/apiv2/search/?&query={quote(form.query)}&filter=pack_grouping:%22{quote(pack)}%22"
        f"&weights={weights}&page=1{page_size}{fields}&group_by_pack=0"
    )
    return b"," + encode_json({"more_from_same_pack": more, "n_from_same_pack": size})[1:]


def _unmatched(path: str, query: str) -> Reply:
    if path == "/apiv2//":
        return detail(400, "Invalid url")
    if any(pattern.fullmatch(path + "/") for pattern in _PATHS):
        return html(301, Location=f"{path}/?{query}" if query else f"{path}/")
    return html(404)


def _params(query: str) -> dict[str, str]:
    # As in Django, the last value of a repeated parameter is used.
    return dict(parse_qsl(query, keep_blank_values=True))


def _header(headers: Mapping[str, str], wanted: str) -> str:
    return next((value for name, value in headers.items() if name.lower() == wanted), "")


def _accepts_json(accept: str) -> bool:
    kinds = {one.partition(";")[0].strip().lower() for one in accept.split(",")}
    return bool(kinds & {"", "*/*", "application/*", "application/json", "text/*", "text/html"})
