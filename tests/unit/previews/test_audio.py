"""What counts as audio by its beginning."""

from __future__ import annotations

import pytest

from harvester.previews.audio import is_audio
from harvester.sandbox.ogg_flac import encode_ogg_flac

_PAGE = b"OggS\0\2" + bytes(20) + b"\1\x1e"
VORBIS, OPUS = _PAGE + b"\1vorbis" + bytes(20), _PAGE + b"OpusHead" + bytes(20)
MPEG, ID3 = b"\xff\xfb\x90\x00" + bytes(400), b"ID3\x04\0\0\0\0\x00\x17" + bytes(400)


@pytest.mark.parametrize(
    ("format", "beginning"), [("ogg", VORBIS), ("ogg", OPUS), ("mp3", MPEG), ("mp3", b"\xff\xf3\x84\x00"), ("mp3", ID3)]
)
def test_audio_is_known_by_its_beginning(format: str, beginning: bytes) -> None:
    assert is_audio(format, beginning)
    assert not is_audio("mp3" if format == "ogg" else "ogg", beginning)


def test_the_sandboxs_own_files_are_audio() -> None:
    from array import array

    assert is_audio("ogg", encode_ogg_flac(array("h", [0] * 100), 11_025, 8)[:512])


@pytest.mark.parametrize("format", ["ogg", "mp3"])
@pytest.mark.parametrize(
    "beginning",
    [
        b"", b"O", b"OggS", b"OggS\0\2", b"<html><body>login</body></html>", b"\0" * 512, b"RIFF" + bytes(100),
        VORBIS[:20], _PAGE + b"\1theora" + bytes(20), VORBIS[:5] + b"\0" + VORBIS[6:], b"oggs" + VORBIS[4:],
        b"\xff\xff\xff\xff", b"\xff\xe8\x90\x00", b"\xff\xfb\xf0\x00", b"\xff\xfb\x9c\x00", b"ID3",
        b"ID3\x04\0\0\xff\xff\xff\xff" + bytes(10),
    ],
)  # fmt: skip
def test_anything_else_is_not(format: str, beginning: bytes) -> None:
    assert not is_audio(format, beginning)
