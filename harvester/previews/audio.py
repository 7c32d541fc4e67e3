"""Tell from its beginning whether a file is audio of its format."""

from __future__ import annotations

BEGINNING_BYTES = 512
_CODECS = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
_PAGE_HEAD_BYTES = 27
_FIRST_PAGE = 2
"""The flag of the first page of a stream."""


def is_audio(format: str, beginning: bytes) -> bool:
    """Tell whether a decoder would take a file that begins like this.

    `beginning` is the first `BEGINNING_BYTES` bytes, or all that there are.
    """
    return _is_ogg(beginning) if format == "ogg" else _is_mp3(beginning)


def _is_ogg(data: bytes) -> bool:
    if len(data) < _PAGE_HEAD_BYTES or data[:5] != b"OggS\0" or not data[5] & _FIRST_PAGE:
        return False
    return data[_PAGE_HEAD_BYTES + data[26] :].startswith(_CODECS)


def _is_mp3(data: bytes) -> bool:
    if data[:3] == b"ID3":
        # Version and the four bytes of the size: none has its highest bit set.
        return len(data) > 10 and data[3] < 0xFF and data[4] < 0xFF and not any(byte & 0x80 for byte in data[6:10])
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return False
    version, layer = data[1] >> 3 & 3, data[1] >> 1 & 3
    bit_rate, sample_rate = data[2] >> 4, data[2] >> 2 & 3
    return version != 1 and layer != 0 and bit_rate != 15 and sample_rate != 3
