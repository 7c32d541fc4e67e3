"""What happened since the last checkpoint, made durable event by event. `FORMAT.md` says what is in the file."""

from __future__ import annotations

from harvester.journal.database import connect
from harvester.journal.format import Head
from harvester.journal.reader import JournalContents, load_contents, load_head
from harvester.journal.writer import Journal

__all__ = ["JournalContents", "Head", "Journal", "connect", "load_contents", "load_head"]
