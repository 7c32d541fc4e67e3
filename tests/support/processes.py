"""Real processes for integration and chaos tests: the command line as users run it, and a sandbox beside it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

from tests.support.fork_server import Forked

ROOT = Path(__file__).resolve().parents[2]
KEY = "sandbox"


def environment(state: Path, *, key: str | None = KEY) -> dict[str, str]:
    """Return an environment with a state folder of its own and, unless `key` is None, a key."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FREESOUND", "HARVESTER"))}
    kept |= {"HARVESTER_STATE": str(state), "NO_COLOR": "1", "COLUMNS": "120"}
    if key is not None:
        kept["FREESOUND_API_KEY"] = key
    return kept


def start(*arguments: object, cwd: Path, key: str | None = KEY, **options: Any) -> subprocess.Popen[str]:
    """Start `harvester ARGUMENTS` in `cwd`; its state folder is `cwd/state`."""
    return subprocess.Popen(
        [sys.executable, "-m", "harvester", *map(str, arguments)],
        cwd=cwd,
        env=environment(cwd / "state", key=key),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def run(
    *arguments: object,
    cwd: Path,
    key: str | None = KEY,
    environ: dict[str, str] | None = None,
    timeout_s: float = 60,
    most_bytes: int | None = None,
    first: str = "",
) -> Ended:
    """Run `harvester ARGUMENTS` to its end, in a process that may have `most_bytes` of memory of its own.

    `environ` stands for `environment(cwd / "state", key=key)`. The process runs the Python code `first` at first.
    """
    given = environment(cwd / "state", key=key) if environ is None else environ
    with TemporaryFile() as out, TemporaryFile() as err:
        forked = Forked(
            list(map(str, arguments)),
            cwd=cwd,
            environment=given,
            streams=(out, err),
            most_bytes=most_bytes,
            first=first,
        )
        try:
            code = forked.wait(timeout_s)
        except TimeoutError:
            raise AssertionError(f"no end in {timeout_s} s: {_written(out)} {_written(err)}") from None
        return Ended(code, _written(out), _written(err))


def _written(stream: IO[bytes]) -> str:
    # Both sides share one position: what was written is read from the start.
    stream.seek(0)
    return stream.read().decode()


@dataclass(frozen=True)
class SandboxProcess:
    """A sandbox in a process of its own."""

    url: str
    access_log: Path

    def requests(self) -> list[dict[str, Any]]:
        """Return what the sandbox was asked so far."""
        if not self.access_log.exists():
            return []
        # Whole lines only: the last one may be half written at this moment.
        return [json.loads(line) for line in self.access_log.read_text().split("\n")[:-1]]

    def lists_asked(self) -> Counter[int]:
        """Return how often each sound's similar list was asked for."""
        asked: Counter[int] = Counter()
        for request in self.requests():
            parts = urlsplit(request["path"])
            found = re.fullmatch(r".*/sounds/(\d+)/similar/", parts.path)
            target = found[1] if found else parse_qs(parts.query).get("similar_to", [""])[0]
            if target:
                asked[int(target)] += 1
        return asked

    def counted(self) -> int:
        """Return how many requests the API would have counted."""
        return sum(request["status"] != 401 for request in self.requests())


@contextmanager
def sandbox_process(cwd: Path, *arguments: object) -> Iterator[SandboxProcess]:
    """Run `harvester sandbox ARGUMENTS` with an access log, until the block ends."""
    log = cwd / "access.jsonl"
    command = ["sandbox", "--access-log", str(log), *map(str, arguments)]
    out, into = os.pipe()
    with TemporaryFile() as err:
        process = Forked(command, cwd=cwd, environment=environment(cwd / "state"), streams=(into, err))
        os.close(into)
        try:
            with os.fdopen(out, encoding="utf-8") as said:
                match = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+/apiv2/)\n", line := said.readline())
                assert match, (line, _written(err))
                yield SandboxProcess(match[1], log)
        finally:
            process.terminate()
            process.wait(10)


def wait_until(holds: Any, *, timeout_s: float = 30, what: str = "the condition") -> None:
    """Look every 10 ms until `holds()`; for what other processes do, which virtual time cannot hasten."""
    deadline, tick = time.monotonic() + timeout_s, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come about in {timeout_s} s"
        tick.wait(0.01)
