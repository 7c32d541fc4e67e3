"""Check by value: every finding in full, its severity, and what the repair does about it."""

from __future__ import annotations

import errno
import sqlite3
from array import array
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from harvester.checkpoint import _record_block as record_block
from harvester.checkpoint import latest_stamp
from harvester.checkpoint.format import encode_checkpoint
from harvester.clock import DAY_US
from harvester.errors import (
    ClusterFailed,
    DiskFull,
    LibraryLocked,
    LibraryNotFetched,
    LibraryNotFound,
    LibraryUnwritable,
)
from harvester.graph import SoundGraph
from harvester.graph.attributes import in_order
from harvester.jobs import Processes
from harvester.journal import Journal, load_head
from harvester.library.check import CheckReport, Finding, check_library
from harvester.library.reader import load_view
from harvester.library.repair import repair_library
from harvester.library.store import Store
from harvester.model import DIMENSIONS, Deferral, Gone, Known, Linked, Seen, SimilarList
from harvester.storage.lock import read_owner
from harvester.storage.paths import CHECKPOINT, JOURNAL, LOCK, RECOVERED, VECTORS
from harvester.vectors import Vectors
from harvester.vectors.format import VERSION
from tests.support.elsewhere import Elsewhere
from tests.support.faulty_files import FaultyFiles
from tests.support.poisoned import POISON, poisoned_checkpoint, write_poisoned_rows
from tests.support.samples import (
    NOW_US,
    SOURCE,
    FixedClock,
    grow,
    make_events,
    make_record,
    make_state,
    names_in,
    open_store,
)

SECOND_US = 1_000_000
SMALL = "freesound_library_backup_3nodes_20260921_141320.pkl"
LARGE = "freesound_library_backup_6nodes_20260921_141330.pkl"
LATER_US = NOW_US + 60 * SECOND_US
YEAR_US = LATER_US + 366 * DAY_US
NEWER = "it has format 3, this harvester reads 2: please update harvester"
UNSAVED = ("note", JOURNAL, "1 event is not in the checkpoint yet")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"

Row = tuple[str, str, str]


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


def check(folder: Path, now_us: int = LATER_US, jobs: int = 1) -> CheckReport:
    return check_library(folder, clock=FixedClock(now_us), team=Processes(jobs))


def repair(folder: Path, files: FaultyFiles | None = None) -> CheckReport:
    return repair_library(folder, clock=FixedClock(LATER_US), files=files or FaultyFiles())


def rows(folder: Path, report: CheckReport) -> list[Row]:
    """Each finding as (severity, name of its file, problem); the folder itself is `.`."""
    return [
        (one.severity, "." if one.path == folder else one.path.name, one.problem.replace(str(folder), "."))
        for one in report.findings
    ]


def note_head(folder: Path, **changes: Any) -> None:
    with closing(Journal(folder / JOURNAL)) as journal:
        journal.update(**changes)


def write(*names: str, content: bytes = b"") -> Callable[[Path], None]:
    def harm(folder: Path) -> None:
        for name in names:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)

    return harm


def remove(*names: str) -> Callable[[Path], None]:
    def harm(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return harm


def in_the_store(events: list[Any], deferrals: list[Deferral] | None = None) -> Callable[[Path], None]:
    def harm(folder: Path) -> None:
        with open_store(folder) as store:
            store.append(events, deferrals or [])

    return harm


def other_form(folder: Path) -> None:
    """Write a valid checkpoint whose bytes are not those that harvester writes: attributes in another order."""
    state = make_state([*make_events(3), *make_events(3, first=10)])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(record_block, "in_order", lambda names: tuple(reversed(in_order(names))))
        (folder / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(state)))


def odd_journal(folder: Path) -> None:
    """Make the journal corrupt in a way that costs no row."""
    with closing(sqlite3.connect(folder / JOURNAL)) as connection:
        connection.execute("CREATE VIEW v AS SELECT 1")


def unfinished_recovery(folder: Path) -> None:
    (folder / JOURNAL).rename(folder / RECOVERED)


def newer_backups(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("harvester.checkpoint.format.version_for", lambda _has_weights: 3)
        newer = b"".join(encode_checkpoint(make_state(make_events(1))))
    write(SMALL, LARGE, content=newer)(folder)


def replaced(folder: Path) -> None:
    (folder / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(make_state(make_events(4)))))


HARM: dict[str, tuple[Callable[[Path], None], list[Row]]] = {
    "nothing": (lambda _: None, [UNSAVED]),
    "a torn checkpoint": (write(CHECKPOINT), [("error", CHECKPOINT, "its end is missing"), UNSAVED]),
    "a torn backup": (write(LARGE), [("error", LARGE, "its end is missing"), UNSAVED]),
    "a checkpoint gone": (remove(CHECKPOINT), [("error", CHECKPOINT, "it is missing"), UNSAVED]),
    "a checkpoint of another program": (
        replaced,
        [UNSAVED, ("note", CHECKPOINT, "a person or Git replaced it: the next harvest merges it with the journal")],
    ),
    "another form": (
        other_form,
        [
            ("error", CHECKPOINT, "it is not in canonical form: a program other than harvester wrote it"),
            UNSAVED,
            ("note", CHECKPOINT, "a person or Git replaced it: the next harvest merges it with the journal"),
        ],
    ),
    "backups gone": (remove(SMALL, LARGE), [("warning", ".", "there is no valid backup"), UNSAVED]),
    "all torn": (
        write(CHECKPOINT, SMALL, LARGE),
        [
            ("error", CHECKPOINT, "its end is missing"),
            ("error", LARGE, "its end is missing"),
            ("error", SMALL, "its end is missing"),
            ("error", CHECKPOINT, "no valid backup can replace it"),
            UNSAVED,
        ],
    ),
    "a temporary file": (
        write(f".{CHECKPOINT}.1.tmp", content=b"half"),
        [
            (
                "warning",
                f".{CHECKPOINT}.1.tmp",
                "a killed process left it: the next command that writes removes it",
            ),
            UNSAVED,
        ],
    ),
    "a recovery that is not finished": (
        unfinished_recovery,
        [("warning", RECOVERED, "a recovery of the journal is not finished: the next command that writes does it")],
    ),
    "files of others": (
        write("a.txt", ".hidden", "x.tmp", "README.md", "status.json", "harvest.log", "harvest.log.1"),
        [UNSAVED, *(("note", name, "it does not belong to the library") for name in ("a.txt", "x.tmp"))],
    ),
    "backups torn": (
        write(SMALL, LARGE),
        [
            ("error", LARGE, "its end is missing"),
            ("error", SMALL, "its end is missing"),
            ("warning", ".", "there is no valid backup"),
            UNSAVED,
        ],
    ),
    "a corrupt journal": (
        odd_journal,
        [("error", JOURNAL, "the journal is corrupt (its schema has more than a journal's tables)"), UNSAVED],
    ),
    "invalid ids in the checkpoint": (
        write(CHECKPOINT, content=poisoned_checkpoint()),
        [
            ("error", CHECKPOINT, "it holds 2 invalid sound ids (-5, 0); everything else in it is kept"),
            UNSAVED,
            ("note", CHECKPOINT, "a person or Git replaced it: the next harvest merges it with the journal"),
        ],
    ),
    "invalid ids in the backups": (
        write(SMALL, LARGE, content=poisoned_checkpoint()),
        [
            ("error", LARGE, "it holds 2 invalid sound ids (-5, 0); everything else in it is kept"),
            ("error", SMALL, "it holds 2 invalid sound ids (-5, 0); everything else in it is kept"),
            ("warning", ".", "there is no valid backup"),
            UNSAVED,
        ],
    ),
    "invalid ids in the journal": (
        lambda folder: write_poisoned_rows(folder, POISON),
        [
            ("error", JOURNAL, "it holds 2 invalid sound ids (0, -5); everything else in it is kept"),
            ("note", JOURNAL, "3 events are not in the checkpoint yet"),
        ],
    ),
    "backups of a newer harvester": (
        newer_backups,
        [
            ("warning", ".", "there is no valid backup"),
            UNSAVED,
            *(("note", name, NEWER) for name in (LARGE, SMALL)),
        ],
    ),
    "a restore that is not finished": (
        lambda folder: note_head(folder, restore=SMALL, restore_digest="x"),
        [
            (
                "warning",
                JOURNAL,
                f"a restore of {SMALL} is not finished: the next command that writes does it",
            ),
            UNSAVED,
        ],
    ),
    "deferred for ever": (
        in_the_store([], [Deferral(1, "x", 1, YEAR_US + 1), Deferral(2, "x", 1, YEAR_US)]),
        [("warning", JOURNAL, "1 deferred sounds are due only in more than a year"), UNSAVED],
    ),
    "a day ahead": (
        in_the_store([Known(100, LATER_US + DAY_US)]),
        [("note", JOURNAL, "2 events are not in the checkpoint yet")],
    ),
    "more than a day ahead": (
        in_the_store([Known(100, LATER_US + DAY_US + SECOND_US)]),
        [
            (
                "warning",
                CHECKPOINT,
                "it holds stamps from the future (2026-09-22T14:14:21Z): a clock was wrong",
            ),
            ("note", JOURNAL, "2 events are not in the checkpoint yet"),
        ],
    ),
    "a quarantine with files": (
        write("quarantine/x"),
        [UNSAVED, ("note", "quarantine", "1 file was moved here")],
    ),
    "an empty quarantine": (lambda folder: (folder / "quarantine").mkdir(), [UNSAVED]),
    "a quarantine that is a file": (
        write("quarantine", content=b"x"),
        [("error", "quarantine", "it is not a folder, so no file can move there: move it away"), UNSAVED],
    ),
}  # fmt: skip


@pytest.mark.parametrize("harm", HARM)
def test_each_harm_is_found_by_its_name_worst_first_and_nothing_else_is(library: Path, harm: str) -> None:
    damage, expected = HARM[harm]
    damage(library)
    report = check(library)
    assert rows(library, report) == expected
    assert report.files == sum(path.is_file() for path in library.iterdir())
    assert report.clean == all(severity == "note" for severity, _, _ in expected)
    assert (report.left, report.notices, report.aside) == ("", (), False)
    assert not any(finding.repaired for finding in report.findings)
    assert [finding.droppable for finding in report.findings] == [
        problem.startswith("it holds 2 invalid") for _, _, problem in expected
    ]
    assert [finding.by_hand for finding in report.findings] == [name == "quarantine" and severity == "error"
                                                               for severity, name, _ in expected]  # fmt: skip


@pytest.mark.parametrize(("age_us", "old"), [(30 * DAY_US, False), (30 * DAY_US + SECOND_US, True)])
def test_a_backup_of_more_than_thirty_days_ago_is_noted(library: Path, age_us: int, old: bool) -> None:
    report = check(library, NOW_US + 10 * SECOND_US + age_us)
    assert rows(library, report) == [
        UNSAVED,
        *([("note", ".", "the last backup is of 2026-09-21T14:13:30Z")] if old else []),
    ]
    assert report.clean


def test_a_running_harvest_is_no_finding(library: Path) -> None:
    write(f".{CHECKPOINT}.1.tmp", content=b"half")(library)
    replaced(library)
    before = rows(library, check(library))
    assert ("warning", f".{CHECKPOINT}.1.tmp", before[0][2]) in before
    with open_store(library) as store:
        write(f".{CHECKPOINT}.1.tmp", content=b"half")(library)
        replaced(library)
        grow(store, [Known(100, 1)])
        names = [row[1] for row in rows(library, check(library))]
    assert f".{CHECKPOINT}.1.tmp" not in names
    assert CHECKPOINT not in names


def test_a_library_of_a_journal_alone_misses_no_backup(tmp_path: Path) -> None:
    with closing(Journal(tmp_path / JOURNAL)) as journal:
        journal.append([Known(1, 1)])
    assert rows(tmp_path, check(tmp_path)) == [UNSAVED]


def test_a_file_that_is_not_fetched_is_for_a_person(library: Path) -> None:
    write(LARGE, SMALL, content=POINTER)(library)
    assert ("warning", ".", "there is no valid backup") in rows(library, check(library))
    [finding] = [one for one in check(library).findings if one.path.name == LARGE]
    assert finding.problem == "it is a Git LFS pointer, not the library: run `git lfs pull`"
    assert (finding.severity, finding.by_hand, finding.droppable) == ("warning", True, False)
    write(CHECKPOINT, content=POINTER)(library)
    severities = {(one.path.name, one.severity) for one in check(library).findings if one.by_hand}
    assert severities == {
        (CHECKPOINT, "error"),
        (LARGE, "warning"),
        (SMALL, "warning"),
    }
    remove(CHECKPOINT)(library)
    [finding] = [one for one in check(library).findings if one.path == library / CHECKPOINT]
    assert finding == Finding(
        "error",
        library / CHECKPOINT,
        "it cannot be read, and the content of the backup that can replace it is not here yet",
        by_hand=True,
    )
    write(CHECKPOINT, content=POINTER)(library)
    with pytest.raises(LibraryNotFetched):
        repair(library)


@pytest.mark.parametrize("name", [CHECKPOINT, JOURNAL, VECTORS])
@pytest.mark.parametrize("kind", ["pointer", "link to nothing"])
def test_each_file_that_is_not_fetched_is_found_once(library: Path, name: str, kind: str) -> None:
    remove(name)(library) if (library / name).exists() else None
    if kind == "pointer":
        write(name, content=POINTER)(library)
        problem = "it is a Git LFS pointer, not the library: run `git lfs pull`"
    else:
        (library / name).symlink_to("objects/x")
        problem = (
            "it is a symbolic link to a file that does not exist (objects/x): bring that file back "
            "(`git annex get` for a file of git-annex)"
        )
    assert [row for row in rows(library, check(library)) if row[0] != "note"] == [("error", name, problem)]


@pytest.mark.parametrize("part", ["", "-wal", "-shm"])
def test_a_link_in_place_of_the_journal_is_found_and_the_repair_says_where_it_went(library: Path, part: str) -> None:
    name, elsewhere = f"{JOURNAL}{part}", library.parent / "elsewhere"
    elsewhere.write_bytes(b"")
    if not part:
        (library / JOURNAL).rename(elsewhere)
    before = elsewhere.read_bytes()
    (library / name).symlink_to(elsewhere)
    report = check(library)
    assert not report.clean
    problem = "it is a symbolic link, not a regular file, so no command can write this library"
    assert ("error", name, problem) in rows(library, report)
    repaired = repair(library)
    assert repaired.notices[0] == (
        f"{name} was a symbolic link and was moved to quarantine/20260921_141420_{name}; the file behind it is "
        f"unchanged, but what only that file holds is no longer in the library"
    )
    assert repaired.clean
    assert check(library).clean
    assert elsewhere.read_bytes() == before


def test_a_folder_in_place_of_the_journal_is_moved_with_a_notice(library: Path) -> None:
    remove(JOURNAL)(library)
    (library / JOURNAL).mkdir()
    where = f"quarantine/20260921_141420_{JOURNAL}"
    assert repair(library).notices[0] == f"{JOURNAL} was not a regular file and was moved to {where}"


def test_a_link_in_place_of_the_lock_is_for_a_person(library: Path) -> None:
    (library / LOCK).unlink()
    (library / LOCK).symlink_to(library / CHECKPOINT)
    [finding] = [one for one in check(library).findings if one.path.name == LOCK]
    assert (finding.severity, finding.by_hand) == ("error", True)
    assert finding.problem == "it is a symbolic link, not a regular file, so no command can write this library"
    with pytest.raises(LibraryUnwritable, match="a symbolic link"):
        repair(library)


@pytest.mark.parametrize("work", [check, repair])
def test_a_folder_without_a_library_is_refused_and_left(work: Callable[[Path], CheckReport], tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.mkdir()
    (junk / "odd.txt").write_text("mine")
    (junk / "harvest.log").write_text("a log alone is no library")
    for folder, how in ((junk, ""), (tmp_path / "nowhere", " (no such folder)")):
        with pytest.raises(LibraryNotFound) as caught:
            work(folder)
        assert str(caught.value) == f"{folder}: there is no library here{how}; `harvester harvest` makes one"
    assert names_in(junk) == {"odd.txt", "harvest.log"}
    assert not (tmp_path / "nowhere").exists()


def test_a_file_is_no_library_either(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LibraryNotFound) as caught:
        check(tmp_path / "file")
    assert str(caught.value) == f"{tmp_path / 'file'}: it is not a folder; name the folder of a library"


def test_a_finding_is_plain_data() -> None:
    finding = Finding("error", Path("a/b"), "it is missing", repaired=True)
    assert finding.as_dict() == {"severity": "error", "file": "a/b", "problem": "it is missing", "mended": True}


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_findings_do_not_depend_on_the_jobs(library: Path, jobs: int) -> None:
    write(LARGE)(library)
    assert rows(library, check(library, jobs=jobs)) == HARM["a torn backup"][1]


@pytest.mark.parametrize("harm", HARM)
def test_the_findings_do_not_depend_on_where_the_files_are_read(library: Path, harm: str) -> None:
    HARM[harm][0](library)
    found = [check_library(library, clock=FixedClock(LATER_US), team=team) for team in (Processes(), Elsewhere())]
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "falsify",
    [
        lambda verified, findings: verified,
        lambda verified, findings: (None, []),
        lambda verified, findings: (verified, None),
        lambda verified, findings: (verified, ["fine"]),
        lambda verified, findings: ("fine", findings),
    ],
)
def test_a_result_from_elsewhere_that_is_none_is_refused(library: Path, falsify: Callable[..., Any]) -> None:
    with pytest.raises(ClusterFailed, match="a worker returned something else than what"):
        check_library(library, clock=FixedClock(LATER_US), team=Elsewhere(falsify))


# --- repair ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("harm", "left", "aside"),
    [
        ("nothing", "", []), ("a temporary file", "7 sounds (6 processed), 12 edges", []),
        ("a torn checkpoint", "7 sounds (6 processed), 12 edges", [CHECKPOINT]),
        ("a torn backup", "7 sounds (6 processed), 12 edges", [LARGE]),
        ("a checkpoint gone", "7 sounds (6 processed), 12 edges", []),
        ("another form", "7 sounds (6 processed), 12 edges", []),
        ("backups torn", "7 sounds (6 processed), 12 edges", [SMALL, LARGE]),
        ("a corrupt journal", "7 sounds (6 processed), 12 edges", [JOURNAL]),
        ("a recovery that is not finished", "7 sounds (6 processed), 12 edges", []),
        ("invalid ids in the checkpoint", "13 sounds (12 processed), 23 edges", [CHECKPOINT]),
        ("invalid ids in the backups", "7 sounds (6 processed), 12 edges", [SMALL, LARGE]),
        ("invalid ids in the journal", "8 sounds (6 processed), 11 edges", [JOURNAL]),
        ("backups of a newer harvester", "7 sounds (6 processed), 12 edges", []),
        ("backups gone", "7 sounds (6 processed), 12 edges", []),
        ("all torn", "1 sound (0 processed), 0 edges", [SMALL, LARGE, CHECKPOINT]),
        ("deferred for ever", "7 sounds (6 processed), 12 edges", []),
        ("more than a day ahead", "8 sounds (6 processed), 12 edges", []),
    ],
)  # fmt: skip
def test_a_repair_keeps_what_is_valid_and_moves_the_rest(library: Path, harm: str, left: str, aside: list[str]) -> None:
    HARM[harm][0](library)
    found = check(library)
    report = repair(library)
    assert report.left == left
    assert report.files == found.files
    assert [one.repaired for one in report.findings] == [one.severity != "note" for one in found.findings]
    assert report.aside == bool(aside)
    moved = names_in(library / "quarantine") if aside else set()
    assert moved == {f"20260921_141420_{name}" for name in aside}
    after = check(library)
    assert after.clean
    if left:
        assert UNSAVED not in rows(library, after), "everything is in the checkpoint, and in a backup"
        head = load_head(library / JOURNAL)
        assert head is not None
        assert (head.backup_required, head.saved) == (False, head.last)


def test_what_only_a_backup_with_invalid_ids_holds_is_kept(library: Path) -> None:
    write(CHECKPOINT)(library)
    remove(SMALL)(library)
    write(LARGE, content=poisoned_checkpoint())(library)
    assert repair(library).left == "13 sounds (12 processed), 23 edges"
    assert names_in(library / "quarantine") == {f"20260921_141420_{name}" for name in (CHECKPOINT, LARGE)}


def test_a_checkpoint_in_another_form_is_kept_where_no_backup_can_replace_it(library: Path) -> None:
    other_form(library)
    remove(SMALL, LARGE)(library)
    assert repair(library).left == "7 sounds (6 processed), 12 edges"


def test_where_all_is_torn_the_rows_of_a_corrupt_journal_are_kept(library: Path) -> None:
    HARM["all torn"][0](library)
    odd_journal(library)
    assert repair(library).left == "1 sound (0 processed), 0 edges"
    assert names_in(library / "quarantine") == {
        f"20260921_141420_{name}" for name in (CHECKPOINT, SMALL, LARGE, JOURNAL)
    }


class Observed(FaultyFiles):
    """Files that note since when the library is locked, and that have no room for a checkpoint."""

    def __init__(self, *, full: bool) -> None:
        super().__init__()
        self.full = full
        self.locked_since: list[int | None] = []

    def rename(self, source: Path, target: Path) -> None:
        owner = read_owner(target.parent.parent if target.parent.name == "quarantine" else target.parent)
        self.locked_since.append(owner.started if owner is not None else None)
        super().rename(source, target)

    def create(self, path: Path) -> int:
        if self.full and CHECKPOINT in path.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().create(path)


def test_all_files_are_moved_under_the_lock(library: Path) -> None:
    write(CHECKPOINT, LARGE)(library)
    files = Observed(full=False)
    assert repair(library, files).clean
    assert set(files.locked_since) == {LATER_US}
    assert len(files.locked_since) == 4, "two files aside, a checkpoint and its backup"


def test_a_journal_that_stands_on_its_own_relies_on_no_file(library: Path) -> None:
    HARM["all torn"][0](library)
    note_head(library, saved=3, backed=3, next_digest="that of one about to be renamed")
    with pytest.raises(DiskFull):
        repair(library, Observed(full=True))
    head = load_head(library / JOURNAL)
    assert head is not None
    assert (head.digest, head.next_digest, head.has_foreign_state) == ("", "", True)
    assert (head.last, head.saved, head.backed, head.safe) == (3, 2, 2, 2)
    assert repair(library).left == "1 sound (0 processed), 0 edges"


def test_a_repair_that_ends_before_it_opens_the_library_has_noted_that_the_journal_lacks_events(library: Path) -> None:
    HARM["all torn"][0](library)
    with mock.patch.object(Store, "open", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        repair(library)
    head = load_head(library / JOURNAL)
    assert head is not None
    assert (head.digest, head.next_digest, head.has_foreign_state) == ("", "", True)


def test_a_repair_tells_what_it_did(library: Path) -> None:
    write(CHECKPOINT)(library)
    assert repair(library).notices == (
        f"the checkpoint is corrupt: {library / CHECKPOINT}: its end is missing",
        f"loaded {LARGE} (6 sounds) and the journal instead: nothing is lost",
        f"{CHECKPOINT} was moved to quarantine/20260921_141420_{CHECKPOINT}",
    )


def test_a_repair_sets_stamps_of_the_future_to_now_and_ends_waits_of_more_than_a_year(library: Path) -> None:
    ahead_us = LATER_US + 2 * DAY_US
    in_the_store(
        [Known(100, ahead_us), Known(101, LATER_US + DAY_US), Gone(1, ahead_us)],
        [Deferral(1, "x", 1, YEAR_US + 1), Deferral(2, "x", 1, YEAR_US)],
    )(library)
    assert repair(library).clean
    with open_store(library) as store:
        assert set(store.deferrals) == {2}
        assert store.state.attributes(100)["added_at"] == LATER_US
        assert store.state.attributes(101)["added_at"] == LATER_US + DAY_US
        assert store.state.attributes(1)["gone_at"] == LATER_US


def test_what_a_person_must_do_is_not_said_to_be_repaired(library: Path) -> None:
    write("quarantine", content=b"x")(library)
    report = repair(library)
    assert not report.clean
    assert [one.repaired for one in report.findings] == [False, False]
    assert (library / "quarantine").read_bytes() == b"x"


def test_a_journal_that_is_a_link_is_moved_and_what_it_leads_to_is_untouched(library: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    (library / JOURNAL).rename(target)
    content = target.read_bytes()
    (library / JOURNAL).symlink_to(target)
    write(LARGE)(library)
    report = repair(library)
    assert report.aside
    assert target.read_bytes() == content
    assert (library / "quarantine" / f"20260921_141420_{JOURNAL}").is_symlink()
    assert check(library).clean


def test_a_repair_beside_a_harvest_is_refused_and_a_full_disk_deletes_nothing(library: Path) -> None:
    write(LARGE)(library)
    with open_store(library), pytest.raises(LibraryLocked):
        repair(library)
    before = {path.name: path.read_bytes() for path in library.glob("*.pkl")}
    with pytest.raises(DiskFull) as caught:
        repair(library, FaultyFiles(1))
    assert str(caught.value) == f"{library}: no space left on the disk (No space left on device); nothing was deleted"
    assert {path.name: path.read_bytes() for path in library.glob("*.pkl")} == before
    assert repair(library).clean


def test_without_any_valid_file_the_journal_stands_on_its_own(library: Path) -> None:
    HARM["all torn"][0](library)
    repair(library)
    assert set(load_view(library).state.graph) == {99}
    head = load_head(library / JOURNAL)
    assert head is not None
    assert (head.has_foreign_state, head.backup_required, head.saved, head.backed) == (
        True,
        False,
        head.last,
        head.last,
    )


# --- vectors and stamps ----------------------------------------------------------------------------------------------


def test_the_latest_stamp_is_that_of_any_attribute() -> None:
    assert latest_stamp(SoundGraph()) == 0
    state = make_state([Known(1, 7), Known(2, 3)])
    assert latest_stamp(state) == 7
    for event, latest in (
        (Seen(1, make_record(1), 9), 9),
        (Linked(2, SimilarList((), 11, 25)), 11),
        (Gone(1, 13), 13),
    ):
        state.apply(event)
        assert latest_stamp(state) == latest


def with_vectors(folder: Path, source: str = SOURCE) -> None:
    with open_store(folder) as store:
        store.state.source = source
        space = store.state.space
        store.keep_vectors({sound_id: array("f", [0.5] * DIMENSIONS[space]) for sound_id in (1, 2, 3)})


AGAIN = "the next sweep with --vectors fetches them again"


def test_a_corrupt_or_torn_vector_is_found_and_repaired(library: Path) -> None:
    with_vectors(library)
    assert rows(library, check(library)) == [UNSAVED]
    path = library / VECTORS
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    assert ("note", VECTORS, "a killed process left an incomplete row: the next sweep cuts it off") in rows(
        library, check(library)
    )
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    assert ("warning", VECTORS, f"1 vector is corrupt: {AGAIN}") in rows(library, check(library))
    assert repair(library).clean
    assert check(library).clean
    path.write_bytes(b"x" * len(whole))
    [found] = [row for row in rows(library, check(library)) if row[1] == VECTORS]
    assert found[0] == "error"
    assert found[2].startswith("the vectors cannot be used (")
    assert found[2].endswith(f"): {AGAIN}")


def test_vectors_that_are_the_only_finding_are_repaired_too(library: Path) -> None:
    with open_store(library, FixedClock(LATER_US)) as store:
        store.checkpoint(backup=True)
    with_vectors(library)
    path = library / VECTORS
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    assert rows(library, check(library)) == [("warning", VECTORS, f"1 vector is corrupt: {AGAIN}")]
    assert repair(library).clean
    assert rows(library, check(library)) == [("note", "quarantine", "1 file was moved here")]


def test_vectors_of_a_newer_harvester_are_a_warning_and_stay(library: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("harvester.vectors.format.VERSION", VERSION + 1)
        with_vectors(library)
    content = (library / VECTORS).read_bytes()
    warning = f"its vectors have format {VERSION + 1}, this harvester reads {VERSION}: please update harvester"
    assert rows(library, check(library))[0] == ("warning", VECTORS, warning)
    assert (library / VECTORS).read_bytes() == content


@pytest.mark.parametrize(
    ("source", "space", "noted"),
    [
        (SOURCE, "laion_clap", False), ("https://other.example/apiv2/", "laion_clap", True),
        (SOURCE, "freesound_classic", True),
    ],
)  # fmt: skip
def test_vectors_of_another_source_or_space_are_noted(library: Path, source: str, space: str, noted: bool) -> None:
    vectors = {1: array("f", [0.5] * DIMENSIONS[space])}
    Vectors(library, FixedClock(LATER_US)).keep(vectors, source=source, space=space)
    note = f"its vectors are of {space} from {source}, so `link` cannot use them here: move it away"
    assert rows(library, check(library)) == [UNSAVED, *([("note", VECTORS, note)] if noted else [])]


def test_a_checkpoint_of_a_newer_harvester_is_an_error(library: Path) -> None:
    newer_backups(library)
    (library / SMALL).replace(library / CHECKPOINT)
    found = rows(library, check(library))
    assert found[0] == ("error", CHECKPOINT, NEWER)
    assert found.count(found[0]) == 1


def test_a_clone_without_a_journal_has_no_finding(library: Path) -> None:
    (library / JOURNAL).unlink()
    assert rows(library, check(library)) == []
    write("quarantine", f".{CHECKPOINT}.1.tmp")(library)
    assert [row[0] for row in rows(library, check(library))] == ["error", "warning"], "the worst first"
