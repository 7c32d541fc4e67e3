"""`harvester import`: import sounds, records and edges into a library."""

from __future__ import annotations

from typing import Annotated

import typer

from harvester.cli.console import LibraryOption, check_name, note, say
from harvester.counts import graph_size


def _check_source(address: str | None) -> str | None:
    """Return a source; raise `SettingsError` for what is no address."""
    from harvester.actions import read_source

    if address is not None:
        read_source(address)
    return address


def _check_relation(kind: str) -> str:
    """Return a kind; raise `SettingsError` for one that no edge can have."""
    from harvester.actions import read_relation

    return read_relation(kind)


def import_old(
    old: Annotated[
        str,
        typer.Argument(
            metavar="FILE", callback=check_name, help="An export, data, a graph, or an older tool's library."
        ),
    ],
    library: LibraryOption = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="URL", callback=_check_source, help="Name the API, if not Freesound's or the file's own."),
    ] = None,
    relation: Annotated[
        str,
        typer.Option(metavar="KIND", callback=_check_relation, help="Give this kind to edges without score and kind."),
    ] = "related",
) -> None:
    """Import sounds, records and edges into the library.

    FILE is an export of harvester (jsonl, node-link, parquet, sqlite), which comes back as the same library; records in
    JSON lines, JSON, CSV or Parquet; a graph (GraphML, GEXF, a list of edges), whose edges become relations; or an
    older tool's .pkl, .gpickle, SQLite cache or folder. Rows that cannot be used are counted and named. No code of
    a file runs, keys in it are dropped, and FILE is not changed.
    """
    from harvester import actions

    report = actions.import_library(old, library=library, source=source, relation=relation)
    for line in report.notices:
        say(line)
    say(f"{report.path}: {report.form}")
    if report.path.is_dir() or len(report.taken) > 1:
        for path, form in report.taken:
            say(f"  taken    {path.name}: {form}")
        for path, reason in report.left:
            say(f"  left     {path.name}: {reason}")
    for title, counts in (
        ("kept", report.tally.kept),
        ("mapped", report.tally.mapped),
        ("dropped", report.tally.dropped),
    ):
        for what, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
            say(f"  {title:<8} {count:>7}  {what}")
    if report.keys:
        note(
            f"WARNING: {report.path} holds an API key ({report.keys} found). It was not imported, but everyone who has "
            "that file has the key: revoke it at https://freesound.org/apiv2/apply/, then delete or clean the file"
        )
    say(
        f"{report.target}: {graph_size(report.nodes, report.edges, report.processed)}; "
        "`harvester harvest` continues from here"
    )
