"""Backups and retention: verified by loading, never overwritten, the largest good one never removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.checkpoint.format import digest_of, encode_checkpoint
from harvester.clock import DAY_US
from harvester.errors import BackupFailed
from harvester.library.backups import (
    BACKUP_EVERY,
    KEEP_BACKUPS,
    Backup,
    Retention,
    list_backups,
    save_backup,
    to_remove,
    verify_backup,
)
from harvester.model import Linked, SimilarList
from harvester.storage.paths import CHECKPOINT, backup_name, read_backup_name
from tests.support.histories import quick
from tests.support.samples import (
    NOW_US,
    FixedClock,
    content_of,
    grow,
    make_events,
    make_state,
    names_in,
    open_store,
    reload_content,
)

SECOND_US = 1_000_000


@st.composite
def _folders(draw: st.DrawFn) -> list[Backup]:
    sizes = draw(st.lists(st.integers(0, 50), max_size=12))
    return [
        Backup(Path(backup_name(nodes, place * SECOND_US)), nodes, place * SECOND_US, 1)
        for place, nodes in enumerate(sizes)
    ]


rotten = st.sets(st.integers(0, 11))


@quick
@given(_folders(), st.integers(0, 6), rotten)
def test_retention_is_bounded_idempotent_and_keeps_the_newest_and_the_largest(
    backups: list[Backup], keep: int, bad: set[int]
) -> None:
    def is_good(backup: Backup) -> bool:
        return backup.taken_at // SECOND_US not in bad

    removed = to_remove(backups, keep, is_good)
    kept = [backup for backup in backups if backup not in removed]
    good = sorted(filter(is_good, backups), key=lambda backup: -backup.taken_at)
    assert all(is_good(backup) for backup in removed)
    assert [backup for backup in good[: max(keep, 1)] if backup in removed] == []
    assert max((backup.nodes for backup in kept if is_good(backup)), default=0) == max(
        (backup.nodes for backup in good), default=0
    )
    assert len([backup for backup in kept if is_good(backup)]) <= max(keep, 1) + 1
    assert to_remove(kept, keep, is_good) == []


@quick
@given(st.integers(0, 10**7), st.integers(0, 4_000_000_000))
def test_a_backups_name_says_what_it_is(nodes: int, stamp_s: int) -> None:
    assert read_backup_name(backup_name(nodes, stamp_s * SECOND_US)) == (nodes, stamp_s * SECOND_US)


@pytest.mark.parametrize("name", ["freesound_library.pkl", "freesound_library_backup_5nodes_20261399_999999.pkl", "x"])
def test_other_names_are_no_backups(name: str) -> None:
    assert read_backup_name(name) is None


def test_names_are_those_of_old_days() -> None:
    assert backup_name(150, NOW_US) == "freesound_library_backup_150nodes_20260921_141320.pkl"


def test_a_backup_never_overwrites_another(tmp_path: Path) -> None:
    state = make_state(make_events(2))
    for _ in range(3):
        save_backup(tmp_path, encode_checkpoint(state), digest=digest_of(state), nodes=2, now_us=NOW_US)
    assert len(list_backups(tmp_path)) == 3


def test_a_backup_that_does_not_hold_what_was_written_fails_and_is_set_aside(tmp_path: Path) -> None:
    state = make_state(make_events(2))
    with pytest.raises(
        BackupFailed,
        match=r"could not be verified.*moved to quarantine.*the checkpoint and the journal hold everything",
    ):
        save_backup(tmp_path, [b"rot"], digest="x", nodes=2, now_us=NOW_US)
    with pytest.raises(BackupFailed, match="its digest is not that of what was written"):
        save_backup(tmp_path, encode_checkpoint(state), digest="x", nodes=2, now_us=NOW_US)
    assert list_backups(tmp_path) == []
    assert len(list((tmp_path / "quarantine").iterdir())) == 2


def test_old_backups_go_and_the_largest_stays(tmp_path: Path) -> None:
    clock = FixedClock()
    for count in (9, 1, 2, 3, 4):
        state = make_state(make_events(count))
        save_backup(tmp_path, encode_checkpoint(state), digest=digest_of(state), nodes=count, now_us=clock.now_us)
        clock.now_us += SECOND_US
    retention = Retention(tmp_path, keep=2)
    assert sorted(backup.nodes for backup in retention.plan()) == [1, 2]
    retention.prune()
    assert sorted(backup.nodes for backup in list_backups(tmp_path)) == [3, 4, 9]


def test_rotten_backups_are_not_counted_among_those_kept(tmp_path: Path) -> None:
    clock = FixedClock()
    for count in (1, 2, 3):
        state = make_state(make_events(count))
        save_backup(tmp_path, encode_checkpoint(state), digest=digest_of(state), nodes=count, now_us=clock.now_us)
        clock.now_us += SECOND_US
    list_backups(tmp_path)[0].path.write_bytes(b"rot")
    retention = Retention(tmp_path, keep=1)
    assert retention.holds(digest_of(make_state(make_events(2))))
    assert not retention.holds(digest_of(make_state(make_events(3))))
    assert not retention.holds(""), "no digest is not the digest of a rotten one"
    assert [backup.nodes for backup in retention.prune()] == [1]
    assert {backup.nodes for backup in list_backups(tmp_path)} == {2, 3}


def test_a_harvest_keeps_the_newest_five(tmp_path: Path) -> None:
    clock = FixedClock()
    with open_store(tmp_path, clock) as store:
        for step in range(8):
            grow(store, make_events(2, first=1 + 2 * step))
            store.checkpoint(backup=True)
            clock.now_us += SECOND_US
    backups = list_backups(tmp_path)
    assert [backup.nodes for backup in backups] == [16, 14, 12, 10, 8]
    reports = [verify_backup(backup) for backup in backups]
    assert all(report.verified and report.nodes == report.backup.nodes for report in reports)
    assert not [name for name in names_in(tmp_path) if name.endswith(".tmp")]


@pytest.mark.parametrize("keep", [1, 5])
def test_a_clock_that_is_set_back_costs_no_sample_its_backup(tmp_path: Path, keep: int) -> None:
    clock = FixedClock()
    with open_store(tmp_path, clock, keep_backups=keep) as store:
        grow(store, make_events(3))
        store.checkpoint(backup=True)
        clock.now_us -= 365 * 86_400 * SECOND_US
        # As many sounds as before, so that the largest is not the newest: only the list is new.
        grow(store, [Linked(1, SimilarList(((3, 0.5),), clock.now_us + 366 * 86_400 * SECOND_US, 25))])
        whole = content_of(store.state)
        store.checkpoint(backup=True)
    (tmp_path / CHECKPOINT).write_bytes(b"rot")
    assert reload_content(tmp_path) == whole


@pytest.mark.parametrize(
    ("keep", "survivors"),
    [
        (1, [0, 30]),
        (2, [0, 1, 30]),
        (3, [0, 1, 2, 30]),
        (5, [0, 1, 2, 7, 14, 30]),
        (6, [0, 1, 2, 7, 14, 30]),
        (7, [0, 1, 2, 7, 14, 30, 60]),
        (8, [0, 1, 2, 7, 14, 30, 60, 365]),
        (100, [0, 1, 2, 7, 14, 30, 60, 365]),
    ],
)
def test_the_newest_survive_and_the_largest_whatever_its_age(keep: int, survivors: list[int]) -> None:
    # Age in days: sounds. The largest is a month old.
    sizes = {0: 500, 1: 490, 2: 480, 7: 450, 14: 400, 30: 900, 60: 100, 365: 899}
    backups = [
        Backup(Path(backup_name(nodes, NOW_US - age * DAY_US)), nodes, NOW_US - age * DAY_US, 1)
        for age, nodes in sizes.items()
    ]
    removed = to_remove(backups, keep, lambda _: True)
    assert [(NOW_US - one.taken_at) // DAY_US for one in backups if one not in removed] == survivors


@pytest.mark.parametrize(
    ("corrupt", "survivors"),
    [
        (set(), [0, 1, 30]),
        ({0}, [0, 1, 2, 30]),
        ({0, 1}, [0, 1, 2, 7, 30]),
        ({30}, [0, 1, 30]),
        ({0, 1, 2, 7, 30}, [0, 1, 2, 7, 30]),
    ],
)
def test_a_corrupt_backup_neither_counts_nor_goes(corrupt: set[int], survivors: list[int]) -> None:
    sizes = {0: 10, 1: 9, 2: 8, 7: 7, 30: 100}
    if 30 in corrupt:
        sizes = {0: 100, 1: 9, 2: 8, 7: 7, 30: 100}
    backups = [
        Backup(Path(backup_name(nodes, NOW_US - age * DAY_US)), nodes, NOW_US - age * DAY_US, 1)
        for age, nodes in sizes.items()
    ]
    removed = to_remove(backups, 2, lambda one: (NOW_US - one.taken_at) // DAY_US not in corrupt)
    assert [(NOW_US - one.taken_at) // DAY_US for one in backups if one not in removed] == survivors


def test_a_harvest_keeps_five_and_backs_up_every_hundred() -> None:
    assert (KEEP_BACKUPS, BACKUP_EVERY) == (5, 100)
