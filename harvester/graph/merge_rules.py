"""Decide which value wins: records, extra fields, lists, weights.

Owns the orders: records by completeness, stamp and bytes; each extra field separately by stamp and bytes; similar lists
by origin, filter, length, stamp and bytes. Each order is total except for equal content, so the same value wins in
whatever order the values arrive.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from harvester.graph.attributes import blanked, canonical_bytes, core_of, extra_names, is_withdrawn
from harvester.model import SERVER, Record, Seen, SimilarList, is_complete

_ANY_KEY = orjson.OPT_NON_STR_KEYS


def is_same(one: dict[Any, Any], other: dict[Any, Any]) -> bool:
    """Tell whether two values are certainly the same, types included.

    False may also mean "unknown".
    """
    try:
        # Equality is not enough, since 1 == 1.0 == True; bytes are not enough, since NaN is encoded as null.
        return one == other and orjson.dumps(one, option=_ANY_KEY) == orjson.dumps(other, option=_ANY_KEY)
    except TypeError:  # a value that orjson does not encode
        return False


def record_wins(event: Seen, attributes: dict[str, Any]) -> bool:
    """Tell whether an event's record replaces the known one.

    Extra fields are compared separately.
    """
    rank = (is_complete(event.record), event.fetched_at)
    known_rank = (is_complete(attributes), attributes["fetched_at"])
    if rank != known_rank:
        return rank > known_rank
    # Compare the blanked records first, so that the winner is the same before and after a withdrawal.
    return _bytes_win(core_of(event.record), core_of(attributes), withdrawn=is_withdrawn(attributes))


def _bytes_win(record: Record, known: Record, *, withdrawn: bool) -> bool:
    if is_same(record, known):  # the usual case, and ten times as fast as the comparison below
        return False
    blank, known_blank = canonical_bytes(blanked(record)), canonical_bytes(blanked(known))
    if blank != known_blank:
        return blank > known_blank
    return not withdrawn and canonical_bytes(record) > canonical_bytes(known)


class Extra(NamedTuple):
    """An extra field's value, and the stamp of its record."""

    stamp: int
    value: Any


def extras_of(attributes: dict[str, Any]) -> dict[str, Extra]:
    """Return a node's extra fields by name."""
    stamps = attributes.get("extra_stamps", {})
    return {
        name: Extra(stamps.get(name, attributes["fetched_at"]), attributes[name])
        for name in sorted(extra_names(attributes))
    }


def newer_extras(event: Seen, attributes: dict[str, Any]) -> dict[str, Extra]:
    """Return the event's extra fields that are new or replace known values.

    A record that was fetched without a field says nothing about it. So each field has the stamp of the newest record
    that had the field, whichever record won.
    """
    brought = extra_names(event.record)
    known = extras_of(attributes) if brought else {}
    newer = {name: Extra(event.fetched_at, event.record[name]) for name in sorted(brought)}
    return {name: extra for name, extra in newer.items() if _extra_wins(name, extra, known.get(name), attributes)}


def _extra_wins(name: str, new: Extra, known: Extra | None, attributes: dict[str, Any]) -> bool:
    if known is None or new.stamp != known.stamp:
        return known is None or new.stamp > known.stamp
    return _bytes_win({name: new.value}, {name: known.value}, withdrawn=is_withdrawn(attributes))


def similar_of(attributes: dict[str, Any], neighbours: dict[int, dict[str, Any]]) -> SimilarList | None:
    """Return a sound's similar list, or None when it has none."""
    linked_at = attributes.get("linked_at")
    if linked_at is None:
        return None
    scored = ((target, edge["score"]) for target, edge in neighbours.items() if "score" in edge)
    return SimilarList(
        neighbours=tuple(sorted(scored, key=best_first)),
        linked_at=linked_at,
        limit=attributes["link_limit"],
        space=attributes["link_space"],
        filter=attributes["link_filter"],
        origin=attributes["link_origin"],
    )


def with_weight(weights: dict[str, float], relation: str, weight: float) -> dict[str, float]:
    """Return an edge's weights with that of one relation, in order.

    Of two weights of one relation the larger one wins.
    """
    larger = max(weight, weights.get(relation, weight)) + 0.0  # turns -0.0 into 0.0, which is equal to it
    return dict(sorted({**weights, relation: larger}.items()))


def best_first(neighbour: tuple[int, float]) -> tuple[float, int]:
    """Return the sort key of similar sounds: best score first, then id."""
    return (-neighbour[1], neighbour[0])


def _list_rank(similar: SimilarList) -> tuple[bool, bool, int, int]:
    """Return the key that orders similar lists; the greater one wins.

    Lists of the server win over computed ones, unfiltered ones over filtered ones. Then of unfiltered lists the larger
    limit wins, then the later stamp; of filtered lists the later stamp wins first, because their filters may differ.
    """
    unfiltered = similar.filter == ""
    last = (similar.limit, similar.linked_at) if unfiltered else (similar.linked_at, similar.limit)
    return (similar.origin == SERVER, unfiltered, *last)


def _list_bytes(similar: SimilarList) -> bytes:
    return canonical_bytes([similar.space, similar.filter, similar.origin, similar.neighbours])


def list_wins(new: SimilarList, known: SimilarList) -> bool:
    """Tell whether a new similar list replaces the known one."""
    rank, known_rank = _list_rank(new), _list_rank(known)
    if rank != known_rank:
        return rank > known_rank
    return _list_bytes(new) > _list_bytes(known)
