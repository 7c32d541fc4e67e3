"""What `harvester analyse` computed for each sound, beside the state.

Owns the names and kinds of these values, and the digest of the graph that they belong to. They are computed from the
state and no part of it: no event, checkpoint or merge has them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from harvester.graph.attributes import RELATION_FIELDS, canonical_bytes, is_gone

if TYPE_CHECKING:
    from harvester.graph.lazy_digraph import LibraryGraph


@dataclass(frozen=True, slots=True)
class Measures:
    """The place of one sound in the graph of the sounds that were analysed.

    `community` and `component` are numbered from 1, the largest first. `core` is the largest k for which the sound is
    in a part of the graph where each sound has k neighbours. `pagerank` is the sound's share of 1, `betweenness` the
    share of the shortest paths among other sounds that go through it, None if it was not asked for. `clustering` is the
    share of the pairs of its neighbours that are neighbours too. `in_degree` and `out_degree` count edges. Only they
    and `pagerank` look at the direction of edges.
    """

    community: int
    component: int
    core: int
    pagerank: float
    betweenness: float | None
    clustering: float
    in_degree: int
    out_degree: int


_SHARES = ("pagerank", "betweenness", "clustering")
MEASURES: dict[str, type[int] | type[float]] = {
    field.name: float if field.name in _SHARES else int for field in fields(Measures)
}
"""The names of the measures in the order of columns, each with the type of its values."""


def graph_digest(graph: LibraryGraph, source: str) -> str:
    """Return a digest of a graph: of the sounds and their edges.

    `source` is their catalogue; sounds that are gone are left out. Two libraries with an equal digest have equal
    measures, whatever their records say.
    """
    digest = blake2b(digest_size=16)
    digest.update(source.encode(errors="surrogatepass"))
    for sound_id in sorted(graph._node):
        if is_gone(graph._node[sound_id]):
            continue
        edges = graph._adj[sound_id]
        targets = sorted(edges)
        digest.update(struct.pack(f"<{2 + len(targets)}q", sound_id, len(targets), *targets))
        digest.update(struct.pack(f"<{len(targets)}d", *(edges[target].get("score", -1.0) for target in targets)))
        digest.update(_relations(edges, targets))
    return digest.hexdigest()


def _relations(edges: Mapping[int, Mapping[str, Any]], targets: Iterable[int]) -> bytes:
    related = [[target, *map(edges[target].get, RELATION_FIELDS)] for target in targets if "relation" in edges[target]]
    return canonical_bytes(related) if related else b""
