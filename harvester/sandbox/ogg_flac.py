"""Write samples as FLAC in Ogg, with the standard library.

Sources: RFC 9639 (FLAC; its section 10.1 is the mapping into Ogg) and RFC 3533 (Ogg). Samples are stored verbatim:
the file is as large as WAV, and players and header checks accept it as `.ogg`.
Invariant: the same samples give the same bytes.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Iterator
from functools import cache
from hashlib import md5

_BLOCK = 4_096
_MOST = 127 * _BLOCK
"""Frame numbers up to 127 are one byte; five seconds need 27 frames."""

_BITS_CODE = {8: 1, 16: 4}
_FIRST, _LAST, _MIDDLE = 2, 4, 0
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_SERIAL = 0x48_41_52_56
_VENDOR = b"harvester sandbox"
_COMMENT = b"COMMENT=a made-up sound"


def encode_ogg_flac(samples: array[int], rate: int, bits: int) -> bytes:
    """Return a mono file of 8 or 16 `bits`; `samples` are 16 bits each.

    Of 8 bits the upper ones are kept. `rate` is below 65,536. Raises `ValueError` for more than 520,192 samples.
    """
    if len(samples) > _MOST:
        raise ValueError(f"{len(samples)} samples are more than {_MOST}")
    stored = samples if bits == 16 else array("b", (one >> 8 for one in samples))
    pages = [
        _page(0, _FIRST, 0, b"\x7fFLAC\x01\x00\x00\x01fLaC" + _block(0, _stream_info(stored, rate, bits))),
        _page(1, _MIDDLE, 0, _block(0x84, _comments())),
    ]
    for number, start in enumerate(range(0, len(stored), _BLOCK)):
        block = stored[start : start + _BLOCK]
        done = start + len(block)
        pages.append(_page(2 + number, _LAST if done == len(stored) else _MIDDLE, done, _frame(number, block, bits)))
    return b"".join(pages)


def ogg_checksum(page: bytes) -> int:
    """Return the CRC-32 of a page whose checksum field is zero (RFC 3533)."""
    # zlib computes the same polynomial with the bits of every byte, and of the result, in reversed order.
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_REVERSED))


def _page(number: int, flags: int, position: int, packet: bytes) -> bytes:
    lacing = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
    head = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, position, _SERIAL, number, 0, len(lacing)) + lacing
    checksum = ogg_checksum(head + packet)
    return head[:22] + checksum.to_bytes(4, "little") + head[26:] + packet


def _block(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + len(content).to_bytes(3) + content


def _stream_info(stored: array[int], rate: int, bits: int) -> bytes:
    # Rate (20 bits), channels - 1 (3), bits - 1 (5), number of samples (36).
    packed = rate << 44 | 0 << 41 | bits - 1 << 36 | len(stored)
    unpadded = _little_endian(stored)
    return (
        struct.pack(">HH", _BLOCK, _BLOCK)
        + bytes(6)
        + packed.to_bytes(8)
        + md5(unpadded, usedforsecurity=False).digest()
    )


def _comments() -> bytes:
    return struct.pack("<I", len(_VENDOR)) + _VENDOR + struct.pack("<II", 1, len(_COMMENT)) + _COMMENT


def _frame(number: int, block: array[int], bits: int) -> bytes:
    # The length of the block is in the header's end (code 7), the rate in the stream's information (code 0).
    head = bytes([0xFF, 0xF8, 0x70, _BITS_CODE[bits] << 1, number]) + struct.pack(">H", len(block) - 1)
    head += bytes([_crc8(head)])
    swapped = block[:]
    if sys.byteorder == "little":
        swapped.byteswap()
    frame = head + b"\x02" + swapped.tobytes()
    return frame + _crc16(frame).to_bytes(2)


def _little_endian(stored: array[int]) -> bytes:
    copy = stored[:]
    if sys.byteorder == "big":
        copy.byteswap()
    return copy.tobytes()


def _crc8(data: bytes) -> int:
    remainder = 0
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x07 if remainder & 0x80 else 0)) & 0xFF
    return remainder


def _crc16(data: bytes) -> int:
    # Two bytes at a time: half of the steps of the usual table.
    table = _crc16_table()
    remainder = 0
    for word in _words(data):
        remainder = table[remainder ^ word]
    return remainder


def _words(data: bytes) -> Iterator[int]:
    padded = data.rjust(len(data) + len(data) % 2, b"\0")  # zeros in front do not change a remainder of zero
    return (first << 8 | second for first, second in zip(padded[::2], padded[1::2], strict=True))


@cache
def _crc16_table() -> tuple[int, ...]:
    """Return the remainder after two bytes, for each 16 bits."""
    single = []
    for byte in range(256):
        remainder = byte << 8
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x8005 if remainder & 0x8000 else 0)) & 0xFFFF
        single.append(remainder)
    after_one = [(word << 8 & 0xFF00) ^ single[word >> 8] for word in range(65_536)]
    return tuple((one << 8 & 0xFF00) ^ single[one >> 8] for one in after_one)
