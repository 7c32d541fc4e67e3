"""The journal: every event since the last checkpoint.

Each commit is durable. `FORMAT.md` is the file's format.
"""

from __future__ import annotations

from harvester.journal.database import connect
from harvester.journal.format import Head
from harvester.journal.reader import JournalContents, load_contents, load_head
from harvester.journal.writer import Journal
