"""Draw the waveform of a made-up sound as a small PNG, with zlib alone.

Source: the PNG specification (W3C, third edition). A picture has two colours, a bit a pixel.
"""

from __future__ import annotations

import struct
import zlib
from array import array

SIZES = {"M": (120, 71), "L": (900, 201)}
"""Width and height in pixels of Freesound's two sizes."""

_COLOURS = bytes.fromhex("000000 4dd0a5")
_BLACK_AND_WHITE = bytes.fromhex("ffffff 222222")


def draw_waveform(samples: array[int], width: int, height: int, *, bw: bool) -> bytes:
    """Return a PNG with a column from least to greatest sample a pixel."""
    middle = (height - 1) / 2
    rows = [bytearray(-(-width // 8)) for _ in range(height)]
    for column in range(width):
        start = column * len(samples) // width
        part = samples[start : max(start + 1, (column + 1) * len(samples) // width)]
        top = round(middle - max(0, max(part)) / 32_768 * middle)
        bottom = round(middle - min(0, min(part)) / 32_768 * middle)
        for row in rows[top : bottom + 1]:
            row[column // 8] |= 128 >> column % 8
    # Each row begins with its filter: 0, none.
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0))
        + _chunk(b"PLTE", _BLACK_AND_WHITE if bw else _COLOURS)
        + _chunk(b"IDAT", pixels)
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)
