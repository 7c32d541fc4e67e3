"""Restore rolls back for good; check sees what is wrong, and after repair there is nothing to see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from harvester.checkpoint import _record_block as record_block
from harvester.checkpoint.format import encode_checkpoint
from harvester.errors import LibraryCorrupt, LibraryLocked, LibraryNotFound, SettingsError
from harvester.graph import in_order
from harvester.library import restore as restoring
from harvester.library.check import CheckReport, check_library
from harvester.library.reader import load_view
from harvester.library.repair import repair_library
from harvester.library.restore import RestoreReport, restore_library
from harvester.model import Deferral, Known
from harvester.storage import write_atomically
from harvester.storage.paths import CHECKPOINT, JOURNAL
from tests.support.samples import (
    NOW_US,
    SOURCE,
    FixedClock,
    content_of,
    grow,
    make_events,
    make_state,
    open_store,
    reload_content,
)

EARLY = make_state(make_events(3))
LATE = make_state([*make_events(3), *make_events(3, first=10)])
SECOND_US = 1_000_000


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two backups, of three and of six sounds, and one more sound in the journal."""
    clock = FixedClock(NOW_US)
    with open_store(tmp_path, clock, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint(backup=True)
        clock.now_us += 10 * SECOND_US
        grow(store, make_events(3, first=10))
        store.checkpoint(backup=True)
        grow(store, [Known(99, 1)])
    return tmp_path


def _backup(folder: Path, nodes: int) -> Path:
    return next(folder.glob(f"*backup_{nodes}nodes*"))


def _check(folder: Path) -> CheckReport:
    return check_library(folder, clock=FixedClock(NOW_US + 60 * SECOND_US))


def _repair(folder: Path) -> CheckReport:
    return repair_library(folder, clock=FixedClock(NOW_US + 60 * SECOND_US))


def _restore(folder: Path, backup: Path | None = None) -> RestoreReport:
    return restore_library(folder, backup, clock=FixedClock(NOW_US + 60 * SECOND_US))


def test_restore_picks_the_backup_that_holds_most(library: Path) -> None:
    report = _restore(library)
    assert report.nodes == 6
    assert reload_content(library) == content_of(LATE)


def test_a_named_backup_is_restored_and_stays_restored(library: Path) -> None:
    report = _restore(library, Path(_backup(library, 3).name))
    assert (report.nodes, report.edges, report.processed) == (3, 6, 3)
    assert reload_content(library) == content_of(EARLY)
    # Even when the checkpoint rots before anything else is written, the old future does not come back.
    (library / CHECKPOINT).write_bytes(b"rot")
    assert reload_content(library) == content_of(EARLY)


def test_the_state_before_a_restore_is_a_library_of_its_own(library: Path) -> None:
    report = _restore(library, _backup(library, 3))
    assert report.set_aside is not None
    assert set(load_view(report.set_aside).state.graph) == {1, 2, 3, 10, 11, 12, 99}


def test_a_rotten_backup_is_never_restored(library: Path) -> None:
    _backup(library, 6).write_bytes(b"rot")
    with pytest.raises(LibraryCorrupt, match="nothing was changed"):
        _restore(library, _backup(library, 6))
    assert _restore(library).nodes == 3


def test_without_a_good_backup_nothing_changes(library: Path) -> None:
    for backup in library.glob("*backup*"):
        backup.write_bytes(b"rot")
    with pytest.raises(LibraryCorrupt, match="no valid backup"):
        _restore(library)
    assert 99 in reload_content(library)[0]
    with pytest.raises(SettingsError, match="no such backup"):
        _restore(library, Path("elsewhere.pkl"))


def test_a_library_that_is_not_there_cannot_be_restored_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound, match="there is no library here"):
        _restore(tmp_path / "typo")
    assert not (tmp_path / "typo").exists()


def test_where_all_is_lost_it_is_said_in_a_line_and_repair_tells_what_is_left(library: Path) -> None:
    for path in library.glob("*.pkl"):
        path.write_bytes(b"rot")
    with pytest.raises(LibraryCorrupt) as caught:
        load_view(library)
    assert "2 backups are corrupt too; no valid backup can replace it, nothing was changed" in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(library))
    findings = [finding.problem for finding in _check(library).findings if finding.severity == "error"]
    assert len(findings) == 4
    assert findings.count("no valid backup can replace it") == 1
    assert _repair(library).left == "1 sound (0 processed), 0 edges"
    assert _check(library).clean
    assert len(list((library / "quarantine").iterdir())) == 3


def test_restore_waits_for_no_running_harvest(library: Path) -> None:
    with open_store(library), pytest.raises(LibraryLocked):
        _restore(library)


def test_deferrals_are_untouched_by_a_restore(library: Path) -> None:
    with open_store(library) as store:
        store.append([], [Deferral(1, "x", 1, 5)])
    _restore(library)
    with open_store(library) as store:
        assert store.deferrals.keys() == {1}


def test_a_sound_library_has_notes_only(library: Path) -> None:
    report = _check(library)
    assert report.clean
    assert [finding.severity for finding in report.findings] == ["note"]
    assert "1 event is not in the checkpoint" in report.findings[0].problem


def test_check_is_plain_data_for_json(library: Path) -> None:
    (library / CHECKPOINT).write_bytes(b"rot")
    rows = json.loads(json.dumps([finding.as_dict() for finding in _check(library).findings]))
    assert rows[0]["severity"] == "error"
    assert rows[0]["file"].endswith(CHECKPOINT)


def _rot_checkpoint(folder: Path) -> None:
    (folder / CHECKPOINT).write_bytes((folder / CHECKPOINT).read_bytes()[:-1])


def _rot_backup(folder: Path) -> None:
    _backup(folder, 6).write_bytes(b"")


def _rot_journal(folder: Path) -> None:
    (folder / JOURNAL).write_bytes(b"SQLite format 3\0" + b"x" * 5000)


def _rot_everything(folder: Path) -> None:
    for path in (_backup(folder, 3), _backup(folder, 6), folder / CHECKPOINT):
        path.write_bytes(b"rot")


def _lose_checkpoint(folder: Path) -> None:
    (folder / CHECKPOINT).unlink()


def _lose_backups(folder: Path) -> None:
    for backup in folder.glob("*backup*"):
        backup.unlink()


def _leave_temporary(folder: Path) -> None:
    (folder / f".{CHECKPOINT}.1.tmp").write_bytes(b"half")


def _come_from_the_future(folder: Path) -> None:
    with open_store(folder) as store:
        grow(store, make_events(1, first=70, at=NOW_US * 2))


def _defer_for_ever(folder: Path) -> None:
    with open_store(folder) as store:
        store.append([], [Deferral(1, "x", 1, NOW_US * 3)])


def _write_by_hand(folder: Path) -> None:
    """Write a file that loads but is not what we would have written: attributes in another order."""
    with mock.patch.object(record_block, "in_order", lambda names: tuple(reversed(in_order(names)))):
        (folder / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(LATE)))


DAMAGE = {
    function.__name__: function
    for function in (
        _rot_checkpoint, _rot_backup, _rot_journal, _rot_everything, _lose_checkpoint, _lose_backups,
        _leave_temporary, _come_from_the_future, _defer_for_ever, _write_by_hand,
    )
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_and_a_check_after_repair_is_clean(library: Path, damage: str) -> None:
    DAMAGE[damage](library)
    files = {path.name for path in library.rglob("*") if path.is_file()}
    report = _check(library)
    assert not report.clean, "the damage must be found"
    assert {path.name for path in library.rglob("*") if path.is_file()} == files, "check must not write"
    assert _repair(library).clean
    after = _check(library)
    assert after.clean, after.findings
    if damage not in ("_rot_everything", "_rot_journal"):
        assert set(load_view(library).state.graph) >= {1, 2, 3, 10, 11, 12, 99}
    kept = b"".join(path.read_bytes() for path in library.rglob("*") if path.is_file())
    assert b"rot" in kept or damage != "_rot_everything", "nothing is deleted"


def test_repair_of_a_sound_library_changes_nothing(library: Path) -> None:
    before = {path: path.read_bytes() for path in library.glob("*.pkl")}
    assert _repair(library).clean
    assert {path: path.read_bytes() for path in library.glob("*.pkl")} == before


@pytest.mark.parametrize("how", ["deleted", "rotten"])
def test_a_restore_whose_target_was_lost_in_a_crash_is_given_up_and_the_present_state_stands(
    library: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    with open_store(library, FixedClock(NOW_US + 30 * SECOND_US)) as store:
        grow(store, make_events(3, first=20))
        store.checkpoint()
    present = library.joinpath(CHECKPOINT).read_bytes()

    def crash(path: Path, *rest: Any) -> None:
        if path == library / CHECKPOINT:
            raise KeyboardInterrupt
        write_atomically(path, *rest)

    target = _backup(library, 6)
    with monkeypatch.context() as patched:
        patched.setattr(restoring, "write_atomically", crash)
        with pytest.raises(KeyboardInterrupt):
            _restore(library, target)
    target.unlink() if how == "deleted" else target.write_bytes(b"rotten")
    with open_store(library, FixedClock(NOW_US + 90 * SECOND_US)) as store:
        assert any("cancelled" in line for line in store.notices)
        assert len(store.state) == 10
        store.checkpoint()
    assert library.joinpath(CHECKPOINT).read_bytes() == present
