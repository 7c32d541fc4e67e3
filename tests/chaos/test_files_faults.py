"""Faults on demand: every file operation of every procedure fails once, or is where the process dies."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harvester.checkpoint.files import load_checkpoint
from harvester.errors import BackupFailed, DiskFull, HarvesterError, LibraryUnwritable
from harvester.library.backups import Retention
from harvester.library.check import check_library
from harvester.library.reader import load_view
from harvester.library.repair import repair_library
from harvester.library.restore import restore_library
from harvester.model import Known
from harvester.storage.atomic import write_atomically
from harvester.storage.paths import CHECKPOINT
from tests.support.faulty_files import FaultyFiles, Killed
from tests.support.samples import (
    NOW_US,
    FixedClock,
    content_of,
    grow,
    make_events,
    make_state,
    names_in,
    open_store,
    reload_content,
)

SOURCE = "https://freesound.org/apiv2/"
FIRST, SECOND = make_events(3), make_events(4, first=10)
OLD = content_of(make_state(FIRST))
NEW = content_of(make_state([*FIRST, *SECOND]))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three backups of the first sounds, then more sounds that only the journal has."""
    folder = tmp_path_factory.mktemp("faults") / "library"
    clock = FixedClock(NOW_US)
    with open_store(folder, clock, source=SOURCE) as store:
        grow(store, FIRST)
        for _ in range(3):
            store.checkpoint(backup=True)
            clock.now_us += 5_000_000
        # The checkpoint holds neither what the backups hold nor all that there is: no half state looks like a whole.
        grow(store, SECOND[:3])
        store.checkpoint(backup=False)
        grow(store, SECOND[3:])
    return folder


def _checkpoint(folder: Path, files: FaultyFiles) -> None:
    with open_store(folder, FixedClock(NOW_US + 60_000_000), files=files, keep_backups=9) as store:
        store.checkpoint(backup=False)


def _back_up(folder: Path, files: FaultyFiles) -> None:
    with open_store(folder, FixedClock(NOW_US + 60_000_000), files=files, keep_backups=9) as store:
        store.checkpoint(backup=True)


def _back_up_alone(folder: Path, files: FaultyFiles) -> None:
    with open_store(folder, FixedClock(NOW_US + 60_000_000), files=files, keep_backups=9) as store:
        store.back_up()


def _back_up_then_checkpoint(folder: Path, files: FaultyFiles) -> None:
    _back_up_alone(folder, files)
    with open_store(folder, FixedClock(NOW_US + 60_000_000), files=files, keep_backups=9) as store:
        store.checkpoint()


def _prune(folder: Path, files: FaultyFiles) -> None:
    with open_store(folder, FixedClock(NOW_US + 60_000_000), files=files, keep_backups=1) as store:
        store.checkpoint(backup=True)


def _fall_back(folder: Path, files: FaultyFiles) -> None:
    (folder / CHECKPOINT).write_bytes(b"rot")
    with open_store(folder, FixedClock(NOW_US + 60_000_000), files=files) as store:
        store.checkpoint(backup=True)


def _restore(folder: Path, files: FaultyFiles) -> None:
    restore_library(folder, clock=FixedClock(NOW_US + 60_000_000), files=files)


def _repair(folder: Path, files: FaultyFiles) -> None:
    (folder / CHECKPOINT).write_bytes(b"rot")
    repair_library(folder, clock=FixedClock(NOW_US + 60_000_000), files=files)


PROCEDURES: dict[str, Callable[[Path, FaultyFiles], None]] = {
    "checkpoint": _checkpoint, "backup": _back_up, "backup alone": _back_up_alone,
    "backup, then checkpoint": _back_up_then_checkpoint, "prune": _prune, "fall back": _fall_back,
    "restore": _restore, "repair": _repair,
}  # fmt: skip


def _copy(library: Path, scratch: Path) -> Path:
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(library, scratch)
    return scratch


def _points(library: Path, tmp_path: Path, procedure: str) -> list[int]:
    """Return the operations worth failing at: all, but of a row of equal writes only the first and the last."""
    files = FaultyFiles()
    PROCEDURES[procedure](_copy(library, tmp_path / "count"), files)
    names = files.operations
    assert len(names) >= 5
    around = zip(["", *names[:-1]], names, [*names[1:], ""], strict=True)
    return [
        number for number, (last, name, next_) in enumerate(around, 1) if name != "write" or {last, next_} != {name}
    ]


@pytest.mark.parametrize("procedure", PROCEDURES)
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(errno.ENOSPC, id="full"),
        pytest.param(errno.EIO, id="io", marks=pytest.mark.chaos),
        pytest.param(errno.EROFS, id="read-only", marks=pytest.mark.chaos),
    ],
)
def test_a_fault_at_any_operation_leaves_the_last_state_and_no_temporary(
    library: Path, tmp_path: Path, procedure: str, error: int
) -> None:
    for fail_at in _points(library, tmp_path, procedure):
        folder = _copy(library, tmp_path / "scratch")
        files = FaultyFiles(fail_at, error)
        told = "a fault that is not fatal"
        try:
            PROCEDURES[procedure](folder, files)
        except (DiskFull, LibraryUnwritable, BackupFailed) as problem:
            told = str(problem)
        assert told
        assert "\n" not in told
        assert not [name for name in names_in(folder) if name.endswith(".tmp")], (fail_at, files.operations)
        states = (OLD, NEW) if procedure == "restore" else (NEW,)
        assert reload_content(folder) in states, (fail_at, files.operations)
        _check_then_repair(folder)


@pytest.mark.parametrize("procedure", PROCEDURES)
@pytest.mark.parametrize("torn", [False, True], ids=["between", "torn"])
def test_a_death_at_any_operation_leaves_the_old_state_or_the_new_one(
    library: Path, tmp_path: Path, procedure: str, torn: bool
) -> None:
    seen = []
    for die_at in _points(library, tmp_path, procedure):
        folder = _copy(library, tmp_path / "scratch")
        with pytest.raises(Killed):
            PROCEDURES[procedure](folder, FaultyFiles(die_at, None, torn=torn))
        found = reload_content(folder)
        assert found in ((OLD, NEW) if procedure == "restore" else (NEW,)), die_at
        seen.append(found == NEW)
        assert not [name for name in names_in(folder) if name.endswith(".tmp")]
        _check_then_repair(folder)
    if procedure == "restore":
        # Once rolled back, always rolled back: no later death brings the old future up again.
        assert seen == sorted(seen, reverse=True)


def test_a_library_grows_on_after_a_death_anywhere_in_a_restore(library: Path, tmp_path: Path) -> None:
    for die_at in _points(library, tmp_path, "restore"):
        folder = _copy(library, tmp_path / "scratch")
        with pytest.raises(Killed):
            _restore(folder, FaultyFiles(die_at, None))
        with open_store(folder, FixedClock(NOW_US + 90_000_000)) as store:
            found = dict(store.state.graph.nodes.items())
            assert store._journal.head.restore == ""
            assert load_checkpoint(folder / CHECKPOINT).digest == store._journal.head.digest
            grow(store, [Known(77, NOW_US)])
            store.checkpoint(backup=True)
        assert reload_content(folder)[0].keys() == {*found, 77}, die_at


def test_pruning_after_a_death_anywhere_in_a_restore_takes_nothing_away(library: Path, tmp_path: Path) -> None:
    oldest = min(library.glob("*backup*"))
    for die_at in range(1, 60):
        folder = _copy(library, tmp_path / "scratch")
        files = FaultyFiles(die_at, None)
        try:
            restore_library(folder, Path(oldest.name), clock=FixedClock(NOW_US + 60_000_000), files=files)
        except Killed:
            before = content_of(load_view(folder).state)
            Retention(folder, 1).prune()
            assert content_of(load_view(folder).state) == before, die_at
            assert reload_content(folder) == before, die_at
        else:
            break
    assert die_at > 10


def _check_then_repair(folder: Path) -> None:
    report = check_library(folder, clock=FixedClock())
    if not report.clean:
        repair_library(folder, clock=FixedClock())
        after = check_library(folder, clock=FixedClock())
        assert after.clean, after.findings


def test_a_failed_replacement_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    files = FaultyFiles()
    write_atomically(path, [b"new", b"er"], files)
    assert path.read_bytes() == b"newer"
    assert files.operations[-3:] == ["fsync", "rename", "sync_folder"]
    for fail_at in range(1, len(files.operations)):
        path.write_bytes(b"old")
        with pytest.raises(OSError, match=r".") as caught:
            write_atomically(path, [b"new", b"er"], FaultyFiles(fail_at, errno.EIO))
        assert caught.value.errno == errno.EIO
        assert path.read_bytes() == b"old"
        assert names_in(tmp_path) == {"file"}


def test_a_full_disk_is_named_with_what_was_kept(library: Path, tmp_path: Path) -> None:
    folder = _copy(library, tmp_path / "scratch")
    with open_store(folder) as store:
        store._files = FaultyFiles(2, errno.ENOSPC)
        with pytest.raises(DiskFull, match=r"no space left.*the last checkpoint and the journal hold everything"):
            store.checkpoint()
        grow(store, [Known(77, NOW_US)])
        assert not store.checkpoint_due(), "it must not try again after every sound"
    assert 77 in reload_content(folder)[0]


def test_a_backup_that_fails_is_an_error_and_nothing_leaves_the_journal(library: Path, tmp_path: Path) -> None:
    folder = _copy(library, tmp_path / "scratch")
    with open_store(folder) as store:
        before = store._journal.head.safe
        store.checkpoint(backup=False)
        store._files = FaultyFiles(2, errno.EIO)
        with pytest.raises(BackupFailed, match=r"Input/output error.*the checkpoint and the journal hold everything"):
            store.checkpoint(backup=True)
        assert store._journal.head.safe == before
    (folder / CHECKPOINT).unlink()
    assert reload_content(folder) == NEW


def test_a_backup_alone_that_fails_is_an_error_and_nothing_leaves_the_journal(library: Path, tmp_path: Path) -> None:
    folder = _copy(library, tmp_path / "scratch")
    with open_store(folder) as store:
        before = store._journal.head
        store._files = FaultyFiles(2, errno.ENOSPC)
        with pytest.raises(BackupFailed, match=r"no space left.*the checkpoint and the journal hold everything"):
            store.back_up()
        assert store._journal.head == before
        assert not store.backup_due(), "it must not try again after every sound"
    for name in (CHECKPOINT, max(library.glob("*backup*")).name):
        folder = _copy(library, tmp_path / "scratch")
        (folder / name).unlink()
        assert reload_content(folder) == NEW


def test_after_a_death_anywhere_in_a_backup_alone_any_one_file_may_be_lost(library: Path, tmp_path: Path) -> None:
    for procedure in ("backup alone", "backup, then checkpoint"):
        for die_at in _points(library, tmp_path, procedure):
            folder = _copy(library, tmp_path / "scratch")
            with pytest.raises(Killed):
                PROCEDURES[procedure](folder, FaultyFiles(die_at, None))
            for name in sorted(path.name for path in folder.glob("freesound_library*.pkl")):
                left = _copy(folder, tmp_path / "left")
                (left / name).unlink()
                assert content_of(load_view(left).state) == NEW, (procedure, die_at, name)
                assert reload_content(left) == NEW, (procedure, die_at, name)


def test_a_folder_that_vanishes_ends_the_run_with_a_named_error(library: Path, tmp_path: Path) -> None:
    folder = _copy(library, tmp_path / "scratch")
    with open_store(folder) as store:
        shutil.move(folder, tmp_path / "elsewhere")
        with pytest.raises(LibraryUnwritable, match="removed"):
            store.append([Known(78, NOW_US)])
        with pytest.raises(HarvesterError):
            store.checkpoint()
    assert reload_content(tmp_path / "elsewhere")[0].keys() >= NEW[0].keys()
