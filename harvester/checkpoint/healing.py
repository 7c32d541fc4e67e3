"""Drop invalid sound ids from an otherwise valid checkpoint.

Version 0.1.0 could write a sound id that its own reader refused. Owns what is dropped with such an id: its record, its
similar list, every edge to it, and the seed. Works on plain, unpickled, still untrusted data; `checkpoint.validate`
checks the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harvester.checkpoint.validate import graph_parts
from harvester.graph import Dropped
from harvester.model import is_sound_id


def drop_invalid_ids(plain: object, stand_in: type) -> Dropped:
    """Remove invalid sound ids from an unpickled checkpoint; return them.

    Data of an unexpected form is left unchanged. The counts in the metadata are lowered by what is removed, so counts
    that were wrong before stay wrong.
    """
    dropped = Dropped()
    if type(plain) is not dict or type(metadata := plain.get("metadata")) is not dict:
        return dropped
    parts = graph_parts(plain.get("graph"), stand_in)
    seeds = metadata.get("seeds")
    if type(seeds) is list:
        _note(seeds, dropped)
        metadata["seeds"] = list(filter(is_sound_id, seeds))
    if parts is None or all(map(is_sound_id, parts[0])):
        return dropped
    nodes, adjacency = parts
    wrong = {sound_id for sound_id in nodes if not is_sound_id(sound_id)}
    _note(wrong, dropped)
    edges = _drop_edges(adjacency, wrong)
    for sound_id in wrong:
        del nodes[sound_id]
    if type(cache := plain.get("sound_cache")) is dict:
        for sound_id in wrong & cache.keys():
            del cache[sound_id]
    if type(processed := plain.get("processed_ids")) is set:
        processed -= wrong
    for name, count in (("nodes", len(wrong)), ("edges", edges)):
        if type(metadata.get(name)) is int:
            metadata[name] -= count
    return dropped


def _note(sound_ids: Iterable[object], dropped: Dropped) -> None:
    for sound_id in sound_ids:
        if not is_sound_id(sound_id):
            dropped.add_id(sound_id)


def _drop_edges(adjacency: dict[Any, Any], wrong: set[Any]) -> int:
    """Remove edges from and to the `wrong` ids, and return their number."""
    count = 0
    for sound_id in wrong:
        gone = adjacency.pop(sound_id)
        count += len(gone) if type(gone) is dict else 0
    for targets in adjacency.values():
        if type(targets) is dict and not wrong.isdisjoint(targets):
            for sound_id in wrong & targets.keys():
                del targets[sound_id]
                count += 1
    return count
