"""Where a case of an option runs: a folder with two libraries, a sandbox, and three ways to give the option."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import joblib
import pytest

from harvester.clock import DAY_US, SystemClock
from harvester.cluster import Cluster
from harvester.library.reader import load_view
from harvester.model import Deferral, Known, Linked, Seen, SimilarList
from harvester.storage.paths import CHECKPOINT
from tests.support.command import call
from tests.support.old_libraries import make_old_library
from tests.support.processes import Ended, SandboxProcess
from tests.support.samples import SOURCE, grow, open_store
from tests.support.view_samples import make_record

Source = Literal["option", "environment", "file"]

OFF = {"--no-progress", "--no-commit", "--no-open"}
"""The spellings that turn an option off."""

SHELF_LISTS: dict[int, list[tuple[int, float]]] = {
    **{i: [(i % 6 + 1, 0.9), ((i + 1) % 6 + 1, 0.5 + i / 100)] for i in range(1, 7)},
    7: [(8, 0.75)],
    8: [],
}
"""Sounds 1 to 6 in a circle, 7 and 8 apart; 9 has only a record, and 10 only its id."""


@dataclass(frozen=True)
class Stock:
    """The libraries that each case gets a copy of."""

    shelf: Path
    grown: Path
    swept: Path

    def old_file(self) -> Path:
        """Return a file of an older tool with four sounds, which the first case that needs it makes."""
        path = self.shelf.parent / "old_library.pkl"
        if not path.exists():
            made = make_old_library(self.shelf.parent, json.dumps([make_record(one) for one in range(1, 5)]))
            assert made == path
        return path


def make_shelf(folder: Path) -> None:
    """Write a library of ten sounds whose contents the cases know by heart."""
    now_us = SystemClock().time_us() - 40 * DAY_US
    with open_store(folder) as store:
        store.set_source(SOURCE)
        grow(store, [Known(10, now_us), *(Seen(i, make_record(i), now_us + i) for i in range(1, 10))])
        store.append([], [Deferral(9, "server error 500", 3, now_us + 400 * DAY_US)])
        grow(store, [Linked(i, SimilarList(tuple(pairs), now_us + i, 25)) for i, pairs in SHELF_LISTS.items()])
        store.checkpoint(backup=True)


@dataclass(frozen=True)
class Request:
    """One request that the sandbox saw, without the question for its identity."""

    path: str
    query: dict[str, str]

    @property
    def sound_id(self) -> int | None:
        """The sound whose similar list was asked for."""
        parts = self.path.split("/")
        return int(parts[3]) if parts[-2] == "similar" else None


@dataclass
class Place:
    """A folder with copies of the libraries (`shelf`, `grown`), and the command and option of one case."""

    folder: Path
    sandbox: SandboxProcess
    patch: pytest.MonkeyPatch
    stock: Stock
    command: str = ""
    option: str = ""
    source: Source = "option"
    _seen: int = field(init=False)

    def __post_init__(self) -> None:
        self._seen = len(self.sandbox.requests())

    def run(self, *arguments: object, given: Any = None, code: int = 0) -> Ended:
        """Run the command, with the case's option set to `given` (True: a flag); it must end with `code`."""
        before: list[object] = []
        if given is not None and self.source == "environment":
            # Click splits a variable of a repeatable option at spaces.
            text = " ".join(map(str, given)) if isinstance(given, list) else str(given)
            self.patch.setenv(variable_of(self.command, self.option), self._flag_text(given) or text)
        elif given is not None and self.source == "file":
            value = json.dumps(self.option not in OFF if given is True else given, default=str)
            (self.folder / "harvester.toml").write_text(
                f"[{self.command}]\n{setting_of(self.option)} = {value}\n", encoding="utf-8"
            )
        elif given is not None:
            for one in given if isinstance(given, list) else [given]:
                before += [self.option] if one is True else [self.option, one]
        command = self.command.split()
        line = [*before, *command] if self.command == "" else [*command, *before]
        ended = call(*line, *arguments, cwd=self.folder)
        if given is not None and self.source == "environment":
            self.patch.delenv(variable_of(self.command, self.option))
        (self.folder / "harvester.toml").unlink(missing_ok=True)
        assert ended.code == code, (ended.code, ended.err, ended.out[-500:])
        assert "Traceback" not in ended.err
        return ended

    def _flag_text(self, given: Any) -> str:
        return "" if given is not True else str(int(self.option not in OFF))

    def ask(self, *arguments: object, given: Any = None, code: int = 0) -> Ended:
        """Run the command against the sandbox, without a limit."""
        return self.run("--api-url", self.sandbox.url, "--level", 99, *arguments, given=given, code=code)

    def requests(self) -> list[Request]:
        """Return what the sandbox was asked since the last call, apart from its identity."""
        told = self.sandbox.requests()
        fresh, self._seen = told[self._seen :], len(told)
        parts = [urlsplit(one["path"]) for one in fresh if one["status"] != 401]
        return [Request(one.path, {name: text[0] for name, text in parse_qs(one.query).items()}) for one in parts]

    def lists(self) -> list[int]:
        """Return the sounds whose similar lists were asked for since the last call, in order."""
        return [one.sound_id for one in self.requests() if one.sound_id is not None]

    def swept(self) -> str:
        """Copy the library of a sweep, whose sounds have vectors and no lists, and return its name."""
        shutil.copytree(self.stock.swept, self.folder / "swept")
        return "swept"

    def load(self, name: str) -> dict[str, Any]:
        """Return the content of a checkpoint: that of a library in the folder, or a file."""
        path = self.folder / name
        content: dict[str, Any] = joblib.load(path / CHECKPOINT if path.is_dir() else path)
        return content

    def processed(self, name: str) -> set[int]:
        """Return the processed sounds of a library, as its checkpoint alone tells them."""
        found: set[int] = self.load(name)["processed_ids"]
        return found

    def state(self, name: str) -> Any:
        """Return the state of a library as `status` reads it."""
        return load_view(self.folder / name).state

    def backups(self, name: str) -> list[str]:
        """Return the names of a library's backups, oldest first."""
        found = [path.name for path in (self.folder / name).glob("*_backup_*")]
        # Two may have been written within a second: the one with more sounds is the later.
        return sorted(found, key=lambda text: (text[-19:], int(text.split("_")[3].removesuffix("nodes"))))


@contextmanager
def jobs_asked() -> Iterator[list[int]]:
    """Give the numbers of jobs that joblib is asked for; its processes are threads meanwhile, which start at once."""
    asked, parallel = [], joblib.Parallel

    def in_threads(*, n_jobs: int, backend: str = "", **named: Any) -> Any:
        asked.append(n_jobs)
        return parallel(n_jobs=n_jobs, backend=backend or "threading", **named)

    with mock.patch.object(joblib, "Parallel", in_threads):
        yield asked


@contextmanager
def tasks_sent() -> Iterator[list[Any]]:
    """Give the arguments of the tasks that a cluster gets."""
    sent: list[Any] = []
    submit = Cluster.submit

    def note(cluster: Cluster, function: Any, arguments: Any, done: Any) -> Any:
        sent.append(arguments)
        return submit(cluster, function, arguments, done)

    with mock.patch.object(Cluster, "submit", note):
        yield sent


def setting_of(option: str) -> str:
    """Return the name of an option in a settings file."""
    return option[5:] if option in OFF else option[2:]


def variable_of(command: str, option: str) -> str:
    """Return the environment variable that the guide's topic `settings` documents for an option."""
    name = setting_of(option)
    return "_".join(filter(None, ["HARVESTER", *command.split(), name])).upper().replace("-", "_")
