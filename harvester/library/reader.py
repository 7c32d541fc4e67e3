"""Read a consistent view of a library while a process writes it.

For `status`, exports and other programs. Owns the order of reading that makes a view consistent without a lock: first
the journal, then the checkpoint, and both again if a rollback happened meanwhile. The writer removes rows from the
journal only once the checkpoint holds them, so a view misses no event. Writes nothing: a read-only folder or a missing
journal is no problem.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harvester.checkpoint import read_signature
from harvester.errors import LibraryCorrupt, LibraryUnwritable, words_of
from harvester.graph import Dropped, SoundGraph
from harvester.index import Binding
from harvester.journal import Head, JournalContents, load_contents, load_head
from harvester.library.load import Loaded, load_state
from harvester.library.stored import is_checkpoint_and_journal, store_state
from harvester.model import Deferral
from harvester.storage import CHECKPOINT, JOURNAL

LARGE_BYTES = 4 << 20
"""The smallest checkpoint of a library whose sounds stay on disk: a smaller one is loaded in a second."""

_ATTEMPTS = 5
_HOW_TO_DROP = "the next harvest drops it for good, or `harvester check --repair` now"


@dataclass(slots=True)
class LibraryView:
    """A library at one moment: state, deferrals and warnings (`notices`)."""

    folder: Path
    state: SoundGraph = field(default_factory=SoundGraph)
    deferrals: dict[int, Deferral] = field(default_factory=dict)
    unsaved: int = 0
    is_ahead: bool = False
    """Whether the state may have events that the checkpoint lacks."""
    last_checkpoint_at: int | None = None
    last_backup_at: int | None = None
    notices: list[str] = field(default_factory=list)
    dropped: Dropped = field(default_factory=Dropped)
    """Invalid values of its files, which are left out."""
    binding: Binding | None = None
    """What an index of its checkpoint is bound to; None where another file than it and the journal has a part."""


def load_view(folder: Path, *, on_disk: bool | None = None) -> LibraryView:
    """Return a view of the library as it is now, empty without a library.

    `on_disk`: where checkpoint and journal say all, the sounds of the state stay on disk; None: those of a large
    library. That takes a tenth of the memory; whoever reads a sound again and again is slower.

    Needs no lock and no write permission, also beside a running writer. Raises `LibraryCorrupt` when the checkpoint is
    corrupt and no valid backup can replace it, `NewerFormat`, or `LibraryUnwritable` when files cannot be read.
    """
    try:
        contents, loaded = _load(folder, on_disk=is_large(folder) if on_disk is None else on_disk)
    except OSError as error:
        raise LibraryUnwritable(f"{folder}: it cannot be read ({words_of(error)}); nothing was changed") from error
    view = LibraryView(folder, state=loaded.state, notices=loaded.notices)
    if loaded.dropped and loaded.path is not None:
        view.dropped.add(loaded.dropped)
        view.notices.append(f"{loaded.path.name} holds {loaded.dropped}: left out ({_HOW_TO_DROP})")
    if loaded.signature is not None:
        view.last_checkpoint_at = loaded.signature.modified_ns // 1000
    if loaded.path == folder / CHECKPOINT and not view.notices and is_checkpoint_and_journal(folder, contents):
        view.binding = Binding(loaded.digest, contents.head.source if contents is not None else "")
    if contents is not None:
        note_journal(view, contents, foreign=loaded.foreign)
    return view


def is_large(folder: Path) -> bool:
    """Tell whether a reader should leave the library's sounds on disk."""
    signature = read_signature(folder / CHECKPOINT)
    return signature is not None and signature.size_bytes >= LARGE_BYTES


def note_journal(view: LibraryView, contents: JournalContents, *, foreign: bool) -> None:
    """Add to a view what the journal alone says of a library."""
    if contents.damage:
        view.notices.append(f"the journal is corrupt ({contents.damage}); the next harvest recovers the rest of it")
    if contents.dropped:
        view.dropped.add(contents.dropped)
        view.notices.append(f"the journal holds {contents.dropped}: left out ({_HOW_TO_DROP})")
    view.deferrals = contents.deferrals
    view.unsaved = contents.unsaved
    view.is_ahead = bool(contents.rows if foreign else contents.unsaved)
    view.last_backup_at = contents.head.backup_at
    # The journal's stamp belongs to the file that it knows; a foreign file has only its own modification time.
    if not foreign:
        view.last_checkpoint_at = contents.head.checkpoint_at or view.last_checkpoint_at


def _load(folder: Path, *, on_disk: bool) -> tuple[JournalContents | None, Loaded]:
    path = folder / JOURNAL
    for attempt in range(_ATTEMPTS):
        contents = load_contents(path)
        try:
            loaded = (store_state(folder, contents) if on_disk else None) or load_state(folder, contents)
        except LibraryCorrupt:
            # A writer may have moved files between the two reads; real corruption is still there at the next attempt.
            if attempt == _ATTEMPTS - 1 or is_timeline_of(contents, path):
                raise
            continue
        if is_timeline_of(contents, path):
            break
    return contents, loaded


def is_timeline_of(contents: JournalContents | None, path: Path) -> bool:
    """Tell whether the journal at `path` still has the timeline it had.

    `contents` were read from it before the other files. If not, these may be of another time: read all again.
    """
    return _timeline(load_head(path)) == _timeline(contents.head if contents is not None else None)


def _timeline(head: Head | None) -> tuple[int, str, bool]:
    """Return what must stay as it is while files are read.

    A journal that knew no checkpoint says nothing of one that came meanwhile, nor of its backups.
    """
    return (0, "", False) if head is None else (head.timeline, head.restore, head.knows_checkpoint)
