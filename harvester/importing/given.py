"""Read what a person gives to import: a file or a folder.

Owns which reader gets a file, and which files beside it belong to it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harvester.errors import LibraryCorrupt, SettingsError, WrongSource
from harvester.importing.data_file import read_data, read_parts
from harvester.importing.file_content import FileContent
from harvester.importing.folder import load_folder
from harvester.importing.formats import LARGEST_BYTES, OldLibrary, load_old
from harvester.importing.records import ImportTally
from harvester.importing.sqlite_export import read_sqlite_export
from harvester.importing.whole import WholeLibrary
from harvester.library_source import described, join_sources
from harvester.storage import HEAD_BYTES, export_version, read_bounded, refuse_content

_UNKNOWN = "not an export, records, a table with a column id, a graph or an older tool's library"
FREESOUND = "https://freesound.org/apiv2/"


@dataclass(slots=True)
class Given:
    """What was given: whole sounds, and what is foreign, unconverted.

    `taken`, `left` and `notices` are those of `ImportReport`.
    """

    old: OldLibrary
    whole: WholeLibrary = field(default_factory=WholeLibrary)
    has_facts: bool = False
    taken: tuple[tuple[Path, str], ...] = ()
    left: tuple[tuple[Path, str], ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is no sound and no fact."""
        old = self.old
        return not (self.has_facts or len(self.whole) or old.nodes or old.records or old.edges or old.processed)

    def check_source(self, path: Path, named: str | None) -> str | None:
        """Return the catalogue: what the file says, or what was named.

        Records are Freesound's where neither says it; edges alone are of any library, which is None. Raises
        `WrongSource` when file and name differ.
        """
        if not self.has_facts:
            return FREESOUND if named is None and (self.old.records or len(self.whole)) else named
        ours = self.whole.source
        joined = ours if named is None else join_sources(named, ours)
        if joined is None:
            raise WrongSource(f"{path}: it holds {described(ours)}, and --source names {named}; nothing was changed")
        return joined


def read_given(path: Path, tally: ImportTally, relation: str, now_us: int) -> Given:
    """Read a file or a folder; nothing is changed.

    Raises `SettingsError` for what nothing can be imported from, and `LibraryCorrupt` for damaged files.
    """
    if path.is_dir():
        found = read_parts(path, tally, relation)
        if found is not None:
            return _given(path, found, None, now_us)
        try:
            folder = load_folder(path, tally, now_us)
        except SettingsError:
            database = _only_export(path)
            if database is None:
                raise
            return read_given(database, tally, relation, now_us)
        folder.library.relation = relation
        return Given(folder.library, taken=folder.taken, left=folder.left, notices=folder.notices)
    found = _read_file(path, tally, relation)
    if found is None:
        old = load_old(path, tally, now_us, _UNKNOWN)
        old.relation = relation
        return Given(old, taken=((path, old.form),))
    return _given(path, found, _edges_beside(path, tally, relation) if found.takes_edges else None, now_us)


def _only_export(folder: Path) -> Path | None:
    """Return the exported database of a folder; None without one.

    Raises `SettingsError` if there are several.
    """
    found = []
    for path in sorted(folder.iterdir()):
        with suppress(OSError):
            found += [path] if path.is_file() and export_version(path) is not None else []
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise SettingsError(f"{folder}: it has {len(found)} exports ({names}): name one of them; nothing was changed")
    return found[0] if found else None


def _edges_beside(path: Path, tally: ImportTally, relation: str) -> tuple[Path, FileContent] | None:
    """Return the edges that exports of tables write to a second file."""
    beside = path.with_name(f"{path.stem}.edges{path.suffix}")
    try:
        edges = _read_file(beside, tally, relation) if beside.is_file() else None
    except LibraryCorrupt as error:
        raise LibraryCorrupt(f"in {beside.name} beside it, {error}") from error
    return (beside, edges) if edges is not None and edges.old.edges else None


def _read_file(path: Path, tally: ImportTally, relation: str) -> FileContent | None:
    try:
        version = export_version(path)
        content = read_bounded(path, LARGEST_BYTES) if version is None else b""
    except OSError as error:
        raise SettingsError(f"{path}: it cannot be read ({error.strerror}); nothing was changed") from error
    if version is not None:
        return read_sqlite_export(path, version, tally, relation)
    refuse_content(content[:HEAD_BYTES], path)
    tally.allow(len(content))
    return read_data(path, content, tally, relation)


def _given(path: Path, found: FileContent, beside: tuple[Path, FileContent] | None, now_us: int) -> Given:
    """Return what was found in a file, and in the edges beside it."""
    taken, notices = [(path, found.old.form)], list(found.notices)
    if beside is not None:
        edges = beside[1]
        found.old.edges += edges.old.edges
        taken.append((beside[0], edges.old.form))
        notices += [f"{beside[0]}: {notice}" for notice in edges.notices]
    # The library knows these sounds from now on, if not longer.
    found.old.known_at = now_us
    found.old.everything = [record for _, record, _ in found.old.records], [edge for *_, edge in found.old.edges]
    found.tally.kept["whole sounds, with their times, similar lists and relations"] += len(found.whole)
    return Given(found.old, found.whole, found.has_facts, tuple(taken), (), tuple(notices))
