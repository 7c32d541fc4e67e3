"""Refuse to run a real library on the sandbox for lack of a key.

Without a key, a run uses the embedded sandbox. So a lost key would fill another folder with made-up sounds, unnoticed.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from harvester.actions.connect import Connection
from harvester.default_folders import real_library
from harvester.errors import SettingsError
from harvester.journal import load_contents
from harvester.key_file import KEY_VARIABLE
from harvester.library import holds_library, load_view
from harvester.library_source import is_sandbox
from harvester.storage import JOURNAL


def refuse_without_key(connection: Connection, library: Path | None) -> None:
    """Raise `SettingsError` if only the sandbox is left for a real library.

    That is the case without a key, an address and the wish for a sandbox. `library` None: the default folder of
    Freesound's library. A library of unknown source passes. It may load the library, which takes seconds.
    """
    if connection.key is not None or connection.api_url is not None or connection.sandbox:
        return
    folder = library or real_library()
    source = _source_of(folder) if holds_library(folder) else ""
    if not source or is_sandbox(source):
        return
    is_freesounds = urlsplit(source).hostname == "freesound.org"
    whose, address = ("Freesound's", "") if is_freesounds else (f"of {source}", f" and give --api-url {source}")
    raise SettingsError(
        f"this library is {whose}: set a key, {KEY_VARIABLE}, in the environment or in .env{address}; {folder} is "
        "unchanged. A free key: https://freesound.org/apiv2/apply/; for made-up sounds, use --sandbox"
    )


def _source_of(folder: Path) -> str:
    """Return a library's source; the journal's head is cheap to read."""
    contents = load_contents(folder / JOURNAL, rows=False)
    return (contents.head.source if contents else "") or load_view(folder).state.source
