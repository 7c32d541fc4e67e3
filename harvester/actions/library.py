"""The library for programs: a mapping of ids to sounds.

Owns how a program looks up, searches and selects sounds, and takes them as tables. `library.reader` loads the files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, SupportsIndex, Unpack

from harvester.actions.exporting import ExportReport, save_selection
from harvester.actions.indexing import index_folder
from harvester.actions.keywords import StrPath, naming_keywords
from harvester.actions.library_html import library_html, selection_html
from harvester.actions.likeness import Like, rank_like
from harvester.actions.options import check_folder, check_texts, check_whole
from harvester.actions.selecting import SelectKeywords, check_values, read_selection, take_analysis, why_missing
from harvester.checkpoint import metadata_of
from harvester.clock import SystemClock
from harvester.errors import SettingsError
from harvester.exports import ArrowTable, SqlResult, edges_table, query, sounds_table
from harvester.graph import DiGraph, Edge, Selected, Sound, SoundGraph, narrow, select
from harvester.library import LibraryView, Store, holds_library, load_view, require_library, view_index
from harvester.model import Record, check_sound_id
from harvester.reports import find_sounds
from harvester.settings import COUNT_FROM_ZERO


class _Sounds(Mapping[int, Sound]):
    """Sounds by id, with the tables and exports of those that are not gone."""

    _folder: Path
    _selected: Selected
    _about_analysis: tuple[str, ...] = ()

    def sounds(self) -> ArrowTable:
        """Return the sounds as a table, a row for each sound.

        Its columns and their types are those of `export parquet`.
        `pandas.DataFrame.from_arrow`, `polars.DataFrame` and DuckDB take it as it is; `to_pandas()` gives a data frame.
        Deleted and withdrawn sounds are left out. Raises `SettingsError` without pyarrow.
        """
        return sounds_table(self._selected)

    def edges(self) -> ArrowTable:
        """Return the edges as a table.

        Its columns are source, target, score, relation and weights.

        An edge with a score says: the target is in the source's similar list. Both ends are among the sounds of
        `sounds()`. Raises `SettingsError` without pyarrow.
        """
        return edges_table(self._selected)

    def edges_of(self, sound_id: SupportsIndex) -> tuple[Edge, ...]:
        """Return the edges from a sound to others of these.

        Similar sounds come first, best score first, then those with relations alone. Empty for a sound that is gone.
        Raises `KeyError` for a `sound_id` that is not here.
        """
        known = self[sound_id].id
        return tuple(self._selected.edges_of(known)) if known in self._selected else ()

    @naming_keywords
    def sql(self, statement: str = "") -> SqlResult:
        """Run one SQL statement of DuckDB that reads these sounds.

        Without a `statement`, the rows are the columns of the tables. The tables are `sounds`, `edges` and `tags`, as
        in `harvester.sql`. Raises `SettingsError` for a wrong statement, or without duckdb and pyarrow.
        """
        return query(self._selected, statement)

    @naming_keywords
    def select(self, **selection: Unpack[SelectKeywords]) -> SoundSelection:
        """Return the sounds that match, as `harvester export` selects them.

        Select from the result to narrow it. The keywords are those of `SelectKeywords`: `license`, `category`, `user`
        and `gen_ai` take one text or several, of which any must match; of `tag` and `query` all must, of `exclude_tag`
        and `exclude_user` none may. `ids`, `created`, durations, `min_downloads`, `processed_only`, `min_score` and
        `largest_component` narrow further. Deleted and withdrawn sounds are left out. Raises `SettingsError` that names
        a wrong keyword.
        """
        chosen = read_selection(**selection)
        selected = narrow(self._selected, chosen)
        missing = check_values(self._selected.state, chosen, selected.sound_ids)
        notices = why_missing(missing, selected, chosen)
        return SoundSelection(self._folder, selected, notices, about_analysis=self._about_analysis)

    @naming_keywords
    def export(
        self,
        format: str,
        path: StrPath,
        *,
        partition_rows: int | None = None,
        credits_format: str = "md",
        faithful: bool = False,
        jobs: int = 1,
        scheduler: str | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> ExportReport:
        """Export these sounds to `path`, durable on return.

        `format` is graphml, gexf, jsonl, csv, parquet, node-link, sqlite or credits; csv and parquet write the edges
        to a file beside it. `partition_rows`: the most rows of a part of parquet. `credits_format` is md, txt, csv or
        html. `faithful`: keep texts in CSV that a spreadsheet would run as formulas. `jobs` and `scheduler` are as
        in `export`. `on_progress` gets the number of bytes written so far. A failure or a crash leaves the earlier
        files as they were. Raises `SettingsError`, `DiskFull`, `LibraryUnwritable` or `ClusterFailed`.
        """
        report = save_selection(
            self._selected,
            format,
            path,
            partition_rows=partition_rows,
            credits_format=credits_format,
            faithful=faithful,
            jobs=jobs,
            scheduler=scheduler,
            on_progress=on_progress,
        )
        return replace(report, notices=(*report.notices, *self._about_analysis))

    def __getitem__(self, sound_id: SupportsIndex) -> Sound:
        try:
            known = check_sound_id(sound_id)
        except ValueError:
            raise KeyError(sound_id) from None
        if not self._holds(known):
            raise KeyError(sound_id)
        return self._state.sound(known)

    @property
    def _state(self) -> SoundGraph:
        return self._selected.state

    def _holds(self, sound_id: int) -> bool:
        return sound_id in self._selected

    def __iter__(self) -> Iterator[int]:
        return iter(self._selected.sound_ids)

    def __len__(self) -> int:
        return len(self._selected)

    # Two of them are equal if they are the same: comparing all records would take seconds.
    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the table of `sounds()` as a PyCapsule of an Arrow stream."""
        return self.sounds().__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """Return the schema of `sounds()` as a PyCapsule."""
        return self.sounds().__arrow_c_schema__()

    def __array__(self, *_given: object, **_named: object) -> NoReturn:
        # pandas.DataFrame asks for it, and would else take the ids as its only column.
        raise TypeError(_NO_ARRAY)


_NO_ARRAY = "a mapping of sounds is no array; library.sounds().to_pandas() gives a data frame, list(library) the ids"


class SoundSelection(_Sounds):
    """Some sounds of a library, and the edges among them.

    A mapping of ids to sounds, in order of id. Select from it again to narrow it. Make one with `Library.select`.
    """

    def __init__(
        self,
        folder: Path,
        selected: Selected,
        notices: tuple[str, ...] = (),
        *,
        about_analysis: tuple[str, ...] = (),
    ) -> None:
        """Use `Library.select`."""
        self._folder = folder
        self._selected = selected
        self._about_analysis = about_analysis
        self.notices = notices
        """Which texts no sound has, and why none matches, in one line; empty if there is nothing to say."""

    @property
    def ids(self) -> tuple[int, ...]:
        """The ids of the sounds, ascending."""
        return tuple(self._selected.sound_ids)

    def __repr__(self) -> str:
        counts = f"{len(self):,} sounds, {self._selected.edge_count:,} edges"
        return f"<SoundSelection of {str(self._folder)!a}: {counts}>"

    def _repr_html_(self) -> str:
        return selection_html(self._selected, str(self._folder), self.notices)


class Library(_Sounds):
    """A library for programs: a read-only mapping of ids to sounds.

        library = Library.open("data/freesound_library")
        for neighbour_id, score in library.neighbours(1234):
            print(library[neighbour_id].name, score)

    It is usable from any thread or process, and never changes: open the library again to see what a running harvest
    has added. Its sounds are read when they are asked for: those of a large library from its index and its checkpoint
    or from a temporary file, which stay open; reading them may raise `LibraryCorrupt` if a program has written into
    the checkpoint's file itself. The mapping holds every sound, also those without a record yet and those that are
    gone; `select`, `find`, tables and exports leave out those that are gone.
    """

    def __init__(self, view: LibraryView) -> None:
        """Use `Library.open`."""
        self._folder = view.folder
        self.view = view
        self.folder: Path = view.folder
        self.notices: tuple[str, ...] = tuple(view.notices)
        """What a person should know about the library's files, a line each."""
        self.processed_ids: frozenset[int] = frozenset(view.state.processed)
        """The ids of the sounds with a complete record and a similar list."""
        self.records: Mapping[int, Record] = _Records(view.state)
        """The records by id, as the API sent them; each access returns a new dict."""

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, create: bool = False) -> Library:
        """Open the library in the folder `path`, with its journal's events.

        Takes no lock and writes nothing, unless `create` is true and there is no library: then it makes the folder and
        an empty library, which a harvest can grow. Raises `LibraryNotFound` for what is no folder with a library,
        `LibraryCorrupt` when the checkpoint is corrupt and no valid backup can replace it, `NewerFormat`,
        `LibraryNotFetched`, or `LibraryUnwritable` when it cannot be read; with `create` also `LibraryLocked` or
        `DiskFull`; `SettingsError` for what is no path. `~` is the home folder.
        """
        folder = check_folder("path", path)
        if folder is None:
            raise SettingsError("path must be a folder, not None")
        if create and not holds_library(folder):
            with Store.open(folder, clock=SystemClock()) as store:
                store.checkpoint()
        require_library(folder)
        indexes = index_folder()
        indexed = None if indexes is None else view_index(folder, indexes)
        return cls(indexed or load_view(folder))

    def __reduce__(self) -> Any:
        return Library, (self.view,)

    @property
    def _state(self) -> SoundGraph:
        return self.view.state

    @cached_property
    def _selected(self) -> Selected:  # type: ignore[override]  # only read
        self._about_analysis = take_analysis(self._folder, self._state)
        return select(self._state)

    @property
    def graph(self) -> DiGraph:
        """The frozen `networkx.DiGraph` of the library.

        It is loaded into memory when it is first asked for. Nodes are ids with the record's fields; an edge A→B has a
        `score` when B is in A's similar list. Copy the graph before you change attributes. A type checker knows its
        type if `types-networkx` is installed.
        """
        return self._graph

    @cached_property
    def _graph(self) -> DiGraph:
        # A program may keep, pickle or compare the dicts of a node, so they must not be lent.
        state = self._state.in_memory()
        state.graph.freeze()
        self.view = replace(self.view, state=state)
        return state.graph

    @property
    def metadata(self) -> dict[str, Any]:
        """The library's metadata, as a checkpoint has it.

        Counts, source, seeds, time of the latest event.
        """
        metadata = metadata_of(self._state)
        del metadata["digest"]
        return metadata

    @naming_keywords
    def find(self, text: str | Iterable[str], *, limit: int = 20) -> list[Sound]:
        """Return the sounds with every word of `text`, best first.

        As `harvester find`: a word is in the name, a tag, the user or the id.
        Whole words rank before beginnings, then by downloads. `limit`: the most sounds, 0 for all. Raises
        `SettingsError` for a wrong `limit`.
        """
        most = check_whole("--limit", limit, COUNT_FROM_ZERO)
        words = " ".join(check_texts("text", text))
        return [self._state.sound(hit["id"]) for hit in find_sounds(self._state, words, limit=most or None).best]

    @naming_keywords
    def like(self, like: Like, *, text: str | Iterable[str] = "", limit: int = 20) -> tuple[tuple[int, float], ...]:
        """Return the sounds most alike to one sound, or to the mean of several.

        They are (id, score), best first, then by id. `like`: ids, links or file names. `text`: words that they must
        have, as in `find`. `limit`: the most sounds, 0 for all. Each call reads the vectors beside the library as they
        are now. Raises `SettingsError` for a wrong keyword, for sounds without a vector here, and without numpy;
        `NewerFormat` or `LibraryUnwritable`.
        """
        most = check_whole("--limit", limit, COUNT_FROM_ZERO)
        return rank_like(self.view, like, " ".join(check_texts("text", text))).ranked[: most or None]

    def neighbours(self, sound_id: SupportsIndex) -> tuple[tuple[int, float], ...]:
        """Return a sound's similar list as (id, score), best first.

        `edges_of` has its relations too. Empty when it has none yet. Raises `KeyError` for a `sound_id` that is not in
        the library, `ValueError` for an invalid sound id.
        """
        known = check_sound_id(sound_id)
        if known not in self._state:
            raise KeyError(sound_id)
        similar = self._state.similar(known)
        return similar.neighbours if similar is not None else ()

    def _holds(self, sound_id: int) -> bool:
        return sound_id in self._state

    def __iter__(self) -> Iterator[int]:
        return iter(self._state.graph)

    def __len__(self) -> int:
        return len(self._state)

    def __repr__(self) -> str:
        counts = f"{len(self):,} sounds, {len(self.processed_ids):,} processed, {self._state.edge_count:,} edges"
        return f"<Library {str(self.folder)!a}: {counts}>"

    def _repr_html_(self) -> str:
        return library_html(self._state, str(self.folder), self.notices)


class _Records(Mapping[int, Record]):
    """The records by id, as the API sent them."""

    def __init__(self, state: SoundGraph) -> None:
        self._state = state

    def __getitem__(self, sound_id: int) -> Record:
        record = self._state.record(sound_id)
        if record is None:
            raise KeyError(sound_id)
        return record

    def __iter__(self) -> Iterator[int]:
        return (sound_id for sound_id, attributes in self._state.graph.nodes.items() if "fetched_at" in attributes)

    def __len__(self) -> int:
        return self._state.record_count

    def __array__(self, *_given: object, **_named: object) -> NoReturn:
        raise TypeError(_NO_ARRAY)
