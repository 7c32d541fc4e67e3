"""Import files of older tools: recognise the form, unpickle without running their code, convert the records."""

from __future__ import annotations

from harvester.importing.old_library import import_old
