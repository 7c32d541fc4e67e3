"""Keep a library in Git: begin, set up, merge, commit after a harvest."""

from __future__ import annotations

from harvester.gitsync.commit import Commit, commit_library, grown_message, refreshed_message, size_notice
from harvester.gitsync.init import InitReport, begin_repository
from harvester.gitsync.merge_driver import describe_for_git, merge_in_git
from harvester.gitsync.repository import in_work_tree, is_set_up
from harvester.gitsync.setup import set_up_git, undo_git
