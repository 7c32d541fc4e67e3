"""`harvester service`: print a systemd unit, launchd job or cron line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harvester.cli.completion import completing
from harvester.cli.console import LibraryOption, print_lines

_KINDS = "systemd|launchd|cron"


def service(
    print_kind: Annotated[
        str,
        typer.Option("--print", metavar=_KINDS, autocompletion=completing(_KINDS), help="Choose what to print."),
    ],
    library: LibraryOption = None,
) -> None:
    """Print what makes systemd, launchd or cron run a harvest.

    The harvest runs in the present folder. systemd and launchd restart it where that helps: `harvester guide
    exit-codes` says after which exit codes.
    """
    from harvester import actions

    text = actions.service_text(print_kind, library=library, command=_command())
    print_lines(*text.rstrip("\n").split("\n"))


def _command() -> list[str]:
    """Return the command that runs harvester as it was run now."""
    program = Path(sys.argv[0]).absolute()
    # -P: Python must not import a folder called `harvester` from the working folder.
    return [sys.executable, "-P", "-m", "harvester"] if program.name == "__main__.py" else [str(program)]
