"""Every crash state: the system calls of a real process, cut after each one, un-synced work kept, lost or mangled.

Whatever a power cut may leave of a checkpoint, a backup, a commit, a prune or a restore loads to the state before or
after, with everything acknowledged in it. That the method finds faults is shown first, on writers that forget a sync.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from harvester.errors import HarvesterError
from harvester.freesound.ledger import FileLedger
from harvester.library.reader import load_view
from tests.support.crash_scenarios import FILES, SCENARIOS, Scenario
from tests.support.crash_states import MARKS, STRACE, CrashState, crash_states, record
from tests.support.samples import NOW_US, content_of, open_store

ORDINARY = 20
"""So many states of each scenario, spread evenly, are judged in an ordinary run; all of them under `chaos`."""


@lru_cache
def _why_not() -> str:
    if STRACE is None:
        return "strace is not installed"
    ended = subprocess.run([STRACE, "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return f"strace may not trace here: {ended.stderr.strip()}" if ended.returncode else ""


@pytest.fixture(autouse=True)
def _strace() -> None:
    if _why_not():
        pytest.skip(_why_not())


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one: thousands of libraries are opened in it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() and os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder) / "library"


def states_of(name: str, files: str, tmp_path: Path) -> list[CrashState]:
    folder = tmp_path / "library"
    shutil.rmtree(folder, ignore_errors=True)
    SCENARIOS[name].begin(folder)
    recording = record(folder, "-m", "tests.support.crash_scenarios", name, files, folder)
    kinds = {operation.kind for operation in recording.operations}
    assert {"write", "sync", "mark"} <= kinds
    return list(crash_states(recording))


def judge(state: CrashState, scenario: Scenario, scratch: Path) -> str:
    """Load a crash state as a reader and as the writer; return what is wrong with it, or nothing."""
    state.write_to(scratch)
    numbers = [(mark.split()[0], int(mark.split()[1])) for mark in state.marks]
    acked = max((number for word, number in numbers if word == "acked"), default=scenario.begun)
    started = max((number for word, number in numbers if word == "started"), default=scenario.begun)
    allowed = scenario.contents[acked : started + 1]
    try:
        if content_of(load_view(scratch).state)[:4] not in allowed:
            return "a reader sees another state"
        with open_store(scratch) as store:
            opened = content_of(store.state)[:4]
            notices = store.notices
        if opened not in allowed:
            return "the writer loads another state"
        if [line for line in notices if "interrupted restore" not in line]:
            return f"the writer takes its own files for bad ones or somebody else's: {notices}"
        with open_store(scratch) as store:
            store.checkpoint(backup=True)
        if content_of(load_view(scratch).state)[:4] != opened:
            return "the state changed by being opened again"
        if scenario is SCENARIOS["restore"] and opened == scenario.contents[1]:
            aside = list(scratch.glob("quarantine/*before_restore*"))
            if not any(content_of(load_view(path).state)[:4] == scenario.contents[0] for path in aside):
                return "the state before the restore is not in quarantine"
    except HarvesterError as error:
        return f"{type(error).__name__}: {error}"
    return "a temporary file stays" if list(scratch.glob(".*.tmp")) else ""


def judge_all(name: str, states: list[CrashState], scratch: Path) -> list[str]:
    found = ((judge(state, SCENARIOS[name], scratch), state) for state in states)
    return [f"{problem} ({state.story})" for problem, state in found if problem]


def spread(states: list[CrashState], most: int) -> list[CrashState]:
    return states[:: max(1, len(states) // most)]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_power_cut_leaves_the_state_before_or_after(name: str, tmp_path: Path, scratch: Path) -> None:
    # A process under strace takes half a second, a state some milliseconds.
    states = states_of(name, "real", tmp_path)
    assert len(states) > ORDINARY
    assert judge_all(name, spread(states, ORDINARY), scratch) == []


@pytest.mark.parametrize("files", sorted(set(FILES) - {"real"}))
def test_a_writer_that_forgets_a_sync_is_found_out(files: str, tmp_path: Path, scratch: Path) -> None:
    states = spread(states_of("backup", files, tmp_path), 3 * ORDINARY)
    assert any(judge(state, SCENARIOS["backup"], scratch) for state in states)


LEASING = f"""
import os, sys
from pathlib import Path
from harvester.freesound.ledger import FileLedger
folder = Path(sys.argv[1])
marks = os.open(folder.parent / {MARKS!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
ledger = FileLedger("server", "key", folder)
for count in range(1, 5):
    [row] = ledger.lease({NOW_US}, 1, {NOW_US} + 9, [])
    os.write(marks, b"leased %d\\n" % count)
    ledger.answered(row, {NOW_US} + count)
os._exit(0)
"""


def test_a_power_cut_forgets_no_request_that_may_have_been_sent(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "state").mkdir()
    states = list(crash_states(record(tmp_path / "state", "-c", LEASING, tmp_path / "state")))
    assert len(states) > ORDINARY
    for state in spread(states, 2 * ORDINARY):
        state.write_to(scratch)
        leased, told = len(state.marks), list[str]()
        ledger = FileLedger("server", "key", scratch, told.append)
        assert leased <= len(ledger.spent(0)) <= leased + 1, state.story
        assert told == [], state.story
        ledger.close()


@pytest.mark.chaos
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_crash_state(name: str, tmp_path: Path, scratch: Path) -> None:
    counts = {}
    for files in FILES:
        states = states_of(name, files, tmp_path)
        problems = judge_all(name, states, scratch)
        counts[files] = (len(states), len(problems))
        if files == "real":
            assert problems == []
    print(f"{name}: " + ", ".join(f"{files}: {bad} of {all_} states wrong" for files, (all_, bad) in counts.items()))
