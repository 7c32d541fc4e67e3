"""The table of rules: what each field of a record may hold.

The bounds come from the columns of the server's database, with room above. If the server has no limit, the bound
keeps a single record from filling a reader's memory. The judge, the converter and all readers use this table.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from enum import Enum


class FieldKind(Enum):
    """The type of a field."""

    ID = "sound id"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    TEXT = "text"
    TEXTS = "list of texts"
    NUMBERS = "list of numbers"
    TEXTS_BY_NAME = "dict of texts"
    OBJECTS = "list of JSON objects"
    JSON = "any JSON value"


@dataclass(frozen=True, slots=True)
class Rule:
    """What one field may hold; null is allowed if `nullable` is true.

    `low` and `high` bound a number; a number at most `tolerance` outside is moved to the bound. `longest` bounds a
    text, or each text of a container, in characters. `fewest` and `most` bound the items of a container, `deepest` the
    nesting of containers, the outermost included. The whole of a text must match `form`.
    """

    kind: FieldKind
    nullable: bool = True
    low: float = 0
    high: float = 0
    tolerance: float = 0
    longest: int = 0
    fewest: int = 0
    most: int = 0
    deepest: int = 0
    form: re.Pattern[str] | None = None


LARGEST_JSON_BYTES = 200_000
"""The most bytes of the value of a field without a rule, encoded as JSON."""
DEEPEST_JSON = 20
MOST_UNKNOWN_NAMES = 64
"""The most fields without a rule that a record may have."""
LONGEST_KEY = 64
"""The most characters of a key in a dict of texts."""
LARGEST_JSON_INT = 2**63 - 1

# The length of each month is checked too, so that every reader can turn the text into a date.
_DATE = (
    "(?:"
    "(?:199[0-9]|20[0-9]{2}|2100)-"
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:199[26]|20(?:[02468][048]|[13579][26]))-02-29"
    ")"
)
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
CREATED_FORM = re.compile(rf"\A{_DATE}[T ]{_TIME}\Z")
_FRACTION = "(?:[.][0-9]*)?(?:[eE]-[0-9]{1,3})?"
GEOTAG_FORM = re.compile(
    rf"\A[+-]?(?:90(?:[.]0*)?|[0-8]?[0-9]{_FRACTION}) [+-]?(?:180(?:[.]0*)?|(?:1[0-7]|[0-9])?[0-9]{_FRACTION})\Z"
)
MD5_FORM = re.compile(r"\A[0-9a-f]{32}\Z")


def _int(high: int) -> Rule:
    return Rule(FieldKind.INT, high=high)


def _float(low: float, high: float, tolerance: float = 0) -> Rule:
    return Rule(FieldKind.FLOAT, low=low, high=high, tolerance=tolerance)


def _text(longest: int, form: re.Pattern[str] | None = None) -> Rule:
    return Rule(FieldKind.TEXT, longest=longest, form=form)


def _texts(longest: int) -> Rule:
    return Rule(FieldKind.TEXTS, longest=longest, most=1_000)


def _numbers(fewest: int, most: int) -> Rule:
    return Rule(FieldKind.NUMBERS, low=-sys.float_info.max, high=sys.float_info.max, fewest=fewest, most=most)


_BOOL = Rule(FieldKind.BOOL)
_URL = _text(2_048)
_COUNTER = _int(2**40)
_ANY_FLOAT = _float(-1e12, 1e12)
_TEXTS_BY_NAME = Rule(FieldKind.TEXTS_BY_NAME, longest=2_048, most=32)
_OBJECTS = Rule(FieldKind.OBJECTS, most=10_000, deepest=5)

_DESCRIPTOR_FLOATS = (
    "amplitude_peak_ratio", "beat_loudness", "brightness", "decay_strength", "depth", "dissonance",
    "duration_effective", "dynamic_range", "hardness", "hpcp_crest", "hpcp_entropy", "inharmonicity", "log_attack_time",
    "pitch_max", "pitch_min", "pitch_confidence", "pitch_salience", "pitch_var", "roughness", "sharpness",
    "silence_rate", "spectral_centroid", "spectral_complexity", "spectral_crest", "spectral_energy", "spectral_entropy",
    "spectral_flatness", "spectral_rolloff", "spectral_skewness", "spectral_spread", "start_time", "temporal_centroid",
    "temporal_centroid_ratio", "temporal_decrease", "temporal_skewness", "temporal_spread", "tonality_confidence",
    "warmth", "zero_crossing_rate",
)  # fmt: skip
DESCRIPTORS: dict[str, Rule] = {
    **dict.fromkeys(_DESCRIPTOR_FLOATS, _ANY_FLOAT),
    "boominess": _float(-1_000, 1_000),
    "bpm": _float(0, 1_000),
    "bpm_confidence": _float(0, 1),
    "loudness": _float(-200, 200),
    "note_confidence": _float(0, 1),
    "note_midi": _int(127),
    "pitch": _float(0, 1e6),
    **dict.fromkeys(
        ("beat_count", "onset_count", "birdnet_detections_count", "fsdsinet_detections_count"), _int(10**9)
    ),
    **dict.fromkeys(("loopable", "reverbness", "single_event", "has_audio_problems"), _BOOL),
    "note_name": _text(64),
    "tonality": _text(64),
    "birdnet_detected_class": _texts(64),
    "fsdsinet_detected_class": _texts(64),
    **dict.fromkeys(
        ("beat_times", "hpcp", "hpcp_var", "mfcc", "mfcc_var", "onset_times", "tristimulus"), _numbers(0, 100_000)
    ),
    "birdnet_detections": _OBJECTS,
    "fsdsinet_detections": _OBJECTS,
}
"""The descriptors of a sound's audio, which the server sends on request."""

RULES: dict[str, Rule] = {
    "id": Rule(FieldKind.ID, nullable=False, low=1, high=2**53 - 1),
    "url": _URL,
    "name": _text(512),
    "tags": _texts(100),
    "description": _text(200_000),
    "category": _text(64),
    "subcategory": _text(64),
    "category_code": _text(8),
    "category_is_user_provided": _BOOL,
    "geotag": _text(64, GEOTAG_FORM),
    "is_geotagged": _BOOL,
    "created": _text(32, CREATED_FORM),
    "license": _text(128),
    "gen_ai_preference": _text(64),
    "type": _text(8),
    "channels": _int(1_024),
    "filesize": _int(2**43),
    "bitrate": _int(10_000_000),
    "bitdepth": _int(256),
    "duration": _float(0, 1e7),
    "samplerate": _float(0, 1e8),
    "username": _text(150),
    "pack": _URL,
    "pack_name": _text(255),
    **dict.fromkeys(("download", "bookmark", "rate", "comment", "comments"), _URL),
    "previews": _TEXTS_BY_NAME,
    "images": _TEXTS_BY_NAME,
    "num_downloads": _COUNTER,
    "avg_rating": _float(0, 5, tolerance=0.0001),
    "num_ratings": _COUNTER,
    "num_comments": _COUNTER,
    "similar_sounds": _URL,
    "analysis": _URL,
    "is_explicit": _BOOL,
    "is_remix": _BOOL,
    "was_remixed": _BOOL,
    "md5": _text(32, MD5_FORM),
    # Fields of a search, or of a pair of sounds.
    "score": _float(0, 1, tolerance=0.001),
    "distance_to_target": _float(0, 1e12),
    "n_from_same_pack": _COUNTER,
    "more_from_same_pack": _URL,
    "sim_laion_clap": _numbers(512, 512),
    "sim_freesound_classic": _numbers(100, 100),
    **DESCRIPTORS,
}

UNKNOWN = Rule(FieldKind.JSON, deepest=DEEPEST_JSON)
"""The rule of every other field: any JSON value within bounds."""


def rule_of(name: str) -> Rule:
    """Return a field's rule, or `UNKNOWN` if the table has none."""
    return RULES.get(name, UNKNOWN)
