"""Work shared among jobs: equal results in equal order, errors as they are, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import pytest

from harvester.errors import LibraryCorrupt, SettingsError
from harvester.jobs import ALL_CORES, _quiet_when_cut_off, count_jobs, each_in_processes, each_in_threads

JOBS = pytest.mark.parametrize("jobs", [1, 2, 3])


def square(number: int) -> tuple[int, int]:
    time.sleep((8 - number) / 50)  # the later, the sooner it is done
    return number * number, os.getpid()


def refuse(number: int) -> int:
    if number == 3:
        raise LibraryCorrupt(f"{number}.pkl: it is damaged")
    return number


def die(number: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return number


def children() -> set[int]:
    """Return the processes that this one has started and that still live."""
    table = subprocess.run(["ps", "-Awwo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 3) for line in table.splitlines()]
    return {
        int(pid)
        for pid, parent, state, command in rows
        # Two small processes remove semaphores and folders when this one ends.
        if int(parent) == os.getpid()
        and state[0] != "Z"
        and "resource_tracker" not in command
        and "ps -Aww" not in command
    }


@JOBS
def test_results_come_in_order_from_as_many_threads_as_asked(jobs: int) -> None:
    meeting = threading.Barrier(jobs, timeout=20)

    def meet(number: int) -> int:
        meeting.wait()
        return number * number

    assert list(each_in_threads(meet, range(6), jobs)) == [0, 1, 4, 9, 16, 25]


@JOBS
def test_results_come_in_order_from_processes_that_end(jobs: int) -> None:
    before = children()
    found = list(each_in_processes(square, range(8), jobs))
    assert [result for result, _ in found] == [number * number for number in range(8)]
    assert ({pid for _, pid in found} == {os.getpid()}) == (jobs == 1)
    assert children() == before


@JOBS
def test_an_error_of_a_process_is_raised_here_as_it_is(jobs: int) -> None:
    before = children()
    with pytest.raises(LibraryCorrupt, match=r"^3\.pkl: it is damaged$"):
        list(each_in_processes(refuse, range(6), jobs))
    assert children() == before


def test_a_process_that_the_system_kills_is_told_in_one_line() -> None:
    before = children()
    with pytest.raises(SettingsError, match=r"a process of --jobs 2 was killed.*nothing was changed") as ended:
        list(each_in_processes(die, range(4), 2))
    assert "\n" not in str(ended.value)
    assert children() == before


def test_all_cores_are_at_least_one() -> None:
    assert count_jobs(ALL_CORES) >= 1
    assert count_jobs(3) == 3


class _ExecutorManagerThread(threading.Thread):
    """A thread with the name of joblib's, which misses a task."""

    def run(self) -> None:
        raise KeyError(1)


def test_what_the_thread_of_joblib_misses_is_hidden_only_if_its_work_was_cut_off() -> None:
    told: list[str] = []

    def fail() -> None:
        thread = _ExecutorManagerThread()
        thread.start()
        thread.join()

    def cut_off() -> None:
        with _quiet_when_cut_off():
            fail()
            raise KeyboardInterrupt

    before, threading.excepthook = threading.excepthook, lambda found: told.append(str(found.exc_value))
    try:
        with pytest.raises(KeyboardInterrupt):
            cut_off()
        assert told == []
        with _quiet_when_cut_off():
            fail()
            assert told == []
        assert told == ["1"]
    finally:
        threading.excepthook = before
