"""harvester: grow, keep and share a library of Freesound sounds and their similarity graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvester.version import __version__

if TYPE_CHECKING:
    from harvester.library import Library

__all__ = ["Library", "__version__"]


def __getattr__(name: str) -> object:
    # Imported on first use, so that `harvester --help` does not wait for NetworkX.
    if name == "Library":
        from harvester.library import Library

        return Library
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
