"""Small states and libraries for the tests of the disk floor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from harvester.graph import SoundGraph
from harvester.library.store import Store
from harvester.model import (
    CORE_FIELDS,
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

NOW_US = 1_790_000_000_000_000
SOURCE = "https://freesound.org/apiv2/"


def files_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return the bytes and the time of change of every file below a folder."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


class FixedClock:
    """A clock that stands where the test puts it."""

    def __init__(self, now_us: int = NOW_US) -> None:
        self.now_us = now_us
        self.now_s = 1000.0

    def time_us(self) -> int:
        return self.now_us

    def monotonic_s(self) -> float:
        return self.now_s

    async def sleep(self, delay_s: float) -> None:
        self.now_s += delay_s


def make_record(sound_id: int, **changes: Any) -> dict[str, Any]:
    """Return a complete record, different for every id."""
    record: dict[str, Any] = dict.fromkeys(CORE_FIELDS)
    record |= {
        "id": sound_id,
        "name": f"sound {sound_id}",
        "tags": ["rain", f"tag{sound_id % 3}"],
        "license": "http://creativecommons.org/licenses/by/4.0/",
        "username": f"user{sound_id % 2}",
        "duration": sound_id / 7,
        "num_downloads": sound_id * 1000,
        "previews": {"preview-hq-mp3": f"https://sandbox.invalid/{sound_id}.mp3"},
        "images": {},
    }
    return record | changes


def make_events(count: int, *, first: int = 1, at: int = NOW_US - 10_000_000) -> list[Event]:
    """Return events of `count` sounds, each linked to the two that follow it in a circle."""
    ids = range(first, first + count)
    events: list[Event] = [Seeded((first,))]
    for place, sound_id in enumerate(ids):
        others = [first + (place + step) % count for step in (1, 2) if count > step]
        neighbours = tuple((other, 0.9 - index / 10) for index, other in enumerate(others))
        events.append(Seen(sound_id, make_record(sound_id), at + place))
        events.append(Linked(sound_id, SimilarList(neighbours, at + place, 25)))
    return events


def make_state(events: Sequence[Event]) -> SoundGraph:
    state = SoundGraph(SOURCE)
    for event in events:
        state.apply(event)
    return state


def content_of(state: SoundGraph) -> tuple[Any, ...]:
    """Return everything a state says, comparable whatever the order in which it came."""
    graph = state.graph
    edges = {(a, b): dict(edge) for a, b, edge in graph.edges(data=True)}
    mirrored = {(a, b): dict(edge) for b in graph for a, edge in graph.pred[b].items()}
    assert edges == mirrored
    assert state.edge_count == len(edges)
    return dict(graph.nodes.items()), edges, state.processed, state.seeds, state.source, state.space


def grow(store: Store, events: Sequence[Event]) -> None:
    """Append and apply, as the writer of the ring does."""
    store.append(events)
    for event in events:
        store.state.apply(event)


def open_store(folder: Path, clock: FixedClock | None = None, **options: Any) -> Store:
    return Store.open(folder, clock=clock or FixedClock(), **options)


def reload_content(folder: Path) -> tuple[Any, ...]:
    with open_store(folder) as store:
        return content_of(store.state)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


# --- hypothesis ------------------------------------------------------------------------------------------------------

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
            return Related(
                source_id, source_id + 1, draw(st.sampled_from(["similar", "same user", "", "ü"])), draw(stamps)
            )
    return Seeded(tuple(draw(st.lists(ids, max_size=2))))


def histories_to_join(count: int) -> st.SearchStrategy[list[list[Event]]]:
    """Draw histories of libraries that can be joined: all their lists are of one similarity space."""
    return st.sampled_from(SPACES).flatmap(
        lambda space: st.lists(st.lists(events(space), max_size=14), min_size=count, max_size=count)
    )


histories = histories_to_join(1).map(lambda drawn: drawn[0])
