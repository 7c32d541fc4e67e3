"""Ctrl-C and SIGTERM at a known moment of each command: one line, the code of the signal, and nothing left over."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.old_libraries import make_old_library
from tests.support.processes import ROOT, Ended, environment, run
from tests.support.samples import make_events, make_record, open_store

AT_A_MOMENT = """
import os, sys
left = [{number}]
def send(found):
    if left and {text!r} in found:
        os.kill(os.getpid(), left.pop())
class Imports:
    def find_spec(self, name, path=None, target=None):
        send(name)
def named(descriptor):
    return os.readlink("/proc/self/fd/%d" % descriptor)
real_open, real_fsync = os.open, os.fsync
def opening(path, flags, *more, **given):
    send(os.fspath(path))
    return real_open(path, flags, *more, **given)
def syncing(descriptor):
    send(named(descriptor))
    return real_fsync(descriptor)
if {call!r} == "class":
    import dataclasses
    dataclasses.Field.__set_name__ = lambda field, owner, name: send(owner.__qualname__)
elif {call!r} == "import":
    sys.meta_path.insert(0, Imports())
elif {call!r} == "open":
    os.open = opening
else:
    os.fsync = syncing
"""
"""The process sends itself a signal when it first makes, imports, opens or syncs what has this text in its name."""

ENDLESS = "SELECT/**/count(*)FROM/**/range(9000000000)a,range(9000000000)b/**/WHERE/**/a.range*b.range%7=9"

MOMENTS = [
    ("status", "import", "typer"),
    ("status", "import", "harvester.cli.commands.find"),
    ("find rain --library shelf", "class", "SimilarPage"),
    ("find rain --library shelf", "class", "LibraryView"),
    ("status --library shelf", "open", ".pkl"),
    ("find rain --library shelf", "open", ".pkl"),
    ("show 1 --library shelf", "open", ".journal"),
    ("plan --library shelf --sandbox", "open", ".pkl"),
    ("check --library shelf", "open", ".pkl"),
    ("export jsonl --library shelf -o out.jsonl", "fsync", ".tmp"),
    ("export csv --library shelf -o out.csv", "fsync", "out.edges"),
    ("export dataset --library shelf -o out", "fsync", "edges-"),
    ("export sqlite --library shelf -o out.sqlite", "fsync", ".tmp"),
    ("map --library shelf -o map.html", "fsync", ".tmp"),
    # pyarrow imports pandas while the tables are made in a thread; the statement would take days.
    (f"sql --library shelf {ENDLESS}", "import", "pandas.core.arrays"),
    ("import old_library.pkl --library new", "fsync", ".pkl"),
    ("merge shelf -o out", "fsync", ".tmp"),
    ("restore --library shelf", "fsync", ".tmp"),
    ("sandbox", "import", "typer"),
    ("harvest --sandbox --library new", "import", "aiohttp"),
]


HUNG_UP = "ended because the terminal was closed (SIGHUP)"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library and an old file of one."""
    folder = tmp_path_factory.mktemp("whole")
    with open_store(folder / "shelf") as store:
        for event in make_events(30):
            store.state.apply(event)
        store.rewrite()
    make_old_library(folder, json.dumps([make_record(one) for one in (1, 2)]))
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(("line", "call", "text"), MOMENTS)
def test_a_command_that_is_interrupted_says_one_line_and_leaves_nothing(
    line: str, call: str, text: str, number: signal.Signals, whole: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    before = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")}
    first = AT_A_MOMENT.format(number=int(number), call=call, text=text)
    imports = call in ("import", "class")
    done = _run_new(first, line, tmp_path) if imports else run(*line.split(), cwd=tmp_path, first=first, key=None)
    words = {signal.SIGINT: "interrupted by Ctrl-C", signal.SIGTERM: "ended by SIGTERM"}.get(number, HUNG_UP)
    assert done.code == 128 + number, done.err
    assert done.err.splitlines()[-1] == f"harvester: {words}; no file is left half written: run the command again"
    assert done.err.count("\n") == 1 + ("embedded sandbox" in done.err) + ("laying out" in done.err)
    assert done.out == ""
    left = {path.relative_to(tmp_path) for path in tmp_path.rglob("*")} - before
    assert not [path for path in left if path.parts[0] != "state" and path.suffix != ".lock"], left


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_after_the_answer_says_that_the_answer_is_whole(
    number: signal.Signals, whole: Path, tmp_path: Path
) -> None:
    first = "from harvester.library import indexed\nindexed.INDEXED_FROM = 0\n"
    asked = "find", "rain", "--library", whole / "shelf"
    plain = run(*asked, cwd=tmp_path, key=None)
    first += AT_A_MOMENT.format(number=int(number), call="fsync", text=".sqlite.")
    done = run(*asked, cwd=tmp_path, first=first, key=None)
    assert done.code == 128 + number, done.err
    assert done.out == plain.out
    words = "interrupted by Ctrl-C" if number == signal.SIGINT else "ended by SIGTERM"
    assert done.err.removeprefix(plain.err) == (
        f"harvester: {words}; the answer is whole; what makes the next one faster was left undone\n"
    )
    assert not list(tmp_path.rglob("*.sqlite*"))


def test_ctrl_c_before_the_handlers_are_there_ends_without_a_traceback(tmp_path: Path) -> None:
    first = AT_A_MOMENT.format(number=int(signal.SIGINT), call="import", text="harvester.interrupts")
    done = _run_new(first, "--version", tmp_path)
    assert (done.code, done.out, done.err) == (-signal.SIGINT, "", "")
    ignored = f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{first}"
    assert _run_new(ignored, "--version", tmp_path).code == 0


def test_the_package_imports_nothing_that_delays_the_handlers() -> None:
    code = "import sys; old = set(sys.modules); import harvester; print(*sorted(set(sys.modules) - old))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["__future__", "harvester", "harvester.version"], done.stderr


def _run_new(first: str, line: str, cwd: Path) -> Ended:
    """Run a command in an interpreter that has imported nothing yet."""
    done = subprocess.run(
        [sys.executable, "-c", f"{first}\nfrom harvester.__main__ import main\nmain()", *line.split()],
        cwd=cwd, env=environment(cwd / "state", key=None) | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, start_new_session=True,
    )  # fmt: skip
    return Ended(done.returncode, done.stdout, done.stderr)
