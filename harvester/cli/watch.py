"""Refresh the screen of `harvester status --watch`.

Owns the schedule: `status.json` is read every two seconds, the library only after its files have changed and so rarely
that loading takes at most about a tenth of the time. Ctrl-C or a closed stdout ends it cleanly.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

from harvester.checkpoint import Signature, read_signature
from harvester.cli.console import print_json, print_lines
from harvester.cli.status_facts import library_facts, lines_for_stdout, run_facts
from harvester.cli.terminal import clear_screen, redraw
from harvester.clock import SystemClock, iso
from harvester.library import load_view
from harvester.storage import CHECKPOINT, JOURNAL_PARTS

EVERY_S = 2.0
SHARE_OF_TIME = 10


def watch_status(folder: Path, *, as_json: bool) -> None:
    """Show the library until the user presses Ctrl-C."""
    pause, watched = threading.Event(), _Watched(folder)
    in_place = sys.stdout.isatty() and not as_json
    try:
        if in_place:
            clear_screen()
        while True:
            now_us = SystemClock().time_us()
            facts = watched.facts(now_us)
            if as_json:
                print_json({"at": now_us, **facts}, indented=False)
            else:
                lines = [*watched.notices, *lines_for_stdout(facts, now_us)]
                if in_place:
                    redraw(lines[: shutil.get_terminal_size().lines])
                else:
                    print_lines(iso(now_us), *lines, "")
            sys.stdout.flush()
            pause.wait(EVERY_S)
    except KeyboardInterrupt:
        # Leave the last screen, with the shell's prompt below it.
        if in_place:
            print_lines("")


class _Watched:
    """A library that is loaded again when a reload is due."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._facts: dict[str, Any] = {}
        self._files: list[Signature | None] = []
        self._next_s = 0.0
        self.notices: list[str] = []

    def facts(self, now_us: int) -> dict[str, Any]:
        """Return the facts now, with the newer counts of a running harvest."""
        began_s = time.monotonic()
        files = [read_signature(self._folder / name) for name in (CHECKPOINT, *JOURNAL_PARTS)]
        if not self._facts or (files != self._files and began_s >= self._next_s):
            view = load_view(self._folder)
            self._facts, self._files, self.notices = library_facts(view, now_us), files, view.notices
            now_s = time.monotonic()
            self._next_s = now_s + SHARE_OF_TIME * (now_s - began_s)
        facts = self._facts | run_facts(self._folder, now_us)
        run = facts["run"] or {}
        newer = ("nodes", "edges", "processed", "frontier", "deferred", "gone", "last_checkpoint_at")
        return facts | {name: run[name] for name in newer if run.get(name) is not None}
