"""Real processes for integration and chaos tests: the command line as users run it, and a sandbox beside it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Self
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


class Started:
    """A command that runs in a forked process, with what tests use of `subprocess.Popen`."""

    def __init__(self, arguments: list[str], *, cwd: Path, environment: dict[str, str]) -> None:
        (out, into_out), (err, into_err) = os.pipe(), os.pipe()
        try:
            self._forked = Forked(arguments, cwd=cwd, environment=environment, streams=(into_out, into_err))
        finally:
            os.close(into_out)
            os.close(into_err)
        self.pid = self._forked.pid
        self.stdout, self.stderr = (os.fdopen(one, encoding="utf-8") for one in (out, err))

    @property
    def returncode(self) -> int | None:
        return self._forked.poll()

    def poll(self) -> int | None:
        return self._forked.poll()

    def wait(self, timeout: float | None = None) -> int:
        code = self._forked.poll(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("harvester", timeout or 0)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            if self._forked.poll() is None:
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read both streams to their ends, close them, and wait for the end."""
        texts = ["", ""]

        def read(place: int, stream: IO[str]) -> None:
            with stream:
                texts[place] = stream.read()

        readers = [
            threading.Thread(target=read, args=one, daemon=True) for one in enumerate((self.stdout, self.stderr))
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(timeout)
            if reader.is_alive():
                raise subprocess.TimeoutExpired("harvester", timeout or 0)
        self.wait(timeout)
        return texts[0], texts[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        self.stderr.close()
        self.wait()


def start(*arguments: object, cwd: Path, key: str | None = KEY) -> Started:
    """Start `harvester ARGUMENTS` in `cwd`; its state folder is `cwd/state`."""
    return Started(list(map(str, arguments)), cwd=cwd, environment=environment(cwd / "state", key=key))


def start_interpreter(*arguments: object, cwd: Path, key: str | None = KEY, **options: Any) -> subprocess.Popen[str]:
    """Start `python -m harvester ARGUMENTS` in `cwd`, as users start it; its state folder is `cwd/state`."""
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
    later_s: float = 0,
    first: str = "",
) -> Ended:
    """Run `harvester ARGUMENTS` to its end, in a process that may have `most_bytes` of memory of its own.

    `environ` stands for `environment(cwd / "state", key=key)`. `later_s` puts the clock of the process forward. The
    process runs the Python code `first` before the command.
    """
    given = environment(cwd / "state", key=key) if environ is None else environ
    with TemporaryFile() as out, TemporaryFile() as err:
        forked = Forked(
            list(map(str, arguments)), cwd=cwd, environment=given, streams=(out, err), most_bytes=most_bytes,
            later_s=later_s, first=first,
        )  # fmt: skip
        try:
            code = forked.wait(timeout_s)
        except TimeoutError:
            raise AssertionError(f"no end in {timeout_s} s: {_written(out)} {_written(err)}") from None
        return Ended(code, _written(out), _written(err))


def _written(stream: IO[bytes]) -> str:
    # Both sides share one position: what was written is read from the start.
    stream.seek(0)
    return stream.read().decode()


@dataclass
class SandboxProcess:
    """A sandbox in a process of its own."""

    url: str
    access_log: Path
    _requests: list[dict[str, Any]] = field(default_factory=list)
    _lists: list[int] = field(default_factory=list)
    _read_bytes: int = 0

    def _read(self) -> None:
        """Read what the sandbox has logged since the last time: tests look every few milliseconds."""
        if not self.access_log.exists():
            return
        with self.access_log.open("rb") as log:
            log.seek(self._read_bytes)
            # Whole lines only: the last one may be half written at this moment.
            lines = log.read().split(b"\n")[:-1]
        self._read_bytes += sum(len(line) + 1 for line in lines)
        for line in lines:
            request = json.loads(line)
            self._requests.append(request)
            parts = urlsplit(request["path"])
            found = re.fullmatch(r".*/sounds/(\d+)/similar/", parts.path)
            target = found[1] if found else parse_qs(parts.query).get("similar_to", [""])[0]
            if target:
                self._lists.append(int(target))

    def requests(self) -> list[dict[str, Any]]:
        """Return what the sandbox was asked so far."""
        self._read()
        return self._requests.copy()

    def lists_asked(self) -> Counter[int]:
        """Return how often each sound's similar list was asked for."""
        self._read()
        return Counter(self._lists)

    def counted(self) -> int:
        """Return how many requests the API would have counted."""
        return sum(request["status"] != 401 for request in self.requests())


@contextmanager
def sandbox_process(cwd: Path, *arguments: object, later_s: float = 0) -> Iterator[SandboxProcess]:
    """Run `harvester sandbox ARGUMENTS` with an access log, until the block ends."""
    log = cwd / "access.jsonl"
    command = ["sandbox", "--access-log", str(log), *map(str, arguments)]
    out, into = os.pipe()
    with TemporaryFile() as err:
        process = Forked(command, cwd=cwd, environment=environment(cwd / "state"), streams=(into, err), later_s=later_s)
        os.close(into)
        try:
            with os.fdopen(out, encoding="utf-8") as said:
                match = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+/apiv2/)\n", line := said.readline())
                assert match, (line, _written(err))
                yield SandboxProcess(match[1], log)
        finally:
            process.terminate()
            process.wait(60)


def wait_until(holds: Any, *, timeout_s: float = 30, what: str = "the condition") -> None:
    """Look every 10 ms until `holds()`; for what other processes do, which virtual time cannot hasten."""
    deadline, tick = time.monotonic() + timeout_s, threading.Event()
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not come about in {timeout_s} s"
        tick.wait(0.01)


def said_by_hash_seeds(program: str) -> set[str]:
    """Run a Python program with two hash seeds; return what its processes print."""
    return {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
