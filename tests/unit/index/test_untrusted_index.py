"""An index that is stale, torn, foreign or forged is never believed: the library answers, and gets a new one."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from unittest import mock

import joblib
import pytest

import harvester
from harvester.actions.indexing import INDEX_VARIABLE
from harvester.index import place as places
from harvester.index import reader, schema
from harvester.library import keep_index, load_view
from harvester.model import Event, Gone, Known
from harvester.storage import CHECKPOINT, VECTORS
from tests.support.command import call
from tests.support.dying import die_at_call
from tests.support.indexed import answers, every_library_gets_one, note_order, nothing_is_loaded, outcome, plain_answers
from tests.support.samples import NOW_US, SOURCE, grow, make_events, open_store

IDS, QUERIES = (1, 2, 3, 7, 41), ("rain", "sound 1", "zebra")
ask = partial(answers, ids=IDS, queries=QUERIES)
ask_plainly = partial(plain_answers, ids=IDS, queries=QUERIES)


def make_library(folder: Path, events: list[Event]) -> Path:
    with open_store(folder, source=SOURCE) as store:
        grow(store, events)
        store.checkpoint()
    return folder


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Path]:
    """A library of 40 sounds, one of them gone, with its index."""
    folder = make_library(tmp_path / "library", [*make_events(40), Gone(7, NOW_US)])
    with every_library_gets_one():
        harvester.status(folder)
        yield folder


def place() -> Path:
    return Path(os.environ["HARVESTER_STATE"], "index")


def index_of(library: Path) -> tuple[Path, Path]:
    found = places.place_of(place(), library)
    return found.index, found.seal


def seal_again(library: Path) -> None:
    """Seal an index as it is now, as a program of the same user could."""
    index, seal = index_of(library)
    changed = json.loads(seal.read_bytes()) | {"index": hashlib.sha256(index.read_bytes()).hexdigest()}
    seal.write_bytes(json.dumps(changed).encode())


def assert_it_is_not_believed(library: Path) -> None:
    """The library answers, then there is an index that answers."""
    expected = ask_plainly(library)
    assert ask(library) == expected
    with nothing_is_loaded():
        assert ask(library) == expected


def believed(library: Path) -> bool:
    """Tell whether the library's index answers."""
    try:
        with nothing_is_loaded():
            harvester.show(1, library=library)
    except AssertionError:
        return False
    return True


def overwrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def truncate(index: Path, _: Path) -> None:
    os.truncate(index, index.stat().st_size // 2)


def zero(index: Path, _: Path) -> None:
    overwrite(index, bytes(index.stat().st_size))


def empty(index: Path, _: Path) -> None:
    overwrite(index, b"")


def remove_index(index: Path, _: Path) -> None:
    index.unlink()


def remove_seal(_: Path, seal: Path) -> None:
    seal.unlink()


def forge_a_row(index: Path, _: Path) -> None:
    with closing(sqlite3.connect(index)) as database, database:
        database.execute("UPDATE sounds SET name = x'466f72676564'")


def replace_by_a_link(index: Path, _: Path) -> None:
    index.rename(index.with_suffix(".elsewhere"))
    forge_a_row(index.with_suffix(".elsewhere"), index)
    index.symlink_to(index.with_suffix(".elsewhere"))


def replace_by_a_fifo(index: Path, _: Path) -> None:
    index.unlink()
    os.mkfifo(index)


def seal_with(content: bytes) -> Callable[[Path, Path], None]:
    return lambda _, seal: overwrite(seal, content)


@pytest.mark.parametrize(
    "harm",
    [
        truncate, zero, empty, remove_index, remove_seal, forge_a_row, replace_by_a_link, replace_by_a_fifo,
        *map(seal_with, (b"", b"{}", b"[1]", b"null", b"\xff", b'{"index": 1, "checkpoint": 2, "library": 3}')),
        seal_with(b"[" * 60_000),
    ],
)  # fmt: skip
def test_a_harmed_index_is_not_believed(library: Path, harm: Callable[[Path, Path], None]) -> None:
    assert believed(library)
    harm(*index_of(library))
    assert not believed(library)
    assert_it_is_not_believed(library)


def test_a_flipped_bit_in_any_page_is_noticed(library: Path) -> None:
    index, _ = index_of(library)
    content = index.read_bytes()
    for start in range(0, len(content), 4096):
        at = start + random.Random(start).randrange(min(4096, len(content) - start))
        overwrite(index, content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert not believed(library), at
    overwrite(index, content)
    assert believed(library)


def test_an_index_of_another_library_is_not_believed(library: Path, tmp_path: Path) -> None:
    other = make_library(tmp_path / "other", make_events(3))
    harvester.status(other)
    for ours, theirs in zip(index_of(library), index_of(other), strict=True):
        shutil.copyfile(theirs, ours)
    assert not believed(library)
    assert_it_is_not_believed(library)


def test_a_seal_of_another_index_makes_none_believed(library: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(library, twin)
    harvester.status(twin)
    seal = json.loads(index_of(twin)[1].read_bytes())
    forge_a_row(*index_of(library))
    index_of(library)[1].write_bytes(json.dumps(seal | {"library": str(library)}).encode())
    assert not believed(library)
    assert_it_is_not_believed(library)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER forged AFTER INSERT ON words BEGIN DELETE FROM words; END",
        "CREATE VIEW forged AS SELECT * FROM words",
        "DROP INDEX edges_by_target",
        "ALTER TABLE lists ADD COLUMN more",
        "DELETE FROM segments",
        "DELETE FROM meta",
        "UPDATE meta SET body = '1'",
        f"""UPDATE meta SET body = '{{"digest": "", "source": "", "schema": {schema.SCHEMA}}}' WHERE name LIKE 'b%'""",
        f"UPDATE meta SET body = CAST(replace(CAST(body AS TEXT), ': {schema.SCHEMA}}}', ': 0}}') AS BLOB)",
        "UPDATE segments SET digest = x'00'",
        "UPDATE segments SET offset = offset + 1",
    ],
)
def test_tables_that_are_not_ours_are_not_believed_under_any_seal(library: Path, statement: str) -> None:
    with closing(sqlite3.connect(index_of(library)[0])) as database, database:
        database.execute(statement)
    seal_again(library)
    assert not believed(library)
    assert_it_is_not_believed(library)


@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
def test_an_index_in_a_folder_that_others_may_write_is_not_believed(library: Path, mode: int) -> None:
    expected = ask_plainly(library)
    place().chmod(mode)
    forge_a_row(*index_of(library))
    seal_again(library)
    assert not believed(library)
    assert ask(library) == expected
    assert not believed(library)
    told = call("-v", "find", "rain", "--library", library, cwd=library).err.splitlines()[-1]
    assert told == (
        f"no index of {library} was built ({place()} is not a folder that only you can write); commands load the "
        f"whole library"
    )
    place().chmod(0o700)


def test_an_index_in_a_folder_of_another_user_is_not_believed(library: Path, tmp_path: Path) -> None:
    expected = ask_plainly(library)
    with mock.patch("harvester.index.place.os.geteuid", return_value=os.geteuid() + 1):
        assert not believed(library)
        assert ask(library) == expected
    assert places.is_private(place())
    (tmp_path / "file").touch(0o600)
    assert not places.is_private(tmp_path / "file")


def test_beside_a_harvest_that_goes_on_its_index_answers_with_the_events_of_the_journal(library: Path) -> None:
    with open_store(library) as store:
        grow(store, [Known(41, NOW_US), Gone(3, NOW_US + 1)])
        expected = ask_plainly(library)
        with nothing_is_loaded():
            assert ask(library) == expected
        store.checkpoint()
    assert_it_is_not_believed(library)


def test_the_first_index_is_built_beside_a_harvest_that_goes_on(library: Path) -> None:
    for path in index_of(library):
        path.unlink()
    with open_store(library) as store:
        grow(store, [Known(41, NOW_US), Gone(3, NOW_US + 1)])
        expected = ask_plainly(library)
        assert ask(library) == expected
        with nothing_is_loaded():
            assert ask(library) == expected


def test_a_restored_backup_is_not_described_by_the_index_of_what_was_there(library: Path) -> None:
    with open_store(library) as store:
        store.checkpoint(backup=True)
        grow(store, [Gone(1, NOW_US + 1)])
        store.checkpoint()
    assert_it_is_not_believed(library)
    harvester.restore(library=library)
    assert not harvester.show(1, library=library).gone
    assert_it_is_not_believed(library)


def test_a_checkpoint_of_git_is_not_described_by_the_index_of_what_was_there(library: Path, tmp_path: Path) -> None:
    # The journal beside it adds nothing to this one, but does not know it.
    theirs = make_library(tmp_path / "theirs", [*make_events(40), Gone(7, NOW_US), Known(41, NOW_US)])
    shutil.copyfile(theirs / CHECKPOINT, library / CHECKPOINT)
    assert_it_is_not_believed(library)


def test_without_a_journal_the_index_answers_unless_a_backup_may_know_more(library: Path) -> None:
    with open_store(library) as store:
        store.checkpoint(backup=True)
    for path in library.glob("*.journal*"):
        path.unlink()
    expected = ask_plainly(library)
    for _ in range(2):
        assert ask(library) == expected
        assert not believed(library)
    for path in library.glob("*_backup_*"):
        path.unlink()
    assert_it_is_not_believed(library)


def test_a_damaged_checkpoint_is_told_though_the_index_is_whole(library: Path) -> None:
    with open_store(library) as store:
        store.checkpoint(backup=True)
    harvester.status(library)
    assert believed(library)
    content = bytearray((library / CHECKPOINT).read_bytes())
    content[len(content) // 2] ^= 1
    stamps = (library / CHECKPOINT).stat()
    (library / CHECKPOINT).write_bytes(content)
    os.utime(library / CHECKPOINT, ns=(stamps.st_atime_ns, stamps.st_mtime_ns))
    assert any("corrupt" in line for line in harvester.status(library).notices)
    assert any("corrupt" in line for line in harvester.find("rain", library=library).notices)


def outcomes(library: Path) -> list[str]:
    """Return what each question about a library gives, with its index and with `HARVESTER_INDEX=off`."""
    questions = (
        lambda: harvester.show(1, library=library),
        lambda: harvester.find("rain", library=library),
        lambda: harvester.status(library),
    )
    found = [outcome(question) for question in questions]
    with mock.patch.dict(os.environ, {INDEX_VARIABLE: "off"}):
        assert list(map(outcome, questions)) == found
    return found


def test_a_journal_of_another_catalogue_is_told_though_the_index_is_whole(library: Path) -> None:
    with open_store(library) as store:
        store._journal.update(source="https://elsewhere.invalid/")
    assert all(found.startswith("WrongSource: ") for found in outcomes(library))


def test_a_file_that_was_not_fetched_is_told_though_the_index_is_whole(library: Path) -> None:
    (library / VECTORS).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n")
    assert all(found.startswith("LibraryNotFetched: ") for found in outcomes(library))


def test_a_checkpoint_of_another_program_gets_no_index(library: Path) -> None:
    joblib.dump(joblib.load(library / CHECKPOINT), library / CHECKPOINT, compress=3)
    expected = ask_plainly(library)
    for _ in range(2):
        assert ask(library) == expected
        assert not believed(library)


@pytest.mark.parametrize("by", ["nothing", "the index of another checkpoint"])
def test_an_index_that_is_replaced_while_it_is_opened_is_not_used(
    library: Path, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a journal, only its file's digest tells which checkpoint an index describes.
    other = make_library(tmp_path / "other", [*make_events(40), Gone(8, NOW_US)])
    for path in (*library.glob("*.journal*"), *other.glob("*.journal*")):
        path.unlink()
    for folder in (library, other):
        harvester.status(folder)
    open_it = schema.connect

    def replace_then_open(path: Path, mode: str) -> sqlite3.Connection:
        if by == "nothing":
            path.unlink()
        else:
            new = Path(shutil.copyfile(index_of(other)[0], f"{path}.new"))
            new.replace(path)
        return open_it(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(reader, "connect", replace_then_open)
        # The counts come from the index alone, so nothing else would notice.
        with nothing_is_loaded(), pytest.raises(AssertionError, match="it was loaded"):
            harvester.status(library)
        assert harvester.show(7, library=library).gone
    assert_it_is_not_believed(library)


def test_a_failed_build_changes_no_answer(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ask_plainly(library)
    shutil.rmtree(place())
    place().write_bytes(b"a file is in the way")
    assert ask(library) == expected


def test_what_killed_builds_and_removed_libraries_left_is_removed(library: Path, tmp_path: Path) -> None:
    other = make_library(tmp_path / "other", make_events(3))
    harvester.status(other)
    abandoned, begun = place() / ".a.sqlite.1.tmp", place() / ".b.sqlite.2.tmp"
    abandoned.write_bytes(b"")
    os.utime(abandoned, (0, 0))
    begun.write_bytes(b"")
    (other / CHECKPOINT).unlink()
    index_of(library)[1].unlink()
    harvester.status(library)
    assert {path.name for path in place().iterdir()} == {begun.name, *(path.name for path in index_of(library))}


def test_an_index_is_on_the_disk_before_it_has_its_name_and_its_name_before_its_seal(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = note_order(monkeypatch)
    index_of(library)[1].unlink()
    harvester.status(library)
    assert done == ["sync", "rename", "seal", "rename"]


@pytest.mark.parametrize("content", [b"", b"\0" * 4096])
def test_a_power_cut_that_takes_the_bytes_of_the_index_or_of_the_seal_takes_no_answer(
    library: Path, content: bytes
) -> None:
    for path in index_of(library):
        path.write_bytes(content)
        assert not believed(library)
        assert_it_is_not_believed(library)


def test_two_builds_at_once_leave_an_index_that_answers_or_none(library: Path) -> None:
    with open_store(library) as store:
        grow(store, [Known(42, NOW_US)])
        store.checkpoint()
    expected = ask_plainly(library)
    children = [begin_build(library) for _ in range(3)]
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    assert ask(library) == expected
    with nothing_is_loaded():
        assert ask(library) == expected


def begin_build(library: Path, last_call: int = 0) -> int:
    """Build an index in a new process, which may be killed; return its number."""
    child = os.fork()
    if not child:
        try:
            view = load_view(library)
            if last_call:
                die_at_call(last_call)
            keep_index(view, place())
        finally:
            os._exit(0)
    return child


def killed_build(library: Path, last_call: int) -> bool:
    """Build an index in a process that is killed; tell whether it was."""
    child = begin_build(library, last_call)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_a_build_killed_at_any_moment_leaves_no_index_that_errs(library: Path) -> None:
    calls, draws = 1, random.Random(19)
    while killed_build(library, calls):
        calls *= 2
    moments = sorted(draws.randrange(1, calls) for _ in range(6))
    for number, moment in enumerate(moments):
        with open_store(library) as store:
            grow(store, [Gone(10 + number, NOW_US)])
            store.checkpoint()
        killed_build(library, moment)
        expected = ask_plainly(library)
        if believed(library):
            with nothing_is_loaded():
                assert ask(library) == expected
        else:
            assert_it_is_not_believed(library)
