"""Texts that a terminal would obey, and what must be shown instead; and texts that must stay."""

from __future__ import annotations

import re

from tests.support.recorded import DATA, read_rows

SPELLED = {
    "a\x00b": r"a\x00b",
    "\x1b]0;owned\x07": r"\x1b]0;owned\x07",
    "\x9b31mred": r"\x9b31mred",
    "ok\rerror: all is well": r"ok\x0derror: all is well",
    "a\x85b": r"a\x85b",
    "safe\u202egpj.exe": r"safe\u202egpj.exe",
    "\u2066x\u2069": r"\u2066x\u2069",
    "soft\xadhyphen": r"soft\u00adhyphen",
    "\u061c\u200e\u200f": r"\u061c\u200e\u200f",
    "zero\u200bwidth": r"zero\u200bwidth",
    "line\u2028line": r"line\u2028line",
    "\u3164\u115f\uffa0": r"\u3164\u115f\uffa0",
    "\ud800 \udfff \ue000": r"\ud800 \udfff \ue000",
    "\ufdd0\ufeff\ufff9\uffff": r"\ufdd0\ufeff\ufff9\uffff",
    "\U0001ffff\U0001bca0\U0001d173": r"\U0001ffff\U0001bca0\U0001d173",
    "\U000e0041\U000e01f0\U0010fffd": r"\U000e0041\U000e01f0\U0010fffd",
}
KEPT = (
    "rain on a tin roof",
    "Kölner Dom – Glocke\xa0",
    "雨の音\u3000",
    "rain מים wind",
    "می\u200cخواهم",
    "क\u094d\u200dष",
    "👨\u200d👩\u200d👧 ☔\ufe0f 👍🏽 🇨🇭",
    "e\u0301 r\u0336\u0337",
    "葛\U000e0100",
    r"C:\temp\x1b",
    "[red]not red[/red] 100% =1+1",
    "\ufffc\ufffd",
)

FORGED = "ok\r\nharvester: all is well"
"""Holds a line of its own where it is not escaped."""

_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def read_corpus() -> list[dict[str, str]]:
    """Return the rows of the recorded corpus: `text`, `escaped`, `kind`."""
    return read_rows(DATA / "terminal_texts.jsonl")


def assert_harmless(*texts: str) -> None:
    """Assert that a terminal shows the texts and obeys none of their characters, and that no line is forged."""
    for text in texts:
        found = _OBEYED.search(text)
        assert not found, ascii(text[max(0, found.start() - 80) : found.end() + 20])
        assert not any(line.startswith("harvester: all is well") for line in text.split("\n"))
