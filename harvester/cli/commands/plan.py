"""`harvester plan`: estimate what a harvest or a sweep costs."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from harvester.cli.console import (
    Console,
    JsonOption,
    LibraryOption,
    duration_text,
    print_event,
    print_json,
    print_lines,
)
from harvester.cli.options import NeighboursOption, SamplesOption, ScopeOptions, ServerOptions, grouped
from harvester.counts import counted


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

    It also says how far today's quota reaches. The options are those of `harvester harvest`. It sends one request,
    which counts the sounds on the server that match the filter; with --query another one counts what the search finds.
    If it finds nothing, another request tells why.
    """
    from harvester import actions

    estimate = asyncio.run(
        actions.plan(
            library,
            **scope.keywords(),
            samples=samples,  # type: ignore[arg-type]  # the option's callback returns a number or `all`
            neighbours=neighbours,
            **server.keywords(),
            verbose=Console.verbose,
            on_progress=print_event,
        )
    )
    if as_json:
        print_json(estimate.as_dict())
    else:
        print_lines(*_lines(estimate.as_dict(), permitted=scope.i_have_permission))


_PARTS = {
    "search": "seeds by search",
    "sweep": "the sweep, 150 sounds a request",
    "records": "records of sounds known by id, 150 a request; an id that the search lacks is looked for again later",
    "lists": "similar lists, one for each processed sound",
}


def _lines(facts: dict[str, Any], *, permitted: bool) -> list[str]:
    from harvester.actions import MOST_WITHOUT_PERMISSION

    lines = [
        f"{counted(facts['requests'], 'request')} for {counted(facts['samples'], 'processed sound')}, "
        f"about {counted(facts['new_sounds_about'], 'new sound')}"
    ]
    lines += [f"  {facts['by_part'][part]:>7,}  {what}" for part, what in _PARTS.items() if facts["by_part"][part]]
    if facts["hits"] is not None:
        lines.append(f"the search finds {counted(facts['hits'], 'sound')}")
        if facts["hits"] > MOST_WITHOUT_PERMISSION and facts["by_part"]["sweep"] and not permitted:
            lines.append(
                "the API's terms do not allow a copy of this size: ask Freesound first, then use --i-have-permission"
            )
    if facts["library"]["deferred"]:
        lines.append(f"{facts['library']['deferred']:,} deferred sounds cost nothing now: they are retried later")
    if facts["burst_limit"] is None:
        lines.append("no limits: the harvest is as fast as the server answers")
    else:
        lines.append(f"at {facts['burst_limit']} requests a minute: {_sending_text(facts['minutes'])} of sending")
    if facts["daily_limit"] is not None:
        lines.append(_reach(facts))
    return lines


def _sending_text(minutes: float) -> str:
    """Return the time of sending, rounded up to minutes from one minute on."""
    return duration_text(minutes * 60 if minutes < 1 else math.ceil(minutes) * 60)


def _reach(facts: dict[str, Any]) -> str:
    quota = f"{facts['quota_left']:,} of today's {facts['daily_limit']:,} requests are left"
    if facts["today"]["all"]:
        return f"{quota}: enough for the whole harvest"
    return (
        f"{quota}: enough for {counted(facts['today']['samples'], 'processed sound')}; the rest takes "
        f"{counted(facts['days'], 'more day')} (`harvester harvest --forever` waits for the quota)"
    )
