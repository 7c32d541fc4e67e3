"""What only shows a run never ends it."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from harvester.actions.reporting import every
from harvester.cli.console import note
from harvester.errors import DiskFull, HarvesterError
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
    assert capsys.readouterr().err == f"the progress cannot be shown ({error}); the run goes on\n"


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
        note("one")
        note("two")
        monkeypatch.undo()
        os.dup2(os.open(os.devnull, os.O_WRONLY), writing)  # what is left in its buffer goes nowhere
