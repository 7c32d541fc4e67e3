"""Estimate a run's requests, minutes and quota days; send nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harvester.graph import SoundGraph
from harvester.model import API_PAGE

WINDOW_PAGES = 10
"""The pages of one window of a deep sweep; consecutive windows overlap by at least one hit."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The harvest to estimate.

    `samples`: how many sounds to process; None: all that wait, or all hits of a sweep. `hits`: the number of sounds
    that the search finds, None if it is not known.
    """

    samples: int | None = 50
    seed_ids: Sequence[int] = ()
    searched: bool = False
    filter: str = ""
    sweep: bool = False
    neighbours: int = 25
    hits: int | None = None


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
    waiting = list(state.pending())
    bare = [sound_id for sound_id in waiting if not state.has_record(sound_id)]
    unknown = [sound_id for sound_id in dict.fromkeys(wish.seed_ids) if not state.has_record(sound_id)]
    parts = {"search": 0, "sweep": 0, "records": 0, "lists": 0}
    if wish.sweep:
        hits = wish.hits or 0
        windows = hits // (API_PAGE * WINDOW_PAGES)
        parts["sweep"] = max(1, math.ceil((hits + windows) / API_PAGE))
        parts["lists"] = hits if wish.samples is None else min(wish.samples, hits)
    else:
        parts["search"] = int((wish.searched or not waiting) and not wish.seed_ids)
        parts["lists"] = len(waiting) if wish.samples is None else wish.samples
        if wish.hits is not None and wish.filter:
            parts["lists"] = min(parts["lists"], wish.hits)
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
        },
    }


def _growth(state: SoundGraph, wish: Wish, samples: int) -> int:
    """Estimate how many new sounds come with `samples` processed sounds.

    It assumes as many for each as so far, and at most all of its neighbours.
    """
    found = wish.hits or 0 if wish.sweep else 0
    so_far = len(state) / len(state.processed) if state.processed else wish.neighbours
    return round(min(so_far, wish.neighbours + 1) * samples) + found
