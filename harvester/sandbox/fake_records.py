"""Make up the record of a generated sound from its number.

Invariant: a record is a pure function of the catalogue's random seed, its size and the number, in every
process and on every platform (draws come from BLAKE2b, never from `hash` or a shared generator).
Addresses point to sandbox.invalid, so no record links to a local port or to real people's sounds.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from harvester.clock import SECOND_US, iso
from harvester.library_source import MADE_UP_SITE
from harvester.model import Record
from harvester.sandbox import vocabulary
from harvester.sandbox.fields import DESCRIPTORS

_DRAWS = struct.Struct("<32H")
_RANGE = 65_536
_BITRATES = (96, 128, 160, 192, 256, 320)
_SAMPLERATES = (44_100.0, 44_100.0, 44_100.0, 48_000.0, 48_000.0, 96_000.0)
_KEYS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


@dataclass(frozen=True, slots=True)
class Facts:
    """What the catalogue fixes for a sound before its record is made."""

    sound_id: int
    place: tuple[int, int, int]
    downloads: int
    created_s: int
    users: int
    is_new: bool


def draws(seed: str, number: int) -> tuple[int, ...]:
    """Return this sound's 32 draws, 0 to 65,535 each, for this seed."""
    return _DRAWS.unpack(blake2b(f"{seed}:{number}".encode()).digest())


def invent_record(seed: str, number: int, facts: Facts) -> Record:
    """Make up a sound's record, without descriptors and vectors."""
    d = draws(seed, number)
    sound_id = facts.sound_id
    theme, word, tags = _subject(d, facts.place)
    user = int(facts.users * (d[0] / _RANGE) ** 2.2)
    username, user_id = _username(user), 100 + 3 * user
    kind = _weighted(vocabulary.TYPES, d[1])
    has_pack = d[2] < 0.62 * _RANGE
    pack_id = 1_000 + 4 * user + d[3] % 4
    name, description = _texts(d, theme, word, tags, kind)
    lossy = kind in {"mp3", "ogg", "m4a"}
    duration, samplerate = _duration(d), _SAMPLERATES[d[6] % len(_SAMPLERATES)]
    channels, bitdepth = 1 + (d[7] % 3 > 0), (None if lossy else (16, 16, 24, 24, 32)[d[8] % 5])
    bitrate = _BITRATES[d[9] % 6] if lossy else int(samplerate * channels * (bitdepth or 16) / 1000)
    is_geotagged = d[10] < 0.06 * _RANGE
    num_ratings = int(facts.downloads * (0.01 + 0.05 * d[11] / _RANGE))
    has_category = d[12] > 0.02 * _RANGE
    folder = sound_id // 1000
    file = f"{folder}/{sound_id}_{user_id}"
    api = f"{MADE_UP_SITE}/apiv2/sounds/{sound_id}/"
    return {
        "id": sound_id,
        "url": f"{MADE_UP_SITE}/people/{quote(username)}/sounds/{sound_id}/",
        "name": name,
        "tags": tags,
        "description": description,
        "category": theme.category if has_category else None,
        "subcategory": theme.subcategory if has_category else None,
        "category_code": theme.code if has_category else None,
        "category_is_user_provided": has_category and d[13] % 3 == 0,
        "geotag": f"{d[14] / _RANGE * 140 - 60:.6g} {d[15] / _RANGE * 360 - 180:.6g}" if is_geotagged else None,
        "is_geotagged": is_geotagged,
        "created": iso(facts.created_s * SECOND_US),
        "license": _weighted(vocabulary.LICENSES, d[16]),
        "gen_ai_preference": _weighted(vocabulary.GEN_AI, d[17]),
        "type": kind,
        "channels": channels,
        "filesize": int(duration * bitrate * 125) + 44,
        "bitrate": bitrate,
        "bitdepth": bitdepth,
        "duration": duration,
        "samplerate": samplerate,
        "username": username,
        "pack": f"{MADE_UP_SITE}/apiv2/packs/{pack_id}/" if has_pack else None,
        "pack_name": _pack_name(pack_id) if has_pack else None,
        "download": f"{api}download/",
        "bookmark": f"{api}bookmark/",
        "previews": {
            "preview-hq-mp3": f"{MADE_UP_SITE}/previews/{file}-hq.mp3",
            "preview-hq-ogg": f"{MADE_UP_SITE}/previews/{file}-hq.ogg",
            "preview-lq-mp3": f"{MADE_UP_SITE}/previews/{file}-lq.mp3",
            "preview-lq-ogg": f"{MADE_UP_SITE}/previews/{file}-lq.ogg",
        },
        "images": _images(f"{MADE_UP_SITE}/displays/{file}"),
        "num_downloads": facts.downloads,
        "avg_rating": round(2.5 + 2.5 * math.sqrt(d[18] / _RANGE), 5) if num_ratings else 0.0,
        "num_ratings": num_ratings,
        "rate": f"{api}rate/",
        "comments": f"{api}comments/",
        "num_comments": num_ratings // (4 + d[19] % 5),
        "comment": f"{api}comment/",
        # On the real server it is null for every newer sound, so it does not tell whether a list exists (API.md §3).
        "similar_sounds": None if facts.is_new else f"{api}similar/",
        "is_explicit": d[20] < 0.01 * _RANGE,
        "is_remix": d[21] < 0.02 * _RANGE,
        "was_remixed": d[22] < 0.02 * _RANGE,
        "md5": struct.pack("<8H", *d[24:32]).hex(),
    }


def invent_descriptors(seed: str, number: int) -> dict[str, Any]:
    """Make up a sound's descriptors, with the API's names and types."""
    d = draws(f"{seed}:descriptors", number)
    made: dict[str, Any] = {}
    for at, (name, kind) in enumerate(DESCRIPTORS.items()):
        unit = d[at % 32] / _RANGE
        if kind == "number":
            made[name] = round(unit * (1 + at % 7), 3)
        elif kind == "count":
            made[name] = int(unit * 60)
        elif kind == "flag":
            made[name] = unit > 0.5
        elif kind == "numbers":
            made[name] = [round(d[(at + more) % 32] / _RANGE - 0.5, 3) for more in range(12)]
        else:
            made[name] = None if kind == "text" else []
    made["bpm"] = float(60 + d[0] % 120)
    made["loudness"] = round(-60 * d[1] / _RANGE, 3)
    made["pitch"] = round(40 + 2000 * d[2] / _RANGE, 3)
    made["tonality"] = f"{_KEYS[d[3] % 12]} {'minor' if d[4] % 2 else 'major'}"
    made["note_midi"] = 24 + d[5] % 72
    made["note_name"] = f"{_KEYS[d[5] % 72 % 12]}{2 + d[5] % 72 // 12}"
    return made


def _subject(d: tuple[int, ...], place: tuple[int, int, int]) -> tuple[vocabulary.Theme, str, list[str]]:
    # Sounds that share coordinates share a theme, a quality or a setting, so neighbours have similar texts.
    theme = vocabulary.THEMES[
        (vocabulary.THEMES_AN_ISLAND * place[0] + place[1] % vocabulary.THEMES_AN_ISLAND) % len(vocabulary.THEMES)
    ]
    word = theme.words[d[23] % len(theme.words)]
    tags = [
        word,
        vocabulary.QUALITIES[place[1] % len(vocabulary.QUALITIES)],
        vocabulary.SETTINGS[place[2] % len(vocabulary.SETTINGS)],
    ]
    others = (
        theme.words[d[3] % len(theme.words)],
        *(vocabulary.EXTRAS[d[at] % len(vocabulary.EXTRAS)] for at in (4, 5, 6, 8)),
    )
    for other in others[: 1 + d[9] % 5]:
        if other not in tags:
            tags.append(other)
    return theme, word, sorted(tags)


def _texts(d: tuple[int, ...], theme: vocabulary.Theme, word: str, tags: list[str], kind: str) -> tuple[str, str]:
    take = d[4] % 1000
    place = vocabulary.PLACES[d[5] % len(vocabulary.PLACES)]
    name = (
        f"{word}_{take}.{kind}",
        f"{word.capitalize()} {take}",
        f"{word.capitalize()} in {place}",
        f"{tags[-1]} {word} {take % 20:02d}.{kind}",
        f"{place} — {word} {take}",
    )[d[6] % 5]
    recorder = vocabulary.RECORDERS[d[7] % len(vocabulary.RECORDERS)]
    description = (
        f"A recording of {word} made in {place} with {recorder}.",
        f"{word.capitalize()}, {tags[0]}, take {take}.\r\nFree to use, tell me where.",
        f"{' '.join(tags)}. Part of a series on {theme.subcategory.lower()}.",
        f"{word} ({theme.category}).",
    )[d[8] % 4]
    if d[19] < 0.03 * _RANGE:
        name = vocabulary.HOSTILE_NAMES[d[20] % len(vocabulary.HOSTILE_NAMES)].replace("{name}", name)
        description = vocabulary.HOSTILE_TEXTS[d[21] % len(vocabulary.HOSTILE_TEXTS)]
    return name, description


def _images(stem: str) -> dict[str, str]:
    return {
        "waveform_m": f"{stem}_wave_M.png",
        "waveform_l": f"{stem}_wave_L.png",
        "spectral_m": f"{stem}_spec_M.jpg",
        "spectral_l": f"{stem}_spec_L.jpg",
        "waveform_bw_m": f"{stem}_wave_bw_M.png",
        "waveform_bw_l": f"{stem}_wave_bw_L.png",
        "spectral_bw_m": f"{stem}_spec_bw_M.jpg",
        "spectral_bw_l": f"{stem}_spec_bw_L.jpg",
    }


def _duration(d: tuple[int, ...]) -> float:
    # Log-uniform from 30 ms to half an hour, most below a minute.
    return round(0.03 * math.exp(11 * (d[5] / _RANGE) ** 1.3), 4)


def _username(user: int) -> str:
    stem = vocabulary.USER_WORDS[user % len(vocabulary.USER_WORDS)]
    end = vocabulary.USER_ENDS[user // len(vocabulary.USER_WORDS) % len(vocabulary.USER_ENDS)]
    round_trip = user // (len(vocabulary.USER_WORDS) * len(vocabulary.USER_ENDS))
    return f"{stem}{end}{round_trip or ''}"


def _pack_name(pack_id: int) -> str:
    theme = vocabulary.THEMES[pack_id * 7 % len(vocabulary.THEMES)]
    quality = vocabulary.QUALITIES[pack_id * 5 % len(vocabulary.QUALITIES)]
    return f'{quality.capitalize()} "{theme.words[0]}"' if pack_id % 9 == 0 else f"{quality} {theme.words[0]}, vol. 1"


def _weighted(choices: Sequence[tuple[str, int]], draw: int) -> str:
    left = draw * 100 // _RANGE
    for value, weight in choices:
        left -= weight
        if left < 0:
            return value
    return choices[-1][0]
