"""Libraries as version 0.1.0 left them after `harvest --seed 0`: its writer stored what its reader refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from harvester.checkpoint.format import encode_checkpoint
from harvester.journal.format import decode_head, encode_head, encode_row
from harvester.model import Event, Gone, Known, Linked, Seeded, SimilarList
from harvester.storage.paths import CHECKPOINT, JOURNAL
from tests.support.samples import NOW_US, SOURCE, content_of, grow, make_events, make_state, open_store

GOOD = make_events(12)
POISON: list[Event] = [
    Seeded((0, 3, -5)),
    Known(0, NOW_US),
    Gone(-5, NOW_US),
    Linked(3, SimilarList(((4, 0.9), (0, 0.8)), NOW_US, 25)),
]
WHAT_IS_LEFT = content_of(
    make_state([*GOOD, Seeded((3,)), Linked(3, SimilarList(((4, 0.9),), NOW_US, 25))]),
)


def write_poisoned_rows(folder: Path, events: Sequence[Event]) -> None:
    """Add a row to the journal of a library as a writer did that judged nothing."""
    with closing(sqlite3.connect(folder / JOURNAL)) as connection, connection:
        (body,) = connection.execute("SELECT body FROM head").fetchone()
        (last,) = connection.execute("PRAGMA user_version").fetchone()
        head = replace(decode_head(body, last), last=last + 1)
        connection.execute("INSERT INTO events VALUES (?, ?, ?)", encode_row(head.last, events))
        connection.execute("UPDATE head SET body = ?", (encode_head(head),))
        connection.execute(f"PRAGMA user_version = {head.last}")


def poisoned_checkpoint(events: Sequence[Event] = (*GOOD, *POISON)) -> bytes:
    """Return a checkpoint that its reader refuses."""
    return b"".join(encode_checkpoint(make_state(events)))


def make_poisoned(folder: Path, *, journal: bool = True, checkpoint: bool = True) -> None:
    """Make a library whose journal or checkpoint, or both, hold invalid ids among good sounds."""
    if journal:
        with open_store(folder, source=SOURCE) as store:
            grow(store, GOOD)
        write_poisoned_rows(folder, POISON)
    if checkpoint:
        folder.mkdir(exist_ok=True)
        (folder / CHECKPOINT).write_bytes(poisoned_checkpoint())
