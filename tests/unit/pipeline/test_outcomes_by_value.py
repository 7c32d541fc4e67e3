"""What each outcome becomes, as whole entries: events, deferrals, notes, vectors, lines and frontier changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from harvester.clock import DAY_US, iso
from harvester.counts import counted
from harvester.errors import AnswerChanged
from harvester.model import (
    Deferral,
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
    Withdrawn,
)
from harvester.pipeline.deferral import ABSENT, DELETED_AFTER, NO_VECTOR
from harvester.pipeline.frontier import NO_HITS
from harvester.pipeline.messages import (
    AdvanceSweep,
    AwaitConfirmation,
    CheckSweep,
    Close,
    ConfirmClaim,
    Confirmed,
    CountHits,
    DecideClaim,
    Decided,
    Defer,
    DetailsClaim,
    DetailsFetched,
    Discover,
    EndDeferral,
    Entry,
    Failed,
    JudgeClaim,
    Judged,
    MarkAsked,
    Reread,
    SeedClaim,
    SeedsFetched,
    Settle,
    SettleList,
    SettleSeeds,
    SimilarClaim,
    SimilarFetched,
    Start,
    SweepClaim,
    Swept,
)
from harvester.pipeline.outcomes import CONTRADICTION, LISTS, SEARCHES, UNUSABLE, OutcomeReader
from harvester.pipeline.plan import Plan
from harvester.pipeline.scope import PLACE, Scope, scope_of
from harvester.pipeline.stale import Refresh
from tests.support.samples import FixedClock
from tests.support.world import MemoryStore, make_record

NOW_US = 1_790_000_000_000_000  # 2026-09-21T14:13:20Z
AT_US = NOW_US - 7
HOUR_US = 3_600_000_000
SHORT = "duration:[0 TO 10]"
SHORT_TOPIC = f'sweep ["", "{SHORT}"]'


def record(sound_id: int, **fields: Any) -> Record:
    return make_record(sound_id, **({"duration": 5.0} | fields))


LONG = {"duration": 20.0}
HARVEST = Plan()


def store_of(*events: Any, deferrals: Sequence[Deferral] = (), notes: Any = None) -> MemoryStore:
    store = MemoryStore()
    for event in events:
        store.state.apply(event)
    store.deferrals = {one.sound_id: one for one in deferrals}
    store.notes = notes or {}
    return store


def reader(store: MemoryStore, plan: Plan = HARVEST) -> tuple[OutcomeReader, Scope]:
    clock = FixedClock(NOW_US)
    scope = scope_of(plan, store, clock)
    return OutcomeReader(store, scope, clock), scope


def read(outcome: Any, store: MemoryStore | None = None, plan: Plan = HARVEST) -> Entry:
    return reader(store or MemoryStore(), plan)[0].read(outcome)


def page(*records: Record, count: int | None = None, has_next: bool = False, **more: Any) -> RecordsPage:
    return RecordsPage(records, len(records) if count is None else count, has_next, AT_US, **more)


def list_of(
    sound_id: int, *records: Record, count: int | None = None, oddities: dict[str, int] | None = None
) -> SimilarFetched:
    scored = tuple((one["id"], 0.9 - place / 10) for place, one in enumerate(records))
    counted = len(records) if count is None else count
    return SimilarFetched(
        SimilarClaim(sound_id), SimilarPage(sound_id, scored, records, counted, AT_US, oddities or {}), 40
    )


# --- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "hours", "until"),
    [
        (0, 1, "2026-09-21T15:13:20Z"), (1, 4, "2026-09-21T18:13:20Z"), (2, 16, "2026-09-22T06:13:20Z"),
        (3, 64, "2026-09-24T06:13:20Z"), (4, 168, "2026-09-28T14:13:20Z"), (50, 168, "2026-09-28T14:13:20Z"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("claim", [SimilarClaim(5), DetailsClaim((5,))])
def test_a_failed_fetch_defers_its_sound_for_an_hour_then_four_times_as_long_up_to_a_week(
    claim: Any, count: int, hours: int, until: str
) -> None:
    earlier = [Deferral(5, "an earlier reason", count, 0)] if count else []
    again_us = NOW_US + hours * HOUR_US
    assert read(Failed(claim, "no JSON"), store_of(deferrals=earlier)) == Entry(
        deferrals=(Deferral(5, "no JSON", count + 1, again_us),),
        lines=(f"sound 5 deferred until {until}: no JSON",),
        changes=(Defer(5, again_us), Settle(claim)),
    )


def test_a_failed_batch_defers_the_sounds_that_still_lack_a_record_and_in_a_refresh_all() -> None:
    store = store_of(Seen(5, record(5), 1), Known(6, 1))
    outcome = Failed(DetailsClaim((5, 6)), "x")
    assert [one.sound_id for one in read(outcome, store).deferrals] == [6]
    assert [one.sound_id for one in read(outcome, store, Plan(refresh=Refresh(0))).deferrals] == [5, 6]
    assert read(Failed(ConfirmClaim(5), "x"), store) == Entry(changes=(Settle(ConfirmClaim(5)),))
    assert [one.sound_id for one in read(Failed(SimilarClaim(5), "x"), store).deferrals] == [5]


def test_a_failed_question_which_sounds_match_defers_none() -> None:
    claim = JudgeClaim((1, 2, 3))
    entry = read(Failed(claim, "no JSON"), plan=Plan(filter=SHORT))
    [line] = entry.lines
    assert entry == Entry(lines=(line,), changes=(Settle(claim),))
    assert "3 sounds" in line
    assert "(no JSON)" in line


def test_the_end_of_waiting_only_settles_its_claim() -> None:
    assert read(Decided(DecideClaim())) == Entry(changes=(Settle(DecideClaim()),))


# --- seeds -----------------------------------------------------------------------------------------------------------


def test_seeds_are_recorded_started_first_and_settled() -> None:
    claim, one, two = SeedClaim(3), record(1), record(2)
    assert read(SeedsFetched(claim, page(one, two, has_next=True, oddities={"no id": 4}))) == Entry(
        events=(Seen(1, one, AT_US), Seen(2, two, AT_US), Seeded((1, 2))),
        oddities={"no id": 4},
        changes=(Start((1, 2), first=True), SettleSeeds(claim, True)),
    )


def test_seeds_that_contradict_the_filter_are_counted_and_not_started() -> None:
    claim, one, two, three = SeedClaim(1), record(1), record(2, **LONG), record(3)
    store = store_of(notes={SHORT_TOPIC: {3: "1"}})
    found = page(one, two, three, oddities={"no id": 4, CONTRADICTION: 2})
    assert read(SeedsFetched(claim, found), store, Plan(filter=SHORT)) == Entry(
        events=(Seen(1, one, AT_US), Seen(2, two, AT_US), Seen(3, three, AT_US), Seeded((1, 3))),
        notes=(Note(SHORT_TOPIC, 1, "1"),),
        oddities={"no id": 4, CONTRADICTION: 3},
        changes=(Start((1, 3), first=True), SettleSeeds(claim, False), CountHits(SEARCHES, 2, 1)),
    )
    assert found.oddities == {"no id": 4, CONTRADICTION: 2}, "the page is left as it came"


@pytest.mark.parametrize(
    ("number", "rows", "count", "has_next", "closes"),
    [
        (1, 0, 0, False, True), (1, 0, 0, True, True), (1, 0, 5, False, True), (1, 0, 5, True, False),
        (2, 0, 0, False, False), (1, 1, 1, False, False),
    ],
)  # fmt: skip
def test_a_search_without_a_hit_ends_the_run(number: int, rows: int, count: int, has_next: bool, closes: bool) -> None:
    claim = SeedClaim(number)
    entry = read(SeedsFetched(claim, page(*[record(1)] * rows, count=count, has_next=has_next)))
    started = (Start((1,) * rows, first=True), SettleSeeds(claim, has_next))
    assert entry.changes == ((Close(NO_HITS), *started) if closes else started)


# --- sweeps ----------------------------------------------------------------------------------------------------------

SWEEP = Plan(query="rain", sweep=True)
RAIN_TOPIC = 'sweep ["rain", ""]'


def test_a_page_of_a_sweep_records_its_hits_and_its_place() -> None:
    store = MemoryStore()
    outcomes, scope = reader(store, SWEEP)
    assert scope.sweep is not None
    claim = scope.sweep.next()
    assert claim == SweepClaim("", 1, 150)
    one, two = record(1), record(2)
    found = page(one, two, count=200, has_next=True, oddities={"no id": 4})
    store.notes[RAIN_TOPIC] = {2: "1"}
    assert outcomes.read(Swept(claim, found)) == Entry(
        events=(Seen(1, one, AT_US), Seen(2, two, AT_US), Seeded((1, 2))),
        notes=(Note(RAIN_TOPIC, 1, "1"), Note(RAIN_TOPIC, PLACE, scope.sweep.after(claim, found).place())),
        oddities={"no id": 4},
        changes=(AdvanceSweep(claim, found), Start((1, 2), first=False), Settle(claim), CheckSweep()),
    )
    assert scope.sweep.total is None, "nothing changes before the commit"


def test_a_sweep_of_users_takes_their_sounds_in_any_case_and_counts_those_of_others() -> None:
    # The index finds longer names too, and a record may lack the field.
    plan = Plan(filter="type:*", usernames=("Anna", "berta", "none", "xxxx"), sweep=True)
    records = [record(1, username="ANNA"), record(2, username="anna smith"), record(3, username="Berta"), record(4)]
    records.append(record(5, username=None))
    del records[3]["username"]
    entry = read(Swept(SweepClaim("", 1, 150), page(*records, oddities={"no id": 4})), plan=plan)
    assert entry.events == (Seen(1, records[0], AT_US), Seen(3, records[2], AT_US), Seeded((1, 3)))
    assert entry.oddities == {"no id": 4, "is of another user, whose name holds the words of the name": 3}
    assert Start((1, 3), first=False) in entry.changes
    assert CountHits(SEARCHES, 2, 0) in entry.changes
    alone = read(Swept(SweepClaim("", 1, 150), page(records[0])), plan=plan)
    assert (alone.events, alone.oddities) == ((Seen(1, records[0], AT_US), Seeded((1,))), {})


@pytest.mark.parametrize(("count", "closing"), [(0, (Close(NO_HITS),)), (1, ())])
def test_the_last_page_of_a_sweep_says_what_came_and_one_without_a_hit_ends_the_run(
    count: int, closing: tuple[Close, ...]
) -> None:
    outcomes, scope = reader(MemoryStore(), SWEEP)
    assert scope.sweep is not None
    claim, rows = SweepClaim("", 1, 150), [record(1)] * count
    entry = outcomes.read(Swept(claim, page(*rows)))
    assert entry.lines == (f"sweep done: {counted(count, 'sound')}",)
    assert entry.changes == (
        AdvanceSweep(claim, page(*rows)),
        Start((1,) * count, first=False),
        *closing,
        Settle(claim),
        CheckSweep(),
    )


def test_a_filtered_sweep_notes_its_hits_under_the_filter_too_and_leaves_out_what_contradicts() -> None:
    store = store_of()
    outcomes, scope = reader(store, Plan(query="rain", filter=SHORT, sweep=True))
    assert scope.sweep is not None
    claim, one, two = SweepClaim("", 1, 150), record(1), record(2, **LONG)
    found = page(one, two, count=200, has_next=True)
    topic = f'sweep ["rain", "{SHORT}"]'
    assert outcomes.read(Swept(claim, found)) == Entry(
        events=(Seen(1, one, AT_US), Seen(2, two, AT_US), Seeded((1,))),
        notes=(
            Note(topic, 1, "1"),
            Note(topic, PLACE, scope.sweep.after(claim, found).place()),
            Note(SHORT_TOPIC, 1, "1"),
        ),
        oddities={CONTRADICTION: 1},
        changes=(
            AdvanceSweep(claim, found),
            Start((1,), first=False),
            Settle(claim),
            CheckSweep(),
            CountHits(SEARCHES, 1, 1),
        ),
    )
    # A sweep of the filter alone has one topic.
    outcomes, scope = reader(MemoryStore(), Plan(filter=SHORT, sweep=True))
    notes = outcomes.read(Swept(claim, found)).notes
    assert [(note.topic, note.key) for note in notes] == [(SHORT_TOPIC, 1), (SHORT_TOPIC, PLACE)]


def test_a_sweep_for_vectors_keeps_those_of_its_hits_and_notes_who_has_none_yet() -> None:
    store = store_of(Withdrawn(4, 1))
    outcomes, _ = reader(store, Plan(query="rain", filter=SHORT, sweep=True, vectors="laion_clap"))
    found = page(record(1), record(2), record(3, **LONG), count=200, vectors={1: b"one", 3: b"three"})
    entry = outcomes.read(Swept(SweepClaim("", 1, 150), found))
    topic = f'sweep ["rain", "{SHORT}", "laion_clap"]'
    assert entry.vectors == {1: b"one"}
    assert [(note.topic, note.key, note.text) for note in entry.notes if note.key != PLACE] == [
        (topic, 1, "1"),
        (topic, 2, "2"),
        (SHORT_TOPIC, 1, "1"),
        (SHORT_TOPIC, 2, "1"),
    ]


def test_a_page_that_lies_outside_its_window_ends_the_sweep_and_one_row_that_does_is_left_out() -> None:
    window = "created:[2020-01-01T00:00:00Z TO *]"
    claim, inside, outside = SweepClaim(window, 2, 150), record(1), record(2, created="2019-12-31T23:59:59Z")
    outcomes, _ = reader(MemoryStore(), SWEEP)
    entry = outcomes.read(Swept(claim, page(inside, outside, count=200)))
    assert entry.events[-1] == Seeded((1,))
    assert entry.oddities == {CONTRADICTION: 1}
    with pytest.raises(AnswerChanged) as caught:
        outcomes.read(Swept(claim, page(outside, outside, count=200)))
    assert str(caught.value) == (
        f"none of the 2 sounds on page 2 of the sweep matches {window}: the server ignores the filter; what was read "
        "before is kept; the next run fetches this page again"
    )
    assert outcomes.read(Swept(claim, page(count=200))).events == (Seeded(()),)
    # Without a window only the run's own filter can be contradicted, and that is counted.
    outcomes, _ = reader(MemoryStore(), Plan(filter=SHORT, sweep=True))
    assert outcomes.read(Swept(SweepClaim("", 1, 150), page(record(1, **LONG), count=200))).oddities


# --- judgement -------------------------------------------------------------------------------------------------------


def test_an_answer_which_sounds_match_tells_of_the_others_that_they_do_not() -> None:
    claim, two = JudgeClaim((3, 2, 1)), record(2)
    store = store_of(notes={SHORT_TOPIC: {1: "0"}})
    assert read(Judged(claim, page(two, oddities={"no id": 4})), store, Plan(filter=SHORT)) == Entry(
        events=(Seen(2, two, AT_US),),
        notes=(Note(SHORT_TOPIC, 2, "1"), Note(SHORT_TOPIC, 3, "0")),
        oddities={"no id": 4},
        changes=(Discover((2,)), Settle(claim), CountHits(SEARCHES, 1, 0)),
    )


def test_an_answer_with_fewer_records_than_hits_leaves_the_others_open() -> None:
    claim = JudgeClaim((1, 2, 3))
    entry = read(Judged(claim, page(record(2), record(9, **LONG), count=3)), plan=Plan(filter=SHORT))
    assert entry.notes == (Note(SHORT_TOPIC, 2, "1"),)
    [line] = entry.lines
    assert "which of 2 sounds match" in line
    assert entry.changes == (Discover((2,)), Settle(claim), CountHits(SEARCHES, 1, 1))


def test_hits_are_discovered_in_the_order_of_the_claim_and_noted_by_id() -> None:
    entry = read(Judged(JudgeClaim((3, 1)), page(record(3), record(1), record(8))), plan=Plan(filter=SHORT))
    assert entry.changes[0] == Discover((3, 1))
    assert [note.key for note in entry.notes] == [1, 3, 8]


# --- similar lists ---------------------------------------------------------------------------------------------------


def test_a_similar_list_is_linked_its_neighbours_discovered_and_an_earlier_deferral_ends() -> None:
    two, three, known = record(2), record(3), record(3)
    store = store_of(Known(1, 1), Seen(3, known, AT_US), deferrals=[Deferral(1, "x", 2, 0)])
    assert read(list_of(1, two, three, oddities={"null result": 4}), store) == Entry(
        events=(Seen(2, two, AT_US), Linked(1, SimilarList(((2, 0.9), (3, 0.8)), AT_US, 40))),
        undeferred=(1,),
        oddities={"null result": 4},
        changes=(MarkAsked(1), Discover((2, 3), frozenset({3})), SettleList(SimilarClaim(1), relisted=False)),
    )


def test_a_new_list_of_a_sample_is_stamped_later_than_the_one_it_replaces() -> None:
    store = store_of(Seen(1, record(1), 1), Linked(1, SimilarList(((9, 0.5),), AT_US + 50, 25)))
    entry = read(list_of(1, record(2)), store)
    assert entry.events[-1] == Linked(1, SimilarList(((2, 0.9),), AT_US + 51, 40))
    assert entry.undeferred == ()
    assert entry.changes[-1] == SettleList(SimilarClaim(1), relisted=True)


def test_a_list_under_a_filter_leaves_out_what_contradicts_and_is_noted_as_fetched() -> None:
    two, three = record(2), record(3, **LONG)
    store = store_of(Known(1, 1))
    store.state.space = "freesound_classic"
    assert read(list_of(1, two, three), store, Plan(filter=SHORT)) == Entry(
        events=(
            Seen(2, two, AT_US),
            Seen(3, three, AT_US),
            Linked(1, SimilarList(((2, 0.9),), AT_US, 40, "freesound_classic", SHORT)),
        ),
        oddities={CONTRADICTION: 1},
        changes=(MarkAsked(1), Discover((2,)), SettleList(SimilarClaim(1), relisted=False), CountHits(LISTS, 1, 1)),
    )


@pytest.mark.parametrize("filter", ["", SHORT])
def test_a_list_without_a_usable_neighbour_defers_its_sound(filter: str) -> None:
    rows = [record(2, **LONG)] if filter else []
    entry = read(list_of(1, *rows, count=1, oddities={"no id": 1}), plan=Plan(filter=filter))
    assert entry == Entry(
        deferrals=(Deferral(1, UNUSABLE, 1, AT_US + HOUR_US),),
        oddities={"no id": 1} | ({CONTRADICTION: 1} if filter else {}),
        lines=("sound 1 deferred until 2026-09-21T15:13:19Z: no usable neighbour in its similar list",),
        changes=(
            Defer(1, AT_US + HOUR_US),
            Settle(SimilarClaim(1)),
            *([CountHits(LISTS, 0, 1)] if filter else []),
        ),
    )


def test_an_empty_list_of_an_old_sound_is_a_list() -> None:
    assert read(list_of(1), store_of(Seen(1, record(1), 1))) == Entry(
        events=(Linked(1, SimilarList((), AT_US, 40)),),
        changes=(MarkAsked(1), Discover(()), SettleList(SimilarClaim(1), relisted=False)),
    )


def test_an_empty_list_in_place_of_an_empty_one_is_a_new_list() -> None:
    store = store_of(Linked(1, SimilarList((), 1, 25)))
    assert isinstance(read(list_of(1), store).events[-1], Linked)


@pytest.mark.parametrize("filter", ["", SHORT])
def test_an_empty_list_in_place_of_a_full_one_keeps_it_and_reads_the_record_again(filter: str) -> None:
    store = store_of(Linked(1, SimilarList(((9, 0.5),), 1, 25)))
    assert read(list_of(1, oddities={"x": 2}), store, Plan(filter=filter)) == Entry(
        oddities={"x": 2}, changes=(MarkAsked(1), Reread(1), Settle(SimilarClaim(1)))
    )


@pytest.mark.parametrize(
    ("age_us", "earlier", "waits"),
    [
        (30 * DAY_US - 1_000_000, None, 1), (30 * DAY_US, None, 0), (DAY_US, Deferral(1, NO_VECTOR, 2, 0), 3),
        (DAY_US, Deferral(1, NO_VECTOR, 3, 0), 0), (DAY_US, Deferral(1, "another reason", 3, 0), 4),
        (DAY_US, Deferral(1, NO_VECTOR, 4, 0), 0), (None, None, 0),
    ],
)  # fmt: skip
def test_an_empty_list_of_a_sound_younger_than_30_days_waits_a_week_three_times(
    age_us: int | None, earlier: Deferral | None, waits: int
) -> None:
    # Whole seconds: a record says no more.
    created = None if age_us is None else iso((AT_US // 1_000_000 + 1) * 1_000_000 - age_us)
    at_us = (AT_US // 1_000_000 + 1) * 1_000_000
    outcome = SimilarFetched(SimilarClaim(1), SimilarPage(1, (), (), 0, at_us, {"x": 2}), 40)
    store = store_of(Seen(1, record(1, created=created), 1), deferrals=[earlier] if earlier else [])
    entry = read(outcome, store)
    if not waits:
        assert isinstance(entry.events[-1], Linked)
        return
    again_us = at_us + 7 * DAY_US
    assert entry == Entry(
        deferrals=(Deferral(1, NO_VECTOR, waits, again_us),),
        oddities={"x": 2},
        lines=(f"sound 1 deferred until {iso(again_us)}: {NO_VECTOR}",),
        changes=(Defer(1, again_us), Settle(SimilarClaim(1))),
    )


# --- records ---------------------------------------------------------------------------------------------------------


def test_records_are_kept_absent_sounds_wait_and_samples_that_came_are_no_longer_deferred() -> None:
    claim, one, two = DetailsClaim((1, 2, 3, 4)), record(1), record(2)
    incomplete: Record = {"id": 3, "name": "x"}
    store = store_of(
        *(Seen(sound_id, record(sound_id), 1) for sound_id in (1, 2, 3)),
        *(Linked(sound_id, SimilarList((), 1, 25)) for sound_id in (1, 3)),
        deferrals=[Deferral(1, "x", 1, 0), Deferral(2, "x", 1, 0), Deferral(3, "x", 1, 0)],
    )
    partial = Deferral(3, "its record lacks core fields", 2, AT_US + 4 * HOUR_US)
    absent = Deferral(4, ABSENT, 1, AT_US + 23 * HOUR_US)
    assert read(DetailsFetched(claim, page(one, two, incomplete, oddities={"no id": 4})), store) == Entry(
        events=(Seen(1, one, AT_US), Seen(2, two, AT_US)),
        deferrals=(partial, absent),
        undeferred=(1,),
        oddities={"no id": 4},
        lines=(f"sound 3 deferred until {iso(partial.next_try_at)}: its record lacks core fields",),
        changes=(
            Discover((1, 2)),
            Defer(3, partial.next_try_at),
            Defer(4, absent.next_try_at),
            AwaitConfirmation((4,), absent.next_try_at),
            Settle(claim),
        ),
    )


def test_a_list_makes_its_sounds_known_once_their_batch_has_come() -> None:
    plan = Plan(listed_ids=(1, 2, 3))
    claim = DetailsClaim((1, 2, 3))
    store = store_of(Known(2, 1))
    entry = read(DetailsFetched(claim, page(record(1))), store, plan)
    assert entry.events == (Known(1, NOW_US), Known(3, NOW_US), Seen(1, record(1), AT_US), Seeded((1, 3)))
    again_us = AT_US + 23 * HOUR_US
    assert entry.deferrals == (Deferral(2, ABSENT, 1, again_us), Deferral(3, ABSENT, 1, again_us))
    assert entry.changes == (
        Start((1,), first=False),
        Defer(2, again_us),
        Defer(3, again_us),
        AwaitConfirmation((2, 3), again_us),
        Settle(claim),
    )
    assert read(Failed(claim, "x"), store, plan).events == (Known(1, NOW_US), Known(3, NOW_US), Seeded((1, 3)))
    assert read(Failed(DetailsClaim((2,)), "x"), store, plan).events == ()
    assert read(Failed(ConfirmClaim(1), "x"), store, plan).events == ()


@pytest.mark.parametrize(
    ("found", "is_absent"),
    [
        (page(record(1)), True), (page(), True), (page(record(1), count=2, oddities={"null result": 1}), True),
        (page(record(1), count=2), False),  # the server cut its page
        (page(record(1), record(9)), False),  # the server ignored the ids
    ],
)  # fmt: skip
def test_a_sound_is_absent_only_if_the_answer_holds_all_that_it_counts_and_nothing_else(
    found: RecordsPage, is_absent: bool
) -> None:
    entry = read(DetailsFetched(DetailsClaim((1, 2)), found), store_of(Known(1, 1), Known(2, 1)))
    [deferral] = [one for one in entry.deferrals if one.sound_id == 2]
    assert (deferral.reason == ABSENT) is is_absent
    assert any(isinstance(change, AwaitConfirmation) for change in entry.changes) is is_absent
    assert bool(entry.lines) is not is_absent


def test_after_its_last_absence_a_sound_gets_a_tombstone_and_is_no_longer_deferred() -> None:
    claim = DetailsClaim((1,))
    store = store_of(Seen(1, record(1), AT_US + 50), deferrals=[Deferral(1, ABSENT, DELETED_AFTER - 1, AT_US)])
    assert read(DetailsFetched(claim, page()), store) == Entry(
        events=(Gone(1, AT_US + 51),), undeferred=(1,), changes=(Discover(()), EndDeferral((1,)), Settle(claim))
    )


@pytest.mark.parametrize(
    "outcome",
    [
        list_of(2, record(1)), SeedsFetched(SeedClaim(1), page(record(1))),
        Judged(JudgeClaim((1, 3)), page(record(1))), DetailsFetched(DetailsClaim((1,)), page(record(1))),
    ],
)  # fmt: skip
def test_whatever_brings_the_record_of_an_absent_sound_ends_its_absence(outcome: Any) -> None:
    store = store_of(Known(1, 1), Seen(2, record(2), 1), deferrals=[Deferral(1, ABSENT, 4, NOW_US + DAY_US)])
    entry = read(outcome, store)
    assert 1 in entry.undeferred
    assert entry.changes[0] == EndDeferral((1,))
    assert 1 not in read(outcome, store_of(Known(1, 1), deferrals=[Deferral(1, "x", 4, 0)])).undeferred


def test_a_fresh_record_that_was_fetched_by_id_is_written_again_and_one_that_came_along_is_not() -> None:
    store = store_of(Seen(1, record(1), AT_US), Seen(2, record(2), AT_US))
    entry = read(DetailsFetched(DetailsClaim((1,)), page(record(1), record(2))), store)
    assert entry.events == (Seen(1, record(1), AT_US + 1),)


def test_in_a_sweep_for_vectors_a_record_brings_its_vector_and_its_note() -> None:
    plan = Plan(query="rain", sweep=True, vectors="laion_clap")
    found = page(record(1), record(2), record(9), vectors={1: b"one", 9: b"nine"})
    entry = read(DetailsFetched(DetailsClaim((1, 2, 3)), found), plan=plan)
    topic = 'sweep ["rain", "", "laion_clap"]'
    assert entry.vectors == {1: b"one", 9: b"nine"}
    assert entry.notes == (Note(topic, 1, "1"), Note(topic, 2, "2"))
    assert read(DetailsFetched(DetailsClaim((1, 2)), found)).notes == ()


def test_a_sound_that_its_own_resource_denies_gets_a_tombstone() -> None:
    claim = ConfirmClaim(1)
    store = store_of(Seen(1, record(1), AT_US + 50), deferrals=[Deferral(1, ABSENT, 1, 0)])
    assert read(Confirmed(claim, None, AT_US), store) == Entry(
        events=(Gone(1, AT_US + 51),), undeferred=(1,), changes=(EndDeferral((1,)), Settle(claim))
    )


def test_a_sound_that_its_own_resource_has_is_kept_unless_its_record_is_incomplete_or_was_withdrawn() -> None:
    claim = ConfirmClaim(1)
    assert read(Confirmed(claim, record(1), AT_US)) == Entry(
        events=(Seen(1, record(1), AT_US),), changes=(EndDeferral((1,)), Discover((1,)), Settle(claim))
    )
    assert read(Confirmed(claim, record(1), AT_US), store_of(Withdrawn(1, 1))) == Entry(
        changes=(EndDeferral((1,)), Discover((1,)), Settle(claim))
    )
    assert read(Confirmed(claim, {"id": 1, "name": "x"}, AT_US)) == Entry(
        deferrals=(Deferral(1, "its record lacks core fields", 1, AT_US + HOUR_US),),
        lines=("sound 1 deferred until 2026-09-21T15:13:19Z: its record lacks core fields",),
        changes=(EndDeferral((1,)), Defer(1, AT_US + HOUR_US), Settle(claim)),
    )
