"""Every command ends with the exit codes of the guide: a real process for each, and each code of the table by some."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from harvester.clock import SystemClock
from harvester.errors import exit_code_table
from harvester.journal.format import encode_head
from harvester.journal.reader import load_head
from harvester.previews.folder import opened_previews
from harvester.storage.lock import WriterLock
from harvester.storage.paths import CHECKPOINT, JOURNAL
from tests.integration.options.place import Place
from tests.integration.options.table import declared
from tests.support.clones import environment as author
from tests.support.hostile_server import HostileServer, always, html
from tests.support.plugins import write_package
from tests.support.processes import KEY, Ended, environment, run, sandbox_process, start, wait_until

Prepare = Callable[[Place, ExitStack], dict[str, str]]
"""Prepare the folder of a command; return what its line names in braces."""


def _as_it_is(_place: Place, _stack: ExitStack) -> dict[str, str]:
    return {}


def _from_a_wrong_key(_place: Place, _stack: ExitStack) -> dict[str, str]:
    return {}


def _before_a_firewall(_place: Place, stack: ExitStack) -> dict[str, str]:
    return {"server": stack.enter_context(HostileServer({"**": html(403)})).url}


def _of_changed_answers(_place: Place, stack: ExitStack) -> dict[str, str]:
    return {"server": stack.enter_context(HostileServer({"similar": always(200, '{"ok":true}')}, sounds=300)).url}


def _beside_a_writer(place: Place, stack: ExitStack) -> dict[str, str]:
    for name in ("shelf", "grown", "swept"):
        if name == "swept":
            place.swept()
        lock = WriterLock(place.folder / name)
        lock.acquire(SystemClock().time_us())
        stack.callback(lock.release)
    (place.folder / "shelf" / "odd.txt").write_text("what a repair would have to do with")
    return {}


def _beside_previews(place: Place, stack: ExitStack) -> dict[str, str]:
    stack.enter_context(opened_previews(place.folder / "shelf", SystemClock().time_us()))
    return {}


def _at_a_file(place: Place, _stack: ExitStack) -> dict[str, str]:
    shutil.rmtree(place.folder / "shelf")
    (place.folder / "shelf").write_text("a file where the folder should be")
    return {}


def _of_rubbish(place: Place, _stack: ExitStack) -> dict[str, str]:
    for path in (place.folder / "shelf").iterdir():
        path.unlink()
    (place.folder / "shelf" / CHECKPOINT).write_bytes(b"rubbish")
    return {}


def _of_another_source(place: Place, _stack: ExitStack) -> dict[str, str]:
    place.swept()
    return {"old": str(place.stock.old_file())}


def _of_a_newer_version(place: Place, _stack: ExitStack) -> dict[str, str]:
    path = place.folder / "shelf" / JOURNAL
    head = load_head(path)
    assert head is not None
    with closing(sqlite3.connect(path)) as journal, journal:
        journal.execute("UPDATE head SET body = ?", (encode_head(replace(head, format=99)),))
    return {}


def _of_a_pointer(place: Place, _stack: ExitStack) -> dict[str, str]:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d' * 32}\nsize 12345678\n"
    (place.folder / "shelf" / CHECKPOINT).write_text(pointer)
    return {}


def _two_sides_that_conflict(place: Place, _stack: ExitStack) -> dict[str, str]:
    (place.folder / "shelf" / CHECKPOINT).write_bytes(b"rubbish")
    return {}


SERVER = "--api-url {server} --level 99"
LINES: dict[int, dict[str, tuple[Prepare, tuple[str, ...]]]] = {
    0: {
        "as it is": (_as_it_is, (
            f"harvest {SERVER} --samples 1 --library grown", f"plan {SERVER} --query drum",
            f"refresh {SERVER} --library grown", "link --library {swept}", "status --library shelf",
            "history --library shelf",
            "show 1 --library shelf", "find rain --library shelf", "export jsonl --library shelf",
            "analyse --library shelf", "relate --by user --library shelf",
            "map --library shelf", "sql --library shelf", "check --library shelf",
            "previews --api-url {server} --max-duration 3s --max-files 1 --library grown",
            "restore --library shelf", "merge shelf --library new",
            "import {old} --library new", "forget 1 --library shelf --yes", "git-setup --library shelf",
            "init team",
            "git-merge shelf/{checkpoint} shelf/{checkpoint} x", "git-textconv shelf/{checkpoint}",
            "service --print cron", "service --print launchd", "guide status", "config", "plugins",
            "backups list --library shelf", "backups prune --library shelf --yes",
        )),
    },
    1: {
        "as it is": (_as_it_is, ("status --exit-code --library shelf",)),
        "of rubbish": (_of_rubbish, ("check --library shelf", "check --json --library shelf")),
        "of a pointer": (_of_a_pointer, ("check --library shelf",)),
        "of sides that conflict": (_two_sides_that_conflict, (
            "git-merge grown/{checkpoint} shelf/{checkpoint} x", "git-merge shelf/{checkpoint} grown/{checkpoint} x",
        )),
    },
    2: {
        "as it is": (_as_it_is, (
            "harvest --order best", "plan --filter tag:(rain", "refresh --older-than soon",
            "history --last 0 --library shelf",
            "link --library shelf",
            "status --watch --deferred", "show 999 --library shelf", "find", "export word --library shelf",
            "analyse --community 1 --library shelf", "relate --by mood --library shelf",
            "map --ego 999 --library shelf", "browse --ego 999 --library shelf", "map --static map.jpg --library shelf",
            "previews --library shelf", "sql SELEC --library shelf", "check --jobs 0",
            "restore none.pkl --library shelf", "merge nowhere",
            "import harvester.toml.old", "forget", "forget 1 --library shelf", "git-setup --lfs --undo", "init shelf",
            "git-merge a", "git-textconv",
            "service --print upstart", "sandbox --fault teapot", "guide nothing", "config nothing", "plugins --all",
            "backups list --no-option",
            "backups prune --keep-backups 0", "--no-option",
        )),
    },
    10: {"from a wrong key": (_from_a_wrong_key, (
        f"harvest {SERVER}", f"plan {SERVER} --query a", f"refresh {SERVER} --library grown --older-than 0s",
    ))},
    11: {"before a firewall": (_before_a_firewall, (
        f"harvest {SERVER}", f"plan {SERVER} --query a", f"refresh {SERVER} --library grown --older-than 0s",
        f"link {SERVER} --verify 1 --library {{swept}}",
        "previews --api-url {server} --all --per-minute 6000 --library grown",
    ))},
    12: {"of changed answers": (_of_changed_answers, (
        f"harvest {SERVER}", f"refresh {SERVER} --library grown --older-than 0s --links --neighbours 8",
    ))},
    20: {"beside a writer": (_beside_a_writer, (
        f"harvest {SERVER} --library grown", f"refresh {SERVER} --library grown", "link --library swept",
        "restore --library shelf", "merge swept --library grown", "import {old} --library shelf",
        "forget 1 --library shelf", "backups prune --library shelf",
    )), "beside a run of previews": (_beside_previews, (
        "previews --all --library shelf", "forget 1 --library shelf --yes",
    ))},
    21: {"at a file": (_at_a_file, (
        f"harvest {SERVER} --library shelf", "import {old} --library shelf",
    ))},
    22: {"of rubbish": (_of_rubbish, (
        f"harvest {SERVER} --library shelf", f"refresh {SERVER} --library shelf", f"plan {SERVER} --library shelf",
        "status --library shelf", "show 1 --library shelf", "find a --library shelf", "export jsonl --library shelf",
        "map --library shelf", "browse --library shelf", "sql --library shelf", "restore --library shelf",
        "merge shelf --library new", "forget 1 --library shelf", "previews --all --library shelf",
    ))},
    23: {"of another source": (_of_another_source, (
        f"harvest {SERVER} --library shelf", f"refresh {SERVER} --library shelf",
        "previews --all --sandbox --library shelf",
        "link --sandbox --verify 1 --library swept", "merge shelf grown --library new", "import {old} --library grown",
    ))},
    24: {"of a newer version": (_of_a_newer_version, (
        f"harvest {SERVER} --library shelf", f"refresh {SERVER} --library shelf", f"plan {SERVER} --library shelf",
        "status --library shelf", "show 1 --library shelf", "find a --library shelf", "export jsonl --library shelf",
        "map --library shelf", "browse --library shelf", "sql --library shelf", "restore --library shelf",
        "merge shelf --library new",
        "forget 1 --library shelf",
    ))},
    27: {"of a pointer": (_of_a_pointer, (
        f"harvest {SERVER} --library shelf", "status --library shelf", "export jsonl --library shelf",
        "restore --library shelf", "merge shelf --library new",
    ))},
    28: {"as it is": (_as_it_is, (
        f"refresh {SERVER} --library mistyped", "check --library mistyped", "check --repair --library mistyped",
        "restore --library mistyped", "forget 1 --library mistyped", "backups prune --library mistyped",
        "export jsonl --library mistyped", "analyse --library mistyped", "map --library mistyped",
        "browse --library mistyped",
        "history --library mistyped",
        "status --library mistyped", "find a --library mistyped", "show 1 --library mistyped",
        "backups list --library mistyped", "link --library mistyped",
        "relate --by user --library mistyped", "sql --library mistyped", "previews --all --library mistyped",
    ))},
    31: {"as it is": (_as_it_is, (
        "check --library shelf --scheduler tls://127.0.0.1:1",
        "export parquet --library shelf -o out --partition-rows 5 --scheduler tls://127.0.0.1:1",
        "map --library {swept} --layout vectors --scheduler tls://127.0.0.1:1",
    ))},
}  # fmt: skip
"""By exit code: how the folder is prepared, and the lines that then end with that code."""

CASES = [
    pytest.param(code, prepare, line, id=f"{code}: {line.split(' --api-url')[0]} {how}")
    for code, by_state in LINES.items()
    for how, (prepare, lines) in by_state.items()
    for line in lines
]


def _words(place: Place, line: str, named: dict[str, str]) -> list[str]:
    swept = place.swept() if "{swept}" in line else ""
    old = str(place.stock.old_file()) if "{old}" in line else ""
    known = {"server": place.sandbox.url, "checkpoint": CHECKPOINT, "swept": swept, "old": old} | named
    return line.format(**known).split()


def _told_twice(line: str) -> list[str]:
    """Return the paths and the parts of a message that are in it more than once."""
    parts = [part for part in re.split(r"; |: |, | \(|\)", line) if part.count(" ") > 1]
    paths = [word.strip(".,;:()'`") for word in line.split() if "/" in word or ".pkl" in word]
    return [one for one, count in Counter([*parts, *paths]).items() if count > 1]


@pytest.mark.parametrize(
    "line",
    [
        "error    lib/x.pkl: lib/x.pkl is a Git LFS pointer",
        "harvester: lib/x.pkl: it cannot be read (Permission denied); nothing was changed; nothing was changed",
    ],
)
def test_what_a_message_says_twice_is_noticed(line: str) -> None:
    assert _told_twice(line)


@pytest.mark.parametrize(("code", "prepare", "line"), CASES)
def test_a_command_ends_with_its_exit_code(code: int, prepare: Prepare, line: str, place: Place) -> None:
    if line.startswith("git-setup --library"):
        subprocess.run(["git", "init", "--quiet"], cwd=place.folder, check=True)
    if line.startswith("init "):
        for name, value in author(place.folder).items():
            place.patch.setenv(name, value)
    with ExitStack() as stack:
        words = _words(place, line, prepare(place, stack))
        key = "notAKeyAtAll123" if code == 10 else KEY
        ended = run(*words, cwd=place.folder, key=key)
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err
    if code:
        assert ended.err.splitlines()[-1].startswith("harvester: ")
    told = ended.err + ended.out if line.startswith("check") and "--json" not in words else ended.err
    assert not [one for one in told.splitlines() if _told_twice(one)]
    if "--json" in words:
        assert json.loads(ended.out)["clean"] is False


FAILING = """
import errno
real, name, kind = os.open, {name!r}, {kind!r}
def failing(path, flags, *more, **named):
    made = flags & os.O_CREAT or kind == "bug"
    if made and name in os.fspath(path) and ("_backup_" in os.fspath(path)) == ("_backup_" in name):
        raise OSError(errno.ENOSPC, "No space left on device") if kind == "full" else ZeroDivisionError("a bug")
    return real(path, flags, *more, **named)
os.open = failing
"""
"""What makes a process in which the system has no space for a file, or in which our own code fails."""


def _in_a_failing_process(place: Place, name: str, kind: str, *words: str) -> Ended:
    return run(*words, cwd=place.folder, first=FAILING.format(name=name, kind=kind))


FULL: dict[int, tuple[tuple[str, str], ...]] = {
    25: (
        (f"harvest {SERVER} --samples 1 --library new", ".tmp"),
        ("export jsonl --library shelf -o out.jsonl", ".tmp"),
        ("previews --api-url {server} --max-duration 3s --max-files 2 --library grown", ".ogg."),
    ),
    26: (
        (f"harvest {SERVER} --samples 1 --library new --backup-every 1", "_backup_"),
        ("restore --library shelf", "_backup_"),
    ),
}
"""By exit code: the lines that end with it where there is no space for a file of this name."""


@pytest.mark.parametrize(("code", "line", "name"), [(code, *case) for code, cases in FULL.items() for case in cases])
def test_a_full_disk_has_its_exit_code_and_loses_nothing(code: int, line: str, name: str, place: Place) -> None:
    ended = _in_a_failing_process(place, name, "full", *_words(place, line, {}))
    assert ended.code == code, ended.err
    assert "No space left on device" in ended.err
    last = ended.err.splitlines()[-1]
    assert last.startswith("harvester: ")
    if line.startswith("harvest"):
        # What the run fetched is in the journal, or beside it in the checkpoint: the 150 hits of the first search.
        assert len(place.state("new").graph) >= 150
    assert not list(place.folder.rglob("*.tmp"))


OF_A_PLUGIN: dict[int, tuple[str, ...]] = {
    29: (f"harvest {SERVER} --order odd --library shelf", "export odd --library shelf"),
    0: ("plugins",),
}
"""By exit code: the lines that end with it where a plugin cannot be imported."""


@pytest.mark.parametrize(("code", "line"), [(code, line) for code, lines in OF_A_PLUGIN.items() for line in lines])
def test_a_plugin_that_fails_has_its_exit_code(code: int, line: str, place: Place) -> None:
    points = "[harvester.exports]\nodd = failing:ODD\n[harvester.orders]\nodd = failing:ODD\n"
    write_package(place.folder, "failing", points, code="raise LookupError('it fails')")
    environ = environment(place.folder / "state") | {"PYTHONPATH": str(place.folder)}
    ended = run(*_words(place, line, {}), cwd=place.folder, environ=environ)
    assert ended.code == code, ended.err
    assert "failing 1.0" in ended.out + ended.err
    assert "cannot be imported: it fails, " in ended.out + ended.err


def test_a_bug_has_its_exit_code_and_says_where_it_is(place: Place) -> None:
    ended = _in_a_failing_process(place, CHECKPOINT, "bug", "status", "--library", "shelf")
    assert ended.code == 70
    assert "ZeroDivisionError: a bug" in ended.err
    assert ended.err.splitlines()[-1].startswith("harvester: this is a bug in harvester; ")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_a_harvest_at_once(number: signal.Signals, code: int, tmp_path: Path) -> None:
    fault = ("--fault", "no-answer@path=/similar/")
    with (
        sandbox_process(tmp_path, "--no-throttle", "--sounds", 300, *fault) as sandbox,
        start("harvest", "--api-url", sandbox.url, "--level", 99, cwd=tmp_path) as process,
    ):
        wait_until(lambda: len(sandbox.requests()) > 2, what="requests without an answer")
        process.send_signal(number)
        assert process.stderr is not None
        while "stopping cleanly" not in process.stderr.readline():
            pass
        process.send_signal(number)
        assert process.wait(60) == code
        first, second = process.stderr.read().splitlines()[-2:]
    assert re.fullmatch(r"aborted: \+0 processed \(0\), \+\d+ sounds \(\d+\), \d+ requests", first)
    assert second == "library: sandbox_library; its journal has all of that: run it again to continue"


def test_every_code_and_every_command_is_in_the_tables() -> None:
    # What a terminal asks is in tests/integration/test_careful_commands.py.
    # 129 has its test in test_interrupts.py, 141 in test_odd_environments.py.
    tested = {*LINES, *FULL, *OF_A_PLUGIN, 30, 70, 129, 130, 141, 143}
    assert tested == {one.code for one in exit_code_table()}
    commands = {command for command, _ in declared() if command}
    for code in (0, 2):
        begun = [line for _, lines in LINES[code].values() for line in lines]
        # The sandbox ends with 0 in its own tests, when it is asked to.
        missing = {one for one in commands if not any(f"{line} ".startswith(f"{one} ") for line in begun)}
        assert missing == ({"browse", "sandbox"} if code == 0 else set())
