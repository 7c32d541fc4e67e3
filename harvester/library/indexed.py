"""View a library through its index, bring that up to date, or build it.

Owns when an index counts: it describes the library's checkpoint, and no file but that and the journal has a part in the
library. The journal is read first, as by `reader`; its events that the checkpoint lacks are laid over what the index
says, unless a rollback came meanwhile. A writer beside does no harm: at the worst the checkpoint is a newer one, which
the index does not describe.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from harvester.errors import HarvesterError, LibraryCorrupt, words_of
from harvester.index import IndexedState, IndexUnusable, build_index, open_index, update_index
from harvester.journal import JournalContents, load_contents
from harvester.library.reader import LibraryView, is_timeline_of, note_journal
from harvester.library.stored import events_after, is_checkpoint_and_journal, is_foreign
from harvester.library_source import join_sources
from harvester.storage import JOURNAL, refuse_placeholders

INDEXED_FROM = 20_000
"""The fewest sounds of a library that gets an index: a smaller one is loaded in a second."""

_UNUSABLE = (
    IndexUnusable, LibraryCorrupt, sqlite3.Error, OSError, AttributeError, LookupError, TypeError, ValueError,
)  # fmt: skip
"""What reading an index that is not ours can raise. It matters to nobody: the library itself has the answer."""

T = TypeVar("T")


def answer_from_index(folder: Path, indexes: Path, answer: Callable[[LibraryView], T]) -> T | None:
    """Return an answer about a library from its index, or None.

    None means: load the library. `indexes` is the folder of indexes. `answer` gets a view whose state reads the index,
    and may raise an error that a person should see.
    """
    try:
        view = _view(folder, indexes)
        if view is None:
            return None
        with _closed(view):
            return answer(view)
    except _UNUSABLE:
        return None


def view_index(folder: Path, indexes: Path) -> LibraryView | None:
    """Return a view of a library that reads its index and its checkpoint.

    Both files stay open as long as its state lives, and it stays as it is. None where `answer_from_index` gives None.
    """
    try:
        return _view(folder, indexes)
    except _UNUSABLE:
        return None


def _view(folder: Path, indexes: Path) -> LibraryView | None:
    try:
        refuse_placeholders(folder)
        contents = load_contents(folder / JOURNAL)
    except (HarvesterError, OSError):
        return None  # loading meets it again, and says what it is
    if not is_checkpoint_and_journal(folder, contents):
        return None
    index = open_index(indexes, folder)
    source, digest = contents.head.source if contents is not None else "", index.binding.digest
    state = IndexedState(index)
    if (
        index.binding.source != source
        or join_sources(state.source, source) is None
        or not _is_timeline_of(contents, folder / JOURNAL)  # a rollback came between
    ):
        index.close()
        return None
    view = LibraryView(folder, state=state, last_checkpoint_at=index.modified_ns // 1000, binding=index.binding)
    for event in events_after(contents, digest):
        state.apply(event)
    if contents is not None:
        note_journal(view, contents, foreign=is_foreign(contents, digest))
    return view


def _is_timeline_of(contents: JournalContents | None, path: Path) -> bool:
    try:
        return is_timeline_of(contents, path)
    except (HarvesterError, OSError):
        return False


@contextmanager
def _closed(view: LibraryView) -> Iterator[None]:
    """Close a view's index after the block."""
    assert isinstance(view.state, IndexedState)
    try:
        yield
    finally:
        view.state.index.close()


def renew_index(folder: Path, indexes: Path) -> str:
    """Bring the index of an earlier checkpoint up to that of now.

    Reads only what is new. Returns a line about it, empty if there is nothing to bring up, or if loading the library is
    what it takes. Raises nothing.
    """
    try:
        refuse_placeholders(folder)
        contents = load_contents(folder / JOURNAL)
        if not is_checkpoint_and_journal(folder, contents):
            return ""
        made = update_index(indexes, folder, contents.head.source if contents is not None else "")
    except (HarvesterError, *_UNUSABLE):
        return ""
    return f"the index of {folder} in {made.folder} was brought up to its checkpoint"


def gets_index(view: LibraryView) -> bool:
    """Tell whether a library that was just loaded gets an index.

    None for a small one, and where another file than checkpoint and journal has a part in it.
    """
    return view.binding is not None and len(view.state) >= INDEXED_FROM


def keep_index(view: LibraryView, indexes: Path) -> str:
    """Build the index of a library that gets one; return a line about it.

    Raises nothing for a build that fails.
    """
    assert view.binding is not None
    try:
        built = build_index(indexes, view.folder, view.binding)
    except (LibraryCorrupt, OSError, sqlite3.Error) as error:
        return f"no index of {view.folder} was built ({words_of(error)}); commands load the whole library"
    return f"an index of {view.folder} was built in {built.folder}: it makes `show`, `find` and `status` fast"
