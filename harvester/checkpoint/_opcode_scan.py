"""Check a pickle stream against an allow-list of opcodes.

Owns the allow-list. A stream that passes builds plain containers, numbers and texts, names one class once, calls it
once and sets its state once. Its memo, its number of containers and its texts are bounded by its size in bytes. An
allow-list of classes alone is not enough: memo bombs, giant buffers and BUILD need no class.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from harvester.checkpoint._opcodes import BYTES_BESIDE, CONTAINERS, SPARE_CONTAINERS
from harvester.errors import LibraryCorrupt

# Opcodes with an argument of fixed length, except those that the scan counts.
_FIXED = (
    rb"[N\x88\x89(}\]\x8f0eus\x90]"  # constants, containers, MARK, POP, fillers
    rb"|[Khq].|M..|[Jj]....|G........"  # small and 32-bit numbers, memo
    rb"|\x8a\x05.....|\x8a\x06......|\x8a\x07.......|\x8a\x08........|\x8a\x09........\x00"  # 64-bit numbers
)
# A whole short text: one branch for each length, so that the regular expression engine skips it without Python code.
_SHORT_TEXT = rb"\x8c(?:" + b"|".join(re.escape(bytes([size])) + rb".{%d}" % size for size in range(256)) + rb")"
# Most of a library, matched in one step each: an interned field name with its value, an edge with its score.
_PAIR = rb"h.(?>h.|" + _SHORT_TEXT + rb"|[N\x88\x89}]|G........|K.|M..|\x8a\x07.......)"
_EDGE = rb"J....}h.G........s"
_RUNS = rb"(?:" + _PAIR + rb")++|(?:" + _EDGE + rb")++|" + _SHORT_TEXT + rb"|" + _FIXED
_SLICE_BYTES = 1 << 20
_GIANTS, _LONGEST, _CALL, _FRAME = (3, 4), 4, 5, 6  # groups of the pattern below
_ONCE = Counter({b"\x85": 1, b"\x86": 1, b"\x93": 1, b"R": 1, b"b": 1})
_MOST_GIANTS = 4096
"""Maximum number of integers beyond 64 bits: no real record has one, and as dict keys they could be made to collide."""
_MOST_BYTES = 1785
"""Maximum size of one integer: Python converts none beyond 4,300 digits to text, so a merge or an export would fail."""


def scan_opcodes(stream: bytes | bytearray) -> None:
    """Raise `LibraryCorrupt` unless all opcodes are allowed, STOP last.

    The scan sees neither types nor cycles: the caller must still check every value that the stream builds.
    """
    if stream[:2] != b"\x80\x05":
        raise LibraryCorrupt("it is not a pickle of protocol 5")
    size = len(stream)
    place = giants = frame_end = 0
    called: Counter[bytes] = Counter()
    for step in _steps(stream, _pattern(size, _RUNS)):
        if step.lastindex == _CALL:
            called[step[_CALL]] += 1
        giants += step.lastindex in _GIANTS
        if step.lastindex == _LONGEST and int.from_bytes(step[_LONGEST], "little") > _MOST_BYTES:
            raise LibraryCorrupt("it holds an integer of thousands of digits")
        place = step.end()
        if step.lastindex == _FRAME:
            # An opcode that crosses a frame's end makes the unpickler skip the rest of the frame and read on at
            # another place than this scan. So each frame must begin where the one before ends, up to the last byte.
            if frame_end not in (0, step.start(_FRAME) - 1):
                raise LibraryCorrupt("a frame does not begin where the frame before it ends")
            frame_end = place + int.from_bytes(step[_FRAME], "little")
    if frame_end not in (0, size):
        raise LibraryCorrupt("its last frame does not end with the file")
    if place != size:
        raise LibraryCorrupt("bytes follow its STOP opcode" if place < size else "a text in it is longer than the file")
    if called != _ONCE:
        raise LibraryCorrupt("it calls something that a library never calls")
    # Bytes of texts can look like container opcodes. Texts are told apart (slowly) only when the sum is too high.
    most = size // BYTES_BESIDE + SPARE_CONTAINERS
    if sum(_counts(stream)) > most and _count_containers(stream) > most:
        raise LibraryCorrupt("it builds far more containers than a library holds")
    if giants > _MOST_GIANTS:
        raise LibraryCorrupt("it holds too many giant integers")


def _steps(stream: bytes | bytearray, pattern: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
    """Yield each match up to STOP, skipping arguments of counted opcodes.

    The match of STOP has no last group.
    """
    place = 2
    kind: int | None = _CALL
    while kind is not None:
        step = pattern.match(stream, place)
        if step is None:
            raise LibraryCorrupt(f"it holds an opcode that a library never has, after byte {place}")
        yield step
        place, kind = step.end(), step.lastindex
        if kind is not None and kind < _CALL:
            place += int.from_bytes(step[kind], "little")


def _counts(stream: bytes | bytearray) -> Iterator[int]:
    """Yield the counts of container opcodes in each slice of the stream.

    Bytes of texts that look like one count too. Slices, because `count` holds the GIL: 80 MB in one call block other
    threads for 100 ms.
    """
    for start in range(0, len(stream), _SLICE_BYTES):
        for code in CONTAINERS:
            yield stream.count(code, start, start + _SLICE_BYTES)


def _count_containers(stream: bytes | bytearray) -> int:
    """Count the container opcodes of a stream that passed the scan.

    Bytes of texts that look like them do not count.
    """
    return sum(
        stream.count(code, step.start(), step.end())
        for step in _steps(stream, _pattern(len(stream), _FIXED))
        for code in CONTAINERS
    )


def _pattern(size: int, run: bytes) -> re.Pattern[bytes]:
    """Return the pattern of one step of the scan.

    A step is a run of opcodes, then one whose argument the scan must read.
    """
    # A sound takes two memo slots and more than 16 bytes, so the third byte of a slot's number bounds the memo.
    highest = min(0xFF, ((1 << 16) + size // 8) >> 16)
    put = rb"r..[\x00-" + re.escape(bytes([highest])) + rb"]\x00"
    ends = rb"\x8c(.)|X(....)|\x8a(.)|\x8b(....)|([\x85\x86\x93Rb])|\x95(........)|\."
    return re.compile(rb"(?>" + run + rb"|" + put + rb")*+(?:" + ends + rb")", re.DOTALL)
