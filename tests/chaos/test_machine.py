"""A stateful machine: a library grown, killed, backed up, restored, merged, pruned, damaged and repaired in any order.

Beside it walks the truth: what was acknowledged. A reader and every opening must show it, whole, at each step; only a
restore goes back. A kill is what is left of the folder at that instant: its files are copied and the process dropped.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from harvester.checkpoint import load_checkpoint
from harvester.clock import SECOND_US
from harvester.library.backups import Backup, Retention, list_backups
from harvester.library.check import check_library
from harvester.library.merge import merge_libraries
from harvester.library.presence import holds_library
from harvester.library.reader import load_view
from harvester.library.repair import repair_library
from harvester.library.restore import restore_library
from harvester.library.store import Store
from harvester.model import Event, Gone
from harvester.storage.atomic import REAL_FILES, Files
from harvester.storage.paths import CHECKPOINT
from tests.support.faulty_files import FaultyFiles, Killed
from tests.support.samples import SOURCE, FixedClock, content_of, make_events, make_state

SHARDS, HISTORIES, STEPS = 8, 400, 50

firsts = st.integers(1, 40)
counts = st.integers(1, 4)
instants = st.integers(1, 30)


class LibraryMachine(RuleBasedStateMachine):
    """One library; `truth` are the events it acknowledged, `in_backup` those of each good backup by name.

    `broken` are the bytes of backups damaged in place, which may lie there for long; `damaged` says that one of the two
    copies of the newest samples is lost, until a fresh backup makes up for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="harvester-machine"))
        self.number = 0
        self.folder = self.place / "0"
        self.clock = FixedClock()
        self.truth: list[Event] = []
        self.in_backup: dict[str, list[Event]] = {}
        self.broken: dict[str, bytes] = {}
        self.damaged = False
        self.store: Store | None = None

    @initialize()
    def begin(self) -> None:
        self.store = Store.open(self.folder, clock=self.clock, source=SOURCE)

    def teardown(self) -> None:
        self._close()
        shutil.rmtree(self.place)

    # --- what the library must show ----------------------------------------------------------------------------------

    @invariant()
    def a_reader_sees_what_was_acknowledged(self) -> None:
        if self.folder.exists():
            assert self._seen() == self._content(self.truth)

    def _seen(self) -> tuple[Any, ...]:
        return content_of(load_view(self.folder).state)[:4]

    def _content(self, events: list[Event]) -> tuple[Any, ...]:
        return content_of(make_state(events))[:4]

    def _note_backups(self, *states: list[Event]) -> None:
        """Remember what each backup that has just come holds: one of these states."""
        known = {}
        for backup in self._good_backups():
            name = backup.path.name
            if name in self.in_backup:
                known[name] = self.in_backup[name]
            else:
                held = content_of(load_checkpoint(backup.path).state)[:4]
                same = [events for events in states if self._content(events) == held]
                assert same, f"{name} holds a state that never was"
                known[name] = list(same[0])
        self.in_backup = known

    def _good_backups(self) -> list[Backup]:
        return [
            backup
            for backup in list_backups(self.folder)
            if self.broken.get(backup.path.name) != backup.path.read_bytes()
        ]

    # --- living and dying --------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self.clock.now_us += 2 * SECOND_US

    def _close(self) -> None:
        if self.store is not None:
            self.store.close()
            self.store = None

    def _kill(self) -> None:
        """Go on with the files as they are now; what the dropped process does to its own matters no more."""
        self.number += 1
        left = self.place / str(self.number)
        shutil.copytree(self.folder, left, ignore=shutil.ignore_patterns("*-shm"))
        self._close()
        shutil.rmtree(self.folder)
        self.folder = left

    def _until_killed(self, work: Callable[[Files], object], instant: int) -> bool:
        """Do the work with a process that dies at its n-th file operation; return whether it came to its end."""
        try:
            work(FaultyFiles(instant, None))
        except Killed:
            return False
        return True

    def _open(self) -> Store:
        """Return the library opened for writing; a new opening must show the truth."""
        self._tick()
        if self.store is None:
            self.store = Store.open(self.folder, clock=self.clock)
            assert content_of(self.store.state)[:4] == self._content(self.truth)
        return self.store

    @rule()
    def resume(self) -> None:
        self._close()
        self._open()

    @rule()
    def kill(self) -> None:
        self._kill()
        self._open()

    # --- growing -----------------------------------------------------------------------------------------------------

    @rule(first=firsts, count=counts, gone=st.booleans())
    def add(self, first: int, count: int, gone: bool) -> None:
        store = self._open()
        events = make_events(count, first=first, at=self.clock.now_us)
        events += [Gone(first, self.clock.now_us + 1)] if gone else []
        store.append(events)
        for event in events:
            store.state.apply(event)
        self.truth += events

    @rule(backup=st.booleans())
    def checkpoint(self, backup: bool) -> None:
        self._open().checkpoint(backup=backup)
        self._note_backups(self.truth)
        self.damaged = self.damaged and not (backup and self.truth)

    @rule()
    def back_up(self) -> None:
        self._open().back_up()
        self._note_backups(self.truth)
        self.damaged = self.damaged and not self.truth

    @rule(instant=instants, first=firsts, alone=st.booleans())
    def be_killed_in_a_checkpoint(self, instant: int, first: int, alone: bool) -> None:
        self._close()
        self._tick()
        events = make_events(2, first=first, at=self.clock.now_us)

        def work(files: Files) -> None:
            self.store = Store.open(self.folder, clock=self.clock, files=files)
            self.store.append(events)
            for event in events:
                self.store.state.apply(event)
            self.truth += events
            if alone:
                self.store.back_up()
            else:
                self.store.checkpoint(backup=True)
            self.damaged = False

        self._until_killed(work, instant)
        self._kill()
        self._note_backups(self.truth)

    # --- going back, joining, letting go -----------------------------------------------------------------------------

    @precondition(lambda self: self.in_backup and not self.damaged)
    @rule(data=st.data(), instant=st.none() | instants, grows=st.booleans())
    def go_back(self, data: st.DataObject, instant: int | None, grows: bool) -> None:
        self._close()
        name = data.draw(st.sampled_from(sorted(self.in_backup)))
        before, target = self.truth, self.in_backup[name]
        self._tick()

        def work(files: Files) -> None:
            restore_library(self.folder, Path(name), clock=self.clock, files=files)

        if instant is None:
            work(REAL_FILES)
            self.truth = list(target)
        else:
            done = self._until_killed(work, instant)
            self._kill()
            seen = self._seen()
            assert seen in (self._content(before), self._content(target))
            assert not done or seen == self._content(target)
            self.truth = list(target if seen == self._content(target) else before)
        self._note_backups(before, target)
        if grows:
            # A rollback that is not finished shows only when the next samples are nowhere but in the checkpoint.
            self.resume()
            self.add(41, 1, gone=False)
            self.checkpoint(backup=True)
            self.resume()

    @precondition(lambda self: not self.damaged)
    @rule(first=firsts, count=counts, instant=st.none() | instants)
    def merge(self, first: int, count: int, instant: int | None) -> None:
        self._close()
        self._tick()
        other = self.place / f"other{self.number}"
        events = make_events(count, first=first + 20, at=self.clock.now_us - SECOND_US)
        with Store.open(other, clock=self.clock, source=SOURCE) as store:
            store.append(events)
        before, joined = self.truth, [*self.truth, *events]

        def work(files: Files) -> None:
            merge_libraries([other], self.folder, clock=self.clock, files=files)

        if instant is None:
            work(REAL_FILES)
            self.truth = joined
        else:
            done = self._until_killed(work, instant)
            self._kill()
            seen = self._seen()
            assert seen in (self._content(before), self._content(joined))
            assert not done or seen == self._content(joined)
            self.truth = joined if seen == self._content(joined) else before
        shutil.rmtree(other)
        self._note_backups(before, joined)  # the state before is in a backup of its own

    @precondition(lambda self: not self.damaged)
    @rule(keep=st.integers(1, 3))
    def prune(self, keep: int) -> None:
        before = self._good_backups()
        Retention(self.folder, keep).prune()
        after = self._good_backups()
        assert len(after) >= min(len(before), keep)
        assert max((one.nodes for one in after), default=0) == max((one.nodes for one in before), default=0)
        self._note_backups(self.truth)

    # --- damage ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.in_backup and not self.damaged)
    @rule(
        data=st.data(), first=firsts, how=st.sampled_from(["gone", "cut", "flipped", "empty"]), in_backup=st.booleans()
    )
    def damage_one_file(self, data: st.DataObject, first: int, how: str, in_backup: bool) -> None:
        # The newest sounds are in the checkpoint and in no backup, or the other way: the journal must hold them still.
        self.add(first, 2, gone=False)
        if in_backup:
            self.back_up()
        else:
            self.checkpoint(backup=False)
        self._close()
        names = [*sorted(self.in_backup), *([CHECKPOINT] if (self.folder / CHECKPOINT).exists() else [])]
        path = self.folder / data.draw(st.sampled_from(names))
        good = path.read_bytes()
        if how == "gone":
            path.unlink()
        else:
            middle = len(good) // 2
            flipped = good[:middle] + bytes([good[middle] ^ 0x10]) + good[middle + 1 :]
            self.broken[path.name] = {"cut": good[:middle], "flipped": flipped, "empty": b""}[how]
            path.write_bytes(self.broken[path.name])
        self.in_backup.pop(path.name, None)
        self.damaged = True

    @rule()
    def repair(self) -> None:
        self._close()
        self._tick()
        if not holds_library(self.folder):
            return  # nothing came yet
        repair_library(self.folder, clock=self.clock)
        report = check_library(self.folder, clock=self.clock)
        assert report.clean, report.findings
        self._open().checkpoint(backup=True)
        self._note_backups(self.truth)
        self.damaged = self.damaged and not self.truth


def run_machine(examples: int, steps: int) -> None:
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    run_state_machine_as_test(
        LibraryMachine,
        settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=quiet),
    )


def test_nothing_acknowledged_is_lost_whatever_happens_in_whatever_order() -> None:
    # Hundreds of libraries are opened, each with its own SQLite file.
    run_machine(15, 25)


@pytest.mark.chaos
@pytest.mark.parametrize("shard", range(SHARDS))
def test_long_histories(shard: int) -> None:
    # Each draws histories of its own: a run under `chaos` is not repeatable.
    began_s = time.monotonic()
    run_machine(HISTORIES // SHARDS, STEPS)
    print(f"{HISTORIES // SHARDS} histories of up to {STEPS} steps, {time.monotonic() - began_s:.0f} s")
