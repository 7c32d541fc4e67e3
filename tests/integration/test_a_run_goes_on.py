"""What happens beside a run does not end it: a dead pipe, a closed terminal, a ledger lost in the middle."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from harvester.freesound.ledger import LEDGER
from harvester.library.reader import load_view
from tests.support.processes import environment, sandbox_process, start, wait_until


def arguments(folder: Path, url: str, samples: int) -> tuple[object, ...]:
    return ("harvest", "--library", folder, "--api-url", url, "--level", 99, "--samples", samples)


def test_a_harvest_whose_reader_is_gone_comes_to_its_target(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--no-throttle") as sandbox:
        reading, writing = os.pipe()
        os.close(reading)
        command = [sys.executable, "-m", "harvester", *map(str, arguments(tmp_path / "library", sandbox.url, 20))]
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment(tmp_path / "state"), stdout=writing, stderr=writing, check=False
        )
        os.close(writing)
        assert ended.returncode == 0
    assert len(load_view(tmp_path / "library").state.processed) == 20


def test_a_harvest_whose_terminal_is_closed_ends_in_order_with_all_it_counted(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    with sandbox_process(tmp_path, "--no-throttle", "--latency-ms", 20) as sandbox:
        ours, theirs = os.openpty()
        # A session of its own with the terminal as its own: closing it hangs the process up, as a window does.
        program = "import fcntl, os, sys, termios; fcntl.ioctl(2, termios.TIOCSCTTY, 0); os.execv(sys.executable, "
        program += "[sys.executable, '-m', 'harvester', *sys.argv[1:]])"
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments(folder, sandbox.url, 3000))],
            cwd=tmp_path, env=environment(tmp_path / "state") | {"TERM": "xterm"},
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        seen = b""
        while seen.count(b"processed this run") < 3:
            seen += os.read(ours, 65536)
        wait_until(lambda: len(sandbox.lists_asked()) > 20, what="some lists")
        os.close(ours)
        assert process.wait(timeout=30) == 0
        asked = set(sandbox.lists_asked())
    view = load_view(folder)
    assert view.unsaved == 0, "it ended in order: with a checkpoint"
    assert len(asked) - 4 <= len(view.state.processed) <= len(asked)


def test_a_ledger_that_is_lost_in_the_middle_is_told_once_and_the_harvest_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    with sandbox_process(tmp_path, "--no-throttle", "--latency-ms", 20) as sandbox:
        with start(*arguments(folder, sandbox.url, 60), cwd=tmp_path) as process:
            wait_until(lambda: len(sandbox.lists_asked()) > 20, what="some lists")
            with sqlite3.connect(tmp_path / "state" / LEDGER, timeout=10) as other:
                other.execute("DROP TABLE sends")
            other.close()
            _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert err.count("the ledger of requests was corrupt") == 1
        assert "60 processed" in err
    assert len(load_view(folder).state.processed) == 60
