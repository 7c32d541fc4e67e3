"""What only shows a run never ends it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from harvester.actions import Advanced, Level, Snapshot, Started, Told
from harvester.actions.reporting import every
from harvester.cli.console import note
from harvester.cli.display import Display
from harvester.cli.systemd import Notifier
from harvester.cli.terminal import guarded_streams
from harvester.errors import DiskFull, HarvesterError, words_of
from tests.support.virtual_time import run_virtual


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), DiskFull("no space for the ledger")])
def test_a_display_that_fails_is_told_once_and_tried_again(
    error: OSError | HarvesterError, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = []

    def act() -> None:
        turns.append(1)
        if len(turns) < 4:
            raise error

    async def run() -> None:
        async with every(1, act, note):
            await asyncio.sleep(10.5)

    run_virtual(run())
    assert len(turns) == 10
    assert capsys.readouterr().err == f"the progress cannot be shown ({words_of(error)}); the run goes on\n"


def test_a_fault_of_our_own_in_a_display_is_not_hidden() -> None:
    def act() -> None:
        raise KeyError("a fault")

    async def run() -> None:
        async with every(1, act, note):
            await asyncio.sleep(5)

    with pytest.raises(KeyError):
        run_virtual(run())


def test_a_line_that_nobody_reads_any_more_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as dead:
        monkeypatch.setattr(sys, "stderr", dead)
        with guarded_streams():
            note("one")
            note("two")
        monkeypatch.undo()


SNAPSHOT = Snapshot(
    pid=1, host="atlas", run_id="0" * 32, command="harvest", source="s", server="http://127.0.0.1/", key="0" * 12,
    started_at=0, updated_at=0, samples=3,
    target=50, processed=3, nodes=40, edges=60, new_nodes=40, new_edges=60, rereads=False, renewed=0,
    relisted=0, frontier=37, deferred=0, gone=0, requests=4,
    requests_24h=4, quota_left=1996, quota_next_at=None, daily_limit=2000, durable_ledger=True, samples_per_minute=1.0,
    eta_s=None, waiting_for=None, waiting_until=None, activity={}, last_checkpoint_at=None, last_backup_at=None,
    oddities={},
)  # fmt: skip


def test_systemd_hears_of_a_run_what_its_events_say(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.setblocking(False)
        for watchdog_us, alive in (("0", 2), (str(3_600_000_000), 0)):
            with Display(
                panel=False, notifier=Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": watchdog_us})
            ) as shown:
                for event in (Started(tmp_path, SNAPSHOT), Advanced(SNAPSHOT), Advanced(SNAPSHOT)):
                    shown.show(event)
            heard = [listener.recv(300).decode() for _ in range(alive + 2)]
            assert (heard[0], heard[-1]) == ("READY=1", "STOPPING=1")
            assert all(line.startswith("WATCHDOG=1\nSTATUS=3/50 processed this run") for line in heard[1:-1])
        with pytest.raises(BlockingIOError):
            listener.recv(300)


def test_a_run_that_did_not_begin_is_no_matter_for_systemd(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(address)
        listener.setblocking(False)
        with Display(panel=False, notifier=Notifier({"NOTIFY_SOCKET": address})) as shown:
            shown.show(Told("using the embedded sandbox", Level.INFO))
        with pytest.raises(BlockingIOError):
            listener.recv(300)


@pytest.mark.parametrize(
    ("level", "panel", "lines"),
    [
        (Level.WARNING, False, ["a line"]), (Level.WARNING, True, ["a line"]), (Level.INFO, False, ["a line"]),
        (Level.INFO, True, []), (Level.REQUEST, False, []), (Level.PROGRESS, True, []),
    ],
)  # fmt: skip
def test_a_line_is_written_or_shown_in_the_panel_by_its_level(
    level: Level, panel: bool, lines: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Display(panel=panel) as shown:
        shown.show(Started(tmp_path, SNAPSHOT))
        capsys.readouterr()
        shown.show(Told("a line", level))
        assert capsys.readouterr().err.splitlines() == lines


def test_without_a_panel_the_figures_of_each_minute_have_their_time(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(panel=False) as shown:
        shown.show(Told("3/50 processed", Level.PROGRESS))
    told = capsys.readouterr().err
    assert told.endswith(" UTC 3/50 processed\n")
    assert told.startswith("20")
