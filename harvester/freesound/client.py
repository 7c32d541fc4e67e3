"""Freesound over HTTP: the client that knows what to ask for.

Owns every path and parameter. Must not know why a sound is wanted, nor where the answer goes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Self

from harvester.clock import Clock, Stop
from harvester.errors import ApiUnreachable, FetchFailed
from harvester.filters import canonical, filter_ids, filter_similar
from harvester.freesound.activity import Activity
from harvester.freesound.address import API_URL
from harvester.freesound.fields import encode_fields, record_fields
from harvester.freesound.gate import Wait
from harvester.freesound.question import Question
from harvester.freesound.quota import Ledger, Limits
from harvester.freesound.responses import begins_as_object, read_records, read_similar, read_sound
from harvester.freesound.sender import Sender
from harvester.freesound.shape import Kind
from harvester.freesound.status import foreign, raise_for_status, read_detail
from harvester.freesound.transport import TOTAL_S, AiohttpTransport
from harvester.freesound.wire import RawResponse, Transport
from harvester.model import SPACES, Record, RecordsPage, SimilarPage, check_sound_id
from harvester.settings import COUNT, NEIGHBOURS

LONGEST_PAGE = NEIGHBOURS.most
"""The server cuts longer pages to this (API.md §2.1)."""
SMALLEST_PAGE = 5
"""A page with vectors that does not come in time is asked for in parts, but not below this."""


class FreesoundClient:
    """Asks Freesound for similar lists and records, within the key's limits, as patiently as it takes.

    One object for all fetchers of a run. Every `fetch_` and `search` costs one request (more only when one fails) and
    raises `FetchFailed` (defer the sound), `Stopped` (release it), or an error with an exit code that ends the run. A
    filter is in the grammar of `harvester.filters`, which writes it as the server needs it.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Clock,
        stop: Stop,
        ledger: Ledger,
        limits: Limits,
        rng: Random,
        address: str = API_URL,
        space: str = SPACES[0],
        extra_fields: tuple[str, ...] = (),
        forever: bool = False,
        max_requests: int | None = None,
        timeout_s: float = TOTAL_S,
        on_event: Callable[[str], None] = lambda _: None,
        keep_body: Callable[[bytes], str] = lambda _: "",
    ) -> None:
        """Take everything the client works with; make it inside the loop that will use it.

        `address` is the normal form from `read_api_url`; `timeout_s` is the transport's total timeout, after which
        an unanswered request can no longer arrive; `max_requests` closes the run after that number of requests with the
        key; `on_event` takes single lines for the log; `keep_body` keeps an answer for inspection and returns where.
        """
        self.address = address
        self._transport = transport
        self._clock = clock
        self._stop = stop
        self._space = space
        self._fields = record_fields(extra_fields)
        self._vector_fields = encode_fields(extra_fields, vectors=space)
        self._record_params = {"fields": encode_fields(extra_fields)}
        self._scored_params = {"fields": encode_fields(extra_fields, scored=True), "similarity_space": space}
        self._sender = Sender(
            transport,
            address,
            clock=clock,
            stop=stop,
            ledger=ledger,
            limits=limits,
            forever=forever,
            max_requests=max_requests,
            rng=rng,
            timeout_s=timeout_s,
            on_event=on_event,
            keep_body=keep_body,
        )

    async def fetch_similar(self, sound_id: int, limit: int, *, filter: str = "") -> SimilarPage:
        """Fetch up to `limit` (≤ 150) neighbours of a sound with their records, only those that match `filter`.

        An unknown sound, and one without a vector, has an empty list like one without neighbours.
        """
        sound_id = check_sound_id(sound_id)
        params = {**self._scored_params, "page_size": str(_page_size(limit))}
        path = f"sounds/{sound_id}/similar/"
        if filter.strip():
            path, params = "search/", {**params, "similar_to": str(sound_id), "filter": filter_similar(filter)}
        return await self._sender.fetch(
            Question(
                Kind.SIMILAR,
                path,
                params,
                lambda raw: read_similar(raw, sound_id, limit, self._fields, self._clock.time_us()),
            )
        )

    async def fetch_records(self, sound_ids: Sequence[int], *, filter: str = "", vectors: bool = False) -> RecordsPage:
        """Fetch the records of up to 150 sounds, in the server's order; those it does not list are simply missing.

        With `filter`, only those that match; with `vectors`, see `search`. A missing sound is not yet gone: ask its
        own resource.
        """
        if not sound_ids:
            return RecordsPage((), 0, has_next=False, fetched_at=self._clock.time_us())
        wanted = filter_ids(list(map(check_sound_id, sound_ids)), filter)
        return await self._search("", wanted, "score", page=1, page_size=len(sound_ids), vectors=vectors)

    async def fetch_sound(self, sound_id: int) -> Record | None:
        """Fetch a sound's own resource; None when the server does not know it (any more)."""
        sound_id = check_sound_id(sound_id)
        return await self._sender.fetch(
            Question(
                Kind.SOUND,
                f"sounds/{sound_id}/",
                self._record_params,
                lambda raw: read_sound(raw, sound_id, self._fields),
            )
        )

    async def search(
        self,
        *,
        query: str = "",
        filter: str = "",
        sort: str = "score",
        page: int = 1,
        page_size: int = LONGEST_PAGE,
        vectors: bool = False,
    ) -> RecordsPage:
        """Fetch one page of a search; a page past the last is empty. An empty `query` matches every sound.

        With `vectors`, the vectors of the client's similarity space come along (12 kB a sound); a page that is not in
        time raises `PageTooLarge` then, unless it is as small as can be.
        """
        COUNT.check("page", page)
        return await self._search(query, canonical(filter), sort, page=page, page_size=page_size, vectors=vectors)

    async def _search(
        self, query: str, filter: str, sort: str, *, page: int, page_size: int, vectors: bool
    ) -> RecordsPage:
        """Fetch one page of a search by a filter that is canonical already."""
        params = {"query": query, **self._record_params, "sort": sort, "page_size": str(_page_size(page_size))}
        space = self._space if vectors else ""
        if vectors:
            params["fields"] = self._vector_fields
        if filter:  # a blank one is refused by the server
            params["filter"] = filter
        if page > 1:
            params["page"] = str(page)
        return await self._sender.fetch(
            Question(
                Kind.SEARCH,
                "search/",
                params,
                lambda raw: read_records(
                    raw, self._fields, self._clock.time_us(), limit=page_size, page=page, vectors=space
                ),
                divisible=vectors and page_size > SMALLEST_PAGE,
            )
        )

    async def identify(self) -> str:
        """Return the source: the API's address, or `sandbox:<digest>` for a sandbox.

        Learned from any answer so far; else from a request without the key, which no quota counts.
        """
        if self._sender.sandbox is None:
            # No quota counts it, so a stop may cut it short.
            question = Question(Kind.IDENTITY, "search/", {}, _read_identity, anonymous=True)
            try:
                await self._stop.unless_closed(self._sender.fetch(question))
            except FetchFailed as failure:
                raise ApiUnreachable(f"{self.address} does not answer: {failure.reason}; try again later") from None
        return self.source or self.address

    @property
    def source(self) -> str | None:
        """The source, once any answer has told it; None before."""
        digest = self._sender.sandbox
        return None if digest is None else f"sandbox:{digest}" if digest else self.address

    @property
    def waiting_for(self) -> Wait | None:
        """What all fetchers wait for, and until when; None when requests may be sent."""
        return self._sender.gate.waiting_for

    @property
    def activity(self) -> Activity:
        """Counters of this run: requests sent, answered, retried, refused, on the wire."""
        return self._sender.activity

    def raise_if_fruitless(self) -> None:
        """Raise `ApiUnreachable` or `AnswerChanged` when no request of this run gave anything."""
        error = self.activity.fruitless(self.address, in_outage=self._sender.gate.in_outage)
        if error is not None:
            raise error

    @property
    def limits(self) -> Limits:
        """The key's limits as now believed: a 429 corrects them."""
        return self._sender.quota.limits

    def spending(self, *, fresh: bool = False) -> tuple[int, int | None]:
        """Return the requests that the ledger counts in the last 24 hours, from all our runs, and how many the day
        still holds (None without a limit). At most a second old unless `fresh`: cheap enough for every refresh of a
        panel.
        """
        return self._sender.quota.spending(fresh=fresh)

    def slot_frees_at(self) -> int | None:
        """Return when the next request stops counting against the day's limit, as of the last `spending`."""
        return self._sender.quota.slot_frees_at

    def quota_left(self) -> int | None:
        """Return how many requests the rolling day still holds; None without a limit."""
        return self._sender.quota.left()

    def quota_free_at(self) -> int:
        """Return when the next request can be sent by the ledger, in microseconds; now or earlier: at once."""
        return self._sender.quota.free_at()[0]

    async def close(self) -> None:
        """Close the transport when it can be closed."""
        if isinstance(self._transport, AiohttpTransport):
            await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _page_size(wanted: int) -> int:
    NEIGHBOURS.check("the length of a page", wanted)
    return wanted


def _read_identity(raw: RawResponse) -> None:
    """Read an answer to a request without the key: the API refuses it in its own words, or serves it."""
    if raw.status in {401, 403} and read_detail(raw):
        return
    if raw.status == 200 and begins_as_object(raw):
        return
    # No request is simpler: a server that refuses it is another one.
    with suppress(FetchFailed):
        raise_for_status(raw)
    raise foreign(raw)
