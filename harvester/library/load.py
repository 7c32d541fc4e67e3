"""Load a library: checkpoint or newest valid backup, then the journal.

Owns which file is used and the notices about it. Changes nothing on disk: the writer moves the files in `corrupt` to
`quarantine/`, a reader leaves them. The state is always complete: an unfinished rollback is read as finished.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harvester.checkpoint import Segments, Signature, load_checkpoint, load_digest, read_signature
from harvester.counts import counted
from harvester.errors import HarvesterError, LibraryCorrupt, LibraryNotFetched, WrongSource, problem_of
from harvester.graph import Dropped, SoundGraph
from harvester.journal import Head, JournalContents
from harvester.library.backups import Backup, list_backups
from harvester.library_source import join_sources
from harvester.storage import CHECKPOINT, refuse_placeholders


@dataclass(slots=True)
class Loaded:
    """A loaded state and its origin.

    `path` is the file it was read from (None: from the journal alone), `digest` and `signature` are that file's, and
    `foreign`: the journal does not know this checkpoint. `corrupt`: the corrupt files. `notices`: one line each.
    """

    state: SoundGraph
    path: Path | None = None
    digest: str = ""
    signature: Signature | None = None
    foreign: bool = False
    corrupt: list[Path] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    dropped: Dropped = field(default_factory=Dropped)
    """Invalid values of the file, which are not in the state."""
    segments: Segments | None = None
    """Those of the file, if harvester may copy from it."""

    @property
    def stand_in(self) -> bool:
        """Tell whether a backup was loaded in place of the checkpoint."""
        return self.path is not None and self.path.name != CHECKPOINT


def load_state(folder: Path, contents: JournalContents | None) -> Loaded:
    """Return the library's state: its best file merged with `contents`.

    `contents` are those of the journal. A folder without a library gives an empty state. Raises `LibraryCorrupt` when
    the checkpoint is corrupt and no valid backup can replace it, `NewerFormat`, `WrongSource` when journal and
    checkpoint come from different catalogues, `LibraryNotFetched` when a file that must be read is a placeholder.
    """
    refuse_placeholders(folder)
    head = contents.head if contents is not None else Head()
    loaded = _load_file(folder, contents, head)
    state = loaded.state
    source = join_sources(state.source, head.source)
    if source is None:
        raise WrongSource(
            f"{folder}: the checkpoint was harvested from {state.source}, the journal beside it from {head.source}; "
            f"nothing was changed: put the right checkpoint back, or move the journal away"
        )
    state.source = source
    if loaded.path is not None and not loaded.stand_in:
        _join_backup(folder, contents, head, loaded)
    if contents is not None:
        for event in contents.events:
            state.apply(event)
    return loaded


def _load_file(folder: Path, contents: JournalContents | None, head: Head) -> Loaded:
    corrupt: list[Path] = []
    notices: list[str] = []
    wanted = folder / (head.restore or CHECKPOINT)
    signature = read_signature(wanted)
    if signature is not None:
        dropped = Dropped()
        try:
            decoded = load_checkpoint(wanted, dropped)
            known = (head.digest, head.next_digest)
            foreign = contents is not None and not head.restore and decoded.digest not in known
            return Loaded(
                decoded.state, wanted, decoded.digest, signature, foreign, dropped=dropped, segments=decoded.segments
            )
        except LibraryCorrupt as error:
            corrupt.append(wanted)
            notices.append(f"the checkpoint is corrupt: {error}")
        except FileNotFoundError:
            notices.append(f"{wanted} was removed while it was being opened")
    elif head.digest:
        notices.append(f"{wanted} is missing")
    loaded = _load_backup(folder, contents, head, corrupt, notices)
    if loaded is not None:
        return loaded
    if corrupt or head.digest:
        # A journal that never knew a checkpoint is younger than the corrupt one and does not have its content.
        younger = not head.knows_checkpoint
        if head.safe or head.has_foreign_state or younger or contents is None or contents.damage:
            others = sum(path != wanted for path in corrupt)
            also = f"; {counted(others, 'backup is', 'backups are')} corrupt too" if others else ""
            raise LibraryCorrupt(
                f"{notices[0]}{also}; no valid backup can replace it, nothing was changed: put a copy back, "
                f"or `harvester check --repair` keeps what the journal holds"
            )
        notices.append("rebuilt from the journal, which holds everything: nothing is lost")
    return Loaded(SoundGraph(head.source), corrupt=corrupt, notices=notices)


def _load_backup(
    folder: Path, contents: JournalContents | None, head: Head, corrupt: list[Path], notices: list[str]
) -> Loaded | None:
    """Return the best valid backup, or None.

    Corrupt ones are added to `corrupt`. Raises `LibraryNotFetched`.
    """
    missing: LibraryNotFetched | None = None
    for backup in _best_first(folder, head):
        signature, dropped = read_signature(backup.path), Dropped()
        try:
            decoded = load_checkpoint(backup.path, dropped)
        except LibraryCorrupt as error:
            if backup.path not in corrupt:
                corrupt.append(backup.path)
            notices.append(f"a backup is corrupt: {error}")
            continue
        except LibraryNotFetched as error:
            missing = missing or error
            notices.append(str(error))
            continue
        except FileNotFoundError:
            continue
        whole = decoded.digest == head.backup_digest and not (contents and contents.damage)
        lost = "nothing is lost" if whole else "sounds that only the missing or corrupt files held are lost"
        held = counted(len(decoded.state), "sound")
        notices.append(f"loaded {backup.path.name} ({held}) and the journal instead: {lost}")
        return Loaded(decoded.state, backup.path, decoded.digest, signature, False, corrupt, notices, dropped)
    if missing is not None:
        # The library can still be fetched: raise, so that no empty library is started in its place.
        raise missing
    return None


def _join_backup(folder: Path, contents: JournalContents | None, head: Head, loaded: Loaded) -> None:
    """Merge the newest backup if it alone may hold some data.

    It may when the journal lost rows that the checkpoint lacks, or when the journal is missing. Removes nothing.
    """
    lost = not (head.knows_checkpoint or head.restore)
    damaged = head.recovered or (contents is not None and contents.damage and head.backed > head.saved)
    backup = next(iter(_best_first(folder, head)), None) if lost or damaged else None
    if backup is None:
        return
    try:
        decoded = load_checkpoint(backup.path)
        if decoded.digest in ("", loaded.digest) or (damaged and decoded.digest != head.backup_digest):
            return
        sounds, lists = len(loaded.state), len(loaded.state.processed)
        loaded.state.join(decoded.state)
    except FileNotFoundError:
        return
    except HarvesterError as error:
        loaded.notices.append(
            f"{backup.path.name} may hold more than the checkpoint but cannot be merged: "
            f"{problem_of(error, backup.path)}"
        )
        return
    more_lists = counted(len(loaded.state.processed) - lists, "similar list")
    more = f"{counted(len(loaded.state) - sounds, 'sound')} and {more_lists}"
    if damaged:
        loaded.notices.append(
            f"{backup.path.name} was merged ({more}): it holds what the corrupt journal may have lost"
        )
    elif len(loaded.state) > sounds or len(loaded.state.processed) > lists:
        loaded.notices.append(
            f"{backup.path.name} was merged: it holds {more} that the checkpoint lacks, and there is no journal "
            f"that tells which is newer (`harvester restore` goes back to an older state)"
        )


def _best_first(folder: Path, head: Head) -> list[Backup]:
    """Return the backups, newest first after the journal's own.

    The first is the one that the journal's events continue. That one may have an older name, if the clock was set back.
    """
    backups = list_backups(folder)

    def is_other(backup: Backup) -> bool:
        try:
            return load_digest(backup.path) != head.backup_digest
        except (HarvesterError, OSError):
            return True

    return sorted(backups, key=is_other) if head.backup_digest else backups
