"""Encode events as bytes and decode them without changing a value.

Owns the body of a journal row: a letter for the JSON encoder (orjson, or the standard library for values that orjson
refuses or changes: integers beyond 64 bits, lone surrogates, NaN), then zlib.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

import orjson

from harvester.errors import LibraryCorrupt, words_of
from harvester.graph import Dropped, keep_possible
from harvester.model import Event, Gone, Known, Linked, Related, Seeded, Seen, SimilarList, Withdrawn

_FAST, _EXACT = b"o", b"j"
_LEAST_WINDOW_BITS = 12
_LEVEL = 1  # a third of the time of level 3, a tenth more bytes
_HIGHEST_RATIO, _SMALL_BYTES = 50, 1024
"""A row unpacks to at most `_HIGHEST_RATIO` times its size plus `_SMALL_BYTES`, or it is stored uncompressed."""


def encode_events(events: Sequence[Event]) -> bytes:
    """Return events as bytes.

    Raises `ValueError` for a record that JSON cannot represent exactly.
    """
    plain = [_plain(event) for event in events]
    try:
        text = orjson.dumps(plain)
        if orjson.loads(text) == plain:
            return _FAST + _compressed(text)
    except (orjson.JSONEncodeError, orjson.JSONDecodeError):
        pass  # the standard library below encodes it exactly
    exact = json.dumps(plain, separators=(",", ":"))
    if repr(json.loads(exact)) != repr(plain):
        raise ValueError("an event holds a value that JSON cannot represent")
    return _EXACT + _compressed(exact.encode("ascii"))


def _compressed(text: bytes) -> bytes:
    # A window no larger than a small text: setting up the usual one (256 kB) takes 50 of the 60 us (measured).
    window_bits = min(max(len(text).bit_length(), _LEAST_WINDOW_BITS), zlib.MAX_WBITS)
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, window_bits, window_bits - 7)
    packed = packer.compress(text) + packer.flush()
    return packed if len(text) <= _most_bytes(packed) else zlib.compress(text, 0)


def _most_bytes(packed: bytes) -> int:
    return _SMALL_BYTES + _HIGHEST_RATIO * len(packed)


def _unpacked(packed: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(packed, _most_bytes(packed))
    if not unpacker.eof or unpacker.unused_data:
        raise LibraryCorrupt("its compressed content is truncated, or unpacks to too many bytes")
    return text


def decode_events(body: bytes, dropped: Dropped | None = None) -> list[Event]:
    """Return the events in the bytes of a row; raises `LibraryCorrupt`.

    Invalid values are left out, event by event and id by id, and recorded in `dropped`.
    """
    dropped = dropped if dropped is not None else Dropped()
    try:
        text = _unpacked(body[1:])
        plain = orjson.loads(text) if body[:1] == _FAST else json.loads(text)
        rows = list(map(_event, plain))
    except (
        LibraryCorrupt, zlib.error, ValueError, TypeError, KeyError, IndexError, OverflowError, RecursionError
    ) as error:  # fmt: skip
        raise LibraryCorrupt(f"a row of the journal cannot be read ({words_of(error)})") from error
    return [kept for event in rows if (kept := keep_possible(event, dropped)) is not None]


def _plain(event: Event) -> list[Any]:
    match event:
        case Seen():
            return ["seen", event.sound_id, event.fetched_at, event.record]
        case Known():
            return ["known", event.sound_id, event.added_at]
        case Linked():
            similar = event.similar
            pairs = [list(pair) for pair in similar.neighbours]
            how = [similar.linked_at, similar.limit, similar.space, similar.filter, similar.origin]
            return ["linked", event.sound_id, pairs, *how]
        case Gone():
            return ["gone", event.sound_id, event.gone_at]
        case Withdrawn():
            return ["withdrawn", event.sound_id, event.withdrawn_at]
        case Related():
            weight = () if event.weight is None else (event.weight,)
            return ["related", event.sound_id, event.target_id, event.relation, event.known_at, *weight]
        case Seeded():
            return ["seeded", list(event.sound_ids)]


def _event(row: list[Any]) -> Event:
    """Return the event in a row, its values unchecked.

    Raises `ValueError` for any other form.
    """
    match row:
        case ["seen", sound_id, fetched_at, record]:
            return Seen(sound_id, record, fetched_at)
        case ["known", sound_id, added_at]:
            return Known(sound_id, added_at)
        case ["linked", sound_id, list(pairs), linked_at, limit, space, filtered, origin]:
            neighbours = tuple((target, score) for target, score in pairs)
            return Linked(sound_id, SimilarList(neighbours, linked_at, limit, space, filtered, origin))
        case ["gone", sound_id, gone_at]:
            return Gone(sound_id, gone_at)
        case ["withdrawn", sound_id, withdrawn_at]:
            return Withdrawn(sound_id, withdrawn_at)
        case ["related", sound_id, target_id, relation, known_at]:
            return Related(sound_id, target_id, relation, known_at)
        case ["related", sound_id, target_id, relation, known_at, weight]:
            return Related(sound_id, target_id, relation, known_at, weight)
        case ["seeded", list(sound_ids)]:
            return Seeded(tuple(sound_ids))
    raise LibraryCorrupt("it is not an event")
