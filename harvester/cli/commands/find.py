"""`harvester find`: find sounds by words in names, tags and users."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from harvester.cli.console import JsonOption, LibraryOption, note, print_json, print_lines, say
from harvester.cli.options import bounded
from harvester.settings import COUNT_FROM_ZERO


def find(
    text: Annotated[list[str], typer.Argument(metavar="TEXT…", help="Words that must all occur.")],
    limit: Annotated[int, bounded(COUNT_FROM_ZERO, "Show at most N sounds; 0 shows all.")] = 20,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find sounds by name, tag or user."""
    from harvester import actions

    report = actions.find(text, limit=limit, library=library)
    note(*report.notices)
    if as_json:
        print_json({"query": report.query, "total": report.total, "sounds": list(report.sounds)}, indented=False)
        return
    print_lines(*map(_line, report.sounds))
    more = f", the best {len(report.sounds)} shown" if len(report.sounds) < report.total else ""
    say(f"{report.total:,} of {report.searched:,} sounds in {report.library}{more}")


def _line(sound: dict[str, Any]) -> str:
    lasting = "" if sound["duration"] is None else f"{sound['duration']:.2f} s"
    name = sound["name"] or "(no record yet)"
    tags = " ".join((sound["tags"] or ())[:6])
    whose = f"{sound['username'] or 'unknown'}, {sound['license_name']}, {lasting}"
    return f"{sound['id']:>8}  {name}  [{whose}]  {tags}".rstrip()
