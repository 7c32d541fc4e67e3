"""Recovery at opening: a damaged journal is salvaged, an unfinished rollback finished, damaged files are set aside.

Owns what the one writer mends before and after loading. Nothing is deleted: what was damaged is in `quarantine/`.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from harvester.checkpoint import load_checkpoint, load_digest
from harvester.errors import HarvesterError, LibraryCorrupt, LibraryUnwritable
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
    SALVAGED,
    Files,
    quarantine_path,
    read_pieces,
    set_aside,
    write_atomically,
)


def open_journal(folder: Path, now_us: int, files: Files, notices: list[str]) -> Journal:
    """Return the library's journal, opened; a damaged one is set aside and what is good in it is carried over."""
    path = folder / JOURNAL
    if (folder / SALVAGED).exists():
        moved = _replace_by_salvaged(folder, now_us, files)
        notices.append(f"what was saved of a damaged journal is in its place again{_where(folder, moved)}")
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
            _drop_impossible(folder, journal, now_us, files, notices)
            return journal
        contents = journal.contents
        journal.close()
    return _salvage(folder, contents, now_us, files, notices)


def _drop_impossible(folder: Path, journal: Journal, now_us: int, files: Files, notices: list[str]) -> None:
    """Take what no library can hold out of a journal that is whole otherwise; a copy of it as it was is set aside."""
    dropped = journal.contents.dropped
    if not dropped:
        return
    copy = quarantine_path(folder, JOURNAL, now_us)
    files.make_folder(copy.parent)
    journal.copy_to(copy)
    files.sync_folder(copy.parent)
    files.sync_folder(folder)
    journal.drop_impossible()
    notices.append(
        f"dropped {dropped} from the journal, which no library can hold; everything else in it is kept; "
        f"as it was it is {copy.relative_to(folder)}"
    )


def _salvage(folder: Path, contents: JournalContents, now_us: int, files: Files, notices: list[str]) -> Journal:
    # All that is good is durable under another name before the damaged journal is touched: the disk may be full.
    draft = folder / f"{SALVAGED}.draft"
    for ending in ("-shm", "-wal", ""):
        draft.with_name(f"{draft.name}{ending}").unlink(missing_ok=True)
    events = list(contents.events)
    notes = [Note(topic, key, text) for topic, texts in contents.notes.items() for key, text in texts.items()]
    head, new = contents.head, ("format", "last", "saved", "safe", "backed")
    known = {name: value for name, value in asdict(head).items() if name not in new}
    known |= {"adopted": True, "owed": True, "salvaged": head.salvaged or head.backed > head.saved}
    with closing(Journal(draft)) as saved:
        saved.append(events, list(contents.deferrals.values()), notes=notes)
        saved.update(**known)
        saved.fold()
    if draft.with_name(f"{draft.name}-wal").exists():
        raise LibraryUnwritable(f"{draft}: what is good in a damaged journal cannot be written; nothing was changed")
    files.rename(draft, folder / SALVAGED)
    files.sync_folder(folder)
    moved = _replace_by_salvaged(folder, now_us, files)
    notices.append(
        f"the journal was damaged ({contents.damage}): {len(events)} events were saved from it{_where(folder, moved)}"
        + (f"; dropped {contents.dropped}, which no library can hold" if contents.dropped else "")
    )
    return Journal(folder / JOURNAL)


def _replace_by_salvaged(folder: Path, now_us: int, files: Files) -> list[Path]:
    """Put what was salvaged in the journal's place, durably, and return where the damaged parts are now."""
    moved = [
        set_aside(folder / part, folder, now_us, files) for part in reversed(JOURNAL_PARTS) if (folder / part).exists()
    ]
    files.rename(folder / SALVAGED, folder / JOURNAL)
    files.sync_folder(folder)
    return moved


def _where(folder: Path, moved: list[Path]) -> str:
    return f"; it is now {moved[-1].relative_to(folder)}" if moved else ""


def finish_restore(folder: Path, journal: Journal, files: Files, notices: list[str]) -> None:
    """Finish a rollback that a crash interrupted: its target becomes the checkpoint, durably."""
    head = journal.head
    if not head.restore:
        return
    target = folder / head.restore
    problem = _problem_of(target, head.restore_digest)
    if problem:
        journal.update(restore="", restore_digest="")
        journal.contents.head = journal.head
        notices.append(
            f"an unfinished restore of {target.name} was given up ({problem}); "
            f"the state before it is whole in {QUARANTINE}/, in the newest folder that ends in before_restore"
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
        return str(error)


def settle_files(folder: Path, journal: Journal, loaded: Loaded, now_us: int, files: Files) -> None:
    """Set damaged files aside and tell the journal which checkpoint it stands beside."""
    for path in loaded.bad:
        moved = set_aside(path, folder, now_us, files)
        loaded.notices.append(f"{path.name} is now {moved.relative_to(folder)}")
    _keep_undropped(folder, loaded, now_us, files)
    head = journal.head
    if loaded.foreign:
        loaded.notices += _what_is_missing(folder, loaded.state, known=bool(head.digest or journal.contents.rows))
        journal.update(digest=loaded.digest, next_digest="", saved=head.safe, adopted=True, owed=True)
    elif loaded.stand_in:
        journal.update(saved=head.safe, adopted=True, owed=True)
    elif loaded.bad:
        journal.update(saved=head.safe, owed=True)
    elif head.next_digest:
        # A crash came between a rename and the journal's word on it. Left open, the next checkpoint would put its own
        # digest here, and a second crash would make this file a stranger's.
        files.sync_folder(folder)
        journal.update(digest=loaded.digest or head.digest, next_digest="")


def _keep_undropped(folder: Path, loaded: Loaded, now_us: int, files: Files) -> None:
    """Keep a copy of a file that held what no library can, before it is replaced by one without it."""
    if not loaded.dropped or loaded.path is None:
        return
    copy = quarantine_path(folder, loaded.path.name, now_us)
    files.make_folder(copy.parent)
    write_atomically(copy, read_pieces(loaded.path), files)
    files.sync_folder(folder)
    loaded.notices.append(
        f"dropped {loaded.dropped} from {loaded.path.name}, which no library can hold; everything else in it is kept; "
        f"as it was it is {copy.relative_to(folder)}"
    )


def _what_is_missing(folder: Path, state: SoundGraph, *, known: bool) -> list[str]:
    """Say, for a checkpoint that was copied or pulled by hand, what it lacks and how to get that back.

    Beside a journal that knows of nothing (not `known`: it was lost, or this is a clone) only if it lacks something.
    """
    begin = f"{CHECKPOINT} was replaced by hand ({len(state)} sounds with the journal)"
    if not known:
        begin = f"{CHECKPOINT} had no journal beside it ({len(state)} sounds)"
    for backup in list_backups(folder):
        try:
            other = load_checkpoint(backup.path).state
        except (HarvesterError, OSError):
            continue
        missing = sum(sound_id not in state for sound_id in other.graph) + len(other.processed - state.processed)
        if missing:
            more = len(other.graph.nodes - state.graph.nodes)
            return [
                f"{begin}; {more} sounds and {len(other.processed - state.processed)} similar lists of "
                f"{backup.path.name} are not in it: `harvester merge {backup.path.name}` brings them back"
            ]
        break
    return [f"{begin}; nothing that the newest backup holds is missing"] if known else []
