"""Small states and libraries for the tests of the disk floor."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harvester.graph import SoundGraph
from harvester.library.store import Store
from harvester.model import (
    CORE_FIELDS,
    Event,
    Linked,
    Seeded,
    Seen,
    SimilarList,
)

NOW_US = 1_790_000_000_000_000
SOURCE = "https://freesound.org/apiv2/"


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
