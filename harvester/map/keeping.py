"""What the page needs to keep sounds on a shortlist and to credit them.

The credits that the page saves have the words of `harvester export credits`; the rules come from their owners.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from harvester.graph import Sound, SoundGraph
from harvester.records import LICENSE_DUTIES, LICENSE_MARKS
from harvester.terminal_text import UNSAFE_RANGES


def keeping_rules(state: SoundGraph, library: str) -> dict[str, Any]:
    """Return the key of a library's shortlist, and the rules for credits.

    The key depends on the library's source and its folder's name, so that all maps of a library share one shortlist. It
    tells neither.
    """
    key = hashlib.sha256(f"{state.source}\n{library}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return {"library": key, "duties": LICENSE_DUTIES, "marks": LICENSE_MARKS, "controls": UNSAFE_RANGES}


def fetch_days(known: Sequence[Sound]) -> dict[str, list[Any]]:
    """Return the days on which records were fetched, and each sound's.

    A day is None for a sound without a record, and empty where it is not known.
    """
    days = [None if not one.has_record else str(one.fetched_at)[:10] if one.fetched_at else "" for one in known]
    places = {day: place for place, day in enumerate(dict.fromkeys(days))}
    return {"fetched": [places[day] for day in days], "days": list(places)}
