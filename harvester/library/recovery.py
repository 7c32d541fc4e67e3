"""Recover at opening: corrupt files and unfinished rollbacks.

Owns what the writer repairs before and after loading. Nothing is deleted: corrupt files move to `quarantine/`.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from harvester.checkpoint import load_checkpoint, load_digest
from harvester.counts import counted
from harvester.errors import HarvesterError, LibraryCorrupt, LibraryUnwritable, words_of
from harvester.graph import SoundGraph
from harvester.journal import Journal, JournalContents, load_contents
from harvester.library.backups import list_backups
from harvester.library.load import Loaded
from harvester.model import Note
from harvester.storage import (
    CHECKPOINT,
    JOURNAL,
    JOURNAL_PARTS,
    QUARANTINE,
    RECOVERED,
    Files,
    quarantine_path,
    read_pieces,
    set_aside,
    write_atomically,
)


def open_journal(folder: Path, now_us: int, files: Files, notices: list[str]) -> Journal:
    """Open the library's journal, after recovering a corrupt one.

    The corrupt one moves to `quarantine/`, its valid rows to a new journal.
    """
    path = folder / JOURNAL
    if (folder / RECOVERED).exists():
        moved = _replace_by_recovered(folder, now_us, files)
        notices.append(f"an interrupted recovery of a corrupt journal was finished{_where(folder, moved)}")
    is_new = not path.exists()
    try:
        journal = Journal(path)
    except LibraryCorrupt as error:
        contents = load_contents(path) or JournalContents()
        contents.damage = contents.damage or str(error)
    else:
        if is_new:
            files.sync_folder(folder)
        if not journal.contents.damage:
            _drop_invalid(folder, journal, now_us, files, notices)
            return journal
        contents = journal.contents
        journal.close()
    return _recover(folder, contents, now_us, files, notices)


def _drop_invalid(folder: Path, journal: Journal, now_us: int, files: Files, notices: list[str]) -> None:
    """Drop invalid values from a journal, after a copy to `quarantine/`."""
    dropped = journal.contents.dropped
    if not dropped:
        return
    copy = quarantine_path(folder, JOURNAL, now_us)
    files.make_folder(copy.parent)
    journal.copy_to(copy)
    files.sync_folder(copy.parent)
    files.sync_folder(folder)
    journal.drop_invalid()
    notices.append(
        f"dropped {dropped} from the journal; everything else in it is kept; the unchanged file is "
        f"{copy.relative_to(folder)}"
    )


def _recover(folder: Path, contents: JournalContents, now_us: int, files: Files, notices: list[str]) -> Journal:
    # All valid rows are durable under another name before the corrupt journal is moved: the disk may be full.
    draft = folder / f"{RECOVERED}.draft"
    for ending in ("-shm", "-wal", ""):
        draft.with_name(f"{draft.name}{ending}").unlink(missing_ok=True)
    events = list(contents.events)
    notes = [Note(topic, key, text) for topic, texts in contents.notes.items() for key, text in texts.items()]
    head, new = contents.head, ("format", "last", "saved", "safe", "backed")
    known = {name: value for name, value in asdict(head).items() if name not in new}
    known |= {
        "has_foreign_state": True,
        "backup_required": True,
        "recovered": head.recovered or head.backed > head.saved,
    }
    with closing(Journal(draft)) as saved:
        saved.append(events, list(contents.deferrals.values()), notes=notes)
        saved.update(**known)
        saved.fold()
    if draft.with_name(f"{draft.name}-wal").exists():
        raise LibraryUnwritable(f"{draft}: cannot write the valid rows of a corrupt journal; nothing was changed")
    files.rename(draft, folder / RECOVERED)
    files.sync_folder(folder)
    moved = _replace_by_recovered(folder, now_us, files)
    notices.append(
        f"the journal was corrupt ({contents.damage}): {counted(len(events), 'event was', 'events were')} recovered"
        + (f", {contents.lost_rows} of its rows could not be read" if contents.lost_rows else "")
        + _where(folder, moved)
        + (f"; dropped {contents.dropped}" if contents.dropped else "")
    )
    return Journal(folder / JOURNAL)


def _replace_by_recovered(folder: Path, now_us: int, files: Files) -> list[Path]:
    """Replace the journal durably; return new paths of the corrupt parts."""
    moved = [
        set_aside(folder / part, folder, now_us, files) for part in reversed(JOURNAL_PARTS) if (folder / part).exists()
    ]
    files.rename(folder / RECOVERED, folder / JOURNAL)
    files.sync_folder(folder)
    return moved


def _where(folder: Path, moved: list[Path]) -> str:
    return f"; the corrupt file is {moved[-1].relative_to(folder)}" if moved else ""


def finish_restore(folder: Path, journal: Journal, files: Files, notices: list[str]) -> None:
    """Finish a rollback that a crash interrupted.

    Its target becomes the checkpoint, durably. If the target is missing, corrupt or another file, the rollback is
    cancelled and a notice says where the state before it is.
    """
    head = journal.head
    if not head.restore:
        return
    target = folder / head.restore
    problem = _problem_of(target, head.restore_digest)
    if problem:
        journal.update(restore="", restore_digest="")
        journal.contents.head = journal.head
        notices.append(
            f"an unfinished restore of {target.name} was cancelled ({problem}); "
            f"the state before it is in {QUARANTINE}/, in the newest folder that ends in before_restore"
        )
        return
    write_atomically(folder / CHECKPOINT, read_pieces(target), files)
    journal.update(restore="", restore_digest="", digest=head.restore_digest, next_digest="")
    journal.contents.head = journal.head
    notices.append(f"an interrupted restore of {target.name} was finished")


def _problem_of(target: Path, digest: str) -> str:
    try:
        return "" if load_digest(target) == digest else "it is not the file that was chosen"
    except (LibraryCorrupt, FileNotFoundError) as error:
        return words_of(error)


def settle_files(folder: Path, journal: Journal, loaded: Loaded, now_us: int, files: Files) -> None:
    """Move corrupt files to `quarantine/`.

    Records in the journal which checkpoint was loaded.
    """
    for path in loaded.corrupt:
        moved = set_aside(path, folder, now_us, files)
        loaded.notices.append(f"{path.name} was moved to {moved.relative_to(folder)}")
    _keep_undropped(folder, loaded, now_us, files)
    head = journal.head
    if loaded.foreign:
        loaded.notices += _what_is_missing(folder, loaded.state, known=bool(head.digest or journal.contents.rows))
        journal.update(
            digest=loaded.digest, next_digest="", saved=head.safe, has_foreign_state=True, backup_required=True
        )
    elif loaded.stand_in:
        journal.update(saved=head.safe, has_foreign_state=True, backup_required=True)
    elif loaded.corrupt:
        journal.update(saved=head.safe, backup_required=True)
    elif head.next_digest:
        # A crash came between the rename of a checkpoint and the journal's record of it. Without this record the next
        # checkpoint would replace `next_digest`, and after a second crash this file would count as foreign.
        files.sync_folder(folder)
        journal.update(digest=loaded.digest or head.digest, next_digest="")


def _keep_undropped(folder: Path, loaded: Loaded, now_us: int, files: Files) -> None:
    """Copy a file with invalid values to `quarantine/`.

    The file is then replaced by one without them.
    """
    if not loaded.dropped or loaded.path is None:
        return
    copy = quarantine_path(folder, loaded.path.name, now_us)
    files.make_folder(copy.parent)
    write_atomically(copy, read_pieces(loaded.path), files)
    files.sync_folder(folder)
    loaded.notices.append(
        f"dropped {loaded.dropped} from {loaded.path.name}; everything else in it is kept; the unchanged file is "
        f"{copy.relative_to(folder)}"
    )


def _what_is_missing(folder: Path, state: SoundGraph, *, known: bool) -> list[str]:
    """Return notices about data that a foreign checkpoint lacks.

    They say how to get it back. If the journal was new (not `known`: it was lost, or this is a clone), there is a
    notice only if something is missing.
    """
    begin = f"git or another program changed {CHECKPOINT} ({counted(len(state), 'sound')} with the journal)"
    if not known:
        begin = f"{CHECKPOINT} had no journal beside it ({counted(len(state), 'sound')})"
    for backup in list_backups(folder):
        try:
            other = load_checkpoint(backup.path).state
        except (HarvesterError, OSError):
            continue
        missing = sum(sound_id not in state for sound_id in other.graph) + len(other.processed - state.processed)
        if missing:
            more = counted(len(other.graph.nodes - state.graph.nodes), "sound")
            lists = counted(len(other.processed - state.processed), "similar list")
            return [
                f"{begin}; {more} and {lists} of {backup.path.name} are not in it: "
                f"`harvester merge {backup.path.name}` brings them back"
            ]
        break
    return [f"{begin}; nothing of the newest backup is missing"] if known else []
