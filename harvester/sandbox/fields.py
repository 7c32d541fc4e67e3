"""Select an answer's fields (`fields=`), in the serializer's order.

Invariant: keys come in the serializer's order, whatever the order in the request; unknown names are
dropped silently (API.md §3). Encodes records to compact UTF-8 JSON; knows nothing of HTTP.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from harvester.model import Record
from harvester.sandbox.catalogue import DIMENSIONS, Catalogue

BASE_FIELDS: tuple[str, ...] = (
    "id", "url", "name", "tags", "description", "category", "subcategory", "category_code",
    "category_is_user_provided", "geotag", "is_geotagged", "created", "license", "gen_ai_preference", "type",
    "channels", "filesize", "bitrate", "bitdepth", "duration", "samplerate", "username", "pack", "pack_name",
    "download", "bookmark", "previews", "images", "num_downloads", "avg_rating", "num_ratings", "rate", "comments",
    "num_comments", "comment", "similar_sounds", "is_explicit", "score", "is_remix", "was_remixed", "md5",
)  # fmt: skip

DESCRIPTORS: dict[str, str] = {
    "amplitude_peak_ratio": "number", "beat_count": "count", "beat_loudness": "number", "beat_times": "numbers",
    "boominess": "number", "bpm": "number", "bpm_confidence": "number", "brightness": "number",
    "decay_strength": "number", "depth": "number", "dissonance": "number", "duration_effective": "number",
    "dynamic_range": "number", "hardness": "number", "hpcp": "numbers", "hpcp_var": "numbers",
    "hpcp_crest": "number", "hpcp_entropy": "number", "inharmonicity": "number", "log_attack_time": "number",
    "loopable": "flag", "loudness": "number", "mfcc": "numbers", "mfcc_var": "numbers", "note_confidence": "number",
    "note_midi": "count", "note_name": "text", "onset_count": "count", "onset_times": "numbers", "pitch": "number",
    "pitch_max": "number", "pitch_min": "number", "pitch_confidence": "number", "pitch_salience": "number",
    "pitch_var": "number", "reverbness": "flag", "roughness": "number", "sharpness": "number",
    "silence_rate": "number", "single_event": "flag", "spectral_centroid": "number",
    "spectral_complexity": "number", "spectral_crest": "number", "spectral_energy": "number",
    "spectral_entropy": "number", "spectral_flatness": "number", "spectral_rolloff": "number",
    "spectral_skewness": "number", "spectral_spread": "number", "start_time": "number",
    "temporal_centroid": "number", "temporal_centroid_ratio": "number", "temporal_decrease": "number",
    "temporal_skewness": "number", "temporal_spread": "number", "tonality": "text", "tonality_confidence": "number",
    "tristimulus": "numbers", "warmth": "number", "zero_crossing_rate": "number", "has_audio_problems": "flag",
    "birdnet_detected_class": "list", "birdnet_detections": "json", "birdnet_detections_count": "count",
    "fsdsinet_detected_class": "list", "fsdsinet_detections": "json", "fsdsinet_detections_count": "count",
}  # fmt: skip
"""The 67 descriptors and the kind of their values."""

_SUFFIXES = {"number": "_d", "count": "_i", "flag": "_b", "text": "_s", "list": "_ls"}
TRANSLATED: dict[str, str] = {
    name: name + _SUFFIXES[kind]
    for name, kind in {"category": "text", "subcategory": "text", **DESCRIPTORS}.items()
    if kind in _SUFFIXES
}
"""Names in filters that the server translates into names of its index: categories, and descriptors it indexes."""

VECTOR_FIELDS: dict[str, str] = {f"sim_{space}": space for space in DIMENSIONS}
DEFAULT_LIST_FIELDS = "id,name,tags,username,license"
_SINGLE_DEFAULT = tuple(name for name in BASE_FIELDS if name != "score")
_CACHE_BYTES = 64 * 2**20


class UnknownSpace(Exception):
    """A field such as `sim_bogus` crashes the real serializer (API.md §7)."""


@dataclass(frozen=True, slots=True)
class FieldSelection:
    """The fields of one request in order, split where the score goes."""

    base: tuple[str, ...]
    """Fields before `score`; all base fields if the request does not name `score`."""
    score: bool
    rest: tuple[str, ...]
    extras: frozenset[str]
    """Names that the serializer does not know but a recorded catalogue may have; `*` stands for all of them."""
    descriptors: tuple[str, ...]
    vectors: tuple[str, ...]


@lru_cache(maxsize=64)
def read_selection(fields: str, *, single: bool = False) -> FieldSelection:
    """Return the fields that a `fields` parameter selects.

    An empty one selects the default of a list, or of the sound resource when `single`. Raises `UnknownSpace` for an
    unknown name that starts with `sim_`.
    """
    asked = set((fields or ("*" if single else DEFAULT_LIST_FIELDS)).split(","))
    everything = "*" in asked
    known = {*BASE_FIELDS, *DESCRIPTORS, *VECTOR_FIELDS}
    extras = {name for name in asked - known if name not in {"all_descriptors", "all_similarity_spaces"}}
    if any(name.startswith("sim_") for name in extras):
        raise UnknownSpace(fields)
    if single and not fields:
        return FieldSelection(_SINGLE_DEFAULT, False, (), frozenset({"*"}), (), ())
    chosen = BASE_FIELDS if everything else tuple(name for name in BASE_FIELDS if name in asked)
    score = "score" in chosen
    cut = chosen.index("score") if score else len(chosen)
    descriptors = DESCRIPTORS if everything or "all_descriptors" in asked else [n for n in DESCRIPTORS if n in asked]
    vectors = (
        VECTOR_FIELDS if everything or "all_similarity_spaces" in asked else [n for n in VECTOR_FIELDS if n in asked]
    )
    return FieldSelection(chosen[:cut], score, chosen[cut + 1 :], frozenset(extras), tuple(descriptors), tuple(vectors))


class Encoder:
    """Encodes the sounds of one catalogue, with a cache of at most 64 MB."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known: dict[tuple[FieldSelection, int], tuple[bytes, bytes]] = {}
        self._known_bytes = 0

    def encode_sound(self, sound_id: int, selection: FieldSelection, score: float | None) -> bytes | None:
        """Return a known sound's JSON, with `score` if selected; else None."""
        key = (selection, sound_id)
        halves = self._known.get(key)
        if halves is None:
            halves = self._halves(sound_id, selection)
            if halves is None:
                return None
            self._remember(key, halves)
        head, tail = halves
        if not selection.score:
            return b"{" + head + b"}"
        return b"{" + b",".join(part for part in (head, b'"score":' + orjson.dumps(score), tail) if part) + b"}"

    def _halves(self, sound_id: int, selection: FieldSelection) -> tuple[bytes, bytes] | None:
        record = self._catalogue.record(sound_id)
        if record is None:
            return None
        head = {name: record[name] for name in selection.base if name in record}
        tail = {name: record[name] for name in selection.rest if name in record}
        tail |= _extras(record, selection)
        if selection.descriptors:
            described = self._catalogue.descriptors(sound_id)
            tail |= {name: described[name] for name in selection.descriptors if name in described}
        for name in selection.vectors:
            tail[name] = self._catalogue.vector(sound_id, VECTOR_FIELDS[name])
        if not selection.score:
            return encode_json(head | tail)[1:-1], b""
        return encode_json(head)[1:-1], encode_json(tail)[1:-1]

    def _remember(self, key: tuple[FieldSelection, int], halves: tuple[bytes, bytes]) -> None:
        self._known[key] = halves
        self._known_bytes += len(halves[0]) + len(halves[1])
        while self._known_bytes > _CACHE_BYTES:
            oldest = self._known.pop(next(iter(self._known)))
            self._known_bytes -= len(oldest[0]) + len(oldest[1])


def encode_json(value: Any) -> bytes:
    """Return compact UTF-8 JSON, with lone surrogates escaped."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def _extras(record: Record, selection: FieldSelection) -> Record:
    if not selection.extras:
        return {}
    everything = "*" in selection.extras
    own = (name for name in record if name not in _SERIALIZER)
    return {name: record[name] for name in own if everything or name in selection.extras}


_SERIALIZER = frozenset({*BASE_FIELDS, *DESCRIPTORS, *VECTOR_FIELDS})
