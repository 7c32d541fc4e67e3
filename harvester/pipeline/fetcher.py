"""A fetcher: claims work, asks the catalogue, hands the outcome to the writer. N of them run at once.

A fetcher never asks what is known and never touches the graph. Every claim it takes ends in one outcome on the queue or
is released; no exception is lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from harvester.clock import Clock
from harvester.errors import ApiUnreachable, FetchFailed, PageTooLarge, RequestRefused, SettingsError, Stopped
from harvester.filters import join_filters
from harvester.model import RecordsPage
from harvester.pipeline.frontier import Frontier
from harvester.pipeline.messages import (
    Catalogue,
    Claim,
    ConfirmClaim,
    Confirmed,
    DecideClaim,
    Decided,
    DetailsClaim,
    DetailsFetched,
    Failed,
    JudgeClaim,
    Judged,
    Outcome,
    SeedClaim,
    SeedsFetched,
    SimilarClaim,
    SimilarFetched,
    SweepClaim,
    Swept,
)
from harvester.pipeline.progress import Progress
from harvester.pipeline.queues import BATCH


@dataclass(frozen=True, slots=True)
class Search:
    """What to ask for: the seed search, the filter of the whole walk, and the length of a similar list.

    `lengths` names sounds whose list is asked for in another length than `neighbours`. `vectors` is the similarity
    space whose vectors a sweep brings along, empty for none; `permitted`: Freesound allows a sweep of any size.
    """

    query: str = ""
    filter: str = ""
    neighbours: int = 25
    lengths: Mapping[int, int] = field(default_factory=dict)
    vectors: str = ""
    permitted: bool = False

    @property
    def sort(self) -> str:
        """Best hits first where there is a query; without one all score alike, so the most downloaded first."""
        return "score" if self.query else "downloads_desc"


async def run_fetcher(
    number: int,
    catalogue: Catalogue,
    search: Search,
    frontier: Frontier,
    outcomes: asyncio.Queue[Outcome | None],
    *,
    clock: Clock,
    progress: Progress,
) -> None:
    """Fetch until the run is closed.

    Returns quietly on `Stopped`; a `HarvesterError` leaves with the claim released. When it is cancelled with a request
    on the wire, the claim is released: that request is spent and its answer lost.
    """
    while True:
        progress.activity[number] = "waits for work"
        try:
            claim = await frontier.claim()
        except Stopped:
            progress.activity.pop(number, None)
            return
        progress.activity[number] = _describe(claim)
        try:
            outcome = await _fetch(claim, catalogue, search, clock)
        except Stopped:
            frontier.release(claim)
            continue
        except PageTooLarge as slow:
            frontier.split(claim)
            progress.tell(f"a page did not come in time ({slow.reason}): smaller ones are asked for")
            continue
        except BaseException:
            frontier.release(claim)
            raise
        await outcomes.put(outcome)


async def _fetch(claim: Claim, catalogue: Catalogue, search: Search, clock: Clock) -> Outcome:
    match claim:
        case SeedClaim(page):
            return SeedsFetched(claim, await _search(catalogue, search.query, search.filter, search.sort, page))
        case SweepClaim(window, page, size):
            # The one order in which pages hold still while a sweep lasts: what is new comes last.
            bounded, vectors = join_filters(window, search.filter), bool(search.vectors)
            return Swept(claim, await _search(catalogue, search.query, bounded, "created_asc", page, size, vectors))
        case SimilarClaim() | DetailsClaim() | ConfirmClaim() | JudgeClaim():
            try:
                return await _fetch_sounds(claim, catalogue, search, clock)
            except RequestRefused as refused:
                if isinstance(claim, JudgeClaim):
                    raise _cannot_search(refused) from None
                return Failed(claim, refused.reason, refused.doubt)
            except FetchFailed as failure:
                return Failed(claim, failure.reason, failure.doubt)
        case DecideClaim():
            return Decided(claim)


async def _search(
    catalogue: Catalogue, query: str, filter: str, sort: str, page: int, size: int = BATCH, vectors: bool = False
) -> RecordsPage:
    """Fetch a page of a search. One that fails has no sound to defer: it ends the run with its reason."""
    try:
        return await catalogue.search(query=query, filter=filter, sort=sort, page=page, page_size=size, vectors=vectors)
    except PageTooLarge:
        raise
    except RequestRefused as refused:
        raise _cannot_search(refused) from None
    except FetchFailed as failure:
        raise ApiUnreachable(f"the search failed: {failure.reason}; try again later") from None


def _cannot_search(refused: RequestRefused) -> SettingsError:
    return SettingsError(f"the search cannot be made: {refused.reason}")


async def _fetch_sounds(
    claim: SimilarClaim | DetailsClaim | ConfirmClaim | JudgeClaim, catalogue: Catalogue, search: Search, clock: Clock
) -> Outcome:
    match claim:
        case SimilarClaim(sound_id):
            length = search.lengths.get(sound_id, search.neighbours)
            return SimilarFetched(claim, await catalogue.fetch_similar(sound_id, length, filter=search.filter), length)
        case DetailsClaim(sound_ids) if search.vectors:
            return DetailsFetched(claim, await _fetch_vectors(catalogue, sound_ids))
        case DetailsClaim(sound_ids):
            return DetailsFetched(claim, await catalogue.fetch_records(sound_ids))
        case JudgeClaim(sound_ids):
            return Judged(claim, await catalogue.fetch_records(sound_ids, filter=search.filter))
        case ConfirmClaim(sound_id):
            record = await catalogue.fetch_sound(sound_id)
            return Confirmed(claim, record, clock.time_us())


async def _fetch_vectors(catalogue: Catalogue, sound_ids: tuple[int, ...]) -> RecordsPage:
    """Fetch records with their vectors, half as many at a time where all of them do not come in time."""
    try:
        return await catalogue.fetch_records(sound_ids, vectors=True)
    except PageTooLarge:
        if len(sound_ids) == 1:
            raise
    middle = len(sound_ids) // 2
    one = await _fetch_vectors(catalogue, sound_ids[:middle])
    other = await _fetch_vectors(catalogue, sound_ids[middle:])
    return RecordsPage(
        (*one.records, *other.records),
        one.count + other.count,
        has_next=False,
        fetched_at=other.fetched_at,
        oddities=dict(Counter(one.oddities) + Counter(other.oddities)),
        vectors={**one.vectors, **other.vectors},
    )


def _describe(claim: Claim) -> str:
    match claim:
        case SimilarClaim(sound_id):
            return f"similar list of sound {sound_id}"
        case DetailsClaim(sound_ids):
            return f"records of {len(sound_ids)} sounds"
        case ConfirmClaim(sound_id):
            return f"is sound {sound_id} gone?"
        case JudgeClaim(sound_ids):
            return f"which of {len(sound_ids)} sounds match?"
        case SeedClaim(page):
            return f"page {page} of the seed search"
        case SweepClaim(window, page, _):
            return f"page {page} of the sweep{f' of {window}' if window else ''}"
        case DecideClaim():
            return "decides what failed"
