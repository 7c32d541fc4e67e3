"""Decide the order of sounds and lists in a checkpoint.

Owns how it is found, with what the file says of all sounds, without looking at each: both are known of the last file,
and only changed sounds are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from harvester.graph import STAMPS, SoundGraph


@dataclass(frozen=True, slots=True)
class FileLayout:
    """The order of a file: all ids, and those with a list or edges.

    `bare`: ids of sounds without a record. `latest_us`: the latest stamp of all, in microseconds UTC, or 0.
    """

    order: list[int]
    listed: list[int]
    bare: set[int]
    latest_us: int


def layout_of(state: SoundGraph, last: FileLayout | None = None) -> FileLayout:
    """Return the layout of a state's file.

    `last` is that of the file that the state had when `state.changed` was empty; the result is the same without it.
    """
    if last is None:
        bare = {sound_id for sound_id, stamp in state.graph.stamps("fetched_at") if stamp is None}
        return FileLayout(canonical_order(state), linked_order(state), bare, latest_stamp(state))
    value, changed = state.graph.value, state.changed
    touched = changed.all()
    listed = ((value(one, "linked_at"), one) for one in changed.added | changed.lists)
    latest_us = max((value(one, name) or 0 for one in touched for name in STAMPS), default=last.latest_us)
    return FileLayout(
        _in_order(last.order, changed.added, lambda one: (value(one, "added_at"), one)),
        _in_order(
            last.listed,
            {one for stamp, one in listed if stamp is not None or state.graph.has_out_edges(one)},
            lambda one: (value(one, "linked_at") or 0, one),
        ),
        {one for one in last.bare | touched if value(one, "fetched_at") is None},
        _latest_us(state, last.latest_us, latest_us),
    )


def _latest_us(state: SoundGraph, last_us: int, changed_us: int) -> int:
    """Return the latest stamp, that of the last file and of changes known."""
    # In a known sound, an earlier stamp than the latest may have replaced it.
    if changed_us < last_us and (state.changed.records or state.changed.lists):
        return latest_stamp(state)
    return max(last_us, changed_us)


def _in_order(known: list[int], moved: set[int], key: Callable[[int], tuple[int, int]]) -> list[int]:
    """Return ids in order; all but those `moved` are in order already."""
    kept = known if moved.isdisjoint(known) else [one for one in known if one not in moved]
    new = sorted(map(key, moved))
    if kept and new and new[0] < key(kept[-1]):
        new, kept = sorted([*map(key, kept), *new]), []
    return [*kept, *_ids(new)]


def canonical_order(state: SoundGraph) -> list[int]:
    """Return all ids in the order of the file: by `added_at`, then by id."""
    return _ids(sorted((stamp, sound_id) for sound_id, stamp in state.graph.stamps("added_at")))


def linked_order(state: SoundGraph) -> list[int]:
    """Return ids of sounds with a list or edges, by `linked_at`, then id."""
    has_out_edges = state.graph.has_out_edges
    return _ids(
        sorted(
            (stamp or 0, sound_id)
            for sound_id, stamp in state.graph.stamps("linked_at")
            if stamp is not None or has_out_edges(sound_id)
        )
    )


def _ids(keys: Iterable[tuple[int | None, int]]) -> list[int]:
    return [sound_id for _, sound_id in keys]


def latest_stamp(state: SoundGraph) -> int:
    """Return the latest stamp in a state, in microseconds UTC, or 0."""
    return max((stamp or 0 for name in STAMPS for _, stamp in state.graph.stamps(name)), default=0)
