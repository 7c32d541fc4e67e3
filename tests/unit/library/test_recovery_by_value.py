"""Recovery by value: what an opening repairs, what the journal's head says afterwards, and every notice in full."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harvester.checkpoint.format import digest_of, encode_checkpoint
from harvester.errors import HarvesterError
from harvester.graph import Dropped
from harvester.journal import Head, Journal, load_contents, load_head
from harvester.library.load import Loaded
from harvester.library.recovery import finish_restore, open_journal, settle_files
from harvester.library.store import Store
from harvester.model import Deferral, Event, Known, Note
from harvester.storage.paths import CHECKPOINT, JOURNAL, RECOVERED
from tests.support.faulty_files import FaultyFiles
from tests.support.poisoned import make_poisoned, write_poisoned_rows
from tests.support.samples import (
    NOW_US,
    SOURCE,
    FixedClock,
    grow,
    make_events,
    make_state,
    names_in,
    open_store,
)

SECOND_US = 1_000_000
ASIDE = f"quarantine/20260921_141320_{JOURNAL}"
CORRUPT = "the file holds more than a journal's tables"
SMALL = "freesound_library_backup_3nodes_20260921_141320.pkl"
LARGE = "freesound_library_backup_6nodes_20260921_141330.pkl"


def opened(folder: Path, files: FaultyFiles | None = None) -> tuple[Head, list[str], list[Event]]:
    """Open the journal; return its head, the notices and its events."""
    notices: list[str] = []
    with closing(open_journal(folder, NOW_US, files or FaultyFiles(), notices)) as journal:
        return journal.head, notices, list(journal.contents.events)


def make_journal(folder: Path, **head: Any) -> None:
    with closing(Journal(folder / JOURNAL)) as journal:
        for sound_id in (1, 2, 3):
            journal.append([Known(sound_id, 5)])
        journal.append([], [Deferral(7, "x", 2, 99)], notes=[Note("t", 4, "a"), Note("u", 5, "b")])
        journal.update(**head)
        journal.fold()


def harm(folder: Path) -> None:
    """Make the journal corrupt in a way that costs no row."""
    with closing(sqlite3.connect(folder / JOURNAL)) as connection:
        connection.execute("CREATE VIEW v AS SELECT 1")


def damage_of(folder: Path) -> str:
    contents = load_contents(folder / JOURNAL)
    assert contents is not None
    return contents.damage


# --- the journal -----------------------------------------------------------------------------------------------------


def test_a_new_journal_is_durable_in_its_folder_and_an_old_one_is_left(tmp_path: Path) -> None:
    files = FaultyFiles()
    assert opened(tmp_path, files) == (Head(), [], [])
    assert files.operations == ["sync_folder"]
    make_journal(tmp_path, source=SOURCE)
    files = FaultyFiles()
    head, notices, events = opened(tmp_path, files)
    assert (head.source, head.last, notices, len(events)) == (SOURCE, 3, [], 3)
    assert files.operations == []


@pytest.mark.parametrize(
    ("saved", "backed", "before", "salvaged"),
    [(1, 2, False, True), (2, 2, False, False), (2, 1, False, False), (2, 1, True, True)],
)
def test_a_corrupt_journal_is_replaced_by_its_valid_rows_and_owes_a_backup(
    tmp_path: Path, saved: int, backed: int, before: bool, salvaged: bool
) -> None:
    kept = {
        "source": SOURCE, "digest": "d", "next_digest": "n", "checkpoint_at": 3, "backup_at": 4, "backup_digest": "b",
        "backup_nodes": 6, "restore": SMALL, "restore_digest": "s", "timeline": 7,
    }  # fmt: skip
    make_journal(tmp_path, saved=saved, backed=backed, recovered=before, **kept)
    harm(tmp_path)
    why = damage_of(tmp_path)
    files = FaultyFiles()
    head, notices, events = opened(tmp_path, files)
    assert head == Head(last=1, has_foreign_state=True, backup_required=True, recovered=salvaged, **kept)  # type: ignore[arg-type]
    assert events == [Known(1, 5), Known(2, 5), Known(3, 5)]
    assert notices == [f"the journal was corrupt ({why}): 3 events were recovered; the corrupt file is {ASIDE}"]
    contents = load_contents(tmp_path / JOURNAL)
    assert contents is not None
    assert contents.deferrals == {7: Deferral(7, "x", 2, 99)}
    assert contents.notes == {"t": {4: "a"}, "u": {5: "b"}}
    assert names_in(tmp_path / "quarantine") == {f"20260921_141320_{JOURNAL}"}
    assert not [name for name in names_in(tmp_path) if RECOVERED in name]
    # The valid rows are durable under another name before the corrupt file moves.
    assert files.operations == ["rename", "sync_folder", "make_folder", "rename", "sync_folder", "sync_folder",
                                "rename", "sync_folder"]  # fmt: skip


def test_the_user_reads_how_many_rows_of_a_corrupt_journal_could_not_be_read(tmp_path: Path) -> None:
    make_journal(tmp_path)
    with closing(sqlite3.connect(tmp_path / JOURNAL)) as connection, connection:
        connection.execute("UPDATE events SET count = count + 1 WHERE seq = 2")
    why = damage_of(tmp_path)
    _, [notice], events = opened(tmp_path)
    assert events == [Known(1, 5), Known(3, 5)]
    recovered = "2 events were recovered, 1 of its rows could not be read"
    assert notice == f"the journal was corrupt ({why}): {recovered}; the corrupt file is {ASIDE}"


def test_a_recovered_journal_counts_its_rows_from_one(tmp_path: Path) -> None:
    make_journal(tmp_path, forget=True, saved=2, backed=2, source=SOURCE)
    harm(tmp_path)
    head, _, events = opened(tmp_path)
    assert events == [Known(3, 5)]
    assert head == Head(last=1, source=SOURCE, has_foreign_state=True, backup_required=True)


def test_of_a_journal_with_a_corrupt_row_the_others_are_recovered(tmp_path: Path) -> None:
    make_journal(tmp_path)
    with closing(sqlite3.connect(tmp_path / JOURNAL)) as connection, connection:
        connection.execute("UPDATE events SET body = x'00' WHERE seq = 2")
    _, notices, events = opened(tmp_path)
    assert events == [Known(1, 5), Known(3, 5)]
    [line] = notices
    assert line.endswith(f": 2 events were recovered, 1 of its rows could not be read; the corrupt file is {ASIDE}")


def test_a_file_that_is_no_journal_gives_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(b"x" * 1000)
    head, notices, events = opened(tmp_path)
    assert (head, events) == (Head(has_foreign_state=True, backup_required=True), [])
    assert notices == [
        f"the journal was corrupt (file is not a database): 0 events were recovered; the corrupt file is {ASIDE}"
    ]
    assert (tmp_path / ASIDE).read_bytes() == b"x" * 1000


def test_what_is_invalid_in_a_corrupt_journal_is_named(tmp_path: Path) -> None:
    make_journal(tmp_path)
    write_poisoned_rows(tmp_path, [Known(0, 5), Known(4, 5)])
    harm(tmp_path)
    _, notices, events = opened(tmp_path)
    assert events == [Known(sound_id, 5) for sound_id in (1, 2, 3, 4)]
    [line] = notices
    assert line.endswith(f": 4 events were recovered; the corrupt file is {ASIDE}; dropped 1 invalid sound id (0)")


def test_what_is_invalid_in_a_valid_journal_is_dropped_after_a_copy(tmp_path: Path) -> None:
    make_journal(tmp_path)
    write_poisoned_rows(tmp_path, [Known(0, 5), Known(4, 5)])
    files = FaultyFiles()
    _, notices, events = opened(tmp_path, files)
    assert events == [Known(sound_id, 5) for sound_id in (1, 2, 3, 4)]
    assert notices == [
        f"dropped 1 invalid sound id (0) from the journal; everything else in it is kept; the unchanged file is {ASIDE}"
    ]
    copied = load_contents(tmp_path / ASIDE)
    assert copied is not None
    assert copied.dropped
    assert files.operations == ["make_folder", "sync_folder", "sync_folder"]
    assert opened(tmp_path)[1] == []


@pytest.mark.parametrize(
    ("parts", "where"),
    [
        ((JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}-shm"), f"; the corrupt file is {ASIDE}"),
        ((JOURNAL,), f"; the corrupt file is {ASIDE}"), ((), ""),
    ],
)  # fmt: skip
def test_an_interrupted_recovery_is_finished(tmp_path: Path, parts: tuple[str, ...], where: str) -> None:
    make_journal(tmp_path, source=SOURCE)
    (tmp_path / JOURNAL).rename(tmp_path / RECOVERED)
    for name in parts:
        (tmp_path / name).write_bytes(b"corrupt")
    head, notices, events = opened(tmp_path)
    assert (head.source, len(events)) == (SOURCE, 3)
    assert notices == [f"an interrupted recovery of a corrupt journal was finished{where}"]
    aside = names_in(tmp_path / "quarantine") if parts else set()
    assert aside == {f"20260921_141320_{name}" for name in parts}
    assert RECOVERED not in names_in(tmp_path)


def test_a_draft_that_a_killed_recovery_left_is_made_again(tmp_path: Path) -> None:
    make_journal(tmp_path)
    harm(tmp_path)
    for ending in ("", "-wal", "-shm"):
        (tmp_path / f"{RECOVERED}.draft{ending}").write_bytes(b"half")
    assert len(opened(tmp_path)[2]) == 3
    assert not [name for name in names_in(tmp_path) if "draft" in name]


# --- restores --------------------------------------------------------------------------------------------------------


def finished(folder: Path, files: FaultyFiles | None = None, **head: Any) -> tuple[Head, list[str]]:
    notices: list[str] = []
    with closing(Journal(folder / JOURNAL)) as journal:
        journal.update(**head)
        finish_restore(folder, journal, files or FaultyFiles(), notices)
        assert not head.get("restore") or journal.contents.head == journal.head
        return journal.head, notices


BEFORE = "the state before it is in quarantine/, in the newest folder that ends in before_restore"


def test_without_an_unfinished_restore_nothing_happens(tmp_path: Path) -> None:
    assert finished(tmp_path, digest="d", next_digest="n", restore_digest="s") == (
        Head(digest="d", next_digest="n", restore_digest="s"),
        [],
    )
    assert not (tmp_path / CHECKPOINT).exists()


def test_an_unfinished_restore_is_finished(tmp_path: Path) -> None:
    state = make_state(make_events(3))
    (tmp_path / SMALL).write_bytes(b"".join(encode_checkpoint(state)))
    digest = digest_of(state)
    files = FaultyFiles()
    head, notices = finished(
        tmp_path, files, restore=SMALL, restore_digest=digest, next_digest="n", digest="d", timeline=5
    )
    assert files.operations[-2:] == ["rename", "sync_folder"], "the checkpoint is durable in its folder"
    assert head == Head(digest=digest, timeline=5)
    assert notices == [f"an interrupted restore of {SMALL} was finished"]
    assert (tmp_path / CHECKPOINT).read_bytes() == (tmp_path / SMALL).read_bytes()


@pytest.mark.parametrize("kind", ["gone", "torn", "another"])
def test_a_restore_whose_target_is_lost_is_cancelled(tmp_path: Path, kind: str) -> None:
    target = tmp_path / SMALL
    problems = {
        "gone": "No such file or directory",
        "torn": f"{target}: its end is missing",
        "another": "it is not the file that was chosen",
    }
    if kind != "gone":
        target.write_bytes(b"".join(encode_checkpoint(make_state(make_events(3)))) if kind == "another" else b"")
    head, notices = finished(tmp_path, restore=SMALL, restore_digest="x", digest="d", next_digest="n")
    assert head == Head(digest="d", next_digest="n")
    assert notices == [f"an unfinished restore of {SMALL} was cancelled ({problems[kind]}); {BEFORE}"]
    assert not (tmp_path / CHECKPOINT).exists()


# --- files and the head ----------------------------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two backups, of three and of six sounds, and one more sound in the journal."""
    folder, clock = tmp_path / "library", FixedClock()
    with open_store(folder, clock, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint(backup=True)
        clock.now_us += 10 * SECOND_US
        grow(store, make_events(3, first=10))
        store.checkpoint(backup=True)
        grow(store, [Known(99, 1)])
    return folder


def head_of(folder: Path) -> Head:
    head = load_head(folder / JOURNAL)
    assert head is not None
    return head


def pulled(folder: Path) -> None:
    (folder / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(make_state(make_events(4)))))


def torn(folder: Path) -> None:
    (folder / CHECKPOINT).write_bytes(b"")


def renamed_only(folder: Path) -> None:
    """Leave the state between the rename of a checkpoint and the journal's record of it."""
    with closing(Journal(folder / JOURNAL)) as journal:
        journal.update(next_digest=journal.head.digest, digest="that of the one before")


FOUR = digest_of(make_state(make_events(4)))
SIX = digest_of(make_state([*make_events(3), *make_events(3, first=10)]))


@pytest.mark.parametrize(
    ("harmed", "changes", "notices"),
    [
        (lambda _: None, {}, []),
        (pulled, {"digest": FOUR, "has_foreign_state": True, "backup_required": True}, [
            f"git or another program changed {CHECKPOINT} (5 sounds with the journal); 3 sounds and 3 similar lists of "
            f"{LARGE} are not in it: `harvester merge {LARGE}` brings them back"
        ]),
        (torn, {"has_foreign_state": True, "backup_required": True}, None),
        (renamed_only, {"digest": SIX, "next_digest": ""}, []),
    ],
)  # fmt: skip
def test_the_head_says_afterwards_which_checkpoint_was_loaded(
    library: Path, harmed: Callable[[Path], None], changes: dict[str, object], notices: list[str] | None
) -> None:
    before = head_of(library)
    harmed(library)
    with Store.open(library, clock=FixedClock(NOW_US)) as store:
        if notices is not None:
            assert store.notices == notices
        else:
            assert store.notices[-1] == f"{CHECKPOINT} was moved to quarantine/20260921_141320_{CHECKPOINT}"
        assert head_of(library) == replace(before, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("stand_in", [False, True])
def test_rows_that_the_lost_checkpoint_held_are_no_longer_saved(library: Path, stand_in: bool) -> None:
    with closing(Journal(library / JOURNAL)) as journal:
        journal.update(saved=3, next_digest="that of one about to be renamed")
        path = library / (LARGE if stand_in else CHECKPOINT)
        loaded = Loaded(make_state([]), path=path, digest="new", foreign=not stand_in)
        assert loaded.stand_in is stand_in
        settle_files(library, journal, loaded, NOW_US, FaultyFiles())
        head = journal.head
    assert (head.saved, head.safe) == (2, 2)
    assert stand_in or (head.digest, head.next_digest) == ("new", "")


def test_a_journal_whose_rows_are_all_saved_knows_a_checkpoint_all_the_same(library: Path) -> None:
    with open_store(library, FixedClock(NOW_US + 20 * SECOND_US)) as store:
        store.checkpoint(backup=True)
        whole = store.state
    with closing(Journal(library / JOURNAL)) as journal:
        assert journal.contents.rows == []
        loaded = Loaded(whole, path=library / CHECKPOINT, digest="new", foreign=True)
        settle_files(library, journal, loaded, NOW_US, FaultyFiles())
    assert loaded.notices == [
        f"git or another program changed {CHECKPOINT} (7 sounds with the journal); nothing of the newest "
        f"backup is missing"
    ]


def test_corrupt_files_beside_a_valid_checkpoint_owe_a_backup(library: Path) -> None:
    with closing(Journal(library / JOURNAL)) as journal:
        journal.update(saved=3)
        loaded = Loaded(make_state([]), path=library / CHECKPOINT, corrupt=[library / LARGE])
        settle_files(library, journal, loaded, NOW_US, FaultyFiles())
        assert (
            journal.head.saved,
            journal.head.safe,
            journal.head.backup_required,
            journal.head.has_foreign_state,
        ) == (2, 2, True, False)
    assert loaded.notices == [f"{LARGE} was moved to quarantine/20260921_141320_{LARGE}"]
    assert names_in(library / "quarantine") == {f"20260921_141320_{LARGE}"}


@pytest.mark.parametrize(
    ("journal", "has", "line"),
    [
        (True, 6, f"git or another program changed {CHECKPOINT} (7 sounds with the journal); nothing of the newest "
                  f"backup is missing"),
        (False, 6, ""),
        (False, 4, f"{CHECKPOINT} had no journal beside it (4 sounds); 3 sounds and 3 similar lists of {LARGE} are not "
                   f"in it: `harvester merge {LARGE}` brings them back"),
    ],
)  # fmt: skip
def test_what_a_foreign_checkpoint_lacks_is_told(library: Path, journal: bool, has: int, line: str) -> None:
    events = make_events(4) if has == 4 else [*make_events(3), *make_events(3, first=10), Known(98, 1)]
    state = make_state(events)
    if not journal:
        (library / JOURNAL).unlink()
    notices: list[str] = []
    with closing(open_journal(library, NOW_US, FaultyFiles(), notices)) as opened_journal:
        loaded = Loaded(state, path=library / CHECKPOINT, digest="new", foreign=True)
        settle_files(library, opened_journal, loaded, NOW_US, FaultyFiles())
        head = opened_journal.head
    assert loaded.notices == ([line] if line else [])
    assert (head.digest, head.next_digest, head.saved, head.has_foreign_state, head.backup_required) == (
        "new",
        "",
        head.safe,
        True,
        True,
    )


def test_the_newest_backup_that_can_be_read_is_compared(library: Path) -> None:
    (library / LARGE).write_bytes(b"")
    with closing(Journal(library / JOURNAL)) as journal:
        loaded = Loaded(make_state(make_events(2)), path=library / CHECKPOINT, digest="new", foreign=True)
        settle_files(library, journal, loaded, NOW_US, FaultyFiles())
    assert loaded.notices == [
        f"git or another program changed {CHECKPOINT} (2 sounds with the journal); 1 sound and 1 similar list "
        f"of {SMALL} are not in it: `harvester merge {SMALL}` brings them back"
    ]


def test_a_checkpoint_with_invalid_values_is_copied_before_it_is_replaced(tmp_path: Path) -> None:
    make_poisoned(tmp_path, journal=False)
    content = (tmp_path / CHECKPOINT).read_bytes()
    with open_store(tmp_path, FixedClock(NOW_US)) as store:
        [line] = [line for line in store.notices if line.startswith("dropped")]
    [copy] = (tmp_path / "quarantine").iterdir()
    assert copy.name == f"20260921_141320_{CHECKPOINT}"
    assert copy.read_bytes() == content
    assert line.endswith(
        f" from {CHECKPOINT}; everything else in it is kept; the unchanged file is quarantine/{copy.name}"
    )


def test_the_copy_of_a_checkpoint_with_invalid_values_is_durable(library: Path) -> None:
    dropped = Dropped()
    dropped.add_id(0)
    files = FaultyFiles()
    with closing(Journal(library / JOURNAL)) as journal:
        loaded = Loaded(make_state([]), path=library / CHECKPOINT, dropped=dropped)
        settle_files(library, journal, loaded, NOW_US, files)
    done = [one for one in files.operations if one != "write"]
    assert done == ["make_folder", "create", "fsync", "rename", "sync_folder", "sync_folder"]


def test_a_backup_that_cannot_be_read_at_all_is_passed_over(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in (OSError("gone"), HarvesterError("newer")):

        def refused(path: Path, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("harvester.library.recovery.load_checkpoint", refused)
        with closing(Journal(library / JOURNAL)) as journal:
            loaded = Loaded(make_state([]), digest="new", foreign=True)
            settle_files(library, journal, loaded, NOW_US, FaultyFiles())
        assert loaded.notices == [
            f"git or another program changed {CHECKPOINT} (0 sounds with the journal); nothing of the newest "
            f"backup is missing"
        ]
