"""A writer that power is cut from: `python -m tests.support.power_cut_writer FOLDER`, until the disk fails it.

Adds one sound a commit, checkpoints often, and says each number on stdout once it is durable.
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from harvester.clock import SystemClock
from harvester.errors import HarvesterError
from harvester.library.store import Store
from harvester.model import Known

CHECKPOINT_EVERY, BACKUP_EVERY = 5, 10


def write(folder: Path) -> None:
    """Grow the library in `folder` until that fails."""
    clock = SystemClock()
    with Store.open(folder, clock=clock, keep_backups=2, source="https://freesound.org/apiv2/") as store:
        for number in count(len(store.state) + 1):
            event = Known(number, clock.time_us())
            store.append([event])
            store.state.apply(event)
            print(number, flush=True)
            if number % CHECKPOINT_EVERY == 0:
                store.checkpoint(backup=number % BACKUP_EVERY == 0)


if __name__ == "__main__":
    try:
        write(Path(sys.argv[1]))
    except HarvesterError as error:
        sys.exit(error.exit_code)
