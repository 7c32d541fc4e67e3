"""The writer's second half, by value: seeds, checkpoints, merges under a run, full disks, and what it counts."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

import pytest

from harvester.clock import Stop
from harvester.errors import AnswerChanged, BackupFailed, DiskFull, LibraryUnwritable, SettingsError
from harvester.model import (
    Deferral,
    Event,
    Gone,
    Known,
    Linked,
    Note,
    Record,
    RecordsPage,
    Seeded,
    Seen,
    SimilarList,
    SimilarPage,
    Vector,
)
from harvester.pipeline.changes import Changes
from harvester.pipeline.frontier import Frontier
from harvester.pipeline.messages import (
    ConfirmClaim,
    Confirmed,
    DetailsClaim,
    DetailsFetched,
    Entry,
    Failed,
    Outcome,
    SeedClaim,
    SeedsFetched,
    SimilarClaim,
    SimilarFetched,
    SweepClaim,
    Swept,
)
from harvester.pipeline.order import Ranking
from harvester.pipeline.plan import Plan
from harvester.pipeline.progress import Progress
from harvester.pipeline.scope import PLACE, scope_of
from harvester.pipeline.stale import Refresh
from harvester.pipeline.sweep import Sweep
from harvester.pipeline.writer import Writer
from harvester.told import Level, Told
from tests.support.listening import lines_to
from tests.support.virtual_time import START_US, VirtualClock, run_virtual
from tests.support.world import MemoryCheckpoint, MemoryStore, make_record

CONTINUES = " (the harvest continues)"
LATER_US = START_US + 1


class ScriptedStore(MemoryStore):
    """A store whose checkpoints and failures are written down in advance; `calls` says what it was asked."""

    def __init__(self, *events: Event) -> None:
        super().__init__()
        for event in events:
            self.state.apply(event)
        self.calls: list[object] = []
        self.due: Iterator[tuple[bool, bool]] = iter(())  # (a checkpoint, a backup) after each round
        self.now_due = (False, False)
        self.due_at_the_end = False
        self.result: MemoryCheckpoint | Exception = MemoryCheckpoint(3, 12_345)
        self.said: list[str] = []
        self.pulled: list[Event] = []  # what another program's checkpoint brings
        self.failures: list[Exception] = []

    def append(
        self,
        events: Sequence[Event],
        deferrals: Sequence[Deferral] = (),
        undeferred: Sequence[int] = (),
        notes: Sequence[Note] = (),
    ) -> None:
        self.calls.append("append")
        if self.failures:
            raise self.failures.pop(0)
        super().append(events, deferrals, undeferred, notes)

    def backup_due(self, *, stopping: bool = False) -> str:
        if stopping:
            return "due" if self.due_at_the_end else ""
        self.now_due = next(self.due, self.now_due)
        return "due" if self.now_due[1] else ""

    def checkpoint_due(self) -> str:
        return "due" if self.now_due[0] else ""

    def checkpoint(self, *, backup: bool) -> MemoryCheckpoint:
        return self._result_of("checkpoint and backup" if backup else "checkpoint")

    def back_up(self) -> MemoryCheckpoint:
        return self._result_of("backup")

    def _result_of(self, what: str) -> MemoryCheckpoint:
        self.calls.append(what)
        self.notices.extend(self.said)
        for event in self.pulled:
            self.state.apply(event)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    def keep_vectors(self, vectors: Mapping[int, Vector]) -> None:
        self.calls.append(f"vectors of {sorted(vectors)}")
        super().keep_vectors(vectors)


class Desk:
    """A writer with everything it needs; `told` are the lines for the user."""

    def __init__(self, store: MemoryStore, plan: Plan) -> None:
        self.store, self.clock, self.stop, self.told = store, VirtualClock(), Stop(), list[str]()
        self.scope = scope_of(plan, store, self.clock)
        order = Ranking("popular", store.state, 0, print)
        self.frontier = Frontier(self.scope, order, clock=self.clock, stop=self.stop, quota_left=lambda: None)
        self.events = list[Told]()
        hear = lines_to(self.told.append)

        def listen(told: Told) -> None:
            self.events.append(told)
            hear(told)

        self.progress = Progress(self.clock, on_event=listen)
        changes = Changes(
            self.frontier, self.scope, store.state, stop=self.stop, progress=self.progress, distances=None
        )
        self.writer = Writer(store, self.scope, changes, clock=self.clock, stop=self.stop, progress=self.progress)
        self.queue: asyncio.Queue[Outcome | None] = asyncio.Queue()

    async def write(self, *outcomes: Outcome) -> None:
        for outcome in outcomes:
            self.frontier._mark_in_flight(outcome.claim)
            self.queue.put_nowait(outcome)
        self.queue.put_nowait(None)
        await self.writer.run(self.queue)


def at_the_desk(store: MemoryStore, plan: Plan, work: Callable[[Desk], Coroutine[Any, Any, object]]) -> Desk:
    async def main() -> Desk:
        desk = Desk(store, plan)
        await work(desk)
        return desk

    return run_virtual(main())


def seen(sound_id: int, **fields: Any) -> Seen:
    return Seen(sound_id, make_record(sound_id, **fields), START_US)


def linked(sound_id: int) -> Linked:
    return Linked(sound_id, SimilarList((), START_US, 25))


def list_of(sound_id: int, *records: Record) -> SimilarFetched:
    scored = tuple((record["id"], 0.5) for record in records)
    return SimilarFetched(SimilarClaim(sound_id), SimilarPage(sound_id, scored, records, len(records), LATER_US), 25)


def page(*records: Record, vectors: Any = None, count: int | None = None) -> RecordsPage:
    return RecordsPage(records, len(records) if count is None else count, False, LATER_US, {}, vectors or {})


# --- the beginning ---------------------------------------------------------------------------------------------------


def test_named_seeds_are_durable_before_the_first_request_and_come_first() -> None:
    store = ScriptedStore(seen(1), seen(2))
    desk = at_the_desk(store, Plan(seed_ids=(9, 2)), lambda desk: desk.writer.begin())
    assert store.journal == [Known(9, START_US), Seeded((9, 2))]
    assert store.state.seeds == {9, 2}
    assert desk.frontier.waiting == 3
    ranked = at_the_desk(ScriptedStore(seen(1), seen(2)), Plan(seed_ids=(2,)), lambda desk: desk.writer.begin())
    assert ranked.frontier._next() == SimilarClaim(2), "before sound 1, which has more downloads"


@pytest.mark.parametrize("plan", [Plan(), Plan(seed_ids=(1,), refresh=Refresh(1))])
def test_a_run_without_seeds_writes_nothing_at_its_beginning(plan: Plan) -> None:
    store = ScriptedStore(seen(1))
    desk = at_the_desk(store, plan, lambda desk: desk.writer.begin())
    assert store.calls == []
    assert desk.frontier.waiting == (0 if plan.refresh else 1)


def test_a_sweep_that_an_earlier_run_found_too_large_needs_permission() -> None:
    large = Sweep()
    large.total = 50_001
    plan = Plan(query="rain", sweep=True)
    for permitted in (False, True):
        store = ScriptedStore()
        store.notes = {'sweep ["rain", ""]': {PLACE: large.place()}}
        allowed = Plan(query="rain", sweep=True, permitted=permitted)
        if permitted:
            at_the_desk(store, allowed, lambda desk: desk.writer.begin())
        else:
            with pytest.raises(SettingsError, match="50,001 sounds"):
                at_the_desk(store, plan, lambda desk: desk.writer.begin())


@pytest.mark.parametrize(("place", "lines"), [("{", 1), (Sweep().place(), 0), ("", 0)])
def test_a_place_that_cannot_be_read_is_told(place: str, lines: int) -> None:
    store = ScriptedStore()
    store.notes = {'sweep ["rain", ""]': {PLACE: place}}
    desk = at_the_desk(store, Plan(query="rain", sweep=True), lambda desk: desk.writer.begin())
    assert len(desk.told) == lines
    assert all(
        line == "the journal's note on the place of the sweep is corrupt: the sweep starts again, no sound is lost"
        for line in desk.told
    )


# --- commits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "commits"), [(1, 5), (2, 3), (3, 2), (5, 1), (16, 1)])
def test_as_many_lists_share_a_commit_as_the_plan_allows(share: int, commits: int) -> None:
    store = ScriptedStore(*(seen(sound_id) for sound_id in range(1, 6)))
    outcomes = [list_of(sound_id) for sound_id in range(1, 6)]
    desk = at_the_desk(store, Plan(samples_per_commit=share), lambda desk: desk.write(*outcomes))
    assert store.calls == ["append"] * commits
    assert desk.progress.samples == desk.frontier.harvested == 5
    assert desk.queue.empty()


def test_any_other_outcome_has_a_commit_of_its_own() -> None:
    store = ScriptedStore(*(seen(sound_id) for sound_id in range(1, 5)))
    outcomes: list[Outcome] = [
        list_of(1), list_of(2), DetailsFetched(DetailsClaim((8,)), page(make_record(8))), list_of(3),
        SeedsFetched(SeedClaim(1), page()), list_of(4),
    ]  # fmt: skip
    at_the_desk(store, Plan(), lambda desk: desk.write(*outcomes))
    assert store.log == ["append 2", "append 1", "append 1", "append 1", "append 1"]


def test_an_outcome_that_brings_nothing_is_no_commit() -> None:
    store = ScriptedStore(seen(1))
    desk = at_the_desk(store, Plan(), lambda desk: desk.write(Failed(ConfirmClaim(1), "x")))
    assert store.calls == []
    assert desk.frontier.in_flight == 0


def test_what_a_commit_holds_is_in_graph_deferrals_notes_and_counters_afterwards() -> None:
    store = ScriptedStore(seen(1), Seen(2, make_record(2), START_US - 10**12), seen(3), seen(4), seen(5))
    store.deferrals = {1: Deferral(1, "x", 1, 0)}
    outcomes: list[Outcome] = [
        list_of(1, make_record(2, num_downloads=7), make_record(8)),
        Confirmed(ConfirmClaim(3), None, LATER_US),
        Failed(SimilarClaim(4), "no JSON"),
        Failed(SimilarClaim(5), "no JSON"),
    ]
    desk = at_the_desk(store, Plan(filter=""), lambda desk: desk.write(*outcomes))
    progress = desk.progress
    assert store.state.attributes(2)["num_downloads"] == 7
    assert store.deferrals == {one: Deferral(one, "no JSON", 1, START_US + 3_600_000_000) for one in (4, 5)}
    counted = {
        name: getattr(progress, name)
        for name in ("samples", "renewed", "new_nodes", "new_edges", "gone", "deferred", "vectors", "checkpoints")
    }
    assert counted == {
        "samples": 1, "renewed": 1, "new_nodes": 1, "new_edges": 2, "gone": 1, "deferred": 2, "vectors": 0,
        "checkpoints": 0,
    }  # fmt: skip
    assert [line.split(" deferred")[0] for line in desk.told] == ["sound 4", "sound 5"]


def test_notes_and_oddities_of_a_commit_are_kept() -> None:
    store = ScriptedStore(seen(1), seen(2))
    odd = SimilarFetched(SimilarClaim(2), SimilarPage(2, (), (), 0, LATER_US, {"null result": 2}), 25)
    desk = at_the_desk(store, Plan(filter="duration:[0 TO 10]"), lambda desk: desk.write(list_of(1), odd))
    assert desk.progress.oddities == {"null result": 2}
    seeds = SeedsFetched(SeedClaim(1), page(make_record(8)))
    at_the_desk(store, Plan(filter="type:*"), lambda desk: desk.write(seeds))
    assert store.notes['sweep ["", "type:*"]'] == {8: "1"}, "the first note of its topic"
    assert [note.key for note in store.kept_notes] == [8]


@pytest.mark.parametrize("share", [1, 2, 16])
def test_a_sample_is_a_sound_that_a_commit_of_this_run_made_processed(share: int) -> None:
    # 1 is new, 2 was processed before, 3 has a list and gets its record: with one of another list, then alone.
    store = ScriptedStore(seen(1), seen(2), linked(2), Known(3, START_US), linked(3), Known(4, START_US), linked(4))
    outcomes: list[Outcome] = [
        list_of(1, make_record(3)), list_of(2, make_record(3)),
        DetailsFetched(DetailsClaim((3, 4)), page(make_record(3), make_record(4))),
    ]  # fmt: skip
    desk = at_the_desk(store, Plan(samples_per_commit=share), lambda desk: desk.write(*outcomes))
    assert desk.progress.samples == desk.frontier.harvested == 3
    assert desk.progress.relisted == 1


def test_a_sound_that_another_program_processed_meanwhile_is_no_sample_of_this_run() -> None:
    store = ScriptedStore(seen(1), seen(2))

    async def work(desk: Desk) -> None:
        store.pulled = [linked(1)]
        await desk.writer.checkpoint()
        await desk.write(list_of(1), list_of(2))

    desk = at_the_desk(store, Plan(), work)
    assert store.state.processed == {1, 2}
    assert (desk.progress.samples, desk.progress.relisted) == (1, 1)


def test_vectors_are_kept_before_the_journal_says_so_and_only_new_ones_are_counted() -> None:
    store = ScriptedStore()
    old, one, two, three, four = (array("f", [value]) for value in range(5))
    store.vectors = {1: old}
    plan = Plan(query="rain", sweep=True, vectors="laion_clap")
    found = page(*map(make_record, (1, 2, 3)), vectors={1: one, 2: two, 3: three}, count=900)
    more = page(*map(make_record, (3, 4)), vectors={3: three, 4: four}, count=900)
    pages = (Swept(SweepClaim("", 1, 150), found), Swept(SweepClaim("", 2, 150), more))
    desk = at_the_desk(store, plan, lambda desk: desk.write(*pages))
    assert store.calls == ["vectors of [1, 2, 3]", "append", "vectors of [3, 4]", "append"]
    assert desk.progress.vectors == 3
    assert store.vectors == {1: one, 2: two, 3: three, 4: four}


@pytest.mark.parametrize(
    ("first", "second", "written"),
    [
        ({}, {}, [8]),  # the same record twice
        ({"bpm": 1}, {}, [8]), ({}, {"bpm": 1}, [8, 8]), ({"bpm": 1}, {"key": "a"}, [8, 8]),
        ({"previews": ...}, {}, [8, 8]), ({}, {"previews": ...}, [8]), ({"previews": ...}, {"previews": ...}, [8, 8]),
    ],
)  # fmt: skip
def test_of_records_in_one_commit_each_that_adds_a_field_is_written(
    first: dict[str, Any], second: dict[str, Any], written: list[int]
) -> None:
    def with_fields(fields: dict[str, Any]) -> Record:
        record = make_record(8, **{name: value for name, value in fields.items() if value is not ...})
        return {name: value for name, value in record.items() if fields.get(name) is not ...}

    store = ScriptedStore(seen(1), seen(2))
    outcomes = [list_of(1, with_fields(first)), list_of(2, with_fields(second))]
    at_the_desk(store, Plan(), lambda desk: desk.write(*outcomes))
    assert [event.sound_id for event in store.journal if isinstance(event, Seen)] == written


# --- full disks ------------------------------------------------------------------------------------------------------


def test_a_run_for_ever_retries_each_minute_until_the_disk_has_room() -> None:
    store = ScriptedStore(seen(1))
    store.failures = [DiskFull("no space left; nothing was changed")] * 3
    desk = at_the_desk(store, Plan(forever=True), lambda desk: desk.write(list_of(1)))
    assert store.calls == ["append"] * 4
    assert (
        desk.clock.time_us()
        if False
        else desk.told
        == [
            f"waiting for space on the disk, retrying at 2026-09-21 14:{minute}:20 UTC: "
            "no space left; nothing was changed"
            for minute in (14, 15, 16)
        ]
    )
    assert desk.progress.samples == 1


@pytest.mark.parametrize("plan", [Plan(), Plan(forever=True)])
def test_a_full_disk_ends_a_run_and_the_outcome_is_not_counted(plan: Plan) -> None:
    store = ScriptedStore(seen(1))
    store.failures = [DiskFull("no space left")] * 9
    desks: list[Desk] = []

    async def work(desk: Desk) -> None:
        desks.append(desk)
        if plan.forever:
            asyncio.get_running_loop().call_later(90, desk.stop.close, "a signal")
        await desk.write(list_of(1))

    with pytest.raises(DiskFull):
        at_the_desk(store, plan, work)
    assert store.calls == ["append"] * (3 if plan.forever else 1)
    assert desks[0].progress.samples == 0
    assert store.state.processed == set()


# --- checkpoints -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("due", "at_the_end", "stopping", "call"),
    [
        ((True, False), True, False, "checkpoint"), ((True, True), False, False, "checkpoint and backup"),
        ((False, True), False, False, "backup"), ((False, True), True, True, "checkpoint and backup"),
        ((True, False), True, True, "checkpoint and backup"), ((False, True), False, True, "checkpoint"),
    ],
)  # fmt: skip
def test_during_a_run_a_backup_may_come_alone_and_at_its_end_never(
    due: tuple[bool, bool], at_the_end: bool, stopping: bool, call: str
) -> None:
    store = ScriptedStore()
    store.now_due, store.due_at_the_end = due, at_the_end
    at_the_desk(store, Plan(), lambda desk: desk.writer.checkpoint(stopping=stopping))
    assert store.calls == [call]


@pytest.mark.parametrize(
    ("due", "calls"),
    [
        ([(False, False), (False, False)], ["append", "append"]),
        ([(True, False), (False, False)], ["append", "checkpoint", "append"]),
        ([(False, False), (False, True)], ["append", "append", "backup"]),
    ],
)
def test_after_each_round_a_checkpoint_or_a_backup_that_is_due_is_written(
    due: list[tuple[bool, bool]], calls: list[str]
) -> None:
    store = ScriptedStore(seen(1), seen(2))
    # `checkpoint` asks once more, whether the backup is due.
    store.due = iter([one for one in due for _ in range(2 if any(one) else 1)])
    at_the_desk(store, Plan(samples_per_commit=1), lambda desk: desk.write(list_of(1), list_of(2)))
    assert store.calls == calls


@pytest.mark.parametrize(
    ("result", "line", "checkpoints"),
    [
        (MemoryCheckpoint(3, 12_345), "checkpoint: 3 sounds, 12 kB", 1),
        (MemoryCheckpoint(3, 12_345_678, "a path"), "checkpoint and backup: 3 sounds, 12,346 kB", 1),
        (MemoryCheckpoint(4, 999, "a path", unchanged=True), "backup: 4 sounds, 1 kB", 0),
        (MemoryCheckpoint(4, 999, unchanged=True), "", 0),
    ],
)
def test_what_was_written_is_told_and_counted(result: MemoryCheckpoint, line: str, checkpoints: int) -> None:
    store = ScriptedStore()
    store.result = result

    async def twice(desk: Desk) -> None:
        await desk.writer.checkpoint()
        await desk.writer.checkpoint()

    desk = at_the_desk(store, Plan(), twice)
    assert desk.told == ([line] * 2 if line else [])
    assert desk.progress.checkpoints == 2 * checkpoints


@pytest.mark.parametrize(
    ("error", "forever", "stopping", "raised"),
    [
        (BackupFailed("no backup"), False, False, False), (BackupFailed("no backup"), True, False, False),
        (BackupFailed("no backup"), True, True, True), (BackupFailed("no backup"), False, True, True),
        (DiskFull("no space"), True, False, False), (DiskFull("no space"), False, False, True),
        (DiskFull("no space"), True, True, True), (LibraryUnwritable("gone"), True, False, True),
    ],
)  # fmt: skip
def test_a_failed_backup_is_told_during_a_run_and_raised_at_its_end(
    error: Exception, forever: bool, stopping: bool, raised: bool
) -> None:
    store = ScriptedStore()
    store.result, store.said = error, ["a backup is corrupt"]
    desks: list[Desk] = []

    async def work(desk: Desk) -> None:
        desks.append(desk)
        await desk.writer.checkpoint(stopping=stopping)

    if raised:
        with pytest.raises(type(error)):
            at_the_desk(store, Plan(forever=forever), work)
        assert desks[0].told == ["a backup is corrupt"]
    else:
        at_the_desk(store, Plan(forever=forever), work)
        assert sorted(desks[0].told) == sorted([f"{error}{CONTINUES}", "a backup is corrupt"])
    assert store.notices == []
    assert desks[0].progress.checkpoints == 0


def test_sounds_that_a_pull_brought_under_the_run_are_queued() -> None:
    store = ScriptedStore(seen(1))
    store.result, store.said = MemoryCheckpoint(3, 1_000), ["merged the checkpoint that Git brought"]

    store.pulled = [seen(7)]

    async def work(desk: Desk) -> None:
        await desk.writer.checkpoint()

    desk = at_the_desk(store, Plan(), work)
    assert desk.told[0] == "merged the checkpoint that Git brought"
    assert desk.frontier.waiting == 2


def test_a_checkpoint_that_brought_no_sound_does_not_read_the_whole_library_again() -> None:
    store = ScriptedStore(seen(1))

    async def work(desk: Desk) -> None:
        with mock.patch.object(desk.scope, "admit", wraps=desk.scope.admit) as admit:
            await desk.writer.checkpoint()
            assert admit.call_count == 0
            store.pulled = [seen(7)]
            await desk.writer.checkpoint()
            assert admit.call_count == 1

    at_the_desk(store, Plan(), work)


def test_a_sweep_that_cannot_continue_ends_the_run_after_its_page_is_durable() -> None:
    store = ScriptedStore()
    bad = page(*(make_record(sound_id, created=None) for sound_id in (1, 2)), count=3_000)
    plan = Plan(query="rain", sweep=True)
    desk_of: list[Desk] = []

    async def work(desk: Desk) -> None:
        desk_of.append(desk)
        claims = []
        assert desk.scope.sweep is not None
        for _ in range(40):
            claim = desk.scope.sweep.next()
            if claim is None:
                break
            claims.append(claim)
            await desk.write(Swept(claim, bad))

    with pytest.raises(AnswerChanged, match="cannot continue"):
        at_the_desk(store, plan, work)
    assert {event.sound_id for event in store.journal if isinstance(event, Seen)} == {1, 2}
    assert not [event for event in store.journal if isinstance(event, Linked | Gone)]


# --- what it tells ---------------------------------------------------------------------------------------------------


def test_a_commit_is_told_with_what_it_has() -> None:
    desk = at_the_desk(ScriptedStore(seen(1)), Plan(), lambda desk: desk.write(list_of(1, make_record(2))))
    [told] = [one for one in desk.events if one.kind == "commit"]
    assert told == Told("journal commit: 2 events", Level.DETAIL, "commit", {"events": 2, "deferrals": 0, "notes": 0})
    for entry, said in (
        (Entry(deferrals=(Deferral(1, "x", 1, 1),), notes=(Note("a", 1, "c"),)), "1 deferral, 1 note"),
        (Entry(undeferred=(1,)), "ended deferrals"),
    ):
        desk.events.clear()
        desk.writer._tell_commit(entry)
        assert [one.line for one in desk.events] == [f"journal commit: {said}"]


def test_what_is_due_is_told_with_its_reason_and_what_was_written_with_its_size() -> None:
    store = ScriptedStore(seen(1))
    store.due_at_the_end = True
    store.result = MemoryCheckpoint(3, 12_345, backup="there")
    desk = at_the_desk(store, Plan(), lambda desk: desk.writer.checkpoint(stopping=True))
    assert desk.events == [
        Told(
            "checkpoint due: the run ends", Level.DECISION, "due", {"what": "checkpoint", "reason": "the run ends"}
        ),
        Told("backup due: due", Level.DECISION, "due", {"what": "backup", "reason": "due"}),
        Told(
            "checkpoint and backup: 3 sounds, 12 kB", Level.INFO, "written",
            {"what": "checkpoint and backup", "sounds": 3, "bytes": 12_345},
        ),
    ]  # fmt: skip
    store = ScriptedStore(seen(1))
    store.now_due = (True, False)
    desk = at_the_desk(store, Plan(), lambda desk: desk.writer.checkpoint())
    assert [one.line for one in desk.events] == ["checkpoint due: due", "checkpoint: 3 sounds, 12 kB"]
    store.now_due = (False, True)
    desk = at_the_desk(store, Plan(), lambda desk: desk.writer.checkpoint())
    assert [one.line for one in desk.events if one.kind == "due"] == ["backup due: due"]
