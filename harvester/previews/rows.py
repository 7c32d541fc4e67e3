"""Lines about previews: those that are here, and the lost ones.

One JSON object a line. The files may come from anyone: a line that is not as the harvester writes it is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from harvester.clock import exact_iso, is_stamp, stamp_of
from harvester.json_text import json_text
from harvester.model import is_sound_id

QUALITIES, FORMATS = ("lq", "hq"), ("ogg", "mp3")
"""From the lower quality to the higher one."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_TEXT = 1_000
_MOST_COUNT = 1_000_000

Key = tuple[int, str]
"""A sound's id and the format of a preview: one file."""


@dataclass(frozen=True, slots=True)
class StoredPreview:
    """A preview that is here, whole: one line of `manifest.jsonl`.

    `license` is the address of the deed, as the sound's record had it. `fetched_at`: microseconds since 1970, UTC.
    """

    sound_id: int
    format: str
    quality: str
    size_bytes: int
    sha256: str
    address: str
    license: str
    fetched_at: int

    @property
    def key(self) -> Key:
        """Id and format."""
        return self.sound_id, self.format

    @property
    def file(self) -> str:
        """The name of the file in the folder of previews."""
        return f"{self.sound_id}.{self.format}"

    def line(self) -> bytes:
        """Return the line, with its end."""
        row = {
            "id": self.sound_id,
            "file": self.file,
            "quality": self.quality,
            "size": self.size_bytes,
            "sha256": self.sha256,
            "address": self.address,
            "license": self.license,
            "fetched_at": exact_iso(self.fetched_at),
        }
        return f"{json_text(row)}\n".encode()


@dataclass(frozen=True, slots=True)
class LostPreview:
    """A preview that did not come: one line of `lost.jsonl`.

    `count` failures in a row; it is requested again from `retry_at` on, microseconds since 1970, UTC.
    """

    sound_id: int
    format: str
    quality: str
    address: str
    reason: str
    count: int
    retry_at: int

    @property
    def key(self) -> Key:
        """Id and format."""
        return self.sound_id, self.format

    def line(self) -> bytes:
        """Return the line, with its end."""
        row = {
            "id": self.sound_id,
            "format": self.format,
            "quality": self.quality,
            "address": self.address,
            "reason": self.reason,
            "count": self.count,
            "retry_at": exact_iso(self.retry_at),
        }
        return f"{json_text(row)}\n".encode()


def read_rows(content: bytes) -> tuple[list[StoredPreview | LostPreview], int]:
    """Return the rows of a file, and the number of lines that are none."""
    rows, wrong = list[StoredPreview | LostPreview](), 0
    for line in filter(None, content.split(b"\n")):
        row = _read_row(line)
        if row is None:
            wrong += 1
        else:
            rows.append(row)
    return rows, wrong


def sorted_lines(rows: Iterable[StoredPreview | LostPreview]) -> Iterable[bytes]:
    """Yield the lines of rows, by id and format."""
    return (row.line() for row in sorted(rows, key=lambda row: row.key))


def _read_row(line: bytes) -> StoredPreview | LostPreview | None:
    try:
        row = orjson.loads(line)
        return _stored(row) if "sha256" in row else _lost(row)
    except (ValueError, KeyError, TypeError, OverflowError):
        return None


def _stored(row: dict[str, object]) -> StoredPreview | None:
    sound_id, size = row["id"], row["size"]
    name, _, format = _text(row["file"]).partition(".")
    quality, digest = row["quality"], _text(row["sha256"])
    fetched_at = stamp_of(_text(row["fetched_at"]))
    valid = is_sound_id(sound_id) and name == str(sound_id) and format in FORMATS and quality in QUALITIES
    if not (valid and type(size) is int and size > 0 and _SHA256.fullmatch(digest) and is_stamp(fetched_at)):
        return None
    assert isinstance(sound_id, int)
    return StoredPreview(
        sound_id, format, _text(quality), size, digest, _text(row["address"]), _text(row["license"]), fetched_at
    )


def _lost(row: dict[str, object]) -> LostPreview | None:
    sound_id, count = row["id"], row["count"]
    format, quality, retry_at = _text(row["format"]), _text(row["quality"]), stamp_of(_text(row["retry_at"]))
    valid = is_sound_id(sound_id) and format in FORMATS and quality in QUALITIES and is_stamp(retry_at)
    if not (valid and type(count) is int and 0 < count <= _MOST_COUNT):
        return None
    assert isinstance(sound_id, int)
    return LostPreview(sound_id, format, quality, _text(row["address"]), _text(row["reason"]), count, retry_at)


def _text(value: object) -> str:
    """Return a text of a row; raise `ValueError` for anything else."""
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT:
        raise ValueError("no text")
    return value
