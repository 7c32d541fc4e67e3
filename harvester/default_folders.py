"""The folders of libraries that no option names.

They lie in the working folder: `freesound_library` and `sandbox_library`. A checkout of this project, and a folder
where an earlier version harvested, has them in `data/`.
"""

from __future__ import annotations

from pathlib import Path

_REAL, _SANDBOX = "freesound_library", "sandbox_library"
_DATA = Path("data")


def real_library() -> Path:
    """Return the default folder of Freesound's sounds."""
    return _parent() / _REAL


def sandbox_library() -> Path:
    """Return the default folder of a sandbox's sounds."""
    return _parent() / _SANDBOX


def _parent() -> Path:
    # Git keeps `data/freesound_library` in every checkout, because it holds a README.
    return _DATA if any((_DATA / name).is_dir() for name in (_REAL, _SANDBOX)) else Path()
