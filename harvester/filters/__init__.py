"""Floor 0: what a filter means. Read it, join it with others, write it as the server and its index will understand it.

A filter travels through the harvester as its canonical text; every text that is joined here is read first, so that no
operator of one part reaches into another. Knows neither network nor library.
"""

from __future__ import annotations

from harvester.filters.evidence import contradicts
from harvester.filters.parse import Filter, read_filter
from harvester.filters.presets import build_filter, canonical, filter_ids, filter_similar, join_filters

__all__ = [
    "Filter",
    "build_filter",
    "canonical",
    "contradicts",
    "filter_ids",
    "filter_similar",
    "join_filters",
    "read_filter",
]
