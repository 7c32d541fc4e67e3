"""Decide how a made-up sound sounds: timbre, pitch, length and seed.

The map's page makes the same sounds from the same numbers (`map/page_parts/synth.js`); a test compares the two.
Invariant: a recipe is a function of the record's id, tags and duration alone, so it stays the same in every version of
a catalogue and for records from a file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from harvester.model import Record
from harvester.sandbox.vocabulary import THEMES, THEMES_AN_ISLAND

TIMBRES = ("rain", "drum", "pluck", "bell", "pad", "clicks", "chirp", "burst")
"""The timbre of each island of themes, in their order in `vocabulary.THEMES`."""

LONGEST_S = 5.0
"""A longer sound is an excerpt of its first 5 seconds."""

_UNKNOWN_S = 1.0
_SCALE = (0, 3, 5, 7, 10, 12, 15, 17, 19, 22)
_TIMBRE_OF = {word: place // THEMES_AN_ISLAND for place, theme in enumerate(THEMES) for word in theme.words}


@dataclass(frozen=True, slots=True)
class SoundRecipe:
    """What a sound is made from.

    `timbre` is a place in `TIMBRES`; `seed` is 32 bits that decide noise, rhythm and melody.
    """

    timbre: int
    pitch_hz: float
    length_s: float
    seed: int


def recipe_of(record: Record) -> SoundRecipe:
    """Return the recipe of a record's sound.

    The first tag that names a subject decides the timbre, so that sounds of one island sound alike; the id decides the
    rest. Pitches are of one pentatonic scale from 110 Hz: several sounds at once are in tune.
    """
    seed = _mixed(record["id"])
    tags = record.get("tags") or []
    timbre = next((_TIMBRE_OF[tag] for tag in tags if isinstance(tag, str) and tag in _TIMBRE_OF), seed % len(TIMBRES))
    return SoundRecipe(timbre, 110 * 2 ** (_SCALE[seed % len(_SCALE)] / 12), _length_s(record.get("duration")), seed)


def _length_s(duration: object) -> float:
    if not isinstance(duration, int | float) or not math.isfinite(duration) or duration <= 0:
        return _UNKNOWN_S
    return min(float(duration), LONGEST_S)


def _mixed(sound_id: int) -> int:
    # The last step of MurmurHash3: neighbouring ids get unlike bits, and JavaScript can compute it too.
    value = sound_id & 0xFFFF_FFFF
    value = (value ^ value >> 16) * 0x85EB_CA6B & 0xFFFF_FFFF
    value = (value ^ value >> 13) * 0xC2B2_AE35 & 0xFFFF_FFFF
    return value ^ value >> 16
