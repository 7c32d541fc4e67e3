"""Name what a file is by its content, for messages about a wrong file.

Knows the kinds that a person may name by mistake, and which bytes begin a pickle. Decides nothing else.
"""

from __future__ import annotations

import codecs
import re
import zlib
from contextlib import suppress
from pathlib import Path

from harvester.storage.opening import read_start
from harvester.storage.sqlite_export import EXPORT_MARK, SQLITE

BEGINNING_BYTES = 1 << 16
PICKLE = "a Python pickle"
_KINDS: tuple[tuple[bytes, str], ...] = (
    (rb"PK(\x03\x04|\x05\x06)", "a ZIP archive"),
    (rb"\x89PNG", "a PNG picture"),
    (rb"\xff\xd8\xff", "a JPEG picture"),
    (rb"GIF8", "a GIF picture"),
    (rb"%PDF", "a PDF document"),
    (rb"RIFF....WAVE|fLaC|OggS|ID3|FORM....AIFF", "a sound file"),
    (rb"SQLite format 3\0.{52}" + EXPORT_MARK, "a database of `harvester export sqlite`"),
    (re.escape(SQLITE), "an SQLite database"),
    (rb"PAR1", "a Parquet file"),
    (rb"\x7fELF", "a program"),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf", "a compressed file"),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_BINARY = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def describe_file(path: Path) -> str:
    """Return what is at a path: `a text`, `a ZIP archive`, `a folder`."""
    if path.is_dir():
        return "a folder"
    try:
        return describe_content(read_start(path, BEGINNING_BYTES))
    except OSError as error:
        return f"a file that cannot be read ({error.strerror})"


def describe_content(content: bytes) -> str:
    """Return what a file is that holds, or begins with, these bytes."""
    beginning = content[:BEGINNING_BYTES]
    if not beginning:
        return "an empty file"
    named = next((what for start, what in _KINDS if re.match(start, beginning, re.DOTALL)), None)
    if named is not None:
        return named
    if _PICKLE.match(unpack_beginning(beginning)):
        return PICKLE
    return _describe_text(beginning) or "a file of an unknown kind"


def unpack_beginning(content: bytes) -> bytes:
    """Return the beginning of what zlib packed, as far as it is there.

    Of other bytes it is their own beginning.
    """
    beginning = content[:BEGINNING_BYTES]
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(beginning, BEGINNING_BYTES) or beginning
    return beginning


def _describe_text(beginning: bytes) -> str:
    try:
        # The last character may be cut.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(beginning)
    except UnicodeDecodeError:
        return ""
    if _BINARY.search(text):
        return ""
    return {"{": "a JSON text", "[": "a JSON text", "<": "an HTML or XML text"}.get(text.lstrip()[:1], "a text")
