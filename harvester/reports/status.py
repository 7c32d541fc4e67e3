"""Count what a library holds. Takes the state, reads no file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from heapq import nsmallest
from typing import Any

from harvester.clock import DAY_US, iso
from harvester.graph import SIMILAR, LibraryTally, SoundGraph
from harvester.model import Deferral
from harvester.records import license_name

TOP = 10


def count_library(
    state: SoundGraph, deferrals: Mapping[int, Deferral], now_us: int, tally: LibraryTally | None = None
) -> dict[str, Any]:
    """Return the counts of `status --json`, all zero if empty.

    `tally` may pass that of the state to save the time. `edges` are those that the library holds: those of
    `edge_kinds`, which exports and the map show, and the `hidden_edges` from or to sounds that are gone. An edge with
    several kinds is counted for each.
    """
    tally = tally or LibraryTally.of(state)
    numbers, shown = tally.numbers, tally.kinds - tally.hidden_kinds
    later = (one.sound_id for one in deferrals.values() if one.next_try_at > now_us)
    deferred = sum(sound_id in state and state.is_pending(sound_id) for sound_id in later)
    return {
        "nodes": numbers["nodes"],
        "edges": numbers["edges"],
        "edge_kinds": dict(sorted(shown.items(), key=lambda pair: (pair[0] != SIMILAR, -pair[1], pair[0]))),
        "hidden_edges": numbers["hidden_edges"],
        "processed": numbers["processed"],
        "lists": numbers["lists"],
        "computed_lists": numbers["computed_lists"],
        "frontier": numbers["pending"] - deferred,
        "deferred": deferred,
        "gone": numbers["gone"],
        "without_record": numbers["without_record"],
        "source": state.source,
        "seeds": len(state.seeds),
    }


def list_deferred(state: SoundGraph, deferrals: Mapping[int, Deferral], now_us: int) -> list[dict[str, Any]]:
    """Return the deferred sounds, the soonest retry first.

    Each has its reason, number of failures and next retry.
    """
    rows = sorted(deferrals.values(), key=lambda one: (one.next_try_at, one.sound_id))
    return [
        {
            "id": one.sound_id,
            "name": state.name_of(one.sound_id),
            "reason": one.reason,
            "count": one.count,
            "next_try_at": one.next_try_at,
            "next_try": iso(one.next_try_at),
            "due": one.next_try_at <= now_us,
        }
        for one in rows
        if one.sound_id in state and not state.is_gone(one.sound_id)
    ]


def describe_content(state: SoundGraph, among: Iterable[int] | None = None) -> dict[str, Any]:
    """Return `describe_tally` of the sounds in `among`, or of all."""
    return describe_tally(LibraryTally.of_sounds(state, state.graph if among is None else among))


def describe_tally(tally: LibraryTally) -> dict[str, Any]:
    """Return content and growth statistics for `status --json`.

    Licenses, gen-AI wishes, categories, tags and users are {name: count}, the most frequent first. `growth` has a row
    for each day (UTC) that added something. `oldest_record` is the record that was fetched longest ago. `last_news_at`
    is the time of the newest record, similar list or tombstone, or None. Only it and `growth` count sounds that are
    gone. Data of unknown time, which was imported, is in none of these three.
    """
    licenses: Counter[str] = Counter()
    for address, number in tally.licenses.items():
        licenses[license_name(address)] += number
    oldest, newest_us = tally.extremes
    return {
        "licenses": _top(licenses),
        "gen_ai_wishes": _top(tally.gen_ai_wishes),
        "categories": _top(tally.categories),
        "tags": _top(tally.tags),
        "users": _top(tally.users),
        "growth": [
            {"day": iso(day * DAY_US)[:10], "sounds": tally.sound_days[day], "samples": tally.sample_days[day]}
            for day in sorted(tally.sound_days | tally.sample_days)
        ],
        "oldest_record": oldest and {"id": oldest[1], "fetched_at": oldest[0], "fetched": iso(oldest[0])},
        "last_news_at": newest_us or None,
    }


def _top(counter: Counter[str]) -> dict[str, int]:
    return dict(nsmallest(TOP, counter.items(), key=lambda pair: (-pair[1], pair[0])))
