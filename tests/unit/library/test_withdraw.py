"""Takedown: what was withdrawn is in no file that the library still writes, and nothing brings it back."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from harvester.errors import LibraryNotFound, SettingsError
from harvester.graph import is_withdrawn
from harvester.library.merge import merge_libraries
from harvester.library.reader import load_view
from harvester.library.withdraw import forget_sounds
from harvester.model import Known, Seen
from harvester.storage.paths import CHECKPOINT
from tests.support.samples import NOW_US, SOURCE, FixedClock, grow, make_events, make_record, names_in, open_store

SECRET = "a name that must go"


def library_with_it(folder: Path, *, saved: bool = True) -> Path:
    with open_store(folder) as store:
        store.set_source(SOURCE)
        grow(store, [*make_events(3), Seen(2, make_record(2, name=SECRET, username="Max"), NOW_US - 5)])
        if saved:
            store.checkpoint(backup=True)
    return folder


def unpacked(path: Path) -> bytes:
    raw = path.read_bytes()
    return zlib.decompress(raw) if path.suffix == ".pkl" else raw


@pytest.mark.parametrize("saved", [True, False])
def test_the_texts_are_in_no_file_but_the_older_copies_that_are_named(tmp_path: Path, saved: bool) -> None:
    folder = library_with_it(tmp_path / "library", saved=saved)
    with open_store(folder) as store:
        grow(store, [Seen(2, make_record(2, description=SECRET), NOW_US - 4)])
    report = forget_sounds(folder, [2], clock=FixedClock())
    assert (report.forgotten, report.before, report.unknown) == ((2,), (), ())
    assert len(report.still_in) == (1 if saved else 0)
    left = [path for path in folder.rglob("*") if path.is_file() and path not in report.still_in]
    assert len(left) >= 3
    assert [path for path in left if SECRET.encode() in unpacked(path)] == []
    state = load_view(folder).state
    assert state.attributes(2)["name"] is None
    assert state.similar(2) is not None


def test_a_journal_leaves_no_bytes_of_what_it_held(tmp_path: Path) -> None:
    folder = library_with_it(tmp_path / "library", saved=False)
    size = (folder / "freesound_library.journal").stat().st_size
    with open_store(folder) as store:
        grow(store, [Seen(i, make_record(i, name=SECRET * 9), NOW_US - i) for i in range(1, 200)])
    forget_sounds(folder, range(1, 200), clock=FixedClock())
    assert "freesound_library.journal-wal" not in names_in(folder)
    assert (folder / "freesound_library.journal").stat().st_size <= size


def test_a_user_is_found_whatever_the_case_and_an_unknown_one_is_told(tmp_path: Path) -> None:
    folder = library_with_it(tmp_path / "library")
    before = (folder / CHECKPOINT).read_bytes()
    with pytest.raises(SettingsError, match="nobody"):
        forget_sounds(folder, username="nobody", clock=FixedClock())
    assert (folder / CHECKPOINT).read_bytes() == before
    assert forget_sounds(folder, username="mAX", clock=FixedClock()).forgotten == (2,)
    assert forget_sounds(folder, [2, 1], clock=FixedClock()).before == (2,)


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_user_withdraws_no_sound_without_a_user(tmp_path: Path, empty: str) -> None:
    folder = library_with_it(tmp_path / "library")
    with open_store(folder) as store:
        grow(store, [Known(50, NOW_US), Seen(51, make_record(51, username=""), NOW_US)])
    with pytest.raises(SettingsError, match="the name of the user is empty; nothing was changed"):
        forget_sounds(folder, username=empty, clock=FixedClock())
    assert not any(is_withdrawn(known) for _, known in load_view(folder).state.graph.nodes.items())


def test_neither_an_older_copy_nor_a_newer_answer_brings_it_back(tmp_path: Path) -> None:
    folder = library_with_it(tmp_path / "library")
    [older] = folder.glob("*_backup_*")
    copy = tmp_path / "copy.pkl"
    copy.write_bytes(older.read_bytes())
    forget_sounds(folder, [2, 77], clock=FixedClock())
    merge_libraries([copy], folder, clock=FixedClock())
    with open_store(folder) as store:
        grow(store, [Seen(i, make_record(i, name=SECRET), NOW_US + 9) for i in (2, 77)])
    state = load_view(folder).state
    assert state.attributes(2)["name"] is state.attributes(77)["name"] is None
    assert not state.is_pending(77)


def test_without_a_library_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound, match="no library"):
        forget_sounds(tmp_path / "nowhere", [1], clock=FixedClock())
    assert names_in(tmp_path) == set()
