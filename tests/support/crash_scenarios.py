"""What a recorded process does to a library: `python -m tests.support.crash_scenarios SCENARIO FILES FOLDER`.

Owns the scenarios of the crash-state tests: the library each begins with, the steps it takes, and what a library holds
after each step. A step is marked `started N` before and `acked N` after, in the file of marks beside the folder.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harvester.clock import SECOND_US
from harvester.library.backups import Retention
from harvester.library.restore import restore_library
from harvester.library.store import Store
from harvester.model import Event, Known
from harvester.storage.atomic import REAL_FILES, Files
from tests.support.crash_states import MARKS
from tests.support.faulty_files import Killed
from tests.support.samples import NOW_US, SOURCE, FixedClock, content_of, grow, make_events, make_state, open_store

ALONE: list[Event] = [Known(60 + n, NOW_US) for n in range(4)]
GROUPS: list[list[Event]] = [make_events(4), make_events(3, first=20), *([event] for event in ALONE)]
"""What grows a library, group by group; a library after n steps holds the first n groups."""


def content_after(groups: int) -> tuple[Any, ...]:
    """Return what a library of the first groups holds."""
    return content_of(make_state([event for group in GROUPS[:groups] for event in group]))[:4]


class NoFileSync(Files):
    """A writer that forgets to sync its files."""

    def fsync(self, descriptor: int) -> None:
        pass


class NoFolderSync(Files):
    """A writer that forgets to sync the folder."""

    def sync_folder(self, folder: Path) -> None:
        pass


class KilledAfterRename(Files):
    """A process that is killed with its first rename just done."""

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        raise Killed


FILES: dict[str, Files] = {"real": REAL_FILES, "no-file-sync": NoFileSync(), "no-folder-sync": NoFolderSync()}


class Steps:
    """The marks of a running scenario."""

    def __init__(self, folder: Path, done: int) -> None:
        self.done = done
        self._marks = os.open(folder.parent / MARKS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def start(self) -> None:
        os.write(self._marks, b"started %d\n" % (self.done + 1))

    def end(self) -> None:
        self.done += 1
        os.write(self._marks, b"acked %d\n" % self.done)

    def grow(self, store: Store) -> None:
        self.start()
        grow(store, GROUPS[self.done])
        self.end()


@dataclass(frozen=True, slots=True)
class Scenario:
    """`begin` makes the library (in the test's process), `act` is what is recorded; `begun` groups are there then."""

    begin: Callable[[Path], None]
    act: Callable[[Path, Files, Steps], None]
    begun: int = 2
    contents: list[tuple[Any, ...]] = field(default_factory=lambda: [content_after(n) for n in range(len(GROUPS) + 1)])


def _clock(step: int = 0) -> FixedClock:
    return FixedClock(NOW_US + step * SECOND_US)


def _nothing(folder: Path) -> None:
    folder.mkdir()


def _a_library(folder: Path) -> None:
    """A checkpoint and a backup of the first group, the second in the journal alone."""
    with open_store(folder, source=SOURCE) as store:
        grow(store, GROUPS[0])
        store.checkpoint(backup=True)
        grow(store, GROUPS[1])


def _a_killed_rename(folder: Path) -> None:
    """As after a kill between the rename of a checkpoint and the journal's word on it."""
    _a_library(folder)
    store = Store.open(folder, clock=_clock(10), files=KilledAfterRename())
    with suppress(Killed):
        store.checkpoint()
    store.close()


def _several_backups(folder: Path) -> None:
    with open_store(folder, _clock(), source=SOURCE) as store:
        for group in GROUPS[:2]:
            grow(store, group)
            store.checkpoint(backup=True)
    with open_store(folder, _clock(9)) as store:
        store.rewrite()


def _first(folder: Path, files: Files, steps: Steps) -> None:
    with Store.open(folder, clock=_clock(), files=files, source=SOURCE) as store:
        steps.grow(store)
        store.checkpoint(backup=True)
        steps.grow(store)


def _commit(folder: Path, files: Files, steps: Steps) -> None:
    store = Store.open(folder, clock=_clock(20), files=files)
    for _ in range(3):
        steps.grow(store)


def _checkpoint(folder: Path, files: Files, steps: Steps) -> None:
    with Store.open(folder, clock=_clock(20), files=files) as store:
        steps.grow(store)
        store.checkpoint(backup=False)
        steps.grow(store)


def _backup(folder: Path, files: Files, steps: Steps) -> None:
    with Store.open(folder, clock=_clock(20), files=files) as store:
        steps.grow(store)
        store.checkpoint(backup=True)
        steps.grow(store)


def _backup_alone(folder: Path, files: Files, steps: Steps) -> None:
    with Store.open(folder, clock=_clock(20), files=files) as store:
        steps.grow(store)
        store.back_up()
        steps.grow(store)
        # Only here do the rows go that the backup took over.
        store.checkpoint(backup=False)
        steps.grow(store)


def _prune(folder: Path, files: Files, steps: Steps) -> None:
    with Store.open(folder, clock=_clock(20), files=files, keep_backups=1) as store:
        steps.grow(store)
        store.checkpoint(backup=True)
        Retention(folder, 1, files).prune()
        steps.grow(store)


def _restore(folder: Path, files: Files, steps: Steps) -> None:
    steps.start()
    restore_library(folder, clock=_clock(20), files=files)
    steps.end()


SCENARIOS = {
    "first run": Scenario(_nothing, _first, begun=0),
    "commit": Scenario(_a_library, _commit),
    "checkpoint": Scenario(_a_library, _checkpoint),
    "checkpoint after a kill": Scenario(_a_killed_rename, _checkpoint),
    "backup": Scenario(_a_library, _backup),
    "backup alone": Scenario(_a_library, _backup_alone),
    "prune": Scenario(_several_backups, _prune),
    "restore": Scenario(_a_library, _restore, begun=0, contents=[content_after(2), content_after(1)]),
}

if __name__ == "__main__":
    scenario, place = SCENARIOS[sys.argv[1]], Path(sys.argv[3])
    scenario.act(place, FILES[sys.argv[2]], Steps(place, scenario.begun))
    # The journal of a killed process is not folded: what follows the last step is a crash too.
    os._exit(0)
