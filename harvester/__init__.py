"""Grow, keep and share a library of Freesound sounds.

The library has their records and the graph of their similarity. Everything that the command line does is a function
here. A name is imported when it is first used, so that `import harvester` and `harvester --help` do not wait for
NetworkX or aiohttp.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from harvester.version import __version__

if TYPE_CHECKING:
    from harvester.actions import (
        Advanced,
        Ended,
        HarvestEstimate,
        Level,
        RunEvent,
        RunResult,
        Snapshot,
        Started,
        Told,
        Totals,
        harvest,
        plan,
        refresh,
        run_harvest,
        run_plan,
        run_refresh,
    )
    from harvester.clock import Stop
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
    "Advanced",
    "AnswerChanged",
    "ApiUnreachable",
    "BackupFailed",
    "DiskFull",
    "Ended",
    "Findings",
    "HarvestEstimate",
    "HarvesterError",
    "Level",
    "Library",
    "LibraryCorrupt",
    "LibraryLocked",
    "LibraryNotFetched",
    "LibraryUnwritable",
    "NewerFormat",
    "RunEvent",
    "RunResult",
    "SettingsError",
    "Snapshot",
    "Started",
    "Stop",
    "Told",
    "Totals",
    "WrongSource",
    "__version__",
    "harvest",
    "plan",
    "refresh",
    "run_harvest",
    "run_plan",
    "run_refresh",
]

_HOMES = {
    "AccessDenied": "errors",
    "Advanced": "actions",
    "AnswerChanged": "errors",
    "ApiUnreachable": "errors",
    "BackupFailed": "errors",
    "DiskFull": "errors",
    "Ended": "actions",
    "Findings": "errors",
    "HarvestEstimate": "actions",
    "HarvesterError": "errors",
    "Level": "actions",
    "Library": "library",
    "LibraryCorrupt": "errors",
    "LibraryLocked": "errors",
    "LibraryNotFetched": "errors",
    "LibraryUnwritable": "errors",
    "NewerFormat": "errors",
    "RunEvent": "actions",
    "RunResult": "actions",
    "SettingsError": "errors",
    "Snapshot": "actions",
    "Started": "actions",
    "Stop": "clock",
    "Told": "actions",
    "Totals": "actions",
    "WrongSource": "errors",
    "harvest": "actions",
    "plan": "actions",
    "refresh": "actions",
    "run_harvest": "actions",
    "run_plan": "actions",
    "run_refresh": "actions",
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
