"""How long commands take to start, beside `python -c pass`.

Goals above it: `--help` 0.3 s, `status` of 5,000 sounds 0.8 s.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.beside.libraries import saved
from tests.bench.beside.measuring import seconds_of
from tests.bench.table import Figure, Table
from tests.support.processes import environment

SOUNDS, RUNS = 5_000, 9


def run() -> Table:
    table = Table("Start-up, from the shell's view", ("command", "seconds", "above python"))
    with TemporaryDirectory() as scratch:
        saved(SOUNDS, Path(scratch) / "data/freesound_library/freesound_library.pkl")

        def took(*arguments: str) -> Figure:
            command = [sys.executable, *arguments]
            return seconds_of(
                lambda: subprocess.run(
                    command, cwd=scratch, env=environment(Path(scratch) / "state"), check=True, capture_output=True
                ),
                RUNS,
            )

        least = took("-c", "pass")
        for name, arguments in (("harvester --help", ["--help"]), (f"harvester status, {SOUNDS:,} sounds", ["status"])):
            one = took("-m", "harvester", *arguments)
            table.rows.append((name, one, one.median - least.median))
    table.rows.append(("python -c pass", least, 0.0))
    table.notes.append("goals above python: 0.3 s and 0.8 s")
    return table
