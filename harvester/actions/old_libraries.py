"""Import the files of older tools into a library."""

from __future__ import annotations

from harvester.actions.keywords import StrPath
from harvester.actions.value_checks import read_source
from harvester.clock import SystemClock
from harvester.default_folders import real_library
from harvester.importing import ImportReport, import_old
from harvester.storage import read_path


def import_library(
    old: StrPath, *, library: StrPath | None = None, source: str = "https://freesound.org/apiv2/"
) -> ImportReport:
    """Import files of an older tool into a library; durable on return.

    `old` is a `.pkl`, a `.gpickle`, an SQLite cache, or a folder of which all files that belong together are read. It
    is not changed, and no code of it runs. `library` is the library's folder; None: the default folder of Freesound's
    library. `source` is the address of the API that the old tool used. `report.keys` counts the API keys in the file,
    which are not imported. Until the end nothing is saved, so a crash leaves the library as it was.

    Raises `SettingsError` for another kind of file or an address that is none, `LibraryCorrupt` for a corrupt file,
    `WrongSource` when the library holds another catalogue, `LibraryLocked`, `BackupFailed`, `DiskFull`, or
    `LibraryUnwritable`.
    """
    return import_old(
        read_path(old),
        read_path(library) if library else real_library(),
        source=read_source(source),
        clock=SystemClock(),
    )
