"""What a run that waits for quota says: until when, and when it will be done, in the reader's time zone."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

from harvester.library import load_history
from tests.support.processes import environment, run, sandbox_process, wait_until

ZONE = {"TZ": "Asia/Kolkata"}


def test_a_wait_for_quota_says_until_when_and_when_the_target_will_be_reached(tmp_path: Path) -> None:
    status = tmp_path / "new" / "status.json"

    def waits() -> bool:
        return status.exists() and bool(json.loads(status.read_text())["waiting_for"])

    with sandbox_process(tmp_path, "--no-throttle") as sandbox:
        process = subprocess.Popen(
            [sys.executable, "-m", "harvester", "harvest", "--api-url", sandbox.url, "--limits", "300/4", "--forever",
             "--samples", "7", "--library", "new"],
            cwd=tmp_path, env=environment(tmp_path / "state") | ZONE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        wait_until(waits, what="a wait for quota")
        told = json.loads(status.read_text())
        shown = run("status", "--library", "new", cwd=tmp_path, environ=environment(tmp_path / "state") | ZONE)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert told["waiting_for"] == "quota used up"
    assert told["activity"] == {str(number): "idle" for number in range(4)}
    # Four requests brought three sounds: the other four take six more, the last two of them on the second day from now.
    assert 47 * 3_600 < told["eta_s"] <= 48 * 3_600 + 2
    assert re.search(r"quota used up until \w{3} \d\d:\d\d IST, 2[34] h \d+ min more; done about", shown.out), shown.out
    assert re.search(r"^waiting until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d IST: quota used up$", err, re.MULTILINE), err
    [ended] = load_history(status.parent).runs
    assert (ended.end, ended.exit_code, ended.processed, ended.requests) == ("asked to stop (SIGTERM)", 0, 3, 4)
