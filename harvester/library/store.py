"""The store: a library opened by its one writer.

Owns the lock, the journal and the state, and the order on disk: journal, checkpoint, backup, and only then are events
dropped from the journal. `library.checkpoint_file` replaces the checkpoint. Knows nothing of harvesting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from harvester.checkpoint import CheckpointInfo, Encoded
from harvester.clock import Clock
from harvester.counts import counted
from harvester.errors import HarvesterError
from harvester.graph import SoundGraph
from harvester.journal import Journal
from harvester.library.backups import BACKUP_EVERY, KEEP_BACKUPS, Retention, list_backups, save_backup
from harvester.library.beginning import Beginning, is_nothing
from harvester.library.checkpoint_file import CheckpointFile
from harvester.library.load import Loaded, load_state
from harvester.library.presence import has_content, holds_content
from harvester.library.recovery import finish_restore, open_journal, settle_files
from harvester.library.schedule import WritingSchedule
from harvester.library_source import check_source
from harvester.model import Deferral, Event, Note, Notes, Vector
from harvester.settings import COUNT
from harvester.storage import (
    REAL_FILES,
    Files,
    WriterLock,
    disk_errors,
    read_pieces,
    refuse_placeholders,
    sweep_temporaries,
)
from harvester.vectors import Vectors


class Store:
    """A library opened for writing by `Store.open`; a context manager."""

    def __init__(
        self, folder: Path, clock: Clock, files: Files, lock: WriterLock, journal: Journal, loaded: Loaded,
        beginning: Beginning, *, backup_every: int, keep_backups: int,
    ) -> None:  # fmt: skip
        """Use `Store.open`."""
        self.folder = folder
        self.state: SoundGraph = loaded.state
        self.deferrals: dict[int, Deferral] = dict(journal.contents.deferrals)
        self.notes: Notes = {topic: dict(texts) for topic, texts in journal.contents.notes.items()}
        self.notices: list[str] = list(loaded.notices)
        self._clock, self._files, self._lock, self._journal = clock, files, lock, journal
        self._beginning = beginning
        self._something_came = not is_nothing(self.state) or has_content(journal.contents)
        self.vectors = Vectors(folder, clock, files, self.notices)
        own = None if loaded.stand_in else loaded.signature
        # The journal knows this file, and needs no backup of it: harvester has written it, or would write the same. Who
        # brings a file may bring a journal too, so only a walk that has proven the blocks gives their segments.
        is_ours = loaded.digest == journal.head.digest and not journal.head.backup_required
        segments = loaded.segments if own is not None and is_ours else None
        self._file = CheckpointFile(folder, self.state, journal, self.notices, own, segments)
        self._retention = Retention(folder, keep_backups, files)
        self._backup_every = backup_every
        self.unsaved = journal.contents.unsaved
        """The number of events that are in the journal but not yet in the checkpoint."""
        self._unsaved_bytes = journal.contents.unsaved_bytes
        self._one_at_a_time = threading.RLock()
        self._schedule = WritingSchedule(clock)
        self._in_last_file: set[int] = set()
        known = journal.head.backup_nodes or next((backup.nodes for backup in list_backups(folder)), 0)
        self._backup_nodes = min(known, len(self.state))
        journal.contents.rows.clear()  # they are in the state

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        clock: Clock,
        source: str | None = None,
        files: Files = REAL_FILES,
        backup_every: int = BACKUP_EVERY,
        keep_backups: int = KEEP_BACKUPS,
    ) -> Store:
        """Open a library for writing and load its state.

        Creates the folder if it is missing. Loads the checkpoint (or else the newest valid backup, after moving the
        corrupt file to `quarantine/`), then the journal; `notices` says what was repaired. Raises `ValueError` for a
        number out of bounds, `LibraryLocked`, `LibraryUnwritable`, `LibraryCorrupt`, `WrongSource`,
        `LibraryNotFetched`, `NewerFormat` or `DiskFull`; then the lock is released, only corrupt files were moved, and
        where there was no library there is none.
        """
        COUNT.check("backup_every", backup_every)
        COUNT.check("keep_backups", keep_backups)
        now_us = clock.time_us()
        with disk_errors(folder, "nothing was changed"):
            refuse_placeholders(folder)
            beginning = Beginning(folder)
            files.make_folder(folder)
        lock = WriterLock(folder)
        journal: Journal | None = None
        try:
            with disk_errors(folder, "nothing is lost"):
                lock.acquire(now_us)
                beginning.note_files()
                sweep_temporaries(folder)
                notices: list[str] = []
                journal = open_journal(folder, now_us, files, notices)
                finish_restore(folder, journal, files, notices)
                loaded = load_state(folder, journal.contents)
                settle_files(folder, journal, loaded, now_us, files)
                loaded.notices[:0] = notices
                store = cls(
                    folder, clock, files, lock, journal, loaded, beginning,
                    backup_every=backup_every, keep_backups=keep_backups,
                )  # fmt: skip
            if loaded.dropped:
                store.rewrite()
                if loaded.stand_in and loaded.path is not None:
                    files.unlink(loaded.path)  # its copy is in quarantine
            if source is not None:
                store.set_source(source)
        except BaseException:
            if journal is not None:
                journal.close()
            if lock.held and not beginning.had_library:
                beginning.remove_files()
            lock.release()
            beginning.remove_folders()
            raise
        return store

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(keep_nothing=kind is None)

    def close(self, *, keep_nothing: bool = True) -> None:
        """Close the journal and release the lock; safe after any failure.

        Writes no checkpoint. Without `keep_nothing`, a library that `holds_nothing` leaves no file and no folder that
        this store made; a crash before that leaves an empty journal, which counts as no library.
        """
        with self._one_at_a_time:  # wait for a commit that a cancelled task left running in its thread
            self._journal.close()
            if not self._lock.held:
                return
            try:
                if not keep_nothing and self.holds_nothing and not self._file.is_foreign:
                    self._beginning.remove_files()
            finally:
                self._lock.release()
            self._beginning.remove_folders()

    @property
    def holds_nothing(self) -> bool:
        """Whether no sound, list or vector is on disk: at most seeds.

        Not the state decides: after an error or a cancellation it may lack what the journal has, or have more.
        """
        return not self._something_came and not len(self.vectors)

    # --- events ----------------------------------------------------------------------------------------------------

    def append(
        self,
        events: Sequence[Event],
        deferrals: Sequence[Deferral] = (),
        undeferred: Sequence[int] = (),
        notes: Sequence[Note] = (),
    ) -> None:
        """Write events, deferrals and notes to the journal; durable on return.

        All are in one transaction. May be called from a worker thread. Does not change `state`, `deferrals` or `notes`:
        the caller changes them once this returned. Raises `EventRefused` for an invalid value, `DiskFull` or
        `LibraryUnwritable`; then nothing of the call is kept.
        """
        with self._one_at_a_time:
            self._something_came |= holds_content(events)
            self._unsaved_bytes += self._journal.append(events, deferrals, undeferred, notes)
            self.unsaved += len(events)

    def has_vector(self, sound_id: int) -> bool:
        """Tell whether the library has the sound's vector."""
        return sound_id in self.vectors

    def keep_vectors(self, vectors: Mapping[int, Vector]) -> None:
        """Write vectors to the library's vector file; durable on return.

        They are of the library's similarity space. May be called from a worker thread. Raises `DiskFull`,
        `LibraryUnwritable` or `SettingsError`; then nothing of the call is kept.
        """
        with self._one_at_a_time:
            self.vectors.keep(vectors, space=self.state.space, source=self.state.source)

    def set_source(self, source: str) -> None:
        """Set the catalogue that this library comes from, durably.

        Raises `WrongSource` as `check_source` does.
        """
        joined = check_source(self.folder, self.state.source, source)
        with self._one_at_a_time:
            self._journal.update(source=joined)
            self.state.source = joined

    @property
    def last_checkpoint_at(self) -> int | None:
        """Return when the checkpoint was written, in microseconds UTC, or None."""
        if self._journal.head.checkpoint_at is not None:
            return self._journal.head.checkpoint_at
        return self._file.modified_at

    @property
    def checkpoint_size_bytes(self) -> int:
        """Return the size of the checkpoint on disk; 0 when there is none."""
        return self._file.size_bytes

    @property
    def last_backup_at(self) -> int | None:
        """Return when the last verified backup was written (µs UTC), or None."""
        return self._journal.head.backup_at

    # --- checkpoints -----------------------------------------------------------------------------------------------

    def checkpoint_due(self) -> str:
        """Return why a checkpoint is due, or no text."""
        if self._journal.head.backup_required and not self._schedule.failed_lately():
            return "what the library got from other files is in no backup yet"
        sizes = self.unsaved, self._unsaved_bytes, self.checkpoint_size_bytes
        return self._schedule.checkpoint_due(len(self.state), *sizes)

    def backup_due(self, *, stopping: bool = False) -> str:
        """Return why a backup is due, or no text: enough new sounds.

        Unless the run is `stopping`, a backup is postponed while writing would take more than `WRITING_SHARE` of the
        run's time.
        """
        fresh = len(self.state) - self._backup_nodes
        may_write = stopping or (not self._schedule.failed_lately() and self._schedule.can_afford(len(self.state)))
        return (
            f"{counted(fresh, 'sound is', 'sounds are')} in no backup"
            if fresh >= self._backup_every and may_write
            else ""
        )

    def checkpoint(self, *, backup: bool = False) -> CheckpointInfo:
        """Write the checkpoint, with `backup` also a backup; durable on return.

        The backup is verified. The caller must not change the state meanwhile. A foreign checkpoint is merged into
        `state` first (`joined` is the number of sounds it added), and then a backup is always written. An unchanged
        state rewrites nothing. Raises `DiskFull`, `LibraryUnwritable`, or `BackupFailed` when only the backup is
        missing; then the old files and the journal are kept.
        """
        with self._one_at_a_time:
            return self._timed(lambda: self._save(backup=backup))

    def back_up(self) -> CheckpointInfo:
        """Write a verified backup of the state; durable on return.

        The checkpoint is not rewritten. What the checkpoint lacks is then in the backup and in the journal. If the
        checkpoint is missing, foreign, or in no backup yet, it is written too. Raises as `checkpoint` does.
        """
        with self._one_at_a_time:
            head = self._journal.head
            alone = len(self.state) and self._file.is_ours and head.digest and not head.backup_required
            return self._timed(self._back_up_alone) if alone else self.checkpoint(backup=True)

    def ensure_backup(self) -> Path | None:
        """Return a verified backup of the whole state; durable on return.

        It is written unless there is one. None for an empty library. Raises as `checkpoint` does.
        """
        with self._one_at_a_time:
            head = self._journal.head
            complete = head.backed == head.last and not head.backup_required
            held = self._retention.find(head.backup_digest) if complete else None
            return held or (self.back_up().backup if len(self.state) else None)

    def _timed(self, write: Callable[[], CheckpointInfo]) -> CheckpointInfo:
        started_s = self._clock.monotonic_s()
        # Most sounds do not change again once a file has them, and packed they take a third of the memory. Not at once:
        # after the last file of a run that would be for nothing.
        self.state.graph.repack(self._in_last_file)
        self._in_last_file = self.state.changed.all()
        try:
            with disk_errors(self.folder, "the old files and the journal hold everything"):
                info = write()
        except HarvesterError:
            self._schedule.note_failure()
            raise
        if info.backup is not None or not info.unchanged:
            self._schedule.note_written(started_s, info.nodes)
        return info

    def _save(self, *, backup: bool, read_back: bool = False) -> CheckpointInfo:
        info = self._file.save(self._clock.time_us(), self._files, read_back=read_back)
        self.unsaved = self._unsaved_bytes = 0
        self._something_came |= not is_nothing(self.state)
        self._schedule.note_checkpoint()
        head = self._journal.head
        if len(self.state) and (backup or head.backup_required):
            written = self._back_up(read_pieces(self._file.path), self._file.encoded(head.digest), head.saved)
            return replace(info, backup=written)
        self._drop_saved_rows()
        return info

    def _back_up_alone(self) -> CheckpointInfo:
        encoded = Encoded()
        with self._file.chunks(encoded) as chunks:
            path = self._back_up(chunks, encoded, self._journal.head.last)
        return CheckpointInfo(self._file.path, encoded.size_bytes, encoded.nodes, encoded.edges, path, unchanged=True)

    def rewrite(self) -> CheckpointInfo:
        """Write checkpoint and backup in any case; durable on return.

        For repair, merge and import. Such a state did not pass through the journal's checks, so the new checkpoint is
        read back before it replaces the old one. Raises `BackupFailed` if that fails, and then the files are unchanged;
        else as `checkpoint` does.
        """
        with self._one_at_a_time:
            self._journal.update(has_foreign_state=True, backup_required=True)
            return self._timed(lambda: self._save(backup=True, read_back=True))

    def _back_up(self, chunks: Iterable[bytes], encoded: Encoded, backed: int) -> Path:
        """Write a verified backup with the journal's rows up to `backed`."""
        now_us, nodes = self._clock.time_us(), len(self.state)
        path = save_backup(self.folder, chunks, digest=encoded, nodes=nodes, now_us=now_us, files=self._files)
        self._retention.trust(path, encoded.digest)
        self._backup_nodes = nodes
        known: dict[str, Any] = {"backup_at": now_us, "backup_digest": encoded.digest, "backup_nodes": nodes}
        self._journal.update(backed=backed, backup_required=False, recovered=False, **known)
        self._drop_saved_rows(verified=path)
        try:
            self._retention.prune()
        except HarvesterError as error:
            self.notices.append(f"old backups were not removed: {error}")
        return path

    def _drop_saved_rows(self, verified: Path | None = None) -> None:
        """Drop journal rows that checkpoint and backup hold; verify both."""
        head = self._journal.head
        done = head.safe == min(head.saved, head.backed)
        if not done and self._file.holds(head.digest) and self._retention.holds(head.backup_digest, verified=verified):
            self._journal.update(forget=True)
