"""Reading a library while it grows: a consistent view for `status`, exports and other programs.

Owns the order that makes a view consistent without a lock: the journal first, then the checkpoint, and once more when
a rollback happened in between. What leaves the journal is in the checkpoint by then, so nothing falls between the two.
Writes nothing: a read-only folder and a missing journal are fine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from harvester.errors import LibraryCorrupt
from harvester.graph import SoundGraph
from harvester.library.journal import Contents, Head, load_contents, load_head
from harvester.library.layout import JOURNAL
from harvester.library.loading import Loaded, load_state
from harvester.model import Deferral

_ATTEMPTS = 5


@dataclass(slots=True)
class LibraryView:
    """A library as it was at one moment: the state, what is local to the machine, and what was odd (`notices`)."""

    folder: Path
    exists: bool = False
    state: SoundGraph = field(default_factory=SoundGraph)
    deferrals: dict[int, Deferral] = field(default_factory=dict)
    unsaved: int = 0
    last_checkpoint_at: int | None = None
    last_backup_at: int | None = None
    notices: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        return self.state.source


def load_view(folder: Path) -> LibraryView:
    """Return the library as it is now; of no library, an empty view.

    Needs no lock and no right to write, beside a running writer too. Raises `LibraryCorrupt` when the checkpoint is
    damaged and nothing good stands in, `NewerFormat`, or `LibraryUnwritable` when files cannot even be read.
    """
    contents, loaded = _load(folder)
    view = LibraryView(folder, state=loaded.state, notices=loaded.notices)
    view.exists = contents is not None or loaded.path is not None
    if loaded.signature is not None:
        view.last_checkpoint_at = loaded.signature.modified_ns // 1000
    if contents is not None:
        if contents.damage:
            view.notices.append(f"the journal is damaged ({contents.damage}); the next harvest sets it aside")
        view.deferrals = contents.deferrals
        view.unsaved = contents.unsaved
        view.last_backup_at = contents.head.backup_at
        view.last_checkpoint_at = contents.head.checkpoint_at or view.last_checkpoint_at
    return view


def _load(folder: Path) -> tuple[Contents | None, Loaded]:
    path = folder / JOURNAL
    for attempt in range(_ATTEMPTS):
        contents = load_contents(path)
        try:
            loaded = load_state(folder, contents)
        except LibraryCorrupt:
            # A writer may have moved files between our two looks; what is really damaged stays so.
            if attempt == _ATTEMPTS - 1 or _timeline(load_head(path)) == _timeline(contents.head if contents else None):
                raise
            continue
        if _timeline(load_head(path)) == _timeline(contents.head if contents else None):
            break
    return contents, loaded


def _timeline(head: Head | None) -> tuple[int, str]:
    return (0, "") if head is None else (head.timeline, head.restore)
