"""What a program can do with a library: one function for each command.

No function here prints, reads the terminal, ends the process or installs a signal handler. What a person should hear
goes out as events or as `notices` of the result.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harvester.actions.connect import Connection, open_client, open_server
    from harvester.actions.events import Advanced, Ended, Level, OnProgress, Reporter, RunEvent, Started, Told
    from harvester.actions.harvesting import harvest, refresh, run_harvest, run_refresh
    from harvester.actions.options import keywords_named, read_connection
    from harvester.actions.planning import (
        HarvestEstimate,
        PlannedLibrary,
        PlannedRequests,
        WithinToday,
        plan,
        run_plan,
    )
    from harvester.actions.quantities import age_text, clock_text, duration_text, size_text, waiting_text
    from harvester.actions.result import RunResult, Totals
    from harvester.actions.snapshot import Snapshot, progress_line
    from harvester.actions.status_file import load_status

__all__ = [
    "Advanced",
    "Connection",
    "Ended",
    "HarvestEstimate",
    "Level",
    "OnProgress",
    "PlannedLibrary",
    "PlannedRequests",
    "Reporter",
    "RunEvent",
    "RunResult",
    "Snapshot",
    "Started",
    "Told",
    "Totals",
    "WithinToday",
    "age_text",
    "clock_text",
    "duration_text",
    "harvest",
    "keywords_named",
    "load_status",
    "open_client",
    "open_server",
    "plan",
    "progress_line",
    "read_connection",
    "refresh",
    "run_harvest",
    "run_plan",
    "run_refresh",
    "size_text",
    "waiting_text",
]

_HOMES = {
    "Advanced": "events",
    "Connection": "connect",
    "Ended": "events",
    "HarvestEstimate": "planning",
    "Level": "events",
    "OnProgress": "events",
    "PlannedLibrary": "planning",
    "PlannedRequests": "planning",
    "Reporter": "events",
    "RunEvent": "events",
    "RunResult": "result",
    "Snapshot": "snapshot",
    "Started": "events",
    "Told": "events",
    "Totals": "result",
    "WithinToday": "planning",
    "age_text": "quantities",
    "clock_text": "quantities",
    "duration_text": "quantities",
    "harvest": "harvesting",
    "keywords_named": "options",
    "load_status": "status_file",
    "open_client": "connect",
    "open_server": "connect",
    "plan": "planning",
    "progress_line": "snapshot",
    "read_connection": "options",
    "refresh": "harvesting",
    "run_harvest": "harvesting",
    "run_plan": "planning",
    "run_refresh": "harvesting",
    "size_text": "quantities",
    "waiting_text": "quantities",
}
"""The module of each name. It is imported on first use: `harvester --help` must not wait for it."""


if not TYPE_CHECKING:  # a type checker must report a misspelt name

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
