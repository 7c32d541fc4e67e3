"""`harvester browse` as a process, and requests to it that are sent as they are written."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import urlsplit

from tests.support.fork_server import Forked
from tests.support.processes import environment


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: HTTPMessage
    body: bytes


@dataclass(frozen=True)
class Browsed:
    """A library that is served at `address`."""

    address: str
    process: Forked
    said: Any

    @property
    def port(self) -> int:
        return urlsplit(self.address).port or 0

    @property
    def path(self) -> str:
        return urlsplit(self.address).path

    def get(self, target: str = "", *, method: str = "GET", host: str | None = None, **headers: str) -> Answer:
        """Send a request; `target` is below the page unless it begins with a slash, and sent as it is."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            whole = target if target.startswith("/") else self.path + target
            connection.putrequest(method, whole, skip_host=True, skip_accept_encoding=True)
            for name, value in {"Host": f"127.0.0.1:{self.port}" if host is None else host, **headers}.items():
                connection.putheader(name, value)
            connection.endheaders()
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def changes(self, after: int = 0) -> dict[str, Any]:
        """Return what the page is told that has version `after`."""
        told: dict[str, Any] = json.loads(self.get(f"changes?after={after}").body)
        return told

    def errors(self) -> str:
        """Return what the process wrote to stderr so far."""
        self.said.seek(0)
        return str(self.said.read().decode())


@contextmanager
def browsing(
    cwd: Path, *arguments: object, environ: dict[str, str] | None = None, end: signal.Signals = signal.SIGTERM
) -> Iterator[Browsed]:
    """Run `harvester browse ARGUMENTS` for the block; it must end with 0 within a second of the signal `end`."""
    out, into = os.pipe()
    with TemporaryFile() as err:
        process = Forked(
            ["browse", *map(str, arguments)],
            cwd=cwd,
            environment=environ or environment(cwd / "state"),
            streams=(into, err),
        )
        os.close(into)
        try:
            with os.fdopen(out, encoding="utf-8") as told:
                line = told.readline()
                match = re.fullmatch(r"(http://127\.0\.0\.1:\d+/[\w-]{32}/) \(Ctrl-C ends it\)\n", line)
                err.seek(0)
                assert match, (line, err.read().decode())
                yield Browsed(match[1], process, err)
                with suppress(ProcessLookupError):  # the block ended it
                    os.kill(process.pid, end)
                assert process.wait(1) == 0
                assert told.read() == ""
        finally:
            process.terminate()
            process.wait(60)
