"""Fetch previews from a sandbox through kills, bad answers and a full disk, and look at what each leaves."""

from __future__ import annotations

import json
import random
import re
import signal
import threading
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.support.processes import Ended, SandboxProcess, run, start, wait_until

FAULTS = (
    "truncate@path=/previews/@every=9",
    "reset@path=/previews/@every=31",
    "404@path=/previews/@every=17",
    "429-burst@path=/previews/@from=12@to=12@retry-after=1",
    "drip@path=/previews/@from=20@to=20",
)
IMPATIENT = (
    "from harvester.freesound.file_transport import FileTransport\n"
    "FileTransport.__init__.__kwdefaults__['slow_after_s'] = 0.5\n"
)
"""Run before a command: a server that drips is given up after half a second instead of ten."""
_PREVIEW = re.compile(r"/previews/\d+/(\d+)_")


def is_whole_ogg(content: bytes) -> bool:
    """Tell whether pages fill a file from its first byte to its last, and the last one ends the stream."""
    at, flags = 0, 0
    while at < len(content):
        if content[at : at + 4] != b"OggS":
            return False
        flags, segments = content[at + 5], content[at + 26]
        at += 27 + segments + sum(content[at + 27 : at + 27 + segments])
    return at == len(content) and bool(flags & 4)


@dataclass
class Troubled:
    """A library whose previews are fetched in spite of everything."""

    folder: Path
    sandbox: SandboxProcess
    options: tuple[object, ...]
    key: str
    seen: list[str] = field(default_factory=list)
    """What each run ended with, for the table."""
    _had: list[tuple[int, set[int]]] = field(default_factory=list)

    @property
    def previews(self) -> Path:
        return self.folder / "previews"

    def command(self) -> tuple[object, ...]:
        return (
            "-v", "previews", "--library", self.folder, "--api-url", self.sandbox.url, "--per-minute", 60_000,
            *self.options,
        )  # fmt: skip

    def files(self) -> dict[int, bytes]:
        """Return the previews under their final names."""
        return {int(path.stem): path.read_bytes() for path in self.previews.glob("[0-9]*.ogg")}

    def requested(self) -> list[int]:
        """Return the sounds of all requests for previews so far."""
        return [int(match[1]) for one in self.sandbox.requests() if (match := _PREVIEW.search(one["path"]))]

    def kill_after(self, more: int, cwd: Path, number: signal.Signals = signal.SIGKILL, within_s: float = 10) -> int:
        """Start a run, send it a signal once `more` requests came, check what it left; return its exit code."""
        before = len(self.requested())
        process = start(*self.command(), cwd=cwd, key=self.key)
        reader = threading.Thread(target=process.stderr.read, daemon=True)
        reader.start()
        wait_until(
            lambda: len(self.requested()) >= before + more or process.poll() is not None, what="requests for previews"
        )
        process.send_signal(number)
        code = process.wait(within_s)
        reader.join(10)
        process.stdout.close()
        process.stderr.close()
        self.check(f"{number.name} after {len(self.requested()) - before} requests")
        return code

    def run(self, cwd: Path, *more: object, **options: Any) -> Ended:
        """Run to the end, and check what it left."""
        ended = run(*self.command(), *more, cwd=cwd, key=self.key, first=IMPATIENT, timeout_s=300, **options)
        told = [line for line in ended.err.splitlines() if "fetched" in line or "no space" in line]
        self.check(f"exit {ended.code}: {''.join(told[-1:])[-75:]}")
        return ended

    def check(self, what: str) -> None:
        """Each file is whole, and none that was here was requested again."""
        files, requested = self.files(), self.requested()
        halves = [sound_id for sound_id, content in files.items() if not is_whole_ogg(content)]
        assert halves == [], what
        for place, had in self._had:
            assert not had.intersection(requested[place:]), f"{what}: fetched twice"
        self._had.append((len(requested), set(files)))
        self.seen.append(f"{what:<90} | {len(requested):>8} | {len(files):>5} | {len(halves):>4}")

    def check_manifest(self) -> None:
        """The manifest has a row for each file, with its size and digest, and the credits name each sound."""
        rows = [json.loads(line) for line in (self.previews / "manifest.jsonl").read_bytes().splitlines()]
        files = self.files()
        assert {row["id"]: (row["size"], row["sha256"]) for row in rows} == {
            sound_id: (len(content), sha256(content).hexdigest()) for sound_id, content in files.items()
        }
        credits = (self.previews / "CREDITS.md").read_text()
        assert all(f"/sounds/{sound_id}/" in credits for sound_id in files)
        assert [path.name for path in self.previews.iterdir() if path.name.endswith(".tmp")] == []

    def statuses(self) -> Counter[int]:
        """Return how often the sandbox gave each status for a preview."""
        return Counter(one["status"] for one in self.sandbox.requests() if "/previews/" in one["path"])

    def kill_at_random(self, times: int, most: int, cwd: Path, seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(times):
            self.kill_after(rng.randint(1, most), cwd)
