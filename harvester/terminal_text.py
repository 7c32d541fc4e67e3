"""Escape control, bidi and invisible characters for a terminal.

Owns the list of these characters: explicit ranges, the same in every Python, because `str.isprintable` depends on the
Unicode version and accepts some fillers. Letters of every script, combining marks, emoji and their joiners stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_LAYOUT = ((0x09, 0x0A),)
"""Tab and newline."""

UNSAFE_RANGES = (
    (0x00, 0x08),  # C0: escape sequences, carriage return
    (0x0B, 0x1F),
    (0x7F, 0x9F),  # DEL and C1: one-byte escape sequences
    (0xAD, 0xAD),  # soft hyphen
    (0x34F, 0x34F),  # combining grapheme joiner
    (0x61C, 0x61C),  # bidi: Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers
    (0x17B4, 0x17B5),  # Khmer vowels that show nothing
    (0x180B, 0x180F),  # Mongolian selectors and separator
    (0x200B, 0x200B),  # zero-width space
    (0x200E, 0x200F),  # bidi marks
    (0x2028, 0x202E),  # line and paragraph separators, bidi embeddings
    (0x2060, 0x206F),  # word joiner, invisible operators, bidi isolates
    (0x3164, 0x3164),  # Hangul filler
    (0xD800, 0xF8FF),  # surrogates and private use
    (0xFDD0, 0xFDEF),  # non-characters
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFA0, 0xFFA0),  # half-width Hangul filler
    (0xFFF0, 0xFFFB),  # unassigned specials, interlinear annotation
    *((plane + 0xFFFE, plane + 0xFFFF) for plane in range(0, 0x110000, 0x10000)),  # non-characters
    (0x1BCA0, 0x1BCA3),  # shorthand format controls
    (0x1D173, 0x1D17A),  # musical format controls
    (0xE0000, 0xE00FF),  # tags: invisible text
    (0xE01F0, 0x10FFFF),  # unassigned and private planes
)
"""Such characters beside tab and newline, as first and last code points."""


def _one_of(*ranges: tuple[int, int]) -> re.Pattern[str]:
    """Return a pattern that matches one character of the ranges."""
    return re.compile("[" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges) + "]")


_ANY = _one_of(*_LAYOUT, *UNSAFE_RANGES)
_BUT_LAYOUT = _one_of(*UNSAFE_RANGES)
# `re` tests ranges above U+FFFF one by one: with a single range, usual text is searched five times as fast.
_SUSPECT = _one_of(*(span for span in UNSAFE_RANGES if span[1] <= 0xFFFF), (0x1BCA0, 0x10FFFF))
_BREAK = re.compile(r"\r\n|[\n\t]")


def escape(text: object) -> str:
    r"""Return a text with such characters as `\x1b`, `\u202e`, `\U000e0041`.

    Also tabs and newlines; backslashes stay unchanged. A byte of a file name that is not UTF-8 is `\xff`.
    """
    return _ANY.sub(_spelled, str(text))


def escape_line(text: object) -> str:
    """Escape a text as one line: line breaks and tabs become spaces."""
    return _replaced(_as_line(str(text)), _spelled)


def escape_paragraph(text: object) -> str:
    """Escape a text of several lines: newlines and tabs stay."""
    return _replaced(str(text), _spelled)


def escape_json(text: str) -> str:
    r"""Return equal JSON with such characters as `\uXXXX` or as a pair."""
    return _replaced(text, _spelled_in_json)


def escape_xml(text: str) -> str:
    """Return equal XML with a numeric reference for such characters."""
    return _replaced(text, lambda match: f"&#{ord(match[0])};")


def drop_controls(text: object) -> str:
    """Return a text as one line without such characters, to publish it."""
    return _replaced(_as_line(str(text)), lambda _: "")


def _as_line(text: str) -> str:
    return text if text.isascii() and text.isprintable() else _BREAK.sub(" ", text)


def _replaced(text: str, spell: Callable[[re.Match[str]], str]) -> str:
    # Trust `isprintable` only for ASCII: beyond it, it accepts fillers.
    if (text.isascii() and text.isprintable()) or not _SUSPECT.search(text):
        return text
    return _BUT_LAYOUT.sub(spell, text)


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is not UTF-8, as Python holds it: spelled for a shell
        return f"\\x{code - 0xDC00:02x}"
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0xA0 else f"\\u{code:04x}"


def _spelled_in_json(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))
