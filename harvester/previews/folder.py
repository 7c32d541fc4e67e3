"""The folder `previews/` of a library: files, manifest, credits.

Invariant: a file under its final name is whole, and its row was durable before the file got its name. `manifest.jsonl`
and `lost.jsonl` are replaced as wholes; between two times, rows are added to `.arrivals.jsonl`, one sync each, and the
next start joins them. A row whose file is not there, or has another size, counts for nothing. Git ignores the folder,
wherever the library lies: the folder says so itself.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harvester.counts import counted
from harvester.exports import credits_of, encode_credits
from harvester.graph import Sound, SoundGraph, is_withdrawn
from harvester.previews.rows import FORMATS, Key, LostPreview, StoredPreview, read_rows, sorted_lines
from harvester.previews.terms import TERMS
from harvester.storage import (
    PREVIEWS,
    REAL_FILES,
    ArrivingFile,
    Files,
    WriterLock,
    disk_errors,
    open_for_writing,
    read_bounded,
    refuse_link,
    sweep_temporaries,
    write_all,
    write_atomically,
)

ROW_FILES = MANIFEST, LOST, ARRIVALS = "manifest.jsonl", "lost.jsonl", ".arrivals.jsonl"
CREDITS, TERMS_FILE, IGNORED, LOCK = "CREDITS.md", "TERMS.txt", ".gitignore", ".lock"
KEPT = "every preview in the folder is whole"
_LARGEST_BYTES = 512 << 20
"""A row has about 400 bytes: more than a million previews."""


class PreviewFolder:
    """The folder; `opened_previews` and `holding_previews` open it."""

    def __init__(self, path: Path, files: Files = REAL_FILES) -> None:
        self.path = path
        self.notices: list[str] = []
        self.stored: dict[Key, StoredPreview] = {}
        self.lost: dict[Key, LostPreview] = {}
        self._files = files
        self._is_settled = True

    @property
    def size_bytes(self) -> int:
        """The size of all previews."""
        return sum(row.size_bytes for row in self.stored.values())

    @property
    def terms_were_told(self) -> bool:
        """Whether the terms were told before."""
        return (self.path / TERMS_FILE).is_file()

    @property
    def has_credits(self) -> bool:
        """Whether the folder has credits."""
        return (self.path / CREDITS).is_file()

    def remember_terms(self) -> None:
        """Note that the terms were told; durable on return."""
        with disk_errors(self.path, KEPT):
            write_atomically(self.path / TERMS_FILE, ["".join(f"{line}\n" for line in TERMS).encode()], self._files)

    def arriving(self, sound_id: int, format: str) -> ArrivingFile:
        """Return the file of a preview that is about to come."""
        return ArrivingFile(self.path / f"{sound_id}.{format}", KEPT, self._files)

    def store(self, arrived: ArrivingFile, row: StoredPreview) -> None:
        """Put a whole preview in place; durable on return.

        A crash leaves the file with its row, or a row that counts for nothing.
        """
        arrived.keep()
        self._append(row)
        arrived.replace()
        self.stored[row.key] = row
        self.lost.pop(row.key, None)

    def note_lost(self, row: LostPreview) -> None:
        """Note that a preview did not come; durable on return."""
        self._append(row)
        self.lost[row.key] = row

    def drop(self, sound_ids: Collection[int]) -> list[Path]:
        """Remove the previews of sounds with their rows; return the files.

        Durable on return. The credits are for the caller to write.
        """
        removed = []
        with disk_errors(self.path, "the rest of the folder is unchanged"):
            for path in preview_files(self.path.parent, sound_ids):
                with suppress(FileNotFoundError):
                    self._files.unlink(path)
                    removed.append(path)
            gone = set(sound_ids)
            for rows in (self.stored, self.lost):
                for key in [key for key in rows if key[0] in gone]:
                    del rows[key]
                    self._is_settled = False
            if removed:
                self._files.sync_folder(self.path)
        self.settle()
        return removed

    def drop_withdrawn(self, state: SoundGraph) -> int:
        """Remove what was withdrawn since, as by a merge; return how many."""
        ids = {key[0] for key in (*self.stored, *self.lost)}
        return len(self.drop({one for one in ids if one in state and is_withdrawn(state.attributes(one))}))

    def settle(self) -> None:
        """Write manifest and lost rows as wholes; durable on return."""
        if self._is_settled:
            return
        with disk_errors(self.path, KEPT):
            write_atomically(self.path / MANIFEST, sorted_lines(self.stored.values()), self._files)
            write_atomically(self.path / LOST, sorted_lines(self.lost.values()), self._files)
            with suppress(FileNotFoundError):
                self._files.unlink(self.path / ARRIVALS)
            self._files.sync_folder(self.path)
        self._is_settled = True

    def write_credits(self, state: SoundGraph) -> None:
        """Write the credits of all previews, unless they are so already."""
        ids = sorted({sound_id for sound_id, _ in self.stored if sound_id in state})
        sounds: Iterator[Sound] = map(state.sound, ids)
        content = "".join(encode_credits(credits_of(sounds), "md")).encode()
        path = self.path / CREDITS
        with disk_errors(path, KEPT):
            if not path.is_file() or path.read_bytes() != content:
                write_atomically(path, [content], self._files)

    def load(self) -> None:
        """Read the rows, and leave out those whose file is not as it was."""
        found: dict[Key, StoredPreview] = {}
        with disk_errors(self.path, "nothing was fetched"):
            for name in ROW_FILES:
                self._read(self.path / name, found)
            self.stored = {key: row for key, row in found.items() if _is_there(self.path / row.file, row.size_bytes)}
        for key in self.stored:
            self.lost.pop(key, None)
        if missing := len(found) - len(self.stored):
            self._is_settled = False
            self.notices.append(f"{self.path}: {counted(missing, 'preview')} of the manifest not here any more")

    def _read(self, path: Path, found: dict[Key, StoredPreview]) -> None:
        try:
            rows, wrong = read_rows(read_bounded(path, _LARGEST_BYTES))
        except FileNotFoundError:
            return
        for row in rows:
            if isinstance(row, StoredPreview):
                found[row.key] = row
            else:
                self.lost[row.key] = row
        if path.name == ARRIVALS:
            self._is_settled = False
        elif wrong:
            self._is_settled = False
            self.notices.append(
                f"{path}: {counted(wrong, 'line')} left out as unreadable; what they name counts as missing"
            )

    def _append(self, row: StoredPreview | LostPreview) -> None:
        self._is_settled = False
        path = self.path / ARRIVALS
        with disk_errors(path, KEPT):
            descriptor = open_for_writing(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            try:
                write_all(descriptor, row.line(), self._files)
                self._files.fsync(descriptor)
            finally:
                self._files.close(descriptor)


@contextmanager
def opened_previews(library: Path, started_us: int, files: Files = REAL_FILES) -> Iterator[PreviewFolder]:
    """Make the folder of a library's previews if needed; hold its lock.

    A folder to which nothing came is removed at the end. Removes what a killed run left. Raises `LibraryLocked` while
    another process fetches previews of this library.
    """
    path = library / PREVIEWS
    with disk_errors(path, "nothing was fetched"):
        _refuse_other(path)
        files.make_folder(path)
        if not (path / IGNORED).exists():
            write_atomically(path / IGNORED, [b"*\n"], files)
    with _locked(path, started_us, files) as folder:
        try:
            yield folder
        finally:
            _remove_if_empty(path)


@contextmanager
def holding_previews(library: Path, started_us: int) -> Iterator[PreviewFolder | None]:
    """Hold the folder of previews if there is one, so that no run adds one."""
    path = library / PREVIEWS
    if not path.is_dir() or path.is_symlink():
        yield None
        return
    with _locked(path, started_us, REAL_FILES) as folder:
        yield folder


def read_previews(library: Path) -> PreviewFolder:
    """Return the folder as it is now; changes nothing, needs no lock."""
    folder = PreviewFolder(library / PREVIEWS)
    if folder.path.is_dir():
        folder.load()
    return folder


def preview_files(library: Path, sound_ids: Collection[int]) -> list[Path]:
    """Return the files of these sounds in the folder of previews."""
    folder = library / PREVIEWS
    if folder.is_symlink():
        return []
    names = (folder / f"{sound_id}.{format}" for sound_id in sorted(sound_ids) for format in FORMATS)
    return [path for path in names if os.path.lexists(path)]


@contextmanager
def _locked(path: Path, started_us: int, files: Files) -> Iterator[PreviewFolder]:
    lock = WriterLock(path, name=LOCK, work="is fetching previews of this library")
    lock.acquire(started_us)
    try:
        sweep_temporaries(path)
        folder = PreviewFolder(path, files)
        folder.load()
        folder.settle()
        yield folder
    finally:
        lock.release()


def _refuse_other(path: Path) -> None:
    """Raise `OSError` for what is no folder, and for a symbolic link."""
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        refuse_link(path)
        raise NotADirectoryError(20, "it is not a folder; move it away", str(path))


def _remove_if_empty(path: Path) -> None:
    """Remove a folder that has only what every one has; needs the lock."""
    with suppress(OSError):
        if {one.name for one in path.iterdir()} <= {IGNORED, LOCK}:
            for name in (IGNORED, LOCK):
                (path / name).unlink(missing_ok=True)
            path.rmdir()


def _is_there(path: Path, size_bytes: int) -> bool:
    """Tell whether a regular file of this size is at `path`."""
    try:
        refuse_link(path)
        return path.lstat().st_size == size_bytes
    except OSError:
        return False
