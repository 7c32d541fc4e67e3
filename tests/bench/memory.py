"""Memory of a library in use, per node with its record and 20 scored edges, beside NetworkX with the JSON as parsed.

Goal: at most 0.9 of it. More than half of both are the edges' own dicts, which every reader of the graph expects.
"""

from __future__ import annotations

import gc
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import networkx as nx

from harvester.checkpoint.format import decode_checkpoint
from tests.bench.beside.libraries import EDGES, grown, list_of, record_of, saved
from tests.bench.beside.measuring import in_fresh_process, resident_bytes
from tests.bench.table import Table

SOUNDS = 30_000


def _resident() -> int:
    gc.collect()
    return resident_bytes()


def ours(sounds: int) -> float:
    record_of(0)
    before = _resident()
    state = grown(sounds)
    return (_resident() - before) / len(state)


def loaded(path: str) -> float:
    packed = Path(path).read_bytes()
    before = _resident()
    state = decode_checkpoint(packed).state
    return (_resident() - before) / len(state)


def plain(sounds: int) -> float:
    """Keep what a script keeps: each answer parsed, the record as the node's attributes, an edge for each neighbour."""
    record_of(0)
    before = _resident()
    graph, random, ids = nx.DiGraph(), Random(7), []
    for place in range(sounds):
        record = record_of(place)
        graph.add_node(record["id"], **record)
        ids.append(record["id"])
    for place, sound_id in enumerate(ids):
        neighbours = list_of(ids, place, EDGES, random).neighbours
        for other, score in neighbours:
            graph.add_edge(sound_id, other, score=score)
    return (_resident() - before) / len(graph)


def run() -> Table:
    table = Table(f"Memory per node, {SOUNDS:,} nodes with record and {EDGES} scored edges", ("who", "bytes", "ratio"))
    theirs = in_fresh_process(plain, SOUNDS)
    table.rows.append(("networkx with the parsed JSON", round(theirs), 1.0))
    mine = in_fresh_process(ours, SOUNDS)
    table.rows.append(("harvester, as harvested", round(mine), mine / theirs))
    with TemporaryDirectory() as scratch:
        path = saved(SOUNDS, Path(scratch) / "library.pkl")
        read = in_fresh_process(loaded, str(path))
    table.rows.append(("harvester, as loaded", round(read), read / theirs))
    for gib in (8, 24):
        millions = gib * 1024**3 * 0.8 / mine / 1e6
        edges = millions * EDGES
        table.notes.append(
            f"{gib} GiB, a fifth left free: about {millions:.1f} million sounds, {edges:.0f} million edges"
        )
    table.notes.append("goal: at most 0.9")
    return table
