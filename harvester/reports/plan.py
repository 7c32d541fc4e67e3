"""Estimate a run's requests, minutes and quota days; send nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

from harvester.filters import contradicts
from harvester.graph import SoundGraph, is_gone
from harvester.model import API_PAGE

WINDOW_PAGES = 10
"""The pages of one window of a deep sweep; consecutive windows overlap by at least one hit."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The harvest to estimate.

    `samples`: how many sounds to process; None: all that wait, or all hits of a sweep. `listed_ids`: these sounds only.
    `query`: whether the search has one. `hits`: how many sounds the search finds; `catalogue`: how many the server has
    that match the filter. Both are None if not known. `deferred`: sounds that this harvest leaves alone, since their
    next try is later.
    """

    samples: int | None = 50
    seed_ids: Sequence[int] = ()
    listed_ids: Sequence[int] = ()
    searched: bool = False
    query: bool = False
    filter: str = ""
    sweep: bool = False
    neighbours: int = 25
    hits: int | None = None
    catalogue: int | None = None
    deferred: Set[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Allowance:
    """Requests the key may send: per minute, per day, left today.

    None means no limit.
    """

    burst: int | None
    daily: int | None
    left: int | None


def plan_requests(state: SoundGraph, wish: Wish) -> dict[str, int]:
    """Return the most requests of each part of a run, in sending order."""
    parts = {"search": 0, "sweep": 0, "records": 0, "lists": 0}
    if wish.listed_ids:
        open_ids = [one for one in wish.listed_ids if one not in state or state.is_pending(one)]
        open_ids = [one for one in open_ids if one not in wish.deferred]
        parts["records"] = math.ceil(sum(not state.has_record(one) for one in open_ids) / API_PAGE)
        parts["lists"] = len(open_ids) if wish.samples is None else min(wish.samples, len(open_ids))
        return parts
    waiting = [sound_id for sound_id in state.pending() if sound_id not in wish.deferred]
    bare = [sound_id for sound_id in waiting if not state.has_record(sound_id)]
    unknown = [sound_id for sound_id in dict.fromkeys(wish.seed_ids) if not state.has_record(sound_id)]
    if wish.sweep:
        hits = wish.hits or 0
        windows = hits // (API_PAGE * WINDOW_PAGES)
        parts["sweep"] = max(1, math.ceil((hits + windows) / API_PAGE))
        parts["lists"] = max(0, hits - (0 if wish.query else _in_scope(state, wish, state.processed)))
        if wish.samples is not None:
            parts["lists"] = min(wish.samples, parts["lists"])
    else:
        parts["search"] = int((wish.searched or not waiting) and not wish.seed_ids)
        parts["lists"] = len(waiting) if wish.samples is None else wish.samples
        if wish.catalogue is not None:
            unprocessed = max(0, wish.catalogue - _in_scope(state, wish, state.processed))
            parts["lists"] = min(parts["lists"], unprocessed)
    parts["records"] = math.ceil(len({*bare, *unknown}) / API_PAGE)
    return parts


def describe_plan(state: SoundGraph, wish: Wish, allowance: Allowance) -> dict[str, Any]:
    """Return the whole estimate under the keys of `plan --json`.

    `minutes` is the time to send all requests at the key's pace; `days` is the number of further days of quota after
    today; `today` is how far the rest of today's quota reaches.
    """
    parts = plan_requests(state, wish)
    total = sum(parts.values())
    within = total if allowance.left is None else min(total, allowance.left)
    beyond = total - within
    overhead = total - parts["lists"]
    return {
        "requests": total,
        "by_part": parts,
        "hits": wish.hits,
        "catalogue": wish.catalogue,
        "samples": parts["lists"],
        "new_sounds_about": _growth(state, wish, parts["lists"]),
        "minutes": 0.0 if allowance.burst is None else round(total / max(1, allowance.burst - 1), 1),
        "days": 0 if allowance.daily is None or not beyond else math.ceil(beyond / allowance.daily),
        "burst_limit": allowance.burst,
        "daily_limit": allowance.daily,
        "quota_left": allowance.left,
        "today": {"requests": within, "samples": max(0, min(parts["lists"], within - overhead)), "all": beyond == 0},
        "library": {
            "nodes": len(state),
            "processed": len(state.processed),
            "frontier": sum(1 for _ in state.pending()),
            "deferred": len(wish.deferred),
        },
    }


def _growth(state: SoundGraph, wish: Wish, samples: int) -> int:
    """Estimate how many new sounds come with `samples` processed sounds.

    It assumes as many for each as so far, and at most all of its neighbours. There are never more than the server has
    and the library lacks.
    """
    known = _in_scope(state, wish, (one for one in state.graph if one not in wish.deferred or state.has_record(one)))
    found = max(0, (wish.hits or 0) - (0 if wish.query else known)) if wish.sweep else 0
    found += sum(one not in state for one in wish.listed_ids)
    so_far = len(state) / len(state.processed) if state.processed else wish.neighbours
    about = round(min(so_far, wish.neighbours + 1) * samples) + found
    return about if wish.catalogue is None else min(about, max(0, wish.catalogue - known))


def _in_scope(state: SoundGraph, wish: Wish, sound_ids: Iterable[int]) -> int:
    """Count the sounds that are not gone and do not contradict the filter."""
    count = 0
    for sound_id in sound_ids:
        attributes = state.attributes(sound_id)
        count += not is_gone(attributes) and not (wish.filter and contradicts(wish.filter, attributes))
    return count
