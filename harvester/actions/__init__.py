"""What a program can do with a library: one function for each command.

No function here prints, reads the terminal, ends the process or installs a signal handler. What a person should hear
goes out as events or as `notices` of the result.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harvester.actions.backups import list_backups, prune_backups, restore
    from harvester.actions.checking import check
    from harvester.actions.default_library import LibraryLike, OpenedLibrary, find_library, open_view
    from harvester.actions.drawing import MapReport, PlotsReport, draw_map, draw_plots
    from harvester.actions.exporting import ExportReport, ExportText, encode_selection, export, save_selection
    from harvester.actions.git import GitMergeReport, commit_library, git_merge, git_setup, git_textconv
    from harvester.actions.linking import LinkResult, link
    from harvester.actions.log import RunLog
    from harvester.actions.lookups import FindReport, SoundReport, find, show
    from harvester.actions.merging import merge
    from harvester.actions.old_libraries import import_library
    from harvester.actions.sandbox_server import serve_sandbox
    from harvester.actions.selecting import read_selection, select_from
    from harvester.actions.service import service_text
    from harvester.actions.status_facts import DeferredReport, StatusReport, StatusWatch, list_deferred, status
    from harvester.actions.status_file import load_status, save_status
    from harvester.actions.topics import guide_topics
    from harvester.actions.withdrawal import forget
    from harvester.gitsync import Commit, grown_message, size_notice
    from harvester.importing import ImportReport
    from harvester.library import (
        Backup,
        BackupReport,
        CheckReport,
        Contribution,
        Finding,
        ForgetReport,
        MergeReport,
        RestoreReport,
    )
    from harvester.similarity import Agreement

__all__ = [
    "Agreement",
    "Backup",
    "BackupReport",
    "CheckReport",
    "Commit",
    "Contribution",
    "DeferredReport",
    "ExportReport",
    "ExportText",
    "FindReport",
    "Finding",
    "ForgetReport",
    "GitMergeReport",
    "ImportReport",
    "LibraryLike",
    "LinkResult",
    "MapReport",
    "MergeReport",
    "OpenedLibrary",
    "PlotsReport",
    "RestoreReport",
    "RunLog",
    "SoundReport",
    "StatusReport",
    "StatusWatch",
    "check",
    "commit_library",
    "draw_map",
    "draw_plots",
    "encode_selection",
    "export",
    "find",
    "find_library",
    "forget",
    "git_merge",
    "git_setup",
    "git_textconv",
    "grown_message",
    "guide_topics",
    "import_library",
    "link",
    "list_backups",
    "list_deferred",
    "load_status",
    "merge",
    "open_view",
    "prune_backups",
    "read_selection",
    "restore",
    "save_selection",
    "save_status",
    "select_from",
    "serve_sandbox",
    "service_text",
    "show",
    "size_notice",
    "status",
]

_HOMES = {
    "Agreement": "similarity",
    "Backup": "library",
    "BackupReport": "library",
    "CheckReport": "library",
    "Commit": "gitsync",
    "Contribution": "library",
    "DeferredReport": "actions.status_facts",
    "ExportReport": "actions.exporting",
    "ExportText": "actions.exporting",
    "FindReport": "actions.lookups",
    "Finding": "library",
    "ForgetReport": "library",
    "GitMergeReport": "actions.git",
    "ImportReport": "importing",
    "LibraryLike": "actions.default_library",
    "LinkResult": "actions.linking",
    "MapReport": "actions.drawing",
    "MergeReport": "library",
    "OpenedLibrary": "actions.default_library",
    "PlotsReport": "actions.drawing",
    "RestoreReport": "library",
    "RunLog": "actions.log",
    "SoundReport": "actions.lookups",
    "StatusReport": "actions.status_facts",
    "StatusWatch": "actions.status_facts",
    "check": "actions.checking",
    "commit_library": "actions.git",
    "draw_map": "actions.drawing",
    "draw_plots": "actions.drawing",
    "encode_selection": "actions.exporting",
    "export": "actions.exporting",
    "find": "actions.lookups",
    "find_library": "actions.default_library",
    "forget": "actions.withdrawal",
    "git_merge": "actions.git",
    "git_setup": "actions.git",
    "git_textconv": "actions.git",
    "grown_message": "gitsync",
    "guide_topics": "actions.topics",
    "import_library": "actions.old_libraries",
    "link": "actions.linking",
    "list_backups": "actions.backups",
    "list_deferred": "actions.status_facts",
    "load_status": "actions.status_file",
    "merge": "actions.merging",
    "open_view": "actions.default_library",
    "prune_backups": "actions.backups",
    "read_selection": "actions.selecting",
    "restore": "actions.backups",
    "save_selection": "actions.exporting",
    "save_status": "actions.status_file",
    "select_from": "actions.selecting",
    "serve_sandbox": "actions.sandbox_server",
    "service_text": "actions.service",
    "show": "actions.lookups",
    "size_notice": "gitsync",
    "status": "actions.status_facts",
}
"""The room or module below `harvester` of each name. It is imported on first use: `harvester --help` must not wait."""


if not TYPE_CHECKING:  # a type checker must report a misspelt name

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"harvester.{_HOMES[name]}"), name)
