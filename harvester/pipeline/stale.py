"""Find stale records and stale similar lists: those that a refresh reads again. Pure.

A refresh never touches what is fresh, never asks for a deleted sound, and never asks for a list shorter than the one
that is here (the join would refuse it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harvester.graph import SoundGraph, is_gone
from harvester.model import SERVER, Deferral


@dataclass(frozen=True, slots=True)
class Refresh:
    """What to read again: records (and with `links` lists) older than `older_than_us`, at most `limit` of each; with
    `links` also lists that were asked for shorter than `neighbours`."""

    older_than_us: int
    limit: int | None = None
    links: bool = False
    neighbours: int = 25


@dataclass(slots=True)
class Stale:
    """The sounds whose records are read again, stalest first, and those whose lists are, with the length to ask for."""

    records: list[int] = field(default_factory=list)
    lists: dict[int, int] = field(default_factory=dict)


def find_stale(state: SoundGraph, deferrals: Mapping[int, Deferral], refresh: Refresh, now_us: int) -> Stale:
    """Return what `refresh` asks for; deferred sounds wait for their time."""
    oldest_us = now_us - refresh.older_than_us
    records: list[tuple[int, int]] = []
    lists: list[tuple[int, int, int]] = []
    for sound_id in state.graph:
        attributes = state.attributes(sound_id)
        deferral = deferrals.get(sound_id)
        if is_gone(attributes) or (deferral is not None and deferral.next_try_at > now_us):
            continue
        if attributes.get("fetched_at", now_us) <= oldest_us:
            records.append((attributes["fetched_at"], sound_id))
        if refresh.links and sound_id in state.processed:
            # A list computed here, or made under a filter, gives way to any of the server's without one.
            plain = attributes["link_origin"] == SERVER and not attributes["link_filter"]
            known = attributes["link_limit"] if plain else 0
            if attributes["linked_at"] <= oldest_us or known < refresh.neighbours:
                lists.append((attributes["linked_at"], sound_id, max(known, refresh.neighbours)))
    return Stale(
        [sound_id for _, sound_id in sorted(records)[: refresh.limit]],
        {sound_id: length for _, sound_id, length in sorted(lists)[: refresh.limit]},
    )
