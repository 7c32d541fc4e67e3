"""Keep the tables that SQL asks, and prove that they are of a library.

Owns when they count: they were made by this version of these programs, of this checkpoint and this analysis, and
nothing else has a part in the library, not even an event of the journal. It knows nothing of what is in their file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harvester.checkpoint import digest_in
from harvester.errors import HarvesterError, LibraryCorrupt
from harvester.index import (
    TABLES,
    Binding,
    IndexUnusable,
    digest_of_file,
    files_beside,
    place_of,
    proven,
    read_seal,
    write_sealed,
)
from harvester.journal import load_contents
from harvester.library.reader import LibraryView, note_journal
from harvester.library.stored import is_checkpoint_and_journal, is_foreign
from harvester.storage import ANALYSIS, CHECKPOINT, JOURNAL, OpenFile, opened
from harvester.version import __version__

TABLES_FROM = 20_000
"""The fewest sounds of a library whose tables are kept: those of a smaller one are made in two seconds."""

SCHEMA = 1
"""Raise it whenever the same library would give other tables."""

_UNUSABLE = (IndexUnusable, HarvesterError, OSError, LookupError, TypeError, ValueError, RecursionError, AttributeError)
"""What reading tables that are not ours can raise. It matters to nobody: the library itself has the answer."""


@dataclass(frozen=True, slots=True)
class KeptTables:
    """A file of tables that is proven, and open as `descriptor`.

    `notices` are those of the library's analysis.
    """

    path: Path
    descriptor: int
    notices: tuple[str, ...]


@contextmanager
def proven_tables(folder: Path, indexes: Path, engine: str) -> Iterator[KeptTables | None]:
    """Yield the kept tables of a library as it is now; None without any.

    `indexes` is the folder of indexes, `engine` the name and version of what reads the file.
    """
    with ExitStack() as stack:
        try:
            tables = _prove(stack, folder, indexes, engine)
        except _UNUSABLE:
            tables = None
        yield tables


def _prove(stack: ExitStack, folder: Path, indexes: Path, engine: str) -> KeptTables | None:
    place = place_of(indexes, folder, TABLES)
    seal = read_seal(place)
    if seal is None or files_beside(place.index):
        return None
    contents = load_contents(folder / JOURNAL)
    if not is_checkpoint_and_journal(folder, contents):
        return None
    about = json.loads(seal.about)
    notices, digest = about.pop("notices"), about["digest"]
    source = contents.head.source if contents is not None else ""
    view = LibraryView(folder)
    if contents is not None:
        note_journal(view, contents, foreign=is_foreign(contents, digest))
    if view.is_ahead or view.notices or about != _about(Binding(digest, source), digest_of_analysis(folder), engine):
        return None
    with opened(folder / CHECKPOINT) as checkpoint:
        if digest_of_file(checkpoint) != seal.checkpoint:
            return None
    descriptor = stack.enter_context(proven(place, seal))
    return KeptTables(place.index, descriptor, tuple(f"{folder / ANALYSIS}{line}" for line in notices))


@contextmanager
def keep_tables(
    view: LibraryView, indexes: Path, engine: str, analysis: str, notices: tuple[str, ...], fill: Callable[[Path], None]
) -> Iterator[KeptTables]:
    """Make the tables of a view, and yield them.

    `fill` makes their file; `analysis` is the digest that the analysis had before its measures were read, and
    `notices` those that it gave. An error or a crash leaves no tables that are believed. Raises `LibraryCorrupt` if
    checkpoint or analysis changed meanwhile, `IndexUnusable` if another process replaced the file, `OSError`, and what
    `fill` raises.
    """
    binding, path = view.binding, view.folder / ANALYSIS
    assert binding is not None
    place = place_of(indexes, view.folder, TABLES)

    def make(draft: Path, checkpoint: int, _packed: str) -> str:
        if digest_in(OpenFile(checkpoint)) != binding.digest:
            raise LibraryCorrupt("another process wrote into it")
        fill(draft)
        if digest_of_analysis(view.folder) != analysis:
            raise LibraryCorrupt("the analysis changed")
        lines = [line.removeprefix(str(path)) for line in notices]
        return json.dumps(_about(binding, analysis, engine) | {"notices": lines})

    seal = write_sealed(place, view.folder, make)
    for beside in files_beside(place.index):
        beside.unlink()
    with proven(place, seal) as descriptor:
        yield KeptTables(place.index, descriptor, notices)


def can_keep(view: LibraryView) -> bool:
    """Tell whether the tables of a view are to be kept."""
    return view.binding is not None and not view.notices and not view.is_ahead and len(view.state) >= TABLES_FROM


def digest_of_analysis(folder: Path) -> str:
    """Return the SHA-256 of a library's analysis, empty without one.

    Raises `OSError` for one that cannot be read.
    """
    try:
        with opened(folder / ANALYSIS) as file:
            return digest_of_file(file)
    except FileNotFoundError:
        return ""


def _about(binding: Binding, analysis: str, engine: str) -> dict[str, Any]:
    """Return what the tables are made of, and by what."""
    made = {"analysis": analysis, "engine": engine, "harvester": __version__, "schema": SCHEMA}
    return asdict(binding) | made
