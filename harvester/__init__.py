"""Grow, keep and share a library of Freesound sounds and their similarity graph.

Everything that the command line does is a function here. A name is imported when it is first used, so that
`import harvester` and `harvester --help` do not wait for NetworkX or aiohttp.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from harvester.version import __version__

if TYPE_CHECKING:
    from harvester.errors import (
        AccessDenied,
        AnswerChanged,
        ApiUnreachable,
        BackupFailed,
        DiskFull,
        Findings,
        HarvesterError,
        LibraryCorrupt,
        LibraryLocked,
        LibraryNotFetched,
        LibraryUnwritable,
        NewerFormat,
        SettingsError,
        WrongSource,
    )
    from harvester.library import Library

# Three places name each export: the imports above for type checkers, this list for `from harvester import *`, and
# `_HOMES` for the first use. tests/unit/test_exports.py compares them.
__all__ = [
    "AccessDenied",
    "AnswerChanged",
    "ApiUnreachable",
    "BackupFailed",
    "DiskFull",
    "Findings",
    "HarvesterError",
    "Library",
    "LibraryCorrupt",
    "LibraryLocked",
    "LibraryNotFetched",
    "LibraryUnwritable",
    "NewerFormat",
    "SettingsError",
    "WrongSource",
    "__version__",
]

_HOMES = {
    "AccessDenied": "errors",
    "AnswerChanged": "errors",
    "ApiUnreachable": "errors",
    "BackupFailed": "errors",
    "DiskFull": "errors",
    "Findings": "errors",
    "HarvesterError": "errors",
    "Library": "library",
    "LibraryCorrupt": "errors",
    "LibraryLocked": "errors",
    "LibraryNotFetched": "errors",
    "LibraryUnwritable": "errors",
    "NewerFormat": "errors",
    "SettingsError": "errors",
    "WrongSource": "errors",
}
"""The room or module below `harvester` that each name comes from."""


if not TYPE_CHECKING:  # a type checker must report a misspelt name

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
