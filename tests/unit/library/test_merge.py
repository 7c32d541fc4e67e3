"""Merge as files: what is joined, what is told, what is refused."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from harvester.checkpoint.files import load_checkpoint
from harvester.checkpoint.format import encode_checkpoint
from harvester.errors import LibraryCorrupt, SettingsError, WrongSource
from harvester.graph import SoundGraph
from harvester.library.merge import merge_bytes, merge_libraries
from harvester.model import Event, Gone, Linked, Seen, SimilarList, Withdrawn
from harvester.storage.paths import CHECKPOINT
from tests.support.samples import (
    NOW_US,
    FixedClock,
    content_of,
    grow,
    make_events,
    make_record,
    make_state,
    names_in,
    open_store,
    reload_content,
)


def make_library(folder: Path, events: list[Event], *, saved: bool = True) -> Path:
    with open_store(folder) as store:
        store.set_source("https://freesound.org/apiv2/")
        grow(store, events)
        if saved:
            store.checkpoint(backup=True)
    return folder


def pack(state: SoundGraph) -> bytes:
    return b"".join(encode_checkpoint(state))


def merge(*inputs: Path, into: Path) -> object:
    return merge_libraries(inputs, into, clock=FixedClock())


def test_libraries_with_unsaved_events_checkpoints_and_backups_are_joined_in_any_order(tmp_path: Path) -> None:
    one = make_library(tmp_path / "one", make_events(3), saved=False)
    two = make_library(tmp_path / "two", make_events(4, first=3)) / CHECKPOINT
    three = next(make_library(tmp_path / "three", make_events(2, first=9)).glob("*_backup_*"))
    expected = content_of(make_state(make_events(3) + make_events(4, first=3) + make_events(2, first=9)))
    bytes_written = set()
    for place, order in enumerate(itertools.permutations([one, two, three])):
        target = tmp_path / f"out{place}.pkl"
        merge_libraries(order, target, clock=FixedClock())
        assert content_of(load_checkpoint(target).state) == expected
        bytes_written.add(target.read_bytes())
    assert len(bytes_written) == 1


def test_a_merge_into_a_library_ends_with_checkpoint_and_verified_backup_and_twice_changes_nothing(
    tmp_path: Path,
) -> None:
    ours = make_library(tmp_path / "ours", make_events(3), saved=False)
    theirs = make_library(tmp_path / "theirs", make_events(3, first=3))
    first = merge_libraries([theirs], ours, clock=FixedClock())
    assert first.backup is not None
    assert load_checkpoint(first.backup).digest == load_checkpoint(ours / CHECKPOINT).digest
    saved = (ours / CHECKPOINT).read_bytes()
    [brought] = merge_libraries([theirs], ours, clock=FixedClock()).contributions
    assert (brought.new_nodes, brought.new_edges, brought.newer_records, brought.newer_lists) == (0, 0, 0, 0)
    assert (ours / CHECKPOINT).read_bytes() == saved
    assert reload_content(ours) == content_of(make_state(make_events(3) + make_events(3, first=3)))


def test_what_each_input_brought_is_counted(tmp_path: Path) -> None:
    ours = make_library(tmp_path / "ours", make_events(3))
    newer: list[Event] = [
        Seen(1, make_record(1, name="renamed"), NOW_US),
        Linked(2, SimilarList(((9, 0.9),), NOW_US, 25)),
        Gone(3, NOW_US),
        *make_events(2, first=20),
        Withdrawn(21, NOW_US),
    ]
    theirs = make_library(tmp_path / "theirs", newer)
    [brought] = merge_libraries([theirs], ours, clock=FixedClock()).contributions
    assert (brought.new_nodes, brought.new_records, brought.new_lists) == (3, 2, 2)
    assert (brought.newer_records, brought.newer_lists, brought.conflicts) == (1, 1, 2)
    assert (brought.gone, brought.withdrawn) == (2, 1)
    assert load_checkpoint(ours / CHECKPOINT).state.attributes(1)["name"] == "renamed"


def test_another_source_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    ours = make_library(tmp_path / "ours", make_events(3))
    other = make_state(make_events(2, first=9))
    other.source = "sandbox:1234"
    foreign = tmp_path / "foreign.pkl"
    foreign.write_bytes(pack(other))
    before = {path: path.read_bytes() for path in ours.iterdir()}
    for inputs, into in (([foreign], ours), ([ours, foreign], tmp_path / "new")):
        with pytest.raises(WrongSource, match="sandbox:1234"):
            merge_libraries(inputs, into, clock=FixedClock())
    assert {path: path.read_bytes() for path in ours.iterdir()} == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_an_input_without_a_library_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SettingsError, match=name):
        merge(tmp_path / name, into=tmp_path / "out")
    assert names_in(tmp_path) == {"empty"}


def test_joined_bytes_are_the_same_from_either_side_and_a_side_that_has_all_stays_as_it_is() -> None:
    ours, theirs = pack(make_state(make_events(3))), pack(make_state(make_events(4)))
    apart = pack(make_state(make_events(2, first=9)))
    assert merge_bytes(ours, apart)[0] == merge_bytes(apart, ours)[0]
    larger = merge_bytes(ours, theirs)[0]
    assert merge_bytes(larger, ours)[0] == larger
    # The same content from another build of zlib.
    import zlib

    repacked = zlib.compress(zlib.decompress(larger), 9)
    assert repacked != larger
    assert merge_bytes(repacked, ours)[0] == repacked
    assert merge_bytes(ours, repacked)[0] == repacked
    assert merge_bytes(repacked, larger)[0] == merge_bytes(larger, repacked)[0]


def test_a_side_that_cannot_be_read_is_named() -> None:
    good = pack(make_state(make_events(3)))
    with pytest.raises(LibraryCorrupt, match="their side"):
        merge_bytes(good, good[:-3])
    with pytest.raises(LibraryCorrupt, match="our side"):
        merge_bytes(b"", good)
