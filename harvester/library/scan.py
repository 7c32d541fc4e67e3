"""The opcode scan: what a pickle stream may contain, judged before anything of it is built.

Owns the allow-list. A stream that passes builds plain containers, numbers and texts, names one class once, calls it
once and sets its state once; its memo, its counts of containers and its texts are bounded by the bytes it has. An
allow-list of classes alone is not enough: memo bombs, giant buffers and BUILD need no class (design §5).
"""

from __future__ import annotations

import re
from collections import Counter

from harvester.errors import LibraryCorrupt

# Runs of opcodes whose argument has a fixed length, without those that are counted or whose argument is a text.
_FIXED = (
    rb"[N\x88\x89(}\]\x8f0eus\x90]"  # constants, containers, MARK, POP, fillers
    rb"|[Khq].|M..|[Jj]....|G........|\x95........"  # small and 32-bit numbers, memo, FRAME
    rb"|\x8a\x05.....|\x8a\x06......|\x8a\x07.......|\x8a\x08........"  # stamps and other 64-bit numbers
)
_CONTAINERS = (b"}", b"]", b"(", b"\x8f")
_GIANTS, _CALL = (3, 4), 5  # groups of the pattern below
_ONCE = Counter({b"\x85": 1, b"\x86": 1, b"\x93": 1, b"R": 1, b"b": 1})
_MOST_GIANTS = 4096
"""Integers beyond 64 bits: no real record has one, and as dict keys they could be made to collide."""


def scan_opcodes(stream: bytes) -> None:
    """Raise `LibraryCorrupt` unless the stream holds allowed opcodes only and ends with its STOP.

    Cannot see types or cycles: what the stream builds must still be checked value by value.
    """
    if stream[:2] != b"\x80\x05":
        raise LibraryCorrupt("it is not a pickle of protocol 5")
    size = len(stream)
    match_at, count, number_in = _pattern(size).match, stream.count, int.from_bytes
    place, containers, giants = 2, 0, 0
    called: Counter[bytes] = Counter()
    while True:
        match = match_at(stream, place)
        if match is None:
            raise LibraryCorrupt(f"it holds an opcode that a library never has, after byte {place}")
        end, kind = match.end(), match.lastindex
        # Short runs are not worth counting in: all of it counts.
        containers += end - place if end - place < 64 else sum(count(code, place, end) for code in _CONTAINERS)
        place = end
        if kind is None:
            break
        if kind == _CALL:
            called[match[kind]] += 1
            continue
        place += number_in(match[kind], "little")
        giants += kind in _GIANTS
    if place != size:
        raise LibraryCorrupt("bytes follow its end" if place < size else "a text in it is longer than the file")
    if called != _ONCE:
        raise LibraryCorrupt("it calls something that a library never calls")
    if containers > size // 4 + 4096:
        raise LibraryCorrupt("it builds far more containers than a library holds")
    if giants > _MOST_GIANTS:
        raise LibraryCorrupt("it holds too many giant integers")


def _pattern(size: int) -> re.Pattern[bytes]:
    """Return the pattern of one step: a run of fixed opcodes, then one whose argument must be looked at."""
    # A sound takes two memo slots and more than 16 bytes: the third byte of a slot's number bounds the memo.
    highest = min(0xFF, ((1 << 16) + size // 8) >> 16)
    put = rb"r..[\x00-" + re.escape(bytes([highest])) + rb"]\x00"
    ends = rb"\x8c(.)|X(....)|\x8a(.)|\x8b(....)|([\x85\x86\x93Rb])|\."
    return re.compile(rb"(?>" + _FIXED + rb"|" + put + rb")*+(?:" + ends + rb")", re.DOTALL)
