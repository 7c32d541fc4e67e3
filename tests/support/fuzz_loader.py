"""A process that feeds the loader mutated checkpoints: `python -m tests.support.fuzz_loader SEED COUNT`.

Mutates the file, the stream inside it, or the stream with its digest made right again (and its frames taken away), so
that every layer behind checksum and framing is reached. Ends with a line of figures; with a traceback and the mutant
in hexadecimal when the loader does anything but load or refuse; by SIGALRM when it hangs; by an error of memory when
it takes more than its share.
"""

from __future__ import annotations

import hashlib
import pickletools
import random
import resource
import signal
import sys
import time
import zlib
from collections import Counter
from itertools import pairwise

from harvester.checkpoint.container import PackedBytes, unpacked
from harvester.checkpoint.format import decode_checkpoint, encode_checkpoint
from harvester.checkpoint.writer import END_BYTES, digest_at_end
from harvester.errors import LibraryCorrupt, NewerFormat
from harvester.model import Gone
from tests.support.samples import NOW_US, content_of, make_events, make_record, make_state

HANG_S = 10
ADDRESS_SPACE_BYTES = 1 << 30
"""A backstop. What is asserted is the peak: a small file may unpack to 64 MiB before it is refused, not to more."""

PIECES = [
    b"}", b"]", b"(", b"\x8f", b"e", b"u", b"s", b"a", b"0", b"1", b"2", b"N", b"\x88", b".", b"R", b"b", b"\x93",
    b"\x85", b"\x86", b"\x87", b"c", b"i", b"o", b"\x81", b"\x92", b"P", b"Q", b"\x97", b"\x98", b"\x96", b"B", b"C",
    b"T", b"U", b"V", b"F", b"I", b"L", b"S", b"t", b")", b"l", b"d", b"p", b"q\x00", b"r\xff\xff\xff\x7f", b"h\x00",
    b"j\x05\x00\x00\x00", b"\x94" * 40, b"]" * 300, b"}" * 300, b"(" * 300, b"X\xff\xff\xff\x7f", b"\x8c\xff",
    b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x8a\xff", b"\x8b\xff\xff\xff\x7f", b"\x95" + b"\xff" * 8,
    b"G" + b"\xff" * 8, b"G\x7f\xf8" + bytes(6), b"J\xff\xff\xff\xff", b"\x8a\x00", b"K\x00", b"M\x00\x00",
    b"X\x02\x00\x00\x00id", b"X\x08\x00\x00\x00__dict__", b"\x80\x05", b"]h\x00a", b"}h\x00h\x00s",
]  # fmt: skip
"""Opcodes allowed and forbidden, lengths beyond every file, references to what is being built."""


def seed_files() -> list[bytes]:
    """Return good checkpoints to begin from: nothing, one sound, a circle, every kind of value."""
    odd = {"tags": [], "geotag": "1 2", "bpm": 2**70, "nested": {"a": [None, True, -1.5, "ü", "x" * 300]}}
    events = [*make_events(4), *make_events(1, first=9), Gone(2, NOW_US)]
    states = [make_state([]), make_state(make_events(1)), make_state(events)]
    rich = make_state(events)
    rich.attributes(3).update(make_record(3, **odd))
    return [b"".join(encode_checkpoint(state)) for state in (*states, rich)]


def mutate(body: bytes, rng: random.Random, other: bytes) -> bytes:
    """Return the bytes changed in one to four places."""
    changed = bytearray(body)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        size = len(changed) or 1
        place, length = rng.randrange(size), rng.choice((1, 1, 2, 4, 8, 30, 200))
        match rng.randrange(9):
            case 0 if changed:
                changed[place] ^= 1 << rng.randrange(8)
            case 1 if changed:
                changed[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            case 2:
                del changed[place : place + length]
            case 3:
                changed[place:place] = changed[place : place + length] * rng.choice((1, 1, 2, 50))
            case 4:
                changed[place:place] = rng.randbytes(length)
            case 5 | 6:
                changed[place : place + rng.choice((0, 0, 1, 5))] = rng.choice(PIECES)
            case 7:
                start = rng.randrange(len(other))
                changed[place : place + length] = other[start : start + length]
            case 8:
                del changed[rng.choice((place, size - length, size - 1)) :]
    return bytes(changed)


def right_digest(stream: bytes) -> bytes:
    """Return the stream with the digest that its content has, where it still ends in one."""
    if digest_at_end(stream[-END_BYTES:]) is None:
        return stream
    place = len(stream) - END_BYTES
    digest = hashlib.sha256(memoryview(stream)[:place]).hexdigest().encode()
    return stream[: place + 11] + digest + stream[place + 11 + len(digest) :]


def unframed(stream: bytes) -> bytes:
    """Return the stream without its frames, but for the last: what is changed in it shifts no boundary any more."""
    places = [place or 0 for opcode, _, place in pickletools.genops(stream) if opcode.name == "FRAME"]
    kept = [slice(begin + 9, end) for begin, end in pairwise(places)]
    return stream[: places[0]] + b"".join(stream[part] for part in kept) + stream[places[-1] :]


def mutants(seed: int, count: int) -> list[bytes]:
    """Give mutated files, the same for the same seed."""
    rng = random.Random(seed)
    files = seed_files()
    streams = [b"".join(unpacked(PackedBytes(packed))) for packed in files]
    loose = [unframed(stream) for stream in streams]
    made = []
    for _ in range(count):
        which, other = rng.randrange(len(files)), rng.randrange(len(files))
        layer = rng.randrange(5)
        if layer == 0:
            made.append(mutate(files[which], rng, files[other]))
            continue
        stream = mutate((loose if layer > 2 else streams)[which], rng, loose[other])
        if layer > 1:
            stream = right_digest(stream)
        made.append(zlib.compress(stream, 1))
    return made


def judge(packed: bytes) -> str:
    """Load a mutant; return how it ended. Anything but a state that holds together, or a named error, is raised."""
    try:
        decoded = decode_checkpoint(packed)
    except (LibraryCorrupt, NewerFormat) as error:
        said = str(error)
    else:
        said = ""
    if said:
        assert said.isascii(), "the file speaks through the error"
        assert said.isprintable(), "the file speaks through the error"
        assert len(said) < 400
        return "refused"
    content_of(decoded.state)
    # As bytes, because a NaN in a record is not equal to itself.
    written = b"".join(encode_checkpoint(decoded.state))
    again = b"".join(encode_checkpoint(decode_checkpoint(written).state))
    assert again == written, "what was accepted does not survive being written"
    return "accepted"


def main(seed: int, count: int) -> None:
    """Judge `count` mutants and print what they came to."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    for packed in seed_files():
        judge(packed)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ends: Counter[str] = Counter()
    slowest_s = 0.0
    for packed in mutants(seed, count):
        signal.alarm(HANG_S)
        began_s = time.process_time()
        try:
            ends[judge(packed)] += 1
        except BaseException:
            print(packed.hex(), file=sys.stderr)
            raise
        slowest_s = max(slowest_s, time.process_time() - began_s)
    signal.alarm(0)
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    print(ends["refused"], ends["accepted"], f"{slowest_s:.3f}", grown_kb // 1024)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
