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
        ArrowTable,
        Backup,
        BackupReport,
        CheckReport,
        Commit,
        Contribution,
        DeferredReport,
        Ended,
        ExportReport,
        ExportText,
        Finding,
        FindReport,
        ForgetReport,
        GitMergeReport,
        HarvestEstimate,
        HistoryReport,
        ImportReport,
        InitReport,
        Level,
        Library,
        LinkResult,
        MapReport,
        MergeReport,
        PastRun,
        PlotsReport,
        Plugin,
        RelateResult,
        RestoreReport,
        RunEvent,
        RunResult,
        SelectKeywords,
        Snapshot,
        Sound,
        SoundReport,
        SoundSelection,
        SqlResult,
        Started,
        StatusReport,
        StatusWatch,
        Told,
        Totals,
        VerifyResult,
        check,
        commit_library,
        draw_map,
        draw_plots,
        export,
        find,
        find_library,
        forget,
        git_merge,
        git_setup,
        git_textconv,
        grown_message,
        guide_topics,
        harvest,
        history,
        import_library,
        init_repository,
        link,
        list_backups,
        list_deferred,
        merge,
        plan,
        plugins,
        prune_backups,
        refresh,
        relate,
        restore,
        run_harvest,
        run_plan,
        run_refresh,
        serve_sandbox,
        service_text,
        show,
        sql,
        status,
        verify_links,
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
        LibraryNotFound,
        LibraryUnwritable,
        NewerFormat,
        NotConfirmed,
        PluginFailed,
        SettingsError,
        WrongSource,
    )
    from harvester.exports import FilesFormat, TextFormat
    from harvester.graph import Edge, ExportView, GraphView

# Type checkers read the imports above, `from harvester import *` this list: tests/unit/test_exports.py compares them.
__all__ = [
    "AccessDenied",
    "Advanced",
    "AnswerChanged",
    "ApiUnreachable",
    "ArrowTable",
    "Backup",
    "BackupFailed",
    "BackupReport",
    "CheckReport",
    "Commit",
    "Contribution",
    "DeferredReport",
    "DiskFull",
    "Edge",
    "Ended",
    "ExportReport",
    "ExportText",
    "ExportView",
    "FilesFormat",
    "FindReport",
    "Finding",
    "Findings",
    "ForgetReport",
    "GitMergeReport",
    "GraphView",
    "HarvestEstimate",
    "HarvesterError",
    "HistoryReport",
    "ImportReport",
    "InitReport",
    "Level",
    "Library",
    "LibraryCorrupt",
    "LibraryLocked",
    "LibraryNotFetched",
    "LibraryNotFound",
    "LibraryUnwritable",
    "LinkResult",
    "MapReport",
    "MergeReport",
    "NewerFormat",
    "NotConfirmed",
    "PastRun",
    "PlotsReport",
    "Plugin",
    "PluginFailed",
    "RelateResult",
    "RestoreReport",
    "RunEvent",
    "RunResult",
    "SelectKeywords",
    "SettingsError",
    "Snapshot",
    "Sound",
    "SoundReport",
    "SoundSelection",
    "SqlResult",
    "Started",
    "StatusReport",
    "StatusWatch",
    "Stop",
    "TextFormat",
    "Told",
    "Totals",
    "VerifyResult",
    "WrongSource",
    "__version__",
    "check",
    "commit_library",
    "draw_map",
    "draw_plots",
    "export",
    "find",
    "find_library",
    "forget",
    "git_merge",
    "git_setup",
    "git_textconv",
    "grown_message",
    "guide_topics",
    "harvest",
    "history",
    "import_library",
    "init_repository",
    "link",
    "list_backups",
    "list_deferred",
    "merge",
    "plan",
    "plugins",
    "prune_backups",
    "refresh",
    "relate",
    "restore",
    "run_harvest",
    "run_plan",
    "run_refresh",
    "serve_sandbox",
    "service_text",
    "show",
    "sql",
    "status",
    "verify_links",
]

_ROOMS = {
    "clock": "Stop",
    "errors": (
        "AccessDenied AnswerChanged ApiUnreachable BackupFailed DiskFull Findings HarvesterError LibraryCorrupt "
        "LibraryLocked LibraryNotFetched LibraryNotFound LibraryUnwritable NewerFormat NotConfirmed PluginFailed "
        "SettingsError WrongSource"
    ),
    "exports": "FilesFormat TextFormat",
    "graph": "Edge ExportView GraphView",
}
"""The names that come from another room or module than `actions`."""

_HOMES = dict.fromkeys(__all__, "actions") | {name: room for room, names in _ROOMS.items() for name in names.split()}


if not TYPE_CHECKING:  # a type checker must report a misspelt name

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
