"""Fetch similar lists, records and searches: paths and parameters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from random import Random
from typing import Any, Self

from harvester.clock import Clock, Stop
from harvester.errors import ApiUnreachable, FetchFailed, HarvesterError
from harvester.filters import canonical, filter_ids, filter_similar
from harvester.freesound.activity import Activity
from harvester.freesound.address import API_URL
from harvester.freesound.fields import encode_fields, record_fields
from harvester.freesound.gate import Wait
from harvester.freesound.http_session import TOTAL_S
from harvester.freesound.http_status import foreign, raise_for_status, read_detail
from harvester.freesound.quota import Ledger, Limits
from harvester.freesound.request import Request
from harvester.freesound.responses import begins_as_object, read_records, read_similar, read_sound
from harvester.freesound.sender import Sender
from harvester.freesound.shape import Kind
from harvester.freesound.transport import AiohttpTransport
from harvester.freesound.wire import RawResponse, Transport
from harvester.library_source import ANY_SANDBOX
from harvester.model import API_PAGE, SPACES, Record, RecordsPage, SimilarPage, check_sound_id
from harvester.settings import COUNT, NEIGHBOURS
from harvester.told import OnTold

SMALLEST_PAGE = 5
"""A page with vectors that is late is requested in smaller pages, down to this size."""


class FreesoundClient:
    """Fetches similar lists and records, within the limits, with retries.

    All fetchers of a run share one client. Each `fetch_` and `search` costs one request, more only after a failure. It
    raises `FetchFailed` (defer the sound), `Stopped` (release it), or an error with an exit code that ends the run.
    Filters are in the grammar of `harvester.filters`, which translates them for the server.
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
        on_event: OnTold = lambda _: None,
        keep_body: Callable[[bytes], str] = lambda _: "",
    ) -> None:
        """Make a client for the running event loop.

        `address`: the normal form from `read_api_url`. `timeout_s`: the transport's total timeout, after which an
        unanswered request can no longer arrive. `max_requests` with the key close the run.
        `on_event`: takes what is told. `keep_body`: saves an answer for inspection and returns its path.
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
        """Fetch up to `limit` neighbours (≤ 150) that match `filter`.

        The neighbours come with their records. The list is empty for an unknown sound and for one without a vector too.
        """
        sound_id = check_sound_id(sound_id)
        params = {**self._scored_params, "page_size": str(_page_size(limit))}
        path = f"sounds/{sound_id}/similar/"
        if filter.strip():
            path, params = "search/", {**params, "similar_to": str(sound_id), "filter": filter_similar(filter)}
        return await self._sender.fetch(
            Request(
                Kind.SIMILAR,
                path,
                params,
                lambda raw: read_similar(raw, sound_id, limit, self._fields, self._clock.time_us()),
            )
        )

    async def fetch_records(self, sound_ids: Sequence[int], *, filter: str = "", vectors: bool = False) -> RecordsPage:
        """Fetch the records of up to 150 sounds, in the server's order.

        Only sounds that match `filter` are in the page; other sounds that are missing may still exist: `fetch_sound`
        decides. For `vectors` see `search`.
        """
        if not sound_ids:
            return RecordsPage((), 0, has_next=False, fetched_at=self._clock.time_us())
        wanted = filter_ids(list(map(check_sound_id, sound_ids)), filter)
        return await self._search("", wanted, "score", page=1, page_size=len(sound_ids), vectors=vectors)

    async def fetch_sound(self, sound_id: int) -> Record | None:
        """Fetch one sound's record; None if the server does not know it."""
        sound_id = check_sound_id(sound_id)
        return await self._sender.fetch(
            Request(
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
        page_size: int = API_PAGE,
        vectors: bool = False,
    ) -> RecordsPage:
        """Fetch one page of a search; a page past the last is empty.

        An empty `query` matches every sound. `vectors` adds the vectors of the client's similarity space (12 kB a
        sound); such a page raises `PageTooLarge` when it is late and a smaller one is possible.
        """
        COUNT.check("page", page)
        return await self._search(query, canonical(filter), sort, page=page, page_size=page_size, vectors=vectors)

    async def _search(
        self, query: str, filter: str, sort: str, *, page: int, page_size: int, vectors: bool
    ) -> RecordsPage:
        """Fetch one page of a search; `filter` is canonical."""
        params = {"query": query, **self._record_params, "sort": sort, "page_size": str(_page_size(page_size))}
        space = self._space if vectors else ""
        if vectors:
            params["fields"] = self._vector_fields
        if filter:  # the server refuses a blank one
            params["filter"] = filter
        if page > 1:
            params["page"] = str(page)
        return await self._sender.fetch(
            Request(
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
        """Return the source: the API's address, or `sandbox:<digest>`.

        Before the first answer this sends a request without the key, which no quota counts.
        """
        if self._sender.sandbox is None:
            # No quota counts it, so a stop may cut it short.
            request = Request(Kind.IDENTITY, "search/", {}, _check_identity, anonymous=True)
            try:
                await self._stop.unless_closed(self._sender.fetch(request))
            except FetchFailed as failure:
                raise ApiUnreachable(f"{self.address} does not answer: {failure.reason}; try again later") from None
        return self.source or self.address

    @property
    def source(self) -> str | None:
        """The source; None before the first answer."""
        digest = self._sender.sandbox
        return None if digest is None else f"{ANY_SANDBOX}{digest}" if digest else self.address

    @property
    def waiting_for(self) -> Wait | None:
        """Why and until when all fetchers wait; None when requests may be sent."""
        return self._sender.gate.waiting_for

    @property
    def held_back(self) -> AbstractSet[asyncio.Task[Any] | None]:
        """The tasks whose request waits until requests may be sent."""
        return self._sender.gate.held

    @property
    def in_outage(self) -> bool:
        """Whether the API does not answer now."""
        return self._sender.gate.in_outage

    def possible_at(self, count: int) -> int:
        """Return when the day's limit allows the last of `count` requests.

        In microseconds; an estimate.
        """
        return self._sender.quota.possible_at(count)

    @property
    def activity(self) -> Activity:
        """Counters of the requests of this run."""
        return self._sender.activity

    def error_if_all_failed(self) -> HarvesterError | None:
        """Return `ApiUnreachable` or `AnswerChanged` if all requests failed."""
        return self.activity.error_if_all_failed(self.address, in_outage=self._sender.gate.in_outage)

    @property
    def limits(self) -> Limits:
        """The key's limits as known now: a 429 corrects them."""
        return self._sender.quota.limits

    def spending(self) -> tuple[int, int | None]:
        """Return the requests of the last 24 hours, and how many are left.

        The ledger counts those of all our runs; without a limit None are left. Cached for a second.
        """
        return self._sender.quota.spending()

    def slot_frees_at(self) -> int | None:
        """Return when the oldest request leaves the day's window."""
        return self._sender.quota.slot_frees_at

    def quota_left(self) -> int | None:
        """Return the requests left in the rolling day; None: no limit."""
        return self._sender.quota.left()

    def quota_free_at(self) -> int:
        """Return when the ledger allows the next request, in microseconds."""
        return self._sender.quota.free_at()[0]

    async def close(self) -> None:
        """Close the transport."""
        if isinstance(self._transport, AiohttpTransport):
            await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _page_size(wanted: int) -> int:
    NEIGHBOURS.check("the length of a page", wanted)
    return wanted


def _check_identity(raw: RawResponse) -> None:
    """Raise unless the API answered a request without the key."""
    if raw.status in {401, 403} and read_detail(raw):
        return
    if raw.status == 200 and begins_as_object(raw):
        return
    # This is the simplest request: a server that refuses it is not Freesound.
    with suppress(FetchFailed):
        raise_for_status(raw)
    raise foreign(raw)
