"""Find the user's home folder, and read paths that begin with `~`.

Owns both rules. A home folder that does not exist is never created: system users and containers often name one.
"""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from harvester.errors import SettingsError
from harvester.storage.opening import path_text


def home_folder() -> Path | None:
    """Return the user's home folder, or None if there is none to use.

    It is `HOME`, else that of the user's entry in the system's list. A `HOME` that is empty or no absolute path names
    none, and a folder that does not exist is none.
    """
    named = os.environ.get("HOME")
    return _usable(named) if named is not None else _listed(os.getuid())


def read_path(path: str | os.PathLike[str]) -> Path:
    """Return a path; `~` leads to your home folder, `~ANNA` to Anna's.

    A shell replaces them, but not in `--library=~/x`, in a settings file or in Python: without this, a folder named `~`
    would be made. Raises `SettingsError` if there is no such user or home folder. `./~x` is a folder of this name.
    """
    text = os.fspath(path)
    if not text.startswith("~"):
        return Path(text)
    first, _, rest = text.partition("/")
    home = home_folder() if first == "~" else _listed(first[1:])
    if home is None:
        problem = "you have no home folder: set HOME, or write the whole path"
        if first != "~":
            problem = f"no user '{first[1:]}' with a home folder here; for a folder of this name write ./{text}"
        raise SettingsError(f"{path_text(text)}: {path_text(problem)}")
    return home / rest.lstrip("/")


def _listed(user: str | int) -> Path | None:
    """Return the home folder of a user in the system's list."""
    try:
        entry = pwd.getpwnam(user) if isinstance(user, str) else pwd.getpwuid(user)
    except (KeyError, ValueError):  # ValueError: a name that no user can have
        return None
    return _usable(entry.pw_dir)


def _usable(named: str) -> Path | None:
    return Path(named) if os.path.isabs(named) and os.path.isdir(named) else None  # noqa: PTH112, PTH117 - never raise
