"""Make every outcome durable; the writer alone changes the graph.

The order is fixed: journal, graph, frontier. An outcome counts only once its journal commit has returned. The writer
waits while a thread writes a checkpoint, so that the graph stays unchanged. It never uses the network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from harvester.clock import SECOND_US, Clock, Stop, local
from harvester.counts import counted
from harvester.errors import BackupFailed, DiskFull, Stopped
from harvester.model import Event, Gone, Known, Linked, Record, Seeded, Seen, is_complete
from harvester.pipeline.changes import Changes
from harvester.pipeline.doubtful import Doubtful
from harvester.pipeline.messages import Entry, FrontierChange, Outcome, SimilarFetched, Start
from harvester.pipeline.outcomes import OutcomeReader
from harvester.pipeline.ports import SoundStore
from harvester.pipeline.progress import Progress
from harvester.pipeline.scope import Scope
from harvester.pipeline.sweep import check_sweep
from harvester.told import Level

SPACE_WAIT_S = 60


class Writer:
    """Takes outcomes from the queue and makes them durable.

    `changes` applies each outcome to the frontier once it is durable. At most the plan's `samples_per_commit` samples
    share a journal commit, and only samples that are in the queue together: none waits for another. A run `forever`
    waits for space on a full disk while `stop` is open; the fetchers pause because the queue is bounded.
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
        """Make the plan's seeds durable and queue the first sounds.

        Raises `SettingsError` if an earlier run found the sweep too large and it is not permitted.
        """
        sweep, seeds = self._scope.sweep, self._plan.seed_ids
        if sweep is not None:
            check_sweep(sweep, permitted=self._plan.permitted)
            if sweep.restarted:
                self._progress.tell(
                    "the journal's note on the place of the sweep is corrupt: the sweep starts again, no sound is lost"
                )
        if seeds and self._plan.refresh is None:
            now_us = self._clock.time_us()
            known = [Known(sound_id, now_us) for sound_id in seeds if sound_id not in self._state]
            await self._commit([Entry(events=(*known, Seeded(seeds)), changes=(Start(seeds, first=True),))])
        self._changes.apply(self._scope.begin())

    async def run(self, outcomes: asyncio.Queue[Outcome | None]) -> None:
        """Make every outcome durable until the queue gives `None`.

        Raises the store's errors (`DiskFull`, …): committed outcomes are safe, the current one is not counted. A commit
        that is cancelled finishes in its thread.
        """
        while (outcome := await outcomes.get()) is not None:
            batch = [outcome]
            while len(batch) < self._plan.samples_per_commit and not outcomes.empty():
                following = outcomes.get_nowait()
                if following is None:
                    outcomes.put_nowait(None)
                    break
                batch.append(following)
            await self._record(*self._doubtful.separate(batch))
            if self._store.backup_due() or self._store.checkpoint_due():
                await self.checkpoint()

        await self._record(*self._doubtful.drain())

    async def _record(self, changes: Sequence[FrontierChange], outcomes: Sequence[Outcome]) -> None:
        # Parked and released claims have nothing to commit.
        self._changes.apply(changes)
        for together in _group_by_commit(outcomes):
            await self._commit([self._outcomes.read(outcome) for outcome in together])

    async def checkpoint(self, *, stopping: bool = False) -> None:
        """Write a checkpoint, and a backup when one is due.

        The graph does not change until this returns. During a run a backup may be written alone, when no checkpoint is
        due; a failed backup is told and the run continues, since the journal keeps everything. At the end of the run
        (`stopping`) a failure is raised.
        """
        known, written = len(self._state), None
        try:
            backup, checkpoint = self._store.backup_due(stopping=stopping), self._store.checkpoint_due()
            for kind, why in (("checkpoint", checkpoint or ("the run ends" if stopping else "")), ("backup", backup)):
                if why:
                    self._progress.tell(f"{kind} due: {why}", Level.DECISION, "due", what=kind, reason=why)
            if backup and not stopping and not checkpoint:
                written = await asyncio.to_thread(self._store.back_up)
            else:
                written = await asyncio.to_thread(self._store.checkpoint, backup=bool(backup))
        except (BackupFailed, DiskFull) as error:
            if stopping or (isinstance(error, DiskFull) and not self._plan.forever):
                raise
            self._progress.tell(f"{error} (the harvest continues)")
        finally:
            for line in self._store.notices:
                self._progress.tell(line)
            self._store.notices.clear()
        if len(self._state) > known:
            # The merged checkpoint of another program brought new sounds, even if the backup after it failed.
            self._changes.apply(self._scope.admit())
        if written is None:
            return
        kinds = [] if written.unchanged else ["checkpoint"]
        kinds += [] if written.backup is None else ["backup"]
        if not kinds or not written.nodes:  # one without a sound is removed at the end
            return
        self._progress.checkpoints += not written.unchanged
        self._progress.tell(
            f"{' and '.join(kinds)}: {counted(written.nodes, 'sound')}, {written.size_bytes / 1e3:,.0f} kB",
            Level.INFO, "written", what=" and ".join(kinds), sounds=written.nodes, bytes=written.size_bytes,
        )  # fmt: skip

    async def _append(self, entry: Entry) -> None:
        fresh: set[int] = set()

        def append() -> None:
            # Vectors first: once the journal says that a page was read, its vectors must be there.
            if entry.vectors:
                # Windows of a sweep overlap by a second: not every vector of a page is new.
                fresh.update(sound_id for sound_id in entry.vectors if not self._store.has_vector(sound_id))
                self._store.keep_vectors(entry.vectors)
            self._store.append(entry.events, entry.deferrals, entry.undeferred, entry.notes)

        while True:
            try:
                await asyncio.to_thread(append)
            except DiskFull as error:
                # A failed append keeps nothing: the same outcomes can be retried once there is room.
                if not self._plan.forever or self._stop.closed:
                    raise
                until_us = self._clock.time_us() + SPACE_WAIT_S * SECOND_US
                self._progress.tell(f"waiting for space on the disk, retrying at {local(until_us)}: {error}")
                with suppress(Stopped):
                    await self._stop.unless_closed(self._clock.sleep(SPACE_WAIT_S))
            else:
                self._progress.vectors += len(fresh)
                return

    async def _commit(self, entries: Sequence[Entry]) -> None:
        """Journal entries in one transaction, then apply them.

        This alone counts the samples of a run: the sounds that an entry made processed. A sound that a merge, an
        earlier run or the replay of the journal made processed was so before, and is not counted.
        """
        together = _combine(entries)
        if together != Entry():
            await self._append(together)
            self._tell_commit(together)
        unprocessed = _may_process(together) - self._state.processed
        self._apply(together)
        made = unprocessed & self._state.processed
        for entry in entries:
            of_entry = made & _may_process(entry)
            made -= of_entry
            self._changes.count_processed(len(of_entry))
            self._progress.oddities.update(entry.oddities)
            for line in entry.lines:
                self._progress.tell(line)
            self._changes.apply(entry.changes)

    def _tell_commit(self, entry: Entry) -> None:
        counts = {"events": len(entry.events), "deferrals": len(entry.deferrals), "notes": len(entry.notes)}
        said = ", ".join(counted(count, what.removesuffix("s")) for what, count in counts.items() if count)
        self._progress.tell(f"journal commit: {said or 'ended deferrals'}", Level.DETAIL, "commit", **counts)

    def _apply(self, entry: Entry) -> None:
        progress, state, store = self._progress, self._state, self._store
        nodes, edges = len(state), state.edge_count
        progress.renewed += sum(isinstance(event, Seen) and state.has_record(event.sound_id) for event in entry.events)
        progress.deleted += [event.sound_id for event in entry.events if isinstance(event, Gone)]
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


def _may_process(entry: Entry) -> set[int]:
    """Return the sounds that get a record or a list."""
    return {event.sound_id for event in entry.events if isinstance(event, (Seen, Linked))}


def _group_by_commit(batch: Sequence[Outcome]) -> list[list[Outcome]]:
    """Split outcomes into groups that share a commit: similar lists do.

    The meaning of any other outcome depends on those before it, so the graph must have them first.
    """
    groups: list[list[Outcome]] = []
    for outcome in batch:
        if groups and isinstance(outcome, SimilarFetched) and isinstance(groups[-1][-1], SimilarFetched):
            groups[-1].append(outcome)
        else:
            groups.append([outcome])
    return groups


def _combine(entries: Sequence[Entry]) -> Entry:
    """Return one entry with everything that these entries journal."""
    return Entry(
        events=tuple(_without_repeats(event for entry in entries for event in entry.events)),
        deferrals=tuple(deferral for entry in entries for deferral in entry.deferrals),
        undeferred=tuple(sound_id for entry in entries for sound_id in entry.undeferred),
        notes=tuple(note for entry in entries for note in entry.notes),
        vectors={sound_id: vector for entry in entries for sound_id, vector in entry.vectors.items()},
    )


def _without_repeats(events: Iterable[Event]) -> Iterator[Event]:
    """Yield the events without records that an earlier event has.

    `OutcomeReader` compared all answers of the commit with the same graph.
    """
    brought: dict[int, Record] = {}
    for event in events:
        if isinstance(event, Seen):
            earlier = brought.setdefault(event.sound_id, event.record)
            if earlier is not event.record and is_complete(earlier) and event.record.keys() <= earlier.keys():
                continue
        yield event
