"""Choose the files of an older tool in a folder, and read them as one.

Owns which files belong together: the graph, the metadata and the checkpoints of one tool lie in one folder, under names
that differ from tool to tool. So each file is judged by its content. Backups are older states of the same files: they
are left unless there is nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from harvester.counts import counted
from harvester.errors import HarvesterError, LibraryCorrupt, SettingsError, problem_of
from harvester.importing.formats import OldLibrary, load_old
from harvester.importing.records import ImportTally
from harvester.storage import export_version

_ENDINGS = {".pkl", ".pickle", ".gpickle", ".joblib", ".db", ".sqlite", ".sqlite3", ".json"}
_EXPORT = "an export of harvester; to import it too, name the file"
_BESIDE = ("-wal", "-shm", "-journal")
"""Endings of the files that SQLite keeps beside a database; they are read with it."""


class FolderContent(NamedTuple):
    """The content of a folder's files.

    `taken` has each file with its kind, `left` each file with the reason why it is left. `notices`: a line for each
    file that is corrupt.
    """

    library: OldLibrary
    taken: tuple[tuple[Path, str], ...]
    left: tuple[tuple[Path, str], ...]
    notices: tuple[str, ...]


def load_folder(folder: Path, tally: ImportTally, now_us: int) -> FolderContent:
    """Read the files of a folder that belong together; none is changed.

    Raises `SettingsError` when no file is one of a tool that harvester knows, `LibraryCorrupt` when those that are
    cannot be read.
    """
    left: list[tuple[Path, str]] = []
    parts: list[tuple[Path, OldLibrary]] = []
    corrupt: list[LibraryCorrupt] = []
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.endswith(_BESIDE))
    except OSError as error:
        raise SettingsError(f"{folder}: it cannot be read ({error.strerror}); nothing was changed") from error
    candidates = [path for path in paths if path.is_file() and path.suffix.lower() in _ENDINGS]
    left += [(path, _why_no_candidate(path)) for path in paths if path not in candidates]
    for group in ([path for path in candidates if not _is_backup(path)], list(filter(_is_backup, candidates))):
        if parts:
            left += [(path, "a backup; to import it too, name the file") for path in group]
            break
        for path in group:
            try:
                parts.append((path, load_old(path, tally, now_us)))
            except HarvesterError as error:
                corrupt += [error] if isinstance(error, LibraryCorrupt) else []
                left.append((path, _EXPORT if _is_export(path) else problem_of(error, path)))
    if not parts and corrupt:
        raise corrupt[0]
    if not parts:
        raise SettingsError(
            f"{folder}: it has no file of a tool that harvester knows, such as a .pkl, a .gpickle or an SQLite cache, "
            "and no export as sqlite or in parts; name the file of any other export; nothing was changed"
        )
    return FolderContent(
        _joined([part for _, part in parts]),
        tuple((path, part.form) for path, part in parts),
        tuple(sorted(left)),
        tuple(f"{str(error).removesuffix('; nothing was changed')}; it was left out" for error in corrupt),
    )


def _is_export(path: Path) -> bool:
    try:
        return export_version(path) is not None
    except OSError:
        return False


def _is_backup(path: Path) -> bool:
    return "backup" in path.name.lower() and path.suffix.lower() != ".json"


def _why_no_candidate(path: Path) -> str:
    if path.is_dir():
        return "a folder; to import it too, name it"
    return "no file of an older tool has this ending" if path.is_file() else "not a regular file"


def _joined(parts: list[OldLibrary]) -> OldLibrary:
    """Return the parts as one library.

    A record keeps the time of its own file. What has none, such as a graph, has the newest time of the others.
    """
    joined = OldLibrary(f"a folder of {counted(len(parts), 'file')}")
    for part in parts:
        joined.nodes += part.nodes
        joined.edges += part.edges
        joined.processed += part.processed
        joined.records += [(key, record, part.timestamp if at is None else at) for key, record, at in part.records]
    joined.timestamp = max((part.timestamp for part in parts if part.timestamp is not None), default=None)
    joined.everything = [part.everything for part in parts]
    return joined
