"""Name communities by the words that they have for themselves.

Words are tags and the words of names. A word tells the more, the more of a community's sounds have it and the more of
the sounds that have it are in the community (the harmonic mean of both shares, F1). Words that say how a file was made
or stored name nothing, and words that fit almost any recording count less.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from harvester.graph.sound import Sound

NAMED_FROM = 8
"""Communities of fewer sounds have no name."""

_LEAST_SHARE = 50
"""A word names a community if at least one of this many of its sounds has it."""

_BANNED = frozenset(
    [
        "sound",
        "sounds",
        "sample",
        "samples",
        "sampled",
        "loop",
        "loops",
        "looped",
        "loopable",
        "oneshot",
        "audio",
        "audiofile",
        "file",
        "files",
        "track",
        "clip",
        "clips",
        "mono",
        "stereo",
        "binaural",
        "surround",
        "recording",
        "recordings",
        "record",
        "recorded",
        "recorder",
        "fieldrecording",
        "fieldrecordings",
        "field",
        "effect",
        "effects",
        "fx",
        "sfx",
        "soundeffect",
        "soundeffects",
        "soundfx",
        "multisample",
        "multisamples",
        "multisampled",
        "singlenote",
        "singlenotes",
        "goodsounds",
        "wav",
        "wave",
        "aif",
        "aiff",
        "flac",
        "mp3",
        "ogg",
        "m4a",
        "bit",
        "bits",
        "khz",
        "bpm",
        "hz",
        "zoom",
        "zoomh1",
        "zoomh1n",
        "zoomh2n",
        "zoomh4n",
        "zoomh5",
        "zoomh6",
        "zoomf8",
        "h4n",
        "tascam",
        "dr05",
        "dr40",
        "dr100",
        "dr100mkiii",
        "edirol",
        "roland",
        "marantz",
        "olympus",
        "sony",
        "pcmd50",
        "sennheiser",
        "rode",
        "ntg",
        "neumann",
        "neumannu87",
        "neumanntlm103",
        "akg",
        "mkh",
        "owi",
        "microphone",
        "mic",
        "mics",
        "iphone",
        "android",
        "phonerecording",
        "ableton",
        "audacity",
        "reaper",
        "cubase",
        "freesound",
        "royaltyfree",
        "free",
        "publicdomain",
        "creativecommons",
        "cc0",
        "attribution",
        "untitled",
        "unknown",
        "test",
        "new",
        "take",
        "the",
        "and",
        "with",
        "for",
        "from",
        "version",
        "edit",
        "edited",
        "mix",
        "final",
        "master",
        "raw",
        "normalized",
        "16bit",
        "24bit",
        "44khz",
        "48khz",
        "96khz",
        "short",
        "long",
        "various",
    ]
)
_WEAK = dict.fromkeys(
    [
        "noise",
        "noises",
        "ambience",
        "ambient",
        "atmosphere",
        "atmos",
        "atmospheric",
        "foley",
        "soundscape",
        "soundscapes",
        "background",
    ],
    0.6,
)
_FEW_USERS, _OF_FEW_USERS = 3, 0.3
_USED = 0.5
_SECOND, _THIRD = 0.2, 0.6
"""A further word is shown if it tells at least this part of what the first one does."""

_ENDING = re.compile(r"\.(wav|wave|aiff?|flac|mp3|ogg|m4a|wma|opus)$", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_BETWEEN = re.compile(r"[\s_.,/\\+()\[\]&:;#!?~\"'=-]+")
_PARTS = re.compile(r"[\s_\-./]+")
_NUMBER = re.compile(r"\d+[a-z]{0,5}|[a-z]{1,2}\d+")


class TellingWords:
    """The words of all sounds, to find what is distinctive in some of them."""

    def __init__(self, sounds: Iterable[Sound]) -> None:
        """Take the words of all sounds; later they are called by place."""
        forms: dict[str, Counter[str]] = {}
        users: dict[str, set[str]] = {}
        self._words: list[set[str]] = []
        for sound in sounds:
            words = set[str]()
            for form in (*sound.tags, *_words_of_name(sound.name or "")):
                key = _key(form)
                if _is_word(key):
                    words.add(key)
                    forms.setdefault(key, Counter())[_shown(form)] += 1
                    users.setdefault(key, set()).add(sound.username or "")
            self._words.append(words)
        singular = {key: key[:-1] for key in forms if key.endswith("s") and len(key) > 3 and key[:-1] in forms}
        for many, one in singular.items():
            users[one] |= users[many]
        self._words = [{singular.get(word, word) for word in words} for words in self._words]
        self._form = {key: min(seen, key=lambda form: (-seen[form], form)) for key, seen in forms.items()}
        # In a small library, or that of one person, few users say nothing.
        self._weight = {key: _WEAK.get(key, 1.0) for key in forms}
        if len(set[str]().union(*users.values())) > 2 * _FEW_USERS:
            for key, known in users.items():
                self._weight[key] *= _OF_FEW_USERS if len(known) < _FEW_USERS else 1.0
        self._overall = Counter(word for words in self._words for word in words)

    def of(self, members: Iterable[int], used: Iterable[str] = ()) -> list[str]:
        """Return the distinctive words of some sounds, most telling first.

        They are commoner in them than among all sounds. Words that are `used` in another name tell less.
        """
        return [self._form[key] for key, _ in self._scored(members, frozenset(map(_key, used)))]

    def name(self, members: Iterable[int], used: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the one to three words that tell these sounds best.

        No word is inside another one. Empty where no word tells.
        """
        chosen: list[tuple[str, float]] = []
        for key, score in self._scored(members, frozenset(map(_key, used))):
            if any(key in other or other in key for other, _ in chosen):
                continue
            if chosen and score < chosen[0][1] * (_SECOND if len(chosen) == 1 else _THIRD):
                break
            chosen.append((key, score))
            if len(chosen) == 3:
                break
        return tuple(self._form[key] for key, _ in chosen)

    def _scored(self, members: Iterable[int], used: frozenset[str]) -> list[tuple[str, float]]:
        size, within = 0, Counter[str]()
        for place in members:
            size += 1
            within.update(self._words[place])
        enough = min(size, max(3, size / _LEAST_SHARE))
        everything = len(self._words)
        scores = {
            word: 2 * here / (size + self._overall[word]) * self._weight[word] * (_USED if word in used else 1.0)
            for word, here in within.items()
            if here >= enough and here * everything > self._overall[word] * size
        }
        return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))


def name_communities(members: Sequence[Sequence[int]], words: TellingWords) -> list[str]:
    """Return a distinct name for each community: the words that tell it.

    `members` are the places of each community's sounds, the largest community first. One that no word tells is called
    by its number.
    """
    names: list[str] = []
    used: set[str] = set()
    for number, places in enumerate(members, 1):
        telling = words.name(places, used)
        name = ", ".join(telling)
        if not telling or name in names:
            name = f"group {number}"
        used |= set(telling)
        names.append(name)
    return names


def _words_of_name(name: str) -> list[str]:
    return _BETWEEN.split(_CAMEL.sub(" ", _ENDING.sub("", name.strip())))


def _shown(form: str) -> str:
    return re.sub(r"[\s_]+", "-", form.strip().casefold())


def _key(form: str) -> str:
    return _PARTS.sub("", form.casefold())


def _is_word(key: str) -> bool:
    """Tell whether a word may name something; two letters do in Chinese."""
    if key in _BANNED or _NUMBER.fullmatch(key):
        return False
    return sum(letter.isalpha() for letter in key) >= (3 if key.isascii() else 1)
