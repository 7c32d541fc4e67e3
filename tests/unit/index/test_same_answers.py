"""With its index or without, a library gives the same answers, whatever its history."""

from __future__ import annotations

import math
import os
import pickle
import pty
import re
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harvester
from harvester.actions.afterwards import answering
from harvester.actions.indexing import INDEX_VARIABLE
from harvester.checkpoint import encode_checkpoint, writer
from harvester.errors import LibraryCorrupt, SettingsError
from harvester.graph import Selection, find_surroundings, select
from harvester.index import IndexedState, build, reader
from harvester.journal import load_contents
from harvester.library import indexed, restore_library
from harvester.model import Deferral, Event, Gone, Known, Linked, Seen, SimilarList
from harvester.storage import CHECKPOINT
from tests.support.command import call
from tests.support.histories import events, ids, quick, stamps
from tests.support.indexed import QUERIES, answers, every_library_gets_one, nothing_is_loaded, outcome, plain_answers
from tests.support.samples import NOW_US, SOURCE, FixedClock, grow, make_events, make_record, make_state, open_store

ODD = ("Rain_drop", "take.wav", "rec-12", "Straße", "İstanbul", "a\nb", "x\ty", "\ud800", "", "ü", "1")
TEXTS = st.sampled_from(("rain", *ODD)) | st.text(max_size=3)
NOT_FOR_A_JOURNAL = st.just("\ud83d\udca7")
"""It is two characters, which JSON makes one."""


@st.composite
def named_sounds(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS, most_downloads: int = 2**50) -> Event:
    """Draw a sound with words that are hard to find."""
    sound_id = draw(ids)
    record = make_record(
        sound_id,
        name=draw(texts),
        tags=draw(st.lists(texts, max_size=3)),
        username=draw(texts),
        num_downloads=draw(st.sampled_from([None, 0, 7, 2**40, most_downloads, "many"])),
    )
    return Seen(sound_id, record, draw(stamps))


MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None

histories = st.lists(named_sounds(TEXTS | NOT_FOR_A_JOURNAL, 2**70) | events(), max_size=16)
saved_events = named_sounds() | events()
deferred = st.dictionaries(ids, st.sampled_from([NOW_US - 1, NOW_US, NOW_US + 1]), max_size=4)


@settings(quick, max_examples=25)
@given(history=histories)
def test_any_history_has_the_same_answers_from_its_index(history: list[Event]) -> None:
    with TemporaryDirectory(dir=MEMORY) as name:
        folder = Path(name) / "library"
        folder.mkdir()
        (folder / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(make_state(history))))
        assert_same_answers(folder)


@settings(quick, max_examples=6)
@given(history=st.lists(events(), max_size=8), later=deferred)
def test_any_journal_has_the_same_answers_beside_its_index(history: list[Event], later: dict[int, int]) -> None:
    with TemporaryDirectory(dir=MEMORY) as name:
        folder = Path(name) / "library"
        with open_store(folder, source=SOURCE) as store:
            grow(store, history)
            store.append([], [Deferral(sound_id, "timeout", 1, at) for sound_id, at in later.items()])
            store.checkpoint()
        assert_same_answers(folder)


@settings(quick, max_examples=40)
@given(history=st.lists(saved_events, max_size=10), later=st.lists(saved_events, max_size=8))
def test_events_that_only_the_journal_has_are_laid_over_the_index(history: list[Event], later: list[Event]) -> None:
    with TemporaryDirectory(dir=MEMORY) as name, mock.patch.dict(os.environ, {"HARVESTER_STATE": f"{name}/state"}):
        folder = Path(name) / "library"
        with open_store(folder, source=SOURCE) as store, every_library_gets_one():
            grow(store, history)
            store.checkpoint()
            harvester.status(folder)
            grow(store, later)
            assert_same_answers(folder)
            assert_an_opened_library_is_the_same(folder)


def assert_same_answers(folder: Path) -> None:
    """The index of a library answers as the library does, and nothing is loaded for it."""
    expected = plain_answers(folder)
    with mock.patch.dict(os.environ, {"HARVESTER_STATE": f"{folder}/.state"}), every_library_gets_one():
        harvester.status(folder)
        with nothing_is_loaded():
            assert answers(folder) == expected


@settings(quick, max_examples=20)
@given(history=st.lists(saved_events, max_size=16))
def test_a_library_that_is_read_again_and_again_goes_on_from_a_temporary_file(history: list[Event]) -> None:
    with TemporaryDirectory(dir=MEMORY) as name, mock.patch.dict(os.environ, {"HARVESTER_STATE": f"{name}/state"}):
        folder = Path(name) / "library"
        folder.mkdir()
        (folder / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(make_state(history))))
        with every_library_gets_one(), mock.patch("harvester.index.state._FEWEST_BLOCKS", 0):
            harvester.status(folder)
            loaded, opened = assert_an_opened_library_is_the_same(folder), harvester.Library.open(folder)
            told(opened)
            (folder / CHECKPOINT).unlink()
            assert told(opened) == told(loaded)


def test_a_watch_builds_the_index_at_once_and_then_loads_nothing(library: Path) -> None:
    with (
        every_library_gets_one(),
        answering(lambda _line: None, lambda _line: None),
        mock.patch.object(build, "_MOST_NEW", 1.0),
    ):
        watch = harvester.StatusWatch(library)
        assert watch.look().facts["gone"] == 1
        with open_store(library) as store, nothing_is_loaded():
            grow(store, [Gone(3, NOW_US + 1)])
            watch._next_s = 0.0  # the pause after a reading is over
            assert watch.look().facts["gone"] == 2
            store.checkpoint()
            watch._next_s = 0.0
            assert watch.look().facts["gone"] == 2


def test_an_index_is_brought_up_to_date_for_a_library_that_is_opened(library: Path) -> None:
    with every_library_gets_one(), mock.patch.object(build, "_MOST_NEW", 1.0):
        harvester.status(library)
        with open_store(library) as store:
            grow(store, [Gone(3, NOW_US + 1)])
            store.checkpoint()
        opened = harvester.Library.open(library)
    assert isinstance(opened.view.state, IndexedState)
    assert opened[3].is_gone


def test_a_shown_record_may_be_changed_by_who_asked(library: Path) -> None:
    with mock.patch.dict(os.environ, {INDEX_VARIABLE: "off"}):
        opened = harvester.Library.open(library)
    shown = harvester.show(3, library=opened)
    assert shown.record is not None
    shown.record["tags"].append("of mine")
    assert "of mine" not in opened[3].tags


def test_a_sound_that_a_newer_list_lacks_is_not_listed_by_it(library: Path) -> None:
    with every_library_gets_one(), open_store(library) as store:
        harvester.status(library)
        before = harvester.show(2, library=library).listed_by
        newer = SimilarList((), NOW_US + 10**9, 25)
        passing = Linked(20, SimilarList(((2, 0.5),), NOW_US + 10**8, 25))
        grow(store, [passing, Linked(20, newer), *(Linked(one["id"], newer) for one in before)])
        with nothing_is_loaded():
            assert before
            assert harvester.show(2, library=library).listed_by == ()


def test_an_opened_library_stays_as_it_is_whatever_takes_the_place_of_its_files(library: Path) -> None:
    with mock.patch.dict(os.environ, {INDEX_VARIABLE: "off"}):
        loaded = harvester.Library.open(library)
    with every_library_gets_one():
        harvester.status(library)
        opened = harvester.Library.open(library)
        with open_store(library) as store:
            grow(store, [Gone(3, NOW_US + 1), Known(100, NOW_US + 1)])
            store.checkpoint()
        harvester.status(library)
    shutil.rmtree(library)
    assert isinstance(opened.view.state, IndexedState)
    assert told(opened) == told(loaded)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_forked_process_reads_an_opened_library(library: Path, replaced: bool) -> None:
    with every_library_gets_one():
        harvester.status(library)
    opened = harvester.Library.open(library)
    expected = told(opened)
    if replaced:
        shutil.rmtree(os.environ["HARVESTER_STATE"])
    with ProcessPoolExecutor(2, get_context("fork")) as processes:
        assert list(processes.map(partial(told_here, key=keep_for_children(opened)), range(4))) == [expected] * 4
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda _: told(opened), range(8))) == [expected] * 8


def test_a_process_that_was_forked_while_a_thread_read_does_not_wait_for_it(library: Path) -> None:
    with every_library_gets_one():
        harvester.status(library)
    opened = harvester.Library.open(library)
    expected = told(opened)
    assert isinstance(opened.view.state, IndexedState)
    index = opened.view.state.index
    with index._lock, index._database._lock:
        child = get_context("fork").Process(target=tell, args=(keep_for_children(opened), expected))
        child.start()
        child.join(20)
    child.kill()
    child.join()
    assert child.exitcode == 0


_for_children: dict[int, harvester.Library] = {}


def keep_for_children(library: harvester.Library) -> int:
    """Keep a library where a forked process finds it without a pickle; return its key."""
    _for_children[id(library)] = library
    return id(library)


def tell(key: int, expected: list[str]) -> None:
    """End a process well if the library says what it should."""
    assert told(_for_children[key]) == expected


def told_here(_number: int, key: int) -> list[str]:
    return told(_for_children[key])


def assert_an_opened_library_is_the_same(folder: Path) -> harvester.Library:
    """A library that reads its index says what the loaded one says, which is returned."""
    with mock.patch.dict(os.environ, {INDEX_VARIABLE: "off"}):
        loaded = harvester.Library.open(folder)
    opened = harvester.Library.open(folder)
    assert isinstance(opened.view.state, IndexedState)
    assert told(opened) == told(loaded)
    assert answers(opened) == answers(loaded)
    again = pickle.loads(pickle.dumps(opened))
    assert told(again) == told(loaded)
    assert graph_of(opened) == graph_of(loaded) == graph_of(again)
    assert told(opened) == told(loaded)
    return loaded


def told(library: harvester.Library) -> list[str]:
    """Return all that a library says of itself without its graph, with the order of things."""
    ids, chosen = list(library), library.select()
    return [
        repr(library), repr(ids), repr(library.notices), repr(sorted(library.processed_ids)), repr(library.metadata),
        *(repr((library[one], dict(library.records).get(one), library.neighbours(one))) for one in ids),
        *(repr((library.edges_of(one), one in chosen)) for one in ids),
        *(repr(library.find(query, limit=0)) for query in QUERIES),
        repr(find_surroundings(select(library.view.state, Selection(ids=frozenset(ids[:3]))))),
        repr([one in library for one in range(15)]), repr(len(library)),
    ]  # fmt: skip


def graph_of(library: harvester.Library) -> str:
    graph = library.graph
    return repr((dict(graph.nodes(data=True)), [*graph.edges(data=True)], sorted(graph.in_edges)))


def test_sounds_of_many_blocks_and_many_batches_have_the_same_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BLOCK_SOUNDS", 2)
    monkeypatch.setattr(reader, "_BATCH", 3)
    (tmp_path / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(make_state(make_events(13)))))
    assert_same_answers(tmp_path)


def test_numbers_that_are_equal_to_nothing_do_not_cost_a_library_its_index(tmp_path: Path) -> None:
    odd = {"duration": math.nan, "bitrate": math.inf, "num_downloads": math.nan, "zz": [-math.inf, {"a": math.nan}]}
    (tmp_path / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(make_state([Seen(1, make_record(1, **odd), 1)]))))
    assert_same_answers(tmp_path)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library of 40 sounds, some of them gone or without a record."""
    with open_store(tmp_path / "library", source=SOURCE) as store:
        grow(store, [*make_events(40), Gone(7, NOW_US), Known(99, NOW_US)])
        store.checkpoint()
    return tmp_path / "library"


@pytest.mark.parametrize(
    "line",
    [
        "show 3",
        "show 7",
        "show 99",
        "show 5000",
        "show 3 --json",
        "find rain",
        "find rain --limit 0 --json",
        "find rian",
    ],
)
def test_a_command_prints_the_same_from_the_index(library: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with every_library_gets_one():
        first = call(*line.split(), "--library", library, cwd=library)
        harvester.status(library)
        with nothing_is_loaded():
            second = call(*line.split(), "--library", library, cwd=library)
    monkeypatch.setenv(INDEX_VARIABLE, "off")
    assert first == second == call(*line.split(), "--library", library, cwd=library)


def test_a_command_builds_the_index_once_its_answer_is_printed(library: Path) -> None:
    with every_library_gets_one():
        first = call("-v", "find", "rain", "--limit", 1, "--library", library, cwd=library)
        second = call("-v", "find", "rain", "--limit", 1, "--library", library, cwd=library)
    found, built = first.err.splitlines()
    assert found.startswith("39 of 41 sounds in ")
    assert built.startswith(f"an index of {library} was built in {os.environ['HARVESTER_STATE']}/index")
    assert (second.out, second.err.splitlines()) == (first.out, [found])


def in_terminal(command: list[str]) -> str:
    """Run a command whose streams are a terminal; return what it shows."""
    ours, its = pty.openpty()
    shown = b""
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its):
        os.close(its)
        with suppress(OSError):  # Linux's way to say that the other end is closed
            while piece := os.read(ours, 4_096):
                shown += piece
    os.close(ours)
    return shown.decode()


def test_who_waits_at_a_terminal_is_told_what_it_is_for(library: Path) -> None:
    program = (
        "from harvester.library import indexed\nindexed.INDEXED_FROM = 0\nfrom harvester.__main__ import main\nmain()"
    )
    command = [sys.executable, "-c", program, "find", "rain", "--limit", "1", "--library", str(library)]
    first, second = in_terminal(command), in_terminal(command)
    building = "building an index, which makes the next answers fast; Ctrl-C leaves it undone"
    assert building in first
    assert first.replace(f"{building}\r\n", "") == second


def test_a_small_library_gets_no_index(library: Path) -> None:
    answers(library)
    assert not Path(os.environ["HARVESTER_STATE"], "index").exists()


def test_switched_off_an_index_is_neither_built_nor_read(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INDEX_VARIABLE, "off")
    with every_library_gets_one():
        harvester.status(library)
        assert not Path(os.environ["HARVESTER_STATE"], "index").exists()
        monkeypatch.setenv(INDEX_VARIABLE, "on")
        harvester.status(library)
        monkeypatch.setenv(INDEX_VARIABLE, "off")
        with nothing_is_loaded(), pytest.raises(AssertionError, match="it was loaded"):
            harvester.status(library)


def test_a_wish_for_an_index_is_on_or_off(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(INDEX_VARIABLE, "maybe")
    with pytest.raises(SettingsError, match="HARVESTER_INDEX must be on or off"):
        harvester.show(1, library=library)


def test_without_a_folder_for_it_there_is_no_index(library: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = plain_answers(library)
    monkeypatch.setenv("HARVESTER_STATE", "~nouser/x")
    with every_library_gets_one():
        assert answers(library) == expected


def test_an_opened_library_is_asked_itself(library: Path) -> None:
    opened = harvester.Library.open(library)
    with every_library_gets_one():
        assert outcome(lambda: harvester.show(3, library=opened)) == outcome(lambda: harvester.show(3, library=library))
        with open_store(library) as store:
            grow(store, [Gone(3, NOW_US + 1)])
            store.checkpoint()
        harvester.status(library)
        assert not harvester.show(3, library=opened).gone
        assert harvester.show(3, library=library).gone


def test_an_answer_from_the_index_needs_no_networkx(library: Path) -> None:
    with every_library_gets_one():
        harvester.status(library)
    program = (
        "import sys; from harvester import find, show, status; place = sys.argv[1]\n"
        "print(show(3, library=place).id, find('rain', library=place).total, status(place).facts['nodes'])\n"
        "print('networkx' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program, library], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["3", "39", "41", "False"]


def test_a_mark_in_a_name_is_found_as_in_the_library(tmp_path: Path) -> None:
    names = ("rain_drop", "rain-drop", "rain.drop", "rain drop")
    state = make_state([Seen(one, make_record(one, name=name), 1) for one, name in enumerate(names, 1)])
    (tmp_path / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(state)))
    with every_library_gets_one():
        harvester.status(tmp_path)
        with nothing_is_loaded():
            found = [harvester.find(f"n{mark}d", library=tmp_path).sounds for mark in "_-."]
    assert [[one["name"] for one in sounds] for sounds in found] == [[name] for name in names[:3]]


def test_events_that_a_rollback_forgot_meanwhile_are_not_laid_over_the_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "library"
    with every_library_gets_one():
        with open_store(folder, source=SOURCE) as store:
            grow(store, make_events(3))
            backup = store.checkpoint(backup=True).backup
        harvester.status(folder)
        with open_store(folder, source=SOURCE) as store:
            grow(store, [Known(70, NOW_US)])
            store.checkpoint()
            grow(store, [Known(71, NOW_US)])

        def early(path: Path) -> object:
            found = load_contents(path)
            monkeypatch.setattr(indexed, "load_contents", load_contents)
            restore_library(folder, backup, clock=FixedClock())
            return found

        monkeypatch.setattr(indexed, "load_contents", early)
        assert set(harvester.Library.open(folder)) == {1, 2, 3}
        with nothing_is_loaded():
            assert harvester.status(folder).facts["nodes"] == 3


def test_a_checkpoint_that_was_written_into_is_named_with_what_to_do(library: Path) -> None:
    with every_library_gets_one():
        harvester.status(library)
        opened = harvester.Library.open(library)
    path = library / CHECKPOINT
    size_bytes = path.stat().st_size
    with path.open("r+b") as file:
        file.write(bytes(size_bytes))
    with pytest.raises(
        LibraryCorrupt, match=rf"^{re.escape(str(path))}: .*nothing was changed: open the library again$"
    ):
        opened[1].tags  # noqa: B018
