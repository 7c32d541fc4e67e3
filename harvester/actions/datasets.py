"""Export a library, or the part that matches, as a dataset to publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Unpack

from harvester.actions.default_library import LibraryLike, open_view
from harvester.actions.keywords import StrPath, Texts, naming_keywords
from harvester.actions.options import check_choice, check_flag, check_folder, check_text, check_texts
from harvester.actions.selecting import SelectKeywords, read_selection, select_from
from harvester.checkpoint import digest_of
from harvester.dataset import (
    DEFAULT_SPLIT,
    GROUPINGS,
    METHODS,
    Assignment,
    DatasetOptions,
    check_replaceable,
    load_splits,
    read_shares,
    save_dataset,
)
from harvester.errors import SettingsError
from harvester.exports import TABLE_FORMATS, check_place
from harvester.graph import select
from harvester.records import BY, CC0
from harvester.storage import disk_errors, read_path

FREE_LICENSES = (CC0.short_name, BY.short_name)
"""The licenses of a dataset unless the caller names others: they allow every use, if authors are credited."""


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """Result of writing a dataset: its folder `path`, and what it holds.

    `sounds`, `edges` and `authors`: their numbers. `parts` has the number of sounds by part, `licenses` by license,
    `gen_ai_wishes` by wish. `only_free`: the caller named no license, so only CC0 and BY were taken, and
    `other_licenses` sounds were left out. `rows_sha256` has the digests of the rows of `sounds` and `edges`, which hold
    across versions. `notices`: lines that need attention.
    """

    path: Path
    sounds: int
    edges: int
    authors: int
    parts: Mapping[str, int]
    licenses: Mapping[str, int]
    gen_ai_wishes: Mapping[str, int]
    rows_sha256: Mapping[str, str]
    only_free: bool = False
    other_licenses: int = 0
    notices: tuple[str, ...] = ()


@naming_keywords
def export_dataset(
    path: StrPath,
    *,
    library: LibraryLike = None,
    fields: Texts | None = None,
    split: str | None = None,
    group_by: str | None = None,
    split_method: str | None = None,
    splits: StrPath | None = None,
    table: str | None = None,
    title: str | None = None,
    faithful: bool = False,
    on_progress: Callable[[int], None] | None = None,
    **selection: Unpack[SelectKeywords],
) -> DatasetReport:
    """Export the library, or a selection, as the dataset folder `path`.

    The folder has tables in parts for training and test, the edges, a card, credits, and descriptions for programs. It
    appears as a whole and is durable on return; an error, a signal or a crash leaves an earlier one. It replaces an
    earlier dataset whose files are unchanged, and no other folder. The same library, options and versions give the same
    bytes. Deleted and withdrawn sounds are left out.

    `library` is a folder or an opened `Library`. `fields`: names of columns or fields, one, several or with commas
    between them; None: the usual ones. `split` are percentages of train, validation and test (`80/10/10`, `90/10`,
    `100`). `group_by` is `user` (an author is in one part only) or `pack`. `split_method` is `greedy` or `hash`.
    `splits` is the folder of an earlier dataset: every sound that it has stays in its part. `table` is `parquet` or
    `csv`. `title` is the heading of the card. `faithful`: keep texts in CSV that a spreadsheet would run as formulas.
    `on_progress` gets the number of bytes written so far. The other keywords select sounds, and are those of
    `SelectKeywords`; without `license`, only CC0 and BY are taken.

    Raises `SettingsError` that names a wrong keyword, a place that cannot be used, a selection without sounds, or a
    missing package; `LibraryNotFound`, `LibraryCorrupt`, `NewerFormat`, `DiskFull`, or `LibraryUnwritable`.
    """
    out = read_path(path)
    check_place(out)
    options = _read_options(
        fields=fields,
        split=split,
        group_by=group_by,
        split_method=split_method,
        splits=splits,
        table=table,
        title=title,
        faithful=faithful,
    )
    given = read_selection(**selection)
    written = 0

    def count(size_bytes: int) -> None:
        nonlocal written
        written += size_bytes
        if on_progress is not None:
            on_progress(written)

    with open_view(library, on_disk=True) as view:
        selected, notices = select_from(view, given)
        chosen, others = given, 0
        if not given.licenses:
            everything, chosen = selected, replace(given, licenses=FREE_LICENSES)
            selected = select(view.state, chosen)
            others = sum(sound.has_record and sound.id not in selected for sound in everything.sounds())
        if not len(selected):
            why = "no sound that matches has the license CC0 or BY; name others with --license"
            raise SettingsError(f"{why if others else notices[-1]}; a dataset needs sounds, so nothing was written")
        with disk_errors(out, "the earlier folder is unchanged"):
            check_replaceable(out)
            facts, more = save_dataset(
                selected, out, options, library_digest=digest_of(view.state), selection=chosen, on_bytes=count
            )
    return DatasetReport(
        out,
        facts.sounds,
        facts.edges,
        facts.accounts,
        facts.parts,
        {license.name: license.sounds for license in facts.licenses},
        facts.wishes,
        facts.rows_sha256,
        not given.licenses,
        others,
        (*notices, *more),
    )


def _read_options(
    *,
    fields: Texts | None,
    split: str | None,
    group_by: str | None,
    split_method: str | None,
    splits: StrPath | None,
    table: str | None,
    title: str | None,
    faithful: bool,
) -> DatasetOptions:
    """Return the checked options; an earlier assignment gives defaults."""
    method = check_choice("--split-method", split_method or METHODS[0], METHODS)
    grouping = None if group_by is None else check_choice("--group-by", group_by, GROUPINGS)
    shares = None if split is None else read_shares(check_text("--split", split))
    folder = check_folder("--splits", splits)
    earlier = None if folder is None else _read_earlier(folder, method, grouping, shares)
    chosen = check_choice("--table", table or TABLE_FORMATS[0], TABLE_FORMATS)
    if check_flag("--faithful", faithful) and chosen != "csv":
        raise SettingsError("--faithful works with --table csv only")
    return DatasetOptions(
        shares=shares or (read_shares(DEFAULT_SPLIT) if earlier is None else earlier.shares),
        fields=_names(check_texts("--fields", fields)),
        group_by=grouping or (GROUPINGS[0] if earlier is None else earlier.group_by),
        method=method,
        earlier=earlier,
        table=chosen,
        faithful=faithful,
        title="" if title is None else check_text("--title", title),
    )


def _read_earlier(folder: Path, method: str, grouping: str | None, shares: dict[str, int] | None) -> Assignment:
    """Return the assignment in `folder`, if the other options fit it."""
    if method == "hash":
        raise SettingsError("--splits works with --split-method greedy only; hash needs no earlier assignment")
    earlier = load_splits(folder)
    if grouping not in (None, earlier.group_by):
        raise SettingsError(
            f"--group-by {grouping}: the assignment in {folder} is by {earlier.group_by}; use that, or leave out "
            "--splits"
        )
    without = [part for part in earlier.shares if shares is not None and part not in shares]
    if without:
        raise SettingsError(
            f"--split has no {' and '.join(without)}, and the assignment in {folder} has; name a percentage for each "
            "of its parts, or leave out --splits"
        )
    return earlier


def _names(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names in texts that may have commas between names."""
    return tuple(name.strip() for text in texts for name in text.split(","))
