"""Take over what older tools left: find its form, unpickle it without running its code, clean its records."""

from __future__ import annotations

from harvester.importing.old_library import import_old

__all__ = ["import_old"]
