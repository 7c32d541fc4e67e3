"""Find stale records and similar lists, for a refresh to fetch again.

A refresh never fetches what is fresh, a deleted sound, or a list shorter than the known one (the merge rules would
refuse it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harvester.graph import SoundGraph, is_gone
from harvester.model import SERVER, Deferral
from harvester.pipeline.deferral import holds_back


@dataclass(frozen=True, slots=True)
class Refresh:
    """What to fetch again: records older than `older_than_us`.

    With `lists` also similar lists that are as old or that were requested shorter than `neighbours`. At most `limit` of
    each.
    """

    older_than_us: int
    limit: int | None = None
    lists: bool = False
    neighbours: int = 25


@dataclass(slots=True)
class Stale:
    """Sounds with stale records, and with stale lists (id to length).

    Both are in order, the stalest first; the length is the one to request.
    """

    records: list[int] = field(default_factory=list)
    lists: dict[int, int] = field(default_factory=dict)


def find_stale(state: SoundGraph, deferrals: Mapping[int, Deferral], refresh: Refresh, now_us: int) -> Stale:
    """Return what `refresh` asks for, without deferred sounds."""
    oldest_us = now_us - refresh.older_than_us
    records: list[tuple[int, int]] = []
    lists: list[tuple[int, int, int]] = []
    for sound_id in state.graph:
        attributes = state.attributes(sound_id)
        if is_gone(attributes) or holds_back(deferrals.get(sound_id), attributes, now_us):
            continue
        fetched_at = attributes.get("fetched_at")
        if fetched_at is not None and fetched_at <= oldest_us:
            records.append((fetched_at, sound_id))
        if refresh.lists and sound_id in state.processed:
            # Any list of the server without a filter replaces a list computed here or fetched under a filter.
            plain = attributes["link_origin"] == SERVER and not attributes["link_filter"]
            known = attributes["link_limit"] if plain else 0
            if attributes["linked_at"] <= oldest_us or known < refresh.neighbours:
                lists.append((attributes["linked_at"], sound_id, max(known, refresh.neighbours)))
    return Stale(
        [sound_id for _, sound_id in sorted(records)[: refresh.limit]],
        {sound_id: length for _, sound_id, length in sorted(lists)[: refresh.limit]},
    )
