"""THE writer: the one coroutine that owns the graph and makes every outcome durable.

The order is fixed: journal, then graph, then frontier. An outcome counts only once its journal commit returned. While
a checkpoint is encoded in a thread the writer waits for it, so nothing mutates the graph meanwhile. It never calls the
network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from harvester.clock import SECOND_US, Clock, Stop, iso
from harvester.errors import BackupFailed, DiskFull, Stopped
from harvester.model import Deferral, Event, Note, Seen, Vector
from harvester.pipeline.doubtful import Doubtful
from harvester.pipeline.meaning import Meaning
from harvester.pipeline.messages import Entry, Outcome, SimilarFetched, Store
from harvester.pipeline.news import without_repeats
from harvester.pipeline.progress import Progress
from harvester.settings import SAMPLES_PER_COMMIT

SPACE_WAIT_S = 60


class Writer:
    """Takes outcomes from the queue until it is told that no more will come.

    `meaning` tells what each becomes, `doubtful` which failures must wait. `samples_per_commit` bounds how many samples
    share one journal commit; they are taken together only when they wait together, so that one sample never waits for
    another. `admit` takes up what a pulled checkpoint brought. With `waits_for_space` a full disk is waited for, as
    long as `stop` is open: the fetchers pause meanwhile, for their answers are bounded.
    """

    def __init__(
        self,
        store: Store,
        meaning: Meaning,
        doubtful: Doubtful,
        *,
        clock: Clock,
        progress: Progress,
        admit: Callable[[], None],
        stop: Stop,
        waits_for_space: bool = False,
        samples_per_commit: int = SAMPLES_PER_COMMIT,
    ) -> None:
        self._store = store
        self._state = store.state
        self._progress = progress
        self._meaning = meaning
        self._doubtful = doubtful
        self._admit = admit
        self._clock = clock
        self._stop = stop
        self._waits_for_space = waits_for_space
        self._samples_per_commit = samples_per_commit

    async def run(self, outcomes: asyncio.Queue[Outcome | None]) -> None:
        """Make every outcome durable, until `None` comes out of the queue.

        Errors of the store (`DiskFull`, …) leave as they are: what was committed is safe, the outcome in hand is not
        counted. A cancellation during a commit leaves that commit to finish in its thread.
        """
        while (outcome := await outcomes.get()) is not None:
            batch = [outcome]
            while len(batch) < self._samples_per_commit and not outcomes.empty():
                following = outcomes.get_nowait()
                if following is None:
                    outcomes.put_nowait(None)
                    break
                batch.append(following)
            await self._record(self._doubtful.sift(batch))
            if self._store.backup_due() or self._store.checkpoint_due():
                await self.checkpoint()

        await self._record(self._doubtful.rest())

    async def _record(self, outcomes: Sequence[Outcome]) -> None:
        for together in _sharing(outcomes):
            await self._commit([self._meaning.of(outcome) for outcome in together])

    async def begin(self, seeds: Sequence[int], events: Sequence[Event]) -> None:
        """Make explicit seeds durable and put them at the head of the frontier."""
        entry = Entry(events=list(events), then=lambda: self._meaning.start_from(seeds))
        await self._commit([entry])

    async def checkpoint(self, *, stopping: bool = False) -> None:
        """Write the snapshot, and a backup when one is due. Nothing mutates the graph until this returns.

        In the middle of a run a backup that is due while no checkpoint is comes alone: each snapshot is written once.
        In the middle of a run a failed backup is told and the run goes on: the journal keeps everything. At the end it
        is raised.
        """
        try:
            backup = self._store.backup_due(stopping=stopping)
            if backup and not stopping and not self._store.checkpoint_due():
                written = await asyncio.to_thread(self._store.back_up)
            else:
                written = await asyncio.to_thread(self._store.checkpoint, backup=backup)
        except (BackupFailed, DiskFull) as error:
            if stopping or (isinstance(error, DiskFull) and not self._waits_for_space):
                raise
            self._progress.tell(f"{error} (the harvest goes on: the journal keeps every sample)")
            return
        finally:
            for line in self._store.notices:
                self._progress.tell(line)
            self._store.notices.clear()
        if written.joined:
            # A checkpoint that was pulled in under us brought sounds of its own.
            self._admit()
        kinds = [] if written.unchanged else ["checkpoint"]
        kinds += [] if written.backup is None else ["backup"]
        if not kinds:
            return
        self._progress.checkpoints += not written.unchanged
        self._progress.backups += written.backup is not None
        self._progress.tell(f"{' and '.join(kinds)}: {written.nodes} sounds, {written.size_bytes / 1e3:,.0f} kB")

    async def _append(
        self,
        events: list[Event],
        deferrals: list[Deferral],
        undeferred: list[int],
        notes: list[Note],
        vectors: Mapping[int, Vector],
    ) -> None:
        fresh: set[int] = set()

        def append() -> None:
            # First: once the journal says that a page was read, its vectors must be there.
            if vectors:
                # Windows of a sweep overlap by a second: not every vector of a page is one more.
                fresh.update(sound_id for sound_id in vectors if not self._store.has_vector(sound_id))
                self._store.keep_vectors(vectors)
            self._store.append(events, deferrals, undeferred, notes)

        while True:
            try:
                await asyncio.to_thread(append)
            except DiskFull as error:
                # A failed append has kept nothing: the same outcomes can be tried again once there is room.
                if not self._waits_for_space or self._stop.closed:
                    raise
                until = iso(self._clock.time_us() + SPACE_WAIT_S * SECOND_US)
                self._progress.tell(f"waiting for space on the disk, trying again at {until}: {error}")
                with suppress(Stopped):
                    await self._stop.unless_closed(self._clock.sleep(SPACE_WAIT_S))
            else:
                self._progress.vectors += len(fresh)
                return

    async def _commit(self, entries: Sequence[Entry]) -> None:
        events = without_repeats(event for entry in entries for event in entry.events)
        deferrals = [one for entry in entries for one in entry.deferrals]
        undeferred = [sound_id for entry in entries for sound_id in entry.undeferred]
        notes = [note for entry in entries for note in entry.notes]
        vectors = {sound_id: vector for entry in entries for sound_id, vector in entry.vectors.items()}
        if events or deferrals or undeferred or notes or vectors:
            await self._append(events, deferrals, undeferred, notes, vectors)
        nodes, edges = len(self._state), self._state.edge_count
        self._progress.renewed += sum(
            isinstance(event, Seen) and self._state.has_record(event.sound_id) for event in events
        )
        for event in events:
            self._state.apply(event)
        for deferral in deferrals:
            self._store.deferrals[deferral.sound_id] = deferral
        for sound_id in undeferred:
            self._store.deferrals.pop(sound_id, None)
        for note in notes:
            self._store.notes.setdefault(note.topic, {})[note.key] = note.text
        self._progress.new_nodes += len(self._state) - nodes
        self._progress.new_edges += self._state.edge_count - edges
        for entry in entries:
            entry.then()


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
