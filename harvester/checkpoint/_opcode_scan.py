"""Check a pickle stream against an allow-list of opcodes.

Owns the allow-list. A stream that passes builds plain containers, numbers and texts, names one class once, calls it
once and sets its state once. Its memo, its number of containers and its texts are bounded by its size in bytes. An
allow-list of classes alone is not enough: memo bombs, giant buffers and BUILD need no class.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator

from harvester.checkpoint._opcodes import (
    BYTES_BESIDE,
    CONTAINERS,
    FRAME,
    FRAME_HEAD_BYTES,
    SPARE_CONTAINERS,
    count_containers,
)
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
_GIANTS, _LONGEST, _CALL, _STOP = (3, 4), 4, 5, 6  # groups of the pattern below
_ONCE = Counter({b"\x85": 1, b"\x86": 1, b"\x93": 1, b"R": 1, b"b": 1})
_MOST_GIANTS = 4096
"""Maximum number of integers beyond 64 bits: no real record has one, and as dict keys they could be made to collide."""
_MOST_BYTES = 1785
"""Maximum size of one integer: Python converts none beyond 4,300 digits to text, so a merge or an export would fail."""


class OpcodeScan:
    """A scan of a stream of `size` bytes, frame by frame.

    The scan sees neither types nor cycles: the caller must still check every value that the stream builds.
    """

    def __init__(self, size: int, frames: Callable[[], Iterator[bytes]]) -> None:
        """`frames` returns all frames from the first on, for a second count."""
        self._frames = frames
        self._pattern, self._slow_pattern = _pattern(size, _RUNS), _pattern(size, _FIXED)
        self._most_containers = size // BYTES_BESIDE + SPARE_CONTAINERS
        self._containers = self._giants = 0
        self._are_counted = self._has_stopped = False
        self._called: Counter[bytes] = Counter()

    def through(self, frames: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the protocol and each frame once it is scanned, to the end."""
        yield next(frames)
        for frame in frames:
            self.scan(frame, count_containers(frame))
            yield frame
        self.end()

    def scan(self, frame: bytes, containers: int) -> None:
        """Raise `LibraryCorrupt` unless all opcodes of a frame are allowed.

        `containers` is what `count_containers` gives for it. Nothing may follow the STOP opcode.
        """
        if self._has_stopped:
            raise LibraryCorrupt("bytes follow its STOP opcode")
        place = 0
        for step in _steps(frame, self._pattern):
            place = step.end()
            if step.lastindex == _CALL:
                self._called[step[_CALL]] += 1
            self._giants += step.lastindex in _GIANTS
            if step.lastindex == _LONGEST and int.from_bytes(step[_LONGEST], "little") > _MOST_BYTES:
                raise LibraryCorrupt("it holds an integer of thousands of digits")
            if step.lastindex == _STOP:
                self._has_stopped = True
                if place != len(frame):
                    raise LibraryCorrupt("bytes follow its STOP opcode")
        if self._called - _ONCE:
            raise LibraryCorrupt("it calls something that a library never calls")
        if self._giants > _MOST_GIANTS:
            raise LibraryCorrupt("it holds too many giant integers")
        self._containers += containers
        # Bytes of texts can look like container opcodes. Texts are told apart (slowly) only when the sum is too high.
        if self._containers > self._most_containers and not self._are_counted:
            if sum(map(self._count, self._frames())) > self._most_containers:
                raise LibraryCorrupt("it builds far more containers than a library holds")
            self._are_counted = True

    def end(self) -> None:
        """Raise `LibraryCorrupt` unless the scanned frames are a whole stream."""
        if not self._has_stopped:
            raise LibraryCorrupt("it lacks its STOP opcode")
        if self._called != _ONCE:
            raise LibraryCorrupt("it calls something that a library never calls")

    def _count(self, frame: bytes) -> int:
        """Count the container opcodes of a frame, without those in its texts."""
        return sum(
            frame.count(code, step.start(), step.end())
            for step in _steps(frame, self._slow_pattern)
            for code in CONTAINERS
        )


def _steps(frame: bytes, pattern: re.Pattern[bytes]) -> Iterator[re.Match[bytes]]:
    """Yield each match of a frame, skipping arguments of counted opcodes."""
    place = FRAME_HEAD_BYTES if frame[:1] == FRAME else 0
    size = len(frame)
    while place < size:
        step = pattern.match(frame, place)
        if step is None:
            raise LibraryCorrupt("it holds an opcode that a library never has, or one that crosses the end of a frame")
        yield step
        place = step.end()
        if step.lastindex is not None and step.lastindex < _CALL:
            place += int.from_bytes(step[step.lastindex], "little")
    if place > size:
        raise LibraryCorrupt("a text in it is longer than the file")


def _pattern(size: int, run: bytes) -> re.Pattern[bytes]:
    """Return the pattern of one step of the scan.

    A step is a run of opcodes, then one whose argument the scan must read.
    """
    # A sound takes two memo slots and more than 16 bytes, so the third byte of a slot's number bounds the memo.
    highest = min(0xFF, ((1 << 16) + size // 8) >> 16)
    put = rb"r..[\x00-" + re.escape(bytes([highest])) + rb"]\x00"
    ends = rb"\x8c(.)|X(....)|\x8a(.)|\x8b(....)|([\x85\x86\x93Rb])|(\.)|\Z"
    return re.compile(rb"(?>" + run + rb"|" + put + rb")*+(?:" + ends + rb")", re.DOTALL)
