"""Claim work, ask the API and hand the outcome to the writer.

Several fetchers run at once. Each claim ends in one outcome on the queue, or is released; no exception is lost. A
fetcher never reads or changes the graph.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from harvester.clock import Clock
from harvester.counts import counted
from harvester.errors import ApiUnreachable, FetchFailed, PageTooLarge, RequestRefused, SettingsError, Stopped
from harvester.filters import join_filters
from harvester.model import API_PAGE, RecordsPage
from harvester.pipeline.frontier import Frontier
from harvester.pipeline.messages import (
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
from harvester.pipeline.ports import SoundApi
from harvester.pipeline.progress import Progress
from harvester.pipeline.reasons import reason_of
from harvester.pipeline.scope import Scope
from harvester.told import Level


async def run_fetcher(
    number: int,
    api: SoundApi,
    scope: Scope,
    frontier: Frontier,
    outcomes: asyncio.Queue[Outcome | None],
    *,
    clock: Clock,
    progress: Progress,
) -> None:
    """Fetch until the run is closed.

    Returns on `Stopped`. On a `HarvesterError` or a cancellation it releases the claim and raises; the answer to a
    request that was already sent is lost.
    """
    progress.tasks[number] = asyncio.current_task()
    while True:
        progress.activity[number] = "waiting for work"
        try:
            claim = await frontier.claim()
        except Stopped:
            progress.activity.pop(number, None)
            return
        what = progress.activity[number] = _describe(claim)
        why = reason_of(claim, frontier, scope.plan)
        progress.tell(f"next: {what} ({why})", Level.DECISION, "next", fetcher=number + 1, what=what, reason=why)
        try:
            outcome = await _fetch(claim, api, scope, clock)
        except Stopped as stopped:
            progress.tell(f"released: {what} ({stopped})", Level.DETAIL, "claim", fetcher=number + 1, what=what)
            frontier.release(claim)
            continue
        except PageTooLarge as slow:
            frontier.split(claim)
            progress.tell(f"a page was too large ({slow.reason}): retrying with smaller pages")
            continue
        except BaseException:
            frontier.release(claim)
            raise
        how = f"failed ({outcome.reason})" if isinstance(outcome, Failed) else "answered"
        progress.tell(f"{how}: {what}", Level.DETAIL, "claim", fetcher=number + 1, what=what)
        await outcomes.put(outcome)


async def _fetch(claim: Claim, api: SoundApi, scope: Scope, clock: Clock) -> Outcome:
    plan = scope.plan
    match claim:
        case SeedClaim(page):
            return SeedsFetched(claim, await _search(api, plan.query, plan.filter, plan.sort, page))
        case SweepClaim(window, page, size):
            # Only this order keeps earlier pages as they are during a sweep: new sounds come last.
            bounded, vectors = join_filters(window, plan.filter), bool(plan.vectors)
            return Swept(claim, await _search(api, plan.query, bounded, "created_asc", page, size, vectors))
        case SimilarClaim() | DetailsClaim() | ConfirmClaim() | JudgeClaim():
            try:
                return await _fetch_sounds(claim, api, scope, clock)
            except RequestRefused as refused:
                if isinstance(claim, JudgeClaim):
                    raise _cannot_search(refused) from None
                return Failed(claim, refused.reason, refused.doubt)
            except FetchFailed as failure:
                return Failed(claim, failure.reason, failure.doubt)
        case DecideClaim():
            return Decided(claim)


async def _search(
    api: SoundApi, query: str, filter: str, sort: str, page: int, size: int = API_PAGE, vectors: bool = False
) -> RecordsPage:
    """Fetch a page of a search; a failure ends the run with its reason."""
    try:
        return await api.search(query=query, filter=filter, sort=sort, page=page, page_size=size, vectors=vectors)
    except PageTooLarge:
        raise
    except RequestRefused as refused:
        raise _cannot_search(refused) from None
    except FetchFailed as failure:
        raise ApiUnreachable(f"the search failed: {failure.reason}; what was read is kept; try again later") from None


def _cannot_search(refused: RequestRefused) -> SettingsError:
    return SettingsError(
        f"the search cannot run: {refused.reason}; what was read is kept; change the query or the filter"
    )


async def _fetch_sounds(
    claim: SimilarClaim | DetailsClaim | ConfirmClaim | JudgeClaim, api: SoundApi, scope: Scope, clock: Clock
) -> Outcome:
    match claim:
        case SimilarClaim(sound_id):
            length = scope.length_of(sound_id)
            return SimilarFetched(claim, await api.fetch_similar(sound_id, length, filter=scope.filter), length)
        case DetailsClaim(sound_ids) if scope.plan.vectors:
            return DetailsFetched(claim, await _fetch_vectors(api, sound_ids))
        case DetailsClaim(sound_ids):
            return DetailsFetched(claim, await api.fetch_records(sound_ids))
        case JudgeClaim(sound_ids):
            return Judged(claim, await api.fetch_records(sound_ids, filter=scope.filter))
        case ConfirmClaim(sound_id):
            record = await api.fetch_sound(sound_id)
            return Confirmed(claim, record, clock.time_us())


async def _fetch_vectors(api: SoundApi, sound_ids: tuple[int, ...]) -> RecordsPage:
    """Fetch records with vectors; after a timeout, half as many at a time."""
    try:
        return await api.fetch_records(sound_ids, vectors=True)
    except PageTooLarge:
        if len(sound_ids) == 1:
            raise
    middle = len(sound_ids) // 2
    one = await _fetch_vectors(api, sound_ids[:middle])
    other = await _fetch_vectors(api, sound_ids[middle:])
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
            return f"records of {counted(len(sound_ids), 'sound')}"
        case ConfirmClaim(sound_id):
            return f"whether sound {sound_id} is deleted"
        case JudgeClaim(sound_ids):
            return f"which of {counted(len(sound_ids), 'sound')} match the filter"
        case SeedClaim(page):
            return f"page {page} of the seed search"
        case SweepClaim(window, page, _):
            return f"page {page} of the sweep{f' of {window}' if window else ''}"
        case DecideClaim():
            return "settling failures in doubt"
