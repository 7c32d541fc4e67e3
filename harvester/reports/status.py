"""Count what a library holds. Takes the state, reads no file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from harvester.clock import DAY_US, iso
from harvester.graph import UNKNOWN_TIME, SoundGraph, select
from harvester.model import COMPUTED, Deferral
from harvester.records import license_name

TOP = 10
_NEWS = ("fetched_at", "linked_at", "gone_at")


def count_library(state: SoundGraph, deferrals: Mapping[int, Deferral], now_us: int) -> dict[str, Any]:
    """Return the counts of `status --json`, all zero if empty.

    `edges` are those that the library holds: those of `edge_kinds`, which exports and the map show, and the
    `hidden_edges` from or to sounds that are gone. An edge with several kinds is counted for each.
    """
    shown = select(state)
    waiting = list(state.pending())
    deferred = [i for i in waiting if i in deferrals and deferrals[i].next_try_at > now_us]
    return {
        "nodes": len(state),
        "edges": state.edge_count,
        "edge_kinds": shown.edge_kinds,
        "hidden_edges": state.edge_count - shown.edge_count,
        "processed": len(state.processed),
        "lists": state.list_count,
        "computed_lists": sum(attributes.get("link_origin") == COMPUTED for _, attributes in state.graph.nodes.items()),
        "frontier": len(waiting) - len(deferred),
        "deferred": len(deferred),
        "gone": state.gone_count,
        "without_record": sum(not state.has_record(i) for i in waiting),
        "source": state.source,
        "seeds": len(state.seeds),
    }


def with_deferred(counts: Mapping[str, Any], deferred: int) -> dict[str, Any]:
    """Return counts of `count_library` that were made without deferrals.

    `deferred` of the pending sounds are deferred now.
    """
    return {**counts, "frontier": counts["frontier"] - deferred, "deferred": deferred}


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
    """Return content and growth statistics for `status --json`.

    They are of the sounds in `among`, or of all.
    Licenses, gen-AI wishes, categories, tags and users are {name: count}, the most frequent first. `growth` has a row
    for each day (UTC) that added something. `oldest_record` is the record that was fetched longest ago. `last_news_at`
    is the time of the newest record, similar list or tombstone, or None. Only it and `growth` count sounds that are
    gone. Data of unknown time, which was imported, is in none of these three.
    """
    counts: dict[str, Counter[str]] = {
        name: Counter() for name in ("licenses", "gen_ai_wishes", "categories", "tags", "users")
    }
    addresses: Counter[str] = Counter()
    sounds: Counter[int] = Counter()
    samples: Counter[int] = Counter()
    oldest: tuple[int, int] | None = None
    newest = 0
    for sound_id in state.graph if among is None else among:
        attributes = state.attributes(sound_id)
        newest = max(newest, *(attributes.get(name, 0) for name in _NEWS))
        if attributes["added_at"] != UNKNOWN_TIME:
            sounds[attributes["added_at"] // DAY_US] += 1
        if sound_id in state.processed and attributes["linked_at"] != UNKNOWN_TIME:
            samples[attributes["linked_at"] // DAY_US] += 1
        sound = state.sound(sound_id)
        if not sound.has_record or sound.is_gone:
            continue
        fetched = (attributes["fetched_at"], sound_id)
        if fetched[0] != UNKNOWN_TIME:
            oldest = fetched if oldest is None or fetched < oldest else oldest
        addresses[sound.license or ""] += 1
        counts["gen_ai_wishes"][sound.gen_ai_wish] += 1
        counts["categories"][sound.category or "none"] += 1
        counts["users"][sound.username or "unknown"] += 1
        counts["tags"].update({tag.lower() for tag in sound.tags})
    for address, number in addresses.items():
        counts["licenses"][license_name(address)] += number
    return {
        **{name: _top(counter) for name, counter in counts.items()},
        "growth": [
            {"day": iso(day * DAY_US)[:10], "sounds": sounds[day], "samples": samples[day]}
            for day in sorted(sounds | samples)
        ],
        "oldest_record": oldest and {"id": oldest[1], "fetched_at": oldest[0], "fetched": iso(oldest[0])},
        "last_news_at": newest or None,
    }


def _top(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))[:TOP])
