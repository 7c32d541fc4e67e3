"""Commands that change what a person may miss: a dry run, a question on a terminal, and --yes for scripts."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from unittest import mock

import pytest

import harvester
from harvester.clock import SystemClock
from harvester.errors import LibraryLocked, SettingsError
from harvester.library.reader import load_view
from harvester.storage.lock import WriterLock
from harvester.storage.paths import CHECKPOINT, JOURNAL, VECTORS
from tests.support.command import call
from tests.support.processes import environment
from tests.support.samples import SOURCE, files_of, grow, make_events, open_store

FINAL = ("forget 2", "backups prune --keep-backups 1", "merge theirs -o there.pkl")
"""Nothing brings back what these remove: an uncertain script must not run them."""

REVERSIBLE = ("restore", "check --repair", "merge theirs")
"""What these replace is kept, in quarantine/ or in a backup: scripts run them as before."""


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the default library, which needs a repair, a library of others and a checkpoint."""
    folder = tmp_path_factory.mktemp("stock")
    mine = folder / "freesound_library"
    with open_store(mine) as store:
        store.set_source(SOURCE)
        grow(store, make_events(3))
        store.checkpoint(backup=True)
        grow(store, make_events(3, first=11))
        store.checkpoint(backup=True)
        grow(store, make_events(1, first=21))
    (mine / VECTORS).write_text("no vectors at all")
    (mine / "quarantine" / "old").mkdir(parents=True)
    with open_store(folder / "theirs") as store:
        store.set_source(SOURCE)
        grow(store, make_events(2, first=31))
        store.checkpoint()
    shutil.copy(mine / CHECKPOINT, folder / "there.pkl")
    return folder


@pytest.fixture
def place(stock: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    shutil.copytree(stock, folder)
    return folder


def without_times(text: str) -> str:
    return re.sub(r"\d{8}_\d{6}", "TIME", text)


@pytest.mark.parametrize("line", FINAL + REVERSIBLE)
def test_a_dry_run_tells_what_the_command_then_does_and_changes_no_byte(line: str, place: Path) -> None:
    before = files_of(place)
    planned = call(*line.split(), "--dry-run", cwd=place)
    assert planned.code == 0, planned.err
    assert files_of(place) == before
    done = call(*line.split(), "--yes", cwd=place)
    assert done.code == 0, done.err
    assert files_of(place) != before
    first, _, rest = planned.err.partition("\n")
    assert first == "dry run: this is what would be done, and nothing is changed"
    assert without_times(rest) == without_times(done.err)
    assert without_times(planned.out) == without_times(done.out)
    assert len(done.err + done.out) > 20


@pytest.mark.parametrize("line", FINAL)
def test_without_a_terminal_what_cannot_be_undone_needs_yes(line: str, place: Path) -> None:
    before = files_of(place)
    ended = call(*line.split(), cwd=place)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("harvester: ")
    assert ended.err.endswith(
        "This cannot be undone: confirm it with --yes, or see what it does with --dry-run; nothing was changed\n"
    )
    assert files_of(place) == before


@pytest.mark.parametrize("line", REVERSIBLE)
def test_without_a_terminal_what_can_be_undone_is_done(line: str, place: Path) -> None:
    before = files_of(place)
    with mock.patch("harvester.library.rehearsal._rehearse", side_effect=AssertionError("one run is enough")):
        ended = call(*line.split(), cwd=place)
    assert ended.code == 0, ended.err
    assert files_of(place) != before


def test_a_merge_tells_the_backup_of_the_state_before_and_restore_goes_back(place: Path) -> None:
    before = load_view(place / "freesound_library").state
    told = call("merge", "theirs", cwd=place).err
    name = re.search(r"`harvester restore (\S+)` goes back to the state before", told)
    assert name is not None, told
    assert len(load_view(place / "freesound_library").state) == len(before) + 2
    assert call("restore", name[1], cwd=place).code == 0
    after = load_view(place / "freesound_library").state
    assert after.graph.nodes.keys() == before.graph.nodes.keys()
    assert after.processed == before.processed


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("backups prune --keep-backups 9", "no backup would go"),
        ("merge theirs -o new.pkl", "there is no such file yet"),
        ("merge theirs --library new", "there is no such library yet"),
        ("merge freesound_library -o there2.pkl", "there is nothing new"),
    ],
)
@pytest.mark.parametrize("terminal", [False, True])
def test_there_is_no_question_where_nothing_is_lost(line: str, why: str, terminal: bool, place: Path) -> None:
    call("merge", "freesound_library", "-o", "there2.pkl", cwd=place)
    with mock.patch("harvester.cli.consent.has_terminal", return_value=terminal):
        assert call(*line.split(), cwd=place).code == 0, why


def test_a_dry_run_beside_a_writer_is_refused_as_the_command_is(place: Path) -> None:
    folder = place / "freesound_library"
    lock = WriterLock(folder)
    lock.acquire(SystemClock().time_us())
    try:
        told = set()
        for dry_run in (False, True):
            with pytest.raises(LibraryLocked) as caught:
                harvester.restore(library=folder, dry_run=dry_run)
            told.add(str(caught.value))
        assert len(told) == 1
    finally:
        lock.release()


def test_a_dry_run_raises_about_the_library_and_not_about_its_copy(place: Path) -> None:
    folder = place / "freesound_library"
    for path in folder.glob("*.pkl"):
        path.write_bytes(b"rubbish")
    told = [call("restore", *more, cwd=place) for more in (("--dry-run",), ())]
    assert told[0] == told[1]
    assert told[0].code == 22
    (folder / JOURNAL).unlink()
    (folder / JOURNAL).symlink_to("/nowhere")
    before = files_of(folder)
    planned = call("check", "--repair", "--dry-run", cwd=place)
    assert "harvester" + os.sep not in planned.err
    assert files_of(folder) == before


def test_a_dry_run_of_a_check_without_a_repair_is_refused(place: Path) -> None:
    with pytest.raises(SettingsError, match="dry_run shows what"):
        harvester.check(place / "freesound_library", dry_run=True)
    assert call("check", "--dry-run", cwd=place).code == 2


def test_a_file_of_the_working_folder_must_not_answer_for_the_person(place: Path) -> None:
    (place / "harvester.toml").write_text("[forget]\nyes = true\n")
    ended = call("forget", 2, cwd=place)
    assert ended.code == 2
    assert "only you can set this" in ended.err


class _Terminal:
    """A process with a terminal of its own."""

    def __init__(self, line: str, cwd: Path) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "harvester", *line.split()],
            cwd=cwd, env=environment(cwd / "state"), stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        self.text = ""

    def read_to(self, end: str) -> None:
        while end not in self.text:
            self.text += os.read(self._ours, 4096).decode()

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def end(self) -> tuple[int, str]:
        """Return the exit code, and what came after the question."""
        code = self.process.wait(30)
        while True:
            try:
                piece = os.read(self._ours, 4096)
            except OSError:  # how a terminal without a process ends
                break
            if not piece:
                break
            self.text += piece.decode()
        return code, self.text.partition("[y/N] ")[2].replace("\r\n", "\n")


@pytest.fixture
def terminal(place: Path) -> Iterator[Callable[[str], _Terminal]]:
    with ExitStack() as opened:
        yield lambda line: opened.enter_context(closing(_Terminal(line, place)))


@pytest.mark.parametrize("answer", ["n\n", "\n", "yeah\n", "\x04", "Ctrl-C"])
def test_any_answer_but_yes_changes_nothing(answer: str, place: Path, terminal: Callable[[str], _Terminal]) -> None:
    before = files_of(place / "freesound_library")
    shown = terminal("forget 2")
    shown.read_to("[y/N] ")
    assert "1 sound withdrawn" in shown.text
    if answer == "Ctrl-C":
        shown.process.send_signal(signal.SIGINT)
    else:
        shown.type(answer)
    code, after = shown.end()
    assert code == 30
    assert after.splitlines()[-1] == "harvester: not confirmed; nothing was changed"
    assert "Traceback" not in after
    assert files_of(place / "freesound_library") == before


@pytest.mark.parametrize("answer", ["y", "YES"])
def test_yes_does_it(answer: str, place: Path, terminal: Callable[[str], _Terminal]) -> None:
    shown = terminal("merge theirs")
    shown.read_to("Merge this into freesound_library? [y/N] ")
    shown.type(f"{answer}\n")
    code, after = shown.end()
    assert code == 0
    assert "+2 new sounds" in after
    assert {31, 32} <= load_view(place / "freesound_library").state.graph.nodes.keys()


@pytest.mark.parametrize("line", FINAL + REVERSIBLE)
def test_each_careful_command_asks_on_a_terminal(line: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files_of(place)
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return "n\n"

    monkeypatch.setattr("harvester.cli.consent.has_terminal", lambda: True)
    monkeypatch.setattr("harvester.cli.consent.ask_line", answer)
    ended = call(*line.split(), cwd=place)
    assert ended.code == 30
    assert ended.out == ""
    assert len(asked) == 1
    assert asked[0].endswith("? [y/N] ")
    assert ended.err.splitlines()[-1] == "harvester: not confirmed; nothing was changed"
    assert files_of(place) == before
