"""Import files of older tools safely, and lists of ids."""

from __future__ import annotations

from harvester.importing.id_list import IdList, read_id_list
from harvester.importing.old_library import ImportReport, import_old
from harvester.importing.sound_names import read_name
from harvester.importing.whole import WholeLibrary
