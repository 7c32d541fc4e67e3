"""Write a dataset: a folder of tables, description and credits.

Owns the order of the files: the tables come first, because the description names their digests, and the manifest comes
last. The folder appears as a whole or not at all. No file holds the time of writing, so the same library, options and
versions give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvester.counts import counted
from harvester.dataset import facts as figures
from harvester.dataset.card import encode_card
from harvester.dataset.columns import EDGE_COLUMNS, choose_columns, edge_rows, sound_rows
from harvester.dataset.conditions import conditions_of
from harvester.dataset.croissant import encode_croissant
from harvester.dataset.facts import DatasetFacts
from harvester.dataset.grouping import group_sounds
from harvester.dataset.layout import CARD, CREDITS, CROISSANT, MANIFEST, WrittenFile, data_path, edges_path
from harvester.dataset.manifest import encode_manifest, why_not_ours
from harvester.dataset.split_file import SPLITS, encode_splits
from harvester.dataset.splits import Assignment, SoundGroup, assign
from harvester.errors import SettingsError
from harvester.exports import Column, encode_credits, encode_pieces, encode_table, list_credits, one_line, plain_row
from harvester.graph import Selected, Selection
from harvester.library_source import is_sandbox
from harvester.records import value_of
from harvester.storage import replace_folder


@dataclass(frozen=True, slots=True)
class DatasetOptions:
    """How to write a dataset.

    `shares` are the percentages of the parts by name. `earlier` is an assignment to keep. `title` is empty for a title
    made from the number of sounds. `table` is `parquet` or `csv`. `faithful`: texts in CSV that a spreadsheet would run
    as formulas stay unchanged.
    """

    shares: Mapping[str, int]
    fields: tuple[str, ...] = ()
    group_by: str = "user"
    method: str = "greedy"
    earlier: Assignment | None = None
    table: str = "parquet"
    faithful: bool = False
    title: str = ""

    def shown(self) -> dict[str, Any]:
        """Return the options as the manifest has them."""
        kept = None if self.earlier is None else hashlib.sha256(encode_splits(self.earlier)).hexdigest()
        return {
            "fields": list(self.fields),
            "split": dict(self.shares),
            "group_by": self.group_by,
            "split_method": self.method,
            "earlier_splits_sha256": kept,
            "table": self.table,
            "faithful": self.faithful,
        }


def check_replaceable(out: Path) -> None:
    """Raise `SettingsError` if `out` is there and is no dataset of ours.

    A dataset that a person changed is not replaced either. Raises `OSError` when a file cannot be read.
    """
    if out.exists() and (why := why_not_ours(out)):
        raise SettingsError(f"{out}: {why}; nothing was replaced: choose another folder, or move this one away")


def save_dataset(
    selected: Selected,
    out: Path,
    options: DatasetOptions,
    *,
    library_digest: str,
    selection: Selection,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> tuple[DatasetFacts, list[str]]:
    """Write the selection to the folder `out`; return facts and notices.

    It is durable on return. `selection` has selected the sounds, and `library_digest` is that of the library's content.
    `on_bytes` is called with the size of every piece that is written. An error, a signal or a crash leaves the
    earlier folder; a crash may leave a temporary one beside it. The selection has a sound at least. Raises
    `SettingsError` for an unknown field and a missing package, and `OSError` when writing fails.
    """
    columns, notices = choose_columns(selected, options.fields)
    groups = group_sounds(selected, options.group_by)
    assignment = assign(
        groups, options.shares, group_by=options.group_by, method=options.method, earlier=options.earlier
    )
    writing = _Writing(selected, options, columns, assignment, on_bytes)
    facts: list[DatasetFacts] = []

    def files() -> Iterator[tuple[str, Iterator[bytes]]]:
        yield from writing.tables()
        facts.append(_facts(selected, options, columns, groups, writing, library_digest, conditions_of(selection)))
        yield writing.file(CREDITS, encode_pieces(encode_credits(list_credits(selected), "md")))
        yield writing.file(SPLITS, [encode_splits(assignment)])
        yield writing.file(CROISSANT, [encode_croissant(facts[0], writing.written)])
        yield writing.file(CARD, [encode_card(facts[0])])
        yield writing.file(MANIFEST, [encode_manifest(facts[0], writing.written, options.shown())])

    replace_folder(out, files())
    empty = [part for part, count in facts[0].parts.items() if not count]
    if empty:
        groups_are = {"user": "authors", "pack": "packs"}[options.group_by]
        notices.append(f"no sounds in {' and '.join(empty)}: the {groups_are} are too few or too large for this split")
    return facts[0], notices


class _Writing:
    """The tables of a dataset, and what is known once they are written."""

    def __init__(
        self,
        selected: Selected,
        options: DatasetOptions,
        columns: list[Column],
        assignment: Assignment,
        on_bytes: Callable[[int], None],
    ) -> None:
        self.assignment = assignment
        self.written: dict[str, WrittenFile] = {}
        self.parts: dict[str, int] = {}
        self.kinds: Counter[str] = Counter()
        self.rows = {"sounds": hashlib.sha256(), "edges": hashlib.sha256()}
        self._selected = selected
        self._options = options
        self._columns = columns
        self._on_bytes = on_bytes

    def tables(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the path and the bytes of each table that has rows."""
        table, faithful = self._options.table, self._options.faithful
        for part in self.assignment.shares:
            ids = self.assignment.sound_ids(part)
            self.parts[part] = len(ids)
            if ids:
                found = sound_rows(Selected(self._selected.state, ids), self._columns)
                rows = self._digested("sounds", self._columns, found, split=part)
                yield self.file(data_path(part, table), encode_table(table, self._columns, rows, faithful=faithful))
        if self._selected.edge_count:
            rows = self._counted(self._digested("edges", EDGE_COLUMNS, edge_rows(self._selected.edges())))
            yield self.file(edges_path(table), encode_table(table, EDGE_COLUMNS, rows, faithful=faithful))

    def file(self, name: str, pieces: Iterable[bytes]) -> tuple[str, Iterator[bytes]]:
        """Return a file that notes its size and digest once it is consumed."""
        return name, self._noted(name, pieces)

    def _noted(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        digest, size_bytes = hashlib.sha256(), 0
        for piece in pieces:
            digest.update(piece)
            size_bytes += len(piece)
            self._on_bytes(len(piece))
            yield piece
        self.written[name] = WrittenFile(size_bytes, digest.hexdigest())

    def _digested(
        self, what: str, columns: Iterable[Column], rows: Iterable[dict[str, Any]], **more: str
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows, each of which enters the digest as canonical JSON."""
        digest = self.rows[what]
        for row in rows:
            line = {**plain_row(columns, row), **more}
            digest.update(json.dumps(line, sort_keys=True, separators=(",", ":")).encode() + b"\n")
            yield row

    def _counted(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for row in rows:
            self.kinds[row["kind"]] += 1
            yield row


def _what(selected: Selected) -> str:
    return "Made-up metadata" if is_sandbox(selected.state.source) else "Freesound metadata"


def _facts(
    selected: Selected,
    options: DatasetOptions,
    columns: list[Column],
    groups: list[SoundGroup],
    writing: _Writing,
    library_digest: str,
    selection: Mapping[str, Any],
) -> DatasetFacts:
    assignment = writing.assignment
    several = [selected.state.attributes(one) for one in selected.sound_ids]
    authors = groups if options.group_by == "user" else group_sounds(selected, "user")
    return DatasetFacts(
        title=one_line(options.title) or f"{_what(selected)} of {counted(len(selected), 'sound')}",
        source=selected.state.source,
        library_digest=library_digest,
        table=options.table,
        columns=tuple(columns),
        selection=selection,
        assignment=assignment,
        parts=writing.parts,
        groups=figures.count_by_part((assignment.groups[group.key] for group in groups), assignment.shares),
        accounts=len(authors),
        licenses=figures.count_licenses(selected),
        wishes=figures.count_wishes(selected),
        categories=figures.most_frequent((filter(None, [value_of(one, "category")]) for one in several), 10),
        tags=figures.most_frequent((value_of(one, "tags") or () for one in several), 20),
        edges=selected.edge_count,
        kinds=dict(sorted(writing.kinds.items())),
        rows_sha256={what: digest.hexdigest() for what, digest in writing.rows.items()},
        fetched=figures.days_fetched(selected),
        newest=figures.newest_stamp(selected),
    )
