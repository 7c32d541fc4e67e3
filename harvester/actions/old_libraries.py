"""Import files of data and of older tools into a library."""

from __future__ import annotations

from harvester.actions.keywords import StrPath
from harvester.actions.value_checks import read_relation, read_source
from harvester.clock import SystemClock
from harvester.default_folders import real_library
from harvester.importing import ImportReport, import_old
from harvester.storage import read_path


def import_library(
    old: StrPath, *, library: StrPath | None = None, source: str | None = None, relation: str = "related"
) -> ImportReport:
    """Import sounds, records and edges into a library; durable on return.

    `old` is an export of harvester (JSON lines, node-link, Parquet, SQLite), records in JSON lines, JSON, CSV or
    Parquet, a graph (GraphML, GEXF, a list of edges), the file of an older tool (a `.pkl`, a `.gpickle`, an SQLite
    cache), or a folder of which all files that belong together are read. It is not changed, and no code of it runs.
    `library` is the library's folder; None: the default folder of Freesound's library. `source` is the address of the
    API that the sounds are from, or the source of a sandbox; None: what the file says, for edges alone that of the
    library, else Freesound. `relation` is the kind of edges that have neither a score nor a kind. `report.keys` counts
    the API keys in the file, which are not imported. Until the end nothing is saved, so a crash leaves the library as
    it was.

    Raises `SettingsError` for another kind of file, an address that is none or an invalid `relation`, `LibraryCorrupt`
    for a corrupt file, `WrongSource` when the library holds another catalogue, `LibraryLocked`, `BackupFailed`,
    `DiskFull`, or `LibraryUnwritable`.
    """
    return import_old(
        read_path(old),
        read_path(library) if library else real_library(),
        source=None if source is None else read_source(source),
        relation=read_relation(relation),
        clock=SystemClock(),
    )
