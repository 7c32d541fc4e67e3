"""Files, folders, locks and SQLite files: atomic writes, safe opening.

Knows nothing of sounds.
"""

from __future__ import annotations

from harvester.storage.arriving import ArrivingFile
from harvester.storage.atomic import (
    REAL_FILES,
    TEMPORARY_SUFFIX,
    Files,
    disk_error,
    disk_errors,
    full_sync,
    sweep_temporaries,
    write_all,
    write_atomically,
    written_beside,
)
from harvester.storage.file_kind import BEGINNING_BYTES, PICKLE, describe_content, describe_file, unpack_beginning
from harvester.storage.folder import replace_folder
from harvester.storage.home import home_folder, read_path
from harvester.storage.lock import WriterLock, check_locks, read_owner, refuse_locked
from harvester.storage.opening import (
    NotRegular,
    OpenFile,
    copy_regular,
    open_for_writing,
    open_regular,
    opened,
    opened_bounded,
    path_text,
    read_bounded,
    read_inside,
    read_pieces,
    read_start,
    refuse_link,
)
from harvester.storage.paths import (
    ANALYSIS,
    CHECKPOINT,
    HISTORY,
    JOURNAL,
    JOURNAL_PARTS,
    LOCK,
    LOG,
    MISSING,
    PREVIEWS,
    QUARANTINE,
    RECOVERED,
    STATUS,
    VECTORS,
    backup_name,
    belongs_to_library,
    quarantine_path,
    read_backup_name,
    set_aside,
)
from harvester.storage.placeholder import (
    HEAD_BYTES,
    is_lfs_pointer,
    refuse_content,
    refuse_placeholder,
    refuse_placeholders,
)
from harvester.storage.scratch import ScratchFile
from harvester.storage.sqlite_export import (
    EXPORT_MARK,
    EXPORT_VERSION,
    SQLITE,
    export_version,
    opened_database,
    refuse_open_database,
)
from harvester.storage.sqlite_wal import WalIndex
