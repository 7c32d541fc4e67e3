"""Kill anywhere: a real harvest is killed with SIGKILL again and again, and in the end nothing shows that it was.

Three kinds of instants: a moment after its start, after some answers, and in the middle of a checkpoint or a backup
(seen by its temporary file). What a reader saw before a kill was acknowledged: it must be there after it.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib
import pytest

from harvester.clock import SystemClock
from harvester.journal.reader import load_head
from harvester.library.backups import list_backups
from harvester.library.check import check_library
from harvester.library.reader import load_view
from harvester.model import RECORD_FIELDS
from harvester.storage.paths import CHECKPOINT, JOURNAL
from tests.support.processes import SandboxProcess, run, sandbox_process, start, start_interpreter

CONCURRENCY = 4
SHARDS = 4
KILLS = 1000


@dataclass
class Figures:
    """What a run of kills came to."""

    kills: int = 0
    rounds: int = 0
    before_first_answer: int = 0
    inside: Counter[str] = field(default_factory=Counter)
    fetched: int = 0
    again: int = 0
    most_again: int = 0
    acknowledged: int = 0

    def __str__(self) -> str:
        inside = ", ".join(f"{count} inside {what}" for what, count in sorted(self.inside.items()))
        return (
            f"{self.kills} kills in {self.rounds} libraries ({inside or 'none inside a write'}; "
            f"{self.before_first_answer} before the first answer): {self.acknowledged} times a sample was seen before "
            f"a kill and there after it, {self.fetched} lists fetched, {self.again} of them again "
            f"(at most {self.most_again} for one kill)"
        )


def content_of_file(folder: Path) -> tuple[Any, ...]:
    """Return what a library says of the catalogue, without when it was fetched."""
    library = joblib.load(folder / CHECKPOINT)
    graph = library["graph"]
    records = {
        sound_id: {name: attributes[name] for name in RECORD_FIELDS if name in attributes}
        for sound_id, attributes in graph.nodes.items()
    }
    return records, {(a, b): edge["score"] for a, b, edge in graph.edges(data=True)}, library["processed_ids"]


class Kills:
    """One catalogue, harvested by processes that are killed."""

    def __init__(self, sandbox: SandboxProcess, cwd: Path, rng: random.Random) -> None:
        self.figures = Figures()
        self._sandbox, self._cwd, self._rng = sandbox, cwd, rng
        self._tick = threading.Event()

    def arguments(self, folder: Path, samples: int = 100_000) -> tuple[object, ...]:
        return (
            "harvest", "--library", folder, "--api-url", self._sandbox.url, "--level", 99, "--samples", samples,
            "--neighbours", 5, "--concurrency", CONCURRENCY, "--backup-every", 10, "--keep-backups", 3,
        )  # fmt: skip

    def undisturbed(self, folder: Path) -> tuple[Any, ...]:
        ended = run(*self.arguments(folder), cwd=self._cwd)
        assert ended.code == 0, ended.err
        assert "exhausted" in ended.err
        return content_of_file(folder)

    def until_exhausted(self, folder: Path, kills: int, most_answers: int) -> None:
        """Grow a library with up to `kills` kills on the way, then to its end."""
        asked_before = self._sandbox.lists_asked()
        asked: Counter[int] = Counter()
        known: set[int] = set()
        goal = self.figures.kills + kills
        while self.figures.kills < goal and self._live_and_die(folder, known, most_answers):
            known = self._look_at_the_remains(folder, known)
            asked = self._sandbox.lists_asked() - asked_before
            # What was fetched and is not there was in flight when it died, and is all that will be paid for again.
            lost = sum(asked.values()) - len(known) - self.figures.again
            assert 0 <= lost <= CONCURRENCY
            self.figures.again += lost
            self.figures.most_again = max(self.figures.most_again, lost)
        ended = run(*self.arguments(folder), cwd=self._cwd, timeout_s=120)
        assert ended.code == 0, ended.err
        asked = self._sandbox.lists_asked() - asked_before
        twice = sum(asked.values()) - len(asked)
        assert twice <= self.figures.again
        self.figures.fetched += sum(asked.values())
        self.figures.rounds += 1

    def _live_and_die(self, folder: Path, known: set[int], most_answers: int) -> bool:
        """Run a harvest and kill it; return False when the library was whole before that."""
        kind = self._rng.choices(("start", "answers", "checkpoint", "backup"), (1, 3, 3, 4))[0]
        answers = 0 if kind == "start" else self._rng.randint(1, most_answers)
        in_a_write = kind in ("checkpoint", "backup")
        # A run that comes to its target ends with a checkpoint and a backup: there the writes are, for sure.
        arguments = self.arguments(folder, answers) if in_a_write else self.arguments(folder)
        log = self._sandbox.access_log
        seen = log.stat().st_size if log.exists() else 0
        lines = 0
        # A kill a moment after the start may meet the interpreter; a later one meets what a forked process does too.
        begin = start_interpreter if kind == "start" else start
        with log.open("rb") as reader, begin(*arguments, cwd=self._cwd) as process:
            reader.seek(seen)
            if kind == "start":
                self._tick.wait(self._rng.uniform(0, 0.7))
            while lines < answers and process.poll() is None:
                lines += reader.read().count(b"\n")
                self._tick.wait(0.001)
            # A look takes longer than a write: what was acknowledged before one is told by the sandbox's log alone.
            seen_before = set() if in_a_write else self._acknowledged(folder)
            if in_a_write:
                deadline = time.monotonic() + 5
                while process.poll() is None and time.monotonic() < deadline and kind not in writing(folder):
                    self._tick.wait(0.0003)
            self._tick.wait(self._rng.choice((0, 0, 0, 0.001, 0.003)))
            ended = process.poll() is not None
            process.kill()
            _, err = process.communicate()
        if ended:
            assert process.returncode == 0, err
            return "exhausted" not in err
        self.figures.kills += 1
        self.figures.before_first_answer += not lines
        self.figures.inside.update(writing(folder) | unproved_backup(folder))
        known |= seen_before
        self.figures.acknowledged += len(seen_before)
        return True

    def _acknowledged(self, folder: Path) -> set[int]:
        status = folder / "status.json"
        said = json.loads(status.read_bytes())["processed"] if status.exists() else 0
        processed = load_view(folder).state.processed
        assert said <= len(processed)
        return set(processed)

    def _look_at_the_remains(self, folder: Path, known: set[int]) -> set[int]:
        remains = load_view(folder).state
        assert known <= remains.processed
        assert all(remains.has_record(sound_id) for sound_id in remains.processed)
        return set(remains.processed)


def writing(folder: Path) -> set[str]:
    """Return what is being written in a library just now."""
    names = os.listdir(folder) if folder.exists() else []  # noqa: PTH208 - this is asked a thousand times a second
    begun = (name for name in names if name.startswith(".freesound_library"))
    return {"backup" if "_backup_" in name else "checkpoint" for name in begun}


def unproved_backup(folder: Path) -> set[str]:
    """Tell a backup that is whole on the disk, but that the journal does not rely on yet: a kill came in between."""
    head, newest = load_head(folder / JOURNAL), next(iter(list_backups(folder)), None)
    return {"backup"} if head and newest and newest.nodes > head.backup_nodes else set()


def kill(cwd: Path, *, sounds: int, kills: int, seed: int, most_answers: int) -> Figures:
    with sandbox_process(cwd, "--no-throttle", "--sounds", sounds, "--latency-ms", 4) as sandbox:
        harness = Kills(sandbox, cwd, random.Random(seed))
        whole = harness.undisturbed(cwd / "undisturbed")
        assert len(whole[2]) >= sounds * 0.9
        while harness.figures.kills < kills:
            folder = cwd / f"killed{harness.figures.rounds}"
            before = harness.figures.again
            harness.figures.again = 0
            harness.until_exhausted(folder, kills - harness.figures.kills, most_answers)
            harness.figures.again += before
            assert content_of_file(folder) == whole
            report = check_library(folder, clock=SystemClock())
            assert report.clean, report.findings
            assert sorted(path.name for path in folder.glob(".*")) == []
            assert not [finding for finding in report.findings if "belong" in finding.problem]
    return harness.figures


def test_a_harvest_killed_anywhere_again_and_again_ends_as_if_it_never_was(tmp_path: Path) -> None:
    began_s = time.monotonic()
    figures = kill(tmp_path, sounds=150, kills=8, seed=1, most_answers=25)
    print(f"{figures}; {time.monotonic() - began_s:.0f} s")
    assert figures.kills == 8


@pytest.mark.chaos
@pytest.mark.parametrize("shard", range(SHARDS))
def test_a_thousand_kills(tmp_path: Path, shard: int) -> None:
    began_s = time.monotonic()
    figures = kill(tmp_path, sounds=500, kills=KILLS // SHARDS, seed=1000 + shard, most_answers=30)
    print(f"{figures}; {time.monotonic() - began_s:.0f} s")
    assert figures.kills == KILLS // SHARDS
    assert figures.inside["checkpoint"] > 20
    assert figures.inside["backup"] > 20
