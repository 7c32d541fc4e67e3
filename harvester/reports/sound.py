"""Describe one sound, its neighbours and related sounds; read no file."""

from __future__ import annotations

import math
from typing import Any

from harvester.clock import iso
from harvester.graph import OWN_FIELDS, Edge, Selected, SoundGraph, is_gone


def describe_sound(state: SoundGraph, sound_id: int) -> dict[str, Any] | None:
    """Return a sound's record and edges; None if it is unknown.

    Its edges are those to and from sounds that are not gone, best first: `neighbours` and `listed_by` have the similar
    ones, `related` and `related_by` those with relations. An edge may be in both.
    """
    if sound_id not in state:
        return None
    attributes = state.attributes(sound_id)
    similar = state.similar(sound_id)
    near = {*state.graph.succ[sound_id], *state.graph.pred[sound_id]}
    shown = Selected(state, {sound_id, *(one for one in near if not state.is_gone(one))})
    edges, edges_back = shown.edges_of(sound_id), shown.edges_to(sound_id)
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
            {"id": edge.target, "score": edge.score, "name": state.name_of(edge.target)}
            for edge in edges
            if edge.score is not None
        ],
        "listed_by": [{"id": edge.source, "score": edge.score} for edge in edges_back if edge.score is not None],
        "related": [
            {"id": edge.target, "relations": edge.relations, "name": state.name_of(edge.target)}
            for edge in sorted(edges, key=_strongest_first)
            if edge.relation is not None
        ],
        "related_by": [
            {"id": edge.source, "relations": edge.relations} for edge in edges_back if edge.relation is not None
        ],
    }


def _strongest_first(edge: Edge) -> tuple[float, int]:
    weights = [weight for weight in edge.relations.values() if weight is not None]
    return -max(weights, default=-math.inf), edge.target
