"""Refresh the screen of `harvester status --watch`.

The figures of a running harvest are read every two seconds; `actions.StatusWatch` decides when to load the library.
Ctrl-C or a closed stdout ends it cleanly.
"""

from __future__ import annotations

import shutil
import sys
import threading
from typing import TYPE_CHECKING

from harvester.cli.console import print_json, print_lines
from harvester.cli.status_screen import lines_for_stdout
from harvester.cli.terminal import can_redraw, clear_screen, redraw
from harvester.clock import iso

if TYPE_CHECKING:
    from harvester.actions import StatusWatch

EVERY_S = 2.0


def watch_status(watched: StatusWatch, *, as_json: bool) -> None:
    """Show the library until the user presses Ctrl-C."""
    pause = threading.Event()
    in_place = can_redraw("stdout") and not as_json
    try:
        if in_place:
            clear_screen()
        while True:
            now = watched.look()
            if as_json:
                print_json({"at": now.at_us, **now.facts}, indented=False)
            else:
                lines = [*now.notices, *lines_for_stdout(now.facts, now.at_us)]
                if in_place:
                    redraw(lines[: shutil.get_terminal_size().lines])
                else:
                    print_lines(iso(now.at_us), *lines, "")
            sys.stdout.flush()
            pause.wait(EVERY_S)
    except KeyboardInterrupt:
        # Leave the last screen, with the shell's prompt below it.
        if in_place:
            print_lines("")
