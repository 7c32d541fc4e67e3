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
    from harvester.actions.connect import Connection, open_client, open_server
    from harvester.actions.default_library import LibraryLike, OpenedLibrary, find_library, open_view
    from harvester.actions.drawing import MapReport, PlotsReport, draw_map, draw_plots
    from harvester.actions.events import Advanced, Ended, Level, OnProgress, Reporter, RunEvent, Started, Told
    from harvester.actions.exporting import ExportReport, ExportText, encode_selection, export, save_selection
    from harvester.actions.git import GitMergeReport, commit_library, git_merge, git_setup, git_textconv
    from harvester.actions.harvesting import harvest, refresh, run_harvest, run_refresh
    from harvester.actions.library import Library, SoundSelection
    from harvester.actions.library_words import backup_names, values_in
    from harvester.actions.linking import LinkResult, link
    from harvester.actions.lookups import FindReport, SoundReport, find, show
    from harvester.actions.merging import merge
    from harvester.actions.old_libraries import import_library
    from harvester.actions.options import keywords_named, read_connection
    from harvester.actions.planning import HarvestEstimate, PlannedLibrary, PlannedRequests, WithinToday, plan, run_plan
    from harvester.actions.quantities import age_text, clock_text, duration_text, size_text, waiting_text
    from harvester.actions.result import RunResult, Totals
    from harvester.actions.sandbox_server import serve_sandbox
    from harvester.actions.selecting import read_selection, select_from
    from harvester.actions.service import service_text
    from harvester.actions.snapshot import Snapshot, progress_line
    from harvester.actions.status_facts import DeferredReport, StatusReport, StatusWatch, list_deferred, status
    from harvester.actions.status_file import load_status
    from harvester.actions.topics import guide_topics
    from harvester.actions.value_checks import (
        check_api_url,
        check_extra_fields,
        check_faults,
        check_limits,
        key_fingerprint,
        read_source,
    )
    from harvester.actions.verifying import VerifyResult, verify_links
    from harvester.actions.withdrawal import forget
    from harvester.exports import ArrowTable
    from harvester.gitsync import Commit, grown_message, size_notice
    from harvester.graph import Sound
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
    from harvester.pipeline import EXHAUSTED, MOST_WITHOUT_PERMISSION

_HOMES = {
    "Advanced": "actions.events",
    "ArrowTable": "exports",
    "Backup": "library",
    "BackupReport": "library",
    "CheckReport": "library",
    "Commit": "gitsync",
    "Connection": "actions.connect",
    "Contribution": "library",
    "DeferredReport": "actions.status_facts",
    "EXHAUSTED": "pipeline",
    "Ended": "actions.events",
    "ExportReport": "actions.exporting",
    "ExportText": "actions.exporting",
    "FindReport": "actions.lookups",
    "Finding": "library",
    "ForgetReport": "library",
    "GitMergeReport": "actions.git",
    "HarvestEstimate": "actions.planning",
    "ImportReport": "importing",
    "Level": "actions.events",
    "Library": "actions.library",
    "LibraryLike": "actions.default_library",
    "LinkResult": "actions.linking",
    "MOST_WITHOUT_PERMISSION": "pipeline",
    "MapReport": "actions.drawing",
    "MergeReport": "library",
    "OnProgress": "actions.events",
    "OpenedLibrary": "actions.default_library",
    "PlannedLibrary": "actions.planning",
    "PlannedRequests": "actions.planning",
    "PlotsReport": "actions.drawing",
    "Reporter": "actions.events",
    "RestoreReport": "library",
    "RunEvent": "actions.events",
    "RunResult": "actions.result",
    "Snapshot": "actions.snapshot",
    "Sound": "graph",
    "SoundReport": "actions.lookups",
    "SoundSelection": "actions.library",
    "Started": "actions.events",
    "StatusReport": "actions.status_facts",
    "StatusWatch": "actions.status_facts",
    "Told": "actions.events",
    "Totals": "actions.result",
    "VerifyResult": "actions.verifying",
    "WithinToday": "actions.planning",
    "age_text": "actions.quantities",
    "backup_names": "actions.library_words",
    "check": "actions.checking",
    "check_api_url": "actions.value_checks",
    "check_extra_fields": "actions.value_checks",
    "check_faults": "actions.value_checks",
    "check_limits": "actions.value_checks",
    "clock_text": "actions.quantities",
    "commit_library": "actions.git",
    "draw_map": "actions.drawing",
    "draw_plots": "actions.drawing",
    "duration_text": "actions.quantities",
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
    "harvest": "actions.harvesting",
    "import_library": "actions.old_libraries",
    "key_fingerprint": "actions.value_checks",
    "keywords_named": "actions.options",
    "link": "actions.linking",
    "list_backups": "actions.backups",
    "list_deferred": "actions.status_facts",
    "load_status": "actions.status_file",
    "merge": "actions.merging",
    "open_client": "actions.connect",
    "open_server": "actions.connect",
    "open_view": "actions.default_library",
    "plan": "actions.planning",
    "progress_line": "actions.snapshot",
    "prune_backups": "actions.backups",
    "read_connection": "actions.options",
    "read_selection": "actions.selecting",
    "read_source": "actions.value_checks",
    "refresh": "actions.harvesting",
    "restore": "actions.backups",
    "run_harvest": "actions.harvesting",
    "run_plan": "actions.planning",
    "run_refresh": "actions.harvesting",
    "save_selection": "actions.exporting",
    "select_from": "actions.selecting",
    "serve_sandbox": "actions.sandbox_server",
    "service_text": "actions.service",
    "show": "actions.lookups",
    "size_notice": "gitsync",
    "size_text": "actions.quantities",
    "status": "actions.status_facts",
    "values_in": "actions.library_words",
    "verify_links": "actions.verifying",
    "waiting_text": "actions.quantities",
}
"""The room or module below `harvester` of each name. It is imported on first use: `harvester --help` must not wait."""


if not TYPE_CHECKING:  # a type checker must report a misspelt name

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"harvester.{_HOMES[name]}"), name)
