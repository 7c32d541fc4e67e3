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
        str, typer.Argument(metavar="OLD", callback=check_name, help="A .pkl, a .gpickle, or an SQLite cache.")
    ],
    library: LibraryOption = None,
    source: Annotated[
        str, typer.Option(metavar="URL", callback=_check_source, help="Name the API that the old tool used.")
    ] = "https://freesound.org/apiv2/",
) -> None:
    """Import a file of an older tool into the library.

    The next harvest continues from there. No code of the file runs, and the old tool's packages are not needed. Keys in
    it are dropped; edges without a score are kept apart from similarity. OLD is not changed.
    """
    from harvester import actions

    report = actions.import_library(old, library=library, source=source)
    for line in report.notices:
        say(line)
    say(f"{report.path}: {report.form}")
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
        f"{report.target}: {report.nodes} sounds ({report.processed} processed), {report.edges} edges; "
        "`harvester harvest` continues from here"
    )
