"""Parse, join and write filters for the server and its index.

The harvester passes a filter on as its canonical text. Every text that is joined here is parsed first, so that no
operator of one part affects another part. Knows neither network nor library.
"""

from __future__ import annotations

from harvester.filters.evidence import contradicts
from harvester.filters.impossible import refuse_impossible
from harvester.filters.parse import Filter, read_filter
from harvester.filters.presets import (
    build_filter,
    canonical,
    filter_ids,
    filter_similar,
    join_filters,
    list_conditions,
)
from harvester.filters.tree import Leaf, Term
