"""Save the state as the checkpoint, after merging a foreign one.

Owns the comparison before each rename (device, inode, size, mtime). A file that differs from the one last written,
loaded or merged is foreign: another program replaced it. It is never overwritten, but merged first. The journal records
the new file's digest before the rename and after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harvester.checkpoint import (
    CheckpointInfo,
    Encoded,
    Segments,
    Signature,
    check_readable,
    copying_from,
    encode_checkpoint,
    holds_segments,
    load_checkpoint,
    load_digest,
    packed_elsewhere,
    read_signature,
)
from harvester.counts import counted
from harvester.errors import HarvesterError, LibraryCorrupt, LibraryUnwritable, NewerFormat, WrongSource
from harvester.graph import Dropped, SoundGraph
from harvester.journal import Journal
from harvester.storage import CHECKPOINT, Files, disk_errors, set_aside, written_beside

MOST_TRIES = 5
"""How often to encode a checkpoint again when another program replaced the file meanwhile. A `git pull` does it once;
a program that loops does it more often."""


class _Foreign(Exception):
    """Another program replaced the checkpoint during the write."""


class CheckpointFile:
    """The checkpoint of an opened library.

    It adds its warnings to `notices`, the store's list.
    """

    def __init__(
        self,
        folder: Path,
        state: SoundGraph,
        journal: Journal,
        notices: list[str],
        loaded: Signature | None,
        segments: Segments | None = None,
    ) -> None:
        """Remember the loaded file's signature: any other file is foreign.

        `segments` are those of that file, if harvester wrote it; `state.changed` has all that changed since.
        """
        self.path = folder / CHECKPOINT
        self._folder, self._state, self._journal, self._notices = folder, state, journal, notices
        self._signature = loaded
        self._segments = segments
        """Those of the file with the signature; None if unknown."""

    @property
    def size_bytes(self) -> int:
        """How large the file is; 0 while there is none."""
        return self._signature.size_bytes if self._signature else 0

    @property
    def modified_at(self) -> int | None:
        """When the file was written, in microseconds UTC."""
        return self._signature.modified_ns // 1000 if self._signature else None

    @property
    def is_ours(self) -> bool:
        """Tell whether the file is the one last written, loaded or merged.

        Not so when there is no file.
        """
        return self._signature is not None and read_signature(self.path) == self._signature

    @property
    def is_foreign(self) -> bool:
        """Tell whether there is a file that this process has not merged."""
        return not self.is_ours and read_signature(self.path) is not None

    def holds(self, digest: str) -> bool:
        """Tell whether the known file is there and matches `digest`."""
        try:
            if self._segments is not None and self._segments.digest == digest:
                return self.is_ours and holds_segments(self.path, self._segments)
            return self.is_ours and load_digest(self.path) == digest
        except (HarvesterError, OSError):
            return False

    def save(self, now_us: int, files: Files, *, read_back: bool = False) -> CheckpointInfo:
        """Write the state, after merging a foreign file; durable on return.

        The journal records it durably too. With `read_back`, the new file is loaded before it replaces the old one;
        raises `BackupFailed` if that fails. Raises `DiskFull`, or `LibraryUnwritable`, also when another program
        replaces the file faster than it can be merged. On an error the old file stays. A crash leaves the old or the
        new file; the journal knows both digests.
        """
        joined = 0
        for _ in range(MOST_TRIES):
            joined += self._join_foreign(now_us, files)
            info = self._save_unless_foreign(now_us, files, joined, read_back=read_back)
            if info is not None:
                return info
        raise LibraryUnwritable(
            f"{self.path}: another program replaced it {MOST_TRIES} times while it was being written; "
            f"the journal holds everything: stop that program"
        )

    def _save_unless_foreign(self, now_us: int, files: Files, joined: int, *, read_back: bool) -> CheckpointInfo | None:
        head, encoded = self._journal.head, Encoded()
        saved, nodes, edges = head.last, len(self._state), self._state.edge_count
        if self._signature is not None and head.digest and head.saved == saved and not head.backup_required:
            return CheckpointInfo(self.path, self.size_bytes, nodes, edges, None, joined, True)
        try:
            with disk_errors(self.path, "the last checkpoint and the journal hold everything"):
                replaced = self._write(encoded, files, read_back=read_back)
        except _Foreign:
            return None
        self._journal.update(
            digest=encoded.digest,
            next_digest="",
            saved=saved,
            checkpoint_at=now_us,
            backup_required=head.backup_required and nodes > 0,
        )
        return CheckpointInfo(self.path, self.size_bytes, nodes, edges, None, joined, not replaced)

    def encoded(self, digest: str) -> Encoded:
        """Return what is known of the file, which has this digest."""
        known = self._segments if self._segments is not None and self._segments.digest == digest else None
        return Encoded(digest=digest, segments=known)

    @contextmanager
    def chunks(self, encoded: Encoded) -> Iterator[Iterator[bytes]]:
        """Give the bytes of a checkpoint of the state, for the block.

        What did not change since the last file is copied from it.
        """
        with copying_from(self.path, self._signature, self._segments) as last:
            yield encode_checkpoint(self._state, encoded, packed_elsewhere(self.path), last)

    def _write(self, encoded: Encoded, files: Files, *, read_back: bool) -> bool:
        with self.chunks(encoded) as chunks, written_beside(self.path, chunks, files) as new:
            self._refuse_foreign()
            if self._signature is not None and encoded.digest == self._journal.head.digest:
                return False
            if read_back:
                check_readable(new.path)
            self._journal.update(next_digest=encoded.digest)
            # Read before the rename: right after it, another program may have replaced the file.
            signature = read_signature(new.path)
            self._refuse_foreign()
            new.replace()
        self._know(signature, encoded.segments)
        return True

    def _know(self, signature: Signature | None, segments: Segments | None = None) -> None:
        """Remember the file at the path.

        With its segments, the state is what it holds.
        """
        self._signature, self._segments = signature, segments
        if segments is not None:
            self._state.changed.clear()

    def _refuse_foreign(self) -> None:
        if read_signature(self.path) != self._signature:
            raise _Foreign

    def _join_foreign(self, now_us: int, files: Files) -> int:
        """Merge a foreign checkpoint, and return the number of new sounds."""
        present = read_signature(self.path)
        if present == self._signature:
            return 0
        # Set the signature only once the whole file is in the state, so that after an error the next try merges it.
        if present is None:
            self._journal.update(backup_required=True)
            self._know(None)
            self._notices.append(f"{self.path} was removed: it is written again from the state in memory")
            return 0
        before, head = len(self._state), self._journal.head
        dropped = Dropped()
        try:
            foreign = load_checkpoint(self.path, dropped)
            # With `backup_required`, the state may have been loaded from a backup in place of this file.
            if foreign.digest in (head.digest, head.next_digest) and not head.backup_required and not dropped:
                self._know(present)
                return 0
            self._journal.update(has_foreign_state=True, backup_required=True)
            self._state.join(foreign.state)
        except (LibraryCorrupt, NewerFormat, WrongSource) as error:
            with disk_errors(self.path, "the journal holds everything"):
                moved = set_aside(self.path, self._folder, now_us, files)
            self._know(None)
            self._notices.append(
                f"another program replaced the checkpoint with a file that cannot be merged ({error}): moved to {moved}"
            )
        else:
            self._know(present)
            joined = len(self._state) - before
            left_out = f" without {dropped}" if dropped else ""
            are = counted(joined, "sound is", "sounds are")
            self._notices.append(f"another program replaced the checkpoint: it was merged{left_out}, {are} new")
        self._journal.update(backup_required=True)
        return len(self._state) - before
