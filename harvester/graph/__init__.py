"""The state of a library in memory: events, merges and views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvester.graph.attributes import (
    DEEPEST,
    FLAT,
    LINK_FIELDS,
    OWN_FIELDS,
    RELATION_FIELDS,
    SHARED_TEXTS,
    STAMPS,
    UNKNOWN_TIME,
    blanked,
    extra_names,
    in_order,
    is_gone,
    is_withdrawn,
    record_of,
)
from harvester.graph.community_names import NAMED_FROM, TellingWords, name_communities
from harvester.graph.edges import SIMILAR, Edge, EdgeRule, read_edge_kinds
from harvester.graph.event_rules import (
    Dropped,
    check_events,
    check_local,
    is_possible_deferral,
    is_weight,
    keep_possible,
)
from harvester.graph.excerpt import Excerpt, take_excerpt
from harvester.graph.lent import LaidOver
from harvester.graph.measures import MEASURES, Measures, graph_digest
from harvester.graph.merge_rules import similar_of
from harvester.graph.missing_values import MissingValue, explain_missing, find_missing, missing_words, suggest
from harvester.graph.on_disk import OnDiskState
from harvester.graph.plugin_views import ExportView, GraphView, SelectedView
from harvester.graph.selection import Selected, Selection, around, narrow, select
from harvester.graph.small_graph import SmallGraph
from harvester.graph.sound import Sound
from harvester.graph.state import SoundGraph
from harvester.graph.surroundings import Surroundings, find_surroundings
from harvester.graph.tally import Extremes, LibraryTally
from harvester.graph.whole_sound import (
    LibraryFacts,
    WholeSound,
    library_text,
    read_json,
    read_library_text,
    read_sound_object,
    read_sound_text,
    sound_object,
    sound_text,
    stands_apart,
    text_of_sound,
)
from harvester.graph.words import has_words, rank_words, split_words, tokens_of

if TYPE_CHECKING:
    from harvester.graph.lazy_digraph import DiGraph


def __getattr__(name: str) -> object:
    if name == "DiGraph":  # NetworkX takes a tenth of a second to import
        from harvester.graph.lazy_digraph import DiGraph

        return DiGraph
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
