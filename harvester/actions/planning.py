"""`plan`: estimate what a harvest costs, before it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from harvester.actions.blocking import blocking
from harvester.actions.connect import open_client, open_server
from harvester.actions.empty_search import explain_empty_search
from harvester.actions.events import OnProgress, Reporter
from harvester.actions.id_lists import read_listed
from harvester.actions.keywords import StrPath
from harvester.actions.missing_key import refuse_without_key
from harvester.actions.options import (
    check_folder,
    check_listener,
    check_verbosity,
    check_whole,
    keywords_named,
    read_connection,
)
from harvester.actions.scope_options import Wanted, read_scope
from harvester.clock import Stop, SystemClock
from harvester.errors import ApiUnreachable, FetchFailed, RequestRefused, SettingsError, Stopped
from harvester.freesound import FreesoundClient
from harvester.library import holds_library, load_view
from harvester.pipeline import holds_back
from harvester.reports import Allowance, Wish, describe_plan
from harvester.settings import NEIGHBOURS


@dataclass(frozen=True, slots=True)
class PlannedRequests:
    """The most requests of each part of a harvest."""

    search: int
    sweep: int
    records: int
    lists: int


@dataclass(frozen=True, slots=True)
class WithinToday:
    """How far the rest of today's quota reaches.

    `all`: to the end of the harvest.
    """

    requests: int
    samples: int
    all: bool


@dataclass(frozen=True, slots=True)
class PlannedLibrary:
    """What the library holds before the harvest.

    `frontier`: sounds that wait for their similar list. `deferred`: those of them that are retried later.
    """

    nodes: int
    processed: int
    frontier: int
    deferred: int


@dataclass(frozen=True, slots=True)
class HarvestEstimate:
    """What a harvest costs at most, named as in `harvester plan --json`.

    `requests`: all that it may send, and `by_part` those of each part; `today` tells how many of them today's quota
    allows. `samples`: the sounds it processes. `hits`: what the search finds, None without a search. `catalogue`: the
    sounds on the server that match the filter, None if they could not be counted. `new_sounds_about`: roughly how many
    new sounds it brings, never more than the server has and the library lacks. `minutes`: the time to send all requests
    at the key's pace. `days`: further days of quota after today. `burst_limit` (requests a minute), `daily_limit` and
    `quota_left` (requests) are None where there is no limit. `library`: what it holds before. `asked`: the requests
    that this estimate took. `server`: its address, or `sandbox` for the embedded one. `notices`: lines that need
    attention.
    """

    requests: int
    by_part: PlannedRequests
    hits: int | None
    catalogue: int | None
    samples: int
    new_sounds_about: int
    minutes: float
    days: int
    burst_limit: int | None
    daily_limit: int | None
    quota_left: int | None
    today: WithinToday
    library: PlannedLibrary
    asked: int
    server: str
    notices: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the estimate as plain data, under the keys of `plan --json`."""
        return {name: value for name, value in asdict(self).items() if name != "notices"}


async def plan(
    library: Path | str | None = None,
    *,
    seed: int | Iterable[int] | None = None,
    query: str = "",
    filter: str = "",
    cc0: bool = False,
    by: bool = False,
    max_duration: float | str | None = None,
    tag: str | Iterable[str] | None = None,
    type: str | Iterable[str] | None = None,
    ids: StrPath | Iterable[int] | None = None,
    column: str = "",
    user: str | Iterable[str] | None = None,
    pack: int | Iterable[int] | None = None,
    sweep: bool = False,
    vectors: str | None = None,
    i_have_permission: bool = False,
    samples: int | Literal["all"] | None = None,
    neighbours: int = 25,
    key: str | None = None,
    level: int = 1,
    limits: str | None = None,
    api_url: str | None = None,
    sandbox: bool = False,
    verbose: int = 0,
    on_progress: OnProgress | None = None,
) -> HarvestEstimate:
    """Estimate the requests, minutes and days that a harvest takes.

    The other keywords are those of `harvest`. It sends one request, which counts the sounds on the server that match
    the filter, and with a query another one, which counts what the search finds. If that is none, another request tells
    why. With `ids` it sends none. It changes no library. Without a library it plans a new one, and a `Told` says so.
    `on_progress` gets `Told` events only; what it raises is raised here at once.

    Raises a `HarvesterError`: `SettingsError` for keywords that cannot be used and for a search that the server
    refuses, `ApiUnreachable` when the search cannot be counted.
    """
    with keywords_named(plan):
        reporter = Reporter(check_listener("--on-progress", on_progress), verbose=check_verbosity("--verbose", verbose))
        wanted = read_scope(
            reporter, seed=seed, query=query, filter=filter, cc0=cc0, by=by, max_duration=max_duration, tag=tag,
            type=type, sweep=sweep, vectors=vectors, i_have_permission=i_have_permission, ids=ids, column=column,
            user=user, pack=pack,
        )  # fmt: skip
        target = wanted.target(samples)
        listed = await read_listed(reporter, ids, wanted)
        neighbours = check_whole("--neighbours", neighbours, NEIGHBOURS)
        connection = read_connection(reporter, key=key, level=level, limits=limits, api_url=api_url, sandbox=sandbox)
        folder, clock = check_folder("--library", library), SystemClock()
        await asyncio.to_thread(refuse_without_key, connection, folder)
        async with open_server(connection, clock, reporter) as server:
            folder = folder or server.folder
            if not holds_library(folder):
                reporter.tell(f"{folder}: there is no library yet, so this is the plan of a new one")
            view = await asyncio.to_thread(load_view, folder)
            state, now_us = view.state, clock.time_us()
            async with open_client(connection, server, clock, Stop(), reporter, space=state.space) as client:
                searched = bool(wanted.query or wanted.filter)
                hits = await _count(client, wanted.query, wanted.filter) if searched else None
                catalogue = None
                if not listed:
                    known = bool(wanted.filter and not wanted.query)
                    catalogue = hits if known else await _catalogue(client, wanted, reporter)
                wish = Wish(
                    samples=target,
                    seed_ids=wanted.seed_ids,
                    listed_ids=listed,
                    searched=searched,
                    query=bool(wanted.query),
                    filter=wanted.filter,
                    sweep=wanted.sweep,
                    neighbours=neighbours,
                    hits=hits,
                    catalogue=catalogue,
                    deferred={
                        sound_id
                        for sound_id, one in view.deferrals.items()
                        if sound_id in state
                        and state.is_pending(sound_id)
                        and holds_back(one, state.attributes(sound_id), now_us)
                    },
                )
                if wish.hits == 0:
                    reporter.warn(await explain_empty_search(client, wanted.query, wanted.filter, state))
                limited = client.limits
                facts = describe_plan(state, wish, Allowance(limited.burst, limited.daily, client.quota_left()))
                return HarvestEstimate(
                    **{
                        **facts,
                        "by_part": PlannedRequests(**facts["by_part"]),
                        "today": WithinToday(**facts["today"]),
                        "library": PlannedLibrary(**facts["library"]),
                    },
                    asked=client.activity.counted,
                    server=server.url if connection.api_url else "sandbox",
                    notices=tuple(reporter.notices),
                )


async def _catalogue(client: FreesoundClient, wanted: Wanted, reporter: Reporter) -> int | None:
    """Return how many sounds match the filter; None if that is unknown.

    The estimate does without it: it has then no upper bound of new sounds.
    """
    problem = "no request is left today"
    if client.quota_left() != 0:
        try:
            return await _count(client, "", wanted.filter)
        except ApiUnreachable as error:
            problem = str(error)
    reporter.warn(f"the sounds of the server could not be counted ({problem}): there may be fewer new ones")
    return None


async def _count(client: FreesoundClient, query: str, filter: str) -> int:
    try:
        return (await client.search(query=query, filter=filter, page_size=1)).count
    except RequestRefused as refused:
        raise SettingsError(f"the server refuses the search: {refused.reason}") from None
    except FetchFailed as failure:
        raise ApiUnreachable(f"the search failed: {failure.reason}; try again later") from None
    except Stopped as stopped:
        raise ApiUnreachable(f"the search cannot be counted now: {stopped}") from None


run_plan = blocking(plan)
