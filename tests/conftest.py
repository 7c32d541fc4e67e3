"""What every test gets: a state folder of its own, no key from the environment, no settings from outside."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
from collections.abc import Generator, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings

from tests.support.packages import remember_entry_points

# An ordinary run says the same twice; `make chaos` looks for what is new each time. A busy machine breaks deadlines.
settings.register_profile("ordinary", derandomize=True, deadline=None, max_examples=40)
settings.register_profile("thorough", derandomize=True, deadline=None, max_examples=100)  # for `make mutants`
settings.register_profile("chaos", database=None, deadline=None, max_examples=400)

STAND_IN = Path(__file__).resolve().parent / "support" / "git_lfs.py"
REAL_RECORDS = Path(__file__).resolve().parents[2] / "shared" / "data"

MEMORY, MEMORY_BYTES = Path("/dev/shm"), 4 << 30
"""Where temporary folders are in an ordinary run, if there is room: a sync of a real disk costs time and proves nothing
here, as no test cuts this machine's power. Tests of disks mount their own, and `make chaos` writes to the real one."""

# Hundreds of processes start; each would compile the house again where the environment forbids to keep the outcome.
# The outcome is where Python keeps it: another place would lack the packages that pip has compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell in the background lets its children ignore Ctrl-C, and theirs too; tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup


def pytest_configure(config: pytest.Config) -> None:
    remember_entry_points()
    # Whoever runs the tests: a cron job has no TERM, and `make` within `make` tells its folders.
    os.environ["TERM"] = "xterm-256color"
    for name in ("COLUMNS", "LINES", "MAKEFLAGS", "MAKELEVEL"):
        os.environ.pop(name, None)
    chaos = "chaos" in config.getoption("markexpr").split(" or ")
    settings.load_profile("chaos" if chaos else config.getoption("--hypothesis-profile") or "ordinary")
    if not chaos and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect the tests without garbage collection, then freeze them: a harvest in this process would visit them."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_report_header() -> str:
    return f"git-lfs: {shutil.which('git-lfs') or 'a stand-in of the tests (tests/support/git_lfs.py)'}"


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a fresh folder at each `next`.

    `mktemp` lists all folders that it made before: with two for each of thousands of tests, that took a tenth of the
    time of all tests.
    """
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def _isolated_state(_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    home = next(_homes)
    for name, variable in (("state", "HARVESTER_STATE"), ("config", "XDG_CONFIG_HOME")):
        (home / name).mkdir(parents=True)
        monkeypatch.setenv(variable, str(home / name))
    monkeypatch.delenv("FREESOUND_API_KEY", raising=False)


@pytest.fixture
def memory_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is such a place, for tests that write much and in which nobody cuts the power."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with TemporaryDirectory(dir=MEMORY) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def real_records() -> Path:
    """The folder of real sounds' records, which must not be copied into the repository; without it, skip the test."""
    if not REAL_RECORDS.is_dir():
        pytest.skip("the records of real sounds are not here: they stay outside the repository")
    return REAL_RECORDS


@pytest.fixture(scope="session")
def _lfs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "git-lfs"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{STAND_IN}" "$@"\n')
    program.chmod(0o755)
    return folder


@pytest.fixture
def git_lfs(_lfs_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a stand-in for git-lfs on the path where the real one is not installed."""
    if shutil.which("git-lfs") is None:
        monkeypatch.setenv("PATH", str(_lfs_folder), prepend=os.pathsep)
