"""Libraries that version 0.1.0 poisoned for good: what is invalid in them is dropped, all else is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvester.checkpoint.files import load_checkpoint
from harvester.checkpoint.format import decode_checkpoint, encode_checkpoint
from harvester.errors import BackupFailed, LibraryCorrupt
from harvester.gitsync.merge_driver import describe_for_git, merge_in_git
from harvester.journal.reader import load_contents
from harvester.library.check import check_library
from harvester.library.merge import merge_libraries
from harvester.library.reader import load_view
from harvester.library.repair import repair_library
from harvester.model import Event, Known, Seeded
from harvester.storage.paths import CHECKPOINT, JOURNAL
from tests.support.poisoned import GOOD, WHAT_IS_LEFT, make_poisoned, poisoned_checkpoint
from tests.support.samples import (
    SOURCE,
    FixedClock,
    content_of,
    grow,
    make_events,
    make_state,
    names_in,
    open_store,
    reload_content,
)  # fmt: skip

KINDS = pytest.mark.parametrize(
    ("journal", "checkpoint"), [(True, True), (True, False), (False, True)], ids=["both", "journal", "checkpoint"]
)


@KINDS
def test_an_ordinary_opening_drops_what_is_invalid_and_keeps_all_else(
    tmp_path: Path, journal: bool, checkpoint: bool
) -> None:
    make_poisoned(tmp_path, journal=journal, checkpoint=checkpoint)
    with open_store(tmp_path) as store:
        assert content_of(store.state) == WHAT_IS_LEFT
        told = [line for line in store.notices if line.startswith("dropped 2 invalid sound ids")]
        assert len(told) == journal + checkpoint
        assert all("everything else in it is kept" in line for line in told)
        store.checkpoint(backup=True)
    set_aside = names_in(tmp_path / "quarantine")
    assert len(set_aside) == journal + checkpoint
    assert reload_content(tmp_path) == WHAT_IS_LEFT
    assert names_in(tmp_path / "quarantine") == set_aside
    assert check_library(tmp_path, clock=FixedClock()).clean


def test_what_an_opening_drops_is_no_longer_in_the_journal(tmp_path: Path) -> None:
    make_poisoned(tmp_path, checkpoint=False)
    before = load_contents(tmp_path / JOURNAL)
    assert before is not None
    assert before.dropped
    with open_store(tmp_path):
        after = load_contents(tmp_path / JOURNAL)
    assert after is not None
    assert not after.dropped
    assert list(after.events) == list(before.events)


@KINDS
def test_check_names_what_is_invalid_and_repair_drops_it(tmp_path: Path, journal: bool, checkpoint: bool) -> None:
    make_poisoned(tmp_path, journal=journal, checkpoint=checkpoint)
    report = check_library(tmp_path, clock=FixedClock())
    errors = [finding.problem for finding in report.findings if finding.severity == "error"]
    assert len(errors) == journal + checkpoint
    assert all(problem.startswith("it holds 2 invalid sound ids (") for problem in errors)
    repaired = repair_library(tmp_path, clock=FixedClock())
    assert repaired.clean
    assert sum(line.startswith("dropped 2 invalid sound ids") for line in repaired.notices) == journal + checkpoint
    assert check_library(tmp_path, clock=FixedClock()).clean
    assert reload_content(tmp_path) == WHAT_IS_LEFT


@KINDS
def test_readers_see_all_that_is_possible_and_change_nothing(tmp_path: Path, journal: bool, checkpoint: bool) -> None:
    make_poisoned(tmp_path, journal=journal, checkpoint=checkpoint)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ".pkl"}
    view = load_view(tmp_path)
    assert content_of(view.state) == WHAT_IS_LEFT
    assert sum("`harvester check --repair`" in line for line in view.notices) == journal + checkpoint
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ".pkl"} == before


@pytest.mark.parametrize("poison", [Seeded((0,)), Known(0, 1)], ids=["a seed", "a sound"])
def test_one_invalid_id_is_dropped_with_nothing_else(tmp_path: Path, poison: Event) -> None:
    (tmp_path / CHECKPOINT).write_bytes(poisoned_checkpoint([*GOOD, poison]))
    view = load_view(tmp_path)
    assert content_of(view.state) == content_of(make_state(GOOD))
    assert sum("1 invalid sound id (0)" in line for line in view.notices) == 1


def test_a_poisoned_backup_stands_in_where_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / "freesound_library_backup_13nodes_20261122_152912.pkl").write_bytes(poisoned_checkpoint())
    (tmp_path / CHECKPOINT).write_bytes(b"rot")
    assert content_of(load_view(tmp_path).state) == WHAT_IS_LEFT
    assert repair_library(tmp_path, clock=FixedClock()).clean
    assert check_library(tmp_path, clock=FixedClock()).clean
    assert reload_content(tmp_path) == WHAT_IS_LEFT


def test_merging_a_poisoned_library_brings_all_that_is_possible(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    with open_store(ours, source=SOURCE) as store:
        grow(store, make_events(3, first=100))
        store.checkpoint(backup=True)
    make_poisoned(theirs)
    report = merge_libraries([theirs, theirs / CHECKPOINT], ours, clock=FixedClock())
    assert sum("invalid sound ids" in line for line in report.notices) == 2
    assert report.nodes == 12 + 3
    assert check_library(ours, clock=FixedClock()).clean
    target = tmp_path / "out.pkl"
    merge_libraries([theirs], target, clock=FixedClock())
    assert content_of(load_checkpoint(target).state) == WHAT_IS_LEFT


@pytest.mark.parametrize("poisoned", ["ours", "theirs"])
def test_git_joins_a_poisoned_side_without_a_conflict(tmp_path: Path, poisoned: str) -> None:
    other = make_state(make_events(3, first=100))
    for side in ("ours", "theirs"):
        content = poisoned_checkpoint() if side == poisoned else b"".join(encode_checkpoint(other))
        (tmp_path / side).write_bytes(content)
    assert any(line.startswith("left out 2 invalid") for line in describe_for_git(tmp_path / poisoned))
    notices: list[str] = []
    merge_in_git(tmp_path / "ours", tmp_path / "theirs", CHECKPOINT, notices)
    assert len(notices) == 1
    assert notices[0].startswith(f"{'our' if poisoned == 'ours' else 'their'} side held 2 invalid sound ids")
    joined = make_state([*GOOD])
    joined.join(other)
    assert decode_checkpoint((tmp_path / "ours").read_bytes()).state.graph.nodes.keys() == joined.graph.nodes.keys()


def test_a_pull_under_a_running_harvest_leaves_the_invalid_out(tmp_path: Path) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3, first=100))
        store.checkpoint(backup=True)
        (tmp_path / CHECKPOINT).unlink()
        (tmp_path / CHECKPOINT).write_bytes(poisoned_checkpoint())
        assert store.checkpoint(backup=True).joined == 12
        assert any("2 invalid sound ids" in line for line in store.notices)
    assert check_library(tmp_path, clock=FixedClock()).clean


def test_without_being_asked_to_the_reader_still_refuses(tmp_path: Path) -> None:
    with pytest.raises(LibraryCorrupt, match="check --repair"):
        decode_checkpoint(poisoned_checkpoint())
    with pytest.raises(LibraryCorrupt, match="check --repair"):
        decode_checkpoint(poisoned_checkpoint([*GOOD, Seeded((0,))]))


def test_a_state_that_cannot_be_read_back_replaces_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, GOOD)
        store.checkpoint(backup=True)
        before = {path.name: path.read_bytes() for path in tmp_path.glob("*.pkl")}
        store.state.apply(Seeded((0,)))  # as a merge or an import would, past the journal
        with pytest.raises(BackupFailed, match="could not be read back"):
            store.rewrite()
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.pkl")} == before
    assert "quarantine" not in names_in(tmp_path)
    assert reload_content(tmp_path) == content_of(make_state(GOOD))
