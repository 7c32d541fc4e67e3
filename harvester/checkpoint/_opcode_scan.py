"""The opcode scan: what a pickle stream may contain, judged before anything of it is built.

Owns the allow-list. A stream that passes builds plain containers, numbers and texts, names one class once, calls it
once and sets its state once; its memo, its counts of containers and its texts are bounded by the bytes it has. An
allow-list of classes alone is not enough: memo bombs, giant buffers and BUILD need no class.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from harvester.checkpoint._opcodes import BYTES_BESIDE, CONTAINERS, SPARE_CONTAINERS
from harvester.errors import LibraryCorrupt

# Opcodes whose argument has a fixed length, without those that are counted or whose argument is a text.
_FIXED = (
    rb"[N\x88\x89(}\]\x8f0eus\x90]"  # constants, containers, MARK, POP, fillers
    rb"|[Khq].|M..|[Jj]....|G........"  # small and 32-bit numbers, memo
    rb"|\x8a\x05.....|\x8a\x06......|\x8a\x07.......|\x8a\x08........|\x8a\x09........\x00"  # 64-bit numbers
)
# A short text with all of it: one branch for each length, so that the engine steps over it without coming back here.
_SHORT_TEXT = rb"\x8c(?:" + b"|".join(re.escape(bytes([size])) + rb".{%d}" % size for size in range(256)) + rb")"
# What most of a library is, in one step each: a kept name with its value, an edge with its score.
_PAIR = rb"h.(?>h.|" + _SHORT_TEXT + rb"|[N\x88\x89}]|G........|K.|M..|\x8a\x07.......)"
_EDGE = rb"J....}h.G........s"
_RUNS = rb"(?:" + _PAIR + rb")++|(?:" + _EDGE + rb")++|" + _SHORT_TEXT + rb"|" + _FIXED
_SLICE_BYTES = 1 << 20
_GIANTS, _LONGEST, _CALL, _FRAME = (3, 4), 4, 5, 6  # groups of the pattern below
_ONCE = Counter({b"\x85": 1, b"\x86": 1, b"\x93": 1, b"R": 1, b"b": 1})
_MOST_GIANTS = 4096
"""Integers beyond 64 bits: no real record has one, and as dict keys they could be made to collide."""
_MOST_BYTES = 1785
"""Of one integer: beyond 4,300 digits Python writes none as text, so that a join or an export would fail on it."""


def scan_opcodes(stream: bytes | bytearray) -> None:
    """Raise `LibraryCorrupt` unless the stream holds allowed opcodes only and ends with its STOP.

    Cannot see types or cycles: what the stream builds must still be checked value by value.
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
            # An opcode across a frame's end makes the unpickler forget the rest of the frame, and go on reading
            # elsewhere than this scan: so frames lie end to end, up to the last byte.
            if frame_end not in (0, step.start(_FRAME) - 1):
                raise LibraryCorrupt("its frames do not lie end to end")
            frame_end = place + int.from_bytes(step[_FRAME], "little")
    if frame_end not in (0, size):
        raise LibraryCorrupt("its frames do not lie end to end")
    if place != size:
        raise LibraryCorrupt("bytes follow its end" if place < size else "a text in it is longer than the file")
    if called != _ONCE:
        raise LibraryCorrupt("it calls something that a library never calls")
    # Bytes of texts look like containers too: only where all of them are too many is it worth telling them apart.
    most = size // BYTES_BESIDE + SPARE_CONTAINERS
    if sum(_counts(stream)) > most and _count_containers(stream) > most:
        raise LibraryCorrupt("it builds far more containers than a library holds")
    if giants > _MOST_GIANTS:
        raise LibraryCorrupt("it holds too many giant integers")


def _steps(stream: bytes | bytearray, pattern: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
    """Give each step up to STOP, whose match has no last group; the argument of any other is stepped over."""
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
    """Give how often a container's opcode or a byte that looks like it occurs, slice by slice: other threads wait for
    each call to end, and 80 MB in one go make them wait for 100 ms."""
    for start in range(0, len(stream), _SLICE_BYTES):
        for code in CONTAINERS:
            yield stream.count(code, start, start + _SLICE_BYTES)


def _count_containers(stream: bytes | bytearray) -> int:
    """Count the opcodes of a good stream that make containers: its texts, which may look like them, are left out."""
    return sum(
        stream.count(code, step.start(), step.end())
        for step in _steps(stream, _pattern(len(stream), _FIXED))
        for code in CONTAINERS
    )


def _pattern(size: int, run: bytes) -> re.Pattern[bytes]:
    """Return the pattern of one step: a run of opcodes, then one whose argument must be looked at."""
    # A sound takes two memo slots and more than 16 bytes: the third byte of a slot's number bounds the memo.
    highest = min(0xFF, ((1 << 16) + size // 8) >> 16)
    put = rb"r..[\x00-" + re.escape(bytes([highest])) + rb"]\x00"
    ends = rb"\x8c(.)|X(....)|\x8a(.)|\x8b(....)|([\x85\x86\x93Rb])|\x95(........)|\."
    return re.compile(rb"(?>" + run + rb"|" + put + rb")*+(?:" + ends + rb")", re.DOTALL)
