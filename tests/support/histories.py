"""Histories of small libraries for Hypothesis to draw.

They are apart from `samples`, because a process that imports those starts sooner without Hypothesis.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from harvester.model import (
    SPACES,
    Event,
    Gone,
    Known,
    Linked,
    Related,
    Seeded,
    Seen,
    SimilarList,
    Withdrawn,
)
from tests.support.samples import make_record

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine is shared and the first draw loads Unicode's tables: time says nothing about these laws."""

ids = st.integers(1, 12)
stamps = st.integers(1, 40)
leaves = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
    | st.text(max_size=6) | st.sampled_from(["", "a", "\ud800", "same", "x" * 300])
)  # fmt: skip
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
extras = st.dictionaries(st.sampled_from(["md5", "pack_name", "bpm", "zz"]), values, max_size=3)


@st.composite
def records(draw: st.DrawFn, sound_id: int) -> dict[str, Any]:
    if draw(st.booleans()):
        record = make_record(sound_id, name=draw(st.sampled_from(["a", "b", "ü"])))
    else:
        record = {"id": sound_id, "name": draw(st.text(max_size=3))}
    return record | draw(extras)


@st.composite
def similar_lists(draw: st.DrawFn, sound_id: int, space: str) -> SimilarList:
    targets = draw(st.lists(ids, unique=True, max_size=4))
    pairs = [(target, draw(st.sampled_from([0.7, 0.8, 1.0]))) for target in targets if target != sound_id]
    pairs.sort(key=lambda pair: (-pair[1], pair[0]))
    how = draw(st.sampled_from(["server", "computed"]))
    return SimilarList(
        tuple(pairs),
        draw(stamps),
        draw(st.sampled_from([5, 25])),
        space,
        filter=draw(st.sampled_from(["", "type:wav"])),
        origin=how,
    )


@st.composite
def events(draw: st.DrawFn, space: str = SPACES[0]) -> Event:
    """Draw an event of any kind; its list is of the similarity space."""
    sound_id = draw(ids)
    match draw(st.integers(0, 6)):
        case 0:
            return Seen(sound_id, draw(records(sound_id)), draw(stamps))
        case 1:
            return Linked(sound_id, draw(similar_lists(sound_id, space)))
        case 2:
            return Known(sound_id, draw(stamps))
        case 3:
            return Gone(sound_id, draw(stamps))
        case 4:
            return Withdrawn(sound_id, draw(stamps))
        case 5:
            # Of three edges only, so that two events of a short history often concern the same one.
            source_id = draw(st.integers(1, 3))
            relation, weight = (
                st.sampled_from(["similar", "same user", "", "ü"]),
                st.sampled_from([None, 0.5, -0.0, 0.0, 3.0]),
            )
            return Related(source_id, source_id + 1, draw(relation), draw(stamps), draw(weight))
    return Seeded(tuple(draw(st.lists(ids, max_size=2))))


def touched_by(event: Event) -> set[int]:
    """Return the sounds of which an event may change anything."""
    match event:
        case Linked():
            return {event.sound_id, *(one for one, _ in event.similar.neighbours)}
        case Related():
            return {event.sound_id, event.target_id}
        case Seeded():
            return set()
    return {event.sound_id}


def histories_to_join(count: int) -> st.SearchStrategy[list[list[Event]]]:
    """Draw histories of libraries that can be joined: all their lists are of one similarity space."""
    return st.sampled_from(SPACES).flatmap(
        lambda space: st.lists(st.lists(events(space), max_size=14), min_size=count, max_size=count)
    )


histories = histories_to_join(1).map(lambda drawn: drawn[0])
