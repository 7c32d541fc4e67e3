"""Define the options that select a part of a library.

They are the keywords of `SelectKeywords` in `actions`, and mean the same for every command that selects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from harvester.cli.completion import complete_category, complete_license, complete_tag, complete_user, completing
from harvester.cli.options import bounded, check_duration, check_finite, check_some_duration
from harvester.settings import COUNT, COUNT_FROM_ZERO, SCORE


def _complete_wish(incomplete: str) -> list[str]:
    """Return the wishes about generative AI."""
    from harvester.records import GEN_AI_WISHES, UNKNOWN_WISH

    return completing(lambda: [*GEN_AI_WISHES, UNKNOWN_WISH])(incomplete)


def _check_wishes(given: str | Sequence[str] | None) -> Any:
    """Return wishes; raise `SettingsError` for other texts."""
    if given:
        from harvester.records import read_gen_ai_wish

        for text in [given] if isinstance(given, str) else given:
            for wish in text.split(","):
                read_gen_ai_wish(wish.strip())
    return given


def _check_edges(given: str | Sequence[str] | None) -> Any:
    """Return kinds of edges; raise `SettingsError` for a text that is none."""
    if given:
        from harvester.actions import check_edges

        check_edges([given] if isinstance(given, str) else given)
    return given


def _check_created(text: str | None) -> str | None:
    """Return a range of dates; raise `SettingsError` for other texts."""
    if text is not None:
        from harvester.records import read_created_range

        read_created_range(text)
    return text


@dataclass(frozen=True, slots=True)
class SelectOptions:
    """The part of a library that a command works on."""

    license: Annotated[
        list[str] | None,
        typer.Option(
            "--license",
            "--licence",
            metavar="CC0",
            autocompletion=complete_license,
            help="Keep to CC0, BY, BY-NC or Sampling+, such as CC0,BY (any).",
        ),
    ] = None
    category: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", autocompletion=complete_category, help="Keep to this (sub)category (repeatable: any)."
        ),
    ] = None
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", autocompletion=complete_tag, help="Keep to this tag (repeatable: all)."),
    ] = None
    user: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", autocompletion=complete_user, help="Keep to this user (repeatable: any)."),
    ] = None
    exclude_tag: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", autocompletion=complete_tag, help="Leave out sounds with this tag (repeatable)."),
    ] = None
    exclude_user: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", autocompletion=complete_user, help="Leave out this user (repeatable)."),
    ] = None
    query: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Keep to sounds with all of these words, as in find.")
    ] = None
    ids: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep to the sounds that this file lists; - is stdin.")
    ] = None
    column: Annotated[
        str | None, typer.Option(metavar="NAME", help="With --ids: the column of the table that has the ids.")
    ] = None
    created: Annotated[
        str | None,
        typer.Option(
            callback=_check_created,
            metavar="FROM..TO",
            help="Keep to sounds uploaded from the year or date FROM to TO.",
        ),
    ] = None
    min_duration: Annotated[
        str | None, typer.Option(callback=check_duration, metavar="1s", help="Keep to sounds at least this long.")
    ] = None
    max_duration: Annotated[
        str | None, typer.Option(callback=check_some_duration, metavar="10s", help="Keep to sounds up to this long.")
    ] = None
    min_downloads: Annotated[int | None, bounded(COUNT_FROM_ZERO, "Keep to sounds with at least N downloads.")] = None
    gen_ai: Annotated[
        list[str] | None,
        typer.Option(
            metavar="VALUE",
            autocompletion=_complete_wish,
            callback=_check_wishes,
            help="Keep to this wish about generative AI, or to unknown (repeatable: any).",
        ),
    ] = None
    community: Annotated[
        list[int] | None,
        bounded(COUNT, "Keep to this community of `harvester analyse` (repeatable: any)."),
    ] = None
    processed_only: Annotated[
        bool, typer.Option("--processed-only", help="Keep to sounds with a record and a similar list.")
    ] = False
    min_score: Annotated[
        float | None,
        bounded(SCORE, "Keep to similar edges with at least this score.", metavar="0.8", callback=check_finite),
    ] = None
    edges: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND",
            autocompletion=completing("similar|relation|all"),
            callback=_check_edges,
            help="Keep to edges of similar, relation:NAME or relation (repeatable: any); else all.",
        ),
    ] = None
    largest_component: Annotated[
        bool, typer.Option("--largest-component", help="Keep to the largest connected part.")
    ] = False

    def keywords(self) -> dict[str, Any]:
        """Return the options as keywords of the functions in `actions`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
