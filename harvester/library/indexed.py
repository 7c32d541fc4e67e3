"""Answer from a library's index, bring it up to date, or build it.

Owns when an index counts: the checkpoint that it describes is all of the library now. The journal is read first, as by
`reader`. Then its head knows the checkpoint, and the checkpoint holds every event of it, so nothing is merged here, and
a writer beside does no harm: at the worst the checkpoint is a newer one, which the index does not describe.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from harvester.errors import HarvesterError, LibraryCorrupt, words_of
from harvester.index import Index, IndexUnusable, build_index, opened_index, update_index
from harvester.journal import load_contents
from harvester.library.reader import LibraryView, is_all_in, note_journal
from harvester.storage import JOURNAL, refuse_placeholders

INDEXED_FROM = 20_000
"""The fewest sounds of a library that gets an index: a smaller one is loaded in a second."""

_UNUSABLE = (
    IndexUnusable, LibraryCorrupt, sqlite3.Error, OSError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
"""What reading an index that is not ours can raise. It matters to nobody: the library itself has the answer."""

T = TypeVar("T")


def answer_from_index(folder: Path, indexes: Path, answer: Callable[[LibraryView, Index], T]) -> T | None:
    """Return an answer about a library from its index, or None.

    None means: load the library. `indexes` is the folder of indexes. `answer` gets a view whose state is empty, with
    what the journal says, and may raise an error that a person should see.
    """
    try:
        refuse_placeholders(folder)
        contents = load_contents(folder / JOURNAL)
    except (HarvesterError, OSError):
        return None  # loading meets it again, and says what it is
    try:
        with opened_index(indexes, folder) as index:
            source = contents.head.source if contents is not None else ""
            if index.binding.source != source or not is_all_in(folder, contents, index.binding.digest):
                return None
            view = LibraryView(folder, last_checkpoint_at=index.modified_ns // 1000, binding=index.binding)
            if contents is not None:
                note_journal(view, contents, foreign=False)
            return answer(view, index)
    except _UNUSABLE:
        return None


def renew_index(folder: Path, indexes: Path) -> str:
    """Bring the index of an earlier checkpoint up to that of now.

    Reads only what is new. Returns a line about it, empty if there is nothing to bring up, or if loading the library is
    what it takes. Raises nothing.
    """
    try:
        refuse_placeholders(folder)
        contents = load_contents(folder / JOURNAL)
        if contents is not None and not is_all_in(folder, contents, contents.head.digest):
            return ""
        source = contents.head.source if contents is not None else ""
        made = update_index(indexes, folder, source, lambda digest: is_all_in(folder, contents, digest))
    except (HarvesterError, *_UNUSABLE):
        return ""
    return f"the index of {folder} in {made.folder} was brought up to its checkpoint"


def keep_index(view: LibraryView, indexes: Path) -> str:
    """Build the index of a large library that was just loaded.

    Returns a line about what was done, empty for a library that gets none: it is small, or its checkpoint is not all of
    it. Raises nothing for a build that fails.
    """
    if view.binding is None or len(view.state) < INDEXED_FROM:
        return ""
    try:
        built = build_index(indexes, view.folder, view.binding)
    except (LibraryCorrupt, OSError, sqlite3.Error) as error:
        return f"no index of {view.folder} was built ({words_of(error)}); commands load the whole library"
    return f"an index of {view.folder} was built in {built.folder}: it makes `show`, `find` and `status` fast"
