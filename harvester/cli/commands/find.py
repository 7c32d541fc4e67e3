"""`harvester find`: find sounds by words, or by likeness to others."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from harvester.cli.console import JsonOption, LibraryOption, note, print_json, print_lines, say
from harvester.cli.options import bounded
from harvester.counts import counted
from harvester.errors import SettingsError
from harvester.settings import COUNT_FROM_ZERO


def find(
    text: Annotated[list[str] | None, typer.Argument(metavar="TEXT…", help="Words that must all occur.")] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Rank by likeness to this sound: id or address (repeatable: their mean)."),
    ] = None,
    limit: Annotated[int, bounded(COUNT_FROM_ZERO, "Show at most N sounds; 0 shows all.")] = 20,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find sounds by name, tag or user, or by likeness to others."""
    from harvester import actions

    if not text and not like:
        raise SettingsError("find needs words that a sound must have, or --like ID; nothing was searched")
    report = actions.find(text or "", like=like or None, limit=limit, library=library)
    note(*report.notices)
    if as_json:
        print_json(report.as_dict(), indented=False)
        return
    print_lines(*map(_line, report.sounds))
    more = f", the best {len(report.sounds)} shown" if len(report.sounds) < report.total else ""
    ranked = " ranked by likeness" if report.like else ""
    say(f"{report.total:,} of {counted(report.searched, 'sound')} in {report.library}{ranked}{more}")


def _line(sound: dict[str, Any]) -> str:
    lasting = "" if sound["duration"] is None else f"{sound['duration']:.2f} s"
    name = sound["name"] or "(no record yet)"
    tags = " ".join((sound["tags"] or ())[:6])
    whose = f"{sound['username'] or 'unknown'}, {sound['license_name']}, {lasting}"
    score = f"{sound['score']:.4f}  " if "score" in sound else ""
    return f"{score}{sound['id']:>8}  {name}  [{whose}]  {tags}".rstrip()
