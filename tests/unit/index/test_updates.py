"""An index that is brought up to a new checkpoint is the one that would be built of it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harvester
from harvester.checkpoint import changes, encode_checkpoint, load_checkpoint, load_digest, writer
from harvester.errors import LibraryCorrupt
from harvester.graph import LibraryTally, SoundGraph
from harvester.index import Binding, IndexUnusable, build, build_index, open_index, update_index
from harvester.index.place import place_of
from harvester.library import renew_index
from harvester.model import Event, Gone, Known, Linked, Seen, SimilarList, Withdrawn
from harvester.storage import CHECKPOINT
from tests.support.command import call
from tests.support.dying import die_at_call
from tests.support.histories import events, quick, touched_by
from tests.support.indexed import answers, every_library_gets_one, nothing_is_loaded, plain_answers
from tests.support.samples import NOW_US, SOURCE, grow, make_events, make_record, make_state, open_store

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
space = st.shared(st.sampled_from(["laion_clap", "freesound_classic"]))
before = space.flatmap(lambda one: st.lists(events(one), max_size=16))
after = space.flatmap(lambda one: st.lists(events(one), min_size=1, max_size=5))


@contextmanager
def small_blocks(most_new: float = 1.0) -> Iterator[None]:
    """Let the blocks of a checkpoint hold two sounds on average."""
    with mock.patch.object(writer, "BLOCK_SOUNDS", 2), mock.patch.object(build, "_MOST_NEW", most_new):
        yield


def put(folder: Path, state: SoundGraph) -> str:
    """Write a library without a journal; return its digest."""
    folder.mkdir(exist_ok=True)
    (folder / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(state)))
    return load_digest(folder / CHECKPOINT)


def update(indexes: Path, library: Path, digest: str) -> Path:
    made = update_index(indexes, library, "").index
    with closing(open_index(indexes, library)) as index:
        assert index.binding == Binding(digest, "")
    return made


def tables_of(index: Path) -> dict[str, list[Any]]:
    """Return all rows of an index; those of compressed values as they are read."""
    with closing(sqlite3.connect(index)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: sorted(database.execute(f"SELECT * FROM {name}").fetchall(), key=repr) for name in names}


def read(indexes: Path, library: Path) -> tuple[dict[str, list[Any]], LibraryTally]:
    """Return the tables of a library's proven index but for its counts, and these."""
    tables = tables_of(place_of(indexes, library).index)
    tables["meta"] = [row for row in tables["meta"] if row[0] != "tally"]
    with closing(open_index(indexes, library)) as index:
        return tables, index.tally()


@settings(quick, max_examples=50)
@given(history=before, more=after)
def test_an_updated_index_has_the_rows_of_a_built_one(history: list[Event], more: list[Event]) -> None:
    with TemporaryDirectory(dir=MEMORY) as name, small_blocks():
        library, updated, built = Path(name, "library"), Path(name, "updated"), Path(name, "built")
        state = make_state(history)
        build_index(updated, library, Binding(put(library, state), ""))
        digest = put(library, state)
        for event in more:
            state.apply(event)
        changed = put(library, state)
        if changed == digest:
            return
        update(updated, library, changed)
        build_index(built, library, Binding(changed, ""))
        assert read(updated, library) == read(built, library)
        assert read(updated, library)[1] == LibraryTally.of(state)


@settings(quick, max_examples=40)
@given(history=before, more=after)
def test_the_counts_of_a_changed_library_need_only_the_sounds_that_changed(
    history: list[Event], more: list[Event]
) -> None:
    with TemporaryDirectory(dir=MEMORY) as name:
        library, indexes = Path(name, "library"), Path(name, "index")
        state, changed = make_state(history), make_state([*history, *more])
        build_index(indexes, library, Binding(put(library, state), ""))
        touched = set().union(*map(touched_by, more))
        with closing(open_index(indexes, library)) as index:
            found = index.tally_without(LibraryTally.around(state, touched), touched)
            found.add(LibraryTally.around(changed, touched))
        assert found == LibraryTally.of(changed)


LATER = NOW_US + 1_000_000
read_new = changes._BlockWalk._read_new


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library of 60 sounds in small blocks, with an index of it."""
    with small_blocks():
        state = make_state([*make_events(60), Gone(7, NOW_US)])
        build_index(tmp_path / "index", tmp_path / "library", Binding(put(tmp_path / "library", state), ""))
    return tmp_path / "library"


def grown(*more: Event) -> SoundGraph:
    return make_state([*make_events(60), Gone(7, NOW_US), *more])


@pytest.mark.parametrize(
    "more",
    [
        [Seen(61, make_record(61), LATER)],
        [Known(61, 1)],
        [Known(200, LATER)],
        [Seen(5, make_record(5, name="another", tags=["new"]), LATER)],
        [Linked(5, SimilarList(((9, 0.5),), LATER, 25, "laion_clap"))],
        [Linked(5, SimilarList((), LATER, 25, "laion_clap"))],
        [Gone(5, LATER), Withdrawn(6, LATER)],
        [Seen(7, make_record(7), LATER)],
    ],
    ids=["new", "moves", "known", "record", "list", "empty", "gone", "back"],
)
def test_an_update_reads_only_blocks_that_changed(library: Path, tmp_path: Path, more: list[Event]) -> None:
    with small_blocks(), mock.patch.object(changes._BlockWalk, "_read_new", autospec=True) as reads:
        reads.side_effect = read_new
        digest = put(library, grown(*more))
        update(tmp_path / "index", library, digest)
        with closing(sqlite3.connect(place_of(tmp_path / "index", library).index)) as database:
            blocks = database.execute(
                "SELECT (SELECT count(*) FROM record_blocks) + (SELECT count(*) FROM list_blocks)"
            )
            most = blocks.fetchone()[0]
        assert more[0] == Known(61, 1) or reads.call_count <= 4 < most
        build_index(tmp_path / "built", library, Binding(digest, ""))
        assert read(tmp_path / "index", library) == read(tmp_path / "built", library)


def test_a_list_that_is_gone_and_a_word_that_no_sound_has_now_are_gone_from_the_index(
    library: Path, tmp_path: Path
) -> None:
    linked = Linked(50, SimilarList(((9, 0.5),), LATER, 25, "laion_clap"))
    named = Seen(5, make_record(5, name="unheard"), LATER)
    with small_blocks():
        put(library, make_state([*make_events(60), Known(70, NOW_US), named]))
        update(tmp_path / "index", library, load_digest(library / CHECKPOINT))
        with closing(open_index(tmp_path / "index", library)) as index:
            assert "unheard" in index.tokens_near("unheard")
        unlinked = [one for one in make_events(60) if not (isinstance(one, Linked) and one.sound_id == 50)]
        for state in (make_state([*unlinked, Known(70, NOW_US), linked]), make_state([*unlinked, Known(70, NOW_US)])):
            digest = put(library, state)
            update(tmp_path / "index", library, digest)
        build_index(tmp_path / "built", library, Binding(digest, ""))
        assert read(tmp_path / "index", library) == read(tmp_path / "built", library)


def test_the_oldest_record_and_the_last_news_are_found_without_the_sounds_that_had_them(
    library: Path, tmp_path: Path
) -> None:
    state = load_checkpoint(library / CHECKPOINT).state
    oldest = LibraryTally.of(state).extremes.oldest
    assert oldest is not None
    changed = grown(Gone(oldest[1], LATER))
    with closing(open_index(tmp_path / "index", library)) as index:
        tally = index.tally_without(LibraryTally.around(state, [oldest[1]]), [oldest[1]])
        tally.add(LibraryTally.around(changed, [oldest[1]]))
        assert tally == LibraryTally.of(changed)


def test_an_index_is_brought_up_to_a_checkpoint_that_the_journal_does_not_know(library: Path, tmp_path: Path) -> None:
    folder, indexes = tmp_path / "other", Path(os.environ["HARVESTER_STATE"], "index")
    with every_library_gets_one(), small_blocks():
        with open_store(folder, source=SOURCE) as store:
            grow(store, make_events(60))
            store.checkpoint()
        harvester.status(folder)
        put(folder, grown(Known(200, LATER)))
        expected = plain_answers(folder)
        assert "was brought up" in renew_index(folder, indexes)
        with nothing_is_loaded():
            assert answers(folder) == expected


def test_where_much_is_new_nothing_is_updated(library: Path, tmp_path: Path) -> None:
    with small_blocks(most_new=0.4):
        digest = put(library, grown(Known(61, 1)))
        with pytest.raises(IndexUnusable):
            update(tmp_path / "index", library, digest)


def test_a_library_that_lost_a_sound_is_not_updated(library: Path, tmp_path: Path) -> None:
    with small_blocks():
        digest = put(library, make_state(make_events(59)))
        with pytest.raises(IndexUnusable):
            update(tmp_path / "index", library, digest)


def test_an_index_of_this_checkpoint_is_not_updated(library: Path, tmp_path: Path) -> None:
    with small_blocks(), pytest.raises(IndexUnusable):
        update(tmp_path / "index", library, load_digest(library / CHECKPOINT))


def test_a_checkpoint_that_is_not_all_of_the_library_is_not_indexed(library: Path, tmp_path: Path) -> None:
    with small_blocks():
        put(library, grown(Known(200, LATER)))
        with pytest.raises(LibraryCorrupt):
            build_index(tmp_path / "index", library, Binding("another digest", ""))


def test_a_harmed_index_is_not_updated(library: Path, tmp_path: Path) -> None:
    with small_blocks():
        index = place_of(tmp_path / "index", library).index
        digest = put(library, grown(Known(200, LATER)))
        with closing(sqlite3.connect(index)) as database, database:
            database.execute("UPDATE sounds SET name = x'466f72676564'")
        with pytest.raises(IndexUnusable):
            update(tmp_path / "index", library, digest)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE record_blocks SET facts = x'00'",
        "UPDATE record_blocks SET facts = x'789c030000000001'",
        "UPDATE list_blocks SET tally = x'00'",
        "UPDATE meta SET body = x'7b7d'",
        "DROP TABLE tokens",
        "DELETE FROM sounds",
    ],
)
def test_an_index_that_is_not_ours_is_not_updated_under_any_seal(tmp_path: Path, statement: str) -> None:
    folder, indexes = tmp_path / "library", Path(os.environ["HARVESTER_STATE"], "index")
    with every_library_gets_one(), small_blocks():
        with open_store(folder, source=SOURCE) as store:
            grow(store, make_events(60))
            store.checkpoint()
        harvester.status(folder)
        with open_store(folder, source=SOURCE) as store:
            grow(store, [Gone(3, LATER), Linked(5, SimilarList((), LATER, 25, "laion_clap"))])
            store.checkpoint()
        place = place_of(indexes, folder)
        with closing(sqlite3.connect(place.index)) as database, database:
            database.execute(statement)
        seal = json.loads(place.seal.read_bytes())
        digest = hashlib.sha256(place.index.read_bytes()).hexdigest()
        place.seal.write_bytes(json.dumps(seal | {"index": digest}).encode())
        expected = plain_answers(folder, ids=(3, 5), queries=("rain",))
        assert renew_index(folder, indexes) == ""
        assert answers(folder, ids=(3, 5), queries=("rain",)) == expected


def test_a_checkpoint_with_a_flipped_bit_is_indexed_only_if_a_load_finds_the_same_in_it(
    library: Path, tmp_path: Path
) -> None:
    draws, indexes, refused = random.Random(5), tmp_path / "index", 0
    with small_blocks():
        earlier = {path: path.read_bytes() for path in indexes.iterdir()}
        digest = put(library, grown(Seen(61, make_record(61), LATER)))
        content = (library / CHECKPOINT).read_bytes()
        for at in (0, 1, *draws.sample(range(len(content)), 60), len(content) - 1):
            harmed = content[:at] + bytes([content[at] ^ 1 << draws.randrange(8)]) + content[at + 1 :]
            (library / CHECKPOINT).write_bytes(harmed)
            try:
                update(indexes, library, digest)
            except LibraryCorrupt:
                refused += 1
            else:
                assert load_checkpoint(library / CHECKPOINT).digest == digest, at  # the bit pads a flush
            for path, known in earlier.items():
                path.write_bytes(known)
        assert refused > 55


def test_the_first_command_after_a_checkpoint_updates_the_index_and_loads_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    with every_library_gets_one(), small_blocks(most_new=0.4):
        with open_store(folder, source=SOURCE) as store:
            grow(store, make_events(60))
            store.checkpoint()
        harvester.status(folder)
        with open_store(folder, source=SOURCE) as store:
            grow(store, [Seen(61, make_record(61, name="zebra"), LATER), Gone(3, LATER)])
            assert renew_index(folder, Path(os.environ["HARVESTER_STATE"], "index")) == ""  # the journal has more
            store.checkpoint()
        expected = plain_answers(folder, ids=(1, 3, 61), queries=("zebra", "rain"))
        with nothing_is_loaded():
            first = call("-v", "find", "zebra", "--library", folder, cwd=folder)
            assert answers(folder, ids=(1, 3, 61), queries=("zebra", "rain")) == expected
    assert first.err.splitlines()[-1].startswith(f"the index of {folder} in ")


def test_an_update_killed_at_any_moment_leaves_no_index_that_errs(library: Path, tmp_path: Path) -> None:
    draws, indexes = random.Random(3), tmp_path / "index"
    with small_blocks():
        digest = put(library, state := grown(Gone(9, LATER)))
        calls = 1_000
        while killed_update(indexes, library, digest, calls):
            calls *= 2
        for number in range(8):
            earlier = state
            digest = put(library, state := grown(*[Gone(10 + one, LATER) for one in range(number + 1)]))
            assert killed_update(indexes, library, digest, draws.randrange(calls // 4))
            try:
                with closing(open_index(indexes, library)) as index:
                    assert index.tally() == LibraryTally.of(state)
            except IndexUnusable:
                put(library, earlier)
                with suppress(IndexUnusable), closing(open_index(indexes, library)) as index:
                    assert index.tally() == LibraryTally.of(earlier)
                digest = put(library, state)
                build_index(indexes, library, Binding(digest, ""))


def killed_update(indexes: Path, library: Path, digest: str, last_call: int) -> bool:
    """Update an index in a process that is killed; tell whether it was."""
    child = os.fork()
    if not child:
        try:
            die_at_call(last_call)
            update(indexes, library, digest)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
