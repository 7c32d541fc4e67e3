"""Read a library whose sounds stay on disk.

For commands that only read. Owns when that is possible: the checkpoint alone says all. Then it gives the state that
`load_state` would give, in a tenth of the memory.
"""

from __future__ import annotations

from pathlib import Path

from harvester.checkpoint import read_signature, store_checkpoint
from harvester.errors import HarvesterError
from harvester.journal import Head, JournalContents
from harvester.library.backups import list_backups
from harvester.library.load import Loaded
from harvester.library_source import join_sources
from harvester.storage import CHECKPOINT


def store_state(folder: Path, contents: JournalContents | None) -> Loaded | None:
    """Return the library's state, read-only, or None where it takes a load.

    It does where the journal or a backup may hold more than the checkpoint, where a file is corrupt, missing or written
    in another way, and where there is no room for a temporary file. `load_state` then says what is wrong. Raises
    nothing. `contents` are those of the journal.
    """
    head, path = contents.head if contents is not None else Head(), folder / CHECKPOINT
    known = (head.digest, head.next_digest)
    try:
        signature = read_signature(path)
        if signature is None or _may_add(folder, contents, head):
            return None
        stored = store_checkpoint(path)
    except (HarvesterError, OSError):
        return None  # the load finds the same, and reports it
    if stored is None or (contents is not None and contents.rows and stored.digest != head.digest):
        return None
    source = join_sources(stored.state.source, head.source)
    if source is None:
        return None
    stored.state.source = source
    foreign = contents is not None and stored.digest not in known
    return Loaded(stored.state, path, stored.digest, signature, foreign)


def _may_add(folder: Path, contents: JournalContents | None, head: Head) -> bool:
    """Tell whether journal or backups may change what the checkpoint says."""
    if contents is not None and (contents.damage or contents.unsaved):
        return True
    if head.restore or head.recovered:
        return True
    return not (head.digest or head.next_digest) and bool(list_backups(folder))
