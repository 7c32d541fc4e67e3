"""How to install the packages that only some commands need."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

_SOURCE = Path(__file__).parents[1]


def missing(what: str, packages: str, extra: str) -> str:
    """Return that `what` needs `packages`, and how to install the extra."""
    return f"{what} needs {packages}: {_command(extra)}"


def _command(extra: str) -> str:
    # Only an environment that make has set up inside the source tree is one that `make extras` adds to.
    if Path(sys.prefix) == _SOURCE / ".venv" and (_SOURCE / "Makefile").is_file():
        return "make extras" if Path.cwd() == _SOURCE else f"make -C {shlex.quote(str(_SOURCE))} extras"
    return f"pip install 'freesound-harvester[{extra}]'"
