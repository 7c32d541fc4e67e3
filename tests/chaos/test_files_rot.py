"""Torn and rotten files: cut at every byte, a bit flipped in each. Good state or named error, no lie."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from harvester.checkpoint.files import load_checkpoint
from harvester.checkpoint.format import decode_checkpoint
from harvester.errors import DiskFull, HarvesterError, LibraryCorrupt
from harvester.library.check import check_library
from harvester.library.reader import load_view
from harvester.model import Known
from harvester.storage.atomic import Files
from harvester.storage.paths import CHECKPOINT, JOURNAL
from tests.support.samples import NOW_US, FixedClock, content_of, grow, make_events, make_state, open_store

EVENTS, TAIL, LAST = make_events(3), [Known(50, NOW_US), Known(51, NOW_US)], Known(52, NOW_US)
PARTS = 4


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library with a checkpoint, a verified backup, and a tail of events that only the journal has."""
    folder = tmp_path / "library"
    with open_store(folder, source="https://freesound.org/apiv2/") as store:
        grow(store, EVENTS)
        store.checkpoint(backup=True)
        for event in TAIL:
            grow(store, [event])
        store._journal.fold()
    return folder


WHOLE = content_of(make_state([*EVENTS, *TAIL]))


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of libraries are opened in it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() and os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder) / "library"


def _damaged(good: bytes, step: int = 1, first: int = 0) -> Iterable[bytes]:
    for size in range(first, len(good), step):
        yield good[:size]
    for place in range(first, len(good), step):
        bad = bytearray(good)
        bad[place] ^= 1 << (place % 8)
        yield bytes(bad)


def test_no_damage_to_a_checkpoint_gives_a_wrong_graph(library: Path) -> None:
    good = (library / CHECKPOINT).read_bytes()
    expected = content_of(load_checkpoint(library / CHECKPOINT).state)
    accepted = 0
    for bad in _damaged(good):
        try:
            decoded = decode_checkpoint(bad)
        except LibraryCorrupt:
            continue
        # Deflate pads its empty blocks with bits that mean nothing: the content is still proved by its digest.
        accepted += 1
        assert content_of(decoded.state) == expected
    assert accepted < len(good) / 20


@pytest.mark.parametrize("size", [0, 1, 100, -1, -5])
def test_a_cut_checkpoint_is_set_aside_and_nothing_is_lost(library: Path, size: int) -> None:
    path = library / CHECKPOINT
    path.write_bytes(path.read_bytes()[:size])
    with open_store(library) as store:
        assert content_of(store.state) == WHOLE
        assert any("nothing is lost" in line for line in store.notices)
        assert any("quarantine" in line for line in store.notices)
        store.checkpoint(backup=False)
    assert check_library(library, clock=FixedClock()).clean
    assert len(list((library / "quarantine").iterdir())) == 1


def test_a_rotten_backup_is_a_finding_and_never_believed(library: Path) -> None:
    (backup,) = library.glob("*backup*")
    good = backup.read_bytes()
    for place in range(0, len(good), 23):
        bad = bytearray(good)
        bad[place] ^= 0x10
        backup.write_bytes(bad)
        report = check_library(library, clock=FixedClock())
        try:
            harmless = decode_checkpoint(bytes(bad)) is not None
        except LibraryCorrupt:
            harmless = False
        assert report.clean == harmless, place


def _judge_journal(library: Path, scratch: Path, bad: bytes) -> str:
    """Open a copy of the library with a damaged journal; return what became of it."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(library, scratch)
    (scratch / JOURNAL).write_bytes(bad)
    nodes = set(WHOLE[0])
    base = nodes - {50, 51}
    try:
        view = load_view(scratch)
        assert base <= set(view.state.graph) <= nodes
        assert content_of(view.state)[2:4] == WHOLE[2:4]
        with open_store(scratch) as store:
            assert set(view.state.graph) <= set(store.state.graph) <= nodes
            complete = content_of(store.state) == WHOLE
            told = bool(store.notices) or bool(view.notices)
            store.append([Known(70, NOW_US)])
    except HarvesterError:
        return "error"
    with open_store(scratch) as store:
        assert 70 in store.state
    if complete:
        return "whole"
    assert told, "events are missing and nobody was told"
    return "told"


def _walk_journal(library: Path, scratch: Path, step: int, first: int = 0) -> Counter[str]:
    good = (library / JOURNAL).read_bytes()
    # An empty file is what SQLite itself starts from.
    return Counter(_judge_journal(library, scratch, bad) for bad in _damaged(good, step, first) if bad)


def test_a_damaged_journal_is_salvaged_loudly_or_named(library: Path, scratch: Path) -> None:
    outcomes = _walk_journal(library, scratch, 211)
    assert outcomes["whole"]
    assert outcomes["told"]
    assert not outcomes["error"]


@pytest.mark.parametrize("place", [18, 1025], ids=["the write version", "a page's list of free bytes"])
def test_rot_in_a_journal_that_only_writing_meets_is_found_at_opening(library: Path, scratch: Path, place: int) -> None:
    bad = bytearray((library / JOURNAL).read_bytes())
    bad[place] ^= 1 << (place % 8)
    assert _judge_journal(library, scratch, bytes(bad)) == "whole"
    assert len(list((scratch / "quarantine").iterdir())) == 1


def _spoil_head(library: Path) -> None:
    with closing(sqlite3.connect(library / JOURNAL)) as connection, connection:
        connection.execute("UPDATE head SET body = substr(body, 1, length(body) - 1) || x'00'")


def test_a_salvage_on_a_full_disk_leaves_the_damaged_journal_until_there_is_room(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise DiskFull("no space left on the disk")

    _spoil_head(library)
    with monkeypatch.context() as patched:
        patched.setattr("harvester.journal.writer.Journal.append", full)
        with pytest.raises(DiskFull):
            open_store(library)
    assert not (library / "quarantine").exists()
    with open_store(library) as store:
        assert content_of(store.state) == WHOLE


@pytest.mark.parametrize("renamed", range(3), ids=["what was saved", "the damaged journal", "the new journal"])
def test_a_salvage_that_is_cut_short_loses_nothing(library: Path, renamed: int) -> None:
    class CutShort(Files):
        left = renamed

        def rename(self, source: Path, target: Path) -> None:
            if not self.left:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.left -= 1
            super().rename(source, target)

    _spoil_head(library)
    with pytest.raises(DiskFull):
        open_store(library, files=CutShort())
    with open_store(library) as store:
        assert content_of(store.state) == WHOLE
        assert any("recover" in line for line in store.notices)
    assert not [path for path in library.iterdir() if "salvaged" in path.name]


@pytest.mark.chaos
@pytest.mark.parametrize("part", range(PARTS))
def test_every_byte_of_the_journal(library: Path, scratch: Path, part: int) -> None:
    outcomes = _walk_journal(library, scratch, PARTS, part)
    print(f"journal of {(library / JOURNAL).stat().st_size} bytes, part {part + 1} of {PARTS}: {dict(outcomes)}")
    assert not outcomes["error"]


def _walk_wal(library: Path, scratch: Path, step: int, first: int = 0) -> Counter[str]:
    """Damage the WAL of a killed writer, which holds the last sample alone; return what became of it."""
    killed = scratch.with_name("killed")
    with open_store(library) as store:
        grow(store, [LAST])
        shutil.copytree(library, killed, ignore=shutil.ignore_patterns("*-shm"))
    before, after = content_of(make_state([*EVENTS, *TAIL])), content_of(make_state([*EVENTS, *TAIL, LAST]))
    shutil.copytree(killed, scratch)
    assert content_of(load_view(scratch).state) == after
    outcomes: Counter[str] = Counter()
    for bad in _damaged((killed / f"{JOURNAL}-wal").read_bytes(), step, first):
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(killed, scratch)
        (scratch / f"{JOURNAL}-wal").write_bytes(bad)
        seen = content_of(load_view(scratch).state)
        with open_store(scratch) as store:
            assert content_of(store.state) == seen
            assert store.notices == []
        assert seen in (before, after)
        outcomes["after" if seen == after else "before"] += 1
    return outcomes


def test_a_damaged_wal_gives_the_state_before_or_after_its_commit(library: Path, scratch: Path) -> None:
    # SQLite takes it for a commit that was never finished: nobody can tell rot from a torn write here.
    assert _walk_wal(library, scratch, 397)["before"]


@pytest.mark.chaos
@pytest.mark.parametrize("part", range(PARTS))
def test_every_byte_of_the_wal(library: Path, scratch: Path, part: int) -> None:
    print(f"WAL, part {part + 1} of {PARTS}: {dict(_walk_wal(library, scratch, PARTS, part))}")


@pytest.mark.parametrize("lost", ["checkpoint", "backup", "journal's index", "lock"])
def test_any_one_file_can_be_destroyed_with_nothing_lost(library: Path, lost: str) -> None:
    if lost == "checkpoint":
        (library / CHECKPOINT).unlink()
    elif lost == "backup":
        next(library.glob("*backup*")).unlink()
    elif lost == "lock":
        (library / "freesound_library.lock").unlink()
    else:
        (library / f"{JOURNAL}-shm").unlink(missing_ok=True)
    assert content_of(load_view(library).state) == WHOLE
    with open_store(library) as store:
        assert content_of(store.state) == WHOLE
