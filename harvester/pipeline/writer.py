"""THE writer: the one coroutine that owns the graph and makes every outcome durable.

The order is fixed: journal, then graph, then frontier. An outcome counts only once its journal commit returned. While
a checkpoint is encoded in a thread the writer waits for it, so nothing mutates the graph meanwhile. It never calls the
network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from harvester.clock import SECOND_US, Clock, Stop, iso
from harvester.errors import BackupFailed, DiskFull, Stopped
from harvester.model import Event, Gone, Known, Record, Seeded, Seen, is_complete
from harvester.pipeline.changes import Changes
from harvester.pipeline.doubtful import Doubtful
from harvester.pipeline.messages import Entry, FrontierChange, Outcome, SimilarFetched, Start
from harvester.pipeline.outcomes import OutcomeReader
from harvester.pipeline.ports import SoundStore
from harvester.pipeline.progress import Progress
from harvester.pipeline.scope import Scope
from harvester.pipeline.sweep import check_sweep

SPACE_WAIT_S = 60


class Writer:
    """Takes outcomes from the queue until it is told that no more will come.

    `changes` applies what each becomes to the frontier, once it is durable. The plan's `samples_per_commit` bounds how
    many samples share one journal commit; they are taken together only when they wait together, so that one sample
    never waits for another. A run `forever` waits for space on a full disk, as long as `stop` is open: the fetchers
    pause meanwhile, for their answers are bounded.
    """

    def __init__(
        self,
        store: SoundStore,
        scope: Scope,
        changes: Changes,
        *,
        clock: Clock,
        stop: Stop,
        progress: Progress,
    ) -> None:
        self._store = store
        self._state = store.state
        self._scope = scope
        self._plan = scope.plan
        self._changes = changes
        self._outcomes = OutcomeReader(store, scope, clock)
        self._doubtful = Doubtful()
        self._clock = clock
        self._stop = stop
        self._progress = progress

    async def begin(self) -> None:
        """Make the plan's seeds durable, and queue what the run starts with.

        Raises `SettingsError` for a sweep that an earlier run found too large, and that is not permitted.
        """
        sweep, seeds = self._scope.sweep, self._plan.seed_ids
        if sweep is not None:
            check_sweep(sweep, permitted=self._plan.permitted)
            if sweep.restarted:
                self._progress.tell("the journal's note on where the sweep stands is damaged: the sweep begins again")
        if seeds and self._plan.refresh is None:
            now_us = self._clock.time_us()
            known = [Known(sound_id, now_us) for sound_id in seeds if sound_id not in self._state]
            await self._commit([Entry(events=(*known, Seeded(seeds)), changes=(Start(seeds, first=True),))])
        self._changes.apply(self._scope.begin())

    async def run(self, outcomes: asyncio.Queue[Outcome | None]) -> None:
        """Make every outcome durable, until `None` comes out of the queue.

        Errors of the store (`DiskFull`, …) leave as they are: what was committed is safe, the outcome in hand is not
        counted. A cancellation during a commit leaves that commit to finish in its thread.
        """
        while (outcome := await outcomes.get()) is not None:
            batch = [outcome]
            while len(batch) < self._plan.samples_per_commit and not outcomes.empty():
                following = outcomes.get_nowait()
                if following is None:
                    outcomes.put_nowait(None)
                    break
                batch.append(following)
            await self._record(*self._doubtful.sift(batch))
            if self._store.backup_due() or self._store.checkpoint_due():
                await self.checkpoint()

        await self._record(*self._doubtful.rest())

    async def _record(self, changes: Sequence[FrontierChange], outcomes: Sequence[Outcome]) -> None:
        # What is parked or released has nothing to commit.
        self._changes.apply(changes)
        for together in _sharing(outcomes):
            await self._commit([self._outcomes.read(outcome) for outcome in together])

    async def checkpoint(self, *, stopping: bool = False) -> None:
        """Write the snapshot, and a backup when one is due. Nothing mutates the graph until this returns.

        In the middle of a run a backup that is due while no checkpoint is comes alone: each snapshot is written once.
        In the middle of a run a failed backup is told and the run goes on: the journal keeps everything. At the end it
        is raised.
        """
        known, written = len(self._state), None
        try:
            backup = self._store.backup_due(stopping=stopping)
            if backup and not stopping and not self._store.checkpoint_due():
                written = await asyncio.to_thread(self._store.back_up)
            else:
                written = await asyncio.to_thread(self._store.checkpoint, backup=backup)
        except (BackupFailed, DiskFull) as error:
            if stopping or (isinstance(error, DiskFull) and not self._plan.forever):
                raise
            self._progress.tell(f"{error} (the harvest goes on: the journal keeps every sample)")
        finally:
            for line in self._store.notices:
                self._progress.tell(line)
            self._store.notices.clear()
        if len(self._state) > known:
            # A checkpoint that was pulled in under us brought sounds of its own, even if the backup after it failed.
            self._changes.apply(self._scope.admit())
        if written is None:
            return
        kinds = [] if written.unchanged else ["checkpoint"]
        kinds += [] if written.backup is None else ["backup"]
        if not kinds:
            return
        self._progress.checkpoints += not written.unchanged
        self._progress.backups += written.backup is not None
        self._progress.tell(f"{' and '.join(kinds)}: {written.nodes} sounds, {written.size_bytes / 1e3:,.0f} kB")

    async def _append(self, entry: Entry) -> None:
        fresh: set[int] = set()

        def append() -> None:
            # First: once the journal says that a page was read, its vectors must be there.
            if entry.vectors:
                # Windows of a sweep overlap by a second: not every vector of a page is one more.
                fresh.update(sound_id for sound_id in entry.vectors if not self._store.has_vector(sound_id))
                self._store.keep_vectors(entry.vectors)
            self._store.append(entry.events, entry.deferrals, entry.undeferred, entry.notes)

        while True:
            try:
                await asyncio.to_thread(append)
            except DiskFull as error:
                # A failed append has kept nothing: the same outcomes can be tried again once there is room.
                if not self._plan.forever or self._stop.closed:
                    raise
                until = iso(self._clock.time_us() + SPACE_WAIT_S * SECOND_US)
                self._progress.tell(f"waiting for space on the disk, trying again at {until}: {error}")
                with suppress(Stopped):
                    await self._stop.unless_closed(self._clock.sleep(SPACE_WAIT_S))
            else:
                self._progress.vectors += len(fresh)
                return

    async def _commit(self, entries: Sequence[Entry]) -> None:
        """Make entries durable in one transaction, then change graph, deferrals, notes, progress and frontier."""
        together = _joined(entries)
        if together != Entry():
            await self._append(together)
        self._apply(together)
        for entry in entries:
            self._progress.oddities.update(entry.oddities)
            for line in entry.lines:
                self._progress.tell(line)
            self._changes.apply(entry.changes)

    def _apply(self, entry: Entry) -> None:
        progress, state, store = self._progress, self._state, self._store
        nodes, edges = len(state), state.edge_count
        progress.renewed += sum(isinstance(event, Seen) and state.has_record(event.sound_id) for event in entry.events)
        progress.gone += sum(isinstance(event, Gone) for event in entry.events)
        progress.deferred += len(entry.deferrals)
        for event in entry.events:
            state.apply(event)
        for deferral in entry.deferrals:
            store.deferrals[deferral.sound_id] = deferral
        for sound_id in entry.undeferred:
            store.deferrals.pop(sound_id, None)
        for note in entry.notes:
            store.notes.setdefault(note.topic, {})[note.key] = note.text
        progress.new_nodes += len(state) - nodes
        progress.new_edges += state.edge_count - edges


def _sharing(batch: Sequence[Outcome]) -> list[list[Outcome]]:
    """Split outcomes that wait together into those that share a commit: lists do, of which each is another sound's.

    What any other outcome means depends on those before it, which must be in the graph by then.
    """
    groups: list[list[Outcome]] = []
    for outcome in batch:
        if groups and isinstance(outcome, SimilarFetched) and isinstance(groups[-1][-1], SimilarFetched):
            groups[-1].append(outcome)
        else:
            groups.append([outcome])
    return groups


def _joined(entries: Sequence[Entry]) -> Entry:
    """Return what the journal gets of entries that share a commit, as one entry."""
    return Entry(
        events=tuple(_without_repeats(event for entry in entries for event in entry.events)),
        deferrals=tuple(deferral for entry in entries for deferral in entry.deferrals),
        undeferred=tuple(sound_id for entry in entries for sound_id in entry.undeferred),
        notes=tuple(note for entry in entries for note in entry.notes),
        vectors={sound_id: vector for entry in entries for sound_id, vector in entry.vectors.items()},
    )


def _without_repeats(events: Iterable[Event]) -> Iterator[Event]:
    """Give the events of one commit without records that an earlier one of them has brought already.

    `OutcomeReader` compared each answer with the graph before any of them was in it.
    """
    brought: dict[int, Record] = {}
    for event in events:
        if isinstance(event, Seen):
            earlier = brought.setdefault(event.sound_id, event.record)
            if earlier is not event.record and is_complete(earlier) and event.record.keys() <= earlier.keys():
                continue
        yield event
