"""The writer cannot store what the reader refuses: events are judged by its rules before they are journalled."""

from __future__ import annotations

import json
import tempfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.checkpoint.format import decode_checkpoint, digest_of, encode_checkpoint
from harvester.clock import LATEST_US
from harvester.errors import EventRefused
from harvester.graph.event_rules import Dropped, find_problem
from harvester.journal.events import _event, decode_events, encode_events
from harvester.journal.reader import load_contents
from harvester.model import (
    Deferral,
    Event,
    Gone,
    Known,
    Linked,
    Note,
    Related,
    Seeded,
    Seen,
    SimilarList,
    Withdrawn,
)  # fmt: skip
from harvester.storage.paths import JOURNAL
from tests.support.histories import events, quick, values
from tests.support.samples import (
    NOW_US,
    SOURCE,
    content_of,
    grow,
    make_events,
    make_record,
    make_state,
    names_in,
    open_store,
)  # fmt: skip

HUGE = 10**5000


def _deep(levels: int) -> list[Any]:
    return [] if levels == 0 else [_deep(levels - 1)]


def _endless() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


class _Text(str):
    """A text to everybody but the codec."""


Odd: TypeAlias = st.SearchStrategy[Any]
"""Values of any type: those of the declared one and others."""

odd_ids: Odd = st.sampled_from([0, -5, 2**53, 10**20, HUGE, True, 1.0, "7", None])
any_ids: Odd = st.one_of(st.integers(1, 12), st.sampled_from([2**53 - 1, 2**31, 2**32]), odd_ids)
any_stamps: Odd = st.one_of(st.integers(0, 40), st.sampled_from([LATEST_US, LATEST_US + 1, -1, HUGE, True, 1.5, None]))
any_scores: Odd = st.sampled_from(
    [0.0, -0.0, 0.7, 1.0, 1.0000001, -0.1, float("nan"), float("inf"), 1, True, "0.5", None]
)
any_values: Odd = values | st.sampled_from(
    [2**64, -(2**63) - 1, HUGE, float("nan"), float("-inf"), _deep(99), _deep(100), {"a": _deep(99)}, _endless(),
     {1: 2}, (1, 2), b"bytes", {1}, _Text("a"), [[]] * 9, {"x": {"y": 2**64}}]
)  # fmt: skip
names: Odd = st.sampled_from(["bpm", "linked_at", "gone_at", "extra_stamps", "tags", "id", "", "\ud800", 5, None])


@st.composite
def any_events(draw: st.DrawFn) -> Event:
    """Draw events of every kind, with values that a library can hold and values that it cannot."""
    sound_id, stamp = draw(any_ids), draw(any_stamps)
    match draw(st.integers(0, 7)):
        case 0:
            record = make_record(7) | {"id": sound_id} if draw(st.booleans()) else {"id": draw(any_ids)}
            return Seen(sound_id, record | draw(st.dictionaries(names, any_values, max_size=3)), stamp)
        case 1:
            pairs = draw(st.lists(st.tuples(any_ids, any_scores), max_size=4))
            how: Any = draw(st.sampled_from(["server", "computed", None]))
            space: Any = draw(st.sampled_from(["laion_clap", "freesound_classic", "elsewhere", None]))
            limit: Any = draw(st.sampled_from([0, 25, -1, HUGE, True, None]))
            text: Any = draw(st.sampled_from(["", "\ud800", 5]))
            return Linked(sound_id, SimilarList(tuple(pairs), stamp, limit, space, text, how))
        case 2:
            return Known(sound_id, stamp)
        case 3:
            return Gone(sound_id, stamp)
        case 4:
            return Withdrawn(sound_id, stamp)
        case 5:
            relation: Any = draw(st.sampled_from(["pack", "", "\ud800", 5, None]))
            weight: Any = draw(st.sampled_from([None, 0.5, -1e300, 3, True, "1", float("nan"), float("-inf")]))
            return Related(sound_id, draw(any_ids), relation, stamp, weight)
        case 6:
            return Seeded(tuple(draw(st.lists(any_ids, max_size=3))))
    return draw(events())


@quick
@given(st.lists(any_events(), max_size=14))
def test_what_is_accepted_gives_a_checkpoint_that_the_reader_takes(history: list[Event]) -> None:
    accepted = [event for event in history if not find_problem(event)]
    state = make_state(accepted)
    read = decode_checkpoint(b"".join(encode_checkpoint(state))).state
    # By their digests: a NaN equals nothing, not even itself.
    assert digest_of(read) == digest_of(state)
    # As the journal gives them back they are the same, and none is dropped.
    dropped = Dropped()
    assert repr(decode_events(encode_events(accepted), dropped)) == repr(accepted)
    assert not dropped


@quick
@given(any_events())
def test_what_is_refused_leaves_journal_state_and_files_as_they_were(event: Event) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_store(folder, source=SOURCE) as store:
            grow(store, make_events(3))
            before = names_in(folder)
            content = digest_of(store.state)
            if find_problem(event):
                with pytest.raises(EventRefused, match="nothing of this commit was saved"):
                    store.append([Known(99, 1), event])
                assert (names_in(folder), digest_of(store.state)) == (before, content)
            else:
                store.append([event])
                store.state.apply(event)
                content = digest_of(store.state)
                store.checkpoint(backup=True)
        contents = load_contents(folder / JOURNAL)
        assert contents is not None
        assert not contents.dropped
        assert not contents.damage
        with open_store(folder) as store:
            assert digest_of(store.state) == content
            assert store.notices == []


@quick
@given(st.lists(any_events(), max_size=8))
def test_what_an_old_journal_holds_is_kept_as_far_as_a_library_can_hold_it(history: list[Event]) -> None:
    body = encode_events(list(filter(_was_ever_written, history)))
    dropped = Dropped()
    kept = decode_events(body, dropped)
    assert all(not find_problem(event) for event in kept)
    assert bool(dropped) == any(map(find_problem, decode_again(body)))
    decode_checkpoint(b"".join(encode_checkpoint(make_state(kept))))


def _was_ever_written(event: Event) -> bool:
    try:
        encode_events([event])
    except (ValueError, TypeError, RecursionError):
        return False
    return True


LIST = SimilarList(((4, 0.9),), NOW_US, 25)
REFUSED: list[Event] = [
    Known(0, 1),
    Known(2**53, 1),
    Known(1, LATEST_US + 1),
    Gone(1, -1),
    Withdrawn(True, 1),
    Related(1, 0, "pack", 1),
    Related(1, 2, None, 1),  # type: ignore[arg-type]  # the wrong type is the case
    Related(1, 2, "pack", 1, float("inf")),
    Related(1, 2, "pack", 1, 3),
    Seeded((1, -5)),
    Linked(1, replace(LIST, neighbours=((4, 0.9), (0, 0.8)))),
    Linked(1, replace(LIST, neighbours=((4, 0.9), (5, 1.5)))),
    Linked(1, replace(LIST, neighbours=((4, 0.9), (5, float("nan"))))),
    Linked(1, replace(LIST, neighbours=((4, 1),))),
    Linked(1, replace(LIST, space="elsewhere")),
    Linked(1, replace(LIST, limit=-1)),
    Linked(1, replace(LIST, linked_at=-1)),
    Seen(1, {"id": 2}, 1),
    Seen(1, {"x": 2**64}, 1),
    Seen(1, {"x": -(2**63) - 1}, 1),
    Seen(1, {"x": _deep(100)}, 1),
    Seen(1, {"x": _endless()}, 1),
    Seen(1, {"x": {1: 2}}, 1),
    Seen(1, {"x": b"bytes"}, 1),
    Seen(1, {5: "x"}, 1),  # type: ignore[dict-item]  # the wrong type is the case
]


@pytest.mark.parametrize("event", REFUSED, ids=range(len(REFUSED)))
def test_each_rule_refuses_what_breaks_it_alone(event: Event) -> None:
    assert not find_problem(Known(1, LATEST_US))
    assert not find_problem(Linked(1, LIST))
    assert not find_problem(Seen(1, {"id": 1, "x": [2**64 - 1, -(2**63), _deep(98)]}, 0))
    assert find_problem(event)


def decode_again(body: bytes) -> list[Event]:
    """Return the events of a row as they stand in it, whatever they hold."""
    return list(map(_event, json.loads(zlib.decompress(body[1:]))))


def test_of_an_event_only_what_is_invalid_is_dropped() -> None:
    similar = SimilarList(((4, 0.9), (0, 0.8), (5, 2.0)), NOW_US, 25)
    dropped, record = Dropped(), {"id": 7, "x": 2**64}
    kept = decode_events(
        encode_events(
            [
                Seeded((1, 0)),
                Seeded((-5,)),
                Known(2, NOW_US),
                Linked(3, similar),
                Seen(7, record, NOW_US),
            ]
        ),
        dropped,
    )
    assert kept == [
        Seeded((1,)), Known(2, NOW_US), Linked(3, replace(similar, neighbours=((4, 0.9),))),
        Seen(7, {"id": 7, "x": None}, NOW_US),
    ]  # fmt: skip
    assert str(dropped).startswith("2 invalid sound ids (0, -5) and 2 invalid values (")


@pytest.mark.parametrize(
    ("deferrals", "undeferred", "notes"),
    [
        ([Deferral(0, "x", 1, 5)], [], []),
        ([Deferral(1, "x", 2**80, 5)], [], []),
        ([Deferral(1, "x", 1, LATEST_US + 1)], [], []),
        ([], [HUGE], []),
        ([], [], [Note("topic", HUGE, "x")]),
        ([], [], [Note("topic", 1, "\ud800")]),
    ],
)
def test_what_is_local_to_the_machine_is_judged_too(
    tmp_path: Path, deferrals: list[Deferral], undeferred: list[int], notes: list[Note]
) -> None:
    with open_store(tmp_path) as store:
        with pytest.raises(EventRefused):
            store.append([Known(1, 1)], deferrals, undeferred, notes)
        assert store.unsaved == 0


@pytest.mark.parametrize(
    "history",
    [
        [Seen(1, {"id": 1, "x": [[] for _ in range(100_000)]}, 5)],
        [Seen(i, {"id": i, "x": [[[[None]]]] * 50}, 5) for i in range(1, 1000)],
        [Seen(1, {"id": 1, "x": "a" * 20_000_000}, 5)],
        [Seen(i, {"id": i, "description": "a" * 100_000}, 5) for i in range(1, 300)],
        [Seen(i, {"id": i, "x": [2**63 + k for k in range(100)]}, 5) for i in range(1, 60)],
    ],
    ids=["many empty lists", "many nested lists", "one long text", "the same long text", "many long numbers"],
)
def test_what_looks_like_a_bomb_but_is_a_record_can_be_read_back(history: list[Event]) -> None:
    state = make_state(history)
    assert content_of(decode_checkpoint(b"".join(encode_checkpoint(state))).state) == content_of(state)
