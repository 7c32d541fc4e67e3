"""Import files of older tools without running their code."""

from __future__ import annotations

from harvester.importing.old_library import ImportReport, import_old
from harvester.importing.whole import WholeLibrary
