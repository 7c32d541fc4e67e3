"""A library folder as a whole: load, save, check, repair and merge it."""

from __future__ import annotations

from harvester.library.analysis_file import Analysis, load_analysis, save_analysis
from harvester.library.backups import Backup, BackupReport, Retention, list_backups, verify_backup
from harvester.library.check import CheckReport, Finding, check_library
from harvester.library.history import KILLED, History, PastRun, add_run, load_history, new_run_id
from harvester.library.indexed import answer_from_index, gets_index, keep_index, renew_index, view_index
from harvester.library.kept_answer import keep_answer
from harvester.library.kept_tables import KeptTables, can_keep, digest_of_analysis, keep_tables, proven_tables
from harvester.library.merge import Contribution, MergeReport, merge_bytes, merge_libraries
from harvester.library.presence import holds_library, require_library
from harvester.library.reader import LibraryView, load_view
from harvester.library.rehearsal import perform
from harvester.library.repair import repair_library
from harvester.library.restore import RestoreReport, restore_library
from harvester.library.store import Store
from harvester.library.withdraw import ForgetReport, forget_sounds
