"""Describe one sound and its neighbours; read no file."""

from __future__ import annotations

from typing import Any

from harvester.clock import iso
from harvester.graph import OWN_FIELDS, SoundGraph, is_gone


def describe_sound(state: SoundGraph, sound_id: int) -> dict[str, Any] | None:
    """Return a sound's record and neighbours; None if it is unknown.

    Includes the sounds that list it, best first.
    """
    if sound_id not in state:
        return None
    attributes = state.attributes(sound_id)
    similar = state.similar(sound_id)
    listed_by = [(source, edge["score"]) for source, edge in state.graph.pred[sound_id].items() if "score" in edge]
    return {
        "id": sound_id,
        "processed": sound_id in state.processed,
        "gone": is_gone(attributes),
        "record": state.record(sound_id),
        "gen_ai_wish": state.sound(sound_id).gen_ai_wish,
        "list": similar
        and {
            "origin": similar.origin,
            "linked_at": iso(similar.linked_at),
            "limit": similar.limit,
            "space": similar.space,
            "filter": similar.filter,
        },
        "stamps": {name: iso(attributes[name]) for name in OWN_FIELDS if name.endswith("_at") and attributes.get(name)},
        "neighbours": [
            {"id": other, "score": score, "name": state.sound(other).name}
            for other, score in (similar.neighbours if similar else ())
        ],
        "listed_by": [
            {"id": other, "score": score} for other, score in sorted(listed_by, key=lambda pair: (-pair[1], pair[0]))
        ],
    }
