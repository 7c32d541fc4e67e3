"""List the themes of generated sounds, with their tags and taxonomy.

Every word here is made up for the sandbox; none comes from an uploader. This module is only data; `fake_records`
draws from it. Changing an entry changes the catalogues: raise `generated.VERSION`.
"""

from __future__ import annotations

from typing import NamedTuple


class Theme(NamedTuple):
    """A subject: words (tag, name), category, subcategory, taxonomy code."""

    words: tuple[str, ...]
    category: str
    subcategory: str
    code: str


THEMES_AN_ISLAND = 4
"""So many themes in a row belong to one value of the first coordinate, and sound alike (`sound_recipe`)."""

_FX, _SS, _IS, _MU, _SP = "Sound effects", "Soundscapes", "Instrument samples", "Music", "Speech"

THEMES: tuple[Theme, ...] = (
    Theme(("rain", "thunder", "storm", "drizzle", "downpour"), _SS, "Nature", "ss-n"),
    Theme(("sea", "waves", "beach", "harbour", "surf"), _SS, "Nature", "ss-n"),
    Theme(("wind", "gust", "leaves", "forest", "trees"), _SS, "Nature", "ss-n"),
    Theme(("river", "stream", "waterfall", "drops", "bubbles"), _SS, "Nature", "ss-n"),
    Theme(("kick", "snare", "hi-hat", "clap", "tom"), _IS, "Percussion", "is-p"),
    Theme(("drum-loop", "breakbeat", "groove", "percussion-loop", "fill"), _MU, "Solo percussion", "m-sp"),
    Theme(("explosion", "impact", "boom", "debris", "fire"), _FX, "Natural elements and explosions", "fx-n"),
    Theme(("footsteps", "gravel", "running", "stairs", "boots"), _FX, "Human sounds and actions", "fx-h"),
    Theme(("guitar", "acoustic-guitar", "strum", "pluck", "ukulele"), _IS, "String", "is-s"),
    Theme(("violin", "cello", "pizzicato", "tremolo", "double-bass"), _IS, "String", "is-s"),
    Theme(("piano", "chord", "upright-piano", "rhodes", "organ"), _IS, "Piano / Keyboard instruments", "is-k"),
    Theme(("solo", "improvisation", "riff", "lick", "practice"), _MU, "Solo instrument", "m-si"),
    Theme(("bell", "gong", "chime", "church-bell", "singing-bowl"), _IS, "Percussion", "is-p"),
    Theme(("melody", "song", "jingle", "intro", "soundtrack"), _MU, "Multiple instruments", "m-m"),
    Theme(("robot", "vocoder", "alien", "glitch", "computer-voice"), _SP, "Processed / Synthetic", "sp-p"),
    Theme(("noise", "feedback", "granular", "texture", "stutter"), _FX, "Experimental", "fx-ex"),
    Theme(("synth-pad", "drone", "lead", "bassline", "arpeggio"), _IS, "Synths / Electronic", "is-e"),
    Theme(("spaceship", "portal", "warp", "laser", "atmosphere"), _SS, "Synthetic / Artificial", "ss-s"),
    Theme(("flute", "clarinet", "trumpet", "saxophone", "recorder"), _IS, "Wind", "is-w"),
    Theme(("crowd", "market", "cafe", "chatter", "applause"), _SP, "Conversation / Crowd", "sp-c"),
    Theme(("click", "beep", "notification", "menu", "button"), _FX, "Electronic / Design", "fx-el"),
    Theme(("door", "hinge", "knock", "lock", "creak"), _FX, "Objects / House appliances", "fx-o"),
    Theme(("kitchen", "dishes", "kettle", "frying", "tap"), _SS, "Indoors", "ss-i"),
    Theme(("paper", "cloth", "zipper", "coin", "glass"), _FX, "Objects / House appliances", "fx-o"),
    Theme(("bird", "blackbird", "crow", "dawn-chorus", "owl"), _FX, "Animals", "fx-a"),
    Theme(("dog", "cat", "horse", "cow", "sheep"), _FX, "Animals", "fx-a"),
    Theme(("voice", "word", "whisper", "spoken", "counting"), _SP, "Solo speech", "sp-s"),
    Theme(("cough", "laugh", "breath", "scream", "sigh"), _FX, "Human sounds and actions", "fx-h"),
    Theme(("car", "engine", "passby", "motorbike", "horn"), _FX, "Vehicles", "fx-v"),
    Theme(("machine", "pump", "factory", "motor", "hum"), _FX, "Other mechanisms, engines, machines", "fx-m"),
    Theme(("street", "traffic", "siren", "construction", "park"), _SS, "Urban", "ss-u"),
    Theme(("train", "tram", "station", "brakes", "railway"), _SS, "Urban", "ss-u"),
)

QUALITIES: tuple[str, ...] = (
    "soft", "dark", "bright", "distorted", "clean", "deep", "metallic", "warm", "harsh", "wet", "dry", "slow",
    "fast", "heavy", "light", "hollow", "wide", "raw", "vintage", "digital", "organic", "eerie", "calm", "tense",
    "rhythmic", "sparse", "dense", "low", "high", "resonant", "muffled", "crisp",
)  # fmt: skip

SETTINGS: tuple[str, ...] = (
    "field-recording", "one-shot", "loop", "ambience", "foley", "multisample", "stereo", "mono", "binaural",
    "contact-mic", "close-up", "distant", "indoors", "outdoors", "night", "morning", "studio", "hydrophone",
    "room-tone", "live", "processed", "layered", "game", "film", "cinematic", "lo-fi", "hi-fi", "tape", "analogue",
    "modular", "experimental", "quiet",
)  # fmt: skip

EXTRAS: tuple[str, ...] = (
    "sample", "sound", "effect", "music", "Zoom-H5", "long", "short", "UPPER", "2019", "48kHz", "asmr", "horror",
    "relax", "summer", "winter", "city", "nature", "urban", "electronic", "acoustic", "120bpm", "free", "test", "fx",
)  # fmt: skip

PLACES: tuple[str, ...] = (
    "Lisboa", "Kraków", "Reykjavík", "Köln", "Tōkyō", "Montréal", "Oaxaca", "Zürich", "Utrecht", "Bergen", "Nairobi",
    "Wellington", "São Paulo", "Galway", "Tallinn", "Thessaloniki",
)  # fmt: skip

RECORDERS: tuple[str, ...] = (
    "a handheld recorder", "two small condensers", "a shotgun microphone", "a phone", "a contact microphone",
    "a pair of omnis", "a soft synthesiser", "an old cassette deck",
)  # fmt: skip

USER_WORDS: tuple[str, ...] = (
    "quiet", "pixel", "moss", "copper", "nimbus", "otter", "velvet", "static", "lumen", "ember", "fjord", "marble",
    "tundra", "willow", "cobalt", "saffron", "Größe", "niño", "señal", "Ťuk",
)  # fmt: skip

USER_ENDS: tuple[str, ...] = ("sounds", "_rec", " audio", ".wav", "fx", "42", "-tapes", "", "_field", "Lab")

HOSTILE_NAMES: tuple[str, ...] = (
    '<b>{name}</b> & "quoted"',
    "../../{name}/\\share",
    "{name} \u202egpj.exe",
    "{name} 🎧🔊👩‍🎤",
    "雨の音 {name}",
    "{name}\u0007\u001bend",
    "'; DROP TABLE sounds; -- {name}",
    "{name}" + " very" * 60 + " long name",
)

HOSTILE_TEXTS: tuple[str, ...] = (
    '<a href="https://sandbox.invalid/" rel="nofollow">link</a> &amp; entities &lt;here&gt;\r\nsecond line',
    "</script><script>alert(1)</script>",
    "تسجيل صوتي من السوق — \u200f(مباشر)\u200e",
    "=SUM(A1:A9)\t@cell\n+1",
    "",
    "Long text. " * 400,
    "Combining marks: Cafe\u0301, n\u0303, a\u0300\u0301\u0302\u0303\u0304",
    "{curly} %20 %s ${HOME} \\u0041",
)

LICENSES: tuple[tuple[str, int], ...] = (
    ("http://creativecommons.org/publicdomain/zero/1.0/", 50),
    ("http://creativecommons.org/licenses/by/4.0/", 22),
    ("http://creativecommons.org/licenses/by/3.0/", 8),
    ("http://creativecommons.org/licenses/by-nc/4.0/", 11),
    ("http://creativecommons.org/licenses/by-nc/3.0/", 6),
    ("http://creativecommons.org/licenses/sampling+/1.0/", 3),
)

GEN_AI: tuple[tuple[str, int], ...] = (
    ("no-additional-preferences", 82),
    ("open-source-models", 6),
    ("noncommercial-open-source-models", 5),
    ("no-gen-ai", 7),
)

TYPES: tuple[tuple[str, int], ...] = (
    ("wav", 66), ("mp3", 12), ("flac", 9), ("aiff", 6), ("ogg", 4), ("m4a", 2), ("wv", 1),
)  # fmt: skip
