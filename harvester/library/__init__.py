"""A library folder as a whole: load, save, check, repair and merge it."""

from __future__ import annotations

from harvester.library.backups import Retention, list_backups, verify_backup
from harvester.library.check import check_library
from harvester.library.kept_answer import keep_answer
from harvester.library.merge import Contribution, merge_bytes, merge_libraries
from harvester.library.presence import holds_library, require_library
from harvester.library.reader import Library as Library
from harvester.library.reader import LibraryView, load_view
from harvester.library.repair import repair_library
from harvester.library.restore import restore_library
from harvester.library.store import Store
from harvester.library.withdraw import forget_sounds
