"""A small world for the pipeline's tests: a catalogue with behaviour and a store in memory. No network, no disk."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harvester.clock import Clock
from harvester.errors import FetchFailed, HarvesterError
from harvester.graph import SoundGraph
from harvester.model import CORE_FIELDS, Deferral, Event, Note, Notes, Record, RecordsPage, SimilarPage, Vector


def make_record(sound_id: int, **fields: object) -> Record:
    """Return a complete record with plain values, `fields` on top."""
    record: Record = dict.fromkeys(CORE_FIELDS)
    record |= {"id": sound_id, "name": f"sound {sound_id}", "tags": ["a"], "num_downloads": 1000 - sound_id}
    record |= {"created": "2020-01-01T00:00:00Z", "license": "http://creativecommons.org/publicdomain/zero/1.0/"}
    return record | fields


@dataclass
class World:
    """Sounds 1..size in a ring of neighbours (each has the next `reach` ones), answered after `latency_s`.

    `gone`: ids that no answer knows. `fails`: how often a sound's list still fails. `partial`: ids whose record lacks
    a field in lists; `match`: ids that match any filter by which records are asked for. `asked` counts every request
    by kind and sound. No sound has a vector.
    """

    clock: Clock
    size: int = 20
    reach: int = 3
    latency_s: float = 0.1
    gone: set[int] = field(default_factory=set)
    empty: set[int] = field(default_factory=set)
    partial: set[int] = field(default_factory=set)
    match: set[int] = field(default_factory=set)
    fails: dict[int, int] = field(default_factory=dict)
    created: str = "2020-01-01T00:00:00Z"
    asked: Counter[tuple[str, Any]] = field(default_factory=Counter)
    on_wire: int = 0
    most_on_wire: int = 0

    async def _answer(self, kind: str, what: object) -> None:
        self.asked[kind, what] += 1
        self.on_wire += 1
        self.most_on_wire = max(self.most_on_wire, self.on_wire)
        try:
            await asyncio.sleep(self.latency_s)
        finally:
            self.on_wire -= 1

    def record(self, sound_id: int) -> Record:
        return make_record(sound_id, created=self.created)

    def neighbours(self, sound_id: int, limit: int) -> list[int]:
        ring = [(sound_id - 1 + step) % self.size + 1 for step in range(1, self.reach + 1)]
        return [other for other in ring if other not in self.gone and other != sound_id][:limit]

    async def fetch_similar(self, sound_id: int, limit: int, *, filter: str = "") -> SimilarPage:
        await self._answer("similar", sound_id)
        if self.fails.get(sound_id, 0) > 0:
            self.fails[sound_id] -= 1
            raise FetchFailed("the answer is not JSON", b"<html>")
        others = [] if sound_id in self.empty | self.gone else self.neighbours(sound_id, limit)
        records = [self.record(other) for other in others]
        for record in records:
            if record["id"] in self.partial:
                del record["previews"]
        scored = tuple((other, 1 - place / 100) for place, other in enumerate(others))
        return SimilarPage(sound_id, scored, tuple(records), len(others), self.clock.time_us())

    async def fetch_records(
        self, sound_ids: tuple[int, ...], *, filter: str = "", vectors: bool = False
    ) -> RecordsPage:
        await self._answer("matches" if filter else "records", sound_ids)
        found = [i for i in sound_ids if i <= self.size and i not in self.gone and (not filter or i in self.match)]
        records = tuple(self.record(sound_id) for sound_id in found)
        return RecordsPage(records, len(found), has_next=False, fetched_at=self.clock.time_us())

    async def fetch_sound(self, sound_id: int) -> Record | None:
        await self._answer("sound", sound_id)
        return self.record(sound_id) if sound_id <= self.size and sound_id not in self.gone else None

    async def search(
        self, *, query: str, filter: str, sort: str, page: int, page_size: int, vectors: bool = False
    ) -> RecordsPage:
        await self._answer("search", page)
        page_size = min(page_size, 5)
        hits = [i for i in range(1, self.size + 1) if i not in self.gone][(page - 1) * page_size : page * page_size]
        has_next = page * page_size < self.size - len(self.gone)
        return RecordsPage(tuple(map(self.record, hits)), self.size, has_next, self.clock.time_us())


@dataclass(frozen=True)
class MemoryCheckpoint:
    nodes: int
    size_bytes: int = 0
    backup: object = None
    unchanged: bool = False


@dataclass(frozen=True)
class Step:
    """What one checkpoint or backup of a `MemoryStore` meets.

    `pulled` is the content of a file that another program put in the checkpoint's place. It is merged first, with a
    notice, and stays merged when an `error` ends the step.
    """

    pulled: tuple[Event, ...] = ()
    notices: tuple[str, ...] = ()
    error: HarvesterError | None = None
    unchanged: bool = False


class MemoryStore:
    """A store that keeps what was appended, and can fail on demand. `log` tells the order of what happened.

    A checkpoint is due after `checkpoint_every` commits, a backup after `backup_every` new sounds. Each of them takes
    the next step of the `script`; when there is none left, it succeeds.
    """

    def __init__(
        self,
        state: SoundGraph | None = None,
        *,
        checkpoint_every: int | None = None,
        backup_every: int | None = None,
        script: Iterable[Step] = (),
    ) -> None:
        self.state = state or SoundGraph()
        self.deferrals: dict[int, Deferral] = {}
        self.notes: Notes = {}
        self.kept_notes: list[Note] = []
        self.kept_deferrals: dict[int, Deferral] = {}
        self.notices: list[str] = []
        self.journal: list[Event] = []
        self.vectors: dict[int, Vector] = {}
        self.log: list[str] = []
        self.fail_append: Exception | None = None
        self.fail_after = 0
        self._checkpoint_every, self._backup_every, self._script = checkpoint_every, backup_every, iter(script)
        self._commits, self._backup_nodes = 0, len(self.state)

    def append(
        self,
        events: Sequence[Event],
        deferrals: Sequence[Deferral] = (),
        undeferred: Sequence[int] = (),
        notes: Sequence[Note] = (),
    ) -> None:
        if self.fail_append is not None and len(self.journal) >= self.fail_after:
            raise self.fail_append
        self.journal.extend(events)
        self.kept_notes.extend(notes)
        for sound_id in undeferred:
            self.kept_deferrals.pop(sound_id, None)
        self.kept_deferrals.update({one.sound_id: one for one in deferrals})
        self._commits += 1
        self.log.append(f"append {len(events)}")

    def has_vector(self, sound_id: int) -> bool:
        return sound_id in self.vectors

    def keep_vectors(self, vectors: Mapping[int, Vector]) -> None:
        self.log.append(f"vectors {len(vectors)}")
        self.vectors |= vectors

    def checkpoint_due(self) -> str:
        return "many commits" if self._checkpoint_every is not None and self._commits >= self._checkpoint_every else ""

    def backup_due(self, *, stopping: bool = False) -> str:
        fresh = len(self.state) - self._backup_nodes
        return "new sounds" if self._backup_every is not None and fresh >= self._backup_every else ""

    def checkpoint(self, *, backup: bool) -> MemoryCheckpoint:
        return self._write(next(self._script, Step()), checkpoint=True, backup=backup)

    def back_up(self) -> MemoryCheckpoint:
        step = next(self._script, Step())
        return self._write(step, checkpoint=bool(step.pulled), backup=True)

    def _write(self, step: Step, *, checkpoint: bool, backup: bool) -> MemoryCheckpoint:
        kinds = [kind for kind, wanted in (("checkpoint", checkpoint), ("backup", backup)) if wanted]
        self.log.append(" and ".join(kinds))
        if checkpoint:
            self._commits = 0
        before = len(self.state)
        for event in step.pulled:
            self.state.apply(event)
        joined = len(self.state) - before
        if step.pulled:
            self.notices.append(f"another program replaced the checkpoint: it was merged, {joined} sounds are new")
            backup = True  # as `library.Store` does: the foreign state is in no backup of ours yet
        self.notices += step.notices
        if step.error is not None:
            raise step.error
        if backup:
            self._backup_nodes = len(self.state)
        return MemoryCheckpoint(
            nodes=len(self.state),
            size_bytes=3000 if checkpoint else 2000,
            backup="a file" if backup else None,
            unchanged=step.unchanged or not checkpoint,
        )
