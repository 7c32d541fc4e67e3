"""An old library from a stranger costs no more than its packed size lets it: measured in processes of their own."""

from __future__ import annotations

import bz2
import json
import lzma
import pickle
import resource
import sqlite3
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

MOST_PACKED_BYTES = 100_000
MOST_S, MOST_KB = 3.0, 300_000
PRIME = (1 << 61) - 1
"""Python's hash of an integer is its remainder here: multiples collide."""

_PROGRAM = """
import resource, sys
from pathlib import Path
from harvester.clock import SystemClock
from harvester.errors import HarvesterError
from harvester.importing.old_library import import_old

def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak_kb = usage.ru_maxrss
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss begins with the size of the process that forked this one
        peak_kb = int(status.read_text().partition("VmHWM:")[2].split()[0])
    return usage.ru_utime + usage.ru_stime, peak_kb

begin_s, _ = used()
try:
    import_old(Path(sys.argv[1]), Path(sys.argv[2]), source="https://freesound.org/apiv2/", clock=SystemClock())
except HarvesterError as error:
    print("refused:", error)
else:
    print("imported")
end_s, peak_kb = used()
print(end_s - begin_s, peak_kb // (1024 if sys.platform == "darwin" else 1))
"""


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))


def _stream(body: bytes, protocol: int = 4) -> bytes:
    return b"\x80" + bytes([protocol]) + body


def _cached(value: bytes) -> bytes:
    """Return a dictionary whose `sound_cache` is what the opcodes `value` push."""
    return b"}\x8c\x0bsound_cache" + value + b"s."


def _long(number: int) -> bytes:
    raw = pickle.encode_long(number)
    return b"\x8a" + bytes([len(raw)]) + raw


def _graph(nodes: dict[Any, Any], edges: dict[Any, Any]) -> bytes:
    """Return the opcodes of a pickled `DiGraph` with these dictionaries, which may be shared."""
    plain = pickle.dumps({"_node": nodes, "_adj": edges}, 4)
    body = plain[11:] if plain[2:3] == b"\x95" else plain[2:]
    return b"cnetworkx.classes.digraph\nDiGraph\n)\x81" + body[:-1] + b"b."


def _sqlite(folder: Path, *statements: str, rows: list[tuple[Any, Any]] | None = None) -> bytes:
    path = folder / "made.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        if rows:
            connection.executemany("INSERT INTO metadata (sample_id, data) VALUES (?, ?)", rows)
        connection.commit()
    return path.read_bytes()


ROW_OF: dict[int, dict[str, Any]] = {n: {} for n in range(1, 2000)}
MANY_NAMES = {f"n{n}": n for n in range(3000)}

BOMBS: dict[str, Callable[[Path], bytes]] = {
    "dictionaries": lambda _: zlib.compress(_stream(b"}" * 20_000_000 + b".")),
    "sets on the stack": lambda _: zlib.compress(_stream(b"\x8f" * 20_000_000 + b".")),
    "marks": lambda _: zlib.compress(_stream(b"(" * 20_000_000 + b".")),
    "dictionaries, bz2": lambda _: bz2.compress(_stream(b"}" * 90_000_000 + b".")),
    "dictionaries, lzma": lambda _: lzma.compress(_stream(b"}" * 90_000_000 + b".")),
    "objects": lambda _: zlib.compress(_stream(b"cx\nY\nq\x00" + b"h\x00)\x81" * 3_000_000 + b".")),
    "fillers": lambda _: zlib.compress(_stream(b"N0" * 10_000_000 + b"N.")),
    "integers that collide": lambda _: zlib.compress(
        _stream(_cached(b"}(" + b"".join(_long(PRIME * i) + b"N" for i in range(1, 30_000)) + b"u"))
    ),
    "members that collide": lambda _: zlib.compress(
        _stream(b"}\x8c\x0dprocessed_ids\x8f(" + b"".join(_long(PRIME * i) for i in range(1, 30_000)) + b"\x90s.")
    ),
    "integers as text that collide": lambda _: zlib.compress(
        _stream(_cached(b"}(" + b"".join(b"L%dL\nN" % (PRIME * i) for i in range(1, 8_000)) + b"u"))
    ),
    "numbers of the memo that collide": lambda _: zlib.compress(
        _stream(b"N" + b"".join(b"p%d\n" % (PRIME * i) for i in range(1, 8_000)) + b".")
    ),
    "tuples as keys": lambda _: zlib.compress(
        _stream(_cached(b"}(" + b"".join(b"J" + struct.pack("<i", i) + b"N\x86N" for i in range(60_000)) + b"u"))
    ),
    "a key nested a hundredfold": lambda _: zlib.compress(
        _stream(_cached(b"}K\x01K\x02\x86q\x00" + b"0h\x00h\x00\x86q\x00" * 100 + b"Ns"))
    ),
    "a giant buffer": lambda _: zlib.compress(_stream(b"\x96" + struct.pack("<Q", 1 << 40) + b".", 5)),
    "giant integers": lambda _: zlib.compress(
        _stream(_cached(b"](" + (b"\x8b" + struct.pack("<I", 60_000) + b"\x01" * 60_000) * 200 + b"e"))
    ),
    "one long list as arguments again and again": lambda _: zlib.compress(
        _stream(b"cx\nY\nq\x00](" + b"N" * 50_000 + b"eq\x01" + b"h\x00h\x01R" * 60_000 + b".")
    ),
    "one long text in many places": lambda _: zlib.compress(
        _stream(
            _cached(
                b"}X" + struct.pack("<I", 1_000_000) + b"?token=abcdefghi " * 58_823 + b"x" * 9 + b"q\x010("
                + b"".join(b"J" + struct.pack("<i", i) + b"}\x8c\x01ah\x01s" for i in range(1, 30_000)) + b"u"
            )
        )
    ),
    "one long name in many places": lambda _: zlib.compress(
        _stream(
            _cached(
                b"}X" + struct.pack("<I", 1_000_000) + b"x" * 1_000_000 + b"q\x010("
                + b"".join(b"J" + struct.pack("<i", i) + b"}h\x01K\x01s" for i in range(1, 30_000)) + b"u"
            )
        )
    ),
    "one row of edges for every sound": lambda _: zlib.compress(
        _stream(_graph({}, dict.fromkeys(range(1, 4000), ROW_OF)))
    ),
    "one record for every sound": lambda _: zlib.compress(
        _stream(_graph(dict.fromkeys(range(1, 9000), MANY_NAMES), {}))
    ),
    "keys by the thousand": lambda _: zlib.compress(
        pickle.dumps({"sound_cache": {1: {"id": 1}}, "x": [{"token": f"t{i:09}"} for i in range(9000)]})
    ),
    "sounds in a row": lambda _: lzma.compress(pickle.dumps({"processed_ids": list(range(1, 380_000))}, 4)),
    "sounds in a row, plain": lambda _: pickle.dumps({"processed_ids": list(range(1, 33_000))}, 4),
    "a cache of braces": lambda folder: _sqlite(
        folder, "CREATE TABLE metadata (sample_id, data)",
        rows=[(1, json.dumps({"id": 1, "a": json.loads("[" + "{}," * 3_000 + "{}]")}, separators=(",", ":")))],
    ),
    "a cache with a giant integer": lambda folder: _sqlite(
        folder, "CREATE TABLE metadata (sample_id, data)", rows=[(1, '{"id": ' + "9" * 60_000 + "}")],
    ),
    "a cache that is a view without end": lambda folder: _sqlite(
        folder, "CREATE VIEW metadata AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT i AS sample_id, '{}' AS data FROM n",
    ),
    "a cache whose column is worked out": lambda folder: _sqlite(
        folder, "CREATE TABLE metadata (sample_id, data AS (hex(zeroblob(100000000))))",
        "INSERT INTO metadata (sample_id) VALUES (1)",
    ),
}  # fmt: skip


def _imported(old: Path, folder: Path) -> tuple[float, float, str]:
    """Import a file in a process of its own; return its CPU seconds, its peak in kB and what it said."""
    ended = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(old), str(folder)],
        capture_output=True, text=True, check=False, timeout=60, preexec_fn=_limited,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-500:]
    said, figures = ended.stdout.rstrip("\n").rsplit("\n", 1)
    cpu_s, peak_kb = map(float, figures.split())
    return cpu_s, peak_kb, said


@pytest.mark.parametrize("kind", BOMBS)
def test_a_forged_file_costs_no_more_than_its_size_lets_it(kind: str, tmp_path: Path) -> None:
    packed = BOMBS[kind](tmp_path)
    assert len(packed) <= MOST_PACKED_BYTES, len(packed)
    old = tmp_path / "old.pkl"
    old.write_bytes(packed)
    for turn in range(3):  # a busy machine doubles the CPU time of a process, now and then
        cpu_s, peak_kb, said = _imported(old, tmp_path / f"new{turn}")
        if cpu_s < MOST_S:
            break
    assert "\n" not in said
    assert len(said) < 400
    assert cpu_s < MOST_S, said
    assert peak_kb < MOST_KB, said
