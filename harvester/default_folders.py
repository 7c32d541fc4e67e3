"""The folders of libraries that no option names.

They lie in the working folder: `freesound_library` and `sandbox_library`. A checkout of this project, and a folder
where an earlier version harvested, has them in `data/`. In a Git repository, folders further up count too.
"""

from __future__ import annotations

from pathlib import Path

REAL_NAME, SANDBOX_NAME = "freesound_library", "sandbox_library"
_DATA = Path("data")


def real_library() -> Path:
    """Return the default folder of Freesound's sounds."""
    return _parent() / REAL_NAME


def sandbox_library() -> Path:
    """Return the default folder of a sandbox's sounds."""
    return _parent() / SANDBOX_NAME


def _parent() -> Path:
    """Return the folder of the libraries, here or up in the repository."""
    for place in (Path(), *_upwards()):
        # Git keeps `data/freesound_library` in every checkout of this project, because it holds a README.
        for parent in (place / _DATA, place):
            if any((parent / name).is_dir() for name in (REAL_NAME, SANDBOX_NAME)):
                return parent
    return Path()


def _upwards() -> list[Path]:
    """Return the folders above, up to the top of the Git repository.

    There is none outside a repository, nor beyond a folder that belongs to another user.
    """
    try:
        here = Path.cwd()
        owner, above = here.stat().st_uid, []
        for count, place in enumerate((here, *here.parents)):
            if place.stat().st_uid != owner:
                return []
            above.append(Path(*[".."] * count))
            if (place / ".git").exists():
                return above[1:]
    except OSError:  # the working folder was removed, or a folder above it cannot be read
        return []
    return []
