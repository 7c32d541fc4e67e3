"""What a program can do with a library: one function for each command.

No function here prints, reads the terminal, ends the process or installs a signal handler. What a person should hear
goes out as events or as `notices` of the result.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harvester.actions.afterwards import answering
    from harvester.actions.analysing import AnalysisReport, analyse
    from harvester.actions.backups import list_backups, prune_backups, restore
    from harvester.actions.browsing import browse
    from harvester.actions.checking import check
    from harvester.actions.connect import Connection, open_client, open_server
    from harvester.actions.datasets import DatasetReport, export_dataset
    from harvester.actions.default_library import LibraryLike, OpenedLibrary, find_library, open_view
    from harvester.actions.drawing import MapReport, PlotsReport, draw_map, draw_picture, draw_plots
    from harvester.actions.events import Advanced, Ended, OnProgress, Reporter, RunEvent, Started
    from harvester.actions.exporting import ExportReport, ExportText, encode_selection, export, save_selection
    from harvester.actions.git import (
        GitMergeReport,
        commit_library,
        git_merge,
        git_setup,
        git_textconv,
        init_repository,
    )
    from harvester.actions.harvesting import harvest, refresh, run_harvest, run_refresh
    from harvester.actions.library import Library, SoundSelection
    from harvester.actions.library_words import backup_names, values_in
    from harvester.actions.linking import LinkResult, link
    from harvester.actions.log import json_line
    from harvester.actions.lookups import FindReport, SoundReport, find, show
    from harvester.actions.merging import merge
    from harvester.actions.old_libraries import import_library
    from harvester.actions.options import check_level, keywords_named, read_connection
    from harvester.actions.past_runs import HistoryReport, history
    from harvester.actions.planning import HarvestEstimate, PlannedLibrary, PlannedRequests, WithinToday, plan, run_plan
    from harvester.actions.plugin_list import Plugin, plugins
    from harvester.actions.preview_result import PreviewsResult
    from harvester.actions.previews import fetch_previews
    from harvester.actions.quantities import (
        age_text,
        clock_text,
        done_text,
        duration_text,
        size_text,
        target_text,
        waiting_text,
    )
    from harvester.actions.querying import sql
    from harvester.actions.relating import RelateResult, relate
    from harvester.actions.result import ListedSounds, RunResult, Totals
    from harvester.actions.sandbox_server import serve_sandbox
    from harvester.actions.selecting import SelectKeywords, check_edges, read_selection, select_from
    from harvester.actions.service import service_text
    from harvester.actions.snapshot import IDLE, Snapshot, progress_line
    from harvester.actions.status_facts import DeferredReport, StatusReport, StatusWatch, list_deferred, status
    from harvester.actions.status_file import load_status
    from harvester.actions.topics import guide_topics
    from harvester.actions.value_checks import (
        check_api_url,
        check_extra_fields,
        check_faults,
        check_limits,
        key_fingerprint,
        read_relation,
        read_source,
    )
    from harvester.actions.verifying import VerifyResult, verify_links
    from harvester.actions.withdrawal import forget
    from harvester.analysis import Degrees, Figures, Leading, NamedCommunity
    from harvester.exports import ArrowTable, SqlResult
    from harvester.gitsync import Commit, InitReport, grown_message, size_notice
    from harvester.graph import Measures, Sound
    from harvester.importing import ImportReport
    from harvester.library import (
        Backup,
        BackupReport,
        CheckReport,
        Contribution,
        Finding,
        ForgetReport,
        MergeReport,
        PastRun,
        RestoreReport,
    )
    from harvester.pipeline import EXHAUSTED, MOST_WITHOUT_PERMISSION
    from harvester.told import Level, Told

_HOMES = {
    name: home
    for home, names in {
        "actions.afterwards": "answering",
        "actions.analysing": "AnalysisReport analyse",
        "actions.backups": "list_backups prune_backups restore",
        "actions.browsing": "browse",
        "actions.checking": "check",
        "actions.connect": "Connection open_client open_server",
        "actions.datasets": "DatasetReport export_dataset",
        "actions.default_library": "LibraryLike OpenedLibrary find_library open_view",
        "actions.drawing": "MapReport PlotsReport draw_map draw_picture draw_plots",
        "actions.events": "Advanced Ended OnProgress Reporter RunEvent Started",
        "actions.exporting": "ExportReport ExportText encode_selection export save_selection",
        "actions.git": "GitMergeReport commit_library git_merge git_setup git_textconv init_repository",
        "actions.harvesting": "harvest refresh run_harvest run_refresh",
        "actions.library": "Library SoundSelection",
        "actions.library_words": "backup_names values_in",
        "actions.linking": "LinkResult link",
        "actions.lookups": "FindReport SoundReport find show",
        "actions.log": "json_line",
        "actions.merging": "merge",
        "actions.old_libraries": "import_library",
        "actions.options": "check_level keywords_named read_connection",
        "actions.planning": "HarvestEstimate PlannedLibrary PlannedRequests WithinToday plan run_plan",
        "actions.past_runs": "HistoryReport history",
        "actions.plugin_list": "Plugin plugins",
        "actions.preview_result": "PreviewsResult",
        "actions.previews": "fetch_previews",
        "actions.quantities": "age_text clock_text done_text duration_text size_text target_text waiting_text",
        "actions.querying": "sql",
        "actions.relating": "RelateResult relate",
        "actions.result": "ListedSounds RunResult Totals",
        "actions.sandbox_server": "serve_sandbox",
        "actions.selecting": "SelectKeywords check_edges read_selection select_from",
        "actions.service": "service_text",
        "actions.snapshot": "IDLE Snapshot progress_line",
        "actions.status_facts": "DeferredReport StatusReport StatusWatch list_deferred status",
        "actions.status_file": "load_status",
        "actions.topics": "guide_topics",
        "actions.value_checks": (
            "check_api_url check_extra_fields check_faults check_limits key_fingerprint read_relation read_source"
        ),
        "actions.verifying": "VerifyResult verify_links",
        "actions.withdrawal": "forget",
        "analysis": "Degrees Figures Leading NamedCommunity",
        "exports": "ArrowTable SqlResult",
        "gitsync": "Commit InitReport grown_message size_notice",
        "graph": "Measures Sound",
        "importing": "ImportReport",
        "library": (
            "Backup BackupReport CheckReport Contribution Finding ForgetReport MergeReport PastRun RestoreReport"
        ),
        "pipeline": "EXHAUSTED MOST_WITHOUT_PERMISSION",
        "told": "Level Told",
    }.items()
    for name in names.split()
}
"""The room or module below `harvester` of each name. It is imported on first use: `harvester --help` must not wait."""


if not TYPE_CHECKING:  # a type checker must report a misspelt name

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"harvester.{_HOMES[name]}"), name)
