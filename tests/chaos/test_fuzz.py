"""Fuzzing the loader: mutated checkpoints by the ten thousand; it loads or refuses in a line, soon and in bounds."""

from __future__ import annotations

import subprocess
import sys
import time
import zlib

import pytest

from harvester.checkpoint.container import PackedBytes, unpacked
from harvester.checkpoint.format import decode_checkpoint
from harvester.errors import LibraryCorrupt
from tests.support.fuzz_loader import judge, right_digest, seed_files, unframed
from tests.support.processes import ROOT

MOST_GROWN_MB = 200
"""64 MiB may be unpacked, scanned, and compared before a small file is refused."""

SHARDS, MUTANTS = 4, 25_000


def fuzz(seed: int, count: int) -> tuple[int, int, float, int]:
    """Judge mutants in a process of bounded memory; return refused, accepted, the slowest in s, and MiB grown."""
    command = [sys.executable, "-m", "tests.support.fuzz_loader", str(seed), str(count)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    refused, accepted, slowest_s, grown_mb = ended.stdout.split()
    return int(refused), int(accepted), float(slowest_s), int(grown_mb)


def test_a_mutated_checkpoint_is_loaded_or_refused_in_a_line_and_nothing_else() -> None:
    # A process of its own, so that its memory can be bounded.
    refused, accepted, slowest_s, grown_mb = fuzz(1, 500)
    assert refused > 400
    assert accepted + refused == 500
    assert slowest_s < 5
    assert grown_mb < MOST_GROWN_MB


@pytest.mark.chaos
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_hundred_thousand_mutants(shard: int) -> None:
    began_s = time.monotonic()
    refused, accepted, slowest_s, grown_mb = fuzz(100 + shard, MUTANTS)
    print(
        f"{MUTANTS} mutants: {refused} refused, {accepted} accepted and whole, slowest {slowest_s:.3f} s, "
        f"{grown_mb} MiB more memory, {time.monotonic() - began_s:.0f} s"
    )
    assert refused + accepted == MUTANTS
    assert grown_mb < MOST_GROWN_MB


def forged(old: bytes, new: bytes) -> bytes:
    """Return a good file with bytes of its stream replaced, and the digest made right again."""
    stream = unframed(b"".join(unpacked(PackedBytes(seed_files()[1]))))
    assert stream.count(old) == 1
    return zlib.compress(right_digest(stream.replace(old, new)))


def test_a_file_does_not_speak_through_the_error_that_refuses_it() -> None:
    name = b"networkx.classes.digraph"
    for forgery in (b"networkx.\n\x1b[2Jes.digraph", b"networkx.cl\xe2\x80\xaees.digraph"):
        assert len(forgery) == len(name)
        assert judge(forged(name, forgery)) == "refused"


def test_a_format_number_too_long_to_print_is_refused_in_a_line() -> None:
    # Python refuses to print more than 4,300 digits: a ValueError on the way to a kind word.
    giant = b"\x8b" + (3000).to_bytes(4, "little") + b"\xff" * 2999 + b"\x01"
    with pytest.raises(LibraryCorrupt, match="thousands of digits"):
        decode_checkpoint(forged(b"format_versionK\x01", b"format_version" + giant))
