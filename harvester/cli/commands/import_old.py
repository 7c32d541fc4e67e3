"""`harvester import`: import files of older tools into a library."""

from __future__ import annotations

from typing import Annotated

import typer

from harvester.cli.console import LibraryOption, check_name, note, say


def _check_source(address: str) -> str:
    """Return a source; raise `SettingsError` for what is no address."""
    from harvester.actions import read_source

    read_source(address)
    return address


def import_old(
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD", callback=check_name, help="A .pkl, a .gpickle, an SQLite cache, or a folder of them."
        ),
    ],
    library: LibraryOption = None,
    source: Annotated[
        str, typer.Option(metavar="URL", callback=_check_source, help="Name the API that the old tool used.")
    ] = "https://freesound.org/apiv2/",
) -> None:
    """Import the files of an older tool into the library.

    The next harvest continues from there. Of a folder, all files that belong together are read. No code of a file runs,
    and the old tool's packages are not needed. Keys in it are dropped; edges without a score are kept apart from
    similarity, with their weights. Records keep the time that the old data gives them. OLD is not changed.
    """
    from harvester import actions

    report = actions.import_library(old, library=library, source=source)
    for line in report.notices:
        say(line)
    say(f"{report.path}: {report.form}")
    if report.path.is_dir():
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
        f"{report.target}: {report.nodes:,} sounds ({report.processed:,} processed), {report.edges:,} edges; "
        "`harvester harvest` continues from here"
    )
