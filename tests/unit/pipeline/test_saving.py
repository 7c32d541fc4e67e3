"""The writer's second half: checkpoints and backups of a running harvest, pulls under it, failures at either time."""

from __future__ import annotations

import pytest

from harvester.clock import Stop
from harvester.errors import BackupFailed, DiskFull, HarvesterError, LibraryUnwritable
from harvester.model import Event, Known, Linked, Seen, SimilarList
from harvester.pipeline.plan import Plan
from tests.support.world import MemoryStore, Step, World, make_record
from tests.unit.pipeline.test_harvest import CLOCK, harvest
from tests.unit.pipeline.test_judging import CLOCK_US, library

PULLED: tuple[Event, ...] = (
    Seen(21, make_record(21), CLOCK_US),
    Known(22, CLOCK_US),
    Linked(23, SimilarList(((24, 0.9),), CLOCK_US, 25)),
    Seen(23, make_record(23), CLOCK_US),
)
CONTINUES = "(the harvest continues)"
MERGED = "another program replaced the checkpoint: it was merged, 4 sounds are new"


def lists_asked(world: World) -> set[int]:
    return {sound_id for kind, sound_id in world.asked if kind == "similar"}


@pytest.mark.parametrize(("checkpoint_every", "backup_every"), [(2, None), (None, 0)], ids=["checkpoint", "backup"])
def test_a_pull_under_a_running_harvest_is_joined_told_and_walked(
    checkpoint_every: int | None, backup_every: int | None
) -> None:
    state, world, told = library(range(1, 6)).state, World(CLOCK, size=24, reach=0), list[str]()
    store = MemoryStore(state, checkpoint_every=checkpoint_every, backup_every=backup_every, script=[Step(PULLED)])
    reason, ring = harvest(Plan(target=None, seed_ids=(1,), concurrency=1), world, store, told=told.append)
    assert reason == "exhausted"
    assert told.count(MERGED) == 1
    assert "checkpoint and backup" in told[told.index(MERGED) + 1]
    # The pulled sounds that lack a list get one, after a record where that lacks too; 23 has its list.
    assert lists_asked(world) == {1, 2, 3, 4, 5, 21, 22, 24}
    assert store.state.processed == lists_asked(world) | {23}
    assert ring.progress.samples == 8


def test_a_pull_at_the_very_end_is_joined_and_left_to_the_next_run() -> None:
    world, told = World(CLOCK, size=24, reach=0), list[str]()
    store = MemoryStore(library(range(1, 6)).state, script=[Step(PULLED)])
    harvest(Plan(target=None, seed_ids=(1,)), world, store, told=told.append)
    assert told[-2] == MERGED
    assert lists_asked(world) == {1, 2, 3, 4, 5}
    assert {21, 22, 23, 24} <= set(store.state.graph)
    harvest(Plan(target=None, seed_ids=(1,)), world, store)
    assert store.state.processed == {1, 2, 3, 4, 5, 21, 22, 23, 24}


def test_a_pull_is_walked_even_if_the_backup_after_it_fails() -> None:
    world, told = World(CLOCK, size=24, reach=0), list[str]()
    script = [Step(PULLED, error=BackupFailed("backup: no space"))]
    store = MemoryStore(library(range(1, 6)).state, checkpoint_every=2, script=script)
    harvest(Plan(target=None, seed_ids=(1,), concurrency=1), world, store, told=told.append)
    assert told.index(f"backup: no space {CONTINUES}") < told.index(MERGED)
    assert lists_asked(world) == {1, 2, 3, 4, 5, 21, 22, 24}


@pytest.mark.parametrize(
    ("error", "exit_code"), [(BackupFailed("the backup did not verify"), 26), (DiskFull("no space left"), 25)]
)
@pytest.mark.parametrize("forever", [False, True])
def test_a_failure_at_the_end_is_the_end_of_the_run(error: HarvesterError, exit_code: int, forever: bool) -> None:
    async def stop_later(stop: Stop) -> None:
        await CLOCK.sleep(60)
        stop.close("asked to stop")

    store, told = MemoryStore(backup_every=100, script=[Step(error=error)]), list[str]()
    with pytest.raises(type(error)) as raised:
        harvest(Plan(target=None, forever=forever), World(CLOCK, size=20), store, stop_later, told.append)
    assert raised.value is error
    assert raised.value.exit_code == exit_code
    assert len(store.state.processed) == 20
    assert store.log.count("checkpoint") == 1
    assert not [line for line in told if "continues" in line or line.startswith("checkpoint")]


@pytest.mark.parametrize(
    ("error", "forever"),
    [(BackupFailed("it failed"), False), (BackupFailed("it failed"), True), (DiskFull("it failed"), True)],
)
def test_a_failure_in_the_middle_is_told_and_the_run_goes_on(error: HarvesterError, forever: bool) -> None:
    script, told = [Step(notices=("old backups stay",), error=error)], list[str]()
    store = MemoryStore(checkpoint_every=3, script=script)
    reason, ring = harvest(
        Plan(target=20, forever=forever, concurrency=1), World(CLOCK, size=40), store, told=told.append
    )
    assert reason == "target reached"
    assert told[:2] == [f"it failed {CONTINUES}", "old backups stay"]
    assert told.count("old backups stay") == 1
    assert ring.progress.checkpoints == store.log.count("checkpoint") - 1 == len(told) - 2


@pytest.mark.parametrize("error", [DiskFull("it failed"), LibraryUnwritable("it failed")])
def test_a_failure_in_the_middle_that_no_waiting_mends_ends_the_run_with_one_last_try(error: HarvesterError) -> None:
    store = MemoryStore(checkpoint_every=3, script=[Step(error=error)])
    with pytest.raises(type(error)) as raised:
        harvest(Plan(target=None), World(CLOCK, size=40), store)
    assert raised.value is error
    assert store.log[-2:] == ["checkpoint", "checkpoint"]
    assert store.log.count("checkpoint") == 2


def test_only_what_was_written_is_told_and_counted() -> None:
    script, told = [Step(unchanged=True), Step()], list[str]()
    store = MemoryStore(checkpoint_every=5, script=script)
    _, ring = harvest(Plan(target=9, concurrency=1), World(CLOCK, size=40), store, told=told.append)
    written = [line for line in store.log if not line.startswith("append")]
    assert len(written) == 3
    assert len(told) == 2
    assert all(line.startswith("checkpoint: ") for line in told)
    assert ring.progress.checkpoints == 2
