"""`harvester find`: find sounds in the library by words in their names, tags and users, offline."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from harvester.cli.console import JsonOption, LibraryOption, print_json, print_lines, say
from harvester.cli.options import bounded
from harvester.settings import COUNT_FROM_ZERO


def find(
    text: Annotated[list[str], typer.Argument(metavar="TEXT…", help="Words that must all occur.")],
    limit: Annotated[int, bounded(COUNT_FROM_ZERO, "Show at most N sounds; 0 shows all.")] = 20,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find sounds by name, tag or user."""
    from harvester.cli.default_library import open_view
    from harvester.reports import find_sounds

    view = open_view(library)
    wanted = " ".join(text)
    hits = find_sounds(view.state, wanted, limit=limit or None)
    if as_json:
        print_json({"query": wanted, "total": hits.total, "sounds": list(hits.best)}, indented=False)
        return
    print_lines(*map(_line, hits.best))
    more = f", the best {len(hits.best)} shown" if len(hits.best) < hits.total else ""
    say(f"{hits.total} of {len(view.state)} sounds in {view.folder}{more}")


def _line(sound: dict[str, Any]) -> str:
    lasting = "" if sound["duration"] is None else f"{sound['duration']:.2f} s"
    name = sound["name"] or "(no record yet)"
    tags = " ".join((sound["tags"] or ())[:6])
    whose = f"{sound['username'] or 'unknown'}, {sound['license_name']}, {lasting}"
    return f"{sound['id']:>8}  {name}  [{whose}]  {tags}".rstrip()
