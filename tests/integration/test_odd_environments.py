"""The command line in odd environments, as real processes: streams, home, key, locks, limits, names and clock.

A traceback is never right, and neither are words of Python. The codes are those of `harvester guide exit-codes`.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.processes import ROOT, environment, run
from tests.support.samples import grow, make_events, open_store

HARVEST = ("harvest", "--sandbox", "--samples", "1", "--no-progress", "--library", "new")
ONLINE = ("harvest", "--samples", "1", "--no-progress", "--time-limit", "0.2s", "--library", "new")
KEY = {"FREESOUND_API_KEY": "abc"}
STATE = {"HARVESTER_STATE": "state"}

FULL = "os.dup2(os.open('/dev/full', os.O_WRONLY), {})"
READER_LEFT = "ours, theirs = os.pipe(); os.dup2(theirs, 1); os.close(ours); os.close(theirs)"
MISSING = "os.close({}); sys.{} = None"
NO_USER = "import pwd\ndef getpwuid(uid):\n    raise KeyError(uid)\npwd.getpwuid = getpwuid"
NO_LOCKS = f"import fcntl\ndef flock(*_):\n    raise OSError({errno.ENOLCK}, 'No locks available')\nfcntl.flock = flock"
NO_SQLITE_LOCKS = NO_LOCKS.replace("flock", "lockf")
CLOCK = "import time; time.time_ns = lambda: {} * 10**9"
FILES = "resource.setrlimit(resource.RLIMIT_NOFILE, ({}, {}))"

NO_SPACE = f"harvester: stdout: no space left on the disk ({os.strerror(errno.ENOSPC)}); the output is incomplete"
NO_HOME = "harvester: you have no home folder for the ledger of requests; set HARVESTER_STATE or HOME"
LOCKS = (
    ": cannot be locked (No locks available); this file system has no locks: "
    "move the folder to a local disk, or mount it with locks; nothing was changed"
)
CLOCK_SAYS = "harvester: the clock of this machine says {}: set it first; nothing was changed"


@dataclass(frozen=True)
class Case:
    """A command; what the system does to its process; its exit code and what it writes, where `…` is any text."""

    arguments: tuple[str, ...]
    first: str = ""
    code: int = 0
    err: str = ""
    out: str = "…"
    environ: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)


CASES = {
    "stdout is missing": Case(
        ("status",), MISSING.format(1, "stdout"), 21,
        "harvester: stdout: cannot be written (it is closed); the output is incomplete",
    ),
    "stdout is full": Case(("status",), FULL.format(1), 25, NO_SPACE),
    "stdout is full of JSON": Case(("status", "--json"), FULL.format(1), 25, NO_SPACE),
    "stdout is full of data": Case(("export", "jsonl"), FULL.format(1), 25, NO_SPACE),
    "stdout is full of the guide": Case(("guide", "quota"), FULL.format(1), 25, NO_SPACE),
    "stdout is full of help": Case(("--help",), FULL.format(1), 25, NO_SPACE),
    "the reader of stdout has left": Case(("export", "jsonl"), READER_LEFT, 141, ""),
    "the reader of the help has left": Case(("--help",), READER_LEFT, 141, ""),
    "stderr is missing": Case(("check", "--library", "no"), MISSING.format(2, "stderr"), 28, "", ""),
    "stderr is full": Case(("check", "--library", "no"), FULL.format(2), 28, "", ""),
    "stdout has few letters": Case(
        ("status", "--library", "é"),
        "os.symlink('freesound_library', b'\\xc3\\xa9'); sys.stdout.reconfigure(encoding='ascii', errors='strict')",
        0, "", "\\xe9   (…",
    ),
    "a user without an entry has no HOME": Case(
        ONLINE, NO_USER + "; del os.environ['HOME']", 21, NO_HOME, environ=KEY
    ),
    "a user without an entry reads": Case(("config",), NO_USER + "; del os.environ['HOME']", 0, "…", "…not set…"),
    "HOME is empty": Case(ONLINE, "", 21, NO_HOME, environ=KEY | {"HOME": ""}),
    "HOME leads nowhere": Case(ONLINE, "os.environ['HOME'] += '/gone'", 21, NO_HOME, environ=KEY),
    "HOME cannot be written": Case(ONLINE, "", 21, "…for the ledger…", environ=KEY | {"HOME": "/proc"}),
    ".env has a line that is no key": Case(
        ("config",), "", 0, "…\n.env:2: not read as FREESOUND_API_KEY; write FREESOUND_API_KEY=…",
        files={".env": b"A=1\nAPI_KEY=hunter2\n"},
    ),
    ".env has an open quote": Case(
        ("harvest",), "", 2, "harvester: .env:1: FREESOUND_API_KEY cannot be read; check the quotes of this line",
        files={".env": b'FREESOUND_API_KEY="hunter2\n'},
    ),
    ".env is as Windows writes it": Case(
        ("config",), "", 0, "…", "FREESOUND_API_KEY: set in .env:2, …",
        files={".env": b"\xef\xbb\xbf# mine\r\nexport FREESOUND_API_KEY = 'hunter2' # mine\r\n"},
    ),
    "a proxy has no address": Case(
        ONLINE, "", 2,
        "harvester: HTTPS_PROXY: it is not the address of a proxy; write http://HOST:PORT or socks5://HOST:PORT",
        environ=KEY | STATE | {"HTTPS_PROXY": "ftp://me:hunter2@proxy"},
    ),
    "a proxy has no scheme, and a password": Case(
        ONLINE, "", 11,
        "sending requests through the proxy http://127.0.0.1:9\n…the proxy http://127.0.0.1:9 cannot be reached…",
        environ=KEY | STATE | {"HTTPS_PROXY": "me:hunter2@127.0.0.1:9"},
    ),
    "the file system has no locks": Case(
        HARVEST, NO_LOCKS, 21, f"…\nharvester: new/freesound_library.lock{LOCKS}"
    ),
    "the state folder has no locks": Case(
        ONLINE, NO_SQLITE_LOCKS, 21, f"harvester: state/ledger.sqlite{LOCKS}", environ=KEY | STATE
    ),
    "a reader needs no locks": Case(("status",), NO_LOCKS, 0, "", "freesound_library …"),
    "names are not UTF-8": Case(
        ("map", "--library", "b\udcff/lib", "-o", "c\udcff.html"),
        "os.mkdir(b'b\\xff'); os.symlink('../freesound_library', b'b\\xff/lib')", 0, "…c\\xff.html: …",
    ),
    "a run may open 20 files": Case(
        HARVEST, FILES.format(20, 20), 2,
        "…\nharvester: a run needs 48 open files, and this process may have 20: allow more with `ulimit -n 48`, "
        "or lower --concurrency",
    ),
    "a soft limit of 20 files is raised": Case(HARVEST, FILES.format(20, 4096), 0, "…"),
    "a sandbox may open 20 files": Case(
        ("sandbox", "--sounds", "1"), FILES.format(20, 20), 2, "harvester: the sandbox needs 104 open files, …"
    ),
    "processes may open 20 files": Case(
        ("check", "--jobs", "2"), FILES.format(20, 20), 2, "harvester: --jobs 2 needs 48 open files, and this process …"
    ),
    "a reader may open 12 files": Case(("check",), FILES.format(12, 12), 0, "freesound_library: …"),
    "a writer may open 7 files": Case(
        ("merge", "freesound_library", "-o", "new"), FILES.format(7, 7), 21,
        "…Too many open files: this process may have 7, allow more with `ulimit -n 14`…",
    ),
    "the folder cannot be written": Case(HARVEST, "os.chdir('/proc')", 21, "…\nharvester: new: cannot be written…"),
    "the folder was deleted": Case(
        ("check",), "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')", 28, "harvester: freesound_library: …"
    ),
    "little of the environment is right": Case(
        ("status",), "", 0, "", "freesound_library …",
        environ={"TZ": "No/Where", "COLUMNS": "1", "TERM": "dumb", "TMPDIR": "/nonexistent", "LC_ALL": "x"},
    ),
    "processes have no folder for temporary files": Case(
        ("check", "--jobs", "2"), "", 0, "freesound_library: …", environ={"TMPDIR": "/nonexistent"}
    ),
    "the clock says 1970": Case(HARVEST, CLOCK.format(0), 2, f"…\n{CLOCK_SAYS.format('1970-01-01T00:00:00Z')}"),
    "the clock says 2100": Case(
        HARVEST, CLOCK.format(4_102_444_800), 2, f"…\n{CLOCK_SAYS.format('2100-01-01T00:00:00Z')}"
    ),
    "the clock says the year 10000": Case(
        HARVEST, CLOCK.format(253_402_300_800), 2, f"…\n{CLOCK_SAYS.format('a time after the year 9999')}"
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd") / "freesound_library"
    with open_store(folder) as store:
        grow(store, make_events(3))
        store.checkpoint(backup=True)
    return folder


def odd_environment(home: Path) -> dict[str, str]:
    """Give an environment without variables that name folders, but for HOME."""
    odd = {name for name in os.environ if name.lower().endswith("_proxy")} | {"XDG_STATE_HOME", "XDG_CONFIG_HOME"}
    kept = {name: value for name, value in environment(home, key=None).items() if name not in odd}
    return {name: value for name, value in kept.items() if name != "HARVESTER_STATE"} | {"HOME": str(home)}


def assert_said(expected: str, said: str) -> None:
    pattern = ".*".join(map(re.escape, expected.split("…")))
    assert re.fullmatch(pattern, said.removesuffix("\n"), re.DOTALL), said
    assert not re.search(r"Traceback|Errno|\w(Error|Exception)\b|hunter2|\\udc", said), said


@pytest.mark.parametrize("name", CASES)
def test_an_odd_environment_ends_with_a_line_and_a_code(name: str, library: Path, tmp_path: Path) -> None:
    case = CASES[name]
    (tmp_path / "freesound_library").symlink_to(library)
    for file, content in case.files.items():
        (tmp_path / file).write_bytes(content)
    environ = odd_environment(tmp_path) | case.environ
    ended = run(*case.arguments, cwd=tmp_path, environ=environ, first=case.first)
    assert ended.code == case.code, ended.err
    assert_said(case.err, ended.err)
    assert_said(case.out, ended.out)
    assert not (tmp_path / "gone").exists()
    if case.code:
        assert not (tmp_path / "new" / "freesound_library.pkl").exists()


LINES = {
    "all streams are missing": "$H harvest --sandbox --samples 1 --library new <&- >&- 2>&- && $H check --library new",
    "the locale is POSIX": "mkdir é && LC_ALL=POSIX PYTHONCOERCECLOCALE=0 PYTHONUTF8=0 "
    "$H map -o é/m.html && test -s é/m.html",
}
"""What only the start of an interpreter shows, as lines of a shell."""


@pytest.mark.parametrize("name", LINES)
def test_an_interpreter_that_starts_oddly_does_the_work(name: str, library: Path, tmp_path: Path) -> None:
    (tmp_path / "freesound_library").symlink_to(library)
    environ = odd_environment(tmp_path) | {"H": f"{sys.executable} -m harvester", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(["bash", "-c", LINES[name]], cwd=tmp_path, env=environ, capture_output=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert_said("…", (ended.stdout + ended.stderr).decode())
