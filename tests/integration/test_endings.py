"""Every ending of a run gives the same report, the same commit to Git, and then its exit code.

Real processes against the sandbox's server with its faults. The server does not say that it is a sandbox, because the
library of one is not committed.
"""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from harvester.gitsync.setup import set_up_git
from harvester.library.reader import load_view
from harvester.storage.paths import JOURNAL
from tests.support.clones import Clone, environment, make_clones, needs_git
from tests.support.fork_server import Forked
from tests.support.hostile_server import HostileServer, Responder, as_freesound, body, detail, renamed
from tests.support.processes import KEY, ROOT, Ended, run, start, wait_until
from tests.support.quick_clock import QUICKER

pytestmark = needs_git

FAILING = """
import errno
import harvester.pipeline.writer as writing
real, read, kind, count = os.open, writing.OutcomeReader.read, {kind!r}, 0
def failing(path, flags, *more, **named):
    name = os.path.basename(os.fspath(path))
    if flags & os.O_CREAT and ("_backup_" in name if kind == "backup" else name.endswith(".pkl.%d.tmp" % os.getpid())):
        code = errno.EACCES if kind == "denied" else errno.ENOSPC
        raise OSError(code, os.strerror(code))
    return real(path, flags, *more, **named)
def failing_read(self, outcome):
    global count
    count += 1
    return 1 // 0 if count > 9 else read(self, outcome)
if kind == "bug":
    writing.OutcomeReader.read = failing_read
else:
    os.open = failing
"""
"""What makes a process whose disk takes no new checkpoint or backup, or whose own code fails after a few answers."""

GROWN = r"\+[1-9]\d* processed \(\d+\), \+\d+ sounds \(\d+\), \+\d+ edges \(\d+\)"


@dataclass(frozen=True)
class Ending:
    """A run that ends, and what is then seen."""

    name: str
    reason: str
    code: int
    options: tuple[object, ...] = ()
    faults: tuple[str, ...] = ()
    similar: Responder = as_freesound
    broken: str = ""
    commits: bool = True
    grown: str = GROWN


ENDINGS = [
    Ending("target reached", "target reached", 0),
    Ending("all found", "exhausted", 0, ("--tag", "rain", "--samples", 400)),
    Ending("most requests", ".*", 0, ("--max-requests", 6)),
    Ending("quota used up", "quota used up, next request possible at .*", 0, ("--limits", "6000/6")),
    Ending("time limit", "time limit reached", 0, ("--time-limit", "1s"), ("429-burst@path=similar@from=3",)),
    Ending("refused key", "the API refuses the key", 10, faults=("401@path=similar@from=4",)),
    Ending(
        "outage", "the API cannot be reached", 11, ("--time-limit", "2s"), ("503@path=similar",),
        grown=r"\+0 processed \(0\), \+150 sounds \(150\).*",
    ),
    Ending(
        "changed shape", "the API's answers have changed their shape", 12,
        similar=body(renamed("results", "rows")), grown=r"\+0 processed \(0\), \+150 sounds \(150\).*",
    ),
    Ending("full disk", "the disk is full", 25, broken="full", commits=False, grown=r"\+0 processed.*"),
    Ending("failed backup", "a backup failed", 26, ("--backup-every", 1), broken="backup"),
    Ending(
        "no permission", "the library or the output cannot be written", 21,
        broken="denied", commits=False, grown=r"\+0 processed.*",
    ),
    Ending("a bug", "a bug in harvester", 70, broken="bug"),
]  # fmt: skip


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A repository that several libraries share."""
    [made] = make_clones(tmp_path_factory.mktemp("endings"), 1)
    return made


@dataclass(frozen=True)
class Place:
    """A library of its own in the repository, set up for Git."""

    clone: Clone
    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a run here."""
        given = environment(self.clone.root) | {"HARVESTER_STATE": f"{self.folder}.state", "NO_COLOR": "1"}
        return given | {"FREESOUND_API_KEY": KEY, "PYTHONPATH": str(ROOT)}

    def words(self, server: HostileServer, *options: object, command: str = "harvest") -> list[str]:
        """The command line of a small run."""
        given = [command, "--library", self.folder, "--api-url", server.url, *options]
        given += [] if "--limits" in options else ["--level", 99]
        given += [] if command != "harvest" or "--samples" in options else ["--samples", 20]
        return list(map(str, given))

    def commits(self) -> list[str]:
        """The messages of the commits with this library's files, the latest first."""
        return self.clone.git("log", "--format=%s", "--", str(self.folder)).splitlines()


@pytest.fixture
def place(clone: Clone, request: pytest.FixtureRequest) -> Place:
    folder = clone.root / re.sub(r"\W+", "_", request.node.name)
    folder.mkdir()
    set_up_git(folder, lfs=False)
    return Place(clone, folder)


def _run(place: Place, ending: Ending, words: list[str]) -> Ended:
    first = FAILING.format(kind=ending.broken) if ending.broken else QUICKER if ending.name == "outage" else ""
    return run(*words, cwd=place.clone.root, environ=place.environ, first=first)


@pytest.mark.parametrize("ending", ENDINGS, ids=[one.name for one in ENDINGS])
def test_an_ending_is_reported_and_committed_and_has_its_code(ending: Ending, place: Place) -> None:
    table = {"**": as_freesound, "search": as_freesound, "similar": ending.similar}
    with HostileServer(table, faults=ending.faults) as server:
        ended = _run(place, ending, place.words(server, *ending.options))
    assert ended.code == ending.code, ended.err
    report = re.search(
        rf"^{ending.reason}: {ending.grown}\n"
        r"cost: [\d,]+ requests? in [^\n]*\n"
        rf"library: {re.escape(str(place.folder))} \([^\n]*\); [^\n]+\n",
        ended.err, re.MULTILINE,
    )  # fmt: skip
    assert report, ended.err
    assert ("in the journal only" in report[0]) == (not ending.commits)
    after = ended.err[report.end() :].splitlines()
    assert after[:1] == [line for line in after[:1] if line.startswith("committed ")] or not ending.commits, ended.err
    said = re.findall(r"(\+\d+ processed \(\d+\)).*(\+\d+ edges) .*\ncost: ([\d,]+ requests?)", report[0])
    assert place.commits() == ([f"library: {', '.join(said[0])}"] if ending.commits else []), ended.err
    if ending.code:
        assert after[-1].startswith("harvester: ")
    else:
        assert not after[1:]
    assert len(load_view(place.folder).state.graph) >= 6  # what it got is there, committed or not


@pytest.mark.parametrize(("search", "ended", "code"), [(as_freesound, "everything stale is refreshed", 0), (
    detail(401, "Invalid token"), "the API refuses the key", 10)], ids=["whole", "refused key"],
)  # fmt: skip
def test_a_refresh_ends_as_a_harvest_does(search: Responder, ended: str, code: int, place: Place) -> None:
    with HostileServer({"**": as_freesound, "search": as_freesound, "similar": as_freesound}) as server:
        grown = run(*place.words(server, "--no-commit"), cwd=place.clone.root, environ=place.environ)
        assert grown.code == 0, grown.err
        assert not place.commits()
        server.table["search"] = search
        words = place.words(server, "--older-than", "0s", command="refresh")
        done = run(*words, cwd=place.clone.root, environ=place.environ)
    assert done.code == code, done.err
    assert re.search(rf"^{ended}: \d+ records and 0 lists refreshed", done.err, re.MULTILINE), done.err
    assert re.search(r"^cost: [\d,]+ requests? in ", done.err, re.MULTILINE), done.err
    assert place.commits() == [re.findall(r"committed \w+: (.*)", done.err)[0]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_first_signal_ends_a_run_in_order(number: signal.Signals, place: Place) -> None:
    # A closed terminal is told only to a command that has one.
    ours, theirs = os.openpty() if number == signal.SIGHUP else os.pipe()
    table = {"**": as_freesound, "search": as_freesound, "similar": as_freesound}
    with HostileServer(table, faults=["429-burst@path=similar@from=6"]) as server:
        words = place.words(server, "--no-progress")
        process = Forked(words, cwd=place.clone.root, environment=place.environ, streams=(theirs, theirs))
        os.close(theirs)
        wait_until(lambda: server.asked["similar"] > 5, what="the limit of the key")
        os.kill(process.pid, number)
        code = process.wait(60)
    err = os.read(ours, 100_000).decode().replace("\r\n", "\n")
    os.close(ours)
    assert code == 0, err
    assert re.search(rf"asked to stop \({number.name}\): {GROWN}", err), err
    assert len(place.commits()) == 1


@pytest.mark.parametrize("options", [(), ("--seed", 5)], ids=["search", "seed"])
def test_a_run_whose_key_is_refused_at_once_leaves_nothing(options: tuple[object, ...], tmp_path: Path) -> None:
    folder = tmp_path / "new/library"
    table = {"**": as_freesound, "search": detail(401, "Invalid token"), "sound": detail(401, "Invalid token")}
    with HostileServer(table | {"similar": detail(401, "Invalid token")}) as server:
        words = ("harvest", "--api-url", server.url, "--level", 99, *options, "--library")
        ended = run(*words, folder, cwd=tmp_path)
        assert ended.code == 10, ended.err
        assert f"no library was begun in {folder}" in ended.err
        assert not folder.parent.exists()
        folder.mkdir(parents=True)
        (folder / "README.md").write_text("ours")
        assert run(*words, folder, cwd=tmp_path).code == 10
    assert [one.name for one in folder.iterdir()] == ["README.md"]
    assert run("status", "--library", folder, cwd=tmp_path).code == 28


def test_a_run_killed_before_anything_came_leaves_no_library(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    with HostileServer({"**": as_freesound}, faults=["429-burst@path=fields"]) as server:
        words = ("harvest", "--api-url", server.url, "--level", 99, "--library", folder)
        with start(*words, cwd=tmp_path) as process:
            wait_until(lambda: server.counted, what="a request with the key")
            process.kill()
    assert (folder / JOURNAL).exists()
    ended = run("refresh", "--library", folder, "--sandbox", cwd=tmp_path)
    assert (ended.code, "there is no library here" in ended.err) == (28, True)
