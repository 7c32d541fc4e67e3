"""`harvester plan`: estimate what a harvest or a sweep costs, before it runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvester.cli.console import JsonOption, LibraryOption, duration_text, print_json, print_lines
from harvester.cli.options import NeighboursOption, SamplesOption, ScopeOptions, ServerOptions, grouped

if TYPE_CHECKING:
    from harvester.cli.connect import Connection
    from harvester.freesound import FreesoundClient


@grouped
def plan(
    *,
    library: LibraryOption = None,
    scope: ScopeOptions,
    samples: SamplesOption = None,
    neighbours: NeighboursOption = 25,
    server: ServerOptions,
    as_json: JsonOption = False,
) -> None:
    """Estimate the requests, minutes and days that a harvest takes.

    It also says how far today's quota reaches. The options are those of `harvester harvest`. With --query or a filter
    it sends one request, which counts the sounds that the search finds; otherwise it sends none.
    """
    from harvester.reports import Wish

    scope_filter = scope.read_filter()
    wish = Wish(
        samples=scope.samples_to_add(samples),
        seed_ids=tuple(scope.seed or ()),
        searched=bool(scope.query or scope_filter),
        filter=scope_filter,
        sweep=scope.sweep,
        neighbours=neighbours,
    )
    facts = asyncio.run(_plan(server.connection(), Path(library) if library else None, scope.query, wish))
    if as_json:
        print_json(facts)
    else:
        print_lines(*_lines(facts, permitted=scope.i_have_permission))


async def _plan(connection: Connection, given: Path | None, query: str, wish: Any) -> dict[str, Any]:
    from dataclasses import replace

    from harvester.cli.connect import open_client, open_server
    from harvester.clock import Stop, SystemClock
    from harvester.library import load_view
    from harvester.reports import Allowance, describe_plan

    clock = SystemClock()
    async with open_server(connection, clock) as server:
        state = load_view(given or server.folder).state
        async with open_client(connection, server, clock, Stop(), space=state.space) as client:
            if wish.searched:
                wish = replace(wish, hits=await _count(client, query, wish.filter))
            # The embedded sandbox has no limits, so the plan assumes the limits of a key that the user may get.
            limits = connection.limits if server.embedded else client.limits
            left = limits.daily if server.embedded else client.quota_left()
            facts = describe_plan(state, wish, Allowance(limits.burst, limits.daily, left))
            return {
                **facts,
                "asked": client.activity.counted,
                "server": server.url if connection.api_url else "sandbox",
            }


async def _count(client: FreesoundClient, query: str, filter: str) -> int:
    from harvester.errors import ApiUnreachable, FetchFailed, RequestRefused, SettingsError, Stopped

    try:
        return (await client.search(query=query, filter=filter, page_size=1)).count
    except RequestRefused as refused:
        raise SettingsError(f"the server refuses the search: {refused.reason}") from None
    except FetchFailed as failure:
        raise ApiUnreachable(f"the search failed: {failure.reason}; try again later") from None
    except Stopped as stopped:
        raise ApiUnreachable(f"the search cannot be counted now: {stopped}") from None


_PARTS = {
    "search": "seeds by search",
    "sweep": "the sweep, 150 sounds a request",
    "records": "records of sounds known by id, 150 a request",
    "lists": "similar lists, one for each processed sound",
}


def _lines(facts: dict[str, Any], *, permitted: bool) -> list[str]:
    from harvester.pipeline import MOST_WITHOUT_PERMISSION

    lines = [
        f"{facts['requests']} requests for {facts['samples']} processed sounds, "
        f"about {facts['new_sounds_about']} new sounds"
    ]
    lines += [f"  {facts['by_part'][part]:>7}  {what}" for part, what in _PARTS.items() if facts["by_part"][part]]
    if facts["hits"] is not None:
        lines.append(f"the search finds {facts['hits']} sounds")
        if facts["hits"] > MOST_WITHOUT_PERMISSION and facts["by_part"]["sweep"] and not permitted:
            lines.append(
                "the API's terms do not allow a copy of this size: ask Freesound first, then use --i-have-permission"
            )
    if facts["burst_limit"] is None:
        lines.append("no limits: the harvest is as fast as the server answers")
    else:
        lines.append(f"at {facts['burst_limit']} requests a minute: {duration_text(facts['minutes'] * 60)} of sending")
    if facts["daily_limit"] is not None:
        lines.append(_reach(facts))
    return lines


def _reach(facts: dict[str, Any]) -> str:
    quota = f"{facts['quota_left']} of today's {facts['daily_limit']} requests are left"
    if facts["today"]["all"]:
        return f"{quota}: enough for the whole harvest"
    return (
        f"{quota}: enough for {facts['today']['samples']} processed sounds; the rest takes {facts['days']} more "
        f"{'day' if facts['days'] == 1 else 'days'} (`harvester harvest --forever` waits for the quota)"
    )
