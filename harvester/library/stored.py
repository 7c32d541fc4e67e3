"""Read a library whose sounds stay on disk.

For whoever only reads. Owns when that is possible: no file but the checkpoint and the journal has a part in the
library. Then it gives the state that `load_state` would give, in a tenth of the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harvester.checkpoint import read_signature, store_checkpoint
from harvester.errors import HarvesterError
from harvester.journal import Head, JournalContents
from harvester.library.backups import list_backups
from harvester.library.load import Loaded
from harvester.library_source import join_sources
from harvester.model import Event
from harvester.storage import CHECKPOINT


def store_state(folder: Path, contents: JournalContents | None) -> Loaded | None:
    """Return the library's state, or None where it takes a load.

    It does where another file may hold more than checkpoint and journal, where a file is corrupt, missing or written in
    another way, and where there is no room for a temporary file. `load_state` then says what is wrong. Raises nothing.
    `contents` are those of the journal.
    """
    head, path = contents.head if contents is not None else Head(), folder / CHECKPOINT
    try:
        signature = read_signature(path)
        if signature is None or not is_checkpoint_and_journal(folder, contents):
            return None
        stored = store_checkpoint(path)
    except (HarvesterError, OSError):
        return None  # the load finds the same, and reports it
    source = None if stored is None else join_sources(stored.state.source, head.source)
    if stored is None or source is None:
        return None
    stored.state.source = source
    for event in events_after(contents, stored.digest):
        stored.state.apply(event)
    return Loaded(stored.state, path, stored.digest, signature, is_foreign(contents, stored.digest))


def is_checkpoint_and_journal(folder: Path, contents: JournalContents | None) -> bool:
    """Tell whether a library is its checkpoint with the journal's events.

    Otherwise a backup has a part in it, or may have, or a rollback is to be finished.
    """
    head = contents.head if contents is not None else Head()
    if head.needs_backup or (contents is not None and contents.damage):
        return False
    return head.knows_checkpoint or not list_backups(folder)


def is_foreign(contents: JournalContents | None, digest: str) -> bool:
    """Tell whether the journal does not know this checkpoint."""
    return contents is not None and digest not in (contents.head.digest, contents.head.next_digest)


def events_after(contents: JournalContents | None, digest: str) -> Iterator[Event]:
    """Yield the events that the checkpoint with this digest may lack."""
    if contents is not None:
        saved = 0 if is_foreign(contents, digest) else contents.head.saved
        for number, events in contents.rows:
            if number > saved:
                yield from events
