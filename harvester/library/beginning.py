"""Remove what a writer made in a folder if nothing came.

Owns the rule that a library to which nothing came leaves nothing behind: no folder, lock, journal, log or checkpoint
that was not there before. What was there before stays, but for the empty journal of a run that was killed before
anything came.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from harvester.graph import SoundGraph
from harvester.library.presence import has_nothing_but_an_empty_journal, is_of_library
from harvester.storage import CHECKPOINT, HISTORY, JOURNAL_PARTS, LOCK, LOG, STATUS

_MADE = {CHECKPOINT, *JOURNAL_PARTS, STATUS, HISTORY, LOCK}


class Beginning:
    """A folder as it was before its writer opened it."""

    def __init__(self, folder: Path) -> None:
        """Note which folders are there, and whether there is a lock."""
        self._folder = folder
        self._new_folders = [one for one in (folder, *folder.parents) if not one.exists()]
        self._had_lock = (folder / LOCK).exists()
        self._names: set[str] = set()
        self.had_library = True
        """Whether there was a library; true until `note_files`."""

    def note_files(self) -> None:
        """Note which files are there; requires the lock.

        Without it, another process could make a library meanwhile, and its files would be taken for ours. Raises
        `OSError` if the folder cannot be read.
        """
        self._names = {path.name for path in self._folder.iterdir()} - (set() if self._had_lock else {LOCK})
        of_library = set(filter(is_of_library, self._names))
        self.had_library = not has_nothing_but_an_empty_journal(self._folder, of_library)
        if not self.had_library:
            # Later the journal names a checkpoint. Left alone, it would be a library whose checkpoint is lost.
            self._names -= of_library

    def remove_files(self) -> None:
        """Remove the files that were not there before; requires the lock.

        The lock is removed last: what a kill leaves is no library. Files that cannot be removed stay.
        """
        with suppress(OSError):
            names = {path.name for path in self._folder.iterdir()} - self._names
            ours = sorted(name for name in names if name in _MADE or name.startswith(LOG))
            for name in sorted(ours, key=lambda name: name == LOCK):
                (self._folder / name).unlink()

    def remove_folders(self) -> None:
        """Remove the folders that were not there before and are empty."""
        with suppress(OSError):  # such as the answers in `quarantine/` that could not be read
            for folder in self._new_folders:
                folder.rmdir()


def is_nothing(state: SoundGraph) -> bool:
    """Tell whether no server has given anything: at most the run's seeds."""
    return not (state.record_count or state.processed or state.gone_count) and state.seeds.issuperset(state.graph)
