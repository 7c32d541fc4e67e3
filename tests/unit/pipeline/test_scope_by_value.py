"""What a run may fetch, by value: topics of notes, first changes, resumed sweeps and what a refresh begins with."""

from __future__ import annotations

from typing import Any

import pytest

from harvester.clock import DAY_US
from harvester.model import Deferral, Event, Gone, Known, Linked, Seen, SimilarList, Withdrawn
from harvester.pipeline.deferral import ABSENCE_WAITS_US, ABSENT
from harvester.pipeline.messages import AwaitJudgement, Defer, Enqueue, Reread
from harvester.pipeline.plan import Plan
from harvester.pipeline.scope import PLACE, RefreshScope, Scope, scope_of
from harvester.pipeline.stale import Refresh, find_stale
from harvester.pipeline.sweep import Sweep
from tests.support.samples import FixedClock
from tests.support.world import MemoryStore, make_record

NOW_US = 1_790_000_000_000_000
SHORT = "duration:[0 TO 10]"
SHORT_TOPIC = f'sweep ["", "{SHORT}"]'


class VectorStore(MemoryStore):
    """A store with vectors of some sounds."""

    def __init__(self, *with_vector: int) -> None:
        super().__init__()
        self.with_vector = set(with_vector)

    def has_vector(self, sound_id: int) -> bool:
        return sound_id in self.with_vector


def fill(store: MemoryStore, *events: Event) -> MemoryStore:
    for event in events:
        store.state.apply(event)
    return store


def seen(sound_id: int, **fields: Any) -> Seen:
    return Seen(sound_id, make_record(sound_id, **fields), 5)


def linked(sound_id: int, filter: str = "") -> Linked:
    return Linked(sound_id, SimilarList((), 5, 25, filter=filter))


def scope(plan: Plan, store: MemoryStore) -> Scope:
    return scope_of(plan, store, FixedClock(NOW_US))


@pytest.mark.parametrize(
    ("plan", "topic", "filter_topic"),
    [
        (Plan(), 'sweep ["", ""]', 'sweep ["", ""]'),
        (Plan(query="rain", filter="type:wav"), 'sweep ["rain", "type:wav"]', 'sweep ["", "type:wav"]'),
        (Plan(query="rain", sweep=True, vectors="laion_clap"), 'sweep ["rain", "", "laion_clap"]', 'sweep ["", ""]'),
    ],
)
def test_notes_have_a_topic_for_each_search_and_filter(plan: Plan, topic: str, filter_topic: str) -> None:
    of_plan = scope(plan, MemoryStore())
    assert (of_plan.topic, of_plan.filter_topic) == (topic, filter_topic)


@pytest.mark.parametrize(
    ("plan", "pending", "searches", "first"),
    [
        (Plan(), False, True, True), (Plan(), True, True, False), (Plan(new_seeds=True), True, True, True),
        (Plan(seed_ids=(1,)), False, False, True), (Plan(seed_ids=(1,), new_seeds=True), True, True, True),
        (Plan(sweep=True), True, False, False), (Plan(refresh=Refresh(1)), True, False, False),
    ],
)  # fmt: skip
def test_a_run_searches_for_seeds_unless_it_was_told_where_to_start(
    plan: Plan, pending: bool, searches: bool, first: bool
) -> None:
    store = fill(MemoryStore(), *([Known(9, 1)] if pending else []))
    assert (scope(plan, store).searches_seeds, scope(plan, store).seeds_first) == (searches, first)


def test_a_run_begins_with_every_pending_sound_that_is_not_deferred() -> None:
    store = fill(MemoryStore(), Known(1, 1), seen(2), seen(3), linked(3), seen(4), Gone(4, 9), seen(5), seen(6))
    store.deferrals = {5: Deferral(5, "x", 1, NOW_US + 1), 6: Deferral(6, "x", 1, NOW_US)}
    assert list(scope(Plan(), store).begin()) == [
        Enqueue(1, has_record=False),
        Enqueue(2, has_record=True),
        Defer(5, NOW_US + 1, judged=True),
        Enqueue(6, has_record=True),
    ]
    named = [change for change in scope(Plan(seed_ids=(5,)), store).begin() if change != Enqueue(1, has_record=False)]
    assert named[1] == Enqueue(5, has_record=True), "a sound that the user names does not wait"


@pytest.mark.parametrize(
    ("target", "wanted", "first"),
    [
        (None, {2, 3, 7, 8}, [Enqueue(2, has_record=True), Enqueue(3, has_record=False)]),
        (1, {2, 3, 7, 8}, [Enqueue(2, has_record=True), Enqueue(3, has_record=False)]),
        (0, {3, 7, 8}, [Enqueue(3, has_record=False)]),  # records alone
    ],
)
def test_a_run_of_a_list_wants_the_records_of_its_sounds_then_their_lists(
    target: int | None, wanted: set[int], first: list[Enqueue]
) -> None:
    # 1 has both, 4 is deleted, 5 and 6 wait outside the list, 7 and 8 are new.
    store = fill(MemoryStore(), seen(1), linked(1), seen(2), Known(3, 1), Gone(4, 9), seen(5), Known(6, 1))
    of_list = scope(Plan(listed_ids=(1, 2, 3, 4, 8, 7), target=target), store)
    assert {sound_id for sound_id in range(1, 10) if of_list.wants(sound_id)} == wanted
    assert list(of_list.begin()) == [*first, Enqueue(8, has_record=False), Enqueue(7, has_record=False)]
    assert (of_list.searches_seeds, of_list.confirms, of_list.rereads) == (False, False, False)
    of_list.mark_asked(2)
    assert not of_list.wants(2)


def test_a_deferred_sound_of_a_list_waits() -> None:
    store = fill(MemoryStore(), seen(2))
    store.deferrals = {2: Deferral(2, "x", 1, NOW_US + 1)}
    assert list(scope(Plan(listed_ids=(2,)), store).begin()) == [Defer(2, NOW_US + 1, judged=True)]


def test_under_a_filter_a_sound_waits_until_it_is_known_to_match() -> None:
    store = fill(MemoryStore(), *(seen(sound_id) for sound_id in range(1, 7)), seen(7, duration=20.0))
    store.state.apply(linked(8, SHORT))
    store.notes = {SHORT_TOPIC: {2: "1", 3: "0", 4: "0", 5: "1"}}
    store.deferrals = {5: Deferral(5, "x", 1, NOW_US + 9), 6: Deferral(6, "x", 1, NOW_US + 9)}
    changes = list(scope(Plan(filter=SHORT, seed_ids=(4,)), store).admit())
    assert changes[:6] == [
        AwaitJudgement(1),
        Enqueue(2, has_record=True),
        Enqueue(4, has_record=True),
        Defer(5, NOW_US + 9, judged=True),
        Defer(6, NOW_US + 9, judged=False),
        AwaitJudgement(7),
    ]


@pytest.mark.parametrize("filter", ["", SHORT, "type:wav"])
def test_a_list_is_fetched_once_a_run_and_that_of_a_processed_sound_never(filter: str) -> None:
    store = fill(MemoryStore(), seen(1), seen(2), linked(2, "type:wav"), seen(3), linked(3))
    harvest = scope(Plan(filter=filter), store)
    assert [harvest.wants(sound_id) for sound_id in (1, 2, 3)] == [True, False, False]
    harvest.mark_asked(1)
    assert not harvest.wants(1)


@pytest.mark.parametrize(("fetched_at", "waits"), [(None, True), (-1, True), (0, True), (1, False), (DAY_US, False)])
def test_an_absence_ends_with_a_record_that_was_fetched_later_wherever_it_came_from(
    fetched_at: int | None, waits: bool
) -> None:
    absent_at = NOW_US - 2 * DAY_US
    store = fill(MemoryStore(), Known(1, 1))
    if fetched_at is not None:
        store.state.apply(Seen(1, make_record(1), absent_at + fetched_at))  # by a merge or a pull
    store.deferrals = {1: Deferral(1, ABSENT, 3, absent_at + ABSENCE_WAITS_US[2])}
    changes = list(scope(Plan(), store).admit())
    has_record = fetched_at is not None
    due_us = absent_at + ABSENCE_WAITS_US[2]
    assert changes == [Defer(1, due_us) if waits else Enqueue(1, has_record=has_record)]


def test_a_tombstone_that_a_merge_brings_ends_an_absence() -> None:
    store = fill(MemoryStore(), Known(1, 1), Gone(1, 9))
    store.deferrals = {1: Deferral(1, ABSENT, 3, NOW_US)}
    assert list(scope(Plan(), store).admit()) == []


def test_the_length_of_a_list_is_that_of_the_plan() -> None:
    assert scope(Plan(neighbours=40), MemoryStore()).length_of(1) == 40


# --- sweeps ----------------------------------------------------------------------------------------------------------

SWEEP = Plan(query="rain", sweep=True)
TOPIC = 'sweep ["rain", ""]'
CLAP = Plan(query="rain", sweep=True, vectors="laion_clap")
CLAP_TOPIC = 'sweep ["rain", "", "laion_clap"]'


def place(*, done: bool, total: int = 77) -> str:
    sweep = Sweep()
    sweep.total, sweep.done = total, done
    return sweep.place()


def resumed(store: MemoryStore, plan: Plan = SWEEP) -> bool:
    """Tell whether the sweep continues where the notes say, or starts again."""
    sweep = scope(plan, store).sweep
    assert sweep is not None
    assert sweep.total in (None, 77)
    return sweep.total == 77


def test_a_sweep_fetches_the_lists_of_its_hits_and_completes_records() -> None:
    store = fill(MemoryStore(), seen(1), seen(2), seen(3), Known(4, 1), seen(5), linked(5))
    store.notes = {TOPIC: {PLACE: place(done=False), 1: "1", 2: "2", 5: "1"}}
    of_sweep = scope(SWEEP, store)
    assert [of_sweep.wants(sound_id) for sound_id in range(1, 6)] == [True, True, False, True, False]
    assert list(of_sweep.begin()) == [
        Enqueue(1, has_record=True),
        Enqueue(2, has_record=True),
        Enqueue(4, has_record=False),
    ]
    # Under a filter the hits of a sweep await no judgement.
    store.notes = {f'sweep ["rain", "{SHORT}"]': {1: "1"}}
    filtered = scope(Plan(query="rain", filter=SHORT, sweep=True), store)
    assert next(filtered.begin()) == Enqueue(1, has_record=True)


@pytest.mark.parametrize(
    ("done", "listed", "deferral", "resumes"),
    [
        # a sweep that is not done continues
        (False, True, None, True), (False, False, None, True),
        # one that is done is over once every hit that is due has its list
        (True, False, None, True), (True, True, None, False),
        (True, False, Deferral(1, "x", 1, NOW_US + 1), False), (True, False, Deferral(1, "x", 1, NOW_US), True),
    ],
)  # fmt: skip
def test_a_sweep_continues_until_all_its_hits_have_lists(
    done: bool, listed: bool, deferral: Deferral | None, resumes: bool
) -> None:
    store = fill(MemoryStore(), seen(1), *([linked(1)] if listed else []))
    store.deferrals = {1: deferral} if deferral else {}
    store.notes = {TOPIC: {PLACE: place(done=done), 1: "1"}}
    assert resumed(store) == resumes


def test_a_first_sweep_has_no_place_and_nothing_was_lost() -> None:
    sweep = scope(SWEEP, MemoryStore()).sweep
    assert sweep is not None
    assert not sweep.restarted


def test_a_sweep_starts_again_where_the_library_no_longer_has_a_hit_of_it() -> None:
    store = fill(MemoryStore(), seen(1))
    store.notes = {TOPIC: {PLACE: place(done=False), 1: "1", 2: "1"}}
    assert not resumed(store)
    # What is no hit, or no id, is not missed.
    for key, text in ((2, "2"), (2, "0"), (-5, "1"), (2**70, "1")):
        store.notes = {TOPIC: {PLACE: place(done=False), 1: "1", key: text}}
        assert resumed(store), (key, text)


def test_lost_vectors_of_hits_are_fetched_again_with_their_records() -> None:
    events: list[Event] = [seen(1), seen(2), seen(3), Gone(3, 9), seen(4), Withdrawn(4, 9), seen(5)]
    store = fill(VectorStore(1), *events, *(linked(sound_id) for sound_id in (1, 2, 5)))
    store.notes = {CLAP_TOPIC: {PLACE: place(done=True), 1: "1", 2: "1", 3: "1", 4: "1", 5: "2"}}
    of_sweep = scope(CLAP, store)
    assert of_sweep.vectorless == (2,)
    assert list(of_sweep.begin()) == [Reread(2)]
    assert resumed(store, CLAP), "a sweep whose vectors are lost is not over"
    store.notes[CLAP_TOPIC][77] = "1"
    assert scope(CLAP, store).vectorless == (), "the sweep starts again and brings them all"
    store.notes = {TOPIC: store.notes[CLAP_TOPIC]}
    assert scope(SWEEP, store).vectorless == ()


# --- refresh ---------------------------------------------------------------------------------------------------------


def aged(sound_id: int, days: float, **fields: Any) -> Seen:
    return Seen(sound_id, make_record(sound_id, **fields), NOW_US - round(days * DAY_US))


def listed(sound_id: int, days: float, limit: int = 25, **more: Any) -> Linked:
    return Linked(sound_id, SimilarList((), NOW_US - round(days * DAY_US), limit, **more))


def test_a_refresh_begins_with_stale_records_then_the_lists_of_fresh_ones() -> None:
    events: list[Event] = [
        aged(1, 40),
        listed(1, 40),
        aged(2, 3),
        listed(2, 41),
        aged(3, 3),
        listed(3, 3, 60),
        aged(4, 50),
    ]
    store = fill(MemoryStore(), *events)
    of_refresh = scope(Plan(refresh=Refresh(30 * DAY_US, lists=True, neighbours=30)), store)
    assert isinstance(of_refresh, RefreshScope)
    assert of_refresh.rereads
    assert not scope(Plan(), store).rereads
    assert list(of_refresh.admit()) == [Enqueue(2, has_record=True)], "as after a merge under the run"
    assert list(of_refresh.begin()) == [
        Enqueue(4, has_record=False),
        Enqueue(1, has_record=False),
        Enqueue(2, has_record=True),
    ]
    assert [of_refresh.length_of(sound_id) for sound_id in (2, 3)] == [30, 25]
    assert [of_refresh.wants(sound_id) for sound_id in (1, 2, 3, 4)] == [False, True, False, False]
    store.state.apply(Seen(1, make_record(1), NOW_US))
    assert of_refresh.wants(1), "its record came"
    of_refresh.mark_asked(1)
    assert not of_refresh.wants(1)
    store.state.apply(Gone(2, NOW_US))
    assert not of_refresh.wants(2)


@pytest.mark.parametrize(
    ("refresh", "records", "lists"),
    [
        (Refresh(30 * DAY_US), [3, 2, 4], {}),
        (Refresh(30 * DAY_US, limit=2), [3, 2], {}),
        (Refresh(30 * DAY_US - 1), [3, 2, 4], {}),
        (Refresh(30 * DAY_US + 1), [3, 2], {}),
        (Refresh(30 * DAY_US, lists=True, neighbours=25), [3, 2, 4], {2: 60, 7: 25, 8: 25}),
        (Refresh(30 * DAY_US, lists=True, neighbours=60), [3, 2, 4], {2: 60, 4: 60, 7: 60, 8: 60}),
        (Refresh(30 * DAY_US, lists=True, neighbours=26, limit=2), [3, 2], {2: 60, 4: 26}),
        (Refresh(30 * DAY_US, lists=True, neighbours=1), [3, 2, 4], {2: 60, 7: 1, 8: 1}),
        (Refresh(29 * DAY_US, lists=True, neighbours=25), [3, 2, 4], {2: 60, 4: 25, 7: 25, 8: 25}),
    ],
)
def test_what_is_stale_comes_by_age_and_lists_never_shorter_than_they_are(
    refresh: Refresh, records: list[int], lists: dict[int, int]
) -> None:
    state = fill(
        MemoryStore(),
        *(aged(1, 3), Known(9, 1)),
        *(aged(2, 40), listed(2, 40, 60)),
        aged(3, 50),
        *(aged(4, 30), listed(4, 29, 25)),
        *(aged(5, 90), Gone(5, NOW_US), aged(6, 90)),
        *(aged(7, 3), listed(7, 4, 60, filter="x")),
        *(aged(8, 3), listed(8, 3, 60, origin="computed")),
    ).state
    deferrals = {6: Deferral(6, "x", 1, NOW_US + 1), 3: Deferral(3, "x", 1, NOW_US)}
    stale = find_stale(state, deferrals, refresh, NOW_US)
    assert stale.records == records
    assert list(stale.lists.items()) == list(lists.items())
