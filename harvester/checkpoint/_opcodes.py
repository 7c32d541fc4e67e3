"""Encode values as pickle opcodes (protocol 5), alike in every process.

Owns the encoding of numbers, texts, memo slots and frames; knows nothing of libraries. Python's own unpickler reads
the result, also through `joblib.load`.
"""

from __future__ import annotations

import struct

PROTOCOL = b"\x80\x05"
FRAME, FRAME_HEAD_BYTES = b"\x95", 9
"""A frame begins with its opcode and the length of what follows, in 8 bytes."""
EMPTY_DICT, EMPTY_LIST, EMPTY_SET, MARK = b"}", b"]", b"\x8f", b"("
SETITEM, SETITEMS, APPENDS, ADDITEMS = b"s", b"u", b"e", b"\x90"
NONE, TRUE, FALSE, POP, STOP = b"N", b"\x88", b"\x89", b"0", b"."
TUPLE1, TUPLE2, STACK_GLOBAL, REDUCE, BUILD = b"\x85", b"\x86", b"\x93", b"R", b"b"

CONTAINERS = (EMPTY_DICT, EMPTY_LIST, MARK, EMPTY_SET)
"""The opcodes that begin a container."""
_CONTAINERS = b"".join(CONTAINERS)
BYTES_BESIDE, SPARE_CONTAINERS = 4, 4096
"""A stream may hold one container per `BYTES_BESIDE` bytes plus `SPARE_CONTAINERS`; more counts as a memory bomb."""
FILLER = NONE + POP
"""Two bytes without effect: push None, pop it."""

BYTES = [b"K" + bytes([number]) for number in range(256)]
LENGTHS = [b"\x8c" + bytes([length]) for length in range(256)]
pack_float = struct.Struct(">cd").pack
pack_index = struct.Struct("<cI").pack


def count_containers(opcodes: bytes) -> int:
    """Return how many bytes begin a container, or look like it in a text."""
    return len(opcodes) - len(opcodes.translate(None, _CONTAINERS))  # one pass, in less than half the time of counts


def encode_int(number: int) -> bytes:
    """Return the shortest opcode of an integer, with its argument."""
    if 0 <= number < 256:
        return BYTES[number]
    if -(2**31) <= number < 2**31:
        if 0 <= number < 65536:
            return b"M" + number.to_bytes(2, "little")
        return b"J" + number.to_bytes(4, "little", signed=True)
    size = (~number if number < 0 else number).bit_length() // 8 + 1
    head = b"\x8a" + bytes([size]) if size < 256 else b"\x8b" + size.to_bytes(4, "little")
    return head + number.to_bytes(size, "little", signed=True)


def encode_text(text: str) -> bytes:
    """Return the opcode of a text, with its length and its UTF-8 bytes."""
    try:
        raw = text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON allows
        raw = text.encode("utf-8", "surrogatepass")
    size = len(raw)
    return (LENGTHS[size] if size < 256 else pack_index(b"X", size)) + raw


def put(index: int) -> bytes:
    """Return the opcode that stores the top of the stack in a memo slot."""
    return b"q" + bytes([index]) if index < 256 else pack_index(b"r", index)


def get(index: int) -> bytes:
    """Return the opcode that pushes the value of a memo slot."""
    return b"h" + bytes([index]) if index < 256 else pack_index(b"j", index)


def frame(payload: bytes) -> bytes:
    """Return a frame around some opcodes."""
    return FRAME + len(payload).to_bytes(8, "little") + payload
