"""Libraries of any size for the benches: records of the sandbox's catalogue, lists of a fixed length."""

from __future__ import annotations

import pickle
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import orjson

from harvester.checkpoint.format import encode_checkpoint
from harvester.graph import SoundGraph
from harvester.model import RECORD_FIELDS, Linked, Record, Seeded, Seen, SimilarList
from harvester.sandbox.generated import GeneratedCatalogue

EDGES = 20
START_US = 1_790_000_000_000_000
SOURCE = "sandbox:bench"
_DIFFERENT = 5_000


@lru_cache(maxsize=1)
def _bodies() -> list[bytes]:
    catalogue = GeneratedCatalogue(_DIFFERENT)
    records = map(catalogue.record, catalogue.ordered("downloads_desc"))
    # What a harvest asks for and gets, not all that the catalogue could tell.
    return [orjson.dumps({name: record[name] for name in RECORD_FIELDS}) for record in records if record is not None]


def record_of(place: int) -> Record:
    """Return the record of the sound at `place`, parsed afresh: beyond the catalogue it is one under another id."""
    body = _bodies()[place % _DIFFERENT]
    record: Record = orjson.loads(body)
    if again := place // _DIFFERENT:
        known, new = record["id"], record["id"] + again * 1_000_000
        # As on Freesound, the addresses of a sound have its id.
        body = body.replace(f"/{known // 1000}/{known}_".encode(), f"/{new // 1000}/{new}_".encode())
        record = orjson.loads(body.replace(f"/sounds/{known}/".encode(), f"/sounds/{new}/".encode()))
        record |= {"id": new, "name": f"{record['name']} {again}"}
    return record


def grown(sounds: int, edges: int = EDGES, first: int = 0) -> SoundGraph:
    """Return a state of so many samples, each with its record and a list of `edges` neighbours."""
    state, random = SoundGraph(SOURCE), Random(7)
    ids = []
    for place in range(first, first + sounds):
        record = record_of(place)
        ids.append(record["id"])
        state.apply(Seen(record["id"], record, START_US + place))
    state.apply(Seeded((ids[0],)))
    for place, sound_id in enumerate(ids):
        state.apply(Linked(sound_id, list_of(ids, place, edges, random)))
    return state


def list_of(ids: list[int], place: int, edges: int, random: Random) -> SimilarList:
    """Return a similar list of one sound: neighbours anywhere, scores as the server's fall."""
    neighbours = random.sample(range(len(ids)), min(edges, len(ids) - 1))
    scored = tuple((ids[other], 1 - random.random() ** 2 / 2) for other in neighbours if other != place)
    ordered = tuple(map(tuple, orjson.loads(orjson.dumps(sorted(scored, key=lambda pair: (-pair[1], pair[0]))))))
    return SimilarList(ordered, START_US + 10_000_000 + place, 25)


def saved(sounds: int, path: Path, first: int = 0) -> Path:
    """Write the checkpoint of a grown library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(encode_checkpoint(grown(sounds, first=first))))
    return path


def as_others_keep_it(state: SoundGraph) -> dict[str, Any]:
    """Return the same content as a script holds it: a plain NetworkX graph and plain containers."""
    graph = pickle.loads(pickle.dumps(state.graph))
    cache = {sound_id: attributes for sound_id, attributes in graph.nodes.items() if "fetched_at" in attributes}
    return {"graph": graph, "processed_ids": set(state.processed), "sound_cache": cache, "metadata": {}}
