"""Tables that are kept for SQL answer as the library does; stale, torn, foreign or forged ones are not used."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest

import harvester
from harvester.actions.indexing import INDEX_VARIABLE
from harvester.actions.selecting import select_from
from harvester.errors import SettingsError
from harvester.exports import write_tables
from harvester.index import TABLES, place_of
from harvester.library import kept_tables
from harvester.model import Event, Gone, Known
from harvester.storage import ANALYSIS, CHECKPOINT, JOURNAL
from tests.support.command import call
from tests.support.dying import die_at_call
from tests.support.indexed import note_order, nothing_is_loaded, outcome, tables_of_every_library_are_kept
from tests.support.samples import NOW_US, SOURCE, grow, make_events, open_store

ALL_ROWS = (
    "SELECT (SELECT array_agg(one) FROM sounds one), (SELECT array_agg(one) FROM edges one), "
    "(SELECT array_agg(one) FROM tags one)"
)
STATEMENTS = (
    ALL_ROWS,
    "",
    "SELECT * FROM sounds",
    "SELECT nam FROM sounds",
    "DROP TABLE tags",
    "EXPLAIN ANALYZE DELETE FROM tags",
)


def make_library(folder: Path, events: list[Event]) -> Path:
    with open_store(folder, source=SOURCE) as store:
        grow(store, events)
        store.checkpoint()
    return folder


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A library of 40 sounds, one of them gone, and the folder of indexes with its tables."""
    place = tmp_path_factory.mktemp("made")
    folder = make_library(place / "library", [*make_events(40), Gone(7, NOW_US)])
    with mock.patch.dict(os.environ, {"HARVESTER_STATE": str(place / "state")}), tables_of_every_library_are_kept():
        harvester.sql("SELECT 1", library=folder)
    return folder, place / "state" / "index"


@pytest.fixture
def library(pair: tuple[Path, Path], tmp_path: Path) -> Iterator[Path]:
    """A copy of the library, with its tables."""
    made, indexes = pair
    folder = tmp_path / "library"
    shutil.copytree(made, folder)
    ours, theirs = place_of(state(), folder, TABLES), place_of(indexes, made, TABLES)
    state().mkdir(mode=0o700, parents=True)
    shutil.copy(theirs.index, ours.index)
    ours.seal.write_bytes(theirs.seal.read_bytes().replace(str(made).encode(), str(folder).encode()))
    with tables_of_every_library_are_kept():
        yield folder


def state() -> Path:
    return Path(os.environ["HARVESTER_STATE"], "index")


def kept_of(library: Path) -> tuple[Path, Path]:
    found = place_of(state(), library, TABLES)
    return found.index, found.seal


def ask(library: Path, statement: str = ALL_ROWS) -> str:
    def answer() -> tuple[Any, ...]:
        result = harvester.sql(statement, library=library)
        return list(result), result.columns, result.types, result.notices

    return outcome(answer)


def ask_plainly(library: Path, statement: str = ALL_ROWS) -> str:
    with mock.patch.dict(os.environ, {INDEX_VARIABLE: "off"}):
        return ask(library, statement)


def believed(library: Path) -> bool:
    """Tell whether the library's tables answer."""
    try:
        with nothing_is_loaded():
            harvester.sql("SELECT 1", library=library)
    except AssertionError:
        return False
    return True


def assert_it_is_not_believed(library: Path) -> None:
    """The library answers, then there are tables that answer."""
    assert not believed(library)
    expected = ask_plainly(library)
    assert ask(library) == expected
    with nothing_is_loaded():
        assert ask(library) == expected


def seal_again(library: Path, **changed: Any) -> None:
    """Seal tables as they are now, as a program of the same user could."""
    tables, seal = kept_of(library)
    found = json.loads(seal.read_bytes()) | {"index": hashlib.sha256(tables.read_bytes()).hexdigest()}
    found["about"] = json.dumps(json.loads(found["about"]) | changed)
    seal.write_bytes(json.dumps(found).encode())


def forge(tables: Path) -> None:
    with duckdb.connect(tables) as database:
        database.execute("UPDATE sounds SET name = 'Forged'")


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_first_answer_and_those_of_kept_tables_are_the_librarys(library: Path, statement: str) -> None:
    expected = ask_plainly(library, statement)
    with nothing_is_loaded():
        assert ask(library, statement) == expected
    shutil.rmtree(state())
    assert ask(library, statement) == expected


def test_a_line_tells_that_tables_are_kept(library: Path) -> None:
    remove_seal(*kept_of(library))
    told = call("-v", "sql", "SELECT 1", "--library", library, cwd=library).err.splitlines()[-1]
    assert told == f"the tables of {library} are kept in {state()}: it makes `sql` fast"


def test_with_a_selection_tables_are_neither_used_nor_made(library: Path) -> None:
    assert list(harvester.sql("SELECT count(*) FROM sounds", library=library, ids=[1, 2])) == [(2,)]
    with nothing_is_loaded(), pytest.raises(AssertionError, match="it was loaded"):
        harvester.sql("SELECT 1", library=library, largest_component=True)
    shutil.rmtree(state())
    harvester.sql("SELECT 1", library=library, processed_only=True)
    assert not state().exists()


def test_small_libraries_opened_ones_and_harvester_index_off_get_none(library: Path) -> None:
    shutil.rmtree(state())
    harvester.Library.open(library).sql("SELECT 1")
    harvester.sql("SELECT 1", library=harvester.Library.open(library))
    for size, value in ((41, "on"), (0, "off")):
        with (
            mock.patch.object(kept_tables, "TABLES_FROM", size),
            mock.patch.dict(os.environ, {INDEX_VARIABLE: value}),
        ):
            harvester.sql("SELECT 1", library=library)
    assert not list(state().glob(f"*{TABLES}*"))
    with mock.patch.object(kept_tables, "TABLES_FROM", 40):
        harvester.sql("SELECT 1", library=library)
    assert believed(library)
    with mock.patch.dict(os.environ, {INDEX_VARIABLE: "off"}):
        assert not believed(library)


def truncate(tables: Path, _: Path) -> None:
    os.truncate(tables, tables.stat().st_size // 2)


def empty(tables: Path, _: Path) -> None:
    os.truncate(tables, 0)


def forge_rows(tables: Path, _: Path) -> None:
    forge(tables)


def put_a_link(tables: Path, _: Path) -> None:
    elsewhere = tables.with_suffix(".elsewhere")
    shutil.copy(tables, elsewhere)
    forge(elsewhere)
    tables.unlink()
    tables.symlink_to(elsewhere)


def put_a_fifo(tables: Path, _: Path) -> None:
    tables.unlink()
    os.mkfifo(tables)


def put_a_write_ahead_log(tables: Path, _: Path) -> None:
    twin = Path(shutil.copy(tables, tables.with_suffix(".twin")))
    with duckdb.connect(twin) as database:
        database.execute("PRAGMA disable_checkpoint_on_shutdown")
        database.execute("INSERT INTO tags VALUES (1, 'forged')")
    Path(f"{twin}.wal").rename(f"{tables}.wal")


def remove_seal(_: Path, seal: Path) -> None:
    seal.unlink()


def seal_without_about(_: Path, seal: Path) -> None:
    seal.write_bytes(json.dumps(json.loads(seal.read_bytes()) | {"about": "[]"}).encode())


@pytest.mark.parametrize(
    "harm",
    [
        truncate, empty, forge_rows, put_a_link, put_a_fifo, put_a_write_ahead_log, remove_seal, seal_without_about,
    ],
)  # fmt: skip
def test_harmed_tables_are_not_believed(library: Path, harm: Callable[[Path, Path], None]) -> None:
    assert believed(library)
    harm(*kept_of(library))
    assert_it_is_not_believed(library)


def test_a_flipped_bit_anywhere_is_noticed(library: Path) -> None:
    tables, draws = kept_of(library)[0], random.Random(5)
    content = tables.read_bytes()
    for _ in range(30):
        at = draws.randrange(len(content))
        tables.write_bytes(content[:at] + bytes([content[at] ^ 1 << draws.randrange(8)]) + content[at + 1 :])
        assert not believed(library), at
    tables.write_bytes(content)
    assert believed(library)


def test_tables_of_another_library_are_not_believed(library: Path, tmp_path: Path) -> None:
    other = make_library(tmp_path / "other", make_events(3))
    harvester.sql("SELECT 1", library=other)
    for ours, theirs in zip(kept_of(library), kept_of(other), strict=True):
        shutil.copyfile(theirs, ours)
    assert_it_is_not_believed(library)


@pytest.mark.parametrize(
    "changed",
    [{"engine": "DuckDB 0"}, {"harvester": "0"}, {"schema": 0}, {"source": "x"}, {"digest": "0"}, {"analysis": "0"}],
)
def test_tables_of_another_version_are_not_believed(library: Path, changed: dict[str, Any]) -> None:
    seal_again(library)
    assert believed(library)
    seal_again(library, **changed)
    assert_it_is_not_believed(library)


@pytest.mark.parametrize("version", ["harvester.exports.sql.ENGINE", "harvester.library.kept_tables.__version__"])
def test_after_an_update_tables_are_made_again(library: Path, version: str) -> None:
    with mock.patch(version, "another"):
        assert not believed(library)
    assert believed(library)


@pytest.mark.parametrize("statement", ["DROP TABLE tags", "CREATE VIEW more AS SELECT 1", "CREATE TABLE more (a INT)"])
def test_other_tables_are_not_believed_under_any_seal(library: Path, statement: str) -> None:
    with duckdb.connect(kept_of(library)[0]) as database:
        database.execute(statement)
    seal_again(library)
    assert_it_is_not_believed(library)


def test_a_new_checkpoint_gets_new_tables_and_events_of_the_journal_none(library: Path) -> None:
    with open_store(library) as store:
        grow(store, [Known(41, NOW_US), Gone(3, NOW_US + 1)])
        before = kept_of(library)[1].read_bytes()
        for _ in range(2):
            assert not believed(library)
            assert ask(library) == ask_plainly(library)
        assert kept_of(library)[1].read_bytes() == before
        store.checkpoint()
    assert_it_is_not_believed(library)


def test_events_of_a_journal_that_does_not_know_the_checkpoint_get_none(library: Path, tmp_path: Path) -> None:
    theirs = make_library(tmp_path / "theirs", [*make_events(40), Gone(9, NOW_US)])
    with open_store(library) as store:
        grow(store, [Known(41, NOW_US)])
        store.checkpoint()  # the row stays until a backup has it, and the other checkpoint may lack it
    shutil.copyfile(theirs / CHECKPOINT, library / CHECKPOINT)
    for _ in range(2):
        assert not believed(library)
        assert ask(library) == ask_plainly(library)


def test_each_analysis_has_its_measures_and_its_notices(library: Path) -> None:
    harvester.analyse(library=library)
    assert_it_is_not_believed(library)
    with open_store(library) as store:
        grow(store, [Gone(3, NOW_US + 1)])
        store.checkpoint()
    assert_it_is_not_believed(library)
    stale = harvester.sql("SELECT 1", library=library).notices
    assert len(stale) == 1
    assert "has changed since it was analysed" in stale[0]
    with nothing_is_loaded():
        elsewhere = library / ".." / library.name
        assert harvester.sql("SELECT 1", library=elsewhere).notices == (stale[0].replace(str(library), str(elsewhere)),)
    (library / ANALYSIS).write_text("no JSON")
    assert_it_is_not_believed(library)
    (library / ANALYSIS).unlink()
    assert_it_is_not_believed(library)


def test_an_analysis_that_cannot_be_read_gets_no_tables(library: Path) -> None:
    os.mkfifo(library / ANALYSIS)
    for _ in range(2):
        assert not believed(library)
        assert ask(library) == ask_plainly(library)


@pytest.mark.parametrize("changed", [ANALYSIS, CHECKPOINT])
def test_tables_of_a_library_that_changes_while_they_are_made_are_not_kept(
    library: Path, changed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_seal(*kept_of(library))
    expected = ask_plainly(library)

    def write_then_change(*given: Any) -> None:
        write_tables(*given)
        with (library / changed).open("ab") as file:
            file.write(b"more")

    with monkeypatch.context() as patch:
        patch.setattr("harvester.actions.querying.write_tables", write_then_change)
        assert ask(library) == expected
    assert not kept_of(library)[1].exists()
    assert not list(state().glob(".*"))


def test_tables_of_an_earlier_checkpoint_are_not_kept_for_a_new_one(library: Path, tmp_path: Path) -> None:
    remove_seal(*kept_of(library))
    theirs = make_library(tmp_path / "theirs", [*make_events(40), Gone(9, NOW_US)])

    def replace_then_select(*given: Any) -> Any:
        shutil.copyfile(theirs / CHECKPOINT, library / CHECKPOINT)
        return select_from(*given)

    with mock.patch("harvester.actions.querying.select_from", replace_then_select):
        harvester.sql("SELECT 1", library=library)
    assert not kept_of(library)[1].exists()


def test_a_journal_of_another_catalogue_is_told(library: Path) -> None:
    with open_store(library) as store:
        store._journal.update(source="https://elsewhere.invalid/")
    assert ask(library) == ask_plainly(library)
    assert "WrongSource" in ask(library)


def test_a_damaged_checkpoint_is_told(library: Path) -> None:
    content = bytearray((library / CHECKPOINT).read_bytes())
    content[len(content) // 2] ^= 1
    (library / CHECKPOINT).write_bytes(content)
    assert ask(library) == ask_plainly(library)
    assert "is broken" in ask(library)


def test_without_a_journal_tables_answer_unless_a_backup_may_know_more(library: Path) -> None:
    with open_store(library) as store:
        store.checkpoint(backup=True)
    for path in library.glob(f"{JOURNAL}*"):
        path.unlink()
    expected = ask_plainly(library)
    for _ in range(2):
        assert not believed(library)
        assert ask(library) == expected
    backups = {path: path.read_bytes() for path in library.glob("*_backup_*")}
    for path in backups:
        path.unlink()
    assert_it_is_not_believed(library)
    for path, content in backups.items():
        path.write_bytes(content)
    assert not believed(library)


@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
def test_tables_in_a_folder_that_others_may_write_are_not_believed(library: Path, mode: int) -> None:
    expected = ask_plainly(library)
    forge(kept_of(library)[0])
    seal_again(library)
    state().chmod(mode)
    assert not believed(library)
    assert ask(library) == expected
    told = call("-v", "sql", "SELECT 1", "--library", library, cwd=library).err.splitlines()[-1]
    assert told == (
        f"no tables of {library} were kept ({state()} is not a folder that only you can write); `sql` makes them of "
        f"the whole library"
    )
    state().chmod(0o700)


def test_a_failed_build_changes_no_answer(library: Path) -> None:
    expected = ask_plainly(library)
    remove_seal(*kept_of(library))
    with mock.patch("harvester.exports.sql._FILLING", ("SET memory_limit = '1KB'",)):
        assert ask(library) == expected
    assert not kept_of(library)[1].exists()
    assert not list(state().glob(".*"))


def test_tables_are_on_the_disk_before_they_have_their_name_and_their_name_before_their_seal(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = note_order(monkeypatch)
    remove_seal(*kept_of(library))
    harvester.sql("SELECT 1", library=library)
    assert done == ["sync", "rename", "seal", "rename"]


def test_what_killed_builds_and_removed_libraries_left_is_removed(library: Path, tmp_path: Path) -> None:
    other = make_library(tmp_path / "other", make_events(3))
    harvester.sql("SELECT 1", library=other)
    (other / CHECKPOINT).unlink()
    old = [
        state() / name for name in (".a.duckdb.1.tmp", ".a.duckdb.1.tmp.wal", "b.duckdb", "c.duckdb.seal", "d.sqlite")
    ]
    new = [state() / name for name in (".e.duckdb.2.tmp", "f.duckdb", "g.duckdb.seal", "h.other")]
    for path in (*old, *new):
        path.write_bytes(b"")
    for path in (*old, new[-1]):
        os.utime(path, (0, 0))
    remove_seal(*kept_of(library))
    harvester.sql("SELECT 1", library=library)
    assert set(state().iterdir()) == {*new, *kept_of(library)}


def test_an_interrupt_while_tables_are_made_leaves_none(library: Path) -> None:
    remove_seal(*kept_of(library))

    def interrupt(_: object) -> tuple[()]:
        os.kill(os.getpid(), signal.SIGINT)
        return ()

    with mock.patch("harvester.exports.sql.tag_rows", side_effect=interrupt), pytest.raises(KeyboardInterrupt):
        harvester.sql("SELECT 1", library=library)
    assert not list(state().glob(".*"))
    assert not believed(library)


def killed_build(library: Path, last_call: int) -> bool:
    """Ask in a process that is killed; tell whether it was."""
    child = os.fork()
    if not child:
        try:
            die_at_call(last_call)
            harvester.sql("SELECT 1", library=library)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_a_build_killed_at_any_moment_leaves_no_tables_that_err(library: Path) -> None:
    remove_seal(*kept_of(library))
    calls, draws = 4096, random.Random(19)
    while killed_build(library, calls):
        calls *= 2
    for number, moment in enumerate(sorted(draws.randrange(1, calls) for _ in range(4))):
        with open_store(library) as store:
            grow(store, [Gone(10 + number, NOW_US)])
            store.checkpoint()
        killed_build(library, moment)
        expected = ask_plainly(library)
        assert ask(library) == expected
        with nothing_is_loaded():
            assert ask(library) == expected


def test_a_statement_that_is_wrong_before_it_runs_makes_no_tables(library: Path) -> None:
    remove_seal(*kept_of(library))
    with pytest.raises(SettingsError):
        harvester.sql("SELEC 1", library=library)
    assert not kept_of(library)[1].exists()


def test_a_withdrawn_sound_is_in_no_file_that_is_kept(library: Path) -> None:
    with mock.patch("harvester.library.indexed.INDEXED_FROM", 0):
        harvester.status(library)
    assert len(list(state().iterdir())) == 4
    harvester.forget(1, library=library, dry_run=True)
    assert believed(library)
    with mock.patch.dict(os.environ, {INDEX_VARIABLE: "off"}):
        assert not harvester.forget(1, library=library).still_in[1:]
    assert list(state().iterdir()) == []
    assert_it_is_not_believed(library)
    tables = kept_of(library)[0]
    tables.unlink()
    tables.mkdir()
    assert tables in harvester.forget(2, library=library).still_in


def test_threads_ask_the_same_tables_at_once(library: Path) -> None:
    expected = ask_plainly(library)
    with nothing_is_loaded(), ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, [library] * 8)) == [expected] * 8
