"""What a program can do with a library: one function for each command.

No function here prints, reads the terminal, ends the process or installs a signal handler. What a person should hear
goes out as events or as `notices` of the result.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harvester.actions.log import RunLog
    from harvester.actions.status_file import load_status, save_status

__all__ = ["RunLog", "load_status", "save_status"]

_HOMES = {"RunLog": "log", "load_status": "status_file", "save_status": "status_file"}
"""The module of each name. It is imported on first use: `harvester --help` must not wait for it."""


if not TYPE_CHECKING:  # a type checker must report a misspelt name

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
